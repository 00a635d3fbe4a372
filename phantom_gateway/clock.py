"""
The wall clock, and the one that only ever runs forward.

Owns: the one place in the project that reads them. Everything else is handed a time, so that tests can choose it.
"""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The time, aware and in UTC."""
    return datetime.now(UTC)


def elapsed_s() -> float:
    """Seconds since some moment in the past. They pass while the process is stopped, and while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
