"""
Sensor data: the latest value of every series, and what each of its minutes came to.

Owns: the queries on ``sensor_series`` and ``sensor_rollups``, how long minutes are kept, and how many series there may
be. A series is one metric of one instance, or of a group itself (the original's *domain sensor*). Does not own: whose a
sample is, or what is decided by it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from phantom_gateway.records.columns import EPOCH
from phantom_gateway.records.prepared import Prepared
from phantom_gateway.records.tables import groups, instances, sensor_rollups, sensor_series, tags

GROUP_ITSELF = 0
"""The instance key of a series that belongs to the group as a whole; no instance has it."""

KEPT_MINUTES = 15 * 24 * 60
"""Fifteen days: what AWS kept of metrics when Phantom was made."""

ROLLUPS_PER_USER_MAX = 2_000_000
"""
Some 120 MB. Ninety series are kept for fifteen days; with more of them, the oldest minutes of all go earlier, so that
one user's sensors cannot fill the disk that everybody's records are on.
"""

ROLLUPS_MAX = 10_000_000
"""The same for all users together: some 600 MB."""

SERIES_MAX = 50_000
"""Series of all users together: 250 VMs that each send 200 metrics, as tcollector does."""

ABANDONED = timedelta(hours=1)
"""A series without data for this long makes room for a new one; tcollector repeats every value within 5 minutes."""

SHOWN_MINUTES = 15
"""What is shown as the present of a series; older is not the present any more."""

AVERAGED_MINUTES = 2
"""The average shown is that of the newest so many minutes with data: the original asked for the last 90 seconds."""

PRUNED_AT_ONCE = 25
"""Series in one transaction of the pruning: an hour of their minutes is deleted in some 2 ms."""


@dataclass(frozen=True, slots=True)
class SeriesName:
    """Which series: *metric* of the instance *instance_key*, or of the group itself (``GROUP_ITSELF``)."""

    group_uid: str
    instance_key: int
    metric: str


@dataclass(slots=True)
class Rollup:
    """What the samples of one series in one minute came to."""

    user_id: int
    name: SeriesName
    minute: int
    """Whole minutes since 1970."""
    count: int
    total: float
    least: float
    most: float
    last: float
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Minute:
    """One stored minute of one series."""

    name: SeriesName
    minute: int
    count: int
    total: float
    least: float
    most: float
    last: float


_ID = Prepared(
    sa.select(sensor_series.c.id).where(
        sensor_series.c.group_uid == sa.bindparam("group_uid"),
        sensor_series.c.instance_key == sa.bindparam("instance_key"),
        sensor_series.c.metric == sa.bindparam("metric"),
    )
)
_ADD_SERIES = Prepared(sensor_series.insert().returning(sensor_series.c.id))
_SET_LATEST = Prepared(
    sensor_series.update()
    .where(
        sensor_series.c.id == sa.bindparam("which"),
        sensor_series.c.last_at <= sa.bindparam("new_last_at", type_=sensor_series.c.last_at.type),
    )
    .values(
        last_value=sa.bindparam("new_last_value", type_=sensor_series.c.last_value.type),
        last_at=sa.bindparam("new_last_at", type_=sensor_series.c.last_at.type),
    )
)
_METRICS = Prepared(
    sa.select(sensor_series.c.metric)
    .where(sensor_series.c.user_id == sa.bindparam("user_id"))
    .distinct()
    .order_by(sensor_series.c.metric)
)
_LATEST = Prepared(
    sa.select(sensor_series.c.instance_key, sensor_series.c.last_value, sensor_series.c.last_at).where(
        sensor_series.c.group_uid == sa.bindparam("group_uid"), sensor_series.c.metric == sa.bindparam("metric")
    )
)
_MINUTES = (
    sa.select(
        sensor_series.c.group_uid,
        sensor_series.c.instance_key,
        sensor_series.c.metric,
        sensor_rollups.c.minute,
        sensor_rollups.c.count,
        sensor_rollups.c.total,
        sensor_rollups.c.least,
        sensor_rollups.c.most,
        sensor_rollups.c.last,
    )
    .join(sensor_rollups, sensor_rollups.c.series_id == sensor_series.c.id)
    .where(sensor_series.c.user_id == sa.bindparam("user_id"), sensor_rollups.c.minute >= sa.bindparam("since"))
)
_MINUTES_OF_GROUPS = Prepared(
    _MINUTES.where(sensor_series.c.group_uid.in_(sa.bindparam("group_uids", expanding=True))).order_by(
        sensor_series.c.id, sensor_rollups.c.minute
    )
)
_MINUTES_OF_METRIC = Prepared(
    _MINUTES.where(sensor_series.c.metric == sa.bindparam("metric"), sensor_rollups.c.minute <= sa.bindparam("until"))
    .order_by(sensor_series.c.id, sensor_rollups.c.minute)
    .limit(sa.bindparam("size"))
)
_MINUTES_OF_GROUP = Prepared(
    sa.select(
        sensor_series.c.group_uid,
        sensor_series.c.instance_key,
        sensor_series.c.metric,
        sensor_rollups.c.minute,
        sensor_rollups.c.count,
        sensor_rollups.c.total,
        sensor_rollups.c.least,
        sensor_rollups.c.most,
        sensor_rollups.c.last,
    )
    .join(sensor_rollups, sensor_rollups.c.series_id == sensor_series.c.id)
    .where(
        sensor_series.c.group_uid == sa.bindparam("group_uid"),
        sensor_series.c.metric == sa.bindparam("metric"),
        sensor_rollups.c.minute >= sa.bindparam("since"),
    )
    .order_by(sensor_series.c.id, sensor_rollups.c.minute)
)
_MOVING = Prepared(
    sa.select(groups.c.uid, tags.c.value)
    .join(tags, tags.c.group_id == groups.c.id)
    .where(tags.c.key == "metric", groups.c.definition.is_not(None), sa.not_(groups.c.deleting))
)
_SERIES_OF_USER = Prepared(
    sa.select(sa.func.count()).select_from(sensor_series).where(sensor_series.c.user_id == sa.bindparam("user_id"))
)
_SERIES_OF_ALL = Prepared(sa.select(sa.func.count()).select_from(sensor_series))
_ABANDONED = Prepared(
    sa.select(sensor_series.c.id)
    .where(
        sensor_series.c.user_id == sa.bindparam("user_id"),
        sensor_series.c.last_at < sa.bindparam("before", type_=sensor_series.c.last_at.type),
    )
    .order_by(sensor_series.c.last_at)
    .limit(1)
)
_DROP_SERIES = Prepared(sensor_series.delete().where(sensor_series.c.id.in_(sa.bindparam("ids", expanding=True))))


def _adding(insert: "type[sqlite.Insert | postgresql.Insert]") -> Prepared:
    """The statement that adds a rollup to what its minute has already, in the words of one database."""
    statement: Any = insert(sensor_rollups)
    new, old = statement.excluded, sensor_rollups.c
    return Prepared(
        statement.on_conflict_do_update(
            index_elements=[old.series_id, old.minute],
            set_={
                "count": old.count + new.count,
                "total": old.total + new.total,
                "least": sa.case((new.least < old.least, new.least), else_=old.least),
                "most": sa.case((new.most > old.most, new.most), else_=old.most),
                "last": new.last,
            },
        )
    )


_ADD_ROLLUP = {"sqlite": _adding(sqlite.Insert), "postgresql": _adding(postgresql.Insert)}


def minute_of(moment: datetime) -> int:
    """Whole minutes from 1970 to *moment*."""
    return (moment - EPOCH) // timedelta(minutes=1)


def add(connection: sa.Connection, rollups: Sequence[Rollup], series_per_user_max: int, now: datetime) -> int:
    """
    How many of *rollups* were refused because there is no room for another series; the others are recorded.

    A rollup is added to what its minute has already. A user who has *series_per_user_max* series gets a new one in the
    place of one that has had no data for an hour, if there is any.
    """
    rooms: dict[int, int] = {}
    refused = 0
    adding = _ADD_ROLLUP[connection.dialect.name]
    for rollup in rollups:
        name = rollup.name
        key = {"group_uid": name.group_uid, "instance_key": name.instance_key, "metric": name.metric}
        series_id = _ID.scalar(connection, key)
        if series_id is None:
            if not _has_room(connection, rollup.user_id, rooms, series_per_user_max, now):
                refused += 1
                continue
            begun = {"user_id": rollup.user_id, "last_value": rollup.last, "last_at": rollup.last_at}
            series_id = _ADD_SERIES.scalar(connection, {**key, **begun})
        else:
            latest = {"which": series_id, "new_last_value": rollup.last, "new_last_at": rollup.last_at}
            _SET_LATEST.run(connection, latest)
        adding.run(
            connection,
            {
                "series_id": series_id,
                "minute": rollup.minute,
                "count": rollup.count,
                "total": rollup.total,
                "least": rollup.least,
                "most": rollup.most,
                "last": rollup.last,
            },
        )
    return refused


def metrics_of(connection: sa.Connection, user_id: int) -> list[str]:
    """The names of all metrics that were received for the user's groups and instances, in alphabetical order."""
    return [row[0] for row in _METRICS.rows(connection, {"user_id": user_id})]


