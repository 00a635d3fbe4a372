"""
One installation: its directory, keys, identity, records and users, made at the first start and found again later.

Owns: what must exist before anything can be served, for the server and for the command line alike. Does not own:
serving.
"""

import fcntl
import os
import secrets
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from phantom_gateway import remembered
from phantom_gateway.config import Config, UserSettings
from phantom_gateway.config.keys import keys_of
from phantom_gateway.config.kinds import Around, Wrong
from phantom_gateway.keyring import Keyring
from phantom_gateway.passwords import fits, hashed
from phantom_gateway.records import instances, probes, tokens, users
from phantom_gateway.records.probes import StoredProbe
from phantom_gateway.records.session import (
    Connection,
    Database,
    RecordsDamagedError,
    RecordsUnavailable,
    SchemaUnknownError,
    postgresql_url,
    sqlite_url,
)
from phantom_gateway.records.users import User
from phantom_gateway.secret import Secret

EMBEDDED_USER = "phantom"
"""The user that the first start of the embedded default creates."""


class InstallationError(Exception):
    """The installation cannot be used or changed like this; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Installation:
    """An opened installation. *gateway_id* is part of every mark; *page_secret* seals page tokens."""

    config: Config
    database: Database
    keyring: Keyring
    gateway_id: str
    page_secret: bytes
    known: Mapping[str, StoredProbe] = field(default_factory=dict)
    """What was found out of clouds; it is in *config* already."""

    def close(self) -> None:
        """Nothing; waiting writes are finished."""
        self.database.close()


@contextmanager
def held(config: Config) -> Iterator[None]:
    """
    Inside the block no other gateway serves from this state directory: two would each plan without the other.

    The lock belongs to the process, not to a descriptor that VMs could inherit, and ends with it however it ends.
    Raises InstallationError naming the process that has it.
    """
    _make_directories(config)
    descriptor = os.open(config.state_directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise InstallationError(
                f"{config.state_directory} is in use by another gateway (process {holder}); stop that one, or give "
                "this one a state directory of its own."
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def open_installation(config: Config, environ: Mapping[str, str], now: datetime) -> Installation:
    """
    The installation of *config*, made when it does not exist yet, with its schema and its configured users up to date.

    Raises InstallationError and KeyringError, each with the remedy.
    """
    _make_directories(config)
    file = config.database_file
    had_file = file is not None and file.exists()
    # A database without its keys would be unreadable for ever: only a new one may come with new keys.
    keyring = Keyring.open(config.key_file, environ, must_exist=True) if had_file else None
    database = open_database(config)
    try:
        if keyring is None:
            has_secrets = database.read_now(lambda connection: users.fact(connection, "page_secret")) is not None
            keyring = Keyring.open(config.key_file, environ, must_exist=has_secrets)
        sealer = keyring
        gateway_id, page_secret = database.write_now(lambda connection: _settle(connection, config, sealer, now))
        known = database.write_now(lambda connection: _remember(connection, config))
    except BaseException:
        database.close()
        raise
    return Installation(remembered.informed(config, known), database, keyring, gateway_id, page_secret, known)


def open_database(config: Config) -> Database:
    """
    The database of *config*, with the newest schema; a file is made when it is not there.

    Raises InstallationError.
    """
    settings, before = config.database, os.umask(0o077)  # it holds sealed secrets: nobody else needs to read the file
    try:
        if config.database_file is None:
            password = None if settings.password is None else settings.password.reveal()
            database = Database(postgresql_url(settings.url, password))
        else:
            database = Database(sqlite_url(config.database_file))
        try:
            database.migrate()
        except BaseException:
            database.close()
            raise
    except SchemaUnknownError as error:
        raise InstallationError(
            "The database was changed by a newer version of the gateway; run that version, or restore a backup."
        ) from error
    except RecordsDamagedError as error:
        raise InstallationError(
            f"The database {config.database_file} is damaged: {error}. Nothing was changed. Keep the file, and put a "
            "backup in its place: the gateway then starts frozen, and says which machines are not on record. Without a "
            f"backup, sqlite3's .recover reads what is left."
        ) from error
    except RecordsUnavailable as error:
        raise InstallationError(
            f"The database {settings.url} cannot be used: {error}. Correct url and password in [database] of the "
            "configuration, or mend the server."
        ) from error
    finally:
        os.umask(before)
    return database


def check_clouds_in_use(installation: Installation) -> None:
    """
    Nothing, when every cloud that holds instances is configured.

    A cloud that was taken out of the configuration cannot be told to terminate anything: its machines would be
    forgotten, and go on costing. Raises InstallationError that names them.
    """
    populated = installation.database.read_now(instances.populated)
    lost = {name: count for name, count in populated.items() if name not in installation.config.clouds}
    if lost:
        listed = ", ".join(f"{name} ({count} instances)" for name, count in lost.items())
        raise InstallationError(
            f"Groups still have instances on clouds that are not configured any more: {listed}. Put those clouds back, "
            "scale the groups away from them, and take them out again."
        )


def add_user(connection: Connection, keyring: Keyring, settings: UserSettings, now: datetime) -> User:
    """The new user. Raises InstallationError when its name or account is against the rules, or something is taken."""
    _check(settings)
    if users.by_name(connection, settings.name) is not None:
        raise InstallationError(f"There is a user called {settings.name} already.")
    if users.by_access_key(connection, settings.access_key_id) is not None:
        raise InstallationError(f"The access key of {settings.name} belongs to another user; give it another one.")
    account_id = settings.account_id or _free_account_id(connection)
    if users.is_account_taken(connection, account_id):
        raise InstallationError(f"The account {account_id} of {settings.name} belongs to another user.")
    users.add(
        connection,
        name=settings.name,
        account_id=account_id,
        access_key_id=settings.access_key_id,
        secret_sealed=keyring.encrypt(settings.secret_access_key),
        password_hash=None if settings.password is None else hashed(settings.password),
        created_at=now,
    )
    user = users.by_name(connection, settings.name)
    assert user is not None
    return user


def change_password(connection: Connection, user_id: int, password_hash: str | None) -> None:
    """Nothing; the user has another password (None: no more). Tokens that the old one got end with it."""
    users.change(connection, user_id, {"password_hash": password_hash})
    tokens.forget_logins(connection, user_id)


def generated_user(name: str) -> UserSettings:
    """A user with a new key pair."""
    access_key_id, secret = new_pair()
    return UserSettings(name=name, access_key_id=access_key_id, secret_access_key=secret, password=None)


def new_pair() -> tuple[str, Secret]:
    """A random access key in AWS's form, and its secret of 40 characters."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    return "AKIA" + "".join(secrets.choice(letters) for _ in range(16)), Secret(secrets.token_urlsafe(30))


