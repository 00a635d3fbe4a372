"""
Groups: what users intend, and the version that every visible change bumps.

Owns: the queries on ``groups``. A group being deleted keeps its row until its machines are gone, but gives its name
free at once: look-ups by name prefer the living one.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from phantom_gateway.records import events
from phantom_gateway.records.prepared import Prepared, PreparedChanges, Row
from phantom_gateway.records.tables import groups, users


class GroupRow(NamedTuple):
    """One group as it is stored. *settings* holds what AWS clients gave beyond the columns, by AWS member name."""

    id: int
    uid: str
    user_id: int
    name: str
    launch_configuration: str
    minimum: int
    maximum: int
    desired: int
    cooldown_s: int
    last_scaled_at: datetime | None
    zones: Sequence[str]
    definition: str | None
    clouds: str | None
    fail_back: str | None
    termination_policies: Sequence[str]
    new_instances_protected: bool
    settings: Mapping[str, Any]
    suspended: Mapping[str, str]
    failing_since: datetime | None
    launch_failures: int
    crashes: Mapping[str, Mapping[str, Any]]
    deleting: bool
    causes: Sequence[str]
    owed_replacements: int
    waiting_on: Sequence[str]
    generation: int
    version: int
    created_at: datetime


_COLUMNS: tuple[sa.Column[Any], ...] = (
    groups.c.id,
    groups.c.uid,
    groups.c.user_id,
    groups.c.name,
    groups.c.launch_configuration,
    groups.c.minimum,
    groups.c.maximum,
    groups.c.desired,
    groups.c.cooldown_s,
    groups.c.last_scaled_at,
    groups.c.zones,
    groups.c.definition,
    groups.c.clouds,
    groups.c.fail_back,
    groups.c.termination_policies,
    groups.c.new_instances_protected,
    groups.c.settings,
    groups.c.suspended,
    groups.c.failing_since,
    groups.c.launch_failures,
    groups.c.crashes,
    groups.c.deleting,
    groups.c.causes,
    groups.c.owed_replacements,
    groups.c.waiting_on,
    groups.c.generation,
    groups.c.version,
    groups.c.created_at,
)
_WITH_NAME = (
    sa.select(*_COLUMNS)
    .where(groups.c.user_id == sa.bindparam("user_id"), groups.c.name == sa.bindparam("name"))
    .order_by(groups.c.deleting, groups.c.id.desc())
    .limit(1)
)
_WITH_UID = sa.select(*_COLUMNS).where(groups.c.uid == sa.bindparam("uid"))
_WITH_IDS = sa.select(*_COLUMNS).where(groups.c.id.in_(sa.bindparam("ids", expanding=True))).order_by(groups.c.id)
_BY_NAME, _BY_UID, _BY_IDS = Prepared(_WITH_NAME), Prepared(_WITH_UID), Prepared(_WITH_IDS)
# Whoever reads a group in order to change it has its row until the end of the transaction. (SQLite, where one
# transaction writes at a time, has no such clause. No key of the row changes: what refers to it may come meanwhile.)
_BY_NAME_TO_CHANGE, _BY_UID_TO_CHANGE, _BY_IDS_TO_CHANGE = (
    Prepared(statement.with_for_update(key_share=True)) for statement in (_WITH_NAME, _WITH_UID, _WITH_IDS)
)
_EVERY = (
    sa.select(groups.c.name, groups.c.id, groups.c.version)
    .where(groups.c.user_id == sa.bindparam("user_id"), groups.c.name > sa.bindparam("after"))
    .order_by(groups.c.name, groups.c.deleting, groups.c.id.desc())
    .limit(sa.bindparam("size"))
)
_PAGE = Prepared(_EVERY)
_PAGE_NAMED = Prepared(_EVERY.where(groups.c.name.in_(sa.bindparam("names", expanding=True))))
_OF_USER = Prepared(
    sa.select(*_COLUMNS)
    .where(groups.c.user_id == sa.bindparam("user_id"), sa.not_(groups.c.deleting))
    .order_by(groups.c.id)
)
_UIDS = Prepared(sa.select(groups.c.uid).order_by(groups.c.id))
_COUNT = Prepared(
    sa.select(sa.func.count()).where(groups.c.user_id == sa.bindparam("user_id"), sa.not_(groups.c.deleting))
)
_DESIRED_TOTAL = Prepared(
    sa.select(sa.func.coalesce(sa.func.sum(groups.c.desired), 0)).where(
        groups.c.user_id == sa.bindparam("user_id"), sa.not_(groups.c.deleting)
    )
)
_DELETING = sa.func.coalesce(sa.func.sum(sa.case((groups.c.deleting, 1), else_=0)), 0)
_WANTED = sa.func.coalesce(sa.func.sum(sa.case((groups.c.deleting, 0), else_=groups.c.desired)), 0)
_TOTALS = Prepared(sa.select(sa.func.count(), _DELETING, _WANTED).select_from(groups))
_USING = Prepared(
    sa.select(*_COLUMNS)
    .where(
        groups.c.user_id == sa.bindparam("user_id"),
        groups.c.launch_configuration.in_(sa.bindparam("names", expanding=True)),
        sa.not_(groups.c.deleting),
    )
    .order_by(groups.c.name)
)
_SET_DESIRED = Prepared(
    groups.update()
    .where(groups.c.id == sa.bindparam("group_id"))
    .values(
        desired=sa.bindparam("new_desired"),
        causes=sa.bindparam("new_causes"),
        last_scaled_at=sa.bindparam("now"),
        generation=groups.c.generation + 1,
        version=groups.c.version + 1,
    )
)
_TOUCH = Prepared(groups.update().where(groups.c.id == sa.bindparam("group_id")).values(version=groups.c.version + 1))
_INSERT = Prepared(groups.insert().returning(groups.c.id))
_CHANGES = PreparedChanges(groups, always={"generation": groups.c.generation + 1, "version": groups.c.version + 1})
_NOTES = PreparedChanges(groups)
_OWED = groups.c.owed_replacements + sa.bindparam("change_by", type_=sa.Integer)
_OWE = Prepared(
    groups.update()
    .where(groups.c.id == sa.bindparam("group_id"))
    .values(owed_replacements=sa.case((_OWED < 0, 0), else_=_OWED), version=groups.c.version + 1)
)
_NOTE_WAITING = Prepared(
    groups.update()
    .where(groups.c.uid == sa.bindparam("group_uid"))
    .values(waiting_on=sa.bindparam("sentences", type_=groups.c.waiting_on.type))
)


def _writes(connection: sa.Connection) -> bool:
    return bool(connection.get_execution_options().get("writes", False))


def _row(row: Row | None) -> GroupRow | None:
    return None if row is None else GroupRow._make(row)


def find(connection: sa.Connection, user_id: int, name: str) -> GroupRow | None:
    """The user's group called *name*: the living one, else the newest that is being deleted, else None."""
    statement = _BY_NAME_TO_CHANGE if _writes(connection) else _BY_NAME
    return _row(statement.first(connection, {"user_id": user_id, "name": name}))


