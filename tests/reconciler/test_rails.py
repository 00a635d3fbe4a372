"""Plans that must never be carried out, made by hand: each is caught."""

import pytest

from backends.cloud import Machine, MachineState
from reconciler import actions, rails
from reconciler.actions import Plan
from reconciler.model import AccountView, FailBack, GroupView, InstanceState, Limit, RankedCloud
from tests.reconciler.views import account, ago, claim, gone_blind, held, instance, machine, view

TERMINATING = InstanceState.TERMINATING
PENDING = InstanceState.PENDING
TWO = view(2, [instance(1), instance(2)])
AWAY = [instance(1, "sierra"), instance(2, "sierra")]
HOME = ("hotel", "sierra")
LIMIT = Limit(1, "no more")
GOING = instance(1, state=TERMINATING, terminate_sent_at=ago(10))


def launch(count: int = 1, cloud: str = "hotel", replacing: int = 0) -> actions.Launch:
    """A launch."""
    return actions.Launch(cloud, count, replacing, "a mistake")


def retire(key: int, *, replace: bool = False) -> actions.Retire:
    """A retirement."""
    return actions.Retire(key, replace, "a mistake")


def bury(key: int) -> actions.Bury:
    """A burial."""
    return actions.Bury(key, replace=False, because="a mistake")


def dismiss(*keys: int, cloud: str = "hotel") -> actions.Dismiss:
    """A termination."""
    return actions.Dismiss(cloud, keys, "a mistake")


def reap(machine_id: str) -> actions.Reap:
    """A termination of what nobody stands for."""
    return actions.Reap("hotel", (machine_id,), "a mistake")


def on_hotel(*machines: Machine, **facts: object) -> dict[str, AccountView]:
    """Only hotel, and what it shows."""
    return {"hotel": account(machines, **facts)}


