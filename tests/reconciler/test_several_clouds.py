"""One group on several clouds, while some of them refuse, fall silent, come back or are short of budget."""

import asyncio
import itertools
import logging
from datetime import timedelta

import pytest

from backends.cloud import LaunchSpec, Mark
from backends.sim_faults import Fault, Verb
from reconciler.model import FailBack, InstanceState, Process, RankedCloud
from tests.reconciler import virtual_time
from tests.reconciler.sim_world import SimWorld
from tests.reconciler.virtual_time import in_virtual_time

DAY_S = 86400.0


async def spilled_over(fail_back: FailBack, desired: int = 3) -> SimWorld:
    """A world whose one group is on sierra, because hotel was full, and whose hotel has room again."""
    world = SimWorld()
    world.hotel.capacity = 0
    world.add_group("g-1", desired, fail_back=fail_back)
    await world.start()
    await asyncio.sleep(1)
    assert world.spread() == {"sierra": desired}
    world.hotel.capacity = None
    return world


@in_virtual_time
async def test_what_rank_one_refuses_runs_on_rank_two_within_a_second() -> None:
    """In virtual time: in no time at all, and no activity has failed."""
    world = SimWorld()
    world.hotel.habits.call_s = world.sierra.habits.call_s = 0.2
    world.hotel.capacity = 1
    world.add_group("g-1", 4)
    await world.start()

    await asyncio.sleep(1)

    assert world.spread() == {"hotel": 1, "sierra": 3}
    assert world.has_converged(4)
    assert "Failed" not in world.statuses()
    await world.crash()


@in_virtual_time
async def test_a_silent_cloud_is_not_taken_over() -> None:
    """An hour's outage of rank one: nobody is replaced, and what is missing goes to rank two."""
    world = SimWorld()
    world.add_group("g-1", 5, [RankedCloud("hotel", 2), "sierra"])
    await world.start()
    await asyncio.sleep(10)
    world.hotel.faults.outage = True
    await asyncio.sleep(3600)
    assert world.spread() == {"hotel": 2, "sierra": 3}

    await world.set_desired("g-1", 6)
    await asyncio.sleep(10)
    assert world.spread() == {"hotel": 2, "sierra": 4}
    world.hotel.faults.outage = False
    await asyncio.sleep(60)

    assert world.has_converged(6)
    assert world.born() == 6
    await world.crash()


@in_virtual_time
async def test_what_rank_one_calls_terminated_is_replaced_on_rank_two_when_rank_one_refuses() -> None:
    """Silence is not death; its word is, and is acted upon within two sweeps."""
    world = SimWorld()
    world.add_group("g-1", 5, [RankedCloud("hotel", 2), "sierra"])
    await world.start()
    await asyncio.sleep(10)
    world.hotel.faults.outage = True
    for life in world.hotel.alive():
        world.hotel.kill(life.machine_id)
    world.hotel.habits.dead_listed_s = 1e6
    await asyncio.sleep(50)
    assert len(world.ledger.instances("g-1")) == 5

    world.hotel.faults.outage = False
    world.hotel.capacity = 0
    await asyncio.sleep(40)

    assert world.spread() == {"sierra": 5}
    assert world.has_converged(5)
    await world.crash()


@in_virtual_time
async def test_without_fail_back_a_group_stays_where_it_is() -> None:
    """What dies is replaced there, and what is added is added there."""
    world = await spilled_over(FailBack.OFF)
    await asyncio.sleep(700)

    world.sierra.kill(world.alive()[0])
    await world.set_desired("g-1", 4)
    await asyncio.sleep(30)

    assert world.spread() == {"sierra": 4}
    assert world.has_converged(4)
    await world.crash()


@in_virtual_time
async def test_on_replacement_only_what_is_launched_anyway_comes_home() -> None:
    """The others stay."""
    world = await spilled_over(FailBack.ON_REPLACEMENT)
    await asyncio.sleep(700)
    assert world.spread() == {"sierra": 3}

    world.sierra.kill(world.alive()[0])
    await asyncio.sleep(30)

    assert world.spread() == {"hotel": 1, "sierra": 2}
    assert world.has_converged(3)
    await world.crash()


