"""What a pass does about what it sees, a table per step."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from backends.cloud import Machine, MachineState
from reconciler import actions, planner
from reconciler.model import AccountView, Instance, InstanceState, RankedCloud
from tests.reconciler.views import (
    HOTEL,
    NOW,
    SIERRA,
    SWEPT,
    TRAITS,
    account,
    ago,
    buried,
    claim,
    dismissed,
    gone_blind,
    held,
    in_vain,
    instance,
    launched,
    machine,
    of_kind,
    plan,
    retired,
    running,
    view,
)

TERMINATING = InstanceState.TERMINATING
AT_NOON = "At 2013-08-19T12:00:00Z somebody wanted it."


@pytest.mark.parametrize(
    ("desired", "alive", "starts", "ends"),
    [
        pytest.param(3, 1, 2, 0, id="short by two"),
        pytest.param(1, 3, 0, 2, id="surplus of two"),
        pytest.param(2, 2, 0, 0, id="as desired"),
        pytest.param(0, 0, 0, 0, id="nothing wanted, nothing there"),
        pytest.param(1200, 0, 1000, 0, id="a thousand at a time"),
    ],
)
def test_the_plan_closes_the_gap(desired: int, alive: int, starts: int, ends: int) -> None:
    """It launches or retires exactly the difference, and tells the cloud of the retired at once."""
    made = plan(view(desired, [instance(key) for key in range(1, alive + 1)]))

    assert sum(launched(made).values()) == starts
    assert len(retired(made)) == ends
    assert sorted(dismissed(made)) == sorted(retired(made))


def test_the_same_view_gives_the_same_plan() -> None:
    """Deciding changes nothing."""
    seen = view(3, [instance(1), claim(2)])

    assert planner.plan(seen, NOW) == planner.plan(seen, NOW)


def test_a_converged_group_waits_for_nothing() -> None:
    """No timer, no look, no words."""
    assert plan(view(2, [instance(1), instance(2)])) == actions.Plan()


def test_a_launch_says_why() -> None:
    """First why the group wants more, then what is done about it."""
    made = plan(view(3, [instance(1)], causes=(AT_NOON,)))

    (launch,) = of_kind(made, actions.Launch)
    assert launch.because == (
        f"{AT_NOON}  At 2013-08-19T21:00:00Z an instance was started in response to a difference between desired and "
        "actual capacity, increasing the capacity from 1 to 3."
    )


def test_a_scale_in_says_why_and_whom() -> None:
    """As AWS does."""
    made = plan(view(1, [instance(1), instance(2)], causes=(AT_NOON,)))

    (retire,) = of_kind(made, actions.Retire)
    assert retire.because == (
        f"{AT_NOON}  At 2013-08-19T21:00:00Z an instance was taken out of service in response to a difference between "
        "desired and actual capacity, shrinking the capacity from 2 to 1.  At 2013-08-19T21:00:00Z instance i-00000001 "
        "was selected for termination."
    )


def test_owed_replacements_are_launched_first_and_say_so() -> None:
    """A launch has one cause: replacement and growth are two."""
    made = plan(view(3, owed_replacements=1))

    assert [(a.count, a.replacing) for a in of_kind(made, actions.Launch)] == [(1, 1), (2, 0)]
    assert "unhealthy instance needing to be replaced" in of_kind(made, actions.Launch)[0].because


def test_debts_that_are_not_due_any_more_are_forgiven() -> None:
    """Desired was lowered before the replacements came: a later growth is no replacement."""
    lowered = plan(view(1, [instance(1)], owed_replacements=2))
    partly = plan(view(2, [instance(1)], owed_replacements=3))

    assert [a.count for a in of_kind(lowered, actions.Forgive)] == [2]
    assert [a.count for a in of_kind(partly, actions.Forgive)] == [2]
    assert [(a.count, a.replacing) for a in of_kind(partly, actions.Launch)] == [(1, 1)]


class TestSettle:
    """Claims against what a sweep shows."""

    def test_a_claim_is_bound_to_the_machine_of_its_token(self) -> None:
        """The mark tells."""
        made = plan(view(1, [claim(1)], accounts={"hotel": account([machine("m-9", token="t-1")])}))

        assert [(a.instance_key, a.machine.machine_id) for a in of_kind(made, actions.Bind)] == [(1, "m-9")]

    def test_indexes_are_respected_and_the_rest_is_shared_out(self) -> None:
        """Claims of a batch get the machine of their own index where the cloud kept it."""
        claims = [claim(key, token="t-1", index=key - 1) for key in (1, 2, 3)]
        shown = [
            machine("m-7", token="t-1", index=2),
            machine("m-8", token="t-1"),
            machine("m-9", token="t-1", index=0),
        ]

        binds = of_kind(plan(view(3, claims, accounts={"hotel": account(shown)})), actions.Bind)

        assert {(a.instance_key, a.machine.machine_id) for a in binds} == {(1, "m-9"), (2, "m-8"), (3, "m-7")}

    def test_a_machine_that_died_unrecorded_gives_its_claim_up(self) -> None:
        """And the group launches anew."""
        dead = machine("m-9", MachineState.TERMINATED, token="t-1")

        made = plan(view(1, [claim(1)], accounts={"hotel": account([dead])}))

        assert [a.instance_keys for a in of_kind(made, actions.Abandon)] == [(1,)]
        assert launched(made) == {"hotel": 1}

    def test_no_claim_ends_with_a_dead_machine_while_a_living_one_is_left(self) -> None:
        """Whatever the indexes say: the living one would leak."""
        dead = machine("m-8", MachineState.TERMINATED, token="t-1", index=0)

        made = plan(view(1, [claim(1)], accounts={"hotel": account([dead, machine("m-9", token="t-1")])}))

        assert [(a.instance_key, a.machine.machine_id) for a in of_kind(made, actions.Bind)] == [(1, "m-9")]

    def test_a_bound_machine_is_not_bound_again(self) -> None:
        """Two machines of one token, one of them taken: the claim waits for its own."""
        members = [instance(1, token="t-1"), claim(2, token="t-1", index=1, claimed_at=ago(5))]

        made = plan(view(2, members, accounts={"hotel": account([machine("m-1", token="t-1")])}))

        assert made.actions == ()

    def test_a_claim_that_came_to_nothing_is_launched_with_its_own_token(self) -> None:
        """Never anew: should the first call come true after all, the token makes it the same machines."""
        batch = [claim(key, token="t-1", index=key - 1) for key in (1, 2)]

        made = plan(view(2, batch))

        assert [(a.token, a.instance_keys) for a in of_kind(made, actions.Resend)] == [("t-1", (1, 2))]
        assert launched(made) == {}

    @pytest.mark.parametrize(
        ("members", "facts"),
        [
            pytest.param([claim(1, launch_configuration="old@hotel")], {}, id="its launch configuration was replaced"),
            pytest.param([claim(1, spec_created_at=ago(9))], {}, id="by another of the same name"),
            pytest.param([claim(2, token="t-1", index=1), instance(1, token="t-1")], {}, id="its batch is not whole"),
            pytest.param([claim(1, cloud="alamo")], {}, id="its cloud is not the group's any more"),
        ],
    )
    def test_a_call_that_cannot_be_repeated_is_given_up_and_made_anew(
        self, members: list[Instance], facts: dict[str, Any]
    ) -> None:
        """Clouds refuse a token with other parameters."""
        made = plan(view(len(members), members, **facts))

        assert len(of_kind(made, actions.Abandon)) == 1
        assert launched(made) == {"hotel": 1}

    def test_a_claim_that_is_not_wanted_any_more_is_given_up(self) -> None:
        """Rather than an instance that serves."""
        made = plan(view(1, [instance(1), claim(2)]))

        assert [a.instance_keys for a in of_kind(made, actions.Abandon)] == [(2,)]
        assert retired(made) == []

    def test_a_call_that_was_cut_off_lately_may_still_come_true(self) -> None:
        """Sweeps that began before its end prove nothing, except to a cloud that knows the token."""
        forgetful = replace(TRAITS, token_is_idempotent=False)
        cut: dict[str, Any] = {"calls_cut_at": ago(5)}

        undecided = plan(view(1, [claim(1)], accounts={"hotel": account(traits=forgetful, **cut)}))
        repeated = plan(view(1, [claim(1)], accounts={"hotel": account(**cut)}))
        unwanted = plan(view(0, [claim(1)], accounts={"hotel": account(**cut)}))

        assert undecided.actions == unwanted.actions == ()
        assert [type(a) for a in repeated.actions] == [actions.Resend]

    def test_a_held_cloud_is_not_asked_to_repeat(self) -> None:
        """The claim keeps its place; its capacity is not launched twice elsewhere."""
        made = plan(view(1, [claim(1)], clouds=(HOTEL, SIERRA), accounts={"hotel": account(hold=held())}))

        assert made.actions == ()
        assert made.recheck_s == pytest.approx(30)

    def test_claims_on_a_blind_cloud_are_frozen(self) -> None:
        """Their calls may have happened."""
        made = plan(view(1, [claim(1)], clouds=(HOTEL, SIERRA), accounts={"hotel": gone_blind()}))

        assert made.actions == ()
        assert made.look_at == {"hotel"}
        assert made.waiting_on == ("hotel does not answer: connection refused",)


class TestJudge:
    """The dead and those who only seem so."""

    def test_what_the_cloud_calls_terminated_is_buried_and_replaced(self) -> None:
        """Nothing is left to terminate."""
        made = plan(
            view(
                2,
                [instance(1), instance(2)],
                accounts={"hotel": account([machine("m-1"), machine("m-2", MachineState.TERMINATED)])},
            )
        )

        assert buried(made) == [2]
        assert dismissed(made) == []
        assert [(a.count, a.replacing) for a in of_kind(made, actions.Launch)] == [(1, 1)]

    @pytest.mark.parametrize(
        "shown",
        [
            pytest.param([machine("m-1", MachineState.STOPPED)], id="stopped"),
            pytest.param([machine("m-1", MachineState.ERROR)], id="error"),
        ],
    )
    def test_what_we_conclude_is_retired_terminated_and_replaced(self, shown: list[Machine]) -> None:
        """It may still cost money."""
        made = plan(view(1, [instance(1)], accounts={"hotel": account(shown)}))

        assert retired(made) == dismissed(made) == [1]
        assert [(a.count, a.replacing) for a in of_kind(made, actions.Launch)] == [(1, 1)]

    def test_machines_that_came_up_broken_are_no_mass_death(self) -> None:
        """A cloud without room may say so with machines in error: all are ended, and launched elsewhere."""
        members = [instance(key, state=InstanceState.PENDING, bound_at=ago(20)) for key in (1, 2, 3)]
        broken = [machine(f"m-{key}", MachineState.ERROR) for key in (1, 2, 3)]

        made = plan(view(3, members, clouds=(HOTEL, SIERRA), accounts={"hotel": account(broken)}))

        assert dismissed(made) == [1, 2, 3]
        assert sum(launched(made).values()) == 3

    def test_a_death_within_a_surplus_is_no_loss(self) -> None:
        """It needs no replacement and nobody else has to go."""
        lost = account(running(2), **in_vain("m-1"))
        made = plan(view(1, [instance(1), instance(2)], accounts={"hotel": lost}))

        assert (buried(made), retired(made)) == ([1], [])
        assert not any(a.replace for a in of_kind(made, actions.Bury))
        assert launched(made) == {}

    @pytest.mark.parametrize(
        ("present", "missing", "frozen"),
        [
            pytest.param(5, 1, False, id="one of five"),
            pytest.param(1, 1, False, id="the only one"),
            pytest.param(2, 2, True, id="two of two"),
            pytest.param(10, 2, False, id="two of ten"),
            pytest.param(10, 3, True, id="three of ten"),
        ],
    )
    def test_too_many_deaths_at_once_are_not_believed(self, present: int, missing: int, frozen: bool) -> None:
        """More than one, and more than a fifth of a cloud's: it says more about us than about them."""
        members = [instance(key) for key in range(1, present + 1)]
        shown = running(*range(missing + 1, present + 1))
        facts = in_vain(*(f"m-{key}" for key in range(1, missing + 1))) | {"living": len(shown)}

        made = plan(view(present, members, accounts={"hotel": account(shown, **facts)}))

        assert len(buried(made)) == (0 if frozen else missing)
        assert sum(launched(made).values()) == (0 if frozen else missing)
        assert bool(made.waiting_on) == frozen

    def test_mass_death_that_the_cloud_confirms_is_believed(self) -> None:
        """An operator terminated them all: they are replaced."""
        members = [instance(key) for key in range(1, 6)]
        shown = [machine(f"m-{key}", MachineState.TERMINATED) for key in range(1, 6)]

        made = plan(view(5, members, accounts={"hotel": account(shown)}))

        assert buried(made) == [1, 2, 3, 4, 5]
        assert launched(made) == {"hotel": 5}

    def test_what_users_call_unhealthy_is_never_frozen(self) -> None:
        """They said so."""
        made = plan(
            view(
                2, [instance(1, healthy=False), instance(2, healthy=False)], accounts={"hotel": account(running(1, 2))}
            )
        )

        # The rails count only conclusions of our own as well.
        assert retired(made) == [1, 2]
        assert launched(made) == {"hotel": 2}

    def test_nobody_dies_on_a_blind_cloud(self) -> None:
        """Not even those that users call unhealthy; the group says what it waits for."""
        made = plan(
            view(2, [instance(1, healthy=False), instance(2)], clouds=(HOTEL, SIERRA), accounts={"hotel": gone_blind()})
        )

        assert made.actions == ()
        assert made.waiting_on == ("hotel does not answer: connection refused",)

    def test_a_booting_machine_is_looked_at_again_when_its_time_is_up(self) -> None:
        """Nothing else would call for a pass."""
        starting = instance(1, state=InstanceState.PENDING, bound_at=ago(100))

        made = plan(view(1, [starting], accounts={"hotel": account([machine("m-1", MachineState.PENDING)])}))

        assert made == actions.Plan(recheck_s=800.0)

    def test_a_pending_instance_is_promoted_when_its_machine_runs(self) -> None:
        """The sweep saw it."""
        made = plan(view(1, [instance(1, state=InstanceState.PENDING)]))

        assert [type(action) for action in made.actions] == [actions.Promote]


