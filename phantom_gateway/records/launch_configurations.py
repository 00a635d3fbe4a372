"""
Launch configurations: one logical record per base name, one immutable spec per cloud.

Owns: the queries on ``launch_specs``, and which user data a spec shows: its own, or else what the logical configuration
was given last (as the original Phantom did for all clouds of one name). Does not own: logical launch configurations as
wholes, see ``base_configurations``.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from phantom_gateway.records.prepared import Prepared
from phantom_gateway.records.tables import launch_configurations, launch_specs
from reconciler.model import RankedCloud

NO_CAP = -1
"""*max_vms* of a spec that takes as many as there are."""


class LaunchSpecRecord(NamedTuple):
    """
    One cloud's share of a launch configuration. *name* is the full ``base@cloud``.

    *user_data_sealed* is what applies on this cloud. *version* changes whenever anything shown here does.
    """

    id: int
    name: str
    base_name: str
    cloud: str
    uid: str
    image_id: str
    instance_type: str
    key_name: str | None
    user_data_sealed: str | None
    settings: Mapping[str, Any]
    """What AWS clients gave beyond the columns, by AWS member name; described back unchanged."""
    created_at: datetime
    version: int
    rank: int
    max_vms: int
    common: bool
    chef_sealed: str | None
    """Run list and attributes of the logical launch configuration, from which user data is rendered at launch."""


_COLUMNS: tuple[sa.ColumnElement[Any], ...] = (
    launch_specs.c.id,
    launch_specs.c.name,
    launch_configurations.c.base_name,
    launch_specs.c.cloud,
    launch_specs.c.uid,
    launch_specs.c.image_id,
    launch_specs.c.instance_type,
    launch_specs.c.key_name,
    sa.func.coalesce(launch_specs.c.user_data_sealed, launch_configurations.c.user_data_sealed).label("sealed"),
    launch_specs.c.settings,
    launch_specs.c.created_at,
    launch_configurations.c.version,
    launch_specs.c.rank,
    launch_specs.c.max_vms,
    launch_specs.c.common,
    launch_configurations.c.chef_sealed,
)
_SELECT = sa.select(*_COLUMNS).join(
    launch_configurations, launch_configurations.c.id == launch_specs.c.launch_configuration_id
)

_BY_NAME = Prepared(
    _SELECT.where(launch_specs.c.user_id == sa.bindparam("user_id"), launch_specs.c.name == sa.bindparam("name"))
)
_OF_BASE = Prepared(
    _SELECT.where(
        launch_configurations.c.user_id == sa.bindparam("user_id"),
        launch_configurations.c.base_name == sa.bindparam("base_name"),
    ).order_by(launch_specs.c.id)
)
_SIBLINGS = Prepared(
    _SELECT.where(
        launch_specs.c.launch_configuration_id
        == sa.select(launch_specs.c.launch_configuration_id)
        .where(launch_specs.c.user_id == sa.bindparam("user_id"), launch_specs.c.name == sa.bindparam("name"))
        .scalar_subquery()
        .correlate(None)
    ).order_by(launch_specs.c.id)
)
_BY_ID = Prepared(_SELECT.where(launch_specs.c.id.in_(sa.bindparam("ids", expanding=True))))
_EVERY = (
    sa.select(launch_specs.c.name, launch_specs.c.id, launch_configurations.c.version)
    .join(launch_configurations, launch_configurations.c.id == launch_specs.c.launch_configuration_id)
    .where(launch_specs.c.user_id == sa.bindparam("user_id"), launch_specs.c.name > sa.bindparam("after"))
    .order_by(launch_specs.c.name)
    .limit(sa.bindparam("size"))
)
_PAGE = Prepared(_EVERY)
_PAGE_NAMED = Prepared(_EVERY.where(launch_specs.c.name.in_(sa.bindparam("names", expanding=True))))
_COUNT = Prepared(sa.select(sa.func.count()).where(launch_specs.c.user_id == sa.bindparam("user_id")))
_LOGICAL = Prepared(
    sa.select(launch_configurations.c.id).where(
        launch_configurations.c.user_id == sa.bindparam("user_id"),
        launch_configurations.c.base_name == sa.bindparam("base_name"),
    )
)
_RANK_MAX = Prepared(
    sa.select(sa.func.coalesce(sa.func.max(launch_specs.c.rank), 0)).where(
        launch_specs.c.launch_configuration_id == sa.bindparam("logical")
    )
)
_INSERT_LOGICAL = Prepared(launch_configurations.insert().returning(launch_configurations.c.id))
_INSERT_SPEC = Prepared(launch_specs.insert())


def select_specs() -> "sa.Select[*tuple[Any, ...]]":
    """The columns of LaunchSpecRecord, in its order, to be narrowed."""
    return _SELECT


def find(connection: sa.Connection, user_id: int, name: str) -> LaunchSpecRecord | None:
    """The spec whose full name is *name*, or None."""
    row = _BY_NAME.first(connection, {"user_id": user_id, "name": name})
    return None if row is None else LaunchSpecRecord._make(row)


def of_base(connection: sa.Connection, user_id: int, base_name: str) -> list[LaunchSpecRecord]:
    """Every cloud's spec of one logical launch configuration, in the order of their creation."""
    rows = _OF_BASE.rows(connection, {"user_id": user_id, "base_name": base_name})
    return [LaunchSpecRecord._make(row) for row in rows]


