"""What a pass does about machines that sweeps lack, and about those that come back."""

from typing import Any

import pytest

from backends.cloud import MachineState
from reconciler import actions, rails
from reconciler.model import Absence, InstanceState, RankedCloud
from tests.reconciler.views import (
    NOW,
    SIERRA,
    account,
    ago,
    buried,
    dismissed,
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


class TestVanished:
    """What a sweep lacks, and what is said of it."""

    def test_what_vanished_is_buried_and_replaced_and_not_terminated(self) -> None:
        """Nothing is there to be terminated; should it come back, it may be needed."""
        made = plan(view(1, [instance(1)], accounts={"hotel": account(**in_vain("m-1"))}))

        assert buried(made) == [1]
        assert retired(made) == dismissed(made) == []
        assert [(a.count, a.replacing) for a in of_kind(made, actions.Launch)] == [(1, 1)]

    def test_what_a_sweep_lacks_is_asked_for(self) -> None:
        """At once, then when the answer would mean something else; nothing is done meanwhile, and it is said why."""
        members = [instance(1), instance(2)]
        asked = {"absences": {"m-1": Absence(True, ago(1), ago(1), ago(1))}, "missing": 1}

        first = plan(view(2, members, accounts={"hotel": account(running(2))}))
        later = plan(view(2, members, accounts={"hotel": account(running(2), **asked)}))

        assert first.actions == later.actions == ()
        assert first.inquiries == {"hotel": {"m-1"}}
        assert first.look_at == {"hotel"}
        assert first.waiting_on == ("m-1: hotel does not show it, and has not been asked for it by its id",)
        assert later.inquiries == {}
        assert later.recheck_s == pytest.approx(4)

    @pytest.mark.parametrize(
        ("present", "missing", "living", "denied_s", "believed"),
        [
            pytest.param(5, 2, 3, 301.0, True, id="two of five, denied for five minutes"),
            pytest.param(5, 2, 3, 100.0, False, id="two of five, denied for less"),
            pytest.param(2, 2, 1, 301.0, True, id="all of a small group, while another's machine is shown"),
            pytest.param(2, 2, 0, 301.0, False, id="all, and the account shows nothing"),
            pytest.param(10, 4, 6, 301.0, True, id="four of an account's ten"),
            pytest.param(10, 5, 5, 301.0, False, id="half of an account"),
        ],
    )
    def test_many_that_vanished_are_believed_gone_by_the_word_of_a_cloud_that_is_well(
        self, present: int, missing: int, living: int, denied_s: float, believed: bool
    ) -> None:
        """It says so for five minutes, and shows most of the account's machines; otherwise people have to say it."""
        members = [instance(key) for key in range(1, present + 1)]
        facts = in_vain(*(f"m-{key}" for key in range(1, missing + 1)), asked_s=400, denied_s=denied_s)
        seen = account(running(*range(missing + 1, present + 1)), living=living, **facts)

        made = plan(view(present, members, accounts={"hotel": seen}))

        assert len(buried(made)) == sum(launched(made).values()) == (missing if believed else 0)
        assert bool(made.waiting_on) is not believed

    def test_one_of_many_groups_that_lose_one_machine_each_does_not_believe_it(self) -> None:
        """An account that lacks many machines at once is ill, whoever they belong to."""
        facts = in_vain("m-1") | {"missing": 40, "living": 60}

        made = plan(view(1, [instance(1)], accounts={"hotel": account(**facts)}))

        assert made.actions == ()
        assert made.waiting_on == ("hotel lacks many machines at once, of other groups, too: none is replaced",)

    def test_a_machine_that_was_never_shown_is_given_time_to_come_to_light(self) -> None:
        """Its end may have been answered NotFound, and it may run: five minutes, then nothing speaks for it."""
        facts: dict[str, Any] = {"state": InstanceState.TERMINATING, "bound_at": ago(400), "in_service_at": None}
        fresh = plan(view(0, [instance(1, **facts, terminate_sent_at=ago(290))], accounts={"hotel": account()}))
        later = plan(view(0, [instance(1, **facts, terminate_sent_at=ago(310))], accounts={"hotel": account()}))

        assert fresh.actions == ()
        assert fresh.recheck_s == pytest.approx(10)
        assert fresh.waiting_on == ("m-1 was told to end, and hotel has never shown it",)
        assert buried(later) == [1]


class TestAdopt:
    """Machines of the group that come back from nowhere while it needs them."""

    @pytest.mark.parametrize(
        ("facts", "adopted"),
        [
            pytest.param({}, True, id="running"),
            pytest.param({"launched_at": ago(100)}, False, id="too young to be sure that nobody waits for it"),
            pytest.param({"state": MachineState.PENDING}, True, id="still coming up"),
            pytest.param({"uid": "g-2"}, False, id="another group's"),
            pytest.param({"mark": None}, False, id="unmarked"),
        ],
    )
    def test_a_machine_that_is_needed_takes_its_place_again(self, facts: dict[str, Any], adopted: bool) -> None:
        """No other is launched in its place, and it is not ended."""
        shown = [*running(1), machine("m-9", token="t-9", index=3, **facts)]

        made = plan(view(2, [instance(1)], accounts={"hotel": account(shown)}))

        places = [(a.machine_id, a.token, a.index) for a in of_kind(made, actions.Adopt)]
        assert places == ([("m-9", "t-9", 3)] if adopted else [])
        assert launched(made) == ({} if adopted else {"hotel": 1})
        assert of_kind(made, actions.Reap) == []

    def test_what_runs_is_worth_more_than_what_is_still_to_come_up(self) -> None:
        """Its replacement was launched and is pending: the scale-in of the next plans takes that one."""
        shown = [machine("m-1", MachineState.PENDING), machine("m-9")]
        starting = instance(1, state=InstanceState.PENDING, bound_at=ago(10))

        made = plan(view(1, [starting], accounts={"hotel": account(shown)}))
        bound = instance(2, token="t-9", machine_id="m-9", claimed_at=NOW)
        after = plan(view(1, [starting, bound], accounts={"hotel": account(shown)}))

        assert [a.machine_id for a in of_kind(made, actions.Adopt)] == ["m-9"]
        assert dismissed(after) == [1]

    def test_its_place_in_the_launch_may_be_taken(self) -> None:
        """Then it gets the first that is free: the pair of token and place names one instance."""
        members = [instance(1, token="t-9", index=0), instance(2, token="t-9", index=1)]
        shown = [machine("m-1", token="t-9"), machine("m-2", token="t-9"), machine("m-8", token="t-9", index=1)]
        shown.append(machine("m-9", token="t-9"))

        made = plan(view(4, members, accounts={"hotel": account(shown)}))

        assert sorted((a.machine_id, a.index) for a in of_kind(made, actions.Adopt)) == [("m-8", 2), ("m-9", 3)]

    def test_a_surplus_is_not_adopted(self) -> None:
        """It is a leak, and closed."""
        made = plan(view(1, [instance(1)], accounts={"hotel": account([*running(1), machine("m-9")])}))

        assert of_kind(made, actions.Adopt) == []
        assert [a.machine_ids for a in of_kind(made, actions.Reap)] == [("m-9",)]

    def test_what_is_adopted_leaves_less_room_for_launches(self) -> None:
        """Two are missing, with room for one: a plan beyond the rails would be made again and again, and never done."""
        clouds = (RankedCloud("hotel", 2), SIERRA)
        seen = view(3, [instance(1)], clouds=clouds, accounts={"hotel": account([*running(1), machine("m-9")])})

        made = plan(seen)

        assert [a.machine_id for a in of_kind(made, actions.Adopt)] == ["m-9"]
        assert launched(made) == {"sierra": 1}
        rails.check(seen, made)

    def test_a_cap_holds_for_the_adopted_too(self) -> None:
        """What is beyond it runs elsewhere."""
        clouds = (RankedCloud("hotel", 1), SIERRA)

        made = plan(view(2, [instance(1)], clouds=clouds, accounts={"hotel": account([*running(1), machine("m-9")])}))

        assert of_kind(made, actions.Adopt) == []
        assert launched(made) == {"sierra": 1}
