"""
One group over two clouds, in accelerated time: the real reconciler and the real adapter over endpoints with faults.

Owns: the stage that scenarios play on, and the words they are written in. Does not own: the verdict
(:mod:`tests.real_clouds.judging`), the endpoints (:mod:`tests.real_clouds.sites`).
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

import pytest
from _pytest.mark import ParameterSet

from backends.cloud import token_for
from reconciler.accounts import Account
from reconciler.loop import Reconciler
from reconciler.model import Instance, InstanceState, RankedCloud
from tests.fake_ec2.faults import Fault
from tests.real_clouds.accelerated import AcceleratedLoop
from tests.real_clouds.sites import AWS, GATEWAY_ID, Dialect, Site
from tests.reconciler.memory_ledger import MemoryLedger

UID = "00112233-4455-6677-8899-aabbccddeeff"
OTHER_UID = "ffeeddcc-bbaa-9988-7766-554433221100"

SWEEP_INTERVAL_S = 5.0

POLL_S = 0.5
"""Between two looks at a condition, in the scenario's seconds."""

WITHIN_S = 900.0
"""For anything to happen, in the scenario's seconds: the longest back-off, a leak's 150 s, and a busy processor."""

USER_ID = 7


@dataclass(frozen=True, slots=True)
class Bounds:
    """
    What the judge lets pass beyond the invariants, because the scenario brings it about by itself.

    *surplus*: machines alive beyond desired. *ended*: machines that we may terminate. *launches*: RunInstances calls,
    *looks_per_s*: DescribeInstances calls in a second of the scenario.
    """

    surplus: int = 0
    ended: int = 0
    launches: int = 12
    looks_per_s: float = 1.5


class Stage:
    """
    Hotel before sierra, one ledger, one reconciler; also the account book.

    Scenario scripts plant faults, change the world, and wait for conditions. All seconds are the scenario's own.
    """

    def __init__(self, loop: AcceleratedLoop, hotel: Dialect, sierra: Dialect) -> None:
        self.loop = loop
        self.ledger = MemoryLedger()
        self.hotel = Site("hotel", hotel, loop)
        self.sierra = Site("sierra", sierra, loop)
        self.sites = (self.hotel, self.sierra)
        self.known: dict[str, Account] = {}
        self.desired_max: dict[str, int] = {}
        self.began_at = loop.timestamp()
        self._random = Random(0)
        self._reconciler: Reconciler | None = None
        self._running: asyncio.Task[None] | None = None

    # The account book.

    def account(self, user_id: int, cloud_name: str) -> Account | None:
        """See the port."""
        assert user_id == USER_ID
        return self.known.get(cloud_name)

    def accounts(self) -> list[Account]:
        """See the port."""
        return list(self.known.values())

    # The process.

    async def set_up(self) -> None:
        """Nothing; both clouds serve, and on each somebody else's machines run, one of them with our group's names."""
        for site in self.sites:
            self.known[site.name] = await site.start()
            site.plant()
            site.plant(Name=f"name-{UID}", phantom_group=UID)

    async def start(self) -> None:
        """Nothing; a gateway's reconciler runs."""
        self._reconciler = Reconciler(
            self.ledger,
            self,
            gateway_id=GATEWAY_ID,
            clock=self.loop.now,
            random=Random(1),
            new_token=self.new_token,
            sweep_interval_s=SWEEP_INTERVAL_S,
        )
        self._running = asyncio.create_task(self._reconciler.run())
        await asyncio.sleep(0)

    async def crash(self) -> None:
        """Nothing; the reconciler is gone in the midst of whatever it did."""
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running
        self._reconciler = self._running = None

    async def tear_down(self) -> None:
        """Nothing; nothing of it is left. Raises what the reconciler died of, if it did."""
        died = self._running is not None and self._running.done()
        try:
            if died and self._running is not None:
                await self._running
        finally:
            await self.crash()
            for site in self.sites:
                await site.stop()

    def new_token(self, uid: str = UID) -> str:
        """A launch token."""
        return token_for(GATEWAY_ID, uid, f"{self._random.getrandbits(48):012x}")

    # What users and operators do.

    def add_group(self, desired: int, *, uid: str = UID, hotel: int | None = None, clouds: Sequence[str] = ()) -> None:
        """Nothing; the group exists, at most *hotel* of it on hotel, and whatever there is on sierra."""
        ranked = tuple(RankedCloud(name, hotel if name == "hotel" else None) for name in clouds or ("hotel", "sierra"))
        self.ledger.put_group(uid, f"name-{uid}", 0, 100, desired, ranked)
        self.desired_max[uid] = desired
        self.wake(uid)

    async def desire(self, desired: int, uid: str = UID) -> None:
        """Nothing; as SetDesiredCapacity does it."""
        await self.ledger.set_desired(uid, desired)
        self.desired_max[uid] = max(desired, self.desired_max[uid])
        self.wake(uid)

    def wake(self, uid: str = UID) -> None:
        """Nothing; what every API call does after its commit."""
        if self._reconciler is not None:
            self._reconciler.wake(uid)

    # What can be seen.

    def alive(self, uid: str = UID) -> dict[str, int]:
        """Machines of the group that work, by cloud."""
        return {site.name: len(site.alive(uid)) for site in self.sites}

    def members(self, uid: str = UID) -> list[Instance]:
        """The group's instances in our ledger."""
        return self.ledger.instances(uid)

    def in_service(self, uid: str = UID) -> int:
        """Those in service."""
        return sum(1 for instance in self.members(uid) if instance.state is InstanceState.IN_SERVICE)

    def is_sighted(self) -> bool:
        """True when the first look at each cloud is over: another was asked for, or has begun."""
        return all(len(site.world.ledger.calls_of("DescribeInstances")) > 1 for site in self.sites)

    def is_settled(self) -> bool:
        """True when every group has what it wants, and the clouds hold nothing else of it."""
        return all(self._is_settled(uid) for uid in self.ledger.groups)

    def _is_settled(self, uid: str) -> bool:
        members = self.members(uid)
        ours = {(member.cloud, member.machine_id) for member in members}
        theirs = {(site.name, found) for site in self.sites for found in site.world.ledger.unreleased_of_group(uid)}
        desired = self.ledger.groups[uid].desired
        return self.in_service(uid) == len(members) == desired and ours == theirs

    def terminations(self) -> int:
        """Calls that would end something."""
        return sum(len(site.world.ledger.calls_of("TerminateInstances")) for site in self.sites)

    # Time.

    async def until(self, condition: Callable[[], bool], what: str, within_s: float = WITHIN_S) -> None:
        """Nothing, as soon as *condition* holds. Raises AssertionError that names *what* did not happen."""
        deadline = self.loop.time() + within_s
        while not condition():
            if self.loop.time() > deadline:
                raise AssertionError(f"waited {within_s:g} s for {what}")
            await asyncio.sleep(POLL_S)

    async def settled(self, within_s: float = WITHIN_S) -> None:
        """Nothing, as soon as every group is settled."""
        await self.until(self.is_settled, "I2, I5: every group to have what it wants, and nothing else", within_s)

    async def throughout(self, seconds: float, condition: Callable[[], bool], what: str) -> None:
        """Nothing, after *seconds* in which *condition* always held. Raises AssertionError when it did not."""
        ends_at = self.loop.time() + seconds
        while self.loop.time() < ends_at:
            assert condition(), f"not so: {what}"
            await asyncio.sleep(POLL_S)

    async def elapsed(self, seconds: float) -> None:
        """Nothing, after *seconds*: for steps of a script whose time is the point, such as an outage of ten seconds."""
        await asyncio.sleep(seconds)

    async def struck(self, times: int = 1, *, site: Site | None = None, action: str = "") -> None:
        """Nothing, as soon as *times* faults have struck (on hotel)."""
        where = site or self.hotel
        await self.until(lambda: where.fired(action) >= times, f"{times} faults to strike on {where.name}")