@pytest.mark.parametrize(
    ("seen", "plan"),
    [
        pytest.param(TWO, [retire(3), dismiss(3)], id="instance of another group"),
        pytest.param(TWO, [dismiss(1)], id="terminate what is not retired"),
        pytest.param(view(0, [GOING], accounts=on_hotel(machine("m-1", uid="g-2"))), [dismiss(1)], id="foreign mark"),
        pytest.param(view(0, [GOING], accounts=on_hotel(machine("m-1", mark=None))), [dismiss(1)], id="no mark"),
        pytest.param(view(0, [GOING], accounts={"hotel": gone_blind()}), [dismiss(1)], id="terminate while blind"),
        pytest.param(view(0, [GOING]), [dismiss(1, cloud="sierra")], id="terminate on the wrong cloud"),
        pytest.param(view(3, deleting=True), [launch()], id="launch for a deleting group"),
        pytest.param(TWO, [launch()], id="launch beyond desired"),
        pytest.param(view(2000), [launch(1001)], id="too many launches at once"),
        pytest.param(view(2), [launch(0)], id="launch of nothing"),
        pytest.param(view(2), [launch(1, replacing=2)], id="more replacements than launches"),
        pytest.param(
            view(1, [instance(key, state=TERMINATING) for key in range(1, 5)]), [launch()], id="beyond the ceiling"
        ),
        pytest.param(view(1, accounts={"hotel": gone_blind()}), [launch()], id="launch while blind"),
        pytest.param(
            view(1, accounts={"hotel": account(swept_at=None)}), [launch()], id="launch before the first look"
        ),
        pytest.param(view(1, accounts={"hotel": account(hold=held())}), [launch()], id="launch while held"),
        pytest.param(view(2, clouds=[RankedCloud("hotel", 1)]), [launch(2)], id="launch beyond a cap"),
        pytest.param(view(1), [launch(cloud="sierra")], id="launch on a cloud that is not the group's"),
        pytest.param(view(1, sources=[]), [launch()], id="launch without a launch configuration"),
        pytest.param(TWO, [retire(1), dismiss(1)], id="retire below desired"),
        pytest.param(view(0, [instance(1, protected=True)]), [retire(1)], id="retire a protected one"),
        pytest.param(
            view(2, [instance(1), instance(2)], accounts={"hotel": gone_blind()}),
            [retire(1, replace=True)],
            id="replace on a blind cloud",
        ),
        pytest.param(TWO, [retire(1, replace=True), retire(2, replace=True)], id="replace all at once"),
        pytest.param(view(0, [claim(1)]), [retire(1)], id="retire a claim"),
        pytest.param(TWO, [bury(1)], id="bury the living"),
        pytest.param(view(0, [instance(1)], accounts=on_hotel()), [bury(1)], id="bury what was only absent"),
        pytest.param(view(0, [GOING], accounts={"hotel": gone_blind()}), [bury(1)], id="bury on a blind cloud"),
        pytest.param(
            view(0, [instance(1, state=TERMINATING, terminate_sent_at=ago(0.5))], accounts=on_hotel()),
            [bury(1)],
            id="bury on an older sweep",
        ),
        pytest.param(
            view(0, [claim(1)], accounts=on_hotel(machine("m-9", token="t-1"))),
            [actions.Abandon((1,), "a mistake")],
            id="abandon what became a machine",
        ),
        pytest.param(
            view(0, [claim(1)], accounts={"hotel": gone_blind()}),
            [actions.Abandon((1,), "a mistake")],
            id="abandon on a blind cloud",
        ),
        pytest.param(view(0, [instance(1)]), [actions.Abandon((1,), "a mistake")], id="abandon an instance"),
        pytest.param(
            view(1, [claim(1)]), [actions.Bind(1, machine("m-9", token="t-2"), "a mistake")], id="bind another's token"
        ),
        pytest.param(
            view(2, [claim(1), instance(2, token="t-1")]),
            [actions.Bind(1, machine("m-2", token="t-1"), "a mistake")],
            id="bind a bound machine",
        ),
        pytest.param(TWO, [actions.Bind(1, machine("m-1"), "a mistake")], id="bind an instance"),
        pytest.param(
            view(1, [instance(1, state=PENDING)], accounts=on_hotel(machine("m-1", MachineState.PENDING))),
            [actions.Promote(1, "a mistake")],
            id="promote what does not run",
        ),
        pytest.param(TWO, [actions.Promote(1, "a mistake")], id="promote what is in service"),
        pytest.param(
            view(1, [claim(1)]), [actions.Resend("hotel", "t-2", (1,), "a mistake")], id="resend another token"
        ),
        pytest.param(
            view(1, [claim(1)], accounts={"hotel": account(hold=held())}),
            [actions.Resend("hotel", "t-1", (1,), "a mistake")],
            id="resend while held",
        ),
        pytest.param(TWO, [reap("m-1")], id="reap a bound machine"),
        pytest.param(view(0, accounts=on_hotel(machine("m-9", uid="g-2"))), [reap("m-9")], id="reap another group's"),
        pytest.param(view(0), [reap("m-9")], id="reap the unseen"),
        pytest.param(
            view(0, accounts={"hotel": gone_blind(machines=[machine("m-9")])}), [reap("m-9")], id="reap blind"
        ),
        pytest.param(view(0), [actions.RemoveGroup("a mistake")], id="remove a group nobody deletes"),
        pytest.param(
            view(0, [GOING], deleting=True), [actions.RemoveGroup("a mistake")], id="remove a group with instances"
        ),
        pytest.param(view(0, [instance(1), instance(2)]), [retire(1), retire(1)], id="retire twice"),
        pytest.param(view(1, accounts={"hotel": account(breaker=held())}), [launch()], id="launch past a breaker"),
        pytest.param(view(3, accounts={"hotel": account(limits=(LIMIT,))}), [launch(), launch()], id="beyond a budget"),
        pytest.param(view(1, suspended=frozenset({"Launch"})), [launch()], id="launch while suspended"),
        pytest.param(
            view(1, [claim(1)], suspended=frozenset({"Launch"})),
            [actions.Resend("hotel", "t-1", (1,), "a mistake")],
            id="resend while suspended",
        ),
        pytest.param(
            view(0, [instance(1)], suspended=frozenset({"Terminate"})), [retire(1)], id="scale in while suspended"
        ),
        pytest.param(
            view(1, [instance(1, healthy=False)], suspended=frozenset({"ReplaceUnhealthy"})),
            [retire(1, replace=True)],
            id="replace while suspended",
        ),
        pytest.param(
            view(2, AWAY, clouds=HOME, fail_back=FailBack.EAGER),
            [retire(1), retire(2), launch(2)],
            id="bring two home at once",
        ),
        pytest.param(view(2, AWAY, clouds=HOME), [retire(1), launch()], id="bring one home that need not come"),
        pytest.param(
            view(2, AWAY, clouds=HOME, fail_back=FailBack.EAGER), [retire(1)], id="bring one home and launch none"
        ),
        pytest.param(
            view(3, [*AWAY, instance(3, state=PENDING)], clouds=HOME, fail_back=FailBack.EAGER),
            [retire(1), launch()],
            id="bring one home while another starts",
        ),
        pytest.param(
            view(1, [instance(1)], clouds=HOME, fail_back=FailBack.EAGER),
            [retire(1), launch(cloud="sierra")],
            id="bring one away from home",
        ),
    ],
)
def test_a_plan_beyond_the_rails_is_caught(seen: GroupView, plan: list[actions.Action]) -> None:
    """Whoever made it."""
    with pytest.raises(rails.RailBreach):
        rails.check(seen, Plan(tuple(plan)))


