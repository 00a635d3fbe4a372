"""How long launches wait whose machines die young."""

import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler import crashloop
from reconciler.backoff import HOLD_S_MAX, JITTER
from reconciler.model import Crash
from tests.reconciler.views import NOW, ago, instance


def pause_s(times: int, uid: str = "g-1") -> float:
    """Seconds that the launch after *times* young deaths in a row waits."""
    return (crashloop.until(uid, "hotel", Crash("web@hotel", times, NOW, NOW, 1)) - NOW).total_seconds()


@pytest.mark.parametrize(
    ("times", "most_s"),
    [(1, 0.0), (2, 10.0), (3, 20.0), (4, 40.0), (7, 320.0), (8, 600.0), (100, 600.0)],
)
def test_the_pause_doubles_to_ten_minutes(times: int, most_s: float) -> None:
    """Nothing after the first death; a share of chance is taken off the rest."""
    assert (1 - JITTER) * most_s <= pause_s(times) <= most_s


def test_groups_that_crash_together_do_not_come_back_together() -> None:
    """The chance lies in the group's uid: it is another for each, and the same after a restart."""
    pauses = {pause_s(9, f"g-{number}") for number in range(20)}

    assert len(pauses) > 15
    assert pause_s(9) == pause_s(9)


@given(st.lists(st.floats(1.0, 300.0), min_size=30, max_size=60))
def test_a_machine_that_always_dies_young_is_launched_six_times_an_hour_in_the_end(lives_s: list[float]) -> None:
    """However long each lives: the row goes on, and no pause is longer than ten minutes."""
    now, record, launched_at, launches = NOW, None, NOW, []
    for lived_s in lives_s:
        launches.append(launched_at)
        now = launched_at + timedelta(seconds=lived_s)
        member = instance(1, claimed_at=launched_at, bound_at=launched_at, in_service_at=launched_at)
        record = crashloop.died("g-1", "hotel", record, "web@hotel", [member], now)
        launched_at = max(now, crashloop.until("g-1", "hotel", record))

    assert record is not None
    assert record.times == len(lives_s)
    late = launches[10:]
    pauses = [(after - before).total_seconds() for before, after in itertools.pairwise(late)]
    assert all(HOLD_S_MAX * (1 - JITTER) < pause < HOLD_S_MAX + 300 for pause in pauses)


def test_machines_of_one_attempt_count_once() -> None:
    """Three were launched together and die one after the other; their places are counted."""
    members = [instance(key, claimed_at=ago(60)) for key in (1, 2, 3)]
    record = None
    for seconds, member in enumerate(members):
        record = crashloop.died("g-1", "hotel", record, "web@hotel", [member], NOW + timedelta(seconds=seconds))

    assert record == Crash("web@hotel", 1, NOW, NOW, 3)


@pytest.mark.parametrize(
    ("before", "times"),
    [
        pytest.param(Crash("web@hotel", 5, ago(4000), ago(700), 1), 6, id="the same"),
        pytest.param(Crash("old@hotel", 5, ago(4000), ago(700), 1), 1, id="another launch configuration"),
        pytest.param(Crash("web@hotel", 5, ago(4000), ago(1801), 1), 1, id="long ago"),
    ],
)
def test_a_row_is_of_one_launch_configuration_and_without_long_gaps(before: Crash, times: int) -> None:
    """Otherwise it begins anew."""
    after = crashloop.died("g-1", "hotel", before, "web@hotel", [instance(1, claimed_at=ago(60))], NOW)

    assert after.times == times
    assert after.since == (before.since if times > 1 else NOW)
