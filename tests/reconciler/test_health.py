"""The three answers about an instance."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from backends.cloud import MachineState
from reconciler import health
from reconciler.model import Absence, AccountView
from tests.reconciler.views import LONG_AGO, NOW, TRAITS, account, ago, gone_blind, instance, machine

OLD = instance(1)
YOUNG = instance(1, bound_at=ago(5))


def kind(verdict: health.Verdict) -> str:
    """The answer in one word."""
    match verdict:
        case health.Dead(said_by_cloud=True):
            return "dead, says the cloud"
        case health.Dead(said_by_user=True):
            return "dead, says the user"
        case _:
            return type(verdict).__name__.lower()


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(MachineState.RUNNING, "alive", id="running"),
        pytest.param(MachineState.TERMINATED, "dead, says the cloud", id="terminated"),
        pytest.param(MachineState.SHUTTING_DOWN, "dead, says the cloud", id="shutting down"),
        pytest.param(MachineState.STOPPING, "dead", id="stopping"),
        pytest.param(MachineState.STOPPED, "dead", id="stopped"),
        pytest.param(MachineState.ERROR, "dead", id="error"),
        pytest.param(MachineState.UNKNOWN, "unknown", id="unknown"),
        pytest.param(MachineState.PENDING, "dead", id="pending for too long"),
    ],
)
def test_a_machines_state_decides(state: MachineState, expected: str) -> None:
    """Only terminated needs no termination; an unknown state is no reason to kill."""
    assert kind(health.judge(OLD, account(), machine("m-1", state), NOW)) == expected


@pytest.mark.parametrize(
    "blind",
    [
        pytest.param(None, id="no account"),
        pytest.param(gone_blind(), id="blind"),
        pytest.param(account(swept_at=None), id="never swept"),
    ],
)
@pytest.mark.parametrize("shown", [pytest.param(None, id="absent"), pytest.param("stopped", id="stopped")])
def test_nobody_is_dead_on_a_cloud_that_cannot_be_seen(blind: AccountView | None, shown: str | None) -> None:
    """No news is not death, and old news is no news."""
    seen = None if shown is None else machine("m-1", MachineState(shown))

    assert kind(health.judge(OLD, blind, seen, NOW)) == "unknown"
    assert kind(health.judge(instance(1, healthy=False), blind, seen, NOW)) == "unknown"


@pytest.mark.parametrize(
    ("absence", "expected"),
    [
        pytest.param(None, "unknown", id="not asked for"),
        pytest.param(Absence(True, failed_at=ago(1)), "unknown", id="asked for, no answer"),
        pytest.param(Absence(True, ago(1), ago(1), ago(1)), "unknown", id="asked for once"),
        pytest.param(Absence(True, ago(9), ago(1), ago(9)), "unknown", id="not for long enough"),
        pytest.param(Absence(True, ago(11), ago(1), ago(11)), "dead", id="as long as a listing may lag"),
        pytest.param(Absence(True, ago(299), ago(1), None), "unknown", id="answered without it, in no words"),
        pytest.param(Absence(True, ago(301), ago(1), None), "dead", id="answered without it for five minutes"),
    ],
)
def test_absence_is_death_once_the_cloud_was_asked_for_long_enough(absence: Absence | None, expected: str) -> None:
    """A sweep that lacks a machine is a reason to ask for it; only answers without it, time and again, are evidence."""
    seen = account(absences={} if absence is None else {"m-1": absence})

    assert kind(health.judge(OLD, seen, None, NOW)) == expected


def test_only_five_minutes_of_denials_are_the_clouds_own_word() -> None:
    """Eventual consistency may take as long; an answer that merely lacks the machine never is."""
    verdicts = [
        health.judge(OLD, account(absences={"m-1": absence}), None, NOW)
        for absence in (
            Absence(True, ago(302), ago(1), ago(302)),
            Absence(True, ago(302), ago(1), ago(299)),
            Absence(True, ago(302), ago(1), None),
        )
    ]

    assert [isinstance(verdict, health.Dead) and verdict.denied for verdict in verdicts] == [True, False, False]


@pytest.mark.parametrize(
    ("facts", "shown", "expected"),
    [
        pytest.param({"in_service_at": None}, False, "unknown", id="never shown"),
        pytest.param({"in_service_at": ago(600)}, False, "unknown", id="running, its launch said, and never shown"),
        pytest.param({"in_service_at": ago(590)}, False, "dead", id="shown to an earlier process"),
        pytest.param({"in_service_at": None}, True, "dead", id="shown to this process"),
    ],
)
def test_a_machine_that_was_never_shown_may_take_as_long_as_a_boot(
    facts: dict[str, Any], shown: bool, expected: str
) -> None:
    """Ten minutes after its launch, a listing may still be behind; it cannot fall behind what it has shown already."""
    member = instance(1, bound_at=ago(600), **facts)
    seen = account(absences={"m-1": Absence(shown, ago(100), ago(1), ago(100))})

    assert kind(health.judge(member, seen, None, NOW)) == expected
    assert kind(health.judge(replace(member, bound_at=ago(950)), seen, None, NOW)) == "dead"


def test_a_cloud_that_lists_at_once_needs_no_patience() -> None:
    """One answer without the machine is enough, however young it is."""
    at_once = replace(TRAITS, visible_after_s=0.0)
    seen = account(traits=at_once, absences={"m-1": Absence(False, ago(1), ago(1), ago(1))})

    assert kind(health.judge(instance(1, bound_at=ago(5), in_service_at=None), seen, None, NOW)) == "dead"


def test_inquiries_become_rarer_and_come_in_time_for_each_verdict() -> None:
    """After 5 s, then doubling to a minute; and when the listing's lag and the five minutes are over."""
    asked_s, came = 0.0, [0.0]
    while asked_s < 420:
        absence = Absence(True, NOW, NOW + timedelta(seconds=asked_s), NOW)
        due = health.inquire_at(absence, account())
        assert due is not None
        asked_s = (due - NOW).total_seconds()
        came.append(asked_s)

    assert came == [0, 5, 10, 20, 40, 80, 140, 200, 260, 300, 360, 420]
    assert health.inquire_at(Absence(True), account()) is None
    assert health.inquire_at(Absence(True, failed_at=NOW), account()) == NOW + timedelta(seconds=5)


