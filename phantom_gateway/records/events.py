"""
Events: what changed of whose groups, in the order in which it did, for those who watch.

Owns: the queries on ``events``, what is written of a change, and for how long. An entry is written in the transaction
of the changes it tells of: there is never one without the other. Does not own: how an event is shown.

One entry holds the changes that one transaction made to one group. They are kept as short as they can be, because every
change pays for it, watched or not: what they leave out is looked up when somebody watches.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from phantom_gateway.records.prepared import Prepared
from phantom_gateway.records.tables import activities, events, groups

KEPT = timedelta(days=1)
"""
Somebody who has not listened for longer reads the lists anew, which is less than a day of changes. Longer: activities
tell what happened in the last six weeks.
"""

KEPT_PER_USER_MAX = 20_000
"""Entries of one user, of some 300 bytes: 6 MB. That is one of 10,000 VMs launched and ended, as a group may have."""

CHANGES_MAX = 50
"""Changes in one entry. More of them make several entries, so that reading one takes little time and memory."""

PAGE = 50
"""Entries read at once: half a MB at the most, and usually a hundredth of it."""

PRUNED_AT_ONCE_MAX = 2_000
"""Entries dropped in one transaction: 5 ms. Nobody waits for more of them to go."""

TERMINATED = "Terminated"
FAILED = "Failed"
"""What has become of an instance that is not in the ledger any more: ended, or never launched."""

Change = list[Any]
"""What changed: one letter that says the kind, and what its maker below puts behind it. As short as JSON can be."""

INSTANCE = "i"
ACTIVITY = "a"
GROUP_CHANGED: Change = ["g"]
GROUP_GONE: Change = ["x"]
"""A group has no more to be said of it: who hears of it is shown what the group is then."""


class Seen(NamedTuple):
    """An instance as it was at one moment; the fields mean what those of InstanceRow do."""

    token: str
    token_index: int
    state: str
    cloud: str
    machine_id: str | None
    instance_id: str | None
    private_ip: str | None
    public_ip: str | None
    image_id: str | None
    instance_type: str
    key_name: str | None


class Step(NamedTuple):
    """What an activity had come to at one moment. *status_message* is None when it had not changed."""

    activity_id: str
    description: str
    cause: str
    status_code: str
    status_message: str | None
    progress: int
    started_at: datetime
    ended_at: datetime | None


class Entry(NamedTuple):
    """Changes of one group, in order. No changes: they were dropped, with all that was before them."""

    id: int
    group_uid: str
    group_name: str
    changes: list[Change]
    created_at: datetime


_INSERT = Prepared(
    events.insert().from_select(
        ["user_id", "group_uid", "group_name", "changes", "created_at"],
        sa.select(
            groups.c.user_id,
            groups.c.uid,
            groups.c.name,
            sa.bindparam("changes", type_=events.c.changes.type),
            sa.bindparam("now", type_=events.c.created_at.type),
        ).where(groups.c.id == sa.bindparam("group_id")),
    )
)
_ORDER_LOCK = sa.literal_column("1885828726", sa.Integer)
"""Names the lock under which events are written to a PostgreSQL database ("pgev")."""

_LOCK_ORDER = Prepared(sa.select(sa.func.pg_advisory_xact_lock(_ORDER_LOCK, sa.literal_column("0", sa.Integer))))
_NEWEST = Prepared(sa.select(sa.func.max(events.c.id)))
_AFTER = sa.and_(
    events.c.user_id == sa.bindparam("user_id"),
    events.c.id > sa.bindparam("after"),
    events.c.id <= sa.bindparam("up_to"),
)
_COLUMNS = (events.c.id, events.c.group_uid, events.c.group_name, events.c.changes, events.c.created_at)
_PAGE = Prepared(sa.select(*_COLUMNS).where(_AFTER).order_by(events.c.id).limit(sa.bindparam("size")))
_PAGE_OF_GROUP = Prepared(
    sa.select(*_COLUMNS)
    .where(_AFTER, events.c.group_uid == sa.bindparam("group_uid"))
    .order_by(events.c.id)
    .limit(sa.bindparam("size"))
)
_USERS_AFTER = Prepared(sa.select(events.c.user_id).where(events.c.id > sa.bindparam("after")))
_OLDEST = Prepared(
    sa.select(events.c.id, events.c.changes)
    .where(events.c.user_id == sa.bindparam("user_id"))
    .order_by(events.c.id)
    .limit(1)
)
_ACTIVITIES = Prepared(
    sa.select(activities.c.activity_id, activities.c.description, activities.c.cause, activities.c.started_at).where(
        activities.c.activity_id.in_(sa.bindparam("activity_ids", expanding=True))
    )
)


def instance(seen: Any, **values: Any) -> Change:
    """The change to an instance that has become as the row *seen* says, but for *values* (by column name)."""
    return [INSTANCE, *(values[name] if name in values else getattr(seen, name) for name in Seen._fields)]


def activity(
    activity_id: str, status_code: str, progress: int, description: str | None, message: str | None, *, ended: bool
) -> Change:
    """The change to an activity that has come so far. None: description or message is what it was."""
    return [ACTIVITY, activity_id, status_code, progress, description, message, ended]


def add(connection: sa.Connection, group_id: int, changes: Sequence[Change], now: datetime) -> None:
    """
    Nothing; those who watch hear of these *changes* to the group, which still exists.

    Streams go by ids, so ids have to appear in their order: with several writers, each waits here for the one before it
    to commit. On SQLite one transaction writes at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        _LOCK_ORDER.rows(connection, {})
    for first in range(0, len(changes), CHANGES_MAX):
        part = list(changes[first : first + CHANGES_MAX])
        _INSERT.run(connection, {"group_id": group_id, "changes": part, "now": now})


