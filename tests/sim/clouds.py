"""
Clouds of a simulated universe, and how one life of the gateway reaches them.

Owns: a cloud whose every birth and termination the judge sees, and the line to it: a call goes on at the cloud when the
caller has given up or is gone.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from functools import partial
from random import Random
from typing import Any, Protocol, TypeVar

from backends.cloud import CloudTraits, Inquiry, LaunchSpec, Machine, MachineState, Mark, Probe, Sweep
from backends.errors import Ambiguous
from backends.sim import Life, SimCloud
from tests.sim.judge import Judge

T = TypeVar("T")


class Gate(Protocol):
    """What every step of one life of the gateway goes through; it is shut for ever when that life ends."""

    async def passes(self) -> None:
        """Nothing, after others could come first. Raises CancelledError once the life is over."""
        ...

    def reaches(self) -> None:
        """Nothing. Raises CancelledError once the life is over."""
        ...


class Court(Protocol):
    """Where what happens is told and judged."""

    judge: Judge

    def tell(self, line: str) -> None:
        """Nothing; *line* is part of the story."""
        ...

    def judged(self, look: Callable[[], None]) -> None:
        """Nothing; what *look* raises is kept."""
        ...


class JudgedCloud(SimCloud):
    """A simulated cloud under the eyes of the judge."""

    def __init__(
        self,
        name: str,
        clock: Callable[[], datetime],
        random: Random,
        traits: CloudTraits,
        court: "Court",
    ) -> None:
        super().__init__(name, clock=clock, random=random, traits=traits)
        self._court = court
        self._now = clock
        self._shown_last: dict[str, tuple[tuple[MachineState, str], Machine]] = {}

    async def launch(self, spec: LaunchSpec, count: int, token: str, mark: Mark) -> list[Machine]:
        """See the contract."""
        try:
            return await super().launch(spec, count, token, mark)
        except Ambiguous:
            if not self.traits.token_is_idempotent:
                self._court.judge.unknown_launch(mark.group_uid, count, self._now(), self.name)
            raise

    async def sweep(self) -> Sweep:
        """See the contract."""
        sweep = await super().sweep()
        now = self._now()
        if sweep.complete and not sweep.machines and any(life.listed(now) for life in self.ledger):
            self._court.judge.lied(self.name, now)
        return sweep

    async def terminate(self, machine_ids: Sequence[str]) -> None:
        """See the contract."""
        self._court.tell(f"{self.name}: is told to terminate {', '.join(machine_ids)}")
        for machine_id in machine_ids:
            life = self.life(machine_id)
            self._court.judged(partial(self._court.judge.terminating, self, life))
        await super().terminate(machine_ids)

    def forgets(self, spec: LaunchSpec, mark: Mark) -> Life:
        """A machine of ours that no life of the gateway remembers: no surplus of theirs, and a leak all the same."""
        life = super()._born(spec, mark, mark.token, 0)
        self._court.judge.forgotten.add(life.machine_id)
        self._changed.set()
        return life

    def told(self, uid: str) -> None:
        """Nothing; a life of the gateway sends a change of something of the group, which may never arrive."""
        self._court.judged(partial(self._court.judge.sent, self.name, uid))

    def _as_machine(self, life: Life, now: datetime) -> Machine:
        """As it is shown; the same as long as it shows the same: most of what sweeps show is no news."""
        key = (life.state_at(now), life.reason)
        known = self._shown_last.get(life.machine_id)
        if known is None or known[0] != key:
            known = self._shown_last[life.machine_id] = key, super()._as_machine(life, now)
        return known[1]

    def _born(self, spec: LaunchSpec, mark: Mark | None, token: str, index: int) -> Life:
        life = super()._born(spec, mark, token, index)
        self._court.tell(f"{self.name}: {life.machine_id} is born of {token}")
        self._court.judged(partial(self._court.judge.born, self, life, self._now()))
        return life


class Line:
    """The way of one life of the gateway to a cloud: what was sent is carried out, whoever still waits for it."""

    def __init__(self, cloud: JudgedCloud, gate: Gate, judge: Judge, clock: Callable[[], datetime]) -> None:
        """*clock* is the one of that life; the cloud has its own."""
        self.cloud = cloud
        self.name = cloud.name
        self.traits = cloud.traits
        self._gate = gate
        self._clock = clock
        self._judge = judge

    async def sweep(self) -> Sweep:
        """See the contract."""
        started_at = self._clock()
        seen = await self._asked(self.cloud.sweep())
        return Sweep(seen.machines, complete=seen.complete, started_at=started_at)

    async def launch(self, spec: LaunchSpec, count: int, token: str, mark: Mark) -> list[Machine]:
        """See the contract."""
        self.cloud.told(mark.group_uid)
        try:
            return await self._sent(self.cloud.launch(spec, count, token, mark))
        except asyncio.CancelledError:
            if not self.traits.token_is_idempotent:
                self._judge.unknown_launch(mark.group_uid, count, self.cloud._now())
            raise

    async def terminate(self, machine_ids: Sequence[str]) -> None:
        """See the contract."""
        for machine_id in machine_ids:
            mark = self.cloud.life(machine_id).mark
            self.cloud.told("" if mark is None else mark.group_uid)
        await self._sent(self.cloud.terminate(machine_ids))

    async def inquire(self, machine_ids: Sequence[str]) -> Inquiry:
        """See the contract."""
        return await self._asked(self.cloud.inquire(machine_ids))

    async def probe(self) -> Probe:
        """See the contract."""
        return await self._asked(self.cloud.probe())

    async def wait_for_change(self) -> None:
        """See the contract."""
        await self.cloud.wait_for_change()
        await self._gate.passes()

    async def close(self) -> None:
        """See the contract."""

    async def _asked(self, question: Coroutine[Any, Any, T]) -> T:
        """The answer to what has no effect, and need not go on when nobody waits for it any more."""
        try:
            await self._gate.passes()
        except BaseException:
            question.close()
            raise
        answer = await question
        self._gate.reaches()
        return answer

    async def _sent(self, call: Coroutine[Any, Any, T]) -> T:
        try:
            await self._gate.passes()
        except BaseException:
            call.close()
            raise
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        loop.create_task(call).add_done_callback(partial(_tell, answer))
        said = await answer
        self._gate.reaches()
        return said


def _tell(waiting: "asyncio.Future[T]", done: "asyncio.Task[T]") -> None:
    """Nothing; whoever still waits hears the answer, and one that nobody waits for any more is no error."""
    if done.cancelled():
        waiting.cancel()
        return
    error = done.exception()
    if waiting.done():
        return
    if error is None:
        waiting.set_result(done.result())
    else:
        waiting.set_exception(error)