def data_of(
    connection: sa.Connection, user_id: int, group_uids: Collection[str], now: datetime
) -> dict[tuple[str, int], dict[str, dict[str, Any]]]:
    """
    The present of the user's sensors: {(group uid, instance key): {metric: {"series": [...], "average": x}}}.

    The instance key is ``InstanceRow.id``, or ``GROUP_ITSELF`` for what belongs to the group (its domain sensors).
    "series" has the average of each of the last fifteen minutes that have data, oldest first; "average" is that of all
    samples in the newest two of them. What had no data in fifteen minutes has no entry.
    """
    values = {"user_id": user_id, "since": minute_of(now) - SHOWN_MINUTES, "group_uids": list(group_uids)}
    rows = [_minute(row) for row in _MINUTES_OF_GROUPS.rows(connection, values)] if group_uids else []
    found: dict[SeriesName, list[Minute]] = {}
    for row in rows:
        found.setdefault(row.name, []).append(row)
    data: dict[tuple[str, int], dict[str, dict[str, Any]]] = {}
    for name, minutes in found.items():
        newest = minutes[-AVERAGED_MINUTES:]
        shown = {
            "series": [each.total / each.count for each in minutes],
            "average": sum(each.total for each in newest) / sum(each.count for each in newest),
        }
        data.setdefault((name.group_uid, name.instance_key), {})[name.metric] = shown
    return data


