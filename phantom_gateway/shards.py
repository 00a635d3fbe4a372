"""
The leases of this gateway on a database that several share: kept up, believed for as long as they may be, given back.

Owns: the beat, and what may be done between two of them. Does not own: the rows (``records.leases``), or the work
(``reconciler``).
"""

import asyncio
import logging
import math
import socket
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from backends.threads import Threads
from phantom_gateway.records import leases
from phantom_gateway.records.leases import LEASE_S, Gateway, Standing
from phantom_gateway.records.session import Connection, Database, Job, RecordsUnavailable
from reconciler.lease import LeaseLost, shard_of

log = logging.getLogger(__name__)

T = TypeVar("T")

BEAT_S = 2.0
"""Between two signs of life. Longer: fewer may be missed before the leases are lost. Shorter: idle work."""

BEAT_S_MIN = 0.05
"""
The least between two, when the lease of another is about to end. Longer: its groups wait. Shorter: nothing is gained.
"""

MARGIN_S = 4.0
"""Before the end of the leases no call to a cloud begins any more: it takes a moment to get there."""

LISTEN_S = 0.25
"""Between two looks for groups that other gateways changed. Longer: they wait. Shorter: idle work."""


class AloneError(Exception):
    """Two gateways cannot share the database; the text says why, and what to do."""


class Shards:
    """
    Implements :class:`reconciler.lease.Lease`, and the fence of the ledger.

    *elapsed* gives seconds that pass even while this process, or its machine, is stopped; *now* the calendar's time.
    *changed* is called when shards have come or gone.
    """

    def __init__(
        self, database: Database, me: Gateway, elapsed: Callable[[], float], now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._me = me
        self._elapsed = elapsed
        self._now = now
        # Its own: jobs that wait for rows must not cost the leases. The first beat starts it, and none needs another.
        self._thread = Threads(1, "leases")
        self.changed: Callable[[], None] = lambda: None
        self._epochs: Mapping[int, int] = {}
        self._giving: frozenset[int] = frozenset()
        self._since: dict[int, datetime] = {}
        self._sure_until_s = 0.0
        self._living: Sequence[Gateway] = ()
        self._ends_at_s = math.inf
        self.gateways = 1
        self.place = 0

    # What the reconciler and the ledger ask.

    def owns(self, uid: str) -> bool:
        """See the port."""
        shard = shard_of(uid)
        return shard in self._epochs and shard not in self._giving

    def may_act(self, uid: str) -> bool:
        """See the port."""
        return self.owns(uid) and self._elapsed() < self._sure_until_s

    def since(self, uid: str) -> datetime | None:
        """See the port."""
        return self._since.get(shard_of(uid))

    def fence(self, connection: Connection, uid: str) -> None:
        """Nothing; the group is this gateway's until the transaction ends. Raises LeaseLost."""
        shard = shard_of(uid)
        epoch = self._epochs.get(shard)
        if epoch is None:
            raise LeaseLost(f"shard {shard} is not this gateway's")
        try:
            leases.check(connection, shard, self._me.boot, epoch)
        except LeaseLost:
            self._epochs = {number: known for number, known in self._epochs.items() if number != shard}
            raise

    def pass_on(self, connection: Connection, uid: str) -> None:
        """Nothing; who works on the group hears of it when the transaction is committed, unless it is us."""
        if not self.owns(uid):
            leases.wake(connection, shard_of(uid), uid)

    # Keeping them up.

    async def join(self) -> None:
        """
        Nothing; this gateway lives, and has what was free.

        Raises AloneError, and RecordsUnavailable.
        """
        await self._beat()
        others = [gateway for gateway in self._living if gateway.boot != self._me.boot]
        if others and (self._me.is_alone or any(gateway.is_alone for gateway in others)):
            await self.leave()
            hosts = ", ".join(sorted({gateway.host for gateway in others}))
            raise AloneError(
                f"Another gateway (on {hosts}) uses this database, and clouds of the kind local belong to one machine: "
                f"only one gateway may serve them. If the other one died just now, start again in {LEASE_S:g} s."
            )

    async def keep(self) -> None:
        """Never returns; signs of life, one after the other, and one when a lease of another gateway ends."""
        began_s = self._elapsed()
        while True:
            next_s = min(began_s + BEAT_S, self._ends_at_s)
            await asyncio.sleep(max(BEAT_S_MIN, next_s - self._elapsed()))
            began_s, self._ends_at_s = self._elapsed(), math.inf
            try:
                await self._beat()
            except RecordsUnavailable as unavailable:
                log.warning("lease.not_renewed", extra={"reason": str(unavailable)})

    async def listen(self, wake: Callable[[str], None]) -> None:
        """Never returns; *wake* is called with the uids of groups that other gateways changed."""
        was_deaf = False
        while True:
            await asyncio.sleep(LISTEN_S)
            mine = frozenset(self._epochs) - self._giving
            if not mine:
                continue
            try:
                for uid in await self._database.write(partial(leases.heard, mine=mine)):
                    wake(uid)
                was_deaf = False
            except RecordsUnavailable as unavailable:
                if not was_deaf:
                    log.warning("lease.deaf", extra={"reason": str(unavailable)})
                was_deaf = True

    async def leave(self) -> None:
        """Nothing; the shards are nobody's. When the database cannot be told, the leases have to run out."""
        self._epochs, self._sure_until_s = {}, 0.0
        try:
            await self._written(partial(leases.leave, me=self._me))
        except RecordsUnavailable as unavailable:
            log.warning("lease.not_given_back", extra={"reason": str(unavailable)})

    async def _beat(self) -> None:
        began_s, given = self._elapsed(), self._giving
        standing = await self._be_heard(given)
        self._believe(standing, began_s)

    async def _be_heard(self, given: frozenset[int]) -> Standing:
        return await self._written(partial(leases.be_heard, me=self._me, given=given))

    async def _written(self, job: Job[T]) -> T:
        try:
            future = asyncio.get_running_loop().run_in_executor(self._thread, self._database.write_now, job)
        except RuntimeError as error:
            raise RecordsUnavailable(f"no thread: {error}") from error
        return await future

    def _believe(self, standing: Standing, began_s: float) -> None:
        before = {shard: epoch for shard, epoch in self._epochs.items() if shard not in self._giving}
        for shard in [shard for shard in self._since if shard not in standing.mine]:
            del self._since[shard]
        for shard, epoch in standing.mine.items():
            if self._epochs.get(shard) != epoch:
                self._since[shard] = self._now()
        self._epochs, self._giving = standing.mine, standing.give
        self._sure_until_s = began_s + LEASE_S - MARGIN_S
        self._living = standing.living
        self._ends_at_s = self._elapsed() + standing.ends_in_s
        self.gateways = len(standing.living)
        self.place = [gateway.boot for gateway in standing.living].index(self._me.boot)
        after = {shard: epoch for shard, epoch in self._epochs.items() if shard not in self._giving}
        if after != before:
            extra = {"shards": len(after), "gateways": self.gateways}
            log.info("lease.changed", extra=extra)
            self.changed()


def this_gateway(state_directory: Path, *, is_alone: bool) -> Gateway:
    """
    A name for this run of the gateway that holds the lock on *state_directory*.

    Its place is that lock's: two that agree on it cannot both live.
    """
    lock = (state_directory / "lock").stat()
    kernel = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return Gateway(str(uuid.uuid4()), f"{kernel}:{lock.st_dev}:{lock.st_ino}", socket.gethostname()[:255], is_alone)
