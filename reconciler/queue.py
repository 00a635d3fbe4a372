"""
Which groups need a pass: their keys only, each at most once, none worked on by two at a time.

Owns: order, coalescing and delays. Does not own: what a pass does. A key carries no event: after a restart there
would be none, and the pass must not need one.
"""

import asyncio


class WorkQueue:
    """First come, first served. Its size is bounded by the number of different keys."""

    def __init__(self) -> None:
        self._ready: dict[str, None] = {}
        self._working: set[str] = set()
        self._again: set[str] = set()
        self._later: dict[str, asyncio.TimerHandle] = {}
        self._bell = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._shut = False

    def __len__(self) -> int:
        """Keys that wait for a worker now."""
        return len(self._ready) + len(self._again)

    def add(self, key: str) -> None:
        """Nothing; *key* is worked on as soon as possible, and again if it is being worked on now."""
        self._cancel_timer(key)
        if key in self._working:
            self._again.add(key)
        else:
            self._ready[key] = None
            self._bell.set()

    def add_later(self, key: str, delay_s: float) -> None:
        """Nothing; *key* is added after *delay_s*, unless something adds it sooner. The earliest timer counts."""
        if self._shut:
            return
        loop = asyncio.get_running_loop()
        timer = self._later.get(key)
        if timer is not None and timer.when() <= loop.time() + delay_s:
            return
        self._cancel_timer(key)
        self._later[key] = loop.call_later(delay_s, self.add, key)

    async def take(self) -> str:
        """The next key; its timer is cleared, because its pass finds out anew when to look again."""
        while self._shut or not self._ready:
            self._bell.clear()
            await self._bell.wait()
        key = next(iter(self._ready))
        del self._ready[key]
        self._cancel_timer(key)
        self._working.add(key)
        self._idle.clear()
        return key

    def done(self, key: str) -> None:
        """Nothing; the pass over *key* has ended."""
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)
        if not self._working:
            self._idle.set()

    def shut(self) -> None:
        """Nothing; no key is handed out any more, and no timer is left."""
        self._shut = True
        for key in list(self._later):
            self._cancel_timer(key)

    async def idle(self) -> None:
        """Nothing, as soon as no key is being worked on."""
        await self._idle.wait()

    def _cancel_timer(self, key: str) -> None:
        timer = self._later.pop(key, None)
        if timer is not None:
            timer.cancel()
