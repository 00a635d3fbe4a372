"""
What happens to a simulated universe: what users, operators and clouds do, drawn by chance from its seed.

Owns: the acts and their odds, and the calm afterwards. An act never breaks a promise that a cloud has made by its
traits.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from backends.cloud import LaunchSpec, MachineState, Mark
from backends.sim import Life as Machine
from backends.sim_faults import POSSIBLE, Fault, Verb
from reconciler.model import InstanceState, Process
from tests.sim.clouds import JudgedCloud
from tests.sim.universe import DESIRED_MAX, GATEWAY_ID, Universe

GROUPS_MAX = 8
DULL_S = 60.0
"""Mean time between two acts."""

FOREIGN = (None, Mark("other-gateway", "g-1", "g-1-1"), Mark(GATEWAY_ID, "g-nobody", "g-nobody-1"))
CHANCES = (0.02, 0.1, 0.4)


class Nemesis:
    """Acts on *universe*."""

    def __init__(self, universe: Universe) -> None:
        self._universe = universe
        self._random = universe.random
        self._acts: Sequence[tuple[int, Callable[[], Awaitable[None]]]] = (
            (30, self._want),
            (6, self._create),
            (3, self._delete),
            (4, self._rearrange),
            (4, self._suspend),
            (5, self._call_unhealthy),
            (12, self._kill),
            (4, self._break),
            (3, self._mass_death),
            (6, self._outage),
            (6, self._capacity),
            (10, self._trouble),
            (4, self._calm_cloud),
            (2, self._plant),
            (12, self._crash),
            (4, self._ledger_trouble),
            (5, self._set_clock),
        )

    async def act(self) -> None:
        """Nothing; something happened, and some time has passed before it."""
        await asyncio.sleep(self._random.expovariate(1 / DULL_S))
        weights = [weight for weight, _ in self._acts]
        (choice,) = self._random.choices([act for _, act in self._acts], weights)
        await choice()
        await self._mend_life()

    async def calm(self) -> None:
        """Nothing; from now on nothing goes wrong, and everything that is wanted can be had."""
        universe = self._universe
        universe.tell("calm")
        universe.ledger_chance = 0.0
        universe.clock_error_s, universe.clock_stands_at = 0.0, None
        for cloud in universe.clouds:
            cloud.faults.calm()
            cloud.capacity = None
        for uid in universe.living():
            universe.roomy(uid)
            for process in sorted(universe.ledger.groups[uid].suspended):
                await universe.ledger.resume(uid, process)
            universe.wake(uid)
        await self._mend_life()

    async def _mend_life(self) -> None:
        """Nothing; a process that died is started again, as a supervisor does."""
        life = self._universe.life
        if life is not None and life.is_over:
            await self._universe.crash()
        if self._universe.life is None:
            await self._universe.start()

    async def _want(self) -> None:
        uid = self._group()
        if uid is not None:
            await self._universe.want(uid, self._random.randrange(DESIRED_MAX + 1))

    async def _create(self) -> None:
        if len(self._universe.living()) < GROUPS_MAX:
            self._universe.create()

    async def _delete(self) -> None:
        uid = self._group()
        if uid is not None:
            await self._universe.delete(uid)

    async def _rearrange(self) -> None:
        uid = self._group()
        if uid is not None:
            self._universe.rearrange(uid)

    async def _suspend(self) -> None:
        uid = self._group()
        if uid is None:
            return
        process = self._random.choice(list(Process))
        if process in self._universe.ledger.groups[uid].suspended:
            await self._universe.ledger.resume(uid, process)
            self._universe.tell(f"user: {uid} resumes {process}")
        else:
            await self._universe.ledger.suspend(uid, process, "a user wanted it", self._universe.now())
            self._universe.tell(f"user: {uid} suspends {process}")
        self._universe.wake(uid)

    async def _call_unhealthy(self) -> None:
        uid = self._group()
        if uid is None:
            return
        serving = [i for i in self._universe.ledger.instances(uid) if i.state is InstanceState.IN_SERVICE]
        if serving:
            instance = self._random.choice(serving)
            self._universe.ledger.change_instance(instance.key, healthy=False)
            self._universe.tell(f"user: {instance.machine_id} of {uid} is unhealthy")
            self._universe.wake(uid)

    async def _kill(self) -> None:
        found = self._machine()
        if found is not None:
            cloud, machine = found
            listed = self._random.random() < 0.7
            cloud.kill(machine.machine_id, listed=listed)
            self._universe.tell(f"{cloud.name}: {machine.machine_id} dies, {'shown' if listed else 'not shown'}")

    async def _break(self) -> None:
        found = self._machine()
        if found is not None:
            cloud, machine = found
            state = self._random.choice((MachineState.STOPPED, MachineState.ERROR))
            cloud.put(machine.machine_id, state)
            self._universe.tell(f"{cloud.name}: {machine.machine_id} is {state}")

    async def _mass_death(self) -> None:
        cloud = self._cloud()
        for machine in cloud.alive():
            cloud.kill(machine.machine_id)
        self._universe.tell(f"{cloud.name}: everything there dies")

    async def _outage(self) -> None:
        cloud = self._cloud()
        cloud.faults.outage = not cloud.faults.outage
        self._universe.tell(f"{cloud.name}: is {'down' if cloud.faults.outage else 'up again'}")

    async def _capacity(self) -> None:
        cloud = self._cloud()
        cloud.capacity = self._random.choice((None, 0, 2, 5))
        self._universe.tell(f"{cloud.name}: has places for {cloud.capacity}")

    async def _trouble(self) -> None:
        cloud = self._cloud()
        verb = self._random.choice(list(Verb))
        fault = self._random.choice([fault for fault in Fault if fault in POSSIBLE[verb]])
        if fault is Fault.EMPTY_SWEEP:  # the one lie: once now and then, as clouds do it when they lose their mind
            cloud.faults.script(verb, [fault])
        else:
            cloud.faults.chances[verb, fault] = self._random.choice(CHANCES)
        self._universe.tell(f"{cloud.name}: {verb} may meet: {fault}")

    async def _calm_cloud(self) -> None:
        cloud = self._cloud()
        cloud.faults.calm()
        self._universe.tell(f"{cloud.name}: is itself again")

    async def _plant(self) -> None:
        cloud = self._cloud()
        machine = cloud.plant(LaunchSpec("img", "m1.small"), self._random.choice(FOREIGN))
        self._universe.tell(f"{cloud.name}: {machine.machine_id} is somebody else's")

    async def _crash(self) -> None:
        if self._universe.life is None:
            return
        if self._random.random() < 0.5:
            # At some step of what comes next: that is where a crash hurts.
            self._universe.life.steps_left = self._random.randrange(1, 60)
            await self._want()
            await asyncio.sleep(self._random.choice((1.0, 20.0)))
        await self._universe.crash()
        await asyncio.sleep(self._random.choice((0.0, 3.0, 120.0)))

    async def _ledger_trouble(self) -> None:
        self._universe.ledger_chance = self._random.choice((0.0, 0.0, 0.05, 0.3, 1.0))
        self._universe.tell(f"ledger: fails with a chance of {self._universe.ledger_chance}")

    async def _set_clock(self) -> None:
        """Nothing; the gateway's wall clock is wrong now, or stands still, or is right again. Time itself goes on."""
        universe = self._universe
        if self._random.random() < 0.2:
            universe.clock_stands_at = universe.clock()
            universe.tell("clock: stands still")
            return
        restarts = self._random.random() < 0.4  # whoever sets a clock may well start the gateway again
        if restarts:
            await self._want()
            await asyncio.sleep(self._random.choice((5.0, 40.0)))
        universe.clock_stands_at = None
        universe.clock_error_s = self._random.choice((0.0, 0.0, 3600.0, -3600.0, self._random.uniform(-3.0, 3.0)))
        universe.tell(f"clock: is off by {universe.clock_error_s:.3f} s")
        if restarts:
            await self._universe.crash()

    def _group(self) -> str | None:
        living = self._universe.living()
        return self._random.choice(living) if living else None

    def _cloud(self) -> JudgedCloud:
        return self._random.choice(self._universe.clouds)

    def _machine(self) -> tuple[JudgedCloud, Machine] | None:
        cloud = self._cloud()
        alive = [life for life in cloud.alive() if life.mark is not None and life.mark.gateway_id == GATEWAY_ID]
        return (cloud, self._random.choice(alive)) if alive else None
