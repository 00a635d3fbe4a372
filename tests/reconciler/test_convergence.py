"""Desired and actual meet, whatever the clouds do: the real reconciler in virtual time."""

import asyncio
import logging
import re
from dataclasses import replace

import pytest

from backends.cloud import CloudTraits, LaunchSpec, MachineState
from backends.errors import Gone, NoCapacity, Refused, Throttled, Unreachable
from reconciler.model import InstanceState, RankedCloud
from tests.reconciler.little_cloud import TRAITS
from tests.reconciler.virtual_time import in_virtual_time
from tests.reconciler.world import World, settled


@in_virtual_time
async def test_a_new_group_is_launched_in_one_call_per_batch() -> None:
    """Seven machines in batches of five, in service as soon as their cloud says so."""
    world = await settled(7)

    assert world.spread() == {"hotel": 7}
    assert world.hotel.launches == 2
    assert world.statuses() == ["Successful"] * 7
    await world.crash()


@in_virtual_time
async def test_a_change_reaches_the_cloud_at_once() -> None:
    """No tick stands between SetDesiredCapacity and the launch."""
    world = await settled(1)

    await world.set_desired("g-1", 4)
    await asyncio.sleep(0.001)

    assert len(world.alive()) == 4
    await world.crash()


@in_virtual_time
async def test_a_first_launch_waits_only_for_the_first_look() -> None:
    """The sweeps begin with the process, not one interval later."""
    world = World()
    world.hotel.call_s = world.sierra.call_s = 0.1
    world.add_group("g-1", 2)
    await world.start()
    await asyncio.sleep(0.25)

    assert len(world.alive()) == 2
    await world.crash()


@pytest.mark.parametrize(
    ("before", "after"),
    [pytest.param(2, 6, id="up"), pytest.param(6, 2, id="down"), pytest.param(3, 0, id="to nothing")],
)
@in_virtual_time
async def test_a_group_follows_its_desired_capacity(before: int, after: int) -> None:
    """No machine more, no machine less, and none left behind."""
    world = await settled(before)

    await world.set_desired("g-1", after)
    await asyncio.sleep(20)

    assert world.has_converged(after)
    assert world.born() == max(before, after)
    await world.crash()


@in_virtual_time
async def test_capacity_changed_while_launching_counts_in_the_end() -> None:
    """The call under way is not undone, its surplus is."""
    world = World()
    world.hotel.call_s = 3.0
    world.add_group("g-1", 5)
    await world.start()
    await asyncio.sleep(4)

    await world.set_desired("g-1", 2)
    await asyncio.sleep(60)

    assert world.has_converged(2)
    assert world.born() == 5
    await world.crash()


@in_virtual_time
async def test_a_booting_machine_is_pending_until_it_runs() -> None:
    """The next sweep that shows it running puts it in service."""
    world = World()
    world.hotel.boot_s = 12.0
    world.add_group("g-1", 1)
    await world.start()
    await asyncio.sleep(3)
    assert [i.state for i in world.ledger.instances("g-1")] == [InstanceState.PENDING]

    await asyncio.sleep(17)

    assert world.has_converged(1)
    await world.crash()


@in_virtual_time
async def test_a_machine_that_never_boots_is_replaced() -> None:
    """After a quarter of an hour, once per quarter of an hour."""
    world = World()
    world.hotel.boot_s = 1e9
    world.add_group("g-1", 1)
    await world.start()

    await asyncio.sleep(1900)

    assert world.born() == 3
    assert len(world.alive()) == 1
    await world.crash()


@pytest.mark.parametrize("forgets_dead", [pytest.param(False, id="shown"), pytest.param(True, id="not shown any more")])
@in_virtual_time
async def test_a_dead_machine_is_replaced(forgets_dead: bool) -> None:
    """Within one interval; the activities tell of its end and of its replacement."""
    world = await settled(5, forgets_dead=forgets_dead)

    world.hotel.kill(world.alive()[0])
    await asyncio.sleep(12)

    assert world.has_converged(5)
    assert world.born() == 6
    causes = [activity.cause for activity in world.ledger.told["g-1"]]
    assert sum("health check" in cause for cause in causes) == 1
    assert sum("unhealthy instance needing to be replaced" in cause for cause in causes) == 1
    assert world.ledger.groups["g-1"].owed_replacements == 0
    await world.crash()


@in_virtual_time
async def test_an_instance_called_unhealthy_is_replaced() -> None:
    """SetInstanceHealth needs no cloud to agree."""
    world = await settled(2)
    unwell = world.ledger.instances("g-1")[0]

    world.ledger.change_instance(unwell.key, healthy=False)
    world.wake("g-1")
    await asyncio.sleep(10)

    assert world.has_converged(2)
    assert unwell.machine_id not in world.alive()
    await world.crash()


