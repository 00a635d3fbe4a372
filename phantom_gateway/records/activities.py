"""
Scaling activities: what a user sees of what was done, and why.

Owns: the queries on ``activities`` and how long they are kept. Activities outlive their group.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from phantom_gateway.records import events
from phantom_gateway.records.events import Change
from phantom_gateway.records.prepared import Prepared
from phantom_gateway.records.tables import activities
from reconciler.model import Removed

KEPT = timedelta(days=42)
"""AWS keeps activities six weeks."""

STATUS_MESSAGE_CHARS_MAX = 255
"""The model's limit for StatusMessage."""


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """One activity as it is stored. *details* is JSON text, as AWS shows it."""

    id: int
    activity_id: str
    user_id: int
    group_uid: str
    group_name: str
    group_deleted: bool
    description: str
    cause: str
    status_code: str
    status_message: str | None
    progress: int
    details: str
    started_at: datetime
    ended_at: datetime | None


_COLUMNS: tuple[sa.Column[Any], ...] = (
    activities.c.id,
    activities.c.activity_id,
    activities.c.user_id,
    activities.c.group_uid,
    activities.c.group_name,
    activities.c.group_deleted,
    activities.c.description,
    activities.c.cause,
    activities.c.status_code,
    activities.c.status_message,
    activities.c.progress,
    activities.c.details,
    activities.c.started_at,
    activities.c.ended_at,
)
_INSERT = Prepared(activities.insert())
_UPDATE = Prepared(
    activities.update()
    .where(activities.c.activity_id == sa.bindparam("which"))
    .values(
        status_code=sa.bindparam("new_status_code"),
        progress=sa.bindparam("new_progress"),
        description=sa.func.coalesce(sa.bindparam("new_description", type_=sa.Text), activities.c.description),
        status_message=sa.func.coalesce(sa.bindparam("new_message", type_=sa.Text), activities.c.status_message),
        ended_at=sa.bindparam("new_ended_at", type_=activities.c.ended_at.type),
    )
)


def add(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> list[Change]:
    """
    What to tell of it: these activities exist.

    Columns left out of a row take the value of an activity that just began.
    """
    begun = {"group_deleted": False, "status_message": None, "progress": 0, "details": "{}", "ended_at": None}
    if rows:
        _INSERT.run_all(connection, [{**begun, **row} for row in rows])
    return [
        events.activity(
            row["activity_id"],
            row["status_code"],
            row.get("progress", 0),
            row["description"],
            None,
            ended=row.get("ended_at") is not None,
        )
        for row in rows
    ]


def advance(
    connection: sa.Connection,
    activity_id: str,
    status_code: str,
    progress: int,
    *,
    description: str | None = None,
    message: str | None = None,
    ended_at: datetime | None = None,
) -> Change:
    """What to tell of it: the activity has reached this status. None leaves description and message as they are."""
    message = None if message is None else message[:STATUS_MESSAGE_CHARS_MAX]
    _UPDATE.run(
        connection,
        {
            "which": activity_id,
            "new_status_code": status_code,
            "new_progress": progress,
            "new_description": description,
            "new_message": message,
            "new_ended_at": ended_at,
        },
    )
    return events.activity(activity_id, status_code, progress, description, message, ended=ended_at is not None)


def open_of_group(connection: sa.Connection, group_uid: str) -> ActivityRow | None:
    """The oldest activity of the group that has not ended, or None."""
    row = connection.execute(
        sa.select(*_COLUMNS)
        .where(activities.c.group_uid == group_uid, activities.c.ended_at.is_(None))
        .order_by(activities.c.id)
        .limit(1)
    ).first()
    return None if row is None else ActivityRow(*row)


def page(
    connection: sa.Connection,
    user_id: int,
    *,
    group_name: str | None,
    activity_ids: Collection[str] | None,
    include_deleted: bool,
    after: tuple[bool, int] | None,
    size: int,
) -> list[ActivityRow]:
    """
    Up to *size* activities of the user: those in progress first, then the newest first.

    *after* is (has ended, id) of the last one already shown.
    """
    ended = activities.c.ended_at.is_not(None)
    statement = sa.select(*_COLUMNS).where(activities.c.user_id == user_id)
    if group_name is not None:
        statement = statement.where(activities.c.group_name == group_name)
    if activity_ids is not None:
        statement = statement.where(activities.c.activity_id.in_(list(activity_ids)))
    if not include_deleted:
        statement = statement.where(sa.not_(activities.c.group_deleted))
    if after is not None:
        shown_ended, shown_id = after
        older = sa.and_(ended == shown_ended, activities.c.id < shown_id)
        statement = statement.where(older if shown_ended else sa.or_(older, ended))
    statement = statement.order_by(ended, activities.c.id.desc()).limit(size)
    return [ActivityRow(*row) for row in connection.execute(statement)]


def by_activity_id(connection: sa.Connection, activity_id: str) -> ActivityRow:
    """The activity with this id. Raises NoResultFound."""
    return ActivityRow(*connection.execute(sa.select(*_COLUMNS).where(activities.c.activity_id == activity_id)).one())


def mark_group_deleted(connection: sa.Connection, group_uid: str) -> None:
    """Nothing; the group's activities are from now on only shown to those who ask for deleted groups, too."""
    connection.execute(activities.update().where(activities.c.group_uid == group_uid).values(group_deleted=True))


def rename_group(connection: sa.Connection, group_uid: str, name: str) -> None:
    """Nothing; the group's activities are found under its new *name*."""
    connection.execute(activities.update().where(activities.c.group_uid == group_uid).values(group_name=name))


def removed(connection: sa.Connection, group_uid: str) -> Removed | None:
    """When the latest activity of a group that was removed ended, and whose; None when no such group is remembered."""
    ended = sa.func.coalesce(activities.c.ended_at, activities.c.started_at)
    latest = sa.func.max(ended, type_=activities.c.started_at.type)
    place = sa.and_(activities.c.group_uid == group_uid, activities.c.group_deleted)
    at, user_id = connection.execute(sa.select(latest, sa.func.max(activities.c.user_id)).where(place)).one()
    return None if at is None else Removed(at, user_id)


def prune(connection: sa.Connection, now: datetime) -> int:
    """How many activities were dropped because they ended more than six weeks before *now*."""
    return connection.execute(activities.delete().where(activities.c.ended_at < now - KEPT)).rowcount
