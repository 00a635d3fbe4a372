"""
What clouds offer, for people and programs who ask often: asked at most every half minute, and never twice at once.

Owns: a short memory of answers. Does not own: what a cloud is asked (``backends``), nor the command ``check``, which
always asks.
"""

import asyncio
import weakref
from dataclasses import dataclass

from backends.cloud import Cloud, Probe

KEPT_S = 30.0
"""How old an answer may be. Each costs a cloud several calls, which it counts, and which launches wait behind."""


@dataclass(slots=True)
class _Asked:
    """A question to a cloud, and when it was asked."""

    at_s: float
    task: "asyncio.Task[Probe]"


class Probes:
    """Asks clouds. What is asked goes on when whoever asked has gone: the next one finds the answer."""

    def __init__(self) -> None:
        self._asked: weakref.WeakKeyDictionary[Cloud, _Asked] = weakref.WeakKeyDictionary()

    async def of(self, cloud: Cloud, wait_s: float) -> Probe | None:
        """What *cloud* offers; None when it did not say so within *wait_s* seconds."""
        now_s = asyncio.get_running_loop().time()
        asked = self._asked.get(cloud)
        if asked is None or (asked.task.done() and now_s - asked.at_s >= KEPT_S):
            asked = _Asked(now_s, asyncio.create_task(cloud.probe()))
            self._asked[cloud] = asked
        done, _ = await asyncio.wait([asked.task], timeout=wait_s)
        return asked.task.result() if done else None
