"""The fuse against replacing what lives: many deaths within minutes that nobody told of (F27, F37, F38, I8)."""

import asyncio

import pytest

from backends.cloud import MachineState
from backends.sim_faults import Fault, Verb
from reconciler import actions, deaths, rails
from reconciler.model import AccountView, InstanceState
from tests.reconciler.sim_world import SimWorld
from tests.reconciler.views import NOW, account, ago, instance, machine, plan, retired, running, view
from tests.reconciler.virtual_time import VirtualTimeLoop, in_virtual_time
from tests.reconciler.world import settled

TEN = [instance(key) for key in range(1, 11)]
STOPPED = MachineState.STOPPED


def one_stopped_of_ten(*given_up_s: float, **facts: object) -> AccountView:
    """Hotel shows the first of ten machines stopped; others were given up so many seconds ago."""
    earlier = {f"m-{100 + number}": ago(seconds) for number, seconds in enumerate(given_up_s)}
    return account([machine("m-1", STOPPED), *running(*range(2, 11))], given_up=earlier, living=10, **facts)


def test_the_third_of_ten_within_five_minutes_waits() -> None:
    """F37: one after the other is as doubtful as at once; the fuse thaws by itself when the window has passed."""
    made = plan(view(10, TEN, accounts={"hotel": one_stopped_of_ten(60, 40)}))

    assert retired(made) == []
    assert made.blown == {deaths.FUSE}
    assert made.recheck_s == 240
    assert "after 2 within the last 300 s" in " ".join(made.waiting_on)


def test_the_second_of_ten_within_five_minutes_is_replaced() -> None:
    """A fifth of a group may be unlucky; it counts from then on."""
    made = plan(view(10, TEN, accounts={"hotel": one_stopped_of_ten(60)}))

    assert retired(made) == [1]
    assert made.given_up == {"hotel": {"m-1"}}


def test_what_could_not_be_recorded_does_not_count_twice() -> None:
    """A database that failed once holds no replacement up."""
    again = account([machine("m-1", STOPPED)], given_up={"m-1": ago(5)}, living=1)

    assert retired(plan(view(1, [instance(1)], accounts={"hotel": again}))) == [1]


def test_a_group_of_one_waits_while_its_cloud_loses_many() -> None:
    """F37: however small each group is, what 45 % of a cloud's machines have in common is the cloud."""
    made = plan(view(1, [instance(1)], accounts={"hotel": account([machine("m-1", STOPPED)], living=10, lost=5)}))

    assert retired(made) == []
    assert made.blown == {deaths.FUSE}
    assert "5 machines on hotel, of other groups, too" in " ".join(made.waiting_on)


@pytest.mark.parametrize(("living", "lost"), [(2, 2), (10, 4)])
def test_a_few_of_a_cloud_may_be_lost(living: int, lost: int) -> None:
    """Two are no mass death, and less than 45 % are none."""
    seen = account([machine("m-1", STOPPED)], living=living, lost=lost)

    assert retired(plan(view(1, [instance(1)], accounts={"hotel": seen}))) == [1]


@pytest.mark.parametrize(
    "hotel",
    [
        pytest.param(one_stopped_of_ten(60, 40), id="of a group"),
        pytest.param(one_stopped_of_ten(lost=8), id="of a cloud"),
    ],
)
def test_a_planner_that_forgot_the_fuse_is_stopped(hotel: AccountView) -> None:
    """F37: the rails count for themselves."""
    wrong = actions.Plan((actions.Retire(1, replace=True, because="it is stopped"),))

    with pytest.raises(rails.RailBreach, match="on a conclusion"):
        rails.check(view(10, TEN, accounts={"hotel": hotel}), wrong)


@pytest.mark.parametrize(("watched_s", "ended"), [(2_000.0, [1]), (60.0, [])])
def test_a_boot_takes_as_long_as_it_was_watched(watched_s: float, ended: list[int]) -> None:
    """F68: whoever was away, or has another clock than before, gives what still boots its time."""
    booting = instance(1, state=InstanceState.PENDING, bound_at=ago(3_000))
    seen = account([machine("m-1", MachineState.PENDING)], watched_since=ago(watched_s))

    assert retired(plan(view(1, [booting], accounts={"hotel": seen}))) == ended


