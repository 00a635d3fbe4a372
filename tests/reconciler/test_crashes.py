"""A crash between any two steps costs no machine and leaks none: there is no recovery code, only the next pass."""

import asyncio
from dataclasses import replace
from random import Random

import pytest

from backends.cloud import CloudTraits
from reconciler.model import RankedCloud
from tests.reconciler import virtual_time
from tests.reconciler.little_cloud import TRAITS
from tests.reconciler.world import World

FORGETFUL = replace(TRAITS, token_is_idempotent=False, launch_batch_max=2, visible_after_s=4.0)

QUIET_S = 400.0
"""Longer than a leak may live, and than the pauses after a few failures."""


async def troubled_life(seed: int, traits: CloudTraits) -> None:
    """A group changes its size while processes crash, machines die and replies are lost; in the end all is well."""
    random = Random(seed)
    world = World(seed, traits)
    world.add_group("g-1", 5, [RankedCloud("hotel", 3), "sierra"])
    desired = 5
    for _ in range(random.randint(1, 4)):
        await world.run_until_crash(random.randint(1, 60))
        desired = random.randint(0, 8)
        await world.ledger.set_desired("g-1", desired)
        world.hotel.lost_replies = random.randint(0, 1)
        world.hotel.boot_s = random.choice([0.0, 7.0])
        alive = world.alive()
        if alive and random.random() < 0.5:
            for cloud in world.clouds:
                cloud.kill(alive[0])
    await world.start()
    await asyncio.sleep(QUIET_S)

    assert world.has_converged(desired), (desired, world.spread(), world.ledger.instances("g-1"), world.ledger.waiting)
    assert len(world.hotel.alive()) <= 3
    await world.crash()


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("traits", [pytest.param(TRAITS, id="tokens"), pytest.param(FORGETFUL, id="no tokens")])
def test_a_crash_at_any_step_is_settled(seed: int, traits: CloudTraits) -> None:
    """Exactly the desired machines live in the end, and exactly they are on record."""
    virtual_time.run(troubled_life(seed, traits))


async def first_launch(steps: int) -> World:
    """A world whose first process crashed after that many steps, and whose second had time."""
    world = World()
    world.add_group("g-1", 3)
    await world.run_until_crash(steps)
    await world.start()
    await asyncio.sleep(60)
    await world.crash()
    return world


@pytest.mark.parametrize("steps", range(1, 31))
def test_a_crash_at_each_step_of_a_first_launch_costs_nothing(steps: int) -> None:
    """No machine is launched twice: the claim was written before the call."""
    world = virtual_time.run(first_launch(steps))

    assert world.has_converged(3)
    assert world.born() == 3


async def crash_loop() -> World:
    """A world whose processes crash twenty times in the middle of things."""
    world = World()
    world.add_group("g-1", 4)
    for attempt in range(20):
        await world.run_until_crash(10 + attempt % 7)
    await world.start()
    await asyncio.sleep(60)
    await world.crash()
    return world


def test_a_crash_loop_does_not_multiply_machines() -> None:
    """Some systems leak one machine per restart."""
    world = virtual_time.run(crash_loop())

    assert world.has_converged(4)
    assert world.born() == 4


async def deleted(steps: int) -> World:
    """A world whose process crashed while a group was being deleted."""
    world = World()
    world.add_group("g-1", 3)
    await world.start()
    await asyncio.sleep(10)
    await world.crash()
    await world.ledger.mark_deleting("g-1")
    await world.run_until_crash(steps)
    await world.start()
    await asyncio.sleep(60)
    await world.crash()
    return world


@pytest.mark.parametrize("steps", range(1, 31))
def test_a_crash_at_each_step_of_a_deletion_leaves_nothing_behind(steps: int) -> None:
    """The group is gone when its machines are, not before."""
    world = virtual_time.run(deleted(steps))

    assert world.alive() == []
    assert world.ledger.groups == {}
