"""Machines that vanish, in truth or not, and what becomes of them: the real reconciler in virtual time."""

import asyncio

from backends.errors import Unreachable
from tests.reconciler.virtual_time import in_virtual_time
from tests.reconciler.world import settled


@in_virtual_time
async def test_what_a_listing_leaves_out_is_asked_for_by_its_id() -> None:
    """A cloud that lists nothing for ten minutes, and knows every machine: nobody is missed, and nobody waits."""
    world = await settled(3)
    world.hotel.empty_sweeps = 120

    await asyncio.sleep(590)

    assert world.has_converged(3)
    assert (world.born(), world.hotel.terminations) == (3, 0)
    assert world.waits() == []
    assert world.hotel.sweeps < 200
    await world.crash()


@in_virtual_time
async def test_a_machine_that_is_hidden_and_denied_for_minutes_comes_back_as_surplus() -> None:
    """
    It was replaced, and nobody ended it: of the two that serve then, one goes.

    A healthy machine was once terminated because a listing lagged longer than it was known to.
    """
    world = await settled(5)
    hidden = world.alive()[0]
    world.hotel.hides.add(hidden)
    world.hotel.denies.add(hidden)
    await asyncio.sleep(60)
    assert len(world.alive()) == 6
    assert world.hotel.terminations == 0

    world.hotel.hides.clear()
    world.hotel.denies.clear()
    await asyncio.sleep(200)

    assert world.has_converged(5)
    assert world.born() == 6
    assert world.hotel.terminations == 1
    await world.crash()


@in_virtual_time
async def test_a_machine_that_comes_back_while_it_is_needed_serves_again() -> None:
    """Its replacement found no room: it is bound again, and not ended."""
    world = await settled(3, clouds=["hotel"])
    await asyncio.sleep(200)
    hidden = world.alive()[0]
    world.hotel.room = 0
    world.hotel.hides.add(hidden)
    world.hotel.denies.add(hidden)
    await asyncio.sleep(120)
    assert len(world.ledger.instances("g-1")) == 2

    world.hotel.hides.clear()
    world.hotel.denies.clear()
    await asyncio.sleep(30)

    assert world.has_converged(3)
    assert (world.born(), world.hotel.terminations) == (3, 0)
    assert any("was found, and takes a place in it again" in a.cause for a in world.ledger.told["g-1"])
    await world.crash()


@in_virtual_time
async def test_a_ledger_from_a_backup_takes_its_machines_back() -> None:
    """F12: it knows the group and none of its machines: they serve again, and no second set is launched."""
    world = await settled(4)
    await asyncio.sleep(200)
    await world.crash()
    world.ledger.lose_instances()

    await world.start()
    await asyncio.sleep(30)

    assert world.has_converged(4)
    assert (world.born(), world.hotel.terminations) == (4, 0)
    await world.crash()


@in_virtual_time
async def test_two_of_five_that_their_cloud_denies_are_replaced_after_five_minutes() -> None:
    """It does not list the dead, says that they do not exist, and shows the other three: that is its own word."""
    world = await settled(5, forgets_dead=True)
    for machine_id in world.alive()[:2]:
        world.hotel.kill(machine_id)

    await asyncio.sleep(280)
    assert (world.born(), len(world.alive())) == (5, 3)
    assert world.waits()[0].startswith("2 of 5 instances on hotel look dead at once")
    await asyncio.sleep(60)

    assert world.has_converged(5)
    assert world.born() == 7
    await world.crash()


@in_virtual_time
async def test_all_that_vanish_wait_for_a_human_who_says_so() -> None:
    """An account that shows nothing at all may be the wrong one; SetInstanceHealth ends the doubt."""
    world = await settled(3, forgets_dead=True)
    for machine_id in world.alive():
        world.hotel.kill(machine_id)

    await asyncio.sleep(3600)
    assert world.born() == 3
    for member in world.ledger.instances("g-1"):
        world.ledger.change_instance(member.key, healthy=False)
    world.wake("g-1")
    await asyncio.sleep(30)

    assert world.has_converged(3)
    await world.crash()


@in_virtual_time
async def test_answers_that_merely_lack_many_machines_are_never_believed() -> None:
    """Only an answer in so many words is: an empty one is what clouds give that have lost their mind."""
    world = await settled(5)
    world.hotel.says_no = False
    lost = world.alive()[:2]
    world.hotel.hides.update(lost)
    world.hotel.denies.update(lost)

    await asyncio.sleep(3600)

    assert (world.born(), len(world.alive())) == (5, 5)
    await world.crash()


@in_virtual_time
async def test_a_cloud_that_answers_no_inquiries_is_not_hammered() -> None:
    """Nothing is concluded, and it goes on being swept at its pace."""
    world = await settled(3)
    hidden = world.alive()[0]
    world.hotel.hides.add(hidden)
    world.hotel.inquiry_error = Unreachable("InternalError")
    sweeps = world.hotel.sweeps

    await asyncio.sleep(600)

    assert (world.born(), len(world.alive())) == (3, 3)
    assert world.hotel.sweeps - sweeps <= 250
    assert world.hotel.inquiries <= 130
    await world.crash()
