"""
From points to memory and records: whether each counts, whose it is, and when it is written.

Owns: the rules of what counts, the counters of what does not, and the regular jobs: writing, looking who is there, and
waking groups. Does not own: sockets, credentials (``senders``), or the sums (``memory``).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from phantom_gateway.operations.desk import to_nobody
from phantom_gateway.records import sensors
from phantom_gateway.records.sensors import Rollup
from phantom_gateway.records.session import Connection, Database, RecordsUnavailable
from phantom_gateway.sensors.memory import Memory
from phantom_gateway.sensors.whereabouts import NoTarget, Target, Whereabouts, taken

log = logging.getLogger(__name__)

OLDEST = timedelta(hours=1)
"""Samples older than this are dropped: a sender keeps some minutes back when it cannot send, not hours."""

AHEAD = timedelta(minutes=2)
"""Samples further in the future are dropped: clocks of VMs that nobody sets are off by seconds, or by years."""

WRITE_EVERY_S = 5.0
"""Lower: more commits. Higher: a crash loses more, and what is shown is older. Groups are moved from memory anyway."""

WRITE_SIZE = 50
"""Series in one transaction: some 1.5 ms, in which no request is answered."""

WRITE_PAUSE_S = 0.2
"""
Between two transactions, each of which keeps all requests waiting for its commit. Five thousand series take 20 s, and
what is shown is so much older; a hundred take less than one.
"""

LOOK_S_MIN = 2.0
"""A host that is unknown is looked for again after this; a new VM's first samples may come before."""

LOOK_S_MAX = 30.0
"""An instance that is gone has no data after this. Each look costs a millisecond per hundred instances."""

WAKE_EVERY_S = 5.0
"""A group gets a pass for news of its sensor this often at the most, as often as the original decided."""

SUMMARY_EVERY_S = 300.0
"""How often the counters are logged, when anything was counted."""