class TestDismiss:
    """From the intention to terminate to the proof that it happened."""

    @pytest.mark.parametrize(
        ("sent_s_ago", "state", "told", "gone"),
        [
            pytest.param(None, MachineState.RUNNING, True, False, id="not told yet"),
            pytest.param(10, MachineState.RUNNING, False, False, id="told"),
            pytest.param(61, MachineState.RUNNING, True, False, id="told long ago"),
            pytest.param(61, MachineState.SHUTTING_DOWN, False, False, id="on its way"),
            pytest.param(10, MachineState.TERMINATED, False, True, id="terminated"),
            pytest.param(None, MachineState.TERMINATED, False, True, id="terminated by itself"),
            pytest.param(None, None, True, False, id="absent, not told yet"),
            pytest.param(10, None, False, True, id="absent from a later sweep"),
            pytest.param(0.5, None, False, False, id="absent from an earlier sweep"),
        ],
    )
    def test_a_retired_machine_is_terminated_until_it_is_gone(
        self, sent_s_ago: float | None, state: MachineState | None, told: bool, gone: bool
    ) -> None:
        """Told once, told again when it lives on, buried on proof alone."""
        sent_at = None if sent_s_ago is None else ago(sent_s_ago)
        shown = [] if state is None else [machine("m-1", state)]
        leaving = instance(1, state=TERMINATING, terminate_sent_at=sent_at)

        made = plan(view(0, [leaving], accounts={"hotel": account(shown)}))

        assert dismissed(made) == ([1] if told else [])
        assert buried(made) == ([1] if gone else [])

    def test_absence_is_proof_only_when_a_later_sweep_shows_it(self) -> None:
        """The plan asks for that sweep."""
        leaving = instance(1, state=TERMINATING, terminate_sent_at=ago(0.5))

        made = plan(view(0, [leaving], accounts={"hotel": account()}))

        assert made.look_at == {"hotel"}

    def test_a_young_machine_that_is_not_listed_yet_is_not_buried(self) -> None:
        """It would go on living unseen (EC2 lists late: InvalidInstanceID.NotFound is no proof)."""
        leaving = instance(1, state=TERMINATING, bound_at=ago(5), terminate_sent_at=ago(4))

        made = plan(view(0, [leaving], accounts={"hotel": account()}))

        assert made.actions == ()
        assert made.recheck_s == pytest.approx(5)

    @pytest.mark.parametrize(
        "cloud", [pytest.param(gone_blind(), id="blind"), pytest.param(account(swept_at=None), id="unseen")]
    )
    def test_nothing_is_terminated_where_nothing_can_be_seen(self, cloud: AccountView) -> None:
        """The intention stays on record."""
        made = plan(view(0, [instance(1, state=TERMINATING)], accounts={"hotel": cloud}))

        assert made.actions == ()
        assert made.look_at == {"hotel"}

    @pytest.mark.parametrize(
        "facts",
        [pytest.param({"mark": None}, id="no mark"), pytest.param({"uid": "g-2"}, id="the mark of another group")],
    )
    def test_a_machine_without_our_mark_is_not_touched(self, facts: dict[str, Any]) -> None:
        """Whatever the ledger says: the id may have been given out again."""
        made = plan(view(0, [instance(1, state=TERMINATING)], accounts={"hotel": account([machine("m-1", **facts)])}))

        assert made.actions == ()
        assert "m-1" in made.waiting_on[0]

    def test_many_are_dismissed_in_several_calls(self) -> None:
        """One refused call must not hold up all."""
        made = plan(view(0, [instance(key, state=TERMINATING) for key in range(1, 121)]))

        assert [len(a.instance_keys) for a in of_kind(made, actions.Dismiss)] == [50, 50, 20]