def totals(connection: sa.Connection) -> tuple[int, int, int]:
    """Of all users: living groups, groups being deleted, and the instances that the living ones want."""
    row = _TOTALS.first(connection) or (0, 0, 0)
    return row[0] - row[1], row[1], row[2]


def with_users(connection: sa.Connection, name: str) -> list[tuple[str, str]]:
    """(user's name, uid) of every group called *name*, those being deleted included, by user."""
    statement = (
        sa.select(users.c.name, groups.c.uid)
        .join(users, users.c.id == groups.c.user_id)
        .where(groups.c.name == name)
        .order_by(users.c.name, groups.c.id)
    )
    return [(user, uid) for user, uid in connection.execute(statement)]


def by_uid(connection: sa.Connection, uid: str) -> GroupRow | None:
    """The group with this uid, or None."""
    statement = _BY_UID_TO_CHANGE if _writes(connection) else _BY_UID
    return _row(statement.first(connection, {"uid": uid}))


def owner_of(connection: sa.Connection, uid: str) -> int | None:
    """The id of the user whose group this is; None when there is none. Locks nothing."""
    row = _BY_UID.first(connection, {"uid": uid})
    return None if row is None else GroupRow._make(row).user_id


def by_ids(connection: sa.Connection, ids: Collection[int]) -> list[GroupRow]:
    """The groups with these ids, oldest first."""
    statement = _BY_IDS_TO_CHANGE if _writes(connection) else _BY_IDS
    return [GroupRow._make(row) for row in statement.rows(connection, {"ids": list(ids)})]


def page(
    connection: sa.Connection, user_id: int, names: Collection[str] | None, after: str, size: int
) -> list[tuple[str, int, int]]:
    """
    Up to *size* (name, id, version) of the user's groups, by name, those after *after*; None for *names*: all.

    Several rows may share a name while a group is being deleted; the one to show comes first.
    """
    values: dict[str, Any] = {"user_id": user_id, "after": after, "size": size}
    if names is None:
        rows = _PAGE.rows(connection, values)
    else:
        rows = _PAGE_NAMED.rows(connection, values | {"names": list(names)})
    return [(name, group_id, version) for name, group_id, version in rows]


