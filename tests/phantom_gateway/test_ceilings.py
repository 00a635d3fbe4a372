"""What users hold, remembered: never less than the truth, and exact where something is refused."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from phantom_gateway.operations.ceilings import REMEMBERED, Holdings

NOW = datetime(2013, 8, 19, 20, 0, tzinfo=UTC)
CEILING = 10

steps = st.lists(
    st.tuples(
        st.integers(min_value=-4, max_value=6),  # taken away, or asked for
        st.floats(min_value=0, max_value=2),  # seconds that passed before
        st.booleans(),  # whether the request succeeds in the end
    ),
    max_size=40,
)


@given(steps)
def test_a_ceiling_holds_whatever_comes_and_goes(taken: list[tuple[int, float, bool]]) -> None:
    """What is granted never adds up to more than the ceiling, and nothing that fits is refused."""
    holdings, there, now = Holdings(), 0, NOW
    for change, after_s, succeeds in taken:
        now += timedelta(seconds=after_s)
        if change <= 0:
            there = max(0, there + change)
            continue
        after = holdings.after("instances", 1, change, CEILING, now, lambda: there)  # noqa: B023 - called at once
        assert (after <= CEILING) is (there + change <= CEILING)
        if after > CEILING:
            assert after == there + change
        elif succeeds:
            there += change


def test_another_gateway_s_growth_is_noticed_within_a_second() -> None:
    """The count is remembered no longer than that."""
    holdings = Holdings()

    assert holdings.after("groups", 1, 1, CEILING, NOW, lambda: 1) == 2
    assert holdings.after("groups", 1, 1, CEILING, NOW + REMEMBERED, lambda: CEILING) == CEILING + 1


def test_a_clock_that_was_set_back_does_not_make_memory_longer() -> None:
    """A count from the future is none."""
    holdings = Holdings()
    holdings.after("groups", 1, 1, CEILING, NOW, lambda: 1)

    assert holdings.after("groups", 1, 1, CEILING, NOW - timedelta(days=1), lambda: CEILING) == CEILING + 1


def test_users_and_what_they_hold_are_told_apart() -> None:
    """One user's groups are neither another's nor launch configurations."""
    holdings = Holdings()

    assert holdings.after("groups", 1, 1, CEILING, NOW, lambda: 9) == 10
    assert holdings.after("groups", 2, 1, CEILING, NOW, lambda: 0) == 1
    assert holdings.after("launch configurations", 1, 1, CEILING, NOW, lambda: 3) == 4