class TestTrim:
    """Scale-in."""

    def test_a_blind_clouds_instances_stay(self) -> None:
        """
        Nobody else goes in their place; they go when their cloud is seen again.

        Shrinking and growing while a cloud was away once left five machines where three were ever wanted.
        """
        members = [instance(1), instance(2, "sierra")]

        made = plan(view(1, members, clouds=(HOTEL, SIERRA), accounts={"sierra": gone_blind()}))

        assert made.actions == ()
        assert made.waiting_on[0].startswith("sierra does not answer")

    def test_protected_surplus_is_what_the_group_waits_for(self) -> None:
        """Nobody else is taken instead of the protected."""
        made = plan(view(0, [instance(1, protected=True)]))

        assert made.actions == ()
        assert made.waiting_on == ("1 surplus instances are protected, out of sight, or not settled yet",)

    def test_a_lowered_cap_moves_the_excess_to_the_next_cloud(self) -> None:
        """Only as many as find a place there now."""
        members = [instance(key) for key in (1, 2, 3)]
        clouds = (RankedCloud("hotel", 1), RankedCloud("sierra", 1))

        made = plan(view(3, members, clouds=clouds))

        assert len(retired(made)) == 1
        assert launched(made) == {"sierra": 1}

    def test_nobody_is_moved_to_where_there_is_no_place(self) -> None:
        """A cap is no reason to serve less."""
        members = [instance(key) for key in (1, 2)]

        made = plan(view(2, members, clouds=(RankedCloud("hotel", 1), SIERRA), accounts={"sierra": gone_blind()}))

        assert made.actions == ()

    def test_a_cloud_that_the_group_does_not_name_any_more_keeps_its_instances(self) -> None:
        """As on AWS: a new launch configuration changes what is launched, not what runs."""
        made = plan(view(2, [instance(1, "alamo"), instance(2, "alamo")], clouds=(HOTEL,)))

        assert made.actions == ()


