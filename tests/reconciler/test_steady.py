"""The clock of passes: as fast as time, whatever is done to the wall clock (F68)."""

from datetime import timedelta

import pytest

from reconciler.steady import SLEW_MAX, SteadyClock
from tests.reconciler.virtual_time import EPOCH


class Clocks:
    """A wall clock that can be set, and one that only runs."""

    def __init__(self) -> None:
        self.elapsed_s = 1_000.0
        self.set_to_s = 0.0
        self.stands = False

    def pass_s(self, seconds: float) -> None:
        """Nothing; so much time went by."""
        self.elapsed_s += seconds
        self.set_to_s -= seconds * self.stands

    def steady(self) -> SteadyClock:
        """The clock made of the two."""
        return SteadyClock(lambda: EPOCH + timedelta(seconds=self.elapsed_s + self.set_to_s), lambda: self.elapsed_s)


@pytest.mark.parametrize("step_s", [3_600.0, -3_600.0, 86_400.0, 0.5, -0.5])
def test_a_minute_is_a_minute_whatever_the_wall_clock_is_set_to(step_s: float) -> None:
    """F68: within a tenth; a step of an hour ends no back-off and keeps none for an hour."""
    clocks = Clocks()
    steady = clocks.steady()
    before = steady.now()

    clocks.set_to_s += step_s
    clocks.pass_s(60.0)

    assert (steady.now() - before).total_seconds() == pytest.approx(60.0, abs=60.0 * SLEW_MAX + 1e-5)


def test_a_wall_clock_that_stands_still_stops_nothing() -> None:
    """F68: an hour is no less than fifty-four minutes."""
    clocks = Clocks()
    steady = clocks.steady()
    before, clocks.stands = steady.now(), True

    for _ in range(3_600):
        clocks.pass_s(1.0)
        steady.now()

    assert (steady.now() - before).total_seconds() == pytest.approx(3_600 * (1 - SLEW_MAX), abs=1.0)


@pytest.mark.parametrize("step_s", [100.0, -100.0])
def test_the_wall_clock_is_met_in_the_end(step_s: float) -> None:
    """F68: people are told the right time again, ten times as long after a step as it was wide."""
    clocks = Clocks()
    steady = clocks.steady()
    clocks.set_to_s += step_s

    for _ in range(1_001):
        clocks.pass_s(1.0)
        steady.now()

    assert steady.now() == EPOCH + timedelta(seconds=clocks.elapsed_s + clocks.set_to_s)


def test_it_never_runs_backwards() -> None:
    """F68: not even while the wall clock is set back again and again."""
    clocks = Clocks()
    steady = clocks.steady()
    seen = [steady.now()]

    for _ in range(100):
        clocks.set_to_s -= 7.0
        clocks.pass_s(0.001)
        seen.append(steady.now())

    assert seen == sorted(seen)
