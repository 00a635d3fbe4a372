"""
A clock for durations that people can read: it follows the wall clock, and never jumps with it.

Owns: how fast what the wall clock says is taken over. All that one process measures by this clock (back-offs,
cooldowns, how long a machine has been missing) passes as fast as time does, whatever is done to the wall clock
meanwhile. Does not own: reading the two clocks, which are handed in.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock

log = logging.getLogger(__name__)

SLEW_MAX = 0.1
"""
Of the time that passes, so much is added or held back until the wall clock is met: an hour in ten. Higher: durations
are wrong by more while that lasts. Lower: times told to people are wrong for longer.
"""

STEP_S = 5.0
"""The log tells of a wall clock that is off by more: somebody set it, or it stands still."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SteadyClock:
    """*wall* gives aware times, *elapsed_s* seconds that only ever grow. Any thread may ask."""

    def __init__(self, wall: Callable[[], datetime], elapsed_s: Callable[[], float]) -> None:
        self._wall = wall
        self._elapsed_s = elapsed_s
        self._lock = Lock()
        self._read_s = elapsed_s()
        self._ahead_s = self._wall_s() - self._read_s
        self._now = self._calendar()
        self._is_off = False

    def now(self) -> datetime:
        """The time, aware and in UTC; never earlier than the one before."""
        with self._lock:
            read_s = self._elapsed_s()
            passed_s = read_s - self._read_s
            if passed_s > 0:
                self._read_s = read_s
                self._follow(passed_s)
                self._now = self._calendar()
            return self._now

    def _follow(self, passed_s: float) -> None:
        off_s = self._wall_s() - self._read_s - self._ahead_s
        is_off = abs(off_s) > STEP_S
        if is_off and not self._is_off:
            log.warning("clock.stepped", extra={"off_s": round(off_s, 3)})
        self._is_off = is_off
        most_s = SLEW_MAX * passed_s
        self._ahead_s += max(-most_s, min(most_s, off_s))

    def _wall_s(self) -> float:
        return (self._wall() - _EPOCH).total_seconds()

    def _calendar(self) -> datetime:
        return _EPOCH + timedelta(seconds=self._read_s + self._ahead_s)
