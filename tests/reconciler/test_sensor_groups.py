"""Groups that sensors move, with the real reconciler in virtual time: a day of load, an hour without data, a death."""

import asyncio
import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from random import Random

from reconciler.model import GroupRecord, InstanceState, RankedCloud, Reading, Readings, SensorPolicy
from tests.reconciler import virtual_time
from tests.reconciler.virtual_time import in_virtual_time
from tests.reconciler.world import World

HOUR_S = 3600.0
POLICY = SensorPolicy("load", scale_up_threshold=0.8, scale_down_threshold=0.3, cooldown_s=300)


class SharedLoad:
    """Implements the port: one load, shared by the instances in service, as behind a load balancer."""

    def __init__(self, load: Callable[[float], float | None]) -> None:
        self.load = load
        self.random = Random(4)

    async def readings(self, record: GroupRecord, now: datetime) -> Readings:
        """See the port."""
        total = self.load((now - virtual_time.EPOCH).total_seconds())
        serving = [i for i in record.instances if i.state is InstanceState.IN_SERVICE]
        if total is None or not serving:
            return Readings()
        noise = {i.key: self.random.uniform(0.9, 1.1) for i in serving}
        return Readings({key: Reading(total / len(serving) * factor, now) for key, factor in noise.items()})


def day(at_s: float) -> float | None:
    """Little at night, eight machines' worth at noon, and no data at all from 9 to 10 and from 17 to 18 o'clock."""
    hour = at_s / HOUR_S
    if 9 <= hour < 10 or 17 <= hour < 18:
        return None
    return 0.2 + 7.6 * max(0.0, math.sin((hour - 4) / 16 * math.pi))


async def world_of(sensors: SharedLoad, desired: int = 1, policy: SensorPolicy = POLICY) -> World:
    """A world whose one group is moved by *sensors*."""
    world = World(sweep_interval_s=60)
    world.sensors = sensors
    world.ledger.put_group("g-1", "web", 1, 10, desired, (RankedCloud("hotel"), RankedCloud("sierra")))
    world.ledger.change_group("g-1", policy=policy)
    await world.start()
    return world


@in_virtual_time
async def test_a_day_of_load_is_followed_once_up_and_once_down() -> None:
    """One, ten and one again, a step at a time and never two within a cooldown; hours without data change nothing."""
    world = await world_of(SharedLoad(day))
    history: list[tuple[float, int]] = [(0.0, 1)]
    loop = asyncio.get_running_loop()

    while loop.time() < 24 * HOUR_S:
        await asyncio.sleep(15)
        world.wake("g-1")  # as each new reading does
        desired = world.ledger.groups["g-1"].desired
        if desired != history[-1][1]:
            history.append((loop.time(), desired))

    steps = [after - before for (_, before), (_, after) in itertools.pairwise(history)]
    pauses = [after - before for (before, _), (after, _) in itertools.pairwise(history[1:])]
    blind = [at for at, _ in history if 9 <= at / HOUR_S < 10 or 17 <= at / HOUR_S < 18]
    assert steps == [1] * 9 + [-1] * 9
    assert min(pauses) >= POLICY.cooldown_s - 15
    assert blind == []
    assert world.has_converged(1)
    await world.crash()


@in_virtual_time
async def test_an_hour_without_data_touches_no_machine() -> None:
    """F103: the same machines live before and after, and the group says what it waits for."""
    sensors = SharedLoad(lambda _at_s: 3.0)
    world = await world_of(sensors, desired=5)
    await asyncio.sleep(60)
    before = world.alive()

    sensors.load = lambda _at_s: None
    await asyncio.sleep(HOUR_S)

    assert world.alive() == before
    assert len(before) == 5
    assert world.waits() == ["metric load: no data of any instance in service in the last 900 s"]
    await world.crash()


@in_virtual_time
async def test_a_cooldown_does_not_keep_the_dead() -> None:
    """The original did nothing at all during a cooldown, and left groups short of their dead until it was over."""
    sensors = SharedLoad(lambda _at_s: 20.0)
    world = await world_of(sensors, desired=2, policy=replace(POLICY, cooldown_s=24 * HOUR_S))
    await asyncio.sleep(30)
    world.wake("g-1")
    await asyncio.sleep(30)
    assert world.has_converged(3)

    world.hotel.kill(world.alive()[0])
    await asyncio.sleep(200)

    assert world.has_converged(3)
    assert world.born() == 4
    assert any("the cooldown ends" in sentence for sentence in world.waits())
    await world.crash()


@in_virtual_time
async def test_the_end_of_a_cooldown_is_not_slept_through() -> None:
    """After the first news nobody wakes the group: it looks again by itself, to the second."""
    world = await world_of(SharedLoad(lambda _at_s: 50.0), policy=replace(POLICY, cooldown_s=7))
    await asyncio.sleep(1)
    world.wake("g-1")
    await asyncio.sleep(29.5)

    assert world.ledger.groups["g-1"].desired == 6  # at 1, 8, 15, 22 and 29 s
    assert world.has_converged(6)
    await world.crash()
