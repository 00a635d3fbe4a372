"""
Users' own credentials on clouds, sealed.

Owns: the queries on ``accounts``, and which states a row passes through. Does not own: sealing, nor what is built from
the credentials.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from phantom_gateway.records.tables import accounts, groups, instances, users


class AccountState(StrEnum):
    """
    Where an account is in its life: it becomes used, and ceases to be, only while no VM of the user is on the cloud.

    Otherwise the user's VMs would be looked for in an account where they are not, and be taken for dead.
    """

    WAITING = "waiting"
    """It is there; VMs of the user may still be in the operator's account, and that one is used."""
    USED = "used"
    REMOVED = "removed"
    """Its credentials are gone; VMs of the user may still be in it, and nothing else is used."""


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """One user's credentials on one cloud; *vms* counts the user's instances there, whichever account they are in."""

    id: int
    user_id: int
    user_name: str
    cloud: str
    credentials_sealed: str | None = field(repr=False)
    key_name: str | None
    state: AccountState
    version: int
    """Grows with every change of the credentials; sealing them with another key is none."""
    updated_at: datetime
    vms: int


_VMS = (
    sa.select(sa.func.count())
    .where(instances.c.user_id == accounts.c.user_id, instances.c.cloud == accounts.c.cloud)
    .scalar_subquery()
)
_ALL = (
    sa.select(
        accounts.c.id,
        accounts.c.user_id,
        users.c.name,
        accounts.c.cloud,
        accounts.c.credentials_sealed,
        accounts.c.key_name,
        accounts.c.state,
        accounts.c.version,
        accounts.c.updated_at,
        _VMS,
    )
    .join(users, users.c.id == accounts.c.user_id)
    .order_by(users.c.name, accounts.c.cloud)
)


def everyone(connection: sa.Connection) -> list[StoredAccount]:
    """All users' accounts, by user and cloud."""
    return [_stored(row) for row in connection.execute(_ALL)]


def of_user(connection: sa.Connection, user_id: int) -> list[StoredAccount]:
    """The accounts of one user, by cloud."""
    return [_stored(row) for row in connection.execute(_ALL.where(accounts.c.user_id == user_id))]


def find(connection: sa.Connection, user_id: int, cloud: str) -> StoredAccount | None:
    """The account of one user on *cloud*, or None."""
    row = connection.execute(_ALL.where(accounts.c.user_id == user_id, accounts.c.cloud == cloud)).first()
    return None if row is None else _stored(row)


def put(
    connection: sa.Connection,
    user_id: int,
    cloud: str,
    *,
    credentials_sealed: str,
    key_name: str | None,
    now: datetime,
    sees_the_same: bool = False,
) -> StoredAccount:
    """
    The user's account on *cloud* as it is then: new, or with other credentials.

    A new one waits, unless it *sees_the_same* VMs as the one used so far.
    """
    before = find(connection, user_id, cloud)
    values = {"credentials_sealed": credentials_sealed, "key_name": key_name, "updated_at": now}
    if before is None:
        state = AccountState.USED if sees_the_same else AccountState.WAITING
        connection.execute(accounts.insert().values(user_id=user_id, cloud=cloud, state=state, version=1, **values))
    else:
        waits = before.state is AccountState.WAITING and not sees_the_same
        state = AccountState.WAITING if waits else AccountState.USED
        changed = accounts.update().where(accounts.c.id == before.id)
        connection.execute(changed.values(state=state, version=before.version + 1, **values))
    after = find(connection, user_id, cloud)
    assert after is not None
    return after


def take_up(connection: sa.Connection, account: StoredAccount) -> None:
    """Nothing; *account* is used, if it still waits as it did."""
    unchanged = (accounts.c.id == account.id, accounts.c.version == account.version)
    waits = accounts.c.state == AccountState.WAITING
    connection.execute(accounts.update().where(*unchanged, waits).values(state=AccountState.USED))


def remove(connection: sa.Connection, account: StoredAccount, now: datetime) -> None:
    """Nothing; the credentials are gone. What is left of one that was used is dropped when no VM is there any more."""
    if account.state is AccountState.WAITING:
        connection.execute(accounts.delete().where(accounts.c.id == account.id))
        return
    connection.execute(
        accounts.update()
        .where(accounts.c.id == account.id)
        .values(credentials_sealed=None, state=AccountState.REMOVED, version=accounts.c.version + 1, updated_at=now)
    )


def drop(connection: sa.Connection, account: StoredAccount) -> None:
    """Nothing; no trace is left of *account*, if it is still removed."""
    is_removed = accounts.c.state == AccountState.REMOVED
    connection.execute(accounts.delete().where(accounts.c.id == account.id, is_removed))


def groups_of(connection: sa.Connection, user_ids: Collection[int]) -> list[str]:
    """The uids of all groups of these users."""
    return list(connection.execute(sa.select(groups.c.uid).where(groups.c.user_id.in_(user_ids))).scalars())


def _stored(row: Any) -> StoredAccount:
    found = StoredAccount(*row)
    return replace(found, state=AccountState(found.state))
