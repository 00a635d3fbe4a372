"""
The contract's verbs over one account that a driver of Libcloud reaches.

Owns: which calls make up a verb, and in which order: a launch looks before it orders, because no provider here takes a
launch token, and the name is the claim. Does not own: how calls are made (``lanes``), nor what differs (``provider``).
Nothing is known between calls: the provider is asked.
"""

import asyncio
import contextlib
import logging
import weakref
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from backends.cloud import CloudTraits, Inquiry, LaunchSpec, Machine, MachineState, Mark, Probe, Sweep
from backends.errors import Ambiguous, CloudError, Gone, NoCapacity, Refused
from backends.via_libcloud.errors import Verb, is_full
from backends.via_libcloud.lanes import Lanes
from backends.via_libcloud.names import name_of
from backends.via_libcloud.provider import Provider
from backends.via_libcloud.settings import Account, Limits

log = logging.getLogger(__name__)

SWEEP_DEADLINE_S = 60.0
"""A list that takes longer is no picture of any moment (the reconciler gives up at the same time)."""

LAUNCH_DEADLINE_S = 300.0
"""One order. CloudStack and GCE answer when the machine is there, which takes them minutes."""

END_DEADLINE_S = 180.0
"""Azure's network cards can be removed only after their machine is gone."""

PROBE_DEADLINE_S = 25.0
"""Somebody waits at a terminal."""

DECISION_S_MAX = 10.0
"""For which a launch waits for a place to be found. Nova's scheduler takes 1 to 5 s (measured)."""

DECISION_POLL_S = 0.5


class Answer(StrEnum):
    """What a provider said of an id beside showing its machine."""

    DENIED = "there is no such machine"
    NOTHING = "nothing"


