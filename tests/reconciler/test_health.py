"""The three answers about an instance."""

from datetime import timedelta

import pytest

from backends.cloud import MachineState
from reconciler import health
from reconciler.model import AccountView
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


def test_absence_is_death_once_the_machine_should_be_seen() -> None:
    """A complete sweep that began late enough is evidence."""
    assert kind(health.judge(OLD, account(), None, NOW)) == "dead"


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
    late = instance(1, claimed_at=LONG_AGO, bound_at=ago(1))

    assert health.visible_from(late, account()) == ago(1) + timedelta(seconds=TRAITS.visible_after_s)
