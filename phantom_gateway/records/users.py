"""
Users, and the facts about this installation itself.

Owns: the queries on ``users`` and ``gateway``. Secrets are sealed before they come here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from phantom_gateway.records.prepared import Prepared
from phantom_gateway.records.tables import (
    access_keys,
    activities,
    events,
    gateway,
    groups,
    launch_configurations,
    users,
)


@dataclass(frozen=True, slots=True)
class User:
    """
    One user: an account of its own, with an AWS key pair: of two the older one, or that by which the user was found.

    *secret_sealed* is the keyring's business.
    """

    id: int
    name: str
    account_id: str
    access_key_id: str
    secret_sealed: str
    password_hash: str | None
    created_at: datetime


_USERS_LOCK = sa.literal_column("1886348658", sa.Integer)
"""Names the locks of users among those of a PostgreSQL database ("pgur")."""

USER_COLUMNS = (
    users.c.id,
    users.c.name,
    users.c.account_id,
    users.c.access_key_id,
    users.c.secret_sealed,
    users.c.password_hash,
    users.c.created_at,
)
"""What makes a User of a row, in its order."""
_BY_KEY = Prepared(sa.select(*USER_COLUMNS).where(users.c.access_key_id == sa.bindparam("access_key_id")))
_BY_SECOND_KEY = Prepared(
    sa.select(
        users.c.id,
        users.c.name,
        users.c.account_id,
        access_keys.c.access_key_id,
        access_keys.c.secret_sealed,
        users.c.password_hash,
        users.c.created_at,
    )
    .join_from(access_keys, users)
    .where(access_keys.c.access_key_id == sa.bindparam("access_key_id"))
)
_BY_NAME = Prepared(sa.select(*USER_COLUMNS).where(users.c.name == sa.bindparam("name")))
_BY_ID = Prepared(sa.select(*USER_COLUMNS).where(users.c.id == sa.bindparam("user_id")))
_HOLD = Prepared(sa.select(sa.func.pg_advisory_xact_lock(_USERS_LOCK, sa.bindparam("user_id", type_=sa.Integer))))
_ALL = Prepared(sa.select(*USER_COLUMNS).order_by(users.c.name))
_FACT = Prepared(sa.select(gateway.c.value).where(gateway.c.name == sa.bindparam("name")))


def by_access_key(connection: sa.Connection, access_key_id: str) -> User | None:
    """The user whose key this is, with this key; or None."""
    asked = {"access_key_id": access_key_id}
    row = _BY_KEY.first(connection, asked) or _BY_SECOND_KEY.first(connection, asked)
    return None if row is None else User(*row)


def by_name(connection: sa.Connection, name: str) -> User | None:
    """The user called *name*, or None."""
    row = _BY_NAME.first(connection, {"name": name})
    return None if row is None else User(*row)


def by_id(connection: sa.Connection, user_id: int) -> User | None:
    """The user with this id, or None."""
    row = _BY_ID.first(connection, {"user_id": user_id})
    return None if row is None else User(*row)


def hold(connection: sa.Connection, user_id: int) -> None:
    """
    Nothing; if this transaction writes, no other that does so for this user gets beyond this call until it ends.

    Rules that count, or look whether a name is taken, need it. On SQLite one transaction writes at a time anyway.
    """
    if connection.dialect.name == "postgresql" and connection.get_execution_options().get("writes", False):
        _HOLD.rows(connection, {"user_id": user_id})


def everyone(connection: sa.Connection) -> list[User]:
    """All users, by name."""
    return [User(*row) for row in _ALL.rows(connection)]


def add(
    connection: sa.Connection,
    *,
    name: str,
    account_id: str,
    access_key_id: str,
    secret_sealed: str,
    password_hash: str | None,
    created_at: datetime,
) -> None:
    """Nothing; the user exists. Raises IntegrityError when name, account or key is taken: look first."""
    connection.execute(
        users.insert().values(
            name=name,
            account_id=account_id,
            access_key_id=access_key_id,
            secret_sealed=secret_sealed,
            password_hash=password_hash,
            created_at=created_at,
        )
    )


def change(connection: sa.Connection, user_id: int, values: Mapping[str, str | None]) -> None:
    """Nothing; the user has these *values* (by column name)."""
    connection.execute(users.update().where(users.c.id == user_id).values(**values))


def is_account_taken(connection: sa.Connection, account_id: str) -> bool:
    """True when some user has this account id."""
    return connection.execute(sa.select(users.c.id).where(users.c.account_id == account_id)).first() is not None


def owns_anything(connection: sa.Connection, user_id: int) -> bool:
    """True while the user has groups or launch configurations: such a user must not be removed."""
    return any(
        connection.execute(sa.select(table.c.id).where(table.c.user_id == user_id).limit(1)).first() is not None
        for table in (groups, launch_configurations)
    )


def remove(connection: sa.Connection, user_id: int) -> None:
    """Nothing; the user is gone, activities and events too. Only for users who own nothing else."""
    connection.execute(activities.delete().where(activities.c.user_id == user_id))
    connection.execute(events.delete().where(events.c.user_id == user_id))
    connection.execute(users.delete().where(users.c.id == user_id))


def fact(connection: sa.Connection, name: str) -> str | None:
    """The value of a fact about this installation, or None."""
    value: str | None = _FACT.scalar(connection, {"name": name})
    return value


def replace_fact(connection: sa.Connection, name: str, value: str) -> None:
    """Nothing; the fact is this from now on. For what is found out anew, not for what the installation is."""
    connection.execute(gateway.delete().where(gateway.c.name == name))
    connection.execute(gateway.insert().values(name=name, value=value))


def record_fact(connection: sa.Connection, name: str, value: str) -> None:
    """Nothing; the fact is recorded. Facts are never changed."""
    connection.execute(gateway.insert().values(name=name, value=value))
