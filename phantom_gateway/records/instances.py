"""
Instances: claims, and the machines they became.

Owns: the queries on ``instances``. Does not own: when a state may change; that is the ledger's and the operations'.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from phantom_gateway.records.prepared import Prepared, PreparedChanges
from phantom_gateway.records.tables import groups, instances


class InstanceRow(NamedTuple):
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
    image_id: str | None
    key_name: str | None
    spec_created_at: datetime | None
    claimed_at: datetime
    bound_at: datetime | None
    in_service_at: datetime | None
    terminate_sent_at: datetime | None
    protected: bool
    healthy: bool
    activity_id: str
    place: str | None
    zone: str | None

    @property
    def shown_zone(self) -> str:
        """Its AvailabilityZone: the zone inside its cloud that its group of one cloud asked for, else the cloud."""
        return self.zone or self.cloud


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
    instances.c.image_id,
    instances.c.key_name,
    instances.c.spec_created_at,
    instances.c.claimed_at,
    instances.c.bound_at,
    instances.c.in_service_at,
    instances.c.terminate_sent_at,
    instances.c.protected,
    instances.c.healthy,
    instances.c.activity_id,
    instances.c.place,
    instances.c.zone,
)
_OF_GROUPS = Prepared(
    sa.select(*_COLUMNS)
    .where(instances.c.group_id.in_(sa.bindparam("group_ids", expanding=True)))
    .order_by(instances.c.id)
)
_OF_GROUP = Prepared(
    sa.select(*_COLUMNS).where(instances.c.group_id == sa.bindparam("group_id")).order_by(instances.c.id)
)
_BY_KEYS = Prepared(
    sa.select(*_COLUMNS).where(instances.c.id.in_(sa.bindparam("ids", expanding=True))).order_by(instances.c.id)
)
_OF_TOKENS = Prepared(
    sa.select(*_COLUMNS).where(instances.c.token.in_(sa.bindparam("tokens", expanding=True))).order_by(instances.c.id)
)
_BY_INSTANCE_IDS = Prepared(
    sa.select(*_COLUMNS)
    .where(
        instances.c.user_id == sa.bindparam("user_id"),
        instances.c.instance_id.in_(sa.bindparam("instance_ids", expanding=True)),
    )
    .order_by(instances.c.instance_id)
)
_EVERY = (
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
_PAGE = Prepared(_EVERY)
_PAGE_NAMED = Prepared(_EVERY.where(instances.c.instance_id.in_(sa.bindparam("instance_ids", expanding=True))))
_MACHINE = Prepared(
    sa.select(instances.c.id).where(
        instances.c.cloud == sa.bindparam("cloud"), instances.c.machine_id == sa.bindparam("machine_id")
    )
)
_BY_CLOUD_AND_STATE = Prepared(
    sa.select(instances.c.cloud, instances.c.state, sa.func.count()).group_by(instances.c.cloud, instances.c.state)
)
_POPULATED = Prepared(
    sa.select(instances.c.cloud, sa.func.count()).group_by(instances.c.cloud).order_by(instances.c.cloud)
)
# A transaction that changes an instance has the row of its group first, in every room: no deadlock comes of it.
_WITH_GROUP = sa.select(groups.c.uid).where(groups.c.id == instances.c.group_id).order_by(groups.c.id)
_HOLD_BY_KEYS = Prepared(
    _WITH_GROUP.where(instances.c.id.in_(sa.bindparam("ids", expanding=True))).with_for_update(
        of=groups, key_share=True
    )
)
_HOLD_BY_INSTANCE_IDS = Prepared(
    _WITH_GROUP.where(
        instances.c.user_id == sa.bindparam("user_id"),
        instances.c.instance_id.in_(sa.bindparam("instance_ids", expanding=True)),
    ).with_for_update(of=groups, key_share=True)
)
_INSERT = Prepared(instances.insert())
_CHANGES = PreparedChanges(instances)
_REMOVE = Prepared(instances.delete().where(instances.c.id.in_(sa.bindparam("ids", expanding=True))))


def of_groups(connection: sa.Connection, group_ids: Collection[int]) -> dict[int, list[InstanceRow]]:
    """The instances of each of these groups, oldest first; a group without any has no entry."""
    found: dict[int, list[InstanceRow]] = {}
    for row in _OF_GROUPS.rows(connection, {"group_ids": list(group_ids)}):
        found.setdefault(row[1], []).append(InstanceRow._make(row))
    return found


def of_group(connection: sa.Connection, group_id: int) -> list[InstanceRow]:
    """The instances of one group, oldest first."""
    return [InstanceRow._make(row) for row in _OF_GROUP.rows(connection, {"group_id": group_id})]


def hold_groups(connection: sa.Connection, keys: Collection[int]) -> set[str]:
    """The uids of the groups of these instances; nobody else changes them until this transaction ends. PostgreSQL's."""
    return {row[0] for row in _HOLD_BY_KEYS.rows(connection, {"ids": list(keys)})}


