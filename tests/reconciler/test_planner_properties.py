"""Whatever the view, the plan keeps to the rails."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.cloud import MachineState, Mark
from reconciler import planner, rails
from reconciler.actions import Abandon, Bury, Launch, RemoveGroup, Retire
from reconciler.model import GroupView, Instance, InstanceState, RankedCloud
from tests.reconciler.views import NOW, TRAITS, account, ago, held, instance, machine, view

CLOUDS = ("hotel", "sierra", "foxtrot")
TOKENS = ("t-a", "t-b", "t-c")
AGES_S = st.sampled_from([0.5, 5.0, 11.0, 100.0, 2000.0])
STATES = st.sampled_from(MachineState)

MARKS = st.one_of(
    st.none(),
    st.builds(Mark, st.just("gw"), st.sampled_from(["g-1", "g-1", "g-1", "g-2"]), st.sampled_from([*TOKENS, "t-x"])),
)


@st.composite
def instances(draw: st.DrawFn) -> list[Instance]:
    """Up to a dozen instances in any state, their batches whole or broken."""
    members = []
    for key in range(1, draw(st.integers(0, 12)) + 1):
        state = draw(st.sampled_from(InstanceState))
        claimed_s = draw(AGES_S)
        facts: dict[str, object] = {
            "token": draw(st.sampled_from(TOKENS)),
            "index": key - 1,
            "claimed_at": ago(claimed_s),
            "protected": draw(st.booleans()),
            "healthy": draw(st.sampled_from([True, True, True, False])),
            "launch_configuration": draw(st.sampled_from(["web@hotel", "old@hotel"])),
        }
        if state is not InstanceState.CLAIMED:
            facts["bound_at"] = ago(claimed_s / 2)
        if state is InstanceState.TERMINATING:
            facts["terminate_sent_at"] = draw(st.one_of(st.none(), AGES_S.map(ago)))
        members.append(instance(key, draw(st.sampled_from(CLOUDS)), state, **facts))
    return members


@st.composite
def views(draw: st.DrawFn) -> GroupView:
    """A group, its instances, and clouds that show some of them, some strangers, or nothing at all."""
    members = draw(instances())
    accounts = {}
    for cloud in CLOUDS:
        shown = {
            str(i.machine_id): machine(str(i.machine_id), draw(STATES), token=i.token, launched_at=i.claimed_at)
            for i in members
            if i.cloud == cloud and i.machine_id is not None and draw(st.integers(0, 9)) > 1
        }
        for number in range(draw(st.integers(0, 4))):
            index = draw(st.one_of(st.none(), st.integers(0, 12)))
            stranger = machine(
                f"x-{number}", draw(STATES), mark=draw(MARKS), launched_at=ago(draw(AGES_S)), index=index
            )
            shown[stranger.machine_id] = stranger
        accounts[cloud] = account(
            tuple(shown.values()),
            swept_at=draw(st.sampled_from([ago(1), ago(1), ago(8), ago(50), None])),
            blind=draw(st.sampled_from([None, None, None, "no answer"])),
            hold=draw(st.sampled_from([None, None, None, held()])),
            calls_cut_at=draw(st.one_of(st.none(), AGES_S.map(ago))),
            traits=replace(TRAITS, token_is_idempotent=draw(st.booleans())),
        )
    caps = st.one_of(st.none(), st.integers(0, 5))
    names = draw(st.lists(st.sampled_from(CLOUDS), unique=True))
    seen = view(
        draw(st.integers(0, 12)),
        members,
        clouds=[RankedCloud(name, draw(caps)) for name in names],
        accounts=accounts,
        sources=draw(st.lists(st.sampled_from(CLOUDS), unique=True)),
        deleting=draw(st.sampled_from([False, False, False, True])),
        owed_replacements=draw(st.integers(0, 3)),
        termination_policies=(draw(st.sampled_from(["Default", "OldestInstance", "NewestInstance"])),),
    )
    missing = draw(st.sampled_from([None, None, *CLOUDS]))
    return GroupView(seen.record, {name: a for name, a in seen.accounts.items() if name != missing})


@settings(max_examples=250, deadline=None)
@given(views())
def test_a_plan_keeps_to_the_rails(seen: GroupView) -> None:
    """For any view at all."""
    rails.check(seen, planner.plan(seen, NOW))


@settings(max_examples=60, deadline=None)
@given(views())
def test_deciding_is_pure(seen: GroupView) -> None:
    """Twice the same view, twice the same plan."""
    assert planner.plan(seen, NOW) == planner.plan(seen, NOW)


@settings(max_examples=100, deadline=None)
@given(views())
def test_a_plan_never_launches_beyond_the_gap(seen: GroupView) -> None:
    """The gap after all that the same plan takes out."""
    made = planner.plan(seen, NOW)
    out = {a.instance_key for a in made.actions if isinstance(a, Bury | Retire)}
    out |= {key for a in made.actions if isinstance(a, Abandon) for key in a.instance_keys}
    staying = [i for i in seen.instances if i.state.counts and i.key not in out]
    launches = sum(a.count for a in made.actions if isinstance(a, Launch))

    assert launches <= max(0, seen.group.desired - len(staying))


@settings(max_examples=100, deadline=None)
@given(views())
def test_whoever_does_less_than_desired_says_why(seen: GroupView) -> None:
    """A gap that stays open has a reason that users can read, or more launches follow in the next pass."""
    made = planner.plan(seen, NOW)
    out = {a.instance_key for a in made.actions if isinstance(a, Bury | Retire)}
    out |= {key for a in made.actions if isinstance(a, Abandon) for key in a.instance_keys}
    staying = [i for i in seen.instances if i.state.counts and i.key not in out]
    launches = sum(a.count for a in made.actions if isinstance(a, Launch))
    if not seen.group.deleting and len(staying) + launches < seen.group.desired:
        assert made.waiting_on


@settings(max_examples=60, deadline=None)
@given(views())
def test_total_blindness_changes_nothing_but_intentions(seen: GroupView) -> None:
    """With no cloud answering there is no launch, no termination, no burial."""
    blind = GroupView(seen.record, {name: replace(a, blind="no answer") for name, a in seen.accounts.items()})

    assert {type(a) for a in planner.plan(blind, NOW).actions} <= {Retire, RemoveGroup}


@pytest.mark.parametrize("size", [pytest.param(5000, id="five thousand")])
def test_a_big_group_is_planned_in_an_instant(size: int) -> None:
    """The event loop serves others meanwhile; nothing in a pass may be quadratic."""
    members = [instance(key) for key in range(1, size + 1)]
    seen = view(size // 2, members)

    made = planner.plan(seen, NOW)
    rails.check(seen, made)

    assert sum(isinstance(a, Retire) for a in made.actions) == size - size // 2
