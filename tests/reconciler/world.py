"""
A small world in virtual time: the real reconciler over a ledger in memory and little clouds.

Owns: starting, crashing and restarting the reconciler, and the questions that tests ask of the state of the world.
"""

import asyncio
import itertools
from collections.abc import Sequence
from contextlib import suppress
from random import Random

from backends.cloud import CloudTraits
from reconciler.accounts import Account
from reconciler.freezes import Freeze, Freezes
from reconciler.loop import Reconciler
from reconciler.model import FailBack, InstanceState, Process, RankedCloud
from reconciler.sensors import Sensors
from reconciler.verdicts import Verdicts
from tests.reconciler import virtual_time
from tests.reconciler.little_cloud import TRAITS, LittleCloud
from tests.reconciler.memory_ledger import MemoryLedger

SWEEP_INTERVAL_S = 5.0


class World:
    """Two clouds, hotel before sierra, and one ledger; they outlive every reconciler. Also the account book."""

    def __init__(self, seed: int = 0, traits: CloudTraits = TRAITS, sweep_interval_s: float = SWEEP_INTERVAL_S) -> None:
        self.sweep_interval_s = sweep_interval_s
        self.random = Random(seed)
        self.ledger = MemoryLedger(step=self._step)
        self.hotel = LittleCloud("hotel", virtual_time.now, traits, step=self._step)
        self.sierra = LittleCloud("sierra", virtual_time.now, traits, step=self._step)
        self.clouds = (self.hotel, self.sierra)
        self.known = {cloud.name: Account(cloud.name, cloud, cloud.traits) for cloud in self.clouds}
        self.sensors: Sensors | None = None
        self.steps_left: int | None = None
        self.freezes = Freezes()
        self._tokens = (f"token-{number}" for number in itertools.count(1))
        self._reconciler: Reconciler | None = None
        self._running: asyncio.Task[None] | None = None

    def account(self, user_id: int, cloud_name: str) -> Account | None:
        """See the port."""
        assert user_id == 7
        return self.known.get(cloud_name)

    def accounts(self) -> list[Account]:
        """See the port."""
        return list(self.known.values())

    def add_group(
        self,
        uid: str,
        desired: int,
        clouds: Sequence[RankedCloud | str] = ("hotel", "sierra"),
        fail_back: FailBack = FailBack.ON_REPLACEMENT,
    ) -> None:
        """Nothing; the group exists from now on, and the reconciler is waked for it."""
        ranked = tuple(RankedCloud(cloud) if isinstance(cloud, str) else cloud for cloud in clouds)
        self.ledger.put_group(uid, f"name-{uid}", 0, 100, desired, ranked)
        self.ledger.change_group(uid, fail_back=fail_back)
        self.wake(uid)

    async def set_desired(self, uid: str, desired: int) -> None:
        """Nothing; as SetDesiredCapacity does it."""
        await self.ledger.set_desired(uid, desired)
        self.wake(uid)

    async def suspend(self, uid: str, process: Process, reason: str = "a user wanted it") -> None:
        """Nothing; as SuspendProcesses does it."""
        await self.ledger.suspend(uid, process, reason, virtual_time.now())
        self.wake(uid)

    async def resume(self, uid: str, process: Process) -> None:
        """Nothing; as ResumeProcesses does it."""
        await self.ledger.resume(uid, process)
        self.wake(uid)

    async def freeze(self, *freezes: Freeze) -> None:
        """Nothing; these are frozen from now on, and nothing else."""
        self.freezes = Freezes(freezes)
        if self._reconciler is not None:
            await self._reconciler.freeze(self.freezes)

    def condemn(self, *machines: tuple[str, str]) -> None:
        """Nothing; an operator has given up these machines, by cloud and id."""
        assert self._reconciler is not None
        self._reconciler.judge(Verdicts(frozenset(machines)))

    async def delete(self, uid: str) -> None:
        """Nothing; as DeleteAutoScalingGroup does it."""
        await self.ledger.mark_deleting(uid)
        self.wake(uid)

    def wake(self, uid: str) -> None:
        """Nothing; what every API call does after its commit."""
        if self._reconciler is not None:
            self._reconciler.wake(uid)

    def passes(self) -> int:
        """How many the process has made that runs now."""
        assert self._reconciler is not None
        return self._reconciler.tally.passes.total()

    async def start(self) -> None:
        """Nothing; a new process takes over."""
        self._reconciler = Reconciler(
            self.ledger,
            self,
            gateway_id="gw",
            clock=virtual_time.now,
            random=Random(1),
            new_token=lambda uid: f"{uid}-{next(self._tokens)}",
            sweep_interval_s=self.sweep_interval_s,
            sensors=self.sensors,
        )
        await self._reconciler.freeze(self.freezes)
        self._running = asyncio.create_task(self._reconciler.run())
        await asyncio.sleep(0)

    async def crash(self) -> None:
        """Nothing; the process is gone between two steps, and nothing is cleaned up."""
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running
        self._reconciler, self._running, self.steps_left = None, None, None

    async def stop(self) -> None:
        """Nothing; an orderly end."""
        assert self._reconciler is not None
        assert self._running is not None
        await self._reconciler.close()
        await self._running

    async def run_until_crash(self, steps: int) -> None:
        """Nothing; a process ran for that many steps, or for a minute when there were fewer, and then crashed."""
        await self.start()
        self.steps_left = steps
        assert self._running is not None
        await asyncio.wait([self._running], timeout=60)
        await self.crash()

    def alive(self, uid: str = "g-1") -> list[str]:
        """Machine ids of the group on all clouds."""
        return [life.machine_id for cloud in self.clouds for life in cloud.alive(uid)]

    def spread(self, uid: str = "g-1") -> dict[str, int]:
        """Living machines of the group per cloud, clouds with none left out."""
        counts = {cloud.name: len(cloud.alive(uid)) for cloud in self.clouds}
        return {name: count for name, count in counts.items() if count}

    def born(self) -> int:
        """Every machine that ever lived."""
        return sum(len(cloud.lives) for cloud in self.clouds)

    def in_service(self, uid: str = "g-1") -> list[str]:
        """Machine ids that the ledger has in service."""
        states = self.ledger.instances(uid)
        return [str(i.machine_id) for i in states if i.state is InstanceState.IN_SERVICE]

    def has_converged(self, desired: int, uid: str = "g-1") -> bool:
        """True when exactly *desired* machines live and exactly they are on record."""
        records = self.ledger.instances(uid)
        alive = self.alive(uid)
        return len(alive) == desired == len(records) and sorted(alive) == sorted(self.in_service(uid))

    def orphans(self) -> dict[str, list[str]]:
        """Machine ids by account that no group stands for, as the reconciler reports them."""
        assert self._reconciler is not None
        return {key: [m.machine_id for m in machines] for key, machines in self._reconciler.orphans().items()}

    def waits(self, uid: str = "g-1") -> list[str]:
        """What the group last said it waits for."""
        return list(self.ledger.waiting[uid])

    def statuses(self, uid: str = "g-1") -> list[str]:
        """Status codes of all activities of the group."""
        return [activity.status_code for activity in self.ledger.told.get(uid, ())]

    async def _step(self) -> None:
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left <= 0 and self._running is not None:
                self._running.cancel()
                await asyncio.Event().wait()
        await asyncio.sleep(0)


async def settled(
    desired: int, clouds: Sequence[RankedCloud | str] = ("hotel", "sierra"), *, forgets_dead: bool = False
) -> World:
    """A world whose one group has what it desires."""
    world = World()
    world.hotel.forgets_dead = forgets_dead
    world.add_group("g-1", desired, clouds)
    await world.start()
    await asyncio.sleep(30)
    assert world.has_converged(desired)
    return world
