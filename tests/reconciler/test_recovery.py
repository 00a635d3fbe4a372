"""After an outage all groups want everything at once: that a cloud recovers from it, too (F33, F34, G-R14, I8, I9)."""

import asyncio
import math

import pytest

from reconciler.model import RankedCloud
from tests.reconciler.sim_world import SimWorld
from tests.reconciler.virtual_time import in_virtual_time

GROUPS = 1_000
LAUNCHES_PER_MINUTE = 300
"""What the account takes."""
OUTAGE_S = 3_600.0
DEAD_SHARE = 0.2
"""Of the machines, dead when the cloud is back, which it then says."""
BEYOND_S = 300.0
"""From the moment when the account's rate allows no less until every group is whole."""


def now_s() -> float:
    """Seconds since the beginning of the world."""
    return asyncio.get_running_loop().time()


def missing(world: SimWorld, wanted: int) -> int:
    """Places of all groups that no living machine of hotel fills."""
    held = dict.fromkeys((f"g-{number}" for number in range(GROUPS)), 0)
    for life in world.hotel.alive():
        assert life.mark is not None
        held[life.mark.group_uid] += 1
    assert max(held.values()) <= wanted
    return sum(wanted - count for count in held.values())


async def whole(world: SimWorld, wanted: int) -> float:
    """When every group had what it wants, exactly; within an hour."""
    began_s = now_s()
    while missing(world, wanted):
        assert now_s() - began_s < 3_600
        await asyncio.sleep(1)
    return now_s()


@pytest.mark.timeout(600)
@in_virtual_time
async def test_a_thousand_groups_come_back_at_the_pace_of_their_account() -> None:
    """F33: a cloud away for an hour ends nothing, is hardly called, and takes no storm when it is back."""
    world = SimWorld(sweep_interval_s=30.0, launches_per_minute_max=LAUNCHES_PER_MINUTE)
    hotel = world.hotel
    for number in range(GROUPS):
        world.add_group(f"g-{number}", 1, [RankedCloud("hotel")])
    await world.start()
    await whole(world, 1)

    hotel.faults.outage = True
    gone_s = now_s()
    for number in range(GROUPS):
        await world.set_desired(f"g-{number}", 2)
    await asyncio.sleep(OUTAGE_S / 2)
    alive = hotel.alive()
    for life in alive[: int(DEAD_SHARE * len(alive))]:
        hotel.kill(life.machine_id)
    await asyncio.sleep(OUTAGE_S / 2)
    assert hotel.asked_in(gone_s + 120, now_s()) <= OUTAGE_S / 60
    assert len(hotel.alive()) == len(alive) * (1 - DEAD_SHARE)

    hotel.faults.outage = False
    back_s, owed, before = now_s(), missing(world, 2), world.passes()
    whole_s = await whole(world, 2)
    passes = world.passes() - before
    await asyncio.sleep(600)

    assert owed == GROUPS + DEAD_SHARE * GROUPS
    assert whole_s - back_s <= 60 * owed / LAUNCHES_PER_MINUTE + BEYOND_S
    minutes = math.ceil((whole_s - back_s) / 60)
    # A minute's worth at once, and what comes in meanwhile.
    assert machines_in(world, back_s, 10) <= LAUNCHES_PER_MINUTE * (1 + 10 / 60)
    assert all(machines_in(world, back_s + 60 * n, 60) <= 2 * LAUNCHES_PER_MINUTE for n in range(minutes))
    assert passes <= 4 * owed + 2 * GROUPS * minutes  # some for each launch, and the looks of every minute
    assert missing(world, 2) == 0
    assert len(hotel.ledger) == GROUPS + owed
    await world.stop()


def machines_in(world: SimWorld, from_s: float, for_s: float) -> int:
    """Machines that calls asked for within that time, whatever came of them."""
    return sum(count for at_s, count in world.hotel.asked_at() if from_s <= at_s < from_s + for_s)
