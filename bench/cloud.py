"""
A cloud in memory whose verbs cost next to nothing, so that what is measured is the gateway.

Owns: machines that run at once when launched and vanish when terminated; every verb takes the same time however many
machines there are, sweeps aside. The simulated cloud of the tests keeps every machine that ever was and searches them
all: with thousands it would be the larger part of the figures.
"""

import itertools
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from backends.cloud import CloudTraits, Inquiry, LaunchSpec, Machine, MachineState, Mark, Probe, Sweep
from backends.errors import NoCapacity

TRAITS = CloudTraits(token_is_idempotent=True, launch_batch_max=20, visible_after_s=0.0)


class MemoryCloud:
    """The cloud *name*. A *full* one refuses every launch. *tell* hears the monotonic time of every launch call."""

    def __init__(
        self, name: str, clock: Callable[[], datetime], *, full: bool = False, tell: Callable[[float], None] | None
    ) -> None:
        self.name = name
        self.traits = TRAITS
        self._clock = clock
        self._full = full
        self._tell = tell
        self._machines: dict[str, Machine] = {}
        self._of_token: dict[str, list[str]] = {}
        self._numbers = itertools.count(1)

    async def sweep(self) -> Sweep:
        """Every machine."""
        return Sweep(tuple(self._machines.values()), complete=True, started_at=self._clock())

    async def inquire(self, machine_ids: Sequence[str]) -> Inquiry:
        """Those that it has; no others exist."""
        known = tuple(self._machines[machine_id] for machine_id in machine_ids if machine_id in self._machines)
        return Inquiry(known, frozenset(machine_ids) - self._machines.keys())

    async def launch(self, spec: LaunchSpec, count: int, token: str, mark: Mark) -> list[Machine]:
        """The machines of *token*, running. Raises NoCapacity when full."""
        if self._tell is not None:
            self._tell(time.monotonic())
        if self._full:
            raise NoCapacity(f"Cloud {self.name!r} has no capacity for {spec.instance_type}")
        known = self._of_token.setdefault(token, [])
        for index in range(len(known), count):
            machine = self._born(index, mark)
            known.append(machine.machine_id)
        return [self._machines[machine_id] for machine_id in known if machine_id in self._machines]

    async def terminate(self, machine_ids: Sequence[str]) -> None:
        """Nothing; they are gone."""
        for machine_id in machine_ids:
            machine = self._machines.pop(machine_id, None)
            if machine is not None and machine.mark is not None:
                self._of_token.pop(machine.mark.token, None)

    async def probe(self) -> Probe:
        """Reachable."""
        return Probe(reachable=True)

    async def wait_for_change(self) -> None:
        """Not announced by the traits, so never asked for."""
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing."""

    def _born(self, index: int, mark: Mark) -> Machine:
        number = next(self._numbers)
        machine = Machine(
            machine_id=f"i-{number:017x}",
            state=MachineState.RUNNING,
            mark=mark,
            launched_at=self._clock(),
            private_ip=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            index=index,
        )
        self._machines[machine.machine_id] = machine
        return machine