class TestFill:
    """Launches and their limits."""

    def test_the_ceiling_counts_machines_in_every_state(self) -> None:
        """However they came about, the bill has a bound."""
        leaving = [instance(key, state=TERMINATING, terminate_sent_at=ago(5)) for key in range(1, 4)]

        made = plan(view(2, leaving))
        full = plan(view(1, [*leaving, instance(4, state=TERMINATING, terminate_sent_at=ago(5))]))

        assert launched(made) == {"hotel": 2}
        assert launched(full) == {}
        assert full.waiting_on == ("4 machines of the group are still there; more than 4 at once are not allowed",)

    def test_the_missing_go_to_the_next_cloud_when_the_first_is_held(self) -> None:
        """At once, within the same limits."""
        made = plan(
            view(3, [instance(1)], clouds=(HOTEL, SIERRA), accounts={"hotel": account(running(1), hold=held())})
        )

        assert launched(made) == {"sierra": 2}

    def test_a_group_with_nowhere_to_go_says_so_and_looks_again(self) -> None:
        """When the back-off ends, or when the blind cloud is seen."""
        made = plan(view(1, clouds=(HOTEL, SIERRA), accounts={"hotel": account(hold=held()), "sierra": gone_blind()}))

        assert made.recheck_s == pytest.approx(30)
        assert made.look_at == {"sierra"}
        assert made.waiting_on == (
            "back-off on hotel until 2013-08-19T21:00:30Z: hotel is full",
            "sierra does not answer: connection refused",
        )


