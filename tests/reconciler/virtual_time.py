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
from contextvars import Context, copy_context
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

EPOCH = datetime(2013, 8, 19, 20, 0, tzinfo=UTC)


class _Call:
    """Something to be run: what of :class:`asyncio.Handle` is used without debugging."""

    __slots__ = ("args", "callback", "context", "is_cancelled")

    _source_traceback = None
    """The base classes ask for it."""

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None) -> None:
        self.callback = callback
        self.args = args
        self.context = copy_context() if context is None else context
        self.is_cancelled = False

    def cancel(self) -> None:
        """See the handle."""
        self.is_cancelled = True
        self.callback, self.args = bool, ()  # whatever they hold is let go

    def cancelled(self) -> bool:
        """See the handle."""
        return self.is_cancelled


class _Timer(_Call):
    """The same, at a time."""

    __slots__ = ("_when_s",)

    def __init__(
        self, when_s: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> None:
        super().__init__(callback, args, context)
        self._when_s = when_s

    def when(self) -> float:
        """See the handle."""
        return self._when_s


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
        self._timers: list[tuple[float, int, _Timer]] = []
        self._timers_made = 0

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
    ) -> _Call:
        """See the base class."""
        call = _Call(callback, args, context)
        self._ready.append(call)  # type: ignore[attr-defined]
        return call

    def call_later(  # type: ignore[override]  # as above
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> _Timer:
        """See the base class."""
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]  # as above
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> _Timer:
        """See the base class; timers of the same time keep the order in which they were set."""
        timer = _Timer(when, callback, args, context)
        self._timers_made += 1
        heapq.heappush(self._timers, (when, self._timers_made, timer))
        return timer

    def _run_once(self) -> None:
        """Everything that is ready, and what that makes ready, until the loop is stopped or time has to pass."""
        ready, timers = self._ready, self._timers  # type: ignore[attr-defined]
        while timers and timers[0][2].is_cancelled:
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
            call = ready.popleft()
            if call.is_cancelled:
                continue
            try:
                call.context.run(call.callback, *call.args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001 - whatever a callback raises, as in the base class
                self.call_exception_handler({"message": "a callback raised", "exception": error})


def run(main: Coroutine[Any, Any, T]) -> T:
    """The result of *main*, run to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


def calendar() -> Callable[[], datetime]:
    """What tells the calendar time of the running loop, from now on."""
    loop = events.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop), "this time is that of imaginary loops"
    return loop.calendar


def now() -> datetime:
    """The calendar time of the running loop."""
    return calendar()()


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
