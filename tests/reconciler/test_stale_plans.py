"""Plans that are out of date when they are carried out, and intents that change faster than they come true."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from random import Random

import pytest

from reconciler.model import Instance
from tests.reconciler.memory_ledger import MemoryLedger
from tests.reconciler.virtual_time import in_virtual_time
from tests.reconciler.world import World, settled


class SlowHand(MemoryLedger):
    """A ledger whose claims and retirements take until somebody lets them through."""

    def __init__(self, world: World) -> None:
        super().__init__(step=world.ledger.step)
        self.let_through = asyncio.Event()
        self.asked = asyncio.Event()

    async def claim(
        self,
        uid: str,
        generation: int,
        cloud: str,
        tokens: Sequence[tuple[str, int]],
        causes: Sequence[str],
        replacing: int,
        now: datetime,
        place: str | None = None,
    ) -> list[Instance]:
        """See the port."""
        self.asked.set()
        await self.let_through.wait()
        return await super().claim(uid, generation, cloud, tokens, causes, replacing, now, place)

    async def retire(
        self, uid: str, generation: int, keys: Sequence[int], causes: Sequence[str], owe: int, now: datetime
    ) -> list[int]:
        """See the port."""
        self.asked.set()
        await self.let_through.wait()
        return await super().retire(uid, generation, keys, causes, owe, now)


@in_virtual_time
async def test_a_plan_to_launch_that_was_overtaken_launches_nothing() -> None:
    """F77: planned for five; before it is carried out one is wanted: one is launched, and never more."""
    world = World()
    world.ledger = ledger = SlowHand(world)
    world.add_group("g-1", 5)
    await world.start()
    await ledger.asked.wait()

    await world.set_desired("g-1", 1)
    ledger.let_through.set()
    await asyncio.sleep(30)

    assert world.has_converged(1)
    assert world.born() == 1
    await world.crash()


@in_virtual_time
async def test_a_plan_to_retire_that_was_overtaken_retires_nothing() -> None:
    """F77: planned for one; before it is carried out four are wanted again: nobody is ended."""
    world = World()
    world.ledger = ledger = SlowHand(world)
    ledger.let_through.set()
    world.add_group("g-1", 4)
    await world.start()
    await asyncio.sleep(30)
    ledger.let_through.clear()
    ledger.asked.clear()
    await world.set_desired("g-1", 1)
    await ledger.asked.wait()

    await world.set_desired("g-1", 4)
    ledger.let_through.set()
    await asyncio.sleep(30)

    assert world.has_converged(4)
    assert (world.born(), world.hotel.terminations) == (4, 0)
    await world.crash()


@in_virtual_time
async def test_a_group_made_anew_under_its_name_has_machines_of_its_own() -> None:
    """F54: deleted and made again at once; the old machines end, and none of them is taken for a new one."""
    world = await settled(3)
    old = set(world.alive("g-1"))
    await world.delete("g-1")
    world.add_group("g-2", 3)
    name = world.ledger.groups["g-1"].name
    world.ledger.change_group("g-2", name=name)
    await asyncio.sleep(120)

    assert world.alive("g-1") == []
    assert world.has_converged(3, "g-2")
    assert old.isdisjoint(world.alive("g-2"))
    await world.crash()


@pytest.mark.parametrize("seed", range(5))
@in_virtual_time
async def test_of_a_thousand_capacities_at_once_the_last_is_reached(seed: int) -> None:
    """F51: and never does more live than the most of them."""
    world, random = World(seed), Random(seed)
    world.add_group("g-1", 0)
    await world.start()
    wanted = [random.randrange(9) for _ in range(1_000)]
    most = 0
    for desired in wanted:
        await world.set_desired("g-1", desired)
        if random.random() < 0.1:
            await asyncio.sleep(random.choice((0.0, 0.1, 3.0)))
        most = max(most, len(world.alive()))
    await asyncio.sleep(120)

    assert world.has_converged(wanted[-1])
    assert most <= max(wanted)
    await world.crash()


@pytest.mark.parametrize("after_s", [0.0, 0.1, 1.0, 5.0])
@in_virtual_time
async def test_bounds_below_what_is_being_launched_do_not_flap(after_s: float) -> None:
    """F52: six are being launched when no more than two may be: two are left, and nothing is launched again."""
    world = World()
    world.hotel.call_s = 0.5
    world.add_group("g-1", 6)
    await world.start()
    await asyncio.sleep(after_s)
    world.ledger.change_group("g-1", maximum=2)
    await world.set_desired("g-1", 2)
    await asyncio.sleep(120)

    assert world.has_converged(2)
    assert world.born() <= 6
    await world.crash()
