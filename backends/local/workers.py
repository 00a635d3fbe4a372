"""
The few threads of a local cloud, and the tasks that nobody awaits.

Owns: their number and their end. Does not own: what they do.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar, TypeVarTuple

from backends.errors import Unreachable
from backends.threads import Threads

THREADS = 2
"""Steps at once per cloud. 20 launches on 2 cores: 47 ms with 1, 31 ms with 2; with 4 the event loop waits 14 ms for
the interpreter instead of 3."""

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


async def ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Nothing, once all *tasks* are over, however they ended. Who gives up waiting does not stop them."""
    waited = set(tasks)
    if waited:
        await asyncio.wait(waited)


class Workers:
    """Where one cloud's blocking steps run."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._threads = Threads(THREADS, name)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, step: Callable[[*Ts], T], *args: *Ts) -> T:
        """What *step* returns. Raises Unreachable after ``close`` or without a thread, and whatever *step* raises."""
        try:
            future = asyncio.get_running_loop().run_in_executor(self._threads, step, *args)
        except RuntimeError as error:
            raise Unreachable(f"{self._name} has no thread: {error}") from error
        return await future

    def in_background(self, coroutine: Coroutine[None, None, None]) -> None:
        """Nothing; *coroutine* runs on its own until ``close`` waits for it."""
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Nothing; every task and every step has come to its end."""
        await ended(self._tasks)
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)
