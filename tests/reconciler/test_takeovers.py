"""Takeovers by the thousand, in virtual time: whoever is killed or frozen, nothing is launched twice (G-R4, I1, I6)."""

import asyncio
import os

import pytest

from reconciler.lease import SHARDS, share
from tests.reconciler.shared_world import SharedWorld
from tests.reconciler.virtual_time import in_virtual_time

SEEDS = int(os.environ.get("PHANTOM_TAKEOVER_SEEDS", "40"))
TAKEOVERS_PER_SEED = 25

DEATHS = 0.5
"""Machines that die per takeover: enough for launches to be under way, too few for launches to wait for long."""

WITHIN_S = 1_000.0
"""From the last trouble until every group is whole: the longest back-off after machines that died young, a resync."""


async def end_well(seed: int, *, is_heedful: bool = True) -> bool:
    """Whether no group ever had more than it wants, and all became whole, while gateways and machines died."""
    count = 2 + seed % 3
    world = SharedWorld(seed, count, is_heedful=is_heedful)
    chance = world.random
    wanted = {f"group-{number}": chance.randint(1, 4) for number in range(6)}
    for uid, desired in wanted.items():
        world.add_group(uid, desired)
    for number in range(count):
        world.start(number)

    while world.board.takeovers < TAKEOVERS_PER_SEED:
        uid = chance.choice(list(wanted))
        if chance.random() < DEATHS:
            world.kill_machine(uid)
        owner = world.owner(uid)
        number = chance.randrange(count) if owner is None else owner
        await world.catch(number)
        if chance.random() < 0.5:
            await world.kill(number)
            await asyncio.sleep(chance.uniform(0, 25))
            world.start(number)
        else:
            await asyncio.sleep(chance.uniform(1, 50))
            world.thaw(number)
            await asyncio.sleep(chance.uniform(0, 10))
    left_s = WITHIN_S
    while not world.has_converged() and left_s > 0:
        await asyncio.sleep(1)
        left_s -= 1

    for number in range(count):
        await world.kill(number)
    return world.most == wanted and world.has_converged()


@pytest.mark.parametrize("seed", range(SEEDS))
@in_virtual_time
async def test_takeovers_launch_nothing_twice(seed: int) -> None:
    """Gateways are killed and frozen while machines die: no group ever has more than it wants, and all become whole."""
    assert await end_well(seed)


@in_virtual_time
async def test_without_fence_and_clock_something_is_launched_twice() -> None:
    """The simulation can tell: gateways that act on whatever they last believed are caught within a few takeovers."""
    assert not all([await end_well(seed, is_heedful=False) for seed in range(4)])


@pytest.mark.parametrize("gateways", [1, 2, 3, 4, 7, 64, 100])
def test_shards_are_shared_out_fairly(gateways: int) -> None:
    """However many there are, after each was heard twice all shards have an owner, and nobody more than his share."""
    owners: dict[int, int | None] = dict.fromkeys(range(SHARDS), 0)
    for _ in range(2):
        for me in range(gateways):
            mine = {number for number, owner in owners.items() if owner == me}
            wanted = share(mine, {number for number, owner in owners.items() if owner is None}, gateways)
            owners |= dict.fromkeys(wanted.take, me) | dict.fromkeys(wanted.give)

    counts = [list(owners.values()).count(me) for me in range(gateways)]
    assert sum(counts) == SHARDS
    assert max(counts) <= -(-SHARDS // gateways)