def test_a_young_machine_may_be_absent() -> None:
    """Clouds list new machines late; the verdict says from when on a sweep would tell."""
    verdict = health.judge(YOUNG, account(), None, NOW)

    assert verdict == health.Unknown("hotel need not show it yet", again_at=ago(5) + timedelta(seconds=10))


def test_an_old_sweep_says_nothing_of_a_young_machine() -> None:
    """However late it is now: what counts is when the sweep began."""
    old_picture = account(swept_at=ago(100))

    assert kind(health.judge(instance(1, bound_at=ago(99)), old_picture, None, NOW)) == "unknown"


def test_a_booting_machine_lives_until_its_time_is_up() -> None:
    """The verdict says when that will be."""
    booting = instance(1, bound_at=ago(100))

    verdict = health.judge(booting, account(), machine("m-1", MachineState.PENDING), NOW)

    assert verdict == health.Alive(again_at=ago(100) + timedelta(seconds=TRAITS.boot_timeout_s))


def test_a_user_may_call_an_instance_unhealthy() -> None:
    """Its machine runs, and has to be terminated all the same."""
    assert kind(health.judge(instance(1, healthy=False), account(), machine("m-1"), NOW)) == "dead, says the user"


def test_only_our_own_conclusions_are_braked() -> None:
    """What the cloud or the user says is carried out."""
    assert health.Dead("it vanished", said_by_cloud=False, cause="").concluded
    assert not health.Dead("terminated", said_by_cloud=True, cause="").concluded
    assert not health.Dead("unhealthy", said_by_cloud=False, cause="", said_by_user=True).concluded


def test_the_age_of_an_instance_counts_from_its_binding() -> None:
    """A claim may have waited long for its machine."""
    late = instance(1, claimed_at=LONG_AGO, bound_at=ago(1), in_service_at=ago(0.5))

    assert health.visible_from(late, account()) == ago(1) + timedelta(seconds=TRAITS.visible_after_s)