class TestReap:
    """Machines that bear our mark and stand for nobody."""

    @pytest.mark.parametrize(
        ("facts", "reaped"),
        [
            pytest.param({}, True, id="old"),
            pytest.param({"launched_at": ago(100)}, False, id="young"),
            pytest.param({"uid": "g-2"}, False, id="another group's"),
            pytest.param({"mark": None}, False, id="unmarked"),
            pytest.param({"state": MachineState.SHUTTING_DOWN}, False, id="on its way"),
        ],
    )
    def test_a_leak_is_closed(self, facts: dict[str, Any], reaped: bool) -> None:
        """Once it is old enough not to be a launch under way."""
        shown = [machine("m-1"), machine("m-9", **facts)]

        made = plan(view(1, [instance(1)], accounts={"hotel": account(shown)}))

        assert [a.machine_ids for a in of_kind(made, actions.Reap)] == ([("m-9",)] if reaped else [])

    def test_the_machine_of_a_claim_is_no_leak(self) -> None:
        """It is bound, however old it is."""
        made = plan(view(1, [claim(1)], accounts={"hotel": account([machine("m-9", token="t-1")])}))

        assert of_kind(made, actions.Reap) == []

    def test_many_unknown_machines_are_left_alone(self) -> None:
        """The ledger may have been restored from an old backup: nothing is killed blindly."""
        shown = running(1, 2, 7, 8, 9)

        made = plan(view(2, [instance(1), instance(2)], accounts={"hotel": account(shown)}))

        assert made.actions == ()
        assert sum("left alone" in sentence for sentence in made.waiting_on) == 3

    def test_the_surplus_of_a_known_launch_is_always_a_leak(self) -> None:
        """The cloud launched more than it was asked for."""
        shown = [machine("m-1"), *(machine(f"m-{n}", token="t-1") for n in (7, 8, 9))]

        made = plan(view(1, [instance(1)], accounts={"hotel": account(shown)}))

        assert [a.machine_ids for a in of_kind(made, actions.Reap)] == [("m-7", "m-8", "m-9")]


