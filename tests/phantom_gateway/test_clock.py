"""The clock tells aware UTC and does not run backwards between two looks."""

from datetime import UTC, timedelta

from phantom_gateway import clock


def test_the_time_is_aware_and_in_utc() -> None:
    """Two times can be compared wherever they come from."""
    earlier, later = clock.now(), clock.now()

    assert earlier.tzinfo is UTC
    assert timedelta(0) <= later - earlier < timedelta(minutes=1)
