"""
The first look around after a start: whether these records are as new as the machines that bear their marks.

Owns: when that is known, and what is concluded. Records restored from a backup of hours ago know nothing of the
machines launched since: the gateway then starts frozen, and a person says what they are. Does not own: the freeze.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial

from phantom_gateway.records import freezes, unrecorded
from phantom_gateway.records.session import Connection, Database
from reconciler.freezes import Freeze, Scope
from reconciler.loop import Reconciler
from reconciler.orphans import Marked

log = logging.getLogger(__name__)

LOOK_S_MAX = 10.0
"""An account that has not answered after this is not waited for: what it shows later is reported, and left alone."""

POLL_S = 0.02

FEW = 2
SHARE = 0.2
"""Of all machines with our mark. So few may be leaks of a crash; more are a sign of old records."""

REASON = (
    "{count} machines bear marks that these records do not know: were they restored from a backup, or does a copy of "
    "them run elsewhere? phantom-gateway unrecorded lists them"
)


async def look_around(
    reconciler: Reconciler, database: Database, now: Callable[[], datetime], new_id: Callable[[], str]
) -> bool:
    """
    True when everything was frozen, because too many machines are not on record. Raises RecordsUnavailable.

    What was found before and thawed by a person freezes nothing again.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + LOOK_S_MAX
    while not reconciler.has_looked and loop.time() < until:  # noqa: ASYNC110 - accounts come and go; nothing rings a bell
        await asyncio.sleep(POLL_S)
    marks = reconciler.marks()
    return bool(marks) and await database.write(partial(_conclude, marks=marks, now=now(), new_id=new_id))


def _conclude(connection: Connection, marks: list[Marked], now: datetime, new_id: Callable[[], str]) -> bool:
    before = set(unrecorded.listed(connection))
    found = unrecorded.among(connection, marks)
    unrecorded.note(connection, found)
    if len(found) <= FEW or len(found) <= SHARE * len(marks) or before.issuperset(found[: unrecorded.LISTED_MAX]):
        return False
    reason = REASON.format(count=len(found))
    log.error("records.older_than_machines", extra={"unrecorded": len(found), "marked": len(marks)})
    return freezes.lay(connection, Freeze(Scope.ALL, "", "", "the gateway", now, reason), new_id)
