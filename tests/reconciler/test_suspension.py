"""What a group does not do while its processes are suspended."""

from typing import Any

import pytest

from backends.cloud import MachineState
from reconciler import actions, planner, rails
from reconciler.model import Instance, InstanceState, RankedCloud
from tests.reconciler.views import (
    NOW,
    account,
    buried,
    claim,
    in_vain,
    instance,
    launched,
    machine,
    of_kind,
    retired,
    view,
)

WHY = "User suspended at 2013-08-19T20:00:00Z"


def plan(process: str, desired: int, members: list[Instance], **facts: Any) -> actions.Plan:
    """The plan for a group with this process suspended, which has to pass the rails."""
    seen = view(desired, members, **facts, suspended=frozenset({process}), suspension_reasons={process: WHY})
    made = planner.plan(seen, NOW)
    rails.check(seen, made)
    return made


def test_nothing_is_launched() -> None:
    """Neither missing instances nor repeated calls; both are waited for."""
    missing = plan("Launch", 3, [instance(1)])
    unsettled = plan("Launch", 1, [claim(1)])

    assert missing.actions == unsettled.actions == ()
    assert missing.waiting_on == unsettled.waiting_on == (f"Launch is suspended: {WHY}",)


def test_a_launch_under_way_is_settled_all_the_same() -> None:
    """Its call may have happened before."""
    made = plan("Launch", 1, [claim(1)], accounts={"hotel": account([machine("m-9", token="t-1")])})

    assert [type(a) for a in made.actions] == [actions.Bind]


def test_the_unhealthy_go_even_if_nothing_can_be_launched() -> None:
    """As on AWS: their replacement stays owed."""
    made = plan("Launch", 2, [instance(1), instance(2, healthy=False)])

    assert [(a.instance_key, a.replace) for a in of_kind(made, actions.Retire)] == [(2, True)]
    assert launched(made) == {}


@pytest.mark.parametrize(
    ("desired", "members"),
    [
        pytest.param(1, [instance(1), instance(2)], id="scale-in"),
        pytest.param(2, [instance(1), instance(2, healthy=False)], id="unhealthy"),
    ],
)
def test_nobody_is_retired(desired: int, members: list[Instance]) -> None:
    """Neither for being too many nor for being unhealthy."""
    made = plan("Terminate", desired, members)

    assert made.actions == ()
    assert made.waiting_on == (f"Terminate is suspended: {WHY}",)


@pytest.mark.parametrize("process", ["Launch", "Terminate"])
def test_nobody_moves_out_of_a_lowered_cap(process: str) -> None:
    """Moving takes both."""
    members = [instance(1), instance(2)]

    assert plan(process, 2, members, clouds=(RankedCloud("hotel", 1), "sierra")).actions == ()


def test_what_is_terminating_already_is_seen_through() -> None:
    """The decision was made before the suspension, or by a user."""
    made = plan("Terminate", 0, [instance(1, state=InstanceState.TERMINATING)])

    assert [type(a) for a in made.actions] == [actions.Dismiss]


def test_the_unhealthy_stay_but_the_dead_are_filled_up() -> None:
    """ReplaceUnhealthy is about those that live; a gap is a gap, and its launch is no replacement."""
    unhealthy = plan("ReplaceUnhealthy", 2, [instance(1), instance(2, healthy=False)])
    shown = [machine("m-1"), machine("m-2", MachineState.TERMINATED)]
    dead = plan("ReplaceUnhealthy", 2, [instance(1), instance(2)], accounts={"hotel": account(shown)})

    assert unhealthy.actions == ()
    assert unhealthy.waiting_on == (f"ReplaceUnhealthy is suspended: {WHY}",)
    assert buried(dead) == [2]
    assert [(a.count, a.replacing) for a in of_kind(dead, actions.Launch)] == [(1, 0)]


def test_the_unhealthy_are_still_the_first_to_go_in_a_scale_in() -> None:
    """Somebody has to."""
    assert retired(plan("ReplaceUnhealthy", 1, [instance(1), instance(2, healthy=False)])) == [2]


def test_no_conclusions_are_drawn_but_words_are_believed() -> None:
    """The cloud's and the user's."""
    concluded = plan("HealthCheck", 1, [instance(1)], accounts={"hotel": account(**in_vain("m-1"))})
    shown = [machine("m-1", MachineState.TERMINATED)]
    said = plan("HealthCheck", 1, [instance(1)], accounts={"hotel": account(shown)})
    told = plan("HealthCheck", 1, [instance(1, healthy=False)])

    assert concluded.actions == ()
    assert concluded.waiting_on == (f"HealthCheck is suspended: {WHY}",)
    assert buried(said) == [1]
    assert retired(told) == [1]


@pytest.mark.parametrize("process", ["Launch", "Terminate", "HealthCheck", "ReplaceUnhealthy", "AZRebalance"])
def test_a_suspension_with_nothing_to_hold_up_is_silent(process: str) -> None:
    """A converged group waits for nothing."""
    assert plan(process, 1, [instance(1)]) == actions.Plan()


@pytest.mark.parametrize("process", ["Launch", "Terminate"])
def test_a_group_being_deleted_goes_all_the_same(process: str) -> None:
    """As on AWS."""
    assert retired(plan(process, 1, [instance(1)], deleting=True)) == [1]


def test_a_suspension_without_a_reason_is_named() -> None:
    """The sentence ends there."""
    made = planner.plan(view(1, suspended=frozenset({"Launch"})), NOW)

    assert made.waiting_on == ("Launch is suspended",)
