"""
What the answer to a repeated launch says of the first call: that it had its effect, or nothing at all (F15, F16, I1).

The first call may be under way still, or its machines not shown yet, when the second is refused or brings too few.
"""

import asyncio

import pytest

from backends.cloud import LaunchSpec, Machine, Mark
from backends.errors import Ambiguous, CloudError, NoCapacity, Refused
from reconciler.accounts import Account
from reconciler.model import InstanceState
from tests.reconciler import virtual_time
from tests.reconciler.little_cloud import TRAITS, LittleCloud
from tests.reconciler.virtual_time import in_virtual_time
from tests.reconciler.world import World

LATE_S = 25.0
"""When the first call has its effect, of which nobody was told."""


class Forgetful(LittleCloud):
    """Nobody hears the answer to the first call, which has its effect later, or never; the second one is *second*."""

    second: CloudError | int = 0
    comes_true = True

    async def launch(self, spec: LaunchSpec, count: int, token: str, mark: Mark) -> list[Machine]:
        """See the contract."""
        if self.launches >= 2:
            return await super().launch(spec, count, token, mark)
        self.launches += 1
        if self.launches == 1:
            if self.comes_true:
                asyncio.get_running_loop().call_later(LATE_S, self._come_true, count, mark)
            raise Ambiguous("the connection broke before the answer")
        if isinstance(self.second, CloudError):
            raise self.second
        return [self._machine(life) for life in self._give_birth(self.second, mark)]

    def _come_true(self, count: int, mark: Mark) -> None:
        known = {life.index for life in self.lives if life.mark.token == mark.token}
        for life in self._give_birth(count, mark):
            if life.index in known:  # what the repeated call has launched is not launched again
                self.lives.remove(life)


async def world_with(second: CloudError | int, *, comes_true: bool = True) -> World:
    """A group of three, hotel before sierra, whose first call nobody heard the answer of."""
    world = World()
    hotel = Forgetful("hotel", virtual_time.now, TRAITS)
    hotel.second, hotel.comes_true = second, comes_true
    world.hotel, world.clouds = hotel, (hotel, world.sierra)
    world.known["hotel"] = Account("hotel", hotel, hotel.traits)
    world.add_group("g-1", 3)
    await world.start()
    return world


REFUSALS = [
    pytest.param(NoCapacity("hotel is full"), id="full"),
    pytest.param(Refused("hotel answered IdempotentParameterMismatch"), id="refused"),
]


@pytest.mark.parametrize("second", [*REFUSALS, pytest.param(1, id="fewer")])
@in_virtual_time
async def test_a_first_call_that_comes_true_late_makes_no_surplus(second: CloudError | int) -> None:
    """F15: whatever the second answer was, its claims stay until nothing can come of the first call any more."""
    world = await world_with(second)

    await asyncio.sleep(300)

    assert world.spread() == {"hotel": 3}
    assert world.born() == 3
    assert world.has_converged(3)
    await world.crash()


@pytest.mark.parametrize("second", REFUSALS)
@in_virtual_time
async def test_a_first_call_that_never_comes_true_is_given_up(second: CloudError) -> None:
    """F16: not asked for again meanwhile, and then the next cloud has the group's machines."""
    world = await world_with(second, comes_true=False)
    world.hotel.room = 0

    await asyncio.sleep(30)
    assert [i.state for i in world.ledger.instances("g-1")] == [InstanceState.CLAIMED] * 3
    assert world.hotel.launches == 2
    await asyncio.sleep(90)

    assert world.spread() == {"sierra": 3}
    assert world.born() == 3
    await world.crash()
