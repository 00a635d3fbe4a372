"""What a pass does about machines that die young."""

from dataclasses import replace
from typing import Any

import pytest

from backends.cloud import Machine, MachineState
from reconciler import actions
from reconciler.model import Crash, FailBack, Instance, InstanceState
from tests.reconciler.views import (
    HOTEL,
    NOW,
    SIERRA,
    account,
    ago,
    buried,
    instance,
    launched,
    machine,
    of_kind,
    plan,
    retired,
    running,
    view,
)


class TestCrashLoop:
    """Machines that die young, launch after launch."""

    @staticmethod
    def crash(times: int, last_s: float, places: int = 1) -> dict[str, Crash]:
        """The record of hotel."""
        return {"hotel": Crash("web@hotel", times, ago(3000), ago(last_s), places)}

    @staticmethod
    def dead(lived_s: float | None, claimed_s: float = 100.0, **facts: Any) -> tuple[Instance, Machine]:
        """An instance whose machine was terminated by somebody, after it served for so long (None: never)."""
        served = {"state": InstanceState.PENDING} if lived_s is None else {"in_service_at": ago(lived_s)}
        member = instance(1, claimed_at=ago(claimed_s), bound_at=ago(claimed_s), **served, **facts)
        return member, machine("m-1", MachineState.TERMINATED)

    @pytest.mark.parametrize(
        ("lived_s", "counts"),
        [
            pytest.param(None, True, id="never served"),
            pytest.param(30.0, True, id="served for half a minute"),
            pytest.param(301.0, False, id="served for more than five minutes"),
        ],
    )
    def test_a_young_death_is_a_failed_launch(self, lived_s: float | None, counts: bool) -> None:
        """The first one in a row is noted, and replaced at once like any other."""
        member, shown = self.dead(lived_s)

        made = plan(view(1, [member], accounts={"hotel": account([shown])}))

        notes = of_kind(made, actions.NoteCrash)
        assert [note.crash for note in notes] == ([Crash("web@hotel", 1, NOW, NOW, 1)] if counts else [])
        assert ("died young" in of_kind(made, actions.Bury)[0].because) is counts
        assert launched(made) == {"hotel": 1}

    def test_the_second_in_a_row_makes_the_next_launch_wait(self) -> None:
        """The activity and the group say until when; the plan looks again then."""
        member, shown = self.dead(30.0)
        record = self.crash(1, last_s=110)

        made = plan(view(1, [member], accounts={"hotel": account([shown])}, crashes=record))

        (note,) = of_kind(made, actions.NoteCrash)
        assert note.crash == Crash("web@hotel", 2, ago(3000), NOW, 1)
        assert launched(made) == {}
        assert made.recheck_s is not None
        assert 8 <= made.recheck_s <= 10
        assert "2 launches in a row came to an instance that died young, and the next launch waits until" in (
            of_kind(made, actions.Bury)[0].because
        )
        (waiting,) = made.waiting_on
        assert waiting.startswith("back-off on hotel until 2013-08-19T21:00:")
        assert waiting.endswith("2 launches of web@hotel in a row came to instances that died young")

    def test_after_the_pause_it_is_launched(self) -> None:
        """The record stays: the next young death would make the pause longer."""
        made = plan(view(1, crashes=self.crash(2, last_s=11)))

        assert launched(made) == {"hotel": 1}
        assert of_kind(made, actions.NoteCrash) == []

    def test_what_lived_long_is_replaced_in_the_midst_of_a_pause(self) -> None:
        """One place waits, the other is filled at once."""
        member, shown = self.dead(3000.0, claimed_s=3100)

        made = plan(
            view(
                3,
                [member, instance(2)],
                accounts={"hotel": account([shown, *running(2)])},
                crashes=self.crash(8, last_s=5),
            )
        )

        assert buried(made) == [1]
        assert launched(made) == {"hotel": 1}

    def test_a_pause_sends_launches_to_the_next_cloud(self) -> None:
        """What fails on the one may work on the other; a failed launch told at once does the same."""
        made = plan(view(1, clouds=(HOTEL, SIERRA), crashes=self.crash(8, last_s=5)))

        assert launched(made) == {"sierra": 1}

    def test_places_that_were_filled_elsewhere_wait_no_more(self) -> None:
        """The next death of another cause is replaced on the best rank, however long the pause."""
        seen = view(1, [instance(1, "sierra")], clouds=(HOTEL, SIERRA), crashes=self.crash(8, last_s=5))

        (note,) = of_kind(plan(seen), actions.NoteCrash)

        assert note.crash is not None
        assert note.crash.places == 0
        assert launched(plan(view(1, clouds=(HOTEL, SIERRA), crashes={"hotel": note.crash}))) == {"hotel": 1}

    @pytest.mark.parametrize(
        "facts",
        [
            pytest.param({"launch_configuration": "old@hotel"}, id="of another launch configuration"),
            pytest.param({"healthy": False}, id="called unhealthy by a user"),
        ],
    )
    def test_deaths_that_say_nothing_of_the_next_launch_do_not_count(self, facts: dict[str, Any]) -> None:
        """They are replaced at once."""
        member, _ = self.dead(30.0, **facts)
        state = MachineState.RUNNING if "healthy" in facts else MachineState.TERMINATED

        made = plan(
            view(1, [member], accounts={"hotel": account([machine("m-1", state)])}, crashes=self.crash(1, last_s=110))
        )

        assert of_kind(made, actions.NoteCrash) == []
        assert launched(made) == {"hotel": 1}

    def test_another_launch_configuration_deserves_an_attempt_at_once(self) -> None:
        """The user has changed what crashed."""
        record = {"hotel": replace(self.crash(8, last_s=5)["hotel"], launch_configuration="old@hotel")}

        assert launched(plan(view(1, crashes=record))) == {"hotel": 1}

    def test_an_eager_group_does_not_go_home_to_where_its_machines_die(self) -> None:
        """It would give a machine that serves for one that crashes."""
        seen = view(
            1,
            [instance(1, "sierra")],
            clouds=(HOTEL, SIERRA),
            fail_back=FailBack.EAGER,
            crashes=self.crash(8, last_s=5, places=0),
        )

        assert retired(plan(seen)) == []
        assert retired(plan(replace(seen, record=replace(seen.record, group=replace(seen.group, crashes={}))))) == [1]

    def test_suspending_launches_forgets_the_crashes(self) -> None:
        """Whoever resumes them wants an attempt at once."""
        made = plan(view(1, suspended=frozenset({"Launch"}), crashes=self.crash(8, last_s=5)))

        assert [(note.cloud, note.crash) for note in of_kind(made, actions.NoteCrash)] == [("hotel", None)]
