"""A judge that never complains is none: each crime, committed on purpose, is found and told."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.fake_ec2.world import Order
from tests.real_clouds.accelerated import AcceleratedLoop
from tests.real_clouds.harness import UID, Bounds, Scenario, Stage, when_settled
from tests.real_clouds.judging import play
from tests.real_clouds.sites import GATEWAY_ID, KEY

TOKEN = f"pg-{GATEWAY_ID}-{UID.replace('-', '')}-{'a' * 12}"


async def _surplus(stage: Stage) -> None:
    """A machine too many for a moment."""
    [machine] = stage.hotel.world.plant(KEY.account_id, Order(token=TOKEN), foreign=False)
    stage.hotel.world.kill(machine.machine_id)


async def _leak(stage: Stage) -> None:
    """A machine of the group that no listing will ever show."""
    stage.hotel.set(hidden_s=1_000_000.0)
    stage.hotel.world.launch(KEY.account_id, Order(token=TOKEN), 1, 1)


async def _foreign_kill(stage: Stage) -> None:
    """Somebody else's machine is ended."""
    stage.hotel.world.kill(stage.hotel.foreign[0].machine_id)


async def _needless_end(stage: Stage) -> None:
    """One of ours is ended by a call that nobody had a reason for."""
    stage.hotel.world.terminate(stage.hotel.world.machines[stage.hotel.alive(UID)[0]])


async def _hammering(stage: Stage) -> None:
    """The cloud is asked again and again."""
    await asyncio.gather(*(stage.known["hotel"].cloud.sweep() for _ in range(200)))


async def _never_settled(stage: Stage) -> None:
    """The group cannot have what it wants."""
    for site in stage.sites:
        site.set(capacity=0)
    await stage.desire(9)


@pytest.mark.parametrize(
    ("crime", "complaint"),
    [
        pytest.param(_surplus, "I1: 3 machines alive", id="a surplus"),
        pytest.param(_leak, "every group to have what it wants, and nothing else", id="a leak"),
        pytest.param(_foreign_kill, "I3: foreign machines are gone", id="a foreign machine ended"),
        pytest.param(_needless_end, "I8: 1 machines were terminated", id="an end without a reason"),
        pytest.param(_hammering, "I9:", id="a cloud hammered"),
        pytest.param(_never_settled, "every group to have what it wants", id="a group that never settles"),
    ],
)
def test_a_crime_is_found(crime: Callable[[Stage], Awaitable[None]], complaint: str) -> None:
    """The complaint names the invariant, and the story tells what happened."""
    scenario = Scenario("a crime", when_settled(desired=2, then=crime), bounds=Bounds(), settle_s=60.0)

    with pytest.raises(AssertionError) as caught, asyncio.Runner(loop_factory=AcceleratedLoop) as runner:
        runner.run(_tried(scenario))

    assert complaint in str(caught.value)
    assert "RunInstances" in str(caught.value)


async def _tried(scenario: Scenario) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, AcceleratedLoop)
    await play(scenario, loop)
