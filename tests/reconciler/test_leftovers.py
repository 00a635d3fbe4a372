"""Machines of groups that are gone: which are terminated without anybody being asked, and which never are."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from backends.cloud import LaunchSpec, Machine, MachineState, Mark
from reconciler import actions, leftovers
from reconciler.freezes import Freeze, Scope
from tests.reconciler import virtual_time
from tests.reconciler.sim_world import SimWorld
from tests.reconciler.views import NOW, account, ago, instance, machine, of_kind, plan, running, view
from tests.reconciler.virtual_time import in_virtual_time

SPEC = LaunchSpec("img", "m1.small")
LEFT = machine("m-1", launched_at=ago(300))
ENDING = machine("m-1", MachineState.SHUTTING_DOWN, launched_at=ago(300))
SEEN = {"m-1": ago(30)}


@pytest.mark.parametrize(
    ("left", "seen", "removed", "condemned", "reaped"),
    [
        pytest.param(LEFT, SEEN, ago(200), (), True, id="launched before its group was removed"),
        pytest.param(LEFT, SEEN, ago(400), (), True, id="launched as its group was removed"),
        pytest.param(LEFT, SEEN, ago(600), (), False, id="launched long after: by somebody else"),
        pytest.param(LEFT, SEEN, None, (), False, id="of a group that was never ours"),
        pytest.param(LEFT, SEEN, None, ("m-1",), True, id="given up by an operator"),
        pytest.param(LEFT, {}, ago(200), (), False, id="seen once"),
        pytest.param(LEFT, {"m-1": NOW}, ago(200), (), False, id="seen twice in the same sweep"),
        pytest.param(machine("m-1", launched_at=ago(50)), SEEN, ago(10), (), False, id="younger than a minute"),
        pytest.param(ENDING, SEEN, ago(200), (), False, id="on its way out"),
        pytest.param(replace(LEFT, mark=None), SEEN, ago(200), (), False, id="without a mark"),
        pytest.param(replace(LEFT, mark=Mark("gw", "g-1", "")), SEEN, ago(200), ("m-1",), False, id="with half a mark"),
    ],
)
def test_the_rule(left: Machine, seen: dict, removed: object, condemned: tuple, reaped: bool) -> None:  # type: ignore[type-arg]
    """Ours beyond doubt, or given up."""
    found = leftovers.reapable([left], seen, NOW, removed, condemned, NOW)  # type: ignore[arg-type]

    assert found == (["m-1"] if reaped else [])


def test_what_an_operator_gave_up_of_a_known_group_is_reaped() -> None:
    """Otherwise so many unknown machines look like an old backup, and are left alone."""
    shown = running(1, 2, 7, 8, 9)
    seen = account(shown, condemned=frozenset({"m-8", "m-1"}))
    made = plan(view(2, [instance(1), instance(2)], accounts={"hotel": seen}))

    assert [a.machine_ids for a in of_kind(made, actions.Reap)] == [("m-8",)]


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"desired": 2}, id="no instance stands for it"),
        pytest.param({"desired": 3}, id="there is a place for it"),
        pytest.param({"desired": 0, "deleting": True}, id="its group is being deleted"),
    ],
)
def test_what_this_ledger_never_launched_is_left_alone(facts: dict[str, int]) -> None:
    """Another gateway with our id launched it (F14): it is neither ended nor taken in, and the group says so."""
    shown = running(1, 2, 7)
    seen = {"hotel": account(shown, spared=frozenset({"m-7"}))}
    spared = plan(view(instances=[instance(1), instance(2)], accounts=seen, **facts))  # type: ignore[arg-type]
    ours = plan(view(instances=[instance(1), instance(2)], accounts={"hotel": account(shown)}, **facts))  # type: ignore[arg-type]

    touching = (actions.Reap, actions.Adopt)
    assert not [action for action in spared.actions if isinstance(action, touching)]
    assert [action for action in ours.actions if isinstance(action, touching)]
    assert any("never launched" in sentence for sentence in spared.waiting_on)


async def left_behind(world: SimWorld) -> str:
    """The machine id of a leak: its group has been removed, and it came to light only now."""
    world.add_group("g-1", 1)
    await world.start()
    await asyncio.sleep(30)
    await world.delete("g-1")
    await asyncio.sleep(60)
    assert "g-1" not in world.ledger.groups
    return str(world.hotel.plant(SPEC, Mark("gw", "g-1", "token-late")).machine_id)


@in_virtual_time
async def test_a_leak_of_a_removed_group_is_ended_in_time() -> None:
    """Within 150 s of its launch, and written down."""
    world = SimWorld()
    left = await left_behind(world)
    await asyncio.sleep(55)
    before = len(world.hotel.alive())
    await asyncio.sleep(95)

    assert (before, world.hotel.alive()) == (1, [])
    assert ("g-1", "hotel", left) in world.ledger.reaped
    await world.crash()


async def forgotten_on_hotel(world: SimWorld, desired: int) -> None:
    """A group that may use sierra alone, and a machine of it on hotel, of whose launch there is no record."""
    world.add_group("g-1", desired, ["sierra"])
    await world.start()
    await asyncio.sleep(30)
    world.hotel.plant(SPEC, Mark("gw", "g-1", "token-late"))


@in_virtual_time
async def test_a_leak_on_a_cloud_that_its_group_has_left_is_ended() -> None:
    """I2: the group looks there, too, though it has nothing to look for."""
    world = SimWorld()
    await forgotten_on_hotel(world, 2)
    await asyncio.sleep(170)

    assert world.hotel.alive() == []
    assert world.spread() == {"sierra": 2}
    await world.crash()


@in_virtual_time
async def test_a_leak_that_was_in_sight_when_its_group_went_is_ended() -> None:
    """I2: nothing about it changes any more, so nothing but the removal itself makes anybody look again."""
    world = SimWorld()
    world.add_group("g-1", 1, ["sierra"])
    await world.start()
    await asyncio.sleep(30)
    world.hotel.plant(SPEC, Mark("gw", "g-1", "token-late"))
    await asyncio.sleep(30)
    await world.delete("g-1")
    await asyncio.sleep(60)

    assert "g-1" not in world.ledger.groups
    assert world.hotel.alive() == []
    await world.crash()


@pytest.mark.parametrize(
    ("scope", "name"), [(Scope.ALL, ""), (Scope.CLOUD, "hotel"), (Scope.USER, "7"), (Scope.GROUP, "g-1")]
)
@in_virtual_time
async def test_a_freeze_holds_up_that_too(scope: Scope, name: str) -> None:
    """Until it is thawed, even by whoever's the group was."""
    world = SimWorld()
    await left_behind(world)
    await world.freeze(Freeze(scope, name, name, "bob", virtual_time.now(), ""))
    await asyncio.sleep(600)
    frozen = len(world.hotel.alive())
    await world.freeze()
    await asyncio.sleep(60)

    assert (frozen, world.hotel.alive()) == (1, [])
    await world.crash()


@in_virtual_time
async def test_a_machine_that_came_long_after_its_group_went_is_somebody_elses() -> None:
    """Another gateway works with our id and a copy of our records: it must not lose its machines to us (F14)."""
    world = SimWorld()
    await left_behind(world)
    await asyncio.sleep(150)
    world.hotel.plant(SPEC, Mark("gw", "g-1", "token-much-later"))
    await asyncio.sleep(timedelta(hours=1).total_seconds())

    assert len(world.hotel.alive()) == 1
    await world.crash()


@in_virtual_time
async def test_what_an_operator_gives_up_is_ended() -> None:
    """Whoever's it was."""
    world = SimWorld()
    left = world.hotel.plant(SPEC, Mark("gw", "never-known", "token-0"))
    await world.start()
    await asyncio.sleep(300)
    before = len(world.hotel.alive())
    world.condemn(("hotel", left.machine_id))
    await asyncio.sleep(60)

    assert (before, world.hotel.alive()) == (1, [])
    await world.crash()