class LibcloudCloud:
    """The cloud *name*: one account at one provider. Made without contact."""

    def __init__(
        self,
        name: str,
        provider: Provider,
        account: Account,
        limits: Limits,
        gateway_id: str,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self.name = name
        self.traits = CloudTraits(
            token_is_idempotent=provider.names_are_unique,
            launch_batch_max=limits.launch_batch_max,
            visible_after_s=limits.visible_after_s,
        )
        self._provider = provider
        self._limits = limits
        self._gateway_id = gateway_id
        self._clock = clock
        self._lanes = Lanes(name, limits, provider.connect, account.secrets)
        self._turns: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._launches: set[asyncio.Task[list[Machine]]] = set()

    # The contract's verbs.

    async def sweep(self) -> Sweep:
        """Every machine of ours; not complete when the provider may have kept some back."""
        started_at = self._clock()
        looked = await self._lanes.run(
            Verb.LOOK, lambda driver: self._provider.look(driver, self._is_ours), deadline_s=SWEEP_DEADLINE_S
        )
        return Sweep(looked.machines, complete=looked.complete, started_at=started_at)

    async def inquire(self, machine_ids: Sequence[str]) -> Inquiry:
        """What the provider says of these: what a list shows, and of the rest, what it says to each id."""
        looked = await self._lanes.run(
            Verb.LOOK, lambda driver: self._provider.look(driver, self._is_ours), deadline_s=SWEEP_DEADLINE_S
        )
        wanted = dict.fromkeys(machine_ids)
        shown = {machine.machine_id: machine for machine in looked.machines if machine.machine_id in wanted}
        hidden = [machine_id for machine_id in wanted if machine_id not in shown]
        denied = set()
        for machine_id, found in zip(hidden, await asyncio.gather(*map(self._one, hidden)), strict=True):
            if isinstance(found, Machine):
                shown[machine_id] = found
            elif found is Answer.DENIED:
                denied.add(machine_id)
        return Inquiry(tuple(shown.values()), frozenset(denied))

    async def launch(self, spec: LaunchSpec, count: int, token: str, mark: Mark) -> list[Machine]:
        """
        The machines of *token* with a position below *count*; those that are there already are not made again.

        A caller that gives up stops nothing halfway: whoever repeats the launch waits for its end, and then looks.
        Raises NoCapacity, Refused, Throttled or Unreachable (nothing happened), or Ambiguous (it may have).
        """
        if count < 1:
            return []
        self._check(spec, token, mark)
        turn = self._turns.setdefault(token, asyncio.Lock())
        launch = asyncio.create_task(
            self._launch(turn, spec, min(count, self._limits.launch_batch_max), mark), name=f"launch {token}"
        )
        self._launches.add(launch)
        launch.add_done_callback(self._launched)
        return await asyncio.shield(launch)

    async def terminate(self, machine_ids: Sequence[str]) -> None:
        """Nothing; all are on their way out, or gone. Raises Unreachable, Throttled or Refused, after trying all."""
        ids = list(dict.fromkeys(machine_ids))
        if not ids:
            return
        handles = await self._lanes.run(
            Verb.END,
            lambda driver: self._provider.handles(driver, ids, self._is_ours),
            deadline_s=SWEEP_DEADLINE_S,
        )
        outcomes = await asyncio.gather(*(self._destroy(handle) for handle in handles), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def probe(self) -> Probe:
        """What the provider offers, and what stands in the way. Never raises CloudError."""
        try:
            offers = await self._lanes.run(Verb.LOOK, self._provider.offers, deadline_s=PROBE_DEADLINE_S)
        except CloudError as error:
            return Probe(reachable=False, findings=(f"{error}: check the credentials and where the cloud is",))
        return Probe(True, offers.images, offers.sizes, offers.zones, offers.findings, limits=offers.limits)

    async def wait_for_change(self) -> None:
        """Nothing, ever: no provider here announces changes, and the traits say so."""
        await asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        """Nothing; calls under way are cut off, threads have ended. Machines live on."""
        await self._lanes.close()
        if self._launches:
            await asyncio.wait(self._launches)

    async def _one(self, machine_id: str) -> "Machine | Answer":
        try:
            machine = await self._lanes.run(
                Verb.END,
                lambda driver: self._provider.one(driver, machine_id, self._is_ours),
                deadline_s=SWEEP_DEADLINE_S,
            )
        except Gone:
            return Answer.DENIED
        return machine or Answer.NOTHING

    async def _destroy(self, handle: Any) -> None:
        with contextlib.suppress(Gone):
            await self._lanes.run(
                Verb.END, lambda driver: self._provider.destroy(driver, handle), deadline_s=END_DEADLINE_S
            )

    # Launching.

    def _check(self, spec: LaunchSpec, token: str, mark: Mark) -> None:
        """Nothing. Raises Refused when no such machine can be ordered, or could be recognised later."""
        if mark.gateway_id != self._gateway_id or Mark.of_token(token) != mark:
            raise Refused(f"{self.name} cannot tell later whose the machines of launch {token!r} are")
        most = self._limits.user_data_bytes_max
        if len(spec.user_data) > most:
            raise Refused(
                f"{self.name}: the user data has {len(spec.user_data)} bytes, this cloud takes {most} at most"
            )
        try:
            self._provider.check(spec)
        except Refused as error:
            raise Refused(f"{self.name}: {error}") from error

    async def _launch(self, turn: asyncio.Lock, spec: LaunchSpec, count: int, mark: Mark) -> list[Machine]:
        async with turn:
            looked = await self._lanes.run(
                Verb.LOOK,
                lambda driver: self._provider.look(driver, lambda other: other == mark),
                deadline_s=SWEEP_DEADLINE_S,
            )
            known = {machine.index: machine for machine in looked.machines}
            missing = [index for index in range(count) if index not in known]
            orders = (self._order(spec, index, mark) for index in missing)
            outcomes = await asyncio.gather(*orders, return_exceptions=True)
            return self._result(list(known.values()), outcomes)

    def _result(self, machines: list[Machine], outcomes: Sequence[Machine | BaseException]) -> list[Machine]:
        """All machines that are there, by position. Raises the problem when there is none, or when it is in doubt."""
        problems: list[BaseException] = []
        for outcome in outcomes:
            if isinstance(outcome, Machine):
                machines.append(outcome)
            else:
                problems.append(outcome)
        for problem in problems:
            if isinstance(problem, Ambiguous) or not isinstance(problem, CloudError):
                raise problem
        if problems and not machines:
            raise problems[0]
        return sorted(machines, key=lambda machine: machine.index or 0)

    async def _order(self, spec: LaunchSpec, index: int, mark: Mark) -> Machine:
        """The machine at position *index*. Raises CloudError."""
        name = name_of(mark.token, index)
        machine = await self._lanes.run(
            Verb.LAUNCH,
            lambda driver: self._provider.create(driver, spec, name, mark),
            deadline_s=LAUNCH_DEADLINE_S,
        )
        return await self._decided(machine) if self._provider.decides_later else machine

    async def _decided(self, machine: Machine) -> Machine:
        """
        The machine, once it has a place. Raises NoCapacity when none was found; then it is on its way out.

        Whatever else goes wrong here changes nothing: the machine is ordered, and sweeps will show what became of it.
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + DECISION_S_MAX
        while loop.time() < ends_at:
            try:
                now = await self._lanes.run(
                    Verb.LOOK,
                    lambda driver: self._provider.decided(driver, machine),
                    deadline_s=DECISION_S_MAX,
                )
            except CloudError:
                return machine
            if now is not None:
                return await self._placed(now)
            await asyncio.sleep(DECISION_POLL_S)
        return machine

    async def _placed(self, machine: Machine) -> Machine:
        if machine.state is not MachineState.ERROR or not is_full(machine.state_reason):
            return machine
        try:
            await self.terminate([machine.machine_id])
        except CloudError as error:
            # It bears our mark and no claim will be left: the reconciler ends it as one that nobody stands for.
            extra = {"cloud": self.name, "machine_id": machine.machine_id, "reason": str(error)}
            log.warning("machine.not_removed", extra=extra)
        raise NoCapacity(f"{self.name}: {machine.state_reason}")

    def _launched(self, launch: asyncio.Task[list[Machine]]) -> None:
        """Nothing; a launch whose caller gave up came to its end, and what came of it is asked for later."""
        self._launches.discard(launch)
        if not launch.cancelled():
            launch.exception()

    def _is_ours(self, mark: Mark) -> bool:
        return mark.gateway_id == self._gateway_id
