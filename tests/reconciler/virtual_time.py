"""
An event loop whose time jumps to the next timer when nothing is ready: hours pass in milliseconds, nothing sleeps.

Owns: that loop and the calendar derived from it. Works for code without threads and sockets.
"""

import asyncio
import functools
import heapq
import types
from asyncio import events
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

EPOCH = datetime(2013, 8, 19, 20, 0, tzinfo=UTC)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """
    Time stands still while there is work, and jumps when there is none.

    What is ready is run in the order of the base class, without its checks for threads, sockets and debugging: in a
    simulation, whose steps are short, those take longer than the steps.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        self._calendar = EPOCH
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._timers_made = 0
        self.get_debug = bool  # type: ignore[method-assign]  # False, and the handles ask for it by the million

    def time(self) -> float:
        """Seconds since the loop was made, all of them imaginary."""
        return self._now_s

    def calendar(self) -> datetime:
        """The time as people tell it."""
        return self._calendar

    def is_stopped_for(self, seconds: float) -> None:
        """Nothing; so much time has passed, and nothing could be done in it: the process was stopped."""
        self._now_s += seconds
        self._calendar = EPOCH + timedelta(seconds=self._now_s)

    def call_soon(  # type: ignore[override]  # the base class's is generic over its arguments
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """See the base class."""
        handle = events.Handle(callback, args, self, context)
        self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    def call_at(  # type: ignore[override]  # as above
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """See the base class; timers of the same time keep the order in which they were set."""
        timer = events.TimerHandle(when, callback, args, self, context)
        self._timers_made += 1
        heapq.heappush(self._timers, (when, self._timers_made, timer))
        return timer

    def _run_once(self) -> None:
        """Everything that is ready, and what that makes ready, until the loop is stopped or time has to pass."""
        ready, timers = self._ready, self._timers  # type: ignore[attr-defined]
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)
        if not ready:
            if not timers:
                raise RuntimeError("nothing is ready and no timer is set: this test waits for ever")
            if timers[0][0] > self._now_s:
                self._now_s = timers[0][0]
                self._calendar = EPOCH + timedelta(seconds=self._now_s)
        while timers and timers[0][0] <= self._now_s:
            ready.append(heapq.heappop(timers)[2])
        while ready and not self._stopping:  # type: ignore[attr-defined]
            handle = ready.popleft()
            if handle._cancelled:
                continue
            try:
                handle._context.run(handle._callback, *handle._args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001 - whatever a callback raises, as in the base class
                self.call_exception_handler({"message": "a callback raised", "exception": error, "handle": handle})


def run(main: Coroutine[Any, Any, T]) -> T:
    """The result of *main*, run to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


def now() -> datetime:
    """The calendar time of the running loop."""
    loop = events.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop), "this time is that of imaginary loops"
    return loop.calendar()


@types.coroutine
def turn() -> Generator[None, None, None]:
    """Nothing, once everybody else who is ready had a turn: ``asyncio.sleep(0)`` without its detours."""
    yield


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """The test, run to its end on a loop whose time is imaginary."""

    @functools.wraps(test)
    def in_its_own_loop(*arguments: P.args, **parameters: P.kwargs) -> None:
        run(test(*arguments, **parameters))

    return in_its_own_loop
