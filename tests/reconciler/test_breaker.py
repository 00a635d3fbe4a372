"""When an account may launch, and how it is tested."""

from datetime import datetime, timedelta
from random import Random

import pytest

from reconciler.breaker import FAILURES_MAX, PROBE_S_MAX, Breaker
from tests.reconciler.views import NOW


def after(seconds: float) -> datetime:
    """That long from now."""
    return NOW + timedelta(seconds=seconds)


def opened(at: datetime = NOW, breaker: Breaker | None = None) -> Breaker:
    """A breaker that has just opened."""
    breaker = breaker or Breaker()
    for number in range(FAILURES_MAX):
        breaker = breaker.failed(f"g-{number}", "hotel is full", at, Random(1))
    return breaker


def test_it_opens_after_three_failures_in_a_row() -> None:
    """Whichever groups they are of; a success in between makes them no row."""
    two = Breaker().failed("g-1", "full", NOW, Random(1)).failed("g-2", "full", NOW, Random(1))

    assert two.hold("g-3", NOW) is None
    assert two.succeeded("g-3").failed("g-1", "full", NOW, Random(1)).hold("g-3", NOW) is None
    assert two.failed("g-1", "no room", NOW, Random(1)).hold("g-3", NOW) is not None


def test_an_open_breaker_holds_all_groups_and_says_why() -> None:
    """The cloud's words are repeated."""
    hold = opened().hold("g-1", NOW)

    assert hold is not None
    assert hold.reason == "hotel is full"
    assert 8 <= (hold.until - NOW).total_seconds() <= 10


@pytest.mark.parametrize(
    ("openings", "longest_s"),
    [
        pytest.param(1, 10, id="first"),
        pytest.param(2, 20, id="second"),
        pytest.param(4, 80, id="fourth"),
        pytest.param(50, 600, id="fiftieth"),
    ],
)
def test_it_opens_ever_longer_while_its_tests_fail(openings: int, longest_s: float) -> None:
    """Ten seconds doubling to ten minutes, a fifth of it left to chance."""
    breaker, at = opened(), NOW
    for _ in range(openings - 1):
        assert breaker.until is not None
        at = breaker.until
        breaker = breaker.probed("g-1", at).failed("g-1", "hotel is full", at, Random(1))

    assert breaker.until is not None
    assert 0.8 * longest_s <= (breaker.until - at).total_seconds() <= longest_s


def test_a_cloud_may_ask_for_a_longer_pause() -> None:
    """Throttling clouds say when to come back."""
    breaker = Breaker()
    for _ in range(FAILURES_MAX):
        breaker = breaker.failed("g-1", "slow down", NOW, Random(1), at_least_s=90)

    assert breaker.until == after(90)


def test_one_group_tests_and_the_others_wait() -> None:
    """The test holds up everybody but its own group, and no second one goes out."""
    probing = opened().probed("g-1", after(10))

    assert opened().half_open(after(10))
    assert not probing.half_open(after(11))
    assert probing.hold("g-1", after(11)) is None
    assert probing.hold("g-2", after(11)) is not None


def test_a_test_that_succeeds_closes_it_and_all_is_forgotten() -> None:
    """The next row of failures opens it for ten seconds again."""
    closed = opened().probed("g-1", after(10)).succeeded("g-1")

    assert closed == Breaker()


@pytest.mark.parametrize(
    "at_s", [pytest.param(5, id="while it is open"), pytest.param(11, id="while another group tests")]
)
def test_calls_that_began_before_it_opened_change_nothing(at_s: float) -> None:
    """Their news is older than the test's."""
    breaker = opened()
    if at_s > 10:
        breaker = breaker.probed("g-1", after(10))

    assert breaker.failed("g-2", "late", after(at_s), Random(1)) == breaker
    assert breaker.succeeded("g-2") == breaker
    assert breaker.released("g-2") == breaker


def test_a_test_that_told_nothing_is_repeated_by_anybody() -> None:
    """A refused image says nothing of the account; a lost test is forgotten in time."""
    probing = opened().probed("g-1", after(10))

    assert probing.released("g-1").half_open(after(11))
    assert probing.half_open(after(10 + PROBE_S_MAX))