@pytest.mark.parametrize(
    ("seen", "plan"),
    [
        pytest.param(TWO, [], id="nothing"),
        pytest.param(view(3, [instance(1)]), [launch(2)], id="fill"),
        pytest.param(view(1, [instance(1), instance(2)]), [retire(2), dismiss(2)], id="scale in"),
        pytest.param(TWO, [retire(1, replace=True), dismiss(1), launch(1, replacing=1)], id="replace one"),
        pytest.param(view(0, [GOING], accounts=on_hotel()), [bury(1)], id="bury"),
        pytest.param(
            view(0, [GOING], accounts=on_hotel(), deleting=True), [bury(1), actions.RemoveGroup("")], id="remove"
        ),
        pytest.param(view(0, accounts=on_hotel(machine("m-9"))), [reap("m-9")], id="reap"),
        pytest.param(
            view(2, [instance(1), instance(2)], clouds=[RankedCloud("hotel", 1), "sierra"]),
            [retire(1), dismiss(1), launch(1, "sierra")],
            id="move what is over a cap",
        ),
        pytest.param(
            view(2, AWAY, clouds=HOME, fail_back=FailBack.EAGER),
            [retire(1), dismiss(1, cloud="sierra"), launch()],
            id="bring one home",
        ),
        pytest.param(view(3, accounts={"hotel": account(limits=(LIMIT,))}), [launch()], id="within a budget"),
        pytest.param(
            view(0, [instance(1)], suspended=frozenset({"Terminate"}), deleting=True), [retire(1)], id="forced deletion"
        ),
    ],
)
def test_an_ordinary_plan_passes(seen: GroupView, plan: list[actions.Action]) -> None:
    """Rails that catch everything protect nothing."""
    rails.check(seen, Plan(tuple(plan)))


def test_every_breach_is_named() -> None:
    """Whoever reads the log sees all that was wrong."""
    with pytest.raises(
        rails.RailBreach, match=r"g-1: .*removal of a group that nobody deletes; removal of a group that"
    ):
        rails.check(TWO, Plan((actions.RemoveGroup(""),)))
