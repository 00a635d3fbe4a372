"""What is frozen stays as it is: nothing is launched, nothing terminated, and everybody is told why."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from backends.cloud import MachineState
from reconciler import actions, prospect, rails
from reconciler.brakes import Brakes
from reconciler.freezes import Freeze, Freezes, Scope
from reconciler.model import FailBack, Hold, Instance, InstanceState, RankedCloud
from tests.reconciler.views import (
    NOW,
    account,
    ago,
    buried,
    claim,
    in_vain,
    instance,
    launched,
    machine,
    plan,
    retired,
    running,
    view,
)
from tests.reconciler.virtual_time import EPOCH, in_virtual_time
from tests.reconciler.world import World, settled

FROZEN = Hold(NOW + timedelta(minutes=1), "group web is frozen by bob since 2026-01-01T00:00:00Z: a bad release")
ON_CLOUDS = (actions.Launch, actions.Resend, actions.Retire, actions.Dismiss, actions.Reap)


def freeze(scope: Scope, name: str = "", reason: str = "a bad release") -> Freeze:
    """A freeze by bob."""
    return Freeze(scope, name, name, "bob", EPOCH, reason)


@pytest.mark.parametrize(
    ("frozen", "covered"),
    [
        pytest.param(freeze(Scope.ALL), True, id="everything"),
        pytest.param(freeze(Scope.CLOUD, "hotel"), True, id="its cloud"),
        pytest.param(freeze(Scope.CLOUD, "sierra"), False, id="another cloud"),
        pytest.param(freeze(Scope.USER, "7"), True, id="its user"),
        pytest.param(freeze(Scope.USER, "8"), False, id="another user"),
        pytest.param(freeze(Scope.GROUP, "g-1"), True, id="itself"),
        pytest.param(freeze(Scope.GROUP, "g-2"), False, id="another group"),
    ],
)
def test_a_freeze_covers_what_it_names(frozen: Freeze, covered: bool) -> None:
    """And nothing else."""
    assert (Freezes([frozen]).over("g-1", 7, "hotel") is not None) is covered


def test_the_widest_freeze_is_the_one_that_is_told() -> None:
    """Whoever thaws the group alone would wonder why nothing happens."""
    both = Freezes([freeze(Scope.GROUP, "g-1"), freeze(Scope.ALL)])

    assert both.over("g-1", 7, "hotel") == freeze(Scope.ALL)


@pytest.mark.parametrize(
    ("desired", "members", "machines", "facts"),
    [
        pytest.param(2, [instance(1)], running(1), {}, id="missing"),
        pytest.param(1, [claim(1)], [], {}, id="a launch to repeat"),
        pytest.param(1, [instance(1), instance(2)], running(1, 2), {}, id="surplus"),
        pytest.param(1, [instance(1, healthy=False)], running(1), {}, id="called unhealthy"),
        pytest.param(1, [instance(1)], [machine("m-1", MachineState.ERROR)], {}, id="in error"),
        pytest.param(0, [instance(1, state=InstanceState.TERMINATING)], running(1), {}, id="retired before"),
        pytest.param(1, [instance(1)], running(1, 9), {}, id="a leak"),
        pytest.param(1, [instance(1)], running(1), {"deleting": True}, id="being deleted"),
    ],
)
def test_nothing_is_asked_of_a_frozen_cloud(
    desired: int, members: list[Instance], machines: list[Any], facts: dict[str, Any]
) -> None:
    """Whatever there is to do; and what would be done without the freeze shows that there was something."""
    thawed = plan(view(desired, members, accounts={"hotel": account(machines)}, **facts))
    frozen = plan(view(desired, members, accounts={"hotel": account(machines, frozen=FROZEN)}, **facts))

    assert any(isinstance(action, ON_CLOUDS) for action in thawed.actions)
    assert not any(isinstance(action, ON_CLOUDS) for action in frozen.actions)
    assert FROZEN.reason in frozen.waiting_on


def test_what_is_seen_is_still_written_down() -> None:
    """A launch that came up is bound, one that runs is in service, and the dead are written off."""
    members = [claim(1), instance(2, state=InstanceState.PENDING), instance(3)]
    machines = [machine("m-1"), machine("m-2"), machine("m-3", MachineState.TERMINATED)]
    made = plan(view(3, members, accounts={"hotel": account(machines, frozen=FROZEN)}))

    assert {type(action) for action in made.actions} == {actions.Bind, actions.Promote, actions.Bury}


def test_what_vanished_is_replaced_elsewhere() -> None:
    """A frozen cloud is like one that is full: the next rank takes what is missing."""
    gone = instance(1)
    accounts = {"hotel": account([machine("m-8", uid="g-2")], frozen=FROZEN, living=9, **in_vain("m-1", denied_s=400))}
    made = plan(view(1, [gone], ["hotel", "sierra"], accounts))

    assert (buried(made), launched(made)) == ([1], {"sierra": 1})


def test_the_unhealthy_of_a_frozen_cloud_get_no_replacement_elsewhere() -> None:
    """They run on, so each pass would launch one more."""
    accounts = {"hotel": account(running(1), frozen=FROZEN)}
    made = plan(view(1, [instance(1, healthy=False)], ["hotel", "sierra"], accounts))

    assert made.actions == ()


def test_what_was_retired_before_the_freeze_keeps_its_place() -> None:
    """It runs on, although nobody counts it: growing beside it would pay for both."""
    members = [instance(1, state=InstanceState.TERMINATING), instance(2, "sierra")]
    made = plan(view(2, members, ["hotel", "sierra"], {"hotel": account(running(1), frozen=FROZEN)}))

    assert launched(made) == {}


def test_nobody_comes_home_from_a_frozen_cloud() -> None:
    """The launch would happen, and the end of the other would not."""
    away = instance(1, "sierra")
    accounts = {"sierra": account(running(1), frozen=FROZEN)}
    made = plan(view(1, [away], ["hotel", "sierra"], accounts, fail_back=FailBack.EAGER))

    assert made.actions == ()


def test_a_lowered_cap_moves_nobody_off_a_frozen_cloud() -> None:
    """As above."""
    members = [instance(1), instance(2)]
    accounts = {"hotel": account(running(1, 2), frozen=FROZEN)}
    made = plan(view(2, members, [RankedCloud("hotel", 1), RankedCloud("sierra")], accounts))

    assert retired(made) == []


@pytest.mark.parametrize(
    "action",
    [
        pytest.param(actions.Launch("hotel", 1, 0, "a mistake"), id="launch"),
        pytest.param(actions.Retire(1, replace=False, because="a mistake"), id="retire"),
        pytest.param(actions.Dismiss("hotel", (2,), "a mistake"), id="dismiss"),
        pytest.param(actions.Reap("hotel", ("m-9",), "a mistake"), id="reap"),
    ],
)
def test_the_rails_know_of_freezes_by_themselves(action: actions.Action) -> None:
    """A planner that forgot about them is stopped."""
    members = [instance(1), instance(2, state=InstanceState.TERMINATING)]
    seen = view(2, members, accounts={"hotel": account(running(1, 2, 9), frozen=FROZEN)})

    with pytest.raises(rails.RailBreach, match="which is frozen"):
        rails.check(seen, actions.Plan((action,)))


async def until(condition: Callable[[], bool]) -> None:
    """Nothing; as many steps of the world have been made as that takes."""
    while not condition():  # noqa: ASYNC110 - a test in virtual time stops between two steps
        await asyncio.sleep(0)


class TestBrakes:
    """How long a reading is good for."""

    def test_nothing_may_be_done_before_the_first_reading(self) -> None:
        """A start is no thaw."""
        assert Brakes(5.0, lambda: 0.0).hold("g-1", 7, "hotel") is not None

    def test_a_reading_grows_old(self) -> None:
        """A process that was stopped, or cut off, may have missed the red button."""
        now_s = 0.0
        brakes = Brakes(5.0, lambda: now_s)
        brakes.tell(Freezes())
        fresh = brakes.hold("g-1", 7, "hotel")
        now_s = 5.1
        stale = brakes.hold("g-1", 7, "hotel")
        news = brakes.tell(Freezes())

        assert (fresh, news, brakes.hold("g-1", 7, "hotel")) == (None, True, None)
        assert stale == "nobody can say whether this is frozen: the records could not be read for 5 s"

    def test_the_same_freezes_are_no_news(self) -> None:
        """Otherwise every reading would wake every group."""
        brakes = Brakes()
        first = brakes.tell(Freezes([freeze(Scope.ALL)]))
        again = brakes.tell(Freezes([freeze(Scope.ALL)]))

        assert (first, again) == (True, False)


class TestWorld:
    """The whole loop in virtual time."""

    @in_virtual_time
    async def test_a_frozen_group_stays_as_it_is_until_it_is_thawed(self) -> None:
        """It neither grows nor replaces its dead, says why, and goes on where it was."""
        world = await settled(2)
        await world.freeze(freeze(Scope.GROUP, "g-1"))
        await world.set_desired("g-1", 5)
        world.hotel.kill(world.alive()[0])
        await asyncio.sleep(600)
        frozen, waits = len(world.alive()), world.waits()
        await world.freeze()
        await asyncio.sleep(60)

        assert (frozen, world.born()) == (1, 6)
        assert any("frozen by bob" in sentence for sentence in waits)
        assert world.has_converged(5)

    @in_virtual_time
    async def test_a_freeze_outlasts_the_process(self) -> None:
        """The next one knows of it before its first pass."""
        world = await settled(2)
        await world.freeze(freeze(Scope.USER, "7"))
        await world.crash()
        await world.set_desired("g-1", 0)
        await world.start()
        await asyncio.sleep(300)

        assert len(world.alive()) == 2

    @in_virtual_time
    async def test_a_frozen_cloud_is_passed_over(self) -> None:
        """What is missing goes to the next rank, and what is there stays."""
        world = await settled(2)
        await world.freeze(freeze(Scope.CLOUD, "hotel"))
        await world.set_desired("g-1", 4)
        await asyncio.sleep(60)

        assert world.spread() == {"hotel": 2, "sierra": 2}

    @in_virtual_time
    async def test_a_freeze_between_plan_and_call_stops_the_call(self) -> None:
        """The claims are given up; nothing is launched, and nothing is left undecided."""
        world = World()
        world.add_group("g-1", 3, ["hotel"])
        await world.start()
        await until(lambda: bool(world.ledger.instances("g-1")))
        await world.freeze(freeze(Scope.ALL))
        await asyncio.sleep(120)

        assert (world.born(), world.ledger.instances("g-1")) == (0, [])

    @in_virtual_time
    async def test_a_freeze_between_retirement_and_call_stops_the_call(self) -> None:
        """The machine lives on until the thaw."""
        world = await settled(1, ["hotel"])
        await world.set_desired("g-1", 0)
        await until(lambda: world.ledger.instances("g-1")[0].state is InstanceState.TERMINATING)
        await world.freeze(freeze(Scope.ALL))
        await asyncio.sleep(120)
        frozen = len(world.alive())
        await world.freeze()
        await asyncio.sleep(60)

        assert (frozen, world.alive()) == (1, [])


def test_the_age_of_a_retirement_is_kept() -> None:
    """A machine told to end before the freeze is not told again during it, however long it takes."""
    leaving = instance(1, state=InstanceState.TERMINATING, terminate_sent_at=ago(600))
    made = plan(view(0, [leaving], accounts={"hotel": account(running(1), frozen=FROZEN)}))

    assert made.actions == ()


def test_what_a_thaw_would_bring_is_told() -> None:
    """From the same view without its freezes; a group that is not frozen has no such sentences."""
    members = [instance(1, healthy=False), instance(2, state=InstanceState.TERMINATING)]
    accounts = {"hotel": account(running(1, 2), frozen=FROZEN)}
    told = prospect.sentences(view(3, members, accounts=accounts), NOW)
    thawed = prospect.sentences(view(3, members, accounts={"hotel": account(running(1, 2))}), NOW)

    assert [sentence.partition(":")[2].partition(":")[0] for sentence in told] == [
        " i-00000001 on hotel is terminated",
        " i-00000002 on hotel is terminated",
        " 3 launched on hotel",
    ]
    assert thawed == ()


def test_a_long_prospect_is_counted() -> None:
    """A screen full of instance ids helps nobody."""
    members = [instance(key) for key in range(1, 101)]
    accounts = {"hotel": account(running(*range(1, 101)), frozen=FROZEN)}
    told = prospect.sentences(view(0, members, accounts=accounts), NOW)

    assert (len(told), told[-1]) == (20, "once thawed: and 81 things more")