def add_all(connection: sa.Connection, changes: Iterable[tuple[int, Change]], now: datetime) -> None:
    """As ``add``, for changes each of which comes with its group's id."""
    by_group: dict[int, list[Change]] = {}
    for group_id, change in changes:
        by_group.setdefault(group_id, []).append(change)
    for group_id, its in by_group.items():
        add(connection, group_id, its, now)


def newest(connection: sa.Connection) -> int:
    """The id of the newest entry, whoever's it is; 0 when there is none."""
    return int(_NEWEST.scalar(connection) or 0)


def users_after(connection: sa.Connection, after: int) -> set[int]:
    """The ids of the users who have an entry after the one with the id *after*."""
    return {row[0] for row in _USERS_AFTER.rows(connection, {"after": after})}


def page(connection: sa.Connection, user_id: int, after: int, up_to: int, group_uid: str | None) -> list[Entry]:
    """Up to ``PAGE`` entries of the user, of one group or all, with ids above *after* and up to *up_to*, by id."""
    values = {"user_id": user_id, "after": after, "up_to": up_to, "size": PAGE}
    if group_uid is None:
        return [Entry._make(row) for row in _PAGE.rows(connection, values)]
    return [Entry._make(row) for row in _PAGE_OF_GROUP.rows(connection, values | {"group_uid": group_uid})]


def dropped_up_to(connection: sa.Connection, user_id: int) -> int:
    """The id of the newest entry of the user that was dropped, with all before it; 0 while none was."""
    oldest = _OLDEST.first(connection, {"user_id": user_id})
    return 0 if oldest is None or oldest[1] else int(oldest[0])


def steps(connection: sa.Connection, entries: Iterable[Entry]) -> dict[tuple[int, int], Step]:
    """The activities that *entries* tell of, as they were then, by the id of the entry and the change's place in it."""
    told = {
        (entry.id, place): (entry, change)
        for entry in entries
        for place, change in enumerate(entry.changes)
        if change[0] == ACTIVITY
    }
    ids = {change[1] for _, change in told.values()}
    known = {row[0]: row[1:] for row in _ACTIVITIES.rows(connection, {"activity_ids": list(ids)})} if ids else {}
    return {
        where: _step(entry, change, known[change[1]]) for where, (entry, change) in told.items() if change[1] in known
    }


def _step(entry: Entry, change: Change, known: tuple[str, str, datetime]) -> Step:
    _, activity_id, status_code, progress, description, message, ended = change
    newest_description, cause, started_at = known
    ended_at = entry.created_at if ended else None
    return Step(
        activity_id, description or newest_description, cause, status_code, message, progress, started_at, ended_at
    )


def prune(connection: sa.Connection, now: datetime) -> int:
    """
    How many entries were dropped now because they are older than ``KEPT``, or their user has newer ones enough.

    Zero: there is none left to drop. Of each user, the newest dropped one stays, empty: it says that something was.
    """
    for (user_id,) in connection.execute(sa.select(events.c.user_id).distinct()).all():
        mine = sa.select(events.c.id).where(events.c.user_id == user_id).order_by(events.c.id.desc())
        old = connection.execute(mine.where(events.c.created_at < now - KEPT).limit(1)).scalar() or 0
        surplus = connection.execute(mine.offset(KEPT_PER_USER_MAX).limit(1)).scalar() or 0
        dropped = _drop(connection, user_id, max(old, surplus))
        if dropped:
            return dropped
    return 0


def _drop(connection: sa.Connection, user_id: int, last: int) -> int:
    doomed = (
        sa.select(events.c.id)
        .where(events.c.user_id == user_id, events.c.id <= last)
        .order_by(events.c.id)
        .limit(PRUNED_AT_ONCE_MAX)
    )
    *gone, emptied = connection.execute(doomed).scalars().all() or [0]
    connection.execute(events.delete().where(events.c.id.in_(gone)))
    is_full = sa.and_(events.c.id == emptied, events.c.changes != [])
    return len(gone) + connection.execute(events.update().where(is_full).values(changes=[])).rowcount
