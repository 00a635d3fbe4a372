"""
The red button, on disk: what is frozen, and the activities by which users learn of it.

Owns: the queries on ``freezes``. Does not own: what a freeze stops (``reconciler.freezes`` and those who ask it).
"""

from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa

from phantom_gateway.records import activities
from phantom_gateway.records.prepared import Prepared
from phantom_gateway.records.tables import freezes, groups, instances
from reconciler.freezes import Freeze, Freezes, Scope

FROZEN = "Freezing"
THAWED = "Thawing"

_COLUMNS = (freezes.c.scope, freezes.c.name, freezes.c.label, freezes.c.by, freezes.c.at, freezes.c.reason)
_ALL = Prepared(sa.select(*_COLUMNS).order_by(freezes.c.at, freezes.c.scope, freezes.c.name))


def everything(connection: sa.Connection) -> list[Freeze]:
    """All freezes in force, the oldest first."""
    return [Freeze(Scope(row[0]), *row[1:]) for row in _ALL.rows(connection)]


def in_force(connection: sa.Connection) -> Freezes:
    """The same, to be asked."""
    return Freezes(everything(connection))


def lay(connection: sa.Connection, freeze: Freeze, new_id: Callable[[], str]) -> bool:
    """True when this is frozen from now on; False when it was before: then the first freeze stands, and its reason."""
    if any((known.scope, known.name) == (freeze.scope, freeze.name) for known in everything(connection)):
        return False
    values = {
        "scope": freeze.scope.value,
        "name": freeze.name,
        "label": freeze.label,
        "by": freeze.by,
        "at": freeze.at,
        "reason": freeze.reason,
    }
    connection.execute(freezes.insert().values(values))
    _tell(connection, freeze, f"{FROZEN}: nothing is launched or terminated", freeze.sentence, freeze.at, new_id)
    return True


def lift(
    connection: sa.Connection, scope: Scope, name: str, by: str, now: datetime, new_id: Callable[[], str]
) -> Freeze | None:
    """The freeze that was in force until now; None when there was none."""
    for known in everything(connection):
        if (known.scope, known.name) == (scope, name):
            place = sa.and_(freezes.c.scope == scope.value, freezes.c.name == name)
            connection.execute(freezes.delete().where(place))
            _tell(connection, known, THAWED, f"thawed by {by}; {known.sentence} until then", now, new_id)
            return known
    return None


def _tell(
    connection: sa.Connection, freeze: Freeze, description: str, cause: str, now: datetime, new_id: Callable[[], str]
) -> None:
    """Nothing; an activity of every group concerned tells of it: on a cloud, those that have instances there."""
    statement = sa.select(groups.c.user_id, groups.c.uid, groups.c.name)
    match freeze.scope:
        case Scope.ALL:
            pass
        case Scope.CLOUD:
            here = sa.select(instances.c.group_id).where(instances.c.cloud == freeze.name)
            statement = statement.where(groups.c.id.in_(here))
        case Scope.USER:
            statement = statement.where(groups.c.user_id == int(freeze.name))
        case Scope.GROUP:
            statement = statement.where(groups.c.uid == freeze.name)
    rows = [
        {
            "activity_id": new_id(),
            "user_id": user_id,
            "group_uid": uid,
            "group_name": name,
            "description": description,
            "cause": cause,
            "status_code": "Successful",
            "progress": 100,
            "started_at": now,
            "ended_at": now,
        }
        for user_id, uid, name in connection.execute(statement)
    ]
    activities.add(connection, rows)
