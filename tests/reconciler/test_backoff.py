"""How long an account is spared after a failure."""

from datetime import datetime, timedelta
from random import Random

import pytest

from reconciler.backoff import Backoff
from tests.reconciler.views import NOW


def pause_s(backoff: Backoff, at: datetime = NOW, *, at_least_s: float = 0.0) -> float:
    """Seconds from *at* to the end of the pause after one more failure."""
    return (backoff.failed("g-1", "hotel", "full", at, at_least_s=at_least_s).until - at).total_seconds()


@pytest.mark.parametrize(
    ("failures", "longest_s"),
    [
        pytest.param(1, 10, id="first"),
        pytest.param(2, 20, id="second"),
        pytest.param(4, 80, id="fourth"),
        pytest.param(7, 600, id="seventh"),
        pytest.param(100, 600, id="hundredth"),
    ],
)
def test_pauses_double_up_to_ten_minutes(failures: int, longest_s: float) -> None:
    """With a fifth of them left to chance."""
    backoff, at, last = Backoff(Random(1)), NOW, 0.0
    for _ in range(failures):
        last = pause_s(backoff, at)
        at += timedelta(seconds=last)

    assert 0.8 * longest_s <= last <= longest_s


def test_the_other_calls_of_one_attempt_do_not_count() -> None:
    """Four refused calls at once are one failure."""
    backoff = Backoff(Random(1))

    assert len({pause_s(backoff) for _ in range(4)}) == 1


def test_a_success_resets_the_pause() -> None:
    """But not one that overlapped with a failure."""
    backoff = Backoff(Random(1))
    first = pause_s(backoff)
    backoff.succeeded("g-1", "hotel", NOW)
    assert backoff.hold("g-1", "hotel", NOW) is not None

    later = NOW + timedelta(seconds=first)
    backoff.succeeded("g-1", "hotel", later)

    assert backoff.hold("g-1", "hotel", later) is None
    assert pause_s(backoff, later) <= 10


def test_old_failures_are_forgotten() -> None:
    """A cloud that failed last week is not punished for it."""
    backoff, at = Backoff(Random(1)), NOW
    for _ in range(5):
        at += timedelta(seconds=pause_s(backoff, at))

    assert pause_s(backoff, at + timedelta(hours=1)) <= 10


def test_a_cloud_may_ask_for_a_longer_pause() -> None:
    """Throttling clouds say when to come back."""
    assert pause_s(Backoff(Random(1)), at_least_s=90) == 90


def test_a_refusal_holds_until_the_intent_changes() -> None:
    """Another launch configuration is another question."""
    backoff = Backoff(Random(1))
    backoff.failed("g-1", "hotel", "no such image", NOW, intent=(1, "img"))

    assert backoff.hold("g-1", "hotel", NOW, (1, "img")) is not None
    assert backoff.hold("g-1", "hotel", NOW, (2, "img")) is None


def test_what_was_no_refusal_holds_through_every_change() -> None:
    """A full cloud is full for every intent."""
    backoff = Backoff(Random(1))
    backoff.failed("g-1", "hotel", "full", NOW)

    assert backoff.hold("g-1", "hotel", NOW, (2, "img")) is not None


def test_groups_and_accounts_are_held_apart() -> None:
    """And a forgotten group leaves nothing behind."""
    backoff = Backoff(Random(1))
    backoff.failed("g-1", "hotel", "full", NOW)

    assert backoff.hold("g-2", "hotel", NOW) is None
    assert backoff.hold("g-1", "sierra", NOW) is None
    backoff.forget("g-1")
    assert backoff.hold("g-1", "hotel", NOW) is None
