"""
Who operates a simulated universe: ceilings on accounts, the red button, and a machine that somebody forgot.

Owns: what operators do, drawn by a chance of its own: universes without one are as they would be if there were none.
"""

import math
from random import Random

from backends.cloud import LaunchSpec, Mark
from reconciler.freezes import Freeze, Freezes, Scope
from tests.reconciler import virtual_time
from tests.sim.universe import DESIRED_MAX, GATEWAY_ID, USER_ID, Universe

SHARE = 0.25
"""Of universes. More: plans of what is frozen are made twice, and fewer universes fit into the time there is."""

PRESSES = 0.06
"""Chance of a press or a release at each act of the nemesis, where somebody operates."""

FORGETS = 0.03
"""Chance, at each act, of a machine of ours that nobody remembers: once, for many at once look like an old backup."""

STEPS_MAX = 30

SALT = 0x0B5E55ED


class Operator:
    """Of *universe*, which came from *seed*; one universe in four has one."""

    def __init__(self, universe: Universe, seed: int) -> None:
        self._universe = universe
        self._random = Random(seed ^ SALT)
        self._is_there = self._random.random() < SHARE
        self._has_forgotten = False
        if self._is_there:
            for cloud in universe.clouds:
                rate, places = self._random.choice((math.inf, 20.0, 60.0)), self._random.choice((None, None, 6, 15))
                universe.limit(cloud.name, launches_per_minute_max=rate, vms_max=places)
                universe.tell(f"operator: {cloud.name} may launch {rate:g} a minute and hold {places}")

    async def act(self) -> None:
        """Nothing; something may have been frozen, or thawed."""
        if not self._is_there:
            return
        if not self._has_forgotten and self._random.random() < FORGETS:
            self._forget_a_machine()
        if self._random.random() >= PRESSES:
            return
        universe, frozen = self._universe, list(self._universe.judge.freezes)
        if frozen and self._random.random() < 0.8:
            thawed = self._random.choice(frozen)
            universe.tell(f"operator: thaws {thawed.scope} {thawed.label}")
            await universe.freeze(Freezes(freeze for freeze in frozen if freeze is not thawed))
            return
        scope = self._random.choice((Scope.ALL, Scope.CLOUD, Scope.CLOUD, Scope.USER, Scope.GROUP, Scope.GROUP))
        name = self._name(scope)
        if name is not None:
            universe.tell(f"operator: freezes {scope} {name}")
            await self._begin_something()
            freeze = Freeze(scope, name, name, "an operator", universe.clock(), "to be sure")
            await universe.freeze(Freezes([*frozen, freeze]))

    def _forget_a_machine(self) -> None:
        """Nothing; a machine of a group comes to light whose launch is on no record."""
        universe, living = self._universe, self._universe.living()
        if not living:
            return
        self._has_forgotten = True
        uid, cloud = self._random.choice(living), self._random.choice(universe.clouds)
        machine = cloud.forgets(LaunchSpec("img", "m1.small"), Mark(GATEWAY_ID, uid, f"{uid}-forgotten"))
        universe.tell(f"{cloud.name}: {machine.machine_id} of {uid} is there, and nobody remembers it")

    async def _begin_something(self) -> None:
        """Nothing; what a user has just asked for is under way: that is when a red button is pressed."""
        universe, living = self._universe, self._universe.living()
        if living:
            await universe.want(self._random.choice(living), self._random.randrange(DESIRED_MAX + 1))
        for _ in range(self._random.randrange(STEPS_MAX)):
            await virtual_time.turn()

    async def calm(self) -> None:
        """Nothing; everything is thawed, and accounts may hold what is wanted. They are as slow as before."""
        universe = self._universe
        for cloud in universe.clouds:
            universe.limit(cloud.name, vms_max=None)
        await universe.freeze(Freezes())

    def _name(self, scope: Scope) -> str | None:
        match scope:
            case Scope.CLOUD:
                return self._random.choice(self._universe.clouds).name
            case Scope.USER:
                return str(USER_ID)
            case Scope.GROUP:
                living = self._universe.living()
                return self._random.choice(living) if living else None
            case _:
                return ""
