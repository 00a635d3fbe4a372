"""
Instances: claims, and the machines they became.

Owns: the queries on ``instances``. Does not own: when a state may change; that is the ledger's and the operations'.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from phantom_gateway.records.tables import groups, instances


@dataclass(frozen=True, slots=True)
class InstanceRow:
    """One instance as it is stored; see :class:`reconciler.model.Instance` for the meaning of the fields."""

    id: int
    group_id: int
    user_id: int
    cloud: str
    token: str
    token_index: int
    state: str
    machine_id: str | None
    instance_id: str | None
    private_ip: str | None
    public_ip: str | None
    launch_configuration: str
    instance_type: str
    spec_created_at: datetime | None
    claimed_at: datetime
    bound_at: datetime | None
    in_service_at: datetime | None
    terminate_sent_at: datetime | None
    protected: bool
    healthy: bool
    activity_id: str


_COLUMNS: tuple[sa.Column[Any], ...] = (
    instances.c.id,
    instances.c.group_id,
    instances.c.user_id,
    instances.c.cloud,
    instances.c.token,
    instances.c.token_index,
    instances.c.state,
    instances.c.machine_id,
    instances.c.instance_id,
    instances.c.private_ip,
    instances.c.public_ip,
    instances.c.launch_configuration,
    instances.c.instance_type,
    instances.c.spec_created_at,
    instances.c.claimed_at,
    instances.c.bound_at,
    instances.c.in_service_at,
    instances.c.terminate_sent_at,
    instances.c.protected,
    instances.c.healthy,
    instances.c.activity_id,
)
_OF_GROUPS = (
    sa.select(*_COLUMNS)
    .where(instances.c.group_id.in_(sa.bindparam("group_ids", expanding=True)))
    .order_by(instances.c.id)
)
_OF_GROUP = sa.select(*_COLUMNS).where(instances.c.group_id == sa.bindparam("group_id")).order_by(instances.c.id)
_BY_KEYS = sa.select(*_COLUMNS).where(instances.c.id.in_(sa.bindparam("ids", expanding=True))).order_by(instances.c.id)
_BY_INSTANCE_IDS = (
    sa.select(*_COLUMNS)
    .where(
        instances.c.user_id == sa.bindparam("user_id"),
        instances.c.instance_id.in_(sa.bindparam("instance_ids", expanding=True)),
    )
    .order_by(instances.c.instance_id)
)
_PAGE = (
    sa.select(*_COLUMNS, groups.c.name)
    .join(groups, groups.c.id == instances.c.group_id)
    .where(
        instances.c.user_id == sa.bindparam("user_id"),
        instances.c.instance_id.is_not(None),
        instances.c.instance_id > sa.bindparam("after"),
    )
    .order_by(instances.c.instance_id)
    .limit(sa.bindparam("size"))
)
_PAGE_NAMED = _PAGE.where(instances.c.instance_id.in_(sa.bindparam("instance_ids", expanding=True)))
_MACHINE = sa.select(instances.c.id).where(
    instances.c.cloud == sa.bindparam("cloud"), instances.c.machine_id == sa.bindparam("machine_id")
)
_COUNT_OF_USER = sa.select(sa.func.count()).where(instances.c.user_id == sa.bindparam("user_id"))
_INSERT = instances.insert()


def of_groups(connection: sa.Connection, group_ids: Collection[int]) -> dict[int, list[InstanceRow]]:
    """The instances of each of these groups, oldest first; a group without any has no entry."""
    found: dict[int, list[InstanceRow]] = {}
    for row in connection.execute(_OF_GROUPS, {"group_ids": list(group_ids)}):
        found.setdefault(row[1], []).append(InstanceRow(*row))
    return found


def of_group(connection: sa.Connection, group_id: int) -> list[InstanceRow]:
    """The instances of one group, oldest first."""
    return [InstanceRow(*row) for row in connection.execute(_OF_GROUP, {"group_id": group_id})]


def by_keys(connection: sa.Connection, keys: Collection[int]) -> list[InstanceRow]:
    """The instances with these keys that still exist, oldest first."""
    return [InstanceRow(*row) for row in connection.execute(_BY_KEYS, {"ids": list(keys)})]


def by_instance_ids(connection: sa.Connection, user_id: int, instance_ids: Collection[str]) -> list[InstanceRow]:
    """The user's instances with these ids, by id; unknown ids are left out."""
    values = {"user_id": user_id, "instance_ids": list(instance_ids)}
    return [InstanceRow(*row) for row in connection.execute(_BY_INSTANCE_IDS, values)]


def page(
    connection: sa.Connection, user_id: int, instance_ids: Collection[str] | None, after: str, size: int
) -> list[tuple[InstanceRow, str]]:
    """Up to *size* of the user's instances with the name of their group, by instance id, those after *after*."""
    values: dict[str, Any] = {"user_id": user_id, "after": after, "size": size}
    if instance_ids is None:
        rows = connection.execute(_PAGE, values)
    else:
        rows = connection.execute(_PAGE_NAMED, values | {"instance_ids": list(instance_ids)})
    return [(InstanceRow(*row[:-1]), row[-1]) for row in rows]


def is_machine_bound(connection: sa.Connection, cloud: str, machine_id: str) -> bool:
    """True when some instance has this machine already."""
    return connection.execute(_MACHINE, {"cloud": cloud, "machine_id": machine_id}).first() is not None


def add(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Nothing; these claims exist."""
    connection.execute(_INSERT, list(rows))


def change(connection: sa.Connection, keys: Collection[int], values: Mapping[str, Any]) -> None:
    """Nothing; these instances have these *values* (by column name)."""
    connection.execute(instances.update().where(instances.c.id.in_(list(keys))).values(**values))


def remove(connection: sa.Connection, keys: Collection[int]) -> None:
    """Nothing; these instances are gone from the ledger."""
    connection.execute(instances.delete().where(instances.c.id.in_(list(keys))))


def count_of_user(connection: sa.Connection, user_id: int) -> int:
    """How many instances the user has, in any state."""
    return connection.execute(_COUNT_OF_USER, {"user_id": user_id}).scalar_one()
