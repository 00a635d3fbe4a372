"""
Several gateways in virtual time over one ledger and two clouds; they are killed, frozen, thawed and started again.

Owns: who runs and who does not, and the leases that the server would keep: rows in memory, changed by the same
arithmetic. Leases are believed and fenced by the product's own code.
"""

import asyncio
import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from random import Random
from typing import Any

from phantom_gateway.records.leases import LEASE_S, Gateway, Standing
from phantom_gateway.records.session import RecordsUnavailable
from phantom_gateway.shards import Shards
from reconciler.accounts import Account
from reconciler.lease import SHARDS, LeaseLost, shard_of, share
from reconciler.loop import Reconciler
from reconciler.model import Group, RankedCloud
from tests.reconciler import virtual_time
from tests.reconciler.little_cloud import LittleCloud
from tests.reconciler.memory_ledger import MemoryLedger

_running: "ContextVar[Running | None]" = ContextVar("running", default=None)
"""The gateway whose code runs: everything that it starts inherits it."""

_changing: "ContextVar[str | int | None]" = ContextVar("changing", default=None)
"""The uid of the group, or the key of the instance, that a verb of the ledger is about to change."""


CAUGHT_S_MAX = 7.0
"""A sweep, and the pass that comes of it."""


@dataclass
class Board:
    """The rows that gateways share: when each was heard, and whose each shard is since which epoch."""

    heard_at_s: dict[str, float] = field(default_factory=dict)
    owners: dict[int, str | None] = field(default_factory=lambda: dict.fromkeys(range(SHARDS)))
    epochs: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(SHARDS), 0))
    takeovers: int = 0
    """Gateways that lost shards because they were not heard of."""

    def be_heard(self, boot: str, given: frozenset[int]) -> Standing:
        """As :func:`phantom_gateway.records.leases.be_heard`."""
        now_s = asyncio.get_running_loop().time()
        self.heard_at_s[boot] = now_s
        stale = [other for other, at_s in self.heard_at_s.items() if at_s < now_s - LEASE_S]
        for other in stale:
            del self.heard_at_s[other]
            self.takeovers += other in self.owners.values()
        for number in given:
            if self.owners[number] == boot:
                self.owners[number] = None
        mine = {number for number, owner in self.owners.items() if owner == boot}
        free = {number for number, owner in self.owners.items() if owner not in self.heard_at_s} - given
        wanted = share(mine, free, len(self.heard_at_s))
        for number in wanted.take:
            self.owners[number] = boot
            self.epochs[number] += 1
        living = [Gateway(other, other, "host", is_alone=False) for other in sorted(self.heard_at_s)]
        ends_at_s = min((at_s for other, at_s in self.heard_at_s.items() if other != boot), default=math.inf) + LEASE_S
        return Standing({n: self.epochs[n] for n in mine | wanted.take}, wanted.give, living, ends_at_s - now_s)


class BoardShards(Shards):
    """The product's leases, kept on a board in memory."""

    def __init__(self, board: Board, boot: str, world: "SharedWorld") -> None:
        super().__init__(world, Gateway(boot, boot, "host", is_alone=False), world.elapsed_s, virtual_time.now)  # type: ignore[arg-type]
        self._board = board
        self._boot = boot
        self._world = world

    async def _be_heard(self, given: frozenset[int]) -> Standing:
        await self._world.step()
        return self._board.be_heard(self._boot, given)

    def may_act(self, uid: str) -> bool:
        """See the port; a heedless gateway always thinks so."""
        return not self._world.is_heedful or super().may_act(uid)

    def check(self, uid: str) -> None:
        """Nothing, when a change of the group would be let through. Raises LeaseLost."""
        if not self._world.is_heedful:
            return
        shard = shard_of(uid)
        if self._epochs.get(shard) != self._board.epochs[shard] or self._board.owners[shard] != self._boot:
            raise LeaseLost(f"shard {shard} has another owner")


@dataclass
class Running:
    """One gateway that runs, or is frozen in whatever it does."""

    boot: str
    shards: BoardShards
    thawed: asyncio.Event
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    snare: int | None = None
    """Steps that it still takes, from its next change of a group on, before it is caught there."""
    is_changing: bool = False
    caught: asyncio.Event = field(default_factory=asyncio.Event)


class FencedLedger(MemoryLedger):
    """A ledger that asks the gateway's fence in each verb that changes something, at the moment of the change."""

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in _VERBS:
            return found

        async def fenced(first: Any, *rest: Any) -> Any:
            token = _changing.set(first[0] if isinstance(first, list | tuple) and first else first)
            try:
                return await found(first, *rest)
            finally:
                _changing.reset(token)

        return fenced


_VERBS = frozenset({
    "claim", "bind", "promote", "release", "retire", "note_dismissed", "bury", "forgive", "note_launch_failed",
    "note_launched", "note_crash", "suspend", "remove_group",
})  # fmt: skip