@in_virtual_time
async def test_an_eager_group_comes_home_one_by_one() -> None:
    """Never less than all but one serve, never more than desired live, and it stays there."""
    world = await spilled_over(FailBack.EAGER)
    fewest, most = 3, 3
    for _ in range(600):
        await asyncio.sleep(0.1)
        fewest, most = min(fewest, len(world.alive())), max(most, len(world.alive()))

    assert world.spread() == {"hotel": 3}
    assert (fewest >= 2, most) == (True, 3)
    assert world.born() == 6
    causes = [activity.cause for activity in world.ledger.told["g-1"]]
    assert sum("to bring an instance home from sierra to hotel" in cause for cause in causes) == 6
    await asyncio.sleep(600)
    assert (world.has_converged(3), world.born(), world.waits()) == (True, 6, [])
    await world.crash()


@in_virtual_time
async def test_an_eager_group_does_not_flap_before_a_home_that_refuses() -> None:
    """Each vain attempt costs one machine, so they get ever rarer."""
    world = await spilled_over(FailBack.EAGER)
    world.hotel.capacity = 0
    moved = []
    for _ in range(4):
        await asyncio.sleep(1800)
        moved.append(world.born() - 3)
        assert world.has_converged(3)

    assert moved[0] <= 9
    assert all(later - earlier <= 4 for earlier, later in itertools.pairwise(moved))
    world.hotel.capacity = None
    await asyncio.sleep(800)
    assert world.spread() == {"hotel": 3}
    await world.crash()


@in_virtual_time
async def test_an_eager_group_comes_home_from_a_cloud_that_is_over_its_outage() -> None:
    """Rank one was silent when the group was made."""
    world = SimWorld()
    world.hotel.faults.outage = True
    world.add_group("g-1", 2, fail_back=FailBack.EAGER)
    await world.start()
    await asyncio.sleep(120)
    assert world.spread() == {"sierra": 2}

    world.hotel.faults.outage = False
    await asyncio.sleep(120)

    assert world.spread() == {"hotel": 2}
    assert world.born() == 4
    await world.crash()


@in_virtual_time
async def test_a_breaker_opens_tests_with_one_machine_and_closes(caplog: pytest.LogCaptureFixture) -> None:
    """Three groups fail, one tests, all are served."""
    world = SimWorld()
    world.hotel.capacity = 0
    for number in range(3):
        world.add_group(f"g-{number}", 4, clouds=["hotel"])
    await world.start()
    await asyncio.sleep(2)
    assert "breaker.opened" in caplog.messages
    world.add_group("late", 1, clouds=["hotel"])
    await asyncio.sleep(1)
    assert world.waits("late")[0].startswith("the breaker of hotel is open until ")
    assert world.waits("late")[0].endswith(": Cloud 'hotel' is full: all 0 places are taken")
    refused = len(world.hotel.asked)
    world.hotel.capacity = None

    await asyncio.sleep(30)

    assert next(count for _, count, _ in world.hotel.asked[refused:]) == 1
    assert caplog.messages.count("breaker.probing") == caplog.messages.count("breaker.closed") == 1
    assert all(world.has_converged(4, f"g-{number}") for number in range(3))
    await world.crash()