def _make_directories(config: Config) -> None:
    """Nothing; the state directory is there, for this user alone. Raises InstallationError."""
    try:
        config.state_directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if config.database_file is not None:
            config.database_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise InstallationError(
            f"The state directory {config.state_directory} cannot be made ({error.strerror}); set state_directory in "
            "the configuration, or $PHANTOM_GATEWAY_STATE."
        ) from error


def _remember(connection: Connection, config: Config) -> dict[str, StoredProbe]:
    """What was found out of the clouds of *config*; of endpoints that they do not have any more it is forgotten."""
    known = probes.everything(connection)
    for name in remembered.outdated(config, known):
        probes.forget(connection, name)
        del known[name]
    return known


def _settle(connection: Connection, config: Config, keyring: Keyring, now: datetime) -> tuple[str, bytes]:
    """The installation's identity and page secret; the configured users exist."""
    gateway_id = users.fact(connection, "gateway_id")
    if gateway_id is None:
        gateway_id = uuid.uuid4().hex[:12]
        users.record_fact(connection, "gateway_id", gateway_id)
    sealed = users.fact(connection, "page_secret")
    if sealed is None:
        sealed = keyring.encrypt(Secret(secrets.token_hex(32)))
        users.record_fact(connection, "page_secret", sealed)
    for settings in config.users:
        _settle_user(connection, keyring, settings, now)
    if config.is_embedded_default and not users.everyone(connection):
        add_user(connection, keyring, generated_user(EMBEDDED_USER), now)
    return gateway_id, bytes.fromhex(keyring.decrypt(sealed).reveal())


def _settle_user(connection: Connection, keyring: Keyring, settings: UserSettings, now: datetime) -> None:
    """Nothing; the configured user exists. Secret and password follow the file; key and account do not change."""
    user = users.by_name(connection, settings.name)
    if user is None:
        add_user(connection, keyring, settings, now)
        return
    if user.access_key_id != settings.access_key_id:
        raise InstallationError(
            f"The user {settings.name} has the access key {user.access_key_id}, the configuration says "
            f"{settings.access_key_id}; add a user of another name, or remove this one first."
        )
    if keyring.decrypt(user.secret_sealed) != settings.secret_access_key:
        users.change(connection, user.id, {"secret_sealed": keyring.encrypt(settings.secret_access_key)})
    if settings.password is not None and not fits(settings.password, user.password_hash):
        change_password(connection, user.id, hashed(settings.password))


def _check(settings: UserSettings) -> None:
    """Nothing, when a configuration file might say the same; the command line is held to the same rules."""
    for key in keys_of(UserSettings):
        value = getattr(settings, key.name)
        if isinstance(value, str):
            try:
                key.about.kind.read(value, Around(Path(), {}))
            except Wrong as wrong:
                raise InstallationError(f"{key.name}: {wrong}.") from wrong


def _free_account_id(connection: Connection) -> str:
    while True:
        account_id = f"{secrets.randbelow(9 * 10**11) + 10**11}"
        if not users.is_account_taken(connection, account_id):
            return account_id
