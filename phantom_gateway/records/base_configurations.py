"""
Logical launch configurations as wholes: what the JSON API calls a launch configuration.

Owns: the queries that read, make, change, rename and remove one with the specs of all its clouds. Does not own: single
specs as AWS clients see them, see ``launch_configurations``.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from phantom_gateway.records.launch_configurations import LaunchSpecRecord, select_specs
from phantom_gateway.records.tables import groups, instances, launch_configurations, launch_specs, users

SHARED_MAX = 1_000
"""Public launch configurations shown, the newest of them. More is a catalogue that nobody reads from end to end."""


@dataclass(frozen=True, slots=True)
class BaseConfiguration:
    """One logical launch configuration, without its specs. *uid* is its id in the JSON API."""

    id: int
    uid: str
    user_id: int
    owner: str
    name: str
    user_data_sealed: str | None = field(repr=False)
    chef_sealed: str | None = field(repr=False)
    appliance: str | None
    description: str | None
    public: bool
    version: int
    created_at: datetime


_SELECT: "sa.Select[*tuple[Any, ...]]" = sa.select(
    launch_configurations.c.id,
    launch_configurations.c.uid,
    launch_configurations.c.user_id,
    users.c.name,
    launch_configurations.c.base_name,
    launch_configurations.c.user_data_sealed,
    launch_configurations.c.chef_sealed,
    launch_configurations.c.appliance,
    launch_configurations.c.description,
    launch_configurations.c.public,
    launch_configurations.c.version,
    launch_configurations.c.created_at,
).join(users, users.c.id == launch_configurations.c.user_id)


def of_user(connection: sa.Connection, user_id: int) -> list[BaseConfiguration]:
    """The user's own, oldest first."""
    mine = _SELECT.where(launch_configurations.c.user_id == user_id).order_by(launch_configurations.c.id)
    return [BaseConfiguration(*row) for row in connection.execute(mine)]


def shared(connection: sa.Connection) -> list[BaseConfiguration]:
    """The public ones of all users, oldest first; when there are more than SHARED_MAX, the newest of them."""
    public = _SELECT.where(launch_configurations.c.public).order_by(launch_configurations.c.id.desc())
    rows = connection.execute(public.limit(SHARED_MAX)).all()
    return [BaseConfiguration(*row) for row in reversed(rows)]


def by_uid(connection: sa.Connection, uid: str) -> BaseConfiguration | None:
    """The one with this *uid*, whoever's it is, or None."""
    row = connection.execute(_SELECT.where(launch_configurations.c.uid == uid)).first()
    return None if row is None else BaseConfiguration(*row)


def by_name(connection: sa.Connection, user_id: int, name: str) -> BaseConfiguration | None:
    """The user's own called *name*, or None."""
    own = (launch_configurations.c.user_id == user_id, launch_configurations.c.base_name == name)
    row = connection.execute(_SELECT.where(*own)).first()
    return None if row is None else BaseConfiguration(*row)


def of_spec(connection: sa.Connection, user_id: int, spec_name: str) -> BaseConfiguration | None:
    """The user's own that the spec called *spec_name* belongs to, or None."""
    statement = _SELECT.join(launch_specs, launch_specs.c.launch_configuration_id == launch_configurations.c.id)
    row = connection.execute(
        statement.where(launch_specs.c.user_id == user_id, launch_specs.c.name == spec_name)
    ).first()
    return None if row is None else BaseConfiguration(*row)


def specs_of(connection: sa.Connection, base_ids: Collection[int]) -> dict[int, list[LaunchSpecRecord]]:
    """The specs of each of these, best rank first."""
    found: dict[int, list[LaunchSpecRecord]] = {}
    statement = (
        select_specs()
        .add_columns(launch_specs.c.launch_configuration_id)
        .where(launch_specs.c.launch_configuration_id.in_(list(base_ids)))
        .order_by(launch_specs.c.rank, launch_specs.c.id)
    )
    for row in connection.execute(statement):
        found.setdefault(row[-1], []).append(LaunchSpecRecord(*row[:-1]))
    return found


def add(connection: sa.Connection, values: Mapping[str, Any]) -> int:
    """The id of the new one made of *values*, by column name; it has no specs yet."""
    statement = launch_configurations.insert().values(version=1, **values).returning(launch_configurations.c.id)
    return int(connection.execute(statement).scalar_one())


def change(connection: sa.Connection, base: BaseConfiguration, values: Mapping[str, Any]) -> None:
    """Nothing; it has these *values*, by column name, and a new version: its specs are shown differently."""
    connection.execute(
        launch_configurations.update()
        .where(launch_configurations.c.id == base.id)
        .values(version=launch_configurations.c.version + 1, **values)
    )


def add_spec(connection: sa.Connection, base_id: int, user_id: int, values: Mapping[str, Any]) -> None:
    """Nothing; there is one more spec, with these *values* by column name."""
    connection.execute(launch_specs.insert().values(launch_configuration_id=base_id, user_id=user_id, **values))


def change_spec(connection: sa.Connection, spec_id: int, values: Mapping[str, Any]) -> None:
    """Nothing; the spec has these *values*, by column name: none of what it launches."""
    connection.execute(launch_specs.update().where(launch_specs.c.id == spec_id).values(**values))


def remove_specs(connection: sa.Connection, spec_ids: Collection[int]) -> None:
    """Nothing; the specs are gone."""
    connection.execute(launch_specs.delete().where(launch_specs.c.id.in_(list(spec_ids))))


def rename_references(connection: sa.Connection, user_id: int, name: str, new_name: str) -> None:
    """Nothing; groups and instances of the user that name the spec *name* name *new_name*. Their versions stay."""
    for table in (groups, instances):
        connection.execute(
            table.update()
            .where(table.c.user_id == user_id, table.c.launch_configuration == name)
            .values(launch_configuration=new_name)
        )


def remove(connection: sa.Connection, base: BaseConfiguration) -> None:
    """Nothing; it is gone with all its specs."""
    connection.execute(launch_specs.delete().where(launch_specs.c.launch_configuration_id == base.id))
    connection.execute(launch_configurations.delete().where(launch_configurations.c.id == base.id))