def latest(connection: sa.Connection, group_uid: str, metric: str) -> dict[int, tuple[float, datetime]]:
    """The latest (value, time) of *metric* by instance key, ``GROUP_ITSELF`` included; however old it is."""
    rows = _LATEST.rows(connection, {"group_uid": group_uid, "metric": metric})
    return {row[0]: (row[1], row[2]) for row in rows}


def minutes_of_group(connection: sa.Connection, group_uid: str, metric: str, since: int) -> dict[int, list[Minute]]:
    """The minutes of *metric* from *since* on, oldest first, by instance key, ``GROUP_ITSELF`` included."""
    found: dict[int, list[Minute]] = {}
    for row in _MINUTES_OF_GROUP.rows(connection, {"group_uid": group_uid, "metric": metric, "since": since}):
        minute = _minute(row)
        found.setdefault(minute.name.instance_key, []).append(minute)
    return found


def moving(connection: sa.Connection) -> frozenset[tuple[str, str]]:
    """(uid, metric) of every group that a metric may move."""
    return frozenset((row[0], row[1].strip()) for row in _MOVING.rows(connection))


def minutes_of_metric(
    connection: sa.Connection, user_id: int, metric: str, since: int, until: int, size: int
) -> list[Minute]:
    """Up to *size* stored minutes of *metric* from *since* to *until*, both included, series by series."""
    values = {"user_id": user_id, "metric": metric, "since": since, "until": until, "size": size}
    return [_minute(row) for row in _MINUTES_OF_METRIC.rows(connection, values)]


