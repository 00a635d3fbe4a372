"""
What both the command line and the JSON API ask of users' own credentials.

Owns: these rules, and their texts. Does not own: storing accounts (``records.accounts``), nor when one is used
(``accounts``).
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from phantom_gateway.accounts import seal
from phantom_gateway.config import Ec2CloudSettings
from phantom_gateway.config.keys import keys_of
from phantom_gateway.config.kinds import Around, Wrong
from phantom_gateway.credentials import Credentials
from phantom_gateway.keyring import Keyring
from phantom_gateway.records import accounts as records
from phantom_gateway.records.accounts import AccountState, StoredAccount
from phantom_gateway.records.session import Connection

SECRET_LENGTH_MAX = 1024
"""Characters. EC2's have 40; a longer text is some other file."""

KINDS_WITH_CREDENTIALS = frozenset({"ec2", "openstack", "libcloud"})
"""Of clouds; the others know no credentials."""


class AccountRule(ValueError):  # noqa: N818 - it states the rule that an account breaks
    """Credentials that cannot be, or cannot be now; the text states the rule."""


def check_cloud(kinds: Mapping[str, str], name: str) -> None:
    """Nothing, when users may have credentials on the cloud *name*. *kinds* are those of all clouds, by name."""
    kind = kinds.get(name)
    if kind is None:
        raise AccountRule(f"There is no cloud called {name}; the clouds are: {', '.join(kinds)}.")
    if kind not in KINDS_WITH_CREDENTIALS:
        raise AccountRule(f"{name} is of the kind {kind}, which knows no credentials.")


def check_credentials(credentials: Credentials) -> None:
    """Nothing, when a configuration file might say the same. Raises AccountRule naming the field."""
    fields = {key.name: key.about.kind for key in keys_of(Ec2CloudSettings)}
    for name in ("access_key_id", "key_name"):
        value = getattr(credentials, name)
        if value is not None:
            try:
                fields[name].read(value, Around(Path(), {}))
            except Wrong as wrong:
                raise AccountRule(f"{name}: {wrong}.") from wrong
    secret = credentials.secret_access_key.reveal()
    if not 1 <= len(secret) <= SECRET_LENGTH_MAX or not (secret.isascii() and secret.isprintable()) or " " in secret:
        raise AccountRule(
            f"secret_access_key: must be 1 to {SECRET_LENGTH_MAX} printable ASCII characters without spaces; is it "
            "complete?"
        )


def put(
    connection: Connection,
    keyring: Keyring,
    user_id: int,
    cloud: str,
    credentials: Credentials,
    now: datetime,
    *,
    sees_the_same: bool = False,
) -> StoredAccount:
    """The account as it is then. *sees_the_same*: the operator says that it sees the VMs the user has there."""
    return records.put(
        connection,
        user_id,
        cloud,
        credentials_sealed=seal(keyring, credentials),
        key_name=credentials.key_name,
        now=now,
        sees_the_same=sees_the_same,
    )


def present(connection: Connection, user_id: int, cloud: str) -> StoredAccount | None:
    """The user's account on *cloud*, unless there is none or its credentials were removed."""
    account = records.find(connection, user_id, cloud)
    return None if account is None or account.state is AccountState.REMOVED else account


def remove(connection: Connection, account: StoredAccount, now: datetime, *, force: bool, how: str) -> None:
    """
    Nothing; the credentials are gone. Raises AccountRule while VMs are there that nobody could end without them.

    *force* does it all the same; *how* is how the user says so.
    """
    if account.vms and account.state is AccountState.USED and not force:
        raise AccountRule(
            f"{account.user_name} has {account.vms} VMs on {account.cloud}, which nobody could see or end without "
            f"these credentials; scale the groups down first, or say {how}: then the VMs stay, unreachable."
        )
    records.remove(connection, account, now)
