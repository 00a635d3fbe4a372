"""
A key on a cloud, whoever's it is.

Owns: its two halves, and keeping them out of sight. Does not own: storing them (``records.accounts``), sealing them
(``accounts``).
"""

from dataclasses import dataclass, field

from phantom_gateway.secret import Secret


@dataclass(frozen=True, slots=True)
class Credentials:
    """
    A key on a cloud, and the key pair of VMs launched with it where a launch names none. Never shown.

    On OpenStack it is a user with its password, when *is_user*, else an application credential. Where a provider has a
    token alone, that is the secret half.
    """

    access_key_id: str = field(repr=False)
    secret_access_key: Secret
    key_name: str | None = None
    is_user: bool = False