class SharedWorld:
    """
    Gateways by number. Also the account book.

    Where it is not *is_heedful*, neither the fence nor the clock of a lease holds anybody up: what must not be.
    """

    def __init__(self, seed: int, count: int, *, is_heedful: bool = True) -> None:
        self.is_heedful = is_heedful
        self.random = Random(seed)
        self.board = Board()
        self.ledger = FencedLedger(step=self.step)
        self.clouds = [LittleCloud(name, virtual_time.now, step=self.step) for name in ("hotel", "sierra")]
        for cloud in self.clouds:
            cloud.call_s = 0.05
        self.known = {cloud.name: Account(cloud.name, cloud, cloud.traits) for cloud in self.clouds}
        self.gateways: list[Running | None] = [None] * count
        self.most: dict[str, int] = {}
        """The most machines of each group that were ever alive at once."""
        self._born = 0
        self._tokens = itertools.count(1)
        self._boots = itertools.count(1)

    def account(self, user_id: int, cloud_name: str) -> Account | None:
        """See the port."""
        assert user_id
        return self.known.get(cloud_name)

    def accounts(self) -> list[Account]:
        """See the port."""
        return list(self.known.values())

    def elapsed_s(self) -> float:
        """Seconds that pass while a gateway is frozen, too."""
        return asyncio.get_running_loop().time()

    def add_group(self, uid: str, desired: int) -> None:
        """Nothing; the group is there. Its owner finds it at its next look."""
        self.ledger.put_group(uid, f"name-{uid}", 0, 100, desired, (RankedCloud("hotel"), RankedCloud("sierra")))

    @property
    def groups(self) -> dict[str, Group]:
        """All groups."""
        return self.ledger.groups

    def start(self, number: int) -> None:
        """Nothing; the gateway runs."""
        boot = f"{number}-{next(self._boots)}"
        shards = BoardShards(self.board, boot, self)
        thawed = asyncio.Event()
        thawed.set()
        gateway = Running(boot, shards, thawed)
        reconciler = Reconciler(
            self.ledger,
            self,
            gateway_id="gw",
            clock=virtual_time.now,
            random=Random(self.random.random()),
            new_token=lambda uid: f"{uid}-{boot}-{next(self._tokens)}",
            sweep_interval_s=5.0,
            lease=shards,
        )
        shards.changed = reconciler.share_out
        with _as(gateway):
            gateway.tasks = [
                asyncio.create_task(reconciler.run()),
                asyncio.create_task(self._keep(shards)),
            ]
        self.gateways[number] = gateway

    async def kill(self, number: int) -> None:
        """Nothing; the gateway is gone between two steps, and gives nothing back."""
        gateway = self.gateways[number]
        assert gateway is not None
        self.gateways[number] = None
        for task in gateway.tasks:
            task.cancel()
        for task in gateway.tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def catch(self, number: int) -> None:
        """Nothing; the gateway is frozen, in the midst of a change if it makes one soon."""
        gateway = self.gateways[number]
        assert gateway is not None
        gateway.snare, gateway.is_changing = self.random.randint(0, 4), False
        gateway.caught.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(CAUGHT_S_MAX):
                await gateway.caught.wait()
        gateway.snare = None
        gateway.thawed.clear()

    def owner(self, uid: str) -> int | None:
        """The number of the gateway that works on the group, if any runs."""
        owner = self.board.owners[shard_of(uid)]
        for number, gateway in enumerate(self.gateways):
            if gateway is not None and gateway.boot == owner:
                return number
        return None

    def thaw(self, number: int) -> None:
        """Nothing; it goes on where it was."""
        gateway = self.gateways[number]
        assert gateway is not None
        gateway.thawed.set()

    def has_converged(self) -> bool:
        """True when every group has exactly what it wants, alive and on record."""
        return all(
            self.alive(uid) == group.desired == len(self.ledger.instances(uid)) for uid, group in self.groups.items()
        )

    def alive(self, uid: str) -> int:
        """Machines of the group that live."""
        return sum(len(cloud.alive(uid)) for cloud in self.clouds)

    def kill_machine(self, uid: str) -> None:
        """Nothing; one of the group's machines is dead, if it had any."""
        lives = [(cloud, life) for cloud in self.clouds for life in cloud.alive(uid)]
        if lives:
            cloud, life = self.random.choice(lives)
            cloud.kill(life.machine_id)

    async def step(self) -> None:
        """Nothing; between two effects of whichever gateway runs, which may stay here for long. Raises LeaseLost."""
        gateway = _running.get()
        changing = _changing.get()
        await asyncio.sleep(0)
        if gateway is not None and gateway.snare is not None and (changing is not None or gateway.is_changing):
            gateway.is_changing = True
            gateway.snare -= 1
            if gateway.snare < 0:
                gateway.snare, gateway.is_changing = None, False
                gateway.thawed.clear()
                gateway.caught.set()
        while gateway is not None and not gateway.thawed.is_set():
            await gateway.thawed.wait()
        born = sum(len(cloud.lives) for cloud in self.clouds)
        if born != self._born:
            self._born = born
            for uid in self.groups:
                self.most[uid] = max(self.most.get(uid, 0), self.alive(uid))
        if gateway is not None and changing is not None:
            changed = changing if isinstance(changing, str) else self._group_of(changing)
            if changed is not None:
                gateway.shards.check(changed)

    def _group_of(self, key: int) -> str | None:
        row = self.ledger.rows.get(key)
        return None if row is None else row.uid

    async def _keep(self, shards: BoardShards) -> None:
        with suppress(RecordsUnavailable):
            await shards.join()
            await shards.keep()


@contextmanager
def _as(gateway: Running) -> Iterator[None]:
    token = _running.set(gateway)
    try:
        yield
    finally:
        _running.reset(token)
