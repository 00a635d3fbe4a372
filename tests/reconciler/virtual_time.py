"""
An event loop whose time jumps to the next timer when nothing is ready: hours pass in milliseconds, nothing sleeps.

Owns: that loop and the calendar derived from it. Works for code without threads and sockets.
"""

import asyncio
import functools
import heapq
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

EPOCH = datetime(2013, 8, 19, 20, 0, tzinfo=UTC)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Time stands still while there is work, and jumps when there is none."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        # Nothing comes from outside: asking the system for it would be the largest part of a short step.
        self._selector.select = _nothing  # type: ignore[attr-defined]

    def time(self) -> float:
        """Seconds since the loop was made, all of them imaginary."""
        return self._now_s

    def _run_once(self) -> None:
        timers = self._scheduled  # type: ignore[attr-defined]
        while timers and timers[0].cancelled():
            # The base class would drop these only after the jump, and then wait for the next one in real time.
            heapq.heappop(timers)._scheduled = False
            self._timer_cancelled_count -= 1  # type: ignore[attr-defined]
        if not self._ready:  # type: ignore[attr-defined]
            if not timers:
                raise RuntimeError("nothing is ready and no timer is set: this test waits for ever")
            self._now_s = max(self._now_s, timers[0].when())
        super()._run_once()  # type: ignore[misc]


def _nothing(_timeout_s: float | None = None) -> list[Any]:
    """No event: there are no sockets in imaginary time."""
    return []


def run(main: Coroutine[Any, Any, T]) -> T:
    """The result of *main*, run to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


def now() -> datetime:
    """The calendar time of the running loop."""
    return EPOCH + timedelta(seconds=asyncio.get_running_loop().time())


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """The test, run to its end on a loop whose time is imaginary."""

    @functools.wraps(test)
    def in_its_own_loop(*arguments: P.args, **parameters: P.kwargs) -> None:
        run(test(*arguments, **parameters))

    return in_its_own_loop
