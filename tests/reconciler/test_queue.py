"""Keys in order, each once, never two workers on one."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from reconciler.queue import WorkQueue
from tests.reconciler import virtual_time


async def waits(queue: WorkQueue) -> bool:
    """True when there is nothing to take now."""
    taking = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting = not taking.done()
    taking.cancel()
    return waiting


async def coalesced() -> None:
    queue = WorkQueue()
    for key in ("a", "b", "a", "a"):
        queue.add(key)
    assert len(queue) == 2
    assert [await queue.take(), await queue.take()] == ["a", "b"]
    assert await waits(queue)


async def worked_on_by_one() -> None:
    queue = WorkQueue()
    queue.add("a")
    assert await queue.take() == "a"
    queue.add("a")
    assert await waits(queue)
    queue.done("a")
    assert await queue.take() == "a"
    queue.done("a")
    assert await waits(queue)


async def delayed() -> None:
    queue = WorkQueue()
    loop = asyncio.get_running_loop()
    queue.add_later("a", 30)
    queue.add_later("a", 10)
    queue.add_later("a", 20)
    assert await queue.take() == "a"
    assert loop.time() == 10
    queue.done("a")
    await asyncio.sleep(60)
    assert await waits(queue)


async def overtaken() -> None:
    queue = WorkQueue()
    queue.add_later("a", 30)
    queue.add("a")
    assert await queue.take() == "a"
    queue.done("a")
    await asyncio.sleep(60)
    assert await waits(queue)


async def shut() -> None:
    queue = WorkQueue()
    queue.add("a")
    queue.add("b")
    await queue.take()
    queue.shut()
    queue.add_later("c", 1)
    await asyncio.sleep(5)
    assert await waits(queue)
    queue.done("a")
    await queue.idle()


@pytest.mark.parametrize(
    "story",
    [
        pytest.param(coalesced, id="a key waits once"),
        pytest.param(worked_on_by_one, id="a key added while worked on is worked on again, later"),
        pytest.param(delayed, id="of several timers the earliest counts, once"),
        pytest.param(overtaken, id="a key that comes sooner clears its timer"),
        pytest.param(shut, id="a shut queue hands nothing out and becomes idle"),
    ],
)
def test_a_queue_keeps_its_promises(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Each story is one promise."""
    virtual_time.run(story())
