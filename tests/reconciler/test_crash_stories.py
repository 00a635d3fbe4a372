"""Machines that die young, launch after launch: the real reconciler in virtual time."""

import asyncio
from datetime import timedelta

from reconciler.model import Process
from tests.reconciler import virtual_time
from tests.reconciler.virtual_time import in_virtual_time
from tests.reconciler.world import World, settled


@in_virtual_time
async def test_machines_that_die_young_are_launched_ever_more_rarely_over_restarts_too() -> None:
    """Each dies half a minute after its launch: a new process goes on with the pause that the old one had come to."""
    world = World(sweep_interval_s=20.0)
    world.add_group("g-1", 1, clouds=["hotel"])
    await world.start()
    seconds = 0
    while seconds < 3600 or world.alive():
        await asyncio.sleep(5)
        seconds += 5
        for life in world.hotel.alive():
            if virtual_time.now() - life.born_at >= timedelta(seconds=30):
                world.hotel.kill(life.machine_id)
    await asyncio.sleep(30)
    hour = world.born()
    await world.crash()
    await world.start()
    await asyncio.sleep(30)
    after_restart = world.born()

    assert 8 <= hour <= 14
    assert after_restart == hour
    assert world.waits()[0].startswith("back-off on hotel until")
    await asyncio.sleep(700)
    assert world.has_converged(1)
    await world.crash()


@in_virtual_time
async def test_a_day_of_young_deaths_suspends_launches_until_somebody_resumes_them() -> None:
    """As a day of refused launches does; the reason says what happened."""
    world = World(sweep_interval_s=60.0)
    world.add_group("g-1", 1, clouds=["hotel"])
    await world.start()
    for _ in range(25 * 60):
        await asyncio.sleep(60)
        for life in world.hotel.alive():
            world.hotel.kill(life.machine_id)
    group = world.ledger.groups["g-1"]
    born = world.born()
    assert group.suspended == {"Launch"}
    assert "came to instances that died young" in group.suspension_reasons["Launch"]

    await world.resume("g-1", Process.LAUNCH)
    await asyncio.sleep(70)

    assert world.has_converged(1)
    assert world.born() == born + 1
    await world.crash()


@in_virtual_time
async def test_a_long_lived_machine_is_replaced_at_once_beside_one_that_crashes() -> None:
    """The back-off is for places that young deaths left empty."""
    world = await settled(3, clouds=["hotel"])
    await asyncio.sleep(600)
    veterans = world.alive()[:2]
    world.hotel.kill(world.alive()[2])
    for _ in range(300):
        await asyncio.sleep(1)
        for machine_id in world.alive():
            if machine_id not in veterans:
                world.hotel.kill(machine_id)
    assert world.waits()[0].startswith("back-off on hotel until")
    born = world.born()

    world.hotel.kill(veterans[0])
    await asyncio.sleep(6)

    assert world.born() == born + 1
    assert len(world.alive()) == 2
    await world.crash()
