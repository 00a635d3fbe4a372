"""
Changing a user's access key for another without a pause: a second key, until the first is used by nobody any more.

Owns: who may have one, and how many. Does not own: where keys are on record (``records.access_keys``), or how soon a
gateway hears of it (``front.callers``).
"""

from datetime import datetime

from phantom_gateway.config import Config, UserSettings
from phantom_gateway.installation import InstallationError, new_pair
from phantom_gateway.keyring import Keyring
from phantom_gateway.records import access_keys, users
from phantom_gateway.records.access_keys import AccessKey
from phantom_gateway.records.session import Connection
from phantom_gateway.records.users import User
from phantom_gateway.secret import Secret

KEYS_MAX = 2
"""Of one user, as in AWS IAM: the one in use, and the one that follows it. More would be forgotten, and stay good."""


def add(connection: Connection, keyring: Keyring, config: Config, user: User, now: datetime) -> tuple[str, Secret]:
    """The user's second key, good from now on. Raises InstallationError."""
    if any(settings.name == user.name for settings in config.users):
        raise InstallationError(
            f"{user.name} stands in the configuration ({config.source}), and keeps the access key that it says. Only "
            "users made with phantom-gateway users add change their keys."
        )
    users.hold(connection, user.id)
    known = access_keys.of_user(connection, user.id)
    if len(known) >= KEYS_MAX:
        listed = " and ".join(key.access_key_id for key in known)
        raise InstallationError(
            f"{user.name} has {KEYS_MAX} access keys already, {listed}; revoke the one that nobody uses any more first."
        )
    access_key_id, secret = new_pair()
    access_keys.add(connection, user.id, AccessKey(access_key_id, keyring.encrypt(secret), now))
    return access_key_id, secret


def revoke(connection: Connection, config: Config, access_key_id: str) -> User:
    """Whose key it was; it lets nobody in any more. Raises InstallationError."""
    user = _owner(connection, access_key_id)
    if _is_configured(config.users, access_key_id):
        raise InstallationError(
            f"The access key {access_key_id} of {user.name} stands in the configuration ({config.source}), and is good "
            "for as long as it does."
        )
    users.hold(connection, user.id)
    user = _owner(connection, access_key_id)  # somebody else may have been quicker
    if len(access_keys.of_user(connection, user.id)) == 1:
        raise InstallationError(
            f"{access_key_id} is the only access key of {user.name}; make another one first, with phantom-gateway "
            f"users key add {user.name}."
        )
    access_keys.revoke(connection, user.id, access_key_id)
    return user


def _owner(connection: Connection, access_key_id: str) -> User:
    user = users.by_access_key(connection, access_key_id)
    if user is None:
        raise InstallationError(
            f"There is no access key {access_key_id}; phantom-gateway users key list shows those there are."
        )
    return user


def _is_configured(configured: tuple[UserSettings, ...], access_key_id: str) -> bool:
    return any(settings.access_key_id == access_key_id for settings in configured)
