"""
Launch configurations: one logical record per base name, one immutable spec per cloud.

Owns: the queries on ``launch_configurations`` and ``launch_specs``, and which user data a spec shows: its own, or else
what the logical configuration was given last (as the original Phantom did for all clouds of one name).
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from phantom_gateway.records.prepared import Prepared
from phantom_gateway.records.tables import launch_configurations, launch_specs


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
_INSERT_LOGICAL = Prepared(launch_configurations.insert().returning(launch_configurations.c.id))
_INSERT_SPEC = Prepared(launch_specs.insert())


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
    """Nothing; the spec exists, and its logical launch configuration with it. *is_first*: its base name is new."""
    logical = None
    if not is_first:
        logical = _LOGICAL.scalar(connection, {"user_id": user_id, "base_name": base_name})
    if logical is None:
        logical = _INSERT_LOGICAL.scalar(
            connection, {"user_id": user_id, "base_name": base_name, "user_data_sealed": user_data_sealed, "version": 1}
        )
    elif user_data_sealed is not None:
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
