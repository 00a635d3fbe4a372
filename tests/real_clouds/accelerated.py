"""
An event loop whose time runs SPEED times faster than the world's, for code that has threads and sockets.

Owns: that loop, the calendar derived from it, and a thread to run it in. Does not own: socket timeouts, which stay in
real seconds: a second there is SPEED seconds here.
"""

import asyncio
import selectors
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Any, Self, TypeVar

from tests.reconciler.virtual_time import EPOCH

T = TypeVar("T")

SPEED = 50.0
"""Higher: the processor's own delays look like those of a slow cloud. Lower: a back-off of 10 s is felt."""

STOP_S_MAX = 30.0
"""Real seconds for the thread to end: busy machines need time."""


class _HastySelector(selectors.DefaultSelector):
    """Waits for a fraction of the time it is told to."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout if timeout is None else timeout / SPEED)


class AcceleratedLoop(asyncio.SelectorEventLoop):
    """Its timers fire early by the factor SPEED; its own clock sees nothing unusual in that."""

    def __init__(self) -> None:
        super().__init__(_HastySelector())
        self._began_s = self.time()

    def time(self) -> float:
        """Seconds of this loop, SPEED of them in each real one."""
        return super().time() * SPEED

    def now(self) -> datetime:
        """The calendar time."""
        return EPOCH + timedelta(seconds=self.time() - self._began_s)

    def timestamp(self) -> float:
        """The same in seconds since 1970."""
        return EPOCH.timestamp() + self.time() - self._began_s


class AcceleratedThread:
    """An accelerated loop that runs in a thread of its own. A context."""

    def __init__(self) -> None:
        self.loop = AcceleratedLoop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="accelerated", daemon=True)

    def submit(self, main: Coroutine[Any, Any, T]) -> "Future[T]":
        """What *main* will return."""
        return asyncio.run_coroutine_threadsafe(main, self.loop)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(STOP_S_MAX)
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
