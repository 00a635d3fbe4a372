"""The fuse against runaway: more machines live than anybody wanted, so there are no more launches."""

import asyncio

import pytest

from backends.cloud import MachineState, Mark
from reconciler import actions, rails
from reconciler.model import InstanceState
from tests.reconciler.views import account, ago, claim, instance, launched, machine, of_kind, plan, running, view
from tests.reconciler.virtual_time import in_virtual_time
from tests.reconciler.world import settled

YOUNG = ago(10)
"""Too young to be a leak, or to be adopted."""


def strays(count: int, state: MachineState = MachineState.RUNNING) -> list[object]:
    """Machines of the group that nothing stands for."""
    return [machine(f"m-{number}", state, launched_at=YOUNG) for number in range(100, 100 + count)]


@pytest.mark.parametrize(
    ("desired", "known", "unknown", "launches"),
    [
        pytest.param(3, 2, 0, 1, id="nothing unknown"),
        pytest.param(3, 2, 3, 1, id="two beyond what is desired"),
        pytest.param(3, 2, 4, 0, id="three beyond"),
        pytest.param(1, 0, 4, 0, id="all unknown"),
    ],
)
def test_nothing_is_launched_beside_many_machines_that_nothing_stands_for(
    desired: int, known: int, unknown: int, launches: int
) -> None:
    """Two beyond what is desired may be; then the fuse blows, and says so."""
    members = [instance(key) for key in range(1, known + 1)]
    shown = [*running(*range(1, known + 1)), *strays(unknown)]
    made = plan(view(desired, members, accounts={"hotel": account(shown)}))  # type: ignore[arg-type]

    assert sum(launched(made).values()) == launches
    assert ("overshoot" in made.blown) is (launches == 0)
    assert any("nothing is launched until they are gone" in text for text in made.waiting_on) is (launches == 0)


def test_a_launch_is_not_repeated_either() -> None:
    """Its claims wait until the surplus is gone."""
    made = plan(view(1, [claim(1)], accounts={"hotel": account(strays(4))}))  # type: ignore[arg-type]

    assert of_kind(made, actions.Resend) == []


def test_terminations_go_on() -> None:
    """They are what mends it."""
    members = [instance(1), instance(2), instance(3, state=InstanceState.TERMINATING)]
    shown = [*running(1, 2, 3), *strays(5)]
    made = plan(view(1, members, accounts={"hotel": account(shown)}))  # type: ignore[arg-type]

    assert len(of_kind(made, actions.Retire)) == 1
    assert [sorted(action.instance_keys) for action in of_kind(made, actions.Dismiss)] == [[1, 3]]


def test_machines_on_their_way_out_do_not_count() -> None:
    """Neither those that the ledger retired nor those that the cloud ends."""
    leaving = [instance(key, state=InstanceState.TERMINATING, terminate_sent_at=YOUNG) for key in range(1, 7)]
    shown = [*running(*range(1, 7)), *strays(5, MachineState.SHUTTING_DOWN)]
    made = plan(view(6, leaving, accounts={"hotel": account(shown)}))  # type: ignore[arg-type]

    assert (sum(launched(made).values()), made.blown) == (6, frozenset())


def test_the_rails_count_by_themselves() -> None:
    """A planner that forgot the fuse is stopped."""
    seen = view(3, [instance(1)], accounts={"hotel": account([*running(1), *strays(5)])})  # type: ignore[list-item]

    with pytest.raises(rails.RailBreach, match="5 machines that nothing stands for"):
        rails.check(seen, actions.Plan((actions.Launch("hotel", 2, 0, "a mistake"),)))


@in_virtual_time
async def test_it_mends_itself() -> None:
    """A cloud launched seven too many: no more come while they live, and then all is as desired."""
    world = await settled(2, ["hotel"])
    world.hotel._give_birth(7, Mark("gw", "g-1", "token-1"))
    await world.set_desired("g-1", 4)
    await asyncio.sleep(20)
    born = world.born()
    await asyncio.sleep(600)

    assert born == 9
    assert world.has_converged(4)