class TestRemove:
    """The end of a group."""

    def test_a_group_being_deleted_retires_all_and_launches_nothing(self) -> None:
        """The protected included; its fresh claims wait for their proof."""
        members = [instance(1, protected=True), instance(2), claim(3, claimed_at=ago(4))]

        made = plan(view(5, members, deleting=True))

        assert sorted(retired(made)) == sorted(dismissed(made)) == [1, 2]
        assert launched(made) == {}
        assert of_kind(made, actions.RemoveGroup) == []

    def test_an_empty_group_is_removed(self) -> None:
        """Nothing of it is left."""
        assert [type(a) for a in plan(view(0, deleting=True)).actions] == [actions.RemoveGroup]

    def test_a_group_is_removed_with_its_last_instance(self) -> None:
        """The same plan that buries it."""
        leaving = instance(1, state=TERMINATING, terminate_sent_at=ago(10))

        made = plan(view(0, [leaving], deleting=True, accounts={"hotel": account()}))

        assert [type(a) for a in made.actions] == [actions.Bury, actions.RemoveGroup]

    def test_a_group_is_not_removed_while_a_machine_bears_its_mark(self) -> None:
        """It is reaped first, however young it is."""
        made = plan(view(0, deleting=True, accounts={"hotel": account([machine("m-9", launched_at=SWEPT)])}))

        assert [type(a) for a in made.actions] == [actions.Reap]

    def test_a_blind_cloud_keeps_its_groups(self) -> None:
        """Nobody knows what became of their machines."""
        made = plan(view(0, [instance(1)], deleting=True, accounts={"hotel": gone_blind()}))

        assert of_kind(made, actions.RemoveGroup) == []


def test_a_death_is_judged_by_the_sweep_and_not_by_the_clock() -> None:
    """A picture that has not been renewed for an hour kills nobody that was bound since."""
    stale = account(running(1), swept_at=NOW - timedelta(hours=1))
    members = [instance(1), instance(2, bound_at=ago(60))]

    assert retired(plan(view(2, members, accounts={"hotel": stale}))) == []
