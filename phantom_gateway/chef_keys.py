"""
The two keys of a Chef server, sealed as one text.

Owns: sealing and opening them, and what may be shown of one. Does not own: storing them (``records.chef_credentials``).
"""

import json
from dataclasses import dataclass

from phantom_gateway.chef import ChefServer
from phantom_gateway.keyring import Keyring
from phantom_gateway.records.chef_credentials import ChefCredentials
from phantom_gateway.secret import Secret


@dataclass(frozen=True, slots=True)
class ChefKeys:
    """Private keys in PEM: the client's, as which the user works, and the validator's, as which VMs register."""

    client_key: Secret
    validator_key: Secret


def seal(keyring: Keyring, keys: ChefKeys) -> str:
    """One sealed text that holds both."""
    return keyring.encrypt(
        Secret(json.dumps({"client": keys.client_key.reveal(), "validator": keys.validator_key.reveal()}))
    )


def unseal(keyring: Keyring, server: ChefCredentials) -> ChefKeys:
    """The keys of *server*. Raises KeyringError when no key of ours opens them."""
    both = json.loads(keyring.decrypt(server.keys_sealed).reveal())
    return ChefKeys(Secret(both["client"]), Secret(both["validator"]))


def server_of(keyring: Keyring, row: ChefCredentials) -> ChefServer:
    """Where a VM of the user registers, and with which key."""
    return ChefServer(row.server_url, row.validation_client_name, unseal(keyring, row).validator_key)