def by_keys(connection: sa.Connection, keys: Collection[int]) -> list[InstanceRow]:
    """The instances with these keys that still exist, oldest first."""
    return [InstanceRow._make(row) for row in _BY_KEYS.rows(connection, {"ids": list(keys)})]


def of_tokens(connection: sa.Connection, tokens: Collection[str]) -> list[InstanceRow]:
    """The instances that these launch tokens stand for, oldest first."""
    return [InstanceRow._make(row) for row in _OF_TOKENS.rows(connection, {"tokens": list(tokens)})]


def by_instance_ids(connection: sa.Connection, user_id: int, instance_ids: Collection[str]) -> list[InstanceRow]:
    """
    The user's instances with these ids, by id; unknown ids are left out.

    A transaction that writes has their groups' rows from here on.
    """
    values = {"user_id": user_id, "instance_ids": list(instance_ids)}
    if connection.dialect.name == "postgresql" and connection.get_execution_options().get("writes", False):
        _HOLD_BY_INSTANCE_IDS.rows(connection, values)
    return [InstanceRow._make(row) for row in _BY_INSTANCE_IDS.rows(connection, values)]


def page(
    connection: sa.Connection, user_id: int, instance_ids: Collection[str] | None, after: str, size: int
) -> list[tuple[InstanceRow, str]]:
    """Up to *size* of the user's instances with the name of their group, by instance id, those after *after*."""
    values: dict[str, Any] = {"user_id": user_id, "after": after, "size": size}
    if instance_ids is None:
        rows = _PAGE.rows(connection, values)
    else:
        rows = _PAGE_NAMED.rows(connection, values | {"instance_ids": list(instance_ids)})
    return [(InstanceRow._make(row[:-1]), row[-1]) for row in rows]


def is_machine_bound(connection: sa.Connection, cloud: str, machine_id: str) -> bool:
    """True when some instance has this machine already."""
    return _MACHINE.first(connection, {"cloud": cloud, "machine_id": machine_id}) is not None


def add(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Nothing; these claims exist."""
    _INSERT.run_all(connection, rows)


def change(connection: sa.Connection, keys: Collection[int], values: Mapping[str, Any]) -> None:
    """Nothing; these instances have these *values* (by column name)."""
    _CHANGES.run(connection, keys, values)


def remove(connection: sa.Connection, keys: Collection[int]) -> None:
    """Nothing; these instances are gone from the ledger."""
    _REMOVE.run(connection, {"ids": list(keys)})


def by_cloud_and_state(connection: sa.Connection) -> dict[tuple[str, str], int]:
    """How many instances there are, by cloud and state, whoever's they are."""
    return {(row[0], row[1]): row[2] for row in _BY_CLOUD_AND_STATE.rows(connection)}


def populated(connection: sa.Connection) -> dict[str, int]:
    """How many instances there are on each cloud, by its name, whoever's they are."""
    return {row[0]: row[1] for row in _POPULATED.rows(connection)}