class Intake:
    """
    Takes points for everybody. *now* is the clock, *wake* asks for a pass of a group.

    *pass_on* is called in the transaction that writes news of a group's metric: its owner may be another gateway.
    """

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        wake: Callable[[str], None],
        series_per_user_max: int,
        pass_on: Callable[[Connection, str], None] = to_nobody,
    ) -> None:
        self._database = database
        self._now = now
        self._wake = wake
        self._pass_on = pass_on
        self._moving: frozenset[tuple[str, str]] = frozenset()
        """Groups and their metrics, as of the last look; only where another gateway may have to hear of samples."""
        self._series_per_user_max = series_per_user_max
        self.memory = Memory(series_per_user_max)
        self.counts: Counter[str] = Counter()
        """``taken``, and why points were dropped, since the start."""
        self.whereabouts = Whereabouts()
        self.looks = 0
        """Grows with every look; what was found in an older look may be another's by now."""
        self._looked_at_s = float("-inf")
        self._looking = asyncio.Lock()
        self._waking: dict[str, asyncio.TimerHandle] = {}
        self._woken_at_s: dict[str, float] = {}
        self._is_wanted = asyncio.Event()

    async def run(self) -> None:
        """Never returns; what came in is written, hosts are known, and counters are logged."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._write_forever())
                tasks.create_task(self._look_forever())
                tasks.create_task(self._tell_forever())
        finally:
            for timer in self._waking.values():
                timer.cancel()

    async def find(self, tags: Mapping[str, str], user_id: int | None) -> Target:
        """What a point with these tags is about; see :meth:`Whereabouts.find`. Raises NoTarget, RecordsUnavailable."""
        try:
            return self.whereabouts.find(tags, user_id)
        except NoTarget:
            if not await self.look(LOOK_S_MIN):
                raise
        return self.whereabouts.find(tags, user_id)

    async def look(self, age_s_max: float = 0.0) -> bool:
        """True when the last look is older than *age_s_max* and there was another now. Raises RecordsUnavailable."""
        self._is_wanted.set()
        async with self._looking:
            loop = asyncio.get_running_loop()
            if loop.time() - self._looked_at_s < age_s_max:
                return False
            self.whereabouts = await self._database.read(_whereabouts)
            if self._database.is_shared:
                self._moving = await self._database.read(sensors.moving)
            self.looks += 1
            self._looked_at_s = loop.time()
            return True

    def take(self, target: Target, metric: str, at_s: float, value: float, now_s: float) -> str | None:
        """None when the sample counts; else why it does not, in the word that it is counted by."""
        if not now_s - OLDEST.total_seconds() <= at_s <= now_s + AHEAD.total_seconds():
            return "too_old" if at_s < now_s else "in_the_future"
        # A clock that is a little ahead must not make a value fresh for longer than others.
        if not self.memory.add(target, metric, min(at_s, now_s), value):
            return "no_room"
        self.counts["taken"] += 1
        if self.memory.is_watched(target, metric):
            self.wake(target.group_uid)
        return None

    def wake(self, group_uid: str) -> None:
        """Nothing; the group gets a pass now, or as soon as ``WAKE_EVERY_S`` have passed since the last."""
        if group_uid in self._waking:
            return
        loop = asyncio.get_running_loop()
        due_s = self._woken_at_s.get(group_uid, float("-inf")) + WAKE_EVERY_S
        if due_s <= loop.time():
            self._wake_now(group_uid)
        else:
            self._waking[group_uid] = loop.call_at(due_s, self._wake_now, group_uid)

    async def write(self, pause_s: float = 0.0) -> None:
        """
        Nothing; what came in is in the records. What cannot be written is dropped, counted and told.

        Between transactions there are *pause_s*. Whoever cuts it short loses nothing: what is left is still in memory.
        """
        left = self.memory.unwritten  # what comes in meanwhile is the next round's
        while left > 0:
            await self._write_batch(self.memory.drain(min(left, WRITE_SIZE)))
            left -= WRITE_SIZE
            if left > 0 and pause_s:
                await asyncio.sleep(pause_s)
        self.memory.forget_idle(self._now())

    def forget(self, group_uid: str) -> None:
        """Nothing; the group is gone."""
        self.memory.forget_group(group_uid)
        self._woken_at_s.pop(group_uid, None)

    def _wake_now(self, group_uid: str) -> None:
        self._waking.pop(group_uid, None)
        self._woken_at_s[group_uid] = asyncio.get_running_loop().time()
        self._wake(group_uid)

    async def _write_forever(self) -> None:
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            await self.write(WRITE_PAUSE_S)

    async def _write_batch(self, batch: list[Rollup]) -> None:
        news = {each.name.group_uid for each in batch if (each.name.group_uid, each.name.metric) in self._moving}

        def job(connection: Connection) -> int:
            refused = sensors.add(connection, batch, self._series_per_user_max, self._now())
            for group_uid in sorted(news):
                self._pass_on(connection, group_uid)
            return refused

        try:
            refused = await self._database.write(job)
        except RecordsUnavailable as unavailable:
            self.counts["unwritten"] += len(batch)
            log.warning("sensors.not_written", extra={"minutes": len(batch), "reason": str(unavailable)})
            return
        if refused:
            self.counts["no_room"] += refused

    async def _look_forever(self) -> None:
        """Never returns; from the first sample on, who is there is looked up now and then."""
        await self._is_wanted.wait()
        while True:
            await asyncio.sleep(LOOK_S_MAX)
            try:
                await self.look(LOOK_S_MAX)
            except RecordsUnavailable as unavailable:
                log.warning("sensors.no_look", extra={"reason": str(unavailable)})
                continue
            for uid in set(self.memory.watched()) - set(self.whereabouts.group_names):
                self.forget(uid)

    async def _tell_forever(self) -> None:
        before: Counter[str] = Counter()
        while True:
            await asyncio.sleep(SUMMARY_EVERY_S)
            news = self.counts - before
            if news:
                log.info("sensors.counted", extra={**news, "series": len(self.memory), "over_s": SUMMARY_EVERY_S})
            before = self.counts.copy()


def _whereabouts(connection: Connection) -> Whereabouts:
    return taken(sensors.hosts(connection), sensors.living_groups(connection))
