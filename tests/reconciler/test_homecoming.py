"""How eager groups come home, and when they do not."""

from typing import Any

import pytest

from backends.cloud import MachineState
from reconciler import actions, planner, rails
from reconciler.model import AccountView, FailBack, Instance, InstanceState, Limit, RankedCloud
from tests.reconciler.views import (
    NOW,
    account,
    ago,
    claim,
    gone_blind,
    held,
    instance,
    launched,
    machine,
    of_kind,
    retired,
    view,
)

CLOUDS = ("hotel", "sierra", "foxtrot")


def plan(desired: int, members: list[Instance], **facts: Any) -> actions.Plan:
    """The plan for an eager group, which has to pass the rails."""
    seen = view(desired, members, **({"clouds": CLOUDS, "fail_back": FailBack.EAGER} | facts))
    made = planner.plan(seen, NOW)
    rails.check(seen, made)
    return made


def test_one_instance_comes_home_from_the_worst_cloud() -> None:
    """It is terminated and launched at home in the same plan; the others wait for their turn."""
    made = plan(3, [instance(1, "sierra"), instance(2, "foxtrot"), instance(3, "foxtrot")])

    assert retired(made) == [2]
    assert launched(made) == {"hotel": 1}
    assert [a.instance_keys for a in of_kind(made, actions.Dismiss)] == [(2,)]


def test_both_halves_say_why() -> None:
    """In words of our own: AWS knows no ranks."""
    made = plan(1, [instance(1, "sierra")])

    assert [a.because for a in of_kind(made, actions.Retire)] == [
        "At 2013-08-19T21:00:00Z an instance was taken out of service to bring an instance home from sierra to hotel."
    ]
    assert [a.because for a in of_kind(made, actions.Launch)] == [
        "At 2013-08-19T21:00:00Z an instance was launched to bring an instance home from sierra to hotel."
    ]


@pytest.mark.parametrize("fail_back", [FailBack.OFF, FailBack.ON_REPLACEMENT])
def test_others_stay_where_they_are(fail_back: FailBack) -> None:
    """Only eager groups move by themselves."""
    assert plan(1, [instance(1, "sierra")], fail_back=fail_back) == actions.Plan()


@pytest.mark.parametrize(
    ("desired", "members", "facts"),
    [
        pytest.param(1, [instance(1, "hotel")], {}, id="it is at home"),
        pytest.param(1, [instance(1, "alamo")], {}, id="its cloud is not the group's any more"),
        pytest.param(1, [instance(1, "sierra", protected=True)], {}, id="it is protected"),
        pytest.param(1, [instance(1, "sierra")], {"sources": ["sierra"]}, id="no launch configuration at home"),
        pytest.param(
            2, [instance(1), instance(2, "sierra")], {"clouds": (RankedCloud("hotel", 1), "sierra")}, id="home is full"
        ),
        pytest.param(2, [instance(1, "sierra"), claim(2, "sierra", claimed_at=ago(1))], {}, id="a launch is under way"),
        pytest.param(
            2,
            [instance(1, "sierra"), instance(2, "hotel", state=InstanceState.TERMINATING, terminate_sent_at=ago(5))],
            {"desired": 1},
            id="a termination is under way",
        ),
        pytest.param(
            2,
            [instance(1, "sierra"), instance(2, state=InstanceState.PENDING, bound_at=ago(5))],
            {"accounts": {"hotel": account([machine("m-2", MachineState.PENDING)])}},
            id="one is pending",
        ),
        pytest.param(
            1,
            [instance(1, "sierra")],
            {"accounts": {"hotel": account([machine("m-9", launched_at=ago(5))])}},
            id="a machine is unclaimed",
        ),
        pytest.param(
            1,
            [instance(1, "sierra")],
            {"accounts": {"sierra": gone_blind(machines=[machine("m-1")])}},
            id="nobody sees where it leaves",
        ),
        pytest.param(0, [instance(1, "sierra")], {"deleting": True}, id="the group goes"),
    ],
)
def test_nobody_moves_at_the_wrong_time(desired: int, members: list[Instance], facts: dict[str, Any]) -> None:
    """Nothing is launched at home in anybody's place."""
    desired = facts.pop("desired", desired)

    assert launched(plan(desired, members, **facts)) == {}


@pytest.mark.parametrize(
    ("home", "recheck_s", "reason"),
    [
        pytest.param(
            account(hold=held()), 30, "back-off on hotel until 2013-08-19T21:00:30Z: hotel is full", id="held"
        ),
        pytest.param(
            account(breaker=held()),
            30,
            "the breaker of hotel is open until 2013-08-19T21:00:30Z: hotel is full",
            id="breaker",
        ),
        pytest.param(account(limits=(Limit(0, "not now", ago(-7), waits=True),)), 7, "not now", id="budget"),
        pytest.param(gone_blind(), None, "hotel does not answer: connection refused", id="silent"),
    ],
)
def test_a_home_that_takes_nobody_now_is_waited_for(home: AccountView, recheck_s: float | None, reason: str) -> None:
    """The instance goes on serving until then."""
    made = plan(1, [instance(1, "sierra")], clouds=("hotel", "sierra"), accounts={"hotel": home})

    assert made.actions == ()
    assert made.waiting_on == (reason,)
    assert made.recheck_s == (None if recheck_s is None else pytest.approx(recheck_s))


@pytest.mark.parametrize("process", ["Launch", "Terminate", "AZRebalance"])
def test_suspended_processes_keep_it_away(process: str) -> None:
    """Moving is launching, terminating and rebalancing."""
    made = plan(
        1, [instance(1, "sierra")], suspended=frozenset({process}), suspension_reasons={process: "somebody said so"}
    )

    assert made.actions == ()
    assert made.waiting_on == (f"{process} is suspended: somebody said so",)


def test_a_protected_instance_does_not_keep_the_others_away() -> None:
    """The next worst cloud has its turn."""
    made = plan(2, [instance(1, "sierra"), instance(2, "foxtrot", protected=True)])

    assert retired(made) == [1]
    assert launched(made) == {"hotel": 1}