def siblings(connection: sa.Connection, user_id: int, name: str) -> list[LaunchSpecRecord]:
    """Every cloud's spec of the logical launch configuration that the spec called *name* belongs to; [] for none."""
    values = {"user_id": user_id, "name": name}
    return [LaunchSpecRecord._make(row) for row in _SIBLINGS.rows(connection, values)]


def by_ids(connection: sa.Connection, ids: Collection[int]) -> list[LaunchSpecRecord]:
    """The specs with these ids, in no particular order."""
    return [LaunchSpecRecord._make(row) for row in _BY_ID.rows(connection, {"ids": list(ids)})]


def ranked(specs: Iterable[LaunchSpecRecord]) -> tuple[RankedCloud, ...]:
    """The clouds of these sibling *specs*, best first, with their caps."""
    by_rank = sorted(specs, key=lambda spec: (spec.rank, spec.id))
    return tuple(RankedCloud(spec.cloud, None if spec.max_vms == NO_CAP else spec.max_vms) for spec in by_rank)


def page(
    connection: sa.Connection, user_id: int, names: Collection[str] | None, after: str, size: int
) -> list[tuple[str, int, int]]:
    """Up to *size* (name, id, version) of the user's specs, by name, those after *after*; None for *names*: all."""
    values: dict[str, Any] = {"user_id": user_id, "after": after, "size": size}
    if names is None:
        rows = _PAGE.rows(connection, values)
    else:
        rows = _PAGE_NAMED.rows(connection, values | {"names": list(names)})
    return [(name, spec_id, version) for name, spec_id, version in rows]


def count(connection: sa.Connection, user_id: int) -> int:
    """How many specs the user has: AWS clients count each as a launch configuration."""
    return int(_COUNT.scalar(connection, {"user_id": user_id}))


def add(
    connection: sa.Connection,
    user_id: int,
    *,
    name: str,
    base_name: str,
    cloud: str,
    uid: str,
    image_id: str,
    instance_type: str,
    key_name: str | None,
    user_data_sealed: str | None,
    settings: Mapping[str, Any],
    created_at: datetime,
    is_first: bool = False,
) -> None:
    """
    Nothing; the spec exists, last in rank, and its logical launch configuration with it.

    *is_first*: its base name is new. A logical launch configuration made this way has the uid of its first spec.
    """
    logical, rank = None, 1
    if not is_first:
        logical = _LOGICAL.scalar(connection, {"user_id": user_id, "base_name": base_name})
    if logical is None:
        values = {"user_id": user_id, "base_name": base_name, "uid": uid, "user_data_sealed": user_data_sealed}
        beginning = {"public": False, "version": 1, "created_at": created_at}
        logical = _INSERT_LOGICAL.scalar(connection, values | beginning)
    else:
        rank = _RANK_MAX.scalar(connection, {"logical": logical}) + 1
        if user_data_sealed is not None:
            connection.execute(
                launch_configurations.update()
                .where(launch_configurations.c.id == logical)
                .values(user_data_sealed=user_data_sealed, version=launch_configurations.c.version + 1)
            )
    _INSERT_SPEC.run(
        connection,
        {
            "launch_configuration_id": logical,
            "user_id": user_id,
            "name": name,
            "cloud": cloud,
            "uid": uid,
            "image_id": image_id,
            "instance_type": instance_type,
            "key_name": key_name,
            "user_data_sealed": user_data_sealed,
            "settings": settings,
            "rank": rank,
            "max_vms": NO_CAP,
            "common": True,
            "created_at": created_at,
        },
    )


def remove(connection: sa.Connection, spec: LaunchSpecRecord, user_id: int) -> None:
    """Nothing; the spec is gone, and with the last one the logical launch configuration."""
    connection.execute(launch_specs.delete().where(launch_specs.c.id == spec.id))
    logical = _LOGICAL.scalar(connection, {"user_id": user_id, "base_name": spec.base_name})
    left = sa.select(launch_specs.c.id).where(launch_specs.c.launch_configuration_id == logical).limit(1)
    if connection.execute(left).first() is None:
        connection.execute(launch_configurations.delete().where(launch_configurations.c.id == logical))
