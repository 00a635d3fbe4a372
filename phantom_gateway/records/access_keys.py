"""
The access keys of users: one stands in the row of its user, a second one in a row of its own.

Owns: which keys a user has, and their order. The user's row has the older one; when that is revoked, the other takes
its place. So a user always has a key, and a gateway of a version that knows no second ones knows that one, too.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from phantom_gateway.records.prepared import Prepared
from phantom_gateway.records.tables import access_keys, users


@dataclass(frozen=True, slots=True)
class AccessKey:
    """One key pair; its secret is sealed."""

    access_key_id: str
    secret_sealed: str
    created_at: datetime


_SINCE = sa.func.coalesce(users.c.key_created_at, users.c.created_at)
_FIRST = Prepared(
    sa.select(users.c.access_key_id, users.c.secret_sealed, _SINCE).where(users.c.id == sa.bindparam("user_id"))
)
_MORE = Prepared(
    sa.select(access_keys.c.access_key_id, access_keys.c.secret_sealed, access_keys.c.created_at)
    .where(access_keys.c.user_id == sa.bindparam("user_id"))
    .order_by(access_keys.c.id)
)


def of_user(connection: sa.Connection, user_id: int) -> list[AccessKey]:
    """The keys of the user, the oldest first; [] when there is no such user."""
    rows = [*_FIRST.rows(connection, {"user_id": user_id}), *_MORE.rows(connection, {"user_id": user_id})]
    return [AccessKey(*row) for row in rows]


def add(connection: sa.Connection, user_id: int, key: AccessKey) -> None:
    """Nothing; the user has this key, too. Raises IntegrityError when it is taken: look first."""
    connection.execute(
        access_keys.insert().values(
            user_id=user_id,
            access_key_id=key.access_key_id,
            secret_sealed=key.secret_sealed,
            created_at=key.created_at,
        )
    )


def revoke(connection: sa.Connection, user_id: int, access_key_id: str) -> None:
    """Nothing; the key is not the user's any more. Whoever calls has seen that it is, and not the only one."""
    first, *others = of_user(connection, user_id)
    gone = access_key_id
    if first.access_key_id == access_key_id:
        heir = others[0]
        gone = heir.access_key_id
        connection.execute(
            users.update()
            .where(users.c.id == user_id)
            .values(access_key_id=heir.access_key_id, secret_sealed=heir.secret_sealed, key_created_at=heir.created_at)
        )
    connection.execute(access_keys.delete().where(access_keys.c.access_key_id == gone))
