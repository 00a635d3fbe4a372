"""
Asks a monitoring system, regularly, for all groups that need it; what it said is ready when a pass wants it.

Owns: when who is asked, and how many at once. A pass never waits for a monitoring system: replacing the dead must not.
Does not own: the questions (``monitors``).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import aiohttp

from phantom_gateway.records.session import RecordsUnavailable
from phantom_gateway.sensors.monitors import Monitor, Subject, Trouble
from reconciler.model import GroupRecord, Readings

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Questions under way; more would burden a monitoring system that is slow already."""

GROUPS_MAX = 2_000
"""Groups asked for; with a question of 50 ms each and four at once, all of them take 25 s."""

FORGOTTEN_S = 300.0
"""A group that no pass asked about for this long is gone, or moved by something else: passes come every minute."""

SubjectOf = Callable[[GroupRecord], Awaitable[Subject]]
"""What there is to ask about a group."""


@dataclass(slots=True)
class _Watched:
    record: GroupRecord
    wanted_at_s: float
    readings: Readings | None = None


class Poller:
    """Polls *monitor* every *interval_s*. *wake* asks for a pass of a group that there is news of."""

    def __init__(
        self,
        monitor: Monitor,
        subject_of: SubjectOf,
        now: Callable[[], datetime],
        wake: Callable[[str], None],
        interval_s: float,
    ) -> None:
        self._monitor = monitor
        self._subject_of = subject_of
        self._now = now
        self._wake = wake
        self._interval_s = interval_s
        self._watched: dict[str, _Watched] = {}
        self._bell = asyncio.Event()
        self._said: str | None = None

    def readings(self, record: GroupRecord) -> Readings:
        """What was said last of the group's metric; it is asked for regularly from now on."""
        uid, loop_s = record.group.uid, asyncio.get_running_loop().time()
        watched = self._watched.get(uid)
        if watched is None or watched.record.group.policy != record.group.policy:
            if len(self._watched) >= GROUPS_MAX and uid not in self._watched:
                return Readings(trouble=f"{self._monitor.name} is asked for {GROUPS_MAX} groups already")
            watched = self._watched[uid] = _Watched(record, loop_s)
            self._bell.set()
        watched.record, watched.wanted_at_s = record, loop_s
        return watched.readings or Readings(trouble=f"{self._monitor.name} was not asked yet")

    async def run(self) -> None:
        """Never returns."""
        at_once = asyncio.Semaphore(AT_ONCE)
        async with aiohttp.ClientSession(auto_decompress=True, trust_env=False) as session:
            while True:
                self._bell.clear()
                self._forget()
                await asyncio.gather(*(self._ask(session, uid, at_once) for uid in list(self._watched)))
                try:
                    async with asyncio.timeout(self._interval_s):
                        await self._news()
                except TimeoutError:
                    continue

    async def _news(self) -> None:
        """Nothing, as soon as a group is watched that was not asked about yet."""
        await self._bell.wait()

    async def _ask(self, session: aiohttp.ClientSession, uid: str, at_once: asyncio.Semaphore) -> None:
        async with at_once:
            watched = self._watched.get(uid)
            if watched is None:
                return
            try:
                found = await self._monitor.ask(session, await self._subject_of(watched.record), self._now())
            except Trouble as trouble:
                watched.readings = Readings(trouble=str(trouble))
                self._tell(str(trouble))
            except RecordsUnavailable:
                watched.readings = Readings(trouble="the records cannot be read")
            else:
                watched.readings = Readings(found.of_instances, found.of_group)
                self._tell(None)
            self._wake(uid)

    def _forget(self) -> None:
        oldest_s = asyncio.get_running_loop().time() - FORGOTTEN_S
        for uid in [uid for uid, watched in self._watched.items() if watched.wanted_at_s < oldest_s]:
            del self._watched[uid]

    def _tell(self, trouble: str | None) -> None:
        """Nothing; a trouble is logged when it begins, and its end."""
        if trouble != self._said:
            self._said = trouble
            if trouble is None:
                log.info("sensors.monitor_answers", extra={"monitor": self._monitor.name})
            else:
                log.warning("sensors.monitor_silent", extra={"monitor": self._monitor.name, "reason": trouble})