@pytest.mark.parametrize(
    "traits",
    [
        pytest.param(TRAITS, id="cloud that knows tokens"),
        pytest.param(replace(TRAITS, token_is_idempotent=False), id="cloud that does not"),
        pytest.param(replace(TRAITS, launch_batch_max=1), id="one at a time"),
    ],
)
@in_virtual_time
async def test_a_lost_reply_costs_no_machine(traits: CloudTraits) -> None:
    """The machines of the unanswered call are found and bound."""
    world = World(traits=traits)
    world.hotel.lost_replies = 2
    world.add_group("g-1", 3)
    await world.start()

    await asyncio.sleep(60)

    assert world.has_converged(3)
    assert world.born() == 3
    await world.crash()


@in_virtual_time
async def test_a_call_that_hangs_is_cut_off_and_settled() -> None:
    """Nobody waits for ever, and the machines that came after all are the ones that count."""
    world = World()
    world.hotel.reply_s = 1e6
    world.add_group("g-1", 2, clouds=["hotel"])
    await world.start()

    await asyncio.sleep(110)
    assert [i.state for i in world.ledger.instances("g-1")] == [InstanceState.CLAIMED] * 2
    await asyncio.sleep(40)

    assert world.born() == 2
    assert world.has_converged(2)
    await world.crash()


@in_virtual_time
async def test_a_sweep_during_a_call_proves_nothing_about_it() -> None:
    """The machines came at the very end of a call whose answer was lost, when nobody wanted them any more."""
    world = World()
    world.hotel.effect_s = 18.0
    world.hotel.call_s = 0.5
    world.hotel.lost_replies = 1
    world.add_group("g-1", 2, clouds=["hotel"])
    await world.start()
    await asyncio.sleep(10)
    await world.set_desired("g-1", 0)

    await asyncio.sleep(20)

    assert world.born() == 2
    assert world.has_converged(0)
    await world.crash()


@in_virtual_time
async def test_a_repeated_call_that_does_not_get_through_says_nothing_of_the_first() -> None:
    """Its claims stay: the first call comes true half a minute later."""
    world = World()
    world.hotel.late_s = 25.0
    world.hotel.lost_replies = 1
    world.add_group("g-1", 2, clouds=["hotel"])
    await world.start()
    await asyncio.sleep(1)
    world.hotel.launch_errors = [Unreachable("connection refused")]

    await asyncio.sleep(60)

    assert world.hotel.launches == 2
    assert world.has_converged(2)
    assert world.born() == 2
    await world.crash()


@in_virtual_time
async def test_a_call_that_a_crash_cut_off_may_still_come_true() -> None:
    """The new process waits for a sweep that began well after its own start."""
    world = World(traits=replace(TRAITS, token_is_idempotent=False, visible_after_s=4.0))
    world.hotel.late_s, world.hotel.reply_s = 22.0, 1e6
    world.add_group("g-1", 2, clouds=["hotel"])
    await world.start()
    await asyncio.sleep(20)
    await world.crash()
    world.hotel.late_s, world.hotel.reply_s = 0.0, 0.0

    await world.start()
    await asyncio.sleep(60)

    assert world.has_converged(2)
    assert world.born() == 2
    await world.crash()


@in_virtual_time
async def test_a_full_cloud_overflows_to_the_next_at_once() -> None:
    """And no activity is called Failed while another cloud can be tried: Terraform would give up."""
    world = World()
    world.hotel.room = 0
    world.add_group("g-1", 3)
    await world.start()

    await asyncio.sleep(1)

    assert world.spread() == {"sierra": 3}
    assert sorted(world.statuses()) == ["Cancelled"] * 3 + ["Successful"] * 3
    await world.crash()


@in_virtual_time
async def test_a_partial_answer_is_kept_and_the_rest_goes_elsewhere() -> None:
    """Two of five fit."""
    world = World()
    world.hotel.room = 2
    world.add_group("g-1", 5)
    await world.start()

    await asyncio.sleep(1)

    assert world.spread() == {"hotel": 2, "sierra": 3}
    assert world.has_converged(5)
    await world.crash()