@in_virtual_time
async def test_while_a_breaker_is_open_the_next_rank_takes_all_at_once() -> None:
    """A group that has never met the failing cloud does not have to."""
    world = SimWorld()
    world.hotel.faults.chances[Verb.LAUNCH, Fault.UNREACHABLE] = 1.0
    for number in range(3):
        world.add_group(f"g-{number}", 1, clouds=["hotel"])
    await world.start()
    await asyncio.sleep(1)
    asked = len(world.hotel.asked)

    world.add_group("new", 2)
    await asyncio.sleep(0.1)

    assert len(world.hotel.asked) == asked
    assert world.spread("new") == {"sierra": 2}
    await world.crash()


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault.NO_CAPACITY, id="no capacity"),
        pytest.param(Fault.THROTTLED, id="throttled"),
        pytest.param(Fault.UNREACHABLE, id="unreachable"),
        pytest.param(Fault.LOST_BEFORE, id="ambiguous"),
    ],
)
@in_virtual_time
async def test_many_groups_on_a_failing_account_do_not_hammer_it(
    fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    """Twenty of them together make no more calls than one would; afterwards all of them get what they want."""
    caplog.set_level(logging.CRITICAL)
    world = SimWorld()
    world.hotel.faults.chances[Verb.LAUNCH, fault] = 1.0
    for number in range(20):
        world.add_group(f"g-{number}", 2, clouds=["hotel"])
    await world.start()
    await asyncio.sleep(1800)
    minutes = [world.hotel.asked_in(60 * n, 60 * n + 60) for n in range(30)]

    assert minutes[0] <= 20 + 4
    assert max(minutes[1:]) <= 3
    assert sum(minutes[10:]) <= 5
    world.hotel.faults.calm()
    await asyncio.sleep(1300)
    assert all(world.has_converged(2, f"g-{number}") for number in range(20))
    await world.crash()


@in_virtual_time
async def test_refused_requests_open_no_breaker(caplog: pytest.LogCaptureFixture) -> None:
    """A wrong image is one group's matter; the others launch meanwhile."""
    world = SimWorld()
    world.hotel.habits.images = frozenset({"good"})
    for number in range(4):
        world.add_group(f"g-{number}", 1, clouds=["hotel"])
    await world.start()
    await asyncio.sleep(300)
    world.hotel.habits.images = frozenset({"img"})

    world.add_group("good", 2, clouds=["hotel"])
    await asyncio.sleep(0.1)

    assert world.has_converged(2, "good")
    assert "breaker.opened" not in caplog.messages
    await world.crash()


@in_virtual_time
async def test_a_ceiling_on_the_rate_makes_groups_wait_but_not_spill_over() -> None:
    """Six a minute for two groups that want ten each: a burst, then one every ten seconds."""
    world = SimWorld(launches_per_minute_max=6)
    for number in (1, 2):
        world.add_group(f"g-{number}", 10)
    await world.start()
    await asyncio.sleep(1)
    assert len(world.hotel.alive()) == 6
    assert any("no more than 6 launches a minute" in wait for uid in ("g-1", "g-2") for wait in world.waits(uid))

    await asyncio.sleep(60)
    assert len(world.hotel.alive()) == 12
    await asyncio.sleep(120)

    assert world.has_converged(10, "g-1")
    assert world.has_converged(10, "g-2")
    assert world.sierra.asked == []
    await world.crash()


@in_virtual_time
async def test_a_ceiling_on_machines_is_kept_by_all_groups_together() -> None:
    """What is beyond it goes to the next rank, and room that becomes free is used again."""
    world = SimWorld(vms_max=5)
    for number in range(4):
        world.add_group(f"g-{number}", 3)
    world.add_group("bound", 2, clouds=["hotel"])
    await world.start()
    await asyncio.sleep(30)
    assert len(world.hotel.alive()) == 5
    assert all(world.has_converged(3, f"g-{number}") for number in range(4))

    for number in range(4):
        await world.set_desired(f"g-{number}", 0)
    await asyncio.sleep(130)

    assert world.spread("bound") == {"hotel": 2}
    assert world.born() <= 5 + 12 + 2
    await world.crash()


@in_virtual_time
async def test_a_day_of_vain_launches_suspends_launch_until_somebody_resumes_it() -> None:
    """AWS calls it administrative suspension; the reason repeats the cloud's words."""
    world = SimWorld(sweep_interval_s=300.0)
    world.hotel.capacity = 0
    world.add_group("g-1", 1, clouds=["hotel"])
    await world.start()
    await asyncio.sleep(DAY_S - 60)
    assert world.ledger.groups["g-1"].suspended == frozenset()
    await asyncio.sleep(1300)

    group = world.ledger.groups["g-1"]
    assert group.suspended == {Process.LAUNCH}
    assert group.failing_since is not None
    assert group.failing_since - virtual_time.EPOCH < timedelta(seconds=5)
    assert world.waits()[0].startswith("Launch is suspended: Administrative suspension: ")
    assert world.waits()[0].endswith("the last one: Cloud 'hotel' is full: all 0 places are taken")
    asked = len(world.hotel.asked)
    world.hotel.capacity = None
    await asyncio.sleep(7200)
    assert len(world.hotel.asked) == asked

    await world.resume("g-1", Process.LAUNCH)
    await asyncio.sleep(0.1)

    assert world.has_converged(1)
    assert world.ledger.groups["g-1"].failing_since is None
    await world.crash()


@in_virtual_time
async def test_one_success_in_a_day_keeps_launch_going() -> None:
    """Neither a day of failures with a success in it, nor few failures in a day, suspend anything."""
    world = SimWorld(sweep_interval_s=300.0)
    world.hotel.capacity = 0
    world.add_group("g-1", 1, clouds=["hotel"])
    await world.start()
    await asyncio.sleep(DAY_S / 2)
    world.hotel.capacity = None
    await asyncio.sleep(1300)
    assert world.has_converged(1)
    world.hotel.capacity = 0
    world.hotel.kill(world.alive()[0])

    await asyncio.sleep(DAY_S * 0.8)

    assert world.ledger.groups["g-1"].suspended == frozenset()
    assert world.alive() == []
    await world.crash()


@in_virtual_time
async def test_a_machine_that_a_sweep_found_ends_a_row_of_failures() -> None:
    """The answers were lost, the machines were not."""
    world = SimWorld()
    world.hotel.faults.script(Verb.LAUNCH, [Fault.LOST_AFTER])
    world.add_group("g-1", 1, clouds=["hotel"])
    await world.start()

    await asyncio.sleep(30)

    assert world.has_converged(1)
    assert world.ledger.groups["g-1"].failing_since is None
    await world.crash()


@in_virtual_time
async def test_suspended_processes_stand_still_until_they_are_resumed() -> None:
    """Neither growing nor shrinking, and at once when they may."""
    world = SimWorld()
    world.add_group("g-1", 2)
    await world.start()
    await asyncio.sleep(5)
    await world.suspend("g-1", Process.LAUNCH)
    await world.set_desired("g-1", 4)
    await asyncio.sleep(100)
    assert (len(world.alive()), world.waits()) == (2, ["Launch is suspended: a user wanted it"])
    await world.resume("g-1", Process.LAUNCH)
    await asyncio.sleep(0.1)
    assert world.has_converged(4)

    await world.suspend("g-1", Process.TERMINATE)
    await world.set_desired("g-1", 1)
    await asyncio.sleep(100)
    assert (len(world.alive()), world.waits()) == (4, ["Terminate is suspended: a user wanted it"])
    await world.delete("g-1")
    await asyncio.sleep(10)

    assert world.alive() == []
    assert "g-1" not in world.ledger.groups
    await world.crash()


@in_virtual_time
async def test_machines_of_groups_that_nobody_ever_knew_are_reported_and_left_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Once each, for as long as they live; other gateways' are none of our business."""
    world = SimWorld()
    left = world.hotel.plant(LaunchSpec("img", "m1.small"), Mark("gw", "gone", "token-0"))
    world.hotel.plant(LaunchSpec("img", "m1.small"), Mark("another", "gone", "token-0"))
    world.add_group("g-1", 1)
    await world.start()
    await asyncio.sleep(600)

    assert world.orphans() == {"hotel": [left.machine_id]}
    assert caplog.messages.count("machine.orphaned") == 1
    assert len(world.hotel.alive()) == 3
    world.hotel.kill(left.machine_id)
    await asyncio.sleep(10)
    assert world.orphans() == {}
    await world.crash()


@in_virtual_time
async def test_a_breaker_is_forgotten_by_a_restart() -> None:
    """Whoever restarts the gateway wants an attempt at once; its launches under way are settled as ever."""
    world = SimWorld()
    world.hotel.capacity = 0
    for number in range(3):
        world.add_group(f"g-{number}", 1, clouds=["hotel"])
    await world.start()
    await asyncio.sleep(600)
    await world.crash()
    world.hotel.capacity = None

    await world.start()
    await asyncio.sleep(1)

    assert all(world.has_converged(1, f"g-{number}") for number in range(3))
    assert {i.state for i in world.ledger.instances("g-1")} == {InstanceState.IN_SERVICE}
    await world.crash()