async def small_groups(count: int) -> SimWorld:
    """Groups of one machine each, all on hotel."""
    world = SimWorld()
    for number in range(count):
        world.add_group(f"g-{number}", 1, ["hotel"])
    await world.start()
    await asyncio.sleep(60)
    assert world.born() == count
    return world


@in_virtual_time
async def test_no_group_ends_its_machine_when_all_of_a_cloud_stop() -> None:
    """F37: not one of six groups of one machine, for as long as it lasts; when they run again, all is as before."""
    world = await small_groups(6)
    for life in world.hotel.alive():
        world.hotel.put(life.machine_id, STOPPED)
    await asyncio.sleep(1_200)
    assert (world.born(), len(world.hotel.alive())) == (6, 6)
    assert all(any("look dead at once" in wait for wait in waits) for waits in world.ledger.waiting.values())

    for life in world.hotel.alive():
        world.hotel.put(life.machine_id, MachineState.RUNNING)
    await asyncio.sleep(120)

    assert (world.born(), len(world.hotel.alive())) == (6, 6)
    assert not any(world.ledger.waiting.values())
    await world.crash()


@in_virtual_time
async def test_machines_that_stop_one_by_one_are_replaced_a_fifth_in_five_minutes() -> None:
    """F37: a cloud that loses its mind slowly costs no more than one that loses it at once."""
    world = SimWorld()
    world.add_group("g-1", 10, ["hotel"])
    await world.start()
    await asyncio.sleep(60)
    for life in world.hotel.alive()[:8]:
        world.hotel.put(life.machine_id, STOPPED)
        await asyncio.sleep(30)

    assert world.born() == 12
    assert sum(not life.alive(NOW) or life.doomed_at is not None for life in world.hotel.ledger) == 2
    await world.crash()


@in_virtual_time
async def test_what_an_operator_ended_is_replaced_at_the_rate_of_the_account() -> None:
    """F38: the cloud says terminated, so no fuse holds it up; and no flood of launches follows."""
    world = SimWorld(launches_per_minute_max=6)
    world.add_group("g-1", 12, ["hotel"])
    await world.start()
    await asyncio.sleep(300)
    assert world.born() == 12
    for life in world.hotel.alive():
        world.hotel.kill(life.machine_id)
    await asyncio.sleep(30)
    assert 12 + 6 <= world.born() <= 12 + 6 + 3

    await asyncio.sleep(120)

    assert len(world.hotel.alive()) == 12
    assert world.born() == 24
    await world.crash()


@in_virtual_time
async def test_an_empty_list_costs_nothing() -> None:
    """F27: answered again and again, with 200, it launches nothing and ends nothing."""
    world = await small_groups(4)
    world.hotel.faults.script(Verb.SWEEP, [Fault.EMPTY_SWEEP] * 200)
    await asyncio.sleep(900)

    assert (world.born(), len(world.hotel.alive())) == (4, 4)
    await world.crash()


@in_virtual_time
async def test_a_process_that_was_stopped_learns_anew_what_is_missing() -> None:
    """F71: own outages count for nothing: what was denied before and after is not what was denied all along."""
    world = await settled(3)
    hidden = world.alive()[0]
    world.hotel.hides.add(hidden)
    world.hotel.denies.add(hidden)
    while not any("asked for by its id" in wait for wait in world.waits()):  # noqa: ASYNC110 - virtual time
        await asyncio.sleep(0.1)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    loop.is_stopped_for(100)
    await asyncio.sleep(1)
    world.hotel.hides.clear()
    world.hotel.denies.clear()
    await asyncio.sleep(60)

    assert world.has_converged(3)
    assert (world.born(), world.hotel.terminations) == (3, 0)
    await world.crash()
