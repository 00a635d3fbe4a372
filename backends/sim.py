"""
The kind ``sim``: a cloud in memory, for tests and simulations, with a clock and a chance that are passed in.

Owns: the contract's verbs over a ledger of every machine's birth and death, which tests read as the truth. Does not
own: which fault a call meets (``sim_faults``). No threads, no timers: what a machine is follows from the time.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from backends.cloud import CloudTraits, Inquiry, LaunchSpec, Machine, MachineState, Mark, Probe, Sweep
from backends.errors import Ambiguous, NoCapacity, Refused, Throttled, Unreachable
from backends.sim_faults import Fault, Faults, Verb

TRAITS = CloudTraits(token_is_idempotent=True, launch_batch_max=20, visible_after_s=0.0, announces_changes=True)
"""A well-behaved cloud. Tests pass others."""


@dataclass(slots=True)
class Life:
    """One machine from birth to death: a line of the ledger, never deleted. Times may lie in the future."""

    machine_id: str
    spec: LaunchSpec
    mark: Mark | None
    token: str
    index: int
    born_at: datetime
    running_at: datetime
    visible_at: datetime
    private_ip: str
    doomed_at: datetime | None = None
    """When it began to shut down."""
    died_at: datetime | None = None
    unlisted_at: datetime | None = None
    """When sweeps stop to show it."""
    state: MachineState | None = None
    """A state it was put into and stays in (stopped, error); None: as the times say."""
    reason: str = ""
    hidden: bool = False
    """It is left out of sweeps that claim to be complete, dead or alive."""

    def alive(self, now: datetime) -> bool:
        """True when it exists and may cost money: from birth to death, in whatever state."""
        return self.born_at <= now and (self.died_at is None or now < self.died_at)

    def listed(self, now: datetime) -> bool:
        """True when an honest sweep shows it."""
        return self.visible_at <= now and not self.hidden and (self.unlisted_at is None or now < self.unlisted_at)

    def state_at(self, now: datetime) -> MachineState:
        """Its state as the cloud shows it at *now*."""
        if self.died_at is not None and self.died_at <= now:
            return MachineState.TERMINATED
        if self.doomed_at is not None:
            return MachineState.SHUTTING_DOWN
        if self.state is not None:
            return self.state
        return MachineState.RUNNING if self.running_at <= now else MachineState.PENDING

    def next_change(self, now: datetime) -> datetime | None:
        """The next time after *now* at which a sweep shows something else of it; None when there is none."""
        times = (self.running_at, self.visible_at, self.died_at, self.unlisted_at)
        return min((time for time in times if time is not None and time > now), default=None)


@dataclass(slots=True)
class Habits:
    """How a simulated cloud behaves when nothing goes wrong. May be changed at any time."""

    call_s: float = 0.0
    """What every call takes before its effect."""
    boot_delay_s: float = 0.0
    """From birth to running."""
    terminate_delay_s: float = 0.0
    """From terminate to terminated."""
    visible_delay_s_max: float = 0.0
    """A new machine is missing from sweeps for a time drawn up to this; keep it within the trait visible_after_s."""
    dead_listed_s: float = 60.0
    """A dead machine is shown as terminated for this long; 0.0: it vanishes at once (OpenStack)."""
    images: frozenset[str] | None = field(default=None)
    """Image ids there are; None: any."""


class SimCloud:
    """The cloud *name* in memory. ``faults``, ``habits`` and ``capacity`` are knobs; ``ledger`` is the truth."""

    def __init__(
        self,
        name: str,
        *,
        clock: Callable[[], datetime],
        random: random.Random,
        traits: CloudTraits = TRAITS,
        capacity: int | None = None,
        habits: Habits | None = None,
        faults: Faults | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = name
        self.traits = traits
        self.capacity = capacity
        self.habits = habits or Habits()
        self.faults = faults or Faults()
        self.ledger: list[Life] = []
        self._clock = clock
        self._random = random
        self._sleep = sleep
        self._changed = asyncio.Event()
        self._shown_at: datetime | None = None

    # The contract's verbs.

    async def sweep(self) -> Sweep:
        """Every machine that the cloud shows. Raises Unreachable, Throttled or Refused by fault."""
        started_at = self._clock()
        fault = await self._met(Verb.SWEEP)
        if fault in {Fault.LOST_BEFORE, Fault.LOST_AFTER}:
            raise Unreachable(f"Cloud {self.name!r} did not answer")
        now = self._clock()
        self._changed.clear()
        self._shown_at = now
        shown = [self._as_machine(life, now) for life in self.ledger if life.listed(now)]
        if fault is Fault.INCOMPLETE_SWEEP:
            shown = self._random.sample(shown, self._random.randrange(len(shown))) if shown else []
        elif fault is Fault.EMPTY_SWEEP:
            shown = []
        await self._linger(fault)
        return Sweep(tuple(shown), complete=fault is not Fault.INCOMPLETE_SWEEP, started_at=started_at)

    async def inquire(self, machine_ids: Sequence[str]) -> Inquiry:
        """What sweeps show of them; what was never listed, or is not any more, does not exist. Raises by fault."""
        fault = await self._met(Verb.SWEEP)
        if fault in {Fault.LOST_BEFORE, Fault.LOST_AFTER}:
            raise Unreachable(f"Cloud {self.name!r} did not answer")
        now, wanted = self._clock(), set(machine_ids)
        shown = [self._as_machine(life, now) for life in self.ledger if life.machine_id in wanted and life.listed(now)]
        return Inquiry(tuple(shown), frozenset(wanted - {machine.machine_id for machine in shown}))

    async def launch(self, spec: LaunchSpec, count: int, token: str, mark: Mark) -> list[Machine]:
        """
        The machines made for *token*; with an idempotent token only those that it has not made yet are made now.

        Raises what the contract says, by fault; NoCapacity when full and Refused for an unknown image in earnest.
        """
        fault = await self._met(Verb.LAUNCH)
        if fault is Fault.NO_CAPACITY:
            raise NoCapacity(f"Cloud {self.name!r} has no capacity for {spec.instance_type}")
        if fault is Fault.LOST_BEFORE:
            raise Ambiguous(f"Cloud {self.name!r} did not answer to launch {token}")
        if self.habits.images is not None and spec.image_id not in self.habits.images:
            raise Refused(f"Image {spec.image_id!r} does not exist on cloud {self.name!r}")
        lives = self._made(spec, min(count, self.traits.launch_batch_max), token, mark, partial=fault is Fault.PARTIAL)
        if fault is Fault.LOST_AFTER:
            raise Ambiguous(f"Cloud {self.name!r} did not answer to launch {token}")
        await self._linger(fault)
        return [self._as_machine(life, self._clock()) for life in lives]

    async def terminate(self, machine_ids: Sequence[str]) -> None:
        """Nothing; the machines are shutting down. Unknown and dead ones are no error. Raises by fault."""
        fault = await self._met(Verb.TERMINATE)
        if fault is Fault.LOST_BEFORE:
            raise Ambiguous(f"Cloud {self.name!r} did not answer to terminate")
        now = self._clock()
        for life in self.ledger:
            if life.machine_id in machine_ids and life.alive(now) and life.doomed_at is None:
                self._die(life, now, self.habits.terminate_delay_s, "Terminated on request")
        if fault is Fault.LOST_AFTER:
            raise Ambiguous(f"Cloud {self.name!r} did not answer to terminate")
        await self._linger(fault)

    async def probe(self) -> Probe:
        """What the cloud offers; not reachable during an outage."""
        if self.faults.outage:
            return Probe(reachable=False, findings=(f"cloud {self.name!r} is down: end its outage",))
        return Probe(reachable=True, images=tuple(sorted(self.habits.images or ())), instance_types=("any",))

    async def wait_for_change(self) -> None:
        """Nothing, once a sweep would show something that the last one did not; time alone may bring that about."""
        while not self._changed.is_set():
            now = self._clock()
            since = self._shown_at or now
            due = min((time for life in self.ledger if (time := life.next_change(since)) is not None), default=None)
            if due is None:
                await self._changed.wait()
            elif due <= now:
                return
            else:
                await self._first_of(self._changed.wait(), self._sleep((due - now).total_seconds()))

    async def close(self) -> None:
        """Nothing; machines live on in the ledger."""

    # What happens to machines without anybody asking.

    def alive(self) -> list[Life]:
        """The machines that exist now, in whatever state, seen or not."""
        now = self._clock()
        return [life for life in self.ledger if life.alive(now)]

    def life(self, machine_id: str) -> Life:
        """The machine *machine_id*. Raises KeyError when there never was one."""
        for life in self.ledger:
            if life.machine_id == machine_id:
                return life
        raise KeyError(machine_id)

    def kill(self, machine_id: str, *, listed: bool = True, reason: str = "Its host failed") -> None:
        """Nothing; the machine is dead now. *listed* False: no sweep shows it any more, not even as terminated."""
        now = self._clock()
        life = self.life(machine_id)
        if life.alive(now):
            self._die(life, now, 0.0, reason)
            if not listed:
                life.unlisted_at = now

    def put(self, machine_id: str, state: MachineState, reason: str = "") -> None:
        """Nothing; the machine shows *state* (stopped, error, unknown) until it dies."""
        life = self.life(machine_id)
        life.state, life.reason = state, reason
        self._changed.set()

    def hide(self, machine_id: str) -> None:
        """Nothing; sweeps leave the machine out, though it lives."""
        self.life(machine_id).hidden = True
        self._changed.set()

    def show(self, machine_id: str) -> None:
        """Nothing; sweeps show the machine again."""
        self.life(machine_id).hidden = False
        self._changed.set()

    def plant(self, spec: LaunchSpec, mark: Mark | None) -> Life:
        """A machine that nobody launched through this object: another gateway's, a person's, or a forgotten one."""
        life = self._born(spec, mark, mark.token if mark else "", 0)
        self._changed.set()
        return life

    # How it works.

    async def _met(self, verb: Verb) -> Fault | None:
        """The fault that changes what this call does. Raises for those that end it before any effect."""
        fault = self.faults.next(verb, self._random)
        wait_s = self.habits.call_s + (self.faults.slow_call_s if fault is Fault.SLOW_BEFORE else 0.0)
        if wait_s:
            await self._sleep(wait_s)
        if fault is Fault.UNREACHABLE or self.faults.outage:
            raise Unreachable(f"Cloud {self.name!r} cannot be reached")
        if fault is Fault.THROTTLED:
            raise Throttled(f"Cloud {self.name!r}: too many calls", self.faults.throttle_s)
        if fault is Fault.REFUSED:
            raise Refused(f"Cloud {self.name!r} refuses to {verb}")
        return fault

    async def _linger(self, fault: Fault | None) -> None:
        if fault is Fault.SLOW_AFTER:
            await self._sleep(self.faults.slow_call_s)

    def _made(self, spec: LaunchSpec, count: int, token: str, mark: Mark, *, partial: bool) -> list[Life]:
        """The machines of *token*: those remembered and those made now. Raises NoCapacity when there are none."""
        now = self._clock()
        remembered: dict[int, Life] = {}
        if self.traits.token_is_idempotent:
            # Listed as dead is remembered; hidden or not visible yet is remembered too, because it exists.
            remembered = {
                life.index: life
                for life in self.ledger
                if life.token == token and (life.alive(now) or life.unlisted_at is None or now < life.unlisted_at)
            }
        missing = [index for index in range(count) if index not in remembered]
        if partial and len(missing) > 1:
            missing = missing[: self._random.randrange(1, len(missing))]
        if self.capacity is not None:
            room = max(0, self.capacity - len(self.alive()))
            if missing and not room and not remembered:
                raise NoCapacity(f"Cloud {self.name!r} is full: all {self.capacity} places are taken")
            missing = missing[:room]
        for index in missing:
            remembered[index] = self._born(spec, mark, token, index)
        if missing:
            self._changed.set()
        return [remembered[index] for index in sorted(remembered) if index < count]

    def _born(self, spec: LaunchSpec, mark: Mark | None, token: str, index: int) -> Life:
        now = self._clock()
        number = len(self.ledger) + 1
        life = Life(
            machine_id=f"i-{self._random.getrandbits(68):017x}",
            spec=spec,
            mark=mark,
            token=token,
            index=index,
            born_at=now,
            running_at=now + timedelta(seconds=self.habits.boot_delay_s),
            visible_at=now + timedelta(seconds=self._random.uniform(0.0, self.habits.visible_delay_s_max)),
            private_ip=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        )
        self.ledger.append(life)
        return life

    def _die(self, life: Life, now: datetime, delay_s: float, reason: str) -> None:
        """Nothing; *life* ends *delay_s* after *now*, and is shown dead for a while."""
        life.doomed_at = life.doomed_at or now
        life.died_at = now + timedelta(seconds=delay_s)
        life.unlisted_at = life.died_at + timedelta(seconds=self.habits.dead_listed_s)
        life.reason = reason
        self._changed.set()

    def _as_machine(self, life: Life, now: datetime) -> Machine:
        return Machine(
            machine_id=life.machine_id,
            state=life.state_at(now),
            mark=life.mark,
            launched_at=life.born_at,
            private_ip=life.private_ip,
            public_ip=None,
            zone=life.spec.zone,
            index=life.index if life.mark is not None else None,
            state_reason=life.reason,
        )

    @staticmethod
    async def _first_of(*waits: Awaitable[object]) -> None:
        """Nothing, once one of *waits* is over; the others are cancelled."""
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