Script = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    A script on a stage, and what the judge allows. *name* begins with the F-numbers it is about.

    *settle_s*: how long it may take, faults over, until every group has what it wants.
    """

    name: str
    script: Script
    hotel: Dialect = AWS
    sierra: Dialect = AWS
    bounds: Bounds = field(default_factory=Bounds)
    settle_s: float = WITHIN_S

    def __str__(self) -> str:
        return self.name


def at_launch(*faults: Fault, desired: int = 3, clouds: Sequence[str] = ()) -> Script:
    """A script: *faults* wait on hotel when a group of *desired* is made; it ends when each has struck once."""

    async def script(stage: Stage) -> None:
        stage.hotel.plan.add(*faults)
        stage.add_group(desired, clouds=clouds)
        await stage.start()
        await stage.struck(len(faults))

    return script


def when_settled(*faults: Fault, desired: int = 3, then: Script) -> Script:
    """A script: a group of *desired* is there, *faults* are planted on hotel, and *then* goes on."""

    async def script(stage: Stage) -> None:
        stage.add_group(desired)
        await stage.start()
        await stage.settled()
        stage.hotel.plan.add(*faults)
        await then(stage)

    return script


def on_each(dialects: Iterable[Dialect], name: str, script: Script, bounds: Bounds | None = None) -> list[Scenario]:
    """The same script once on each of *dialects*, hotel's that is."""
    return [Scenario(f"{name}, {dialect.name}", script, dialect, bounds=bounds or Bounds()) for dialect in dialects]


def cases(*parts: Iterable[Scenario]) -> list[ParameterSet]:
    """All scenarios of *parts* as parameters of a test."""
    return [pytest.param(scenario, id=scenario.name) for scenario in itertools.chain.from_iterable(parts)]
