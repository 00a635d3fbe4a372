"""
Machines with our mark that these records know nothing of: what a restored backup, or a second copy of them, looks like.

Owns: telling them apart, the list for operators, and those that an operator has given up; all are facts about the
installation. Does not own: looking, freezing, or the end of a machine.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from phantom_gateway.records import audit, users
from phantom_gateway.records.tables import activities, groups, instances
from reconciler.orphans import Marked
from reconciler.verdicts import Place, Verdicts

LISTED_MAX = 2_000
"""Machines on the list; more are counted. An operator who has that many looks at the cloud itself."""

_LIST = "unrecorded"
_CONDEMNED = "condemned"
_KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """One of them. *group* is the name of its group, when these records have it."""

    cloud: str
    machine_id: str
    group_uid: str
    group: str
    launched_at: str


def among(connection: sa.Connection, marks: Sequence[Marked]) -> list[Unrecorded]:
    """
    Those of *marks* that no instance stands for.

    A group that was removed here has left its machines behind: they are leaks, and known.
    """
    names = dict(connection.execute(sa.select(groups.c.uid, groups.c.name)).tuples().all())
    gone = sa.select(activities.c.group_uid).where(activities.c.group_deleted).distinct()
    removed = set(connection.execute(gone).scalars())
    tokens = set(connection.execute(sa.select(instances.c.token).distinct()).scalars())
    found = []
    for mark in marks:
        token = "" if mark.machine.mark is None else mark.machine.mark.token
        if token not in tokens and (mark.group_uid in names or mark.group_uid not in removed):
            name = names.get(mark.group_uid, "")
            launched_at = mark.machine.launched_at.isoformat()
            found.append(Unrecorded(mark.cloud, mark.machine.machine_id, mark.group_uid, name, launched_at))
    return found


def strangers(connection: sa.Connection, marks: Sequence[Marked]) -> list[Marked]:
    """
    Those of *marks* that these records never launched.

    What they launched is on record before the cloud is called, and stays there: a leak of ours is no stranger, however
    long its instance is forgotten. A mark without a token tells nothing.
    """
    tokens = {mark.machine.mark.token for mark in marks if mark.machine.mark is not None and mark.machine.mark.token}
    if not tokens:
        return []
    rows = connection.execute(sa.select(instances.c.token).where(instances.c.token.in_(tokens)).distinct())
    unknown = tokens.difference(rows.scalars())
    unknown -= audit.launched(connection, unknown)
    return [mark for mark in marks if mark.machine.mark is not None and mark.machine.mark.token in unknown]


def listed(connection: sa.Connection) -> list[Unrecorded]:
    """Those that were found when the gateway last looked for them."""
    return [Unrecorded(**each) for each in json.loads(users.fact(connection, _LIST) or "[]")]


def note(connection: sa.Connection, found: Iterable[Unrecorded]) -> None:
    """Nothing; this is the list."""
    kept = [asdict(each) for each in found][:LISTED_MAX]
    users.replace_fact(connection, _LIST, json.dumps(kept))


def verdicts(connection: sa.Connection) -> Verdicts:
    """What operators have said so far; whom these records never launched is not for them to say."""
    return Verdicts(_places(connection, _CONDEMNED), _places(connection, _KEPT))


def condemn(connection: sa.Connection, machines: Iterable[Unrecorded]) -> None:
    """Nothing; these are given up, too."""
    _say(connection, _CONDEMNED, _KEPT, machines)


def keep(connection: sa.Connection, machines: Iterable[Unrecorded]) -> None:
    """Nothing; these are to be taken into their groups, too."""
    _say(connection, _KEPT, _CONDEMNED, machines)


def _say(connection: sa.Connection, verdict: str, other: str, machines: Iterable[Unrecorded]) -> None:
    """Nothing; the latest word on a machine counts, and what is not on the list any more is forgotten."""
    said = {(each.cloud, each.machine_id) for each in machines}
    there = {(each.cloud, each.machine_id) for each in listed(connection)}
    users.replace_fact(connection, verdict, json.dumps(sorted((_places(connection, verdict) | said) & there)))
    users.replace_fact(connection, other, json.dumps(sorted((_places(connection, other) - said) & there)))


def _places(connection: sa.Connection, verdict: str) -> frozenset[Place]:
    said = json.loads(users.fact(connection, verdict) or "[]")
    return frozenset((cloud, machine_id) for cloud, machine_id in said)
