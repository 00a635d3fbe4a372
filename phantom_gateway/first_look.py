"""
Whether these records are the only ones that launch machines with our mark, and as new as the machines that bear it.

Owns: when that is asked, and what is concluded. Records restored from a backup, a database that failed over to a
replica that lagged, and a second gateway with a copy of our records look the same from here: there are machines that
these records never launched. Then nothing more is done, and a person says what they are. Does not own: the freeze.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from phantom_gateway.records import audit, freezes, home, instances, unrecorded, users
from phantom_gateway.records.session import Connection, Database
from reconciler.freezes import Freeze, Scope
from reconciler.loop import Reconciler
from reconciler.orphans import Marked
from reconciler.verdicts import Verdicts

log = logging.getLogger(__name__)

LOOK_S_MAX = 10.0
"""An account that has not answered after this is not waited for: what it shows later is judged then."""

POLL_S = 0.02

WATCH_EVERY_S = 2.0
"""Between two looks for machines that are not ours. Longer: more is done beside another gateway. Shorter: idle work."""

BY = "the gateway"

STRANGERS = (
    "{count} machines bear our mark and were never launched by these records: were they restored from a backup, or "
    "does a copy of them run elsewhere? phantom-gateway unrecorded lists them"
)

MOVED = (
    "these records were moved or copied since they were last used: make sure that nothing runs with what they were "
    "made from, then thaw"
)


WENT_BACK = (
    "the database has lost changes that it had committed (a replica that lagged took over, or a backup was restored): "
    "compare what users want with what there is, and see phantom-gateway unrecorded"
)


class StrangerError(Exception):
    """A machine that these records never launched would have been terminated, or taken in, and nobody had said so."""


class Lookout:
    """
    Freezes what has to be frozen. *place* says where the records are, apart from what is in them; see ``records.home``.

    A user's own account is his alone: what is found there freezes him, and nobody else.
    """

    def __init__(self, database: Database, place: str, now: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        self._database = database
        self._place = place
        self._now = now
        self._new_id = new_id
        self._ours: set[str] = set()
        self._strange: set[str] = set()
        """Tokens of living machines, as they were judged."""
        self._marks: Callable[[], list[Marked]] = list
        self._watched_at_s = float("-inf")

    async def look_around(self, reconciler: Reconciler) -> bool:
        """
        True when something was frozen at the start. Raises RecordsUnavailable.

        What was found before and thawed by a person freezes nothing again.
        """
        self._marks = reconciler.marks
        moved = await self._database.write(self._note_place)
        loop = asyncio.get_running_loop()
        until = loop.time() + LOOK_S_MAX
        while not reconciler.has_looked and loop.time() < until:  # noqa: ASYNC110 - accounts come and go; nothing rings a bell
            await asyncio.sleep(POLL_S)
        marks = reconciler.marks()
        found = bool(marks) and await self._database.write(partial(self._judge, marks=marks, everything=True))
        self._watched_at_s = loop.time()
        return moved or found

    async def watch(self) -> bool:
        """
        True when something was frozen: the database has gone back, or machines came to light since.

        Raises RecordsUnavailable.
        """
        heads = dict(self._database.heads)
        has_gone_back = bool(heads) and await self._database.read(partial(audit.has_gone_back, heads=heads))
        if has_gone_back:
            self._database.heads.clear()  # what it has now is what there is
            return await self._database.write(self._note_loss)
        elapsed_s = asyncio.get_running_loop().time()
        if elapsed_s - self._watched_at_s < WATCH_EVERY_S:
            return False
        self._watched_at_s = elapsed_s
        marks = self._marks()
        tokens = {_token(mark) for mark in marks}
        self._ours &= tokens
        self._strange &= tokens
        judged = self._ours | self._strange
        fresh = [mark for mark in marks if _token(mark) not in judged]
        if not fresh or not await self._database.read(partial(self._has_strangers, marks=fresh)):
            return False
        return await self._database.write(partial(self._judge, marks=marks))

    @property
    def strangers(self) -> frozenset[tuple[str, str]]:
        """Cloud and id of the living machines that these records never launched, as far as they have been judged."""
        if not self._strange:
            return frozenset()
        return frozenset(
            (mark.cloud, mark.machine.machine_id) for mark in self._marks() if _token(mark) in self._strange
        )

    def fresh(self, token: str) -> str:
        """*token*, which nothing bears yet: made just now."""
        self._ours.add(token)
        return token

    def vet(
        self, connection: Connection, cloud: str, machine_ids: Collection[str] = (), tokens: Collection[str] = ()
    ) -> None:
        """
        Nothing, when these machines may be terminated, or those with these tokens taken in, though nothing stands for
        them. Raises StrangerError: plans spare strangers, but a machine may come to light after the last look.
        """
        doubtful = bool(machine_ids) or not self._ours.issuperset(tokens)
        named, said = set(machine_ids), unrecorded.verdicts(connection) if doubtful else Verdicts()
        marks = [
            mark
            for mark in (self._marks() if doubtful else ())
            if mark.cloud == cloud
            and (
                (mark.machine.machine_id in named and (cloud, mark.machine.machine_id) not in said.condemned)
                or (_token(mark) in tokens and (cloud, mark.machine.machine_id) not in said.kept)
            )
        ]
        strangers = unrecorded.strangers(connection, marks)
        if strangers:
            ids = ", ".join(mark.machine.machine_id for mark in strangers)
            raise StrangerError(
                f"these records never launched {ids} on {cloud}, and nobody has said what becomes of it"
            )

    def _note_place(self, connection: Connection) -> bool:
        """True when the records are somewhere else than before, and something depends on them."""
        place = home.with_server(connection, self._place)
        before = users.fact(connection, home.FACT)
        if before == place:
            return False
        users.replace_fact(connection, home.FACT, place)
        if before is None or not instances.populated(connection):
            return False
        log.error("records.moved", extra={"place": place, "before": before})
        return freezes.lay(connection, Freeze(Scope.ALL, "", "", BY, self._now(), MOVED), self._new_id)

    def _note_loss(self, connection: Connection) -> bool:
        log.error("records.gone_back")
        return freezes.lay(connection, Freeze(Scope.ALL, "", "", BY, self._now(), WENT_BACK), self._new_id)

    def _has_strangers(self, connection: Connection, marks: list[Marked]) -> bool:
        strange = {_token(mark) for mark in unrecorded.strangers(connection, marks)}
        self._strange |= strange
        self._ours |= {_token(mark) for mark in marks} - strange
        return bool(strange)

    def _judge(self, connection: Connection, marks: list[Marked], *, everything: bool = False) -> bool:
        """True when machines that were not on the list were never launched here: then all is frozen, or a user."""
        before = {(each.cloud, each.machine_id) for each in unrecorded.listed(connection)}
        strangers = unrecorded.strangers(connection, marks)
        if everything or strangers:
            unrecorded.note(connection, unrecorded.among(connection, marks))
        self._strange |= {_token(mark) for mark in strangers}
        self._ours |= {_token(mark) for mark in marks} - self._strange
        news = [mark for mark in strangers if (mark.cloud, mark.machine.machine_id) not in before]
        if not news:
            return False
        log.error("records.older_than_machines", extra={"unrecorded": len(news), "marked": len(marks)})
        reason = STRANGERS.format(count=len(news))
        laid = [freezes.lay(connection, freeze, self._new_id) for freeze in self._freezes(connection, news, reason)]
        return any(laid)

    def _freezes(self, connection: Connection, strangers: Sequence[Marked], reason: str) -> list[Freeze]:
        """Everything; or, when they are all in accounts of users' own, these users."""
        owners = {mark.account_key: _owner(mark) for mark in strangers}
        everything = Freeze(Scope.ALL, "", "", BY, self._now(), reason)
        if not all(owners.values()):
            return [everything]
        found = [users.by_name(connection, name) for name in sorted(set(owners.values()))]
        return [
            replace(everything, scope=Scope.USER, name=str(user.id), label=user.name)
            for user in found
            if user is not None
        ]


def _owner(mark: Marked) -> str:
    """Whose own account shows the machine; "" when it is the operator's. ``accounts`` makes such keys."""
    return mark.account_key.removeprefix(mark.cloud).removeprefix("/")


def _token(mark: Marked) -> str:
    return "" if mark.machine.mark is None else mark.machine.mark.token