@in_virtual_time
async def test_a_group_with_nowhere_to_go_fails_and_tries_again_ever_more_rarely() -> None:
    """Ten seconds, doubling to ten minutes; the activity says what the cloud said."""
    world = World()
    world.hotel.room = 0
    world.add_group("g-1", 1, clouds=["hotel"])
    await world.start()
    tried = []
    for _ in range(6):
        await asyncio.sleep(600)
        tried.append(world.hotel.launches)

    assert 5 <= tried[0] <= 8
    assert tried[-1] - tried[-2] <= 2
    assert set(world.statuses()) == {"Failed"}
    assert world.ledger.told["g-1"][0].status_message == "hotel is full. Launching EC2 instance failed."
    assert re.fullmatch(r"(back-off on|the breaker of) hotel (is open )?until .*Z: hotel is full", world.waits()[0])
    world.hotel.room = None
    await asyncio.sleep(700)
    assert world.has_converged(1)
    await world.crash()


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Throttled("slow down", 20.0), id="throttled"),
        pytest.param(Unreachable("connection refused"), id="unreachable"),
        pytest.param(NoCapacity("no room"), id="no capacity"),
        pytest.param(RuntimeError("a bug in the adapter"), id="anything"),
    ],
)
@in_virtual_time
async def test_a_launch_that_failed_once_is_repeated(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it was, and with exactly one machine in the end."""
    caplog.set_level(logging.CRITICAL)
    world = World()
    world.hotel.launch_errors = [error]
    world.add_group("g-1", 1, clouds=["hotel"])
    await world.start()

    await asyncio.sleep(60)

    assert world.has_converged(1)
    assert world.born() == 1
    await world.crash()


@in_virtual_time
async def test_a_refusal_ends_when_the_user_changes_what_was_refused() -> None:
    """Nobody waits ten minutes after the image was corrected."""
    world = World()
    world.hotel.launch_errors = [Refused("no such image") for _ in range(20)]
    world.add_group("g-1", 1, clouds=["hotel"])
    await world.start()
    await asyncio.sleep(400)
    assert world.statuses().count("Failed") > 3

    world.hotel.launch_errors = []
    fixed = replace(world.ledger.sources["g-1"]["hotel"], spec=LaunchSpec("better", "m1.small"))
    world.ledger.sources["g-1"] = {"hotel": fixed}
    world.wake("g-1")
    await asyncio.sleep(0.1)

    assert world.has_converged(1)
    await world.crash()


@in_virtual_time
async def test_a_blind_cloud_loses_nobody_and_gets_nobody() -> None:
    """An hour without an answer, while machines die there and the group grows elsewhere."""
    world = await settled(3)
    world.hotel.blind = "connection timed out"
    await asyncio.sleep(15)
    world.hotel.kill(world.alive()[0])
    await world.set_desired("g-1", 5)

    await asyncio.sleep(3600)

    assert world.spread() == {"hotel": 2, "sierra": 2}
    assert len(world.ledger.instances("g-1")) == 5
    assert world.hotel.terminations == 0
    assert world.waits() == ["hotel does not answer: connection timed out"]
    world.hotel.blind = None
    await asyncio.sleep(60)
    assert world.has_converged(5)
    assert world.waits() == []
    await world.crash()


@in_virtual_time
async def test_an_incomplete_sweep_is_no_sweep() -> None:
    """What is missing from it is not dead."""
    world = await settled(3, forgets_dead=True)
    world.hotel.incomplete = True
    world.hotel.kill(world.alive()[0])

    await asyncio.sleep(300)

    assert world.born() == 3
    await world.crash()


@in_virtual_time
async def test_an_empty_list_is_not_believed() -> None:
    """Once is a hiccup: nobody is terminated, nobody is launched, on any cloud."""
    world = await settled(1)
    world.hotel.empty_sweeps = 1

    await asyncio.sleep(60)

    assert world.has_converged(1)
    assert world.born() == 1
    assert world.hotel.terminations == 0
    await world.crash()


@in_virtual_time
async def test_a_lasting_empty_list_freezes_a_group_of_several() -> None:
    """Confirmed, but too many at once without a word from the cloud; the sight of them thaws it."""
    world = await settled(3)
    world.hotel.empty_sweeps = 20
    world.hotel.denies.update(world.alive())

    await asyncio.sleep(60)
    assert world.ledger.waiting["g-1"][0].startswith("3 of 3 instances on hotel look dead at once")
    await asyncio.sleep(120)

    assert world.has_converged(3)
    assert world.born() == 3
    assert world.waits() == []
    await world.crash()


@in_virtual_time
async def test_a_deleted_group_leaves_nothing_behind() -> None:
    """The group goes when its last machine is gone; its activities stay."""
    world = await settled(4, clouds=[RankedCloud("hotel", 2), "sierra"])

    await world.delete("g-1")
    await asyncio.sleep(20)

    assert world.alive() == []
    assert "g-1" not in world.ledger.groups
    assert world.ledger.told["g-1"]
    await world.crash()


@in_virtual_time
async def test_a_group_deleted_while_its_cloud_is_blind_waits_for_it() -> None:
    """Its machines are not forgotten."""
    world = await settled(2)
    world.hotel.blind = "no route"
    await asyncio.sleep(15)

    await world.delete("g-1")
    await asyncio.sleep(300)
    assert "g-1" in world.ledger.groups
    world.hotel.blind = None
    await asyncio.sleep(60)

    assert world.alive() == []
    assert "g-1" not in world.ledger.groups
    await world.crash()


@in_virtual_time
async def test_more_machines_than_asked_for_do_not_stay() -> None:
    """The surplus is found by its mark and terminated."""
    world = World()
    world.hotel.extra = 2
    world.add_group("g-1", 1)
    await world.start()
    await asyncio.sleep(1)
    assert len(world.alive()) == 3

    await asyncio.sleep(200)

    assert world.has_converged(1)
    await world.crash()


@in_virtual_time
async def test_a_machine_of_somebody_else_is_never_touched() -> None:
    """A foreign gateway's machine with the very same group and token in its mark."""
    world = await settled(1)
    ours = world.hotel.lives[0]
    foreign = replace(ours, machine_id="foreign", mark=replace(ours.mark, gateway_id="another"))
    world.hotel.lives.append(foreign)

    await world.set_desired("g-1", 0)
    await asyncio.sleep(400)

    assert world.alive() == ["foreign"]
    await world.crash()


@in_virtual_time
async def test_a_termination_that_a_cloud_forgot_is_sent_again() -> None:
    """A minute later, and not in between."""
    world = await settled(1)
    world.hotel.ignored_terminations = 1
    await world.set_desired("g-1", 0)

    await asyncio.sleep(50)
    assert (len(world.alive()), world.hotel.terminations) == (1, 1)
    await asyncio.sleep(30)

    assert world.has_converged(0)
    assert world.hotel.terminations == 2
    await world.crash()


@pytest.mark.parametrize(
    ("error", "by_s"),
    [
        pytest.param(Unreachable("connection refused"), 12, id="unreachable"),
        pytest.param(Throttled("slow down", 30.0), 32, id="throttled"),
        pytest.param(Gone("no such machine"), 1, id="gone already, it says"),
    ],
)
@in_virtual_time
async def test_a_termination_that_failed_is_repeated(error: Exception, by_s: float) -> None:
    """As soon as the cloud may be asked again; what it calls gone is looked for in the next sweep."""
    world = await settled(1)
    await asyncio.sleep(2)  # between two sweeps: nobody has seen yet what has just died
    world.hotel.terminate_errors = [error]
    if isinstance(error, Gone):
        world.hotel.kill(world.alive()[0])

    await world.set_desired("g-1", 0)
    await asyncio.sleep(by_s)

    assert world.has_converged(0)
    assert world.hotel.terminations == 1 + (not isinstance(error, Gone))
    await world.crash()


@in_virtual_time
async def test_a_cloud_that_accepts_no_terminations_is_not_hammered() -> None:
    """Its sweeps go on showing the machines, and each of them is no reason to ask again."""
    world = await settled(1)
    world.hotel.terminate_errors = [Throttled("slow down", 30.0)] * 1000
    await world.set_desired("g-1", 0)
    for _ in range(300):
        world.wake("g-1")
        await asyncio.sleep(1)

    assert 8 <= world.hotel.terminations <= 12
    await world.crash()


@in_virtual_time
async def test_a_cloud_that_launches_again_is_trusted_again() -> None:
    """After a success its next failure costs ten seconds, not eighty."""
    world = World()
    world.hotel.launch_errors = [NoCapacity("full")] * 4
    world.add_group("g-1", 1, clouds=["hotel"])
    await world.start()
    await asyncio.sleep(200)
    assert world.has_converged(1)

    world.hotel.launch_errors = [NoCapacity("full")]
    await world.set_desired("g-1", 2)
    await asyncio.sleep(11)

    assert world.has_converged(2)
    await world.crash()


@in_virtual_time
async def test_an_account_with_new_credentials_is_watched_through_them() -> None:
    """The old connection is let go, and the picture is made anew."""
    world = await settled(1, clouds=["hotel"])
    world.hotel.blind = "the key was revoked"
    await asyncio.sleep(20)
    renewed = replace(world.hotel, blind=None)
    world.known["hotel"] = replace(world.known["hotel"], cloud=renewed)

    await asyncio.sleep(70)
    sweeps = world.hotel.sweeps
    await asyncio.sleep(70)

    assert world.waits() == []
    assert world.hotel.sweeps == sweeps
    assert renewed.sweeps > 10
    await world.crash()


@in_virtual_time
async def test_a_stopped_machine_is_terminated_and_replaced() -> None:
    """It would go on costing money."""
    world = await settled(6)
    stopped = world.hotel.lives[0]
    stopped.state = MachineState.STOPPED

    await asyncio.sleep(15)

    assert world.has_converged(6)
    assert stopped.died_at is not None
    await world.crash()
