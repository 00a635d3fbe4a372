"""How passes share a process: broken groups, slow clouds, ends, and idle hours."""

import asyncio
import logging

import pytest

from reconciler import planner
from reconciler.actions import Launch, Plan
from reconciler.model import InstanceState
from tests.reconciler.virtual_time import in_virtual_time
from tests.reconciler.world import World, settled


@in_virtual_time
async def test_a_broken_group_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """Its record cannot be read; it is tried again more and more rarely, and heals when the record does."""
    caplog.set_level(logging.CRITICAL)
    world = World()
    world.ledger.broken.add("g-1")
    world.add_group("g-1", 1)
    world.add_group("g-2", 2)
    await world.start()
    await asyncio.sleep(300)
    assert world.has_converged(2, "g-2")

    world.ledger.broken.clear()
    await asyncio.sleep(70)

    assert world.has_converged(1)
    await world.crash()


@in_virtual_time
async def test_a_slow_cloud_holds_up_only_its_own_groups() -> None:
    """Ten minutes' worth of hanging calls there, one second here."""
    world = World()
    world.hotel.call_s = 1000.0
    for number in range(10):
        world.add_group(f"slow-{number}", 1, clouds=["hotel"])
    world.add_group("g-1", 3, clouds=["sierra"])
    await world.start()

    await asyncio.sleep(1)

    assert world.has_converged(3)
    await world.crash()


@in_virtual_time
async def test_a_plan_that_leaves_the_rails_is_not_carried_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing of it is; the operator reads why."""
    caplog.set_level(logging.CRITICAL)
    world = await settled(1)
    monkeypatch.setattr(planner, "plan", lambda _view, _now: Plan((Launch("hotel", 50, 0, "a mistake"),)))

    world.wake("g-1")
    await asyncio.sleep(10)

    assert world.born() == 1
    await world.crash()


@in_virtual_time
async def test_an_orderly_end_lets_a_call_finish() -> None:
    """What was under way is recorded, and close() returns."""
    world = World()
    world.hotel.call_s = 2.0
    world.add_group("g-1", 2)
    await world.start()
    await asyncio.sleep(3)
    assert world.alive() == []

    await world.stop()

    assert world.has_converged(2)


@in_virtual_time
async def test_an_end_is_not_held_up_by_a_hanging_call() -> None:
    """After a short grace the call is cut off; the next process settles its claims."""
    world = World()
    world.add_group("g-1", 0)
    await world.start()
    await asyncio.sleep(1)
    world.hotel.call_s = 100.0
    await world.set_desired("g-1", 2)
    await asyncio.sleep(1)

    began = asyncio.get_running_loop().time()
    await world.stop()
    assert asyncio.get_running_loop().time() - began < 6
    assert [i.state for i in world.ledger.instances("g-1")] == [InstanceState.CLAIMED] * 2

    world.hotel.call_s = 0.0
    await world.start()
    await asyncio.sleep(30)
    assert world.has_converged(2)
    await world.crash()


@in_virtual_time
async def test_an_idle_world_is_quiet() -> None:
    """A converged group costs sweeps at their interval and nothing else."""
    world = await settled(3)
    before = (world.hotel.launches, world.hotel.terminations, world.ledger.notes, world.hotel.sweeps)

    await asyncio.sleep(600)

    after = (world.hotel.launches, world.hotel.terminations, world.ledger.notes, world.hotel.sweeps)
    assert after[:3] == before[:3]
    assert after[3] - before[3] <= 600 / 5 + 1
    await world.crash()


@in_virtual_time
async def test_a_removed_account_is_not_watched_any_more() -> None:
    """Its groups keep their instances on record and say what is missing."""
    world = await settled(1, clouds=["hotel"])
    del world.known["hotel"]
    await world.set_desired("g-1", 2)
    await asyncio.sleep(100)
    sweeps = world.hotel.sweeps

    await asyncio.sleep(100)

    assert world.hotel.sweeps == sweeps
    assert len(world.ledger.instances("g-1")) == 1
    assert world.ledger.waiting["g-1"] == ("there is no account on hotel",)
    await world.crash()
