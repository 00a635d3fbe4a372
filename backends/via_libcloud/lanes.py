"""
Calls of one account: blocking drivers in a few threads, each thread with a driver of its own.

Owns: the threads, the drivers, the deadline of each call, and turning whatever a driver raises into a CloudError. Does
not own: what is asked. Libcloud's drivers are not made for two threads; its documentation asks for one each.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from backends.errors import CloudError, Unreachable
from backends.threads import Threads
from backends.via_libcloud.errors import Verb, means
from backends.via_libcloud.settings import Limits
from backends.via_libcloud.wire import Traffic, begin, lay

T = TypeVar("T")

Connect = Callable[[], Any]
"""Makes a driver. May ask the provider."""


class Lanes:
    """The threads of the account *name*. Made without contact. *secrets* appear in no error."""

    def __init__(self, name: str, limits: Limits, connect: Connect, secrets: tuple[str, ...]) -> None:
        self._name = name
        self._limits = limits
        self._connect = connect
        self._secrets = secrets
        self._closed = False
        self._live: set[Traffic] = set()
        self._own = threading.local()
        self._gate = asyncio.Semaphore(limits.calls_at_once)
        self._threads = Threads(limits.calls_at_once, f"libcloud-{name}")

    async def run(self, verb: Verb, job: Callable[[Any], T], *, deadline_s: float) -> T:
        """
        What *job* makes of a driver, in a thread. Raises CloudError, as *verb* understands it.

        After the deadline, or when nobody waits any more, the job ends before its next request or piece of an answer.
        The deadline begins with the job, not while it waits for its turn.
        """
        async with self._gate:
            if self._closed:
                raise Unreachable(f"{self._name} is closed")
            loop = asyncio.get_running_loop()
            traffic = Traffic()
            try:
                future = loop.run_in_executor(self._threads, self._work, traffic, verb, job)
            except RuntimeError as error:
                raise Unreachable(f"{self._name} has no thread: {error}") from error
            self._live.add(traffic)
            timer = loop.call_later(deadline_s, traffic.cut.set)
            try:
                return await asyncio.shield(future)
            except asyncio.CancelledError:
                traffic.cut.set()
                raise
            finally:
                timer.cancel()
                self._live.discard(traffic)

    async def close(self) -> None:
        """Nothing; calls under way are cut off, threads have ended."""
        self._closed = True
        for traffic in list(self._live):
            traffic.cut.set()
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)

    # In a thread of the pool.

    def _work(self, traffic: Traffic, verb: Verb, job: Callable[[Any], T]) -> T:
        try:
            return job(self._driver(traffic))
        except CloudError:
            raise
        except Exception as error:
            raise means(error, traffic, verb, self._name, self._secrets) from error

    def _driver(self, traffic: Traffic) -> Any:
        """The driver of this thread. Making it may ask the provider, and fail; then the next call tries again."""
        begin(self._limits, traffic)
        if not hasattr(self._own, "driver"):
            lay()
            self._own.driver = self._connect()
        return self._own.driver