def of_user(connection: sa.Connection, user_id: int) -> list[GroupRow]:
    """The user's living groups, oldest first."""
    return [GroupRow(*row) for row in _OF_USER.rows(connection, {"user_id": user_id})]


def uids(connection: sa.Connection) -> list[str]:
    """The uid of every group of every user, oldest first."""
    return [row[0] for row in _UIDS.rows(connection)]


def count(connection: sa.Connection, user_id: int) -> int:
    """How many groups the user has, those being deleted left out."""
    return int(_COUNT.scalar(connection, {"user_id": user_id}))


def desired_total(connection: sa.Connection, user_id: int) -> int:
    """How many instances the user's groups want together."""
    return int(_DESIRED_TOTAL.scalar(connection, {"user_id": user_id}))


def using(connection: sa.Connection, user_id: int, launch_configurations: Collection[str]) -> list[GroupRow]:
    """The user's living groups that name one of these launch configurations, by name."""
    found = _USING.rows(connection, {"user_id": user_id, "names": list(launch_configurations)})
    return [GroupRow._make(row) for row in found]


def add(connection: sa.Connection, values: Mapping[str, Any]) -> int:
    """The id of the new group made of *values* (by column name); counters start at their beginning."""
    fresh = {
        "deleting": False,
        "owed_replacements": 0,
        "waiting_on": [],
        "generation": 1,
        "version": 1,
        "definition": None,
        "clouds": None,
        "fail_back": None,
        "suspended": {},
        "failing_since": None,
        "launch_failures": 0,
        "crashes": {},
    }
    group_id = int(_INSERT.scalar(connection, {**fresh, "last_scaled_at": None, **values}))
    events.add(connection, group_id, [events.GROUP_CHANGED], values["created_at"])
    return group_id


def change(connection: sa.Connection, group_id: int, values: Mapping[str, Any], now: datetime) -> None:
    """Nothing; the group has these *values* (by column name): its intent is a new one."""
    _CHANGES.run(connection, [group_id], values)
    events.add(connection, group_id, [events.GROUP_CHANGED], now)


def set_desired(connection: sa.Connection, group_id: int, desired: int, causes: Sequence[str], now: datetime) -> None:
    """Nothing; the group wants *desired* instances, for these *causes*."""
    _SET_DESIRED.run(connection, {"group_id": group_id, "new_desired": desired, "new_causes": list(causes), "now": now})
    events.add(connection, group_id, [events.GROUP_CHANGED], now)


def touch(connection: sa.Connection, group_id: int) -> None:
    """Nothing; whatever was shown of the group before is out of date."""
    _TOUCH.run(connection, {"group_id": group_id})


def touch_all(connection: sa.Connection, group_ids: Iterable[int]) -> None:
    """Nothing; each of them is touched, once."""
    for group_id in set(group_ids):
        touch(connection, group_id)


def owe(connection: sa.Connection, group_id: int, change_by: int) -> None:
    """Nothing; the owed replacements changed by *change_by*, never below zero."""
    _OWE.run(connection, {"group_id": group_id, "change_by": change_by})


def note_launches(connection: sa.Connection, group_id: int, failing_since: datetime | None, failures: int) -> None:
    """Nothing; launches have failed *failures* times in a row since *failing_since*. Not visible: no new version."""
    _NOTES.run(connection, [group_id], {"failing_since": failing_since, "launch_failures": failures})


def note_crashes(connection: sa.Connection, group_id: int, crashes: Mapping[str, Mapping[str, Any]]) -> None:
    """Nothing; this is what is recorded of young deaths, by cloud. Not visible to AWS clients: no new version."""
    _NOTES.run(connection, [group_id], {"crashes": crashes})


def note_waiting(connection: sa.Connection, uid: str, waiting_on: Sequence[str]) -> None:
    """Nothing; ``explain`` can say what the group waits for. Not visible to AWS clients: no new version."""
    _NOTE_WAITING.run(connection, {"group_uid": uid, "sentences": list(waiting_on)})


def remove(connection: sa.Connection, group_id: int, now: datetime) -> None:
    """Nothing; the group is gone, and its tags with it."""
    events.add(connection, group_id, [events.GROUP_GONE], now)
    connection.execute(groups.delete().where(groups.c.id == group_id))