def prune(connection: sa.Connection, now: datetime, after: int) -> tuple[int, int | None]:
    """
    How many minutes were dropped from the next few series after the id *after*, and where to go on; None: that is all.

    Minutes live for fifteen days, or less where there would be too many of them. A series ends with its last minute,
    and with its group.
    """
    rows = connection.execute(
        sa.select(sensor_series.c.id, sensor_series.c.user_id, groups.c.id)
        .outerjoin(groups, groups.c.uid == sensor_series.c.group_uid)
        .where(sensor_series.c.id > after)
        .order_by(sensor_series.c.id)
        .limit(PRUNED_AT_ONCE)
    ).all()
    total = max(1, int(_SERIES_OF_ALL.scalar(connection)))
    dropped = 0
    for user_id in {row[1] for row in rows}:
        own = max(1, int(_SERIES_OF_USER.scalar(connection, {"user_id": user_id})))
        kept = min(KEPT_MINUTES, ROLLUPS_PER_USER_MAX // own, ROLLUPS_MAX // total)
        mine = [row[0] for row in rows if row[1] == user_id]
        old = sa.and_(sensor_rollups.c.series_id.in_(mine), sensor_rollups.c.minute < minute_of(now) - kept)
        dropped += connection.execute(sensor_rollups.delete().where(old)).rowcount
    _drop(connection, [row[0] for row in rows if row[2] is None])
    connection.execute(
        sensor_series.delete().where(
            sensor_series.c.id.in_([row[0] for row in rows]),
            sensor_series.c.last_at < now - timedelta(minutes=KEPT_MINUTES),
        )
    )
    return dropped, rows[-1][0] if len(rows) == PRUNED_AT_ONCE else None


def _has_room(
    connection: sa.Connection, user_id: int, rooms: dict[int, int], series_per_user_max: int, now: datetime
) -> bool:
    """True when the user may have another series, for which place was made where needed. *rooms* remembers counts."""
    if user_id not in rooms:
        own = int(_SERIES_OF_USER.scalar(connection, {"user_id": user_id}))
        rooms[user_id] = min(series_per_user_max - own, SERIES_MAX - int(_SERIES_OF_ALL.scalar(connection)))
    if rooms[user_id] <= 0:
        abandoned = _ABANDONED.scalar(connection, {"user_id": user_id, "before": now - ABANDONED})
        if abandoned is None:
            return False
        _drop(connection, [abandoned])
        rooms[user_id] += 1
    rooms[user_id] -= 1
    return True


def _drop(connection: sa.Connection, ids: list[int]) -> None:
    if ids:
        _DROP_SERIES.run(connection, {"ids": ids})


def _minute(row: tuple[Any, ...]) -> Minute:
    return Minute(SeriesName(*row[:3]), *row[3:])


@dataclass(frozen=True, slots=True)
class Host:
    """One instance, as far as samples have to be told apart: whose it is, and the names that its host may have."""

    user_id: int
    group_uid: str
    instance_key: int
    names: tuple[str, ...]


_HOSTS = Prepared(
    sa.select(
        instances.c.user_id,
        groups.c.uid,
        instances.c.id,
        instances.c.instance_id,
        instances.c.machine_id,
        instances.c.private_ip,
        instances.c.public_ip,
    )
    .join(groups, groups.c.id == instances.c.group_id)
    .where(instances.c.machine_id.is_not(None), instances.c.state != "Terminating")
)
_GROUPS = Prepared(sa.select(groups.c.user_id, groups.c.uid, groups.c.name).where(sa.not_(groups.c.deleting)))


def hosts(connection: sa.Connection) -> list[Host]:
    """Every instance that has a machine and is not on its way out."""
    return [
        Host(row[0], row[1], row[2], tuple(dict.fromkeys(name for name in row[3:] if name)))
        for row in _HOSTS.rows(connection)
    ]


def living_groups(connection: sa.Connection) -> list[tuple[int, str, str]]:
    """(user id, uid, name) of every group that is not being deleted."""
    return [(row[0], row[1], row[2]) for row in _GROUPS.rows(connection)]
