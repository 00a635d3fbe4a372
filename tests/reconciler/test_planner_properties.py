"""Whatever the view, the plan keeps to the rails."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.cloud import MachineState, Mark
from reconciler import crashloop, placement, planner, rails
from reconciler.actions import Abandon, Adopt, Bury, Forgive, Launch, NoteCrash, RemoveGroup, Retire
from reconciler.model import Absence, Crash, FailBack, GroupView, Instance, InstanceState, Limit, Process, RankedCloud
from tests.reconciler.views import NOW, TRAITS, account, ago, held, instance, machine, view

CLOUDS = ("hotel", "sierra", "foxtrot")
TOKENS = ("t-a", "t-b", "t-c")
AGES_S = st.sampled_from([0.5, 5.0, 11.0, 100.0, 2000.0])
STATES = st.sampled_from(MachineState)

MARKS = st.one_of(
    st.none(),
    st.builds(Mark, st.just("gw"), st.sampled_from(["g-1", "g-1", "g-1", "g-2"]), st.sampled_from([*TOKENS, "t-x"])),
)

LIMITS = st.builds(
    Limit,
    st.integers(0, 3),
    st.just("no more are allowed"),
    st.sampled_from([None, NOW + timedelta(seconds=5)]),
    st.booleans(),
)


CRASHES = st.builds(
    Crash,
    st.sampled_from(["web@hotel", "web@sierra", "old@hotel"]),
    st.integers(1, 20),
    st.just(ago(80_000)),
    st.sampled_from([0.5, 100.0, 2000.0]).map(ago),
    st.integers(0, 4),
)

SINCE_S = st.sampled_from([1.0, 11.0, 100.0, 299.0, 301.0, 2000.0])


@st.composite
def absences(draw: st.DrawFn) -> Absence:
    """Never asked for, asked for a while, denied for a while or for long."""
    if draw(st.booleans()):
        failed_at = draw(st.sampled_from([None, ago(2)]))
        return Absence(draw(st.booleans()), failed_at=failed_at)
    since_s = draw(SINCE_S)
    denied_s = draw(st.sampled_from([None, since_s, min(since_s, 50.0)]))
    return Absence(draw(st.booleans()), ago(since_s), ago(1), None if denied_s is None else ago(denied_s))


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
        if state in {InstanceState.IN_SERVICE, InstanceState.TERMINATING}:
            facts["in_service_at"] = ago(draw(st.sampled_from([claimed_s / 2, claimed_s / 3])))
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
        lacking = [str(i.machine_id) for i in members if i.cloud == cloud and i.machine_id not in {None, *shown}]
        accounts[cloud] = account(
            tuple(shown.values()),
            absences={machine_id: draw(absences()) for machine_id in lacking},
            living=draw(st.sampled_from([len(shown), 0, 1, 100])),
            missing=draw(st.sampled_from([len(lacking), len(lacking), 0, 50])),
            swept_at=draw(st.sampled_from([ago(1), ago(1), ago(8), ago(50), None])),
            blind=draw(st.sampled_from([None, None, None, "no answer"])),
            hold=draw(st.sampled_from([None, None, None, held()])),
            breaker=draw(st.sampled_from([None, None, None, held("too many failures")])),
            limits=tuple(draw(st.lists(LIMITS, max_size=2))),
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
        fail_back=draw(st.sampled_from(FailBack)),
        suspended=draw(st.frozensets(st.sampled_from([*Process, "AlarmNotification"]), max_size=2)),
        crashes=draw(st.dictionaries(st.sampled_from(CLOUDS), CRASHES, max_size=2)),
        suspension_reasons={"Launch": "somebody wanted it"},
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
    adopted = sum(isinstance(a, Adopt) for a in made.actions)

    assert launches <= max(0, seen.group.desired - len(staying) - adopted)


@settings(max_examples=100, deadline=None)
@given(views())
def test_whoever_does_less_than_desired_says_why(seen: GroupView) -> None:
    """A gap that stays open has a reason that users can read, or more launches follow in the next pass."""
    made = planner.plan(seen, NOW)
    out = {a.instance_key for a in made.actions if isinstance(a, Bury | Retire)}
    out |= {key for a in made.actions if isinstance(a, Abandon) for key in a.instance_keys}
    staying = [i for i in seen.instances if i.state.counts and i.key not in out]
    launches = sum(a.count for a in made.actions if isinstance(a, Launch))
    launches += sum(isinstance(a, Adopt) for a in made.actions)
    if not seen.group.deleting and len(staying) + launches < seen.group.desired:
        assert made.waiting_on


@settings(max_examples=60, deadline=None)
@given(views())
def test_total_blindness_changes_nothing_but_intentions(seen: GroupView) -> None:
    """With no cloud answering there is no launch, no termination, no burial."""
    blind = GroupView(seen.record, {name: replace(a, blind="no answer") for name, a in seen.accounts.items()})

    assert {type(a) for a in planner.plan(blind, NOW).actions} <= {Retire, Forgive, NoteCrash, RemoveGroup}


@settings(max_examples=150, deadline=None)
@given(views())
def test_no_absent_machine_is_given_up_unasked(seen: GroupView) -> None:
    """Neither is one that no sweep has shown, as long as it may still be coming up."""
    made = planner.plan(seen, NOW)
    ended = {a.instance_key for a in made.actions if isinstance(a, Bury)}
    ended |= {a.instance_key for a in made.actions if isinstance(a, Retire) and a.replace}
    for member in seen.instances:
        if member.key not in ended or not member.state.counts or not member.healthy or member.machine_id is None:
            continue
        there = seen.accounts[member.cloud]
        if any(shown.machine_id == member.machine_id for shown in there.machines):
            continue
        absence = there.absences[member.machine_id]
        assert absence.asked_since is not None
        assert member.bound_at is not None
        assert absence.shown or member.in_service_at != member.bound_at or member.bound_at < ago(900)


@settings(max_examples=150, deadline=None)
@given(views(), st.integers(1, 4))
def test_young_deaths_never_hold_up_what_is_missing_for_other_reasons(seen: GroupView, others: int) -> None:
    """However many crashes are on record: of what is missing, at most as much waits as they left empty."""
    calm = {
        name: replace(a, hold=None, breaker=None, limits=(), blind=None, swept_at=ago(1))
        for name, a in seen.accounts.items()
    }
    group = replace(seen.group, clouds=tuple(replace(ranked, cap=None) for ranked in seen.group.clouds))
    crashes = {cloud: crash for cloud, crash in group.crashes.items() if cloud in calm}
    places = sum(crash.places for crash in crashes.values())
    record = replace(seen.record, group=replace(group, crashes=crashes))
    limited = crashloop.limited(GroupView(record, calm), crashes, places + others, NOW)

    usable = [ranked.name for ranked in group.clouds if ranked.name in calm and ranked.name in record.sources]
    if usable:
        assert placement.place(limited, places + others, {}).total >= others


@st.composite
def homesick(draw: st.DrawFn) -> GroupView:
    """An eager group that lacks nothing, on clouds of which most would take its instances home."""
    names = draw(st.permutations(CLOUDS))
    members = [
        instance(key, draw(st.sampled_from(CLOUDS)), protected=draw(st.sampled_from([False, False, True])))
        for key in range(1, draw(st.integers(1, 6)) + 1)
    ]
    accounts = {
        name: account(
            [machine(str(i.machine_id)) for i in members if i.cloud == name],
            hold=draw(st.sampled_from([None, None, None, held()])),
            blind=draw(st.sampled_from([None, None, None, "no answer"])),
            limits=tuple(draw(st.lists(LIMITS, max_size=1))),
        )
        for name in CLOUDS
    }
    caps = st.one_of(st.none(), st.none(), st.integers(0, 5))
    clouds = [RankedCloud(name, draw(caps)) for name in names]
    return view(len(members), members, clouds, accounts, fail_back=FailBack.EAGER)


@settings(max_examples=150, deadline=None)
@given(homesick())
def test_whoever_comes_home_comes_alone_and_to_a_better_cloud(seen: GroupView) -> None:
    """One leaves, one is launched in its place at once, and the capacity is what it was."""
    made = planner.plan(seen, NOW)
    rails.check(seen, made)
    ranks = [ranked.name for ranked in seen.group.clouds]
    held_too_much = any(
        ranked.cap is not None and sum(i.cloud == ranked.name for i in seen.instances) > ranked.cap
        for ranked in seen.group.clouds
    )
    leaving = [i for i in seen.instances for a in made.actions if isinstance(a, Retire) and a.instance_key == i.key]
    launches = [a for a in made.actions if isinstance(a, Launch)]

    assert sum(launch.count for launch in launches) == len(leaving)
    if not held_too_much and leaving:
        assert len(leaving) == 1
        assert ranks.index(launches[0].cloud) < ranks.index(leaving[0].cloud)
        assert not leaving[0].protected


@pytest.mark.parametrize("size", [pytest.param(5000, id="five thousand")])
def test_a_big_group_is_planned_in_an_instant(size: int) -> None:
    """The event loop serves others meanwhile; nothing in a pass may be quadratic."""
    members = [instance(key) for key in range(1, size + 1)]
    seen = view(size // 2, members)

    made = planner.plan(seen, NOW)
    rails.check(seen, made)

    assert sum(isinstance(a, Retire) for a in made.actions) == size - size // 2
