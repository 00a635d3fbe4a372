"""
Waiting for a condition of the outside world, instead of sleeping for a guess.

Owns: the one place of the tests where real time passes on purpose.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.02
WAIT_S_MAX = 30.0
"""Generous: machines that run tests are busy, and a condition that holds is seen within a poll anyway."""


def wait_for(condition: Callable[[], T], what: str, wait_s_max: float = WAIT_S_MAX, *, poll_s: float = POLL_S) -> T:
    """
    What *condition* returns as soon as it is true. Raises AssertionError that names *what* did not happen.

    A condition that costs a signed request is looked at less often where many wait at the same time: *poll_s*.
    """
    pause = threading.Event()
    deadline = time.monotonic() + wait_s_max
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {wait_s_max:.0f} s for {what}; the last look showed {result!r}")
        pause.wait(poll_s)
