"""
The smallest cloud that can go wrong: machines in a list that never forgets, and a few knobs.

Owns: the truth about births and deaths that tests compare with. Independent of the simulated cloud in backends.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from backends.cloud import CloudTraits, Inquiry, LaunchSpec, Machine, MachineState, Mark, Probe, Sweep
from backends.errors import Ambiguous, CloudError, NoCapacity, Unreachable

TRAITS = CloudTraits(token_is_idempotent=True, launch_batch_max=5, visible_after_s=2.0)


async def no_step() -> None:
    """Nothing, after letting others run."""
    await asyncio.sleep(0)


@dataclass(slots=True)
class Life:
    """One machine, from birth on."""

    machine_id: str
    mark: Mark
    index: int
    born_at: datetime
    died_at: datetime | None = None
    state: MachineState | None = None


@dataclass
class LittleCloud:
    """Knobs are plain attributes. *step* is awaited around every effect, so that a test can crash there."""

    name: str
    now: Callable[[], datetime]
    traits: CloudTraits = TRAITS
    step: Callable[[], Awaitable[None]] = no_step
    room: int | None = None
    boot_s: float = 0.0
    call_s: float = 0.0
    reply_s: float = 0.0
    """How long the answer to a launch takes after its effect."""
    launch_errors: list[Exception] = field(default_factory=list)
    terminate_errors: list[Exception] = field(default_factory=list)
    effect_s: float = 0.0
    """How long a launch takes before its effect."""
    late_s: float = 0.0
    """How long after a launch call its machines come into being, whether or not somebody waits for the answer."""
    lost_replies: int = 0
    extra: int = 0
    """Machines that the next launch makes beyond those it was asked for."""
    blind: str | None = None
    incomplete: bool = False
    empty_sweeps: int = 0
    forgets_dead: bool = False
    hides: set[str] = field(default_factory=set)
    """Machines that sweeps leave out, though they live."""
    denies: set[str] = field(default_factory=set)
    """Machines that are denied to whoever asks for them by id, though they live."""
    says_no: bool = True
    """Asked for a machine that it does not have, it says so; otherwise it answers without it."""
    inquiry_error: Exception | None = None
    ignored_terminations: int = 0
    lives: list[Life] = field(default_factory=list)
    launches: int = 0
    sweeps: int = 0
    inquiries: int = 0
    terminations: int = 0

    async def sweep(self) -> Sweep:
        """See the contract."""
        self.sweeps += 1
        started_at = self.now()
        await self._pass_time()
        if self.blind is not None:
            raise Unreachable(self.blind)
        born = [life for life in self.lives if life.born_at <= self.now()]
        shown = [self._machine(life) for life in born if life.died_at is None or not self.forgets_dead]
        shown = [machine for machine in shown if machine.machine_id not in self.hides]
        if self.empty_sweeps:
            self.empty_sweeps -= 1
            shown = []
        return Sweep(tuple(shown), not self.incomplete, started_at)

    async def inquire(self, machine_ids: Sequence[str]) -> Inquiry:
        """See the contract. A machine that sweeps leave out, though it lives, is known by its id."""
        self.inquiries += 1
        await self._pass_time()
        if self.blind is not None:
            raise Unreachable(self.blind)
        if self.inquiry_error is not None:
            raise self.inquiry_error
        known = [
            life
            for life in self.lives
            if life.machine_id in machine_ids
            and life.born_at <= self.now()
            and life.machine_id not in self.denies
            and (life.died_at is None or not self.forgets_dead)
        ]
        missing = frozenset(machine_ids) - {life.machine_id for life in known}
        return Inquiry(tuple(self._machine(life) for life in known), missing if self.says_no else frozenset())

    async def launch(self, spec: LaunchSpec, count: int, token: str, mark: Mark) -> list[Machine]:
        """See the contract."""
        assert spec.image_id
        self.launches += 1
        await self._pass_time()
        await asyncio.sleep(self.effect_s)
        if self.launch_errors:
            raise self.launch_errors.pop(0)
        if self.blind is not None:
            raise Unreachable(self.blind)
        known = [life for life in self.lives if life.mark.token == token] if self.traits.token_is_idempotent else []
        if not known:
            known = self._give_birth(count, mark)
        await self.step()
        if self.reply_s:
            await asyncio.sleep(self.reply_s)
        if self.lost_replies:
            self.lost_replies -= 1
            raise Ambiguous("the connection broke before the answer")
        return [self._machine(life) for life in known]

    async def terminate(self, machine_ids: Sequence[str]) -> None:
        """See the contract."""
        self.terminations += 1
        await self._pass_time()
        if self.blind is not None:
            raise Unreachable(self.blind)
        if self.terminate_errors:
            raise self.terminate_errors.pop(0)
        if self.ignored_terminations:
            self.ignored_terminations -= 1
            return
        for machine_id in machine_ids:
            if machine_id not in self.denies:
                self.kill(machine_id)
        await self.step()

    async def probe(self) -> Probe:
        """See the contract."""
        return Probe(reachable=self.blind is None)

    async def wait_for_change(self) -> None:
        """See the contract; this cloud announces nothing."""
        raise CloudError("this cloud announces nothing")

    async def close(self) -> None:
        """See the contract."""

    def alive(self, uid: str | None = None) -> list[Life]:
        """The machines that cost money now."""
        return [life for life in self.lives if life.died_at is None and uid in {None, life.mark.group_uid}]

    def kill(self, machine_id: str) -> None:
        """Nothing; the machine is dead, as if somebody had pulled its plug."""
        for life in self.lives:
            if life.machine_id == machine_id and life.died_at is None:
                life.died_at = self.now()

    async def _pass_time(self) -> None:
        await self.step()
        if self.call_s:
            await asyncio.sleep(self.call_s)

    def _give_birth(self, count: int, mark: Mark) -> list[Life]:
        free = count if self.room is None else min(count, self.room - len(self.alive()))
        if free <= 0:
            raise NoCapacity(f"{self.name} is full")
        free += self.extra
        self.extra = 0
        born_at = self.now() + timedelta(seconds=self.late_s)
        born = [Life(f"{self.name}-{len(self.lives) + i}", mark, i, born_at) for i in range(free)]
        self.lives += born
        return born

    def _machine(self, life: Life) -> Machine:
        state = life.state or MachineState.RUNNING
        if life.state is None and self.now() < life.born_at + timedelta(seconds=self.boot_s):
            state = MachineState.PENDING
        if life.died_at is not None:
            state = MachineState.TERMINATED
        return Machine(life.machine_id, state, life.mark, life.born_at, index=life.index)
