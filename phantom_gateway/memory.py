"""
How often Python looks for garbage that holds itself, and what a gateway does that gets no more memory.

Owns: both, for the process of a gateway that serves. Does not own: what nobody refers to, which goes at once.
"""

import asyncio
import gc
import logging
import os
from typing import Any

log = logging.getLogger(__name__)

YOUNG_MAX = 10_000
"""
New objects between two looks; Python's own figure is 700. Higher: garbage that holds itself, such as an error with its
frames, stays for longer. Lower: a pass and a request make hundreds of objects, none of them such garbage.
"""

SHORT_S_MAX = 5.0
"""
How long connections may fail for want of memory before the process ends. Longer: nobody is served, and no other gateway
takes over. Shorter: a flood that is over in a moment ends it.
"""

QUIET_S = 2.0
"""Without such a failure for so long, it is over."""

EXIT_CODE = 71
"""What sysexits.h calls an error of the operating system's."""


def settle() -> None:
    """
    Nothing; what there is now, at the end of a start, is never looked through again: it stays as long as the process.

    With 3,000 machines in memory, looks took 145 us of processor time for each change of a group, and now and then
    90 ms in one piece, in which nothing was answered.
    """
    gc.freeze()
    gc.set_threshold(YOUNG_MAX)


class Shortage:
    """
    Told by the event loop of what failed in it and nobody caught; see ``asyncio.loop.set_exception_handler``.

    Out of memory, connections fail before a request is read: garbage that holds itself is looked for at once. If that
    does not help, the process ends as if it had been killed, which loses nothing, and is started again with all the
    memory there is. One that lives on and answers nobody is worse: it keeps its leases.
    """

    def __init__(self) -> None:
        self._since_s = self._last_s = float("-inf")

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Nothing, or the end of the process."""
        if not isinstance(context.get("exception"), MemoryError):
            loop.default_exception_handler(context)
            return
        now_s = loop.time()
        if now_s - self._last_s > QUIET_S:
            self._since_s = now_s
            gc.collect()
            log.error("memory.short")
        self._last_s = now_s
        if now_s - self._since_s > SHORT_S_MAX:
            try:
                log.critical("memory.none_left", extra={"short_s": round(now_s - self._since_s, 1)})
            finally:
                os._exit(EXIT_CODE)
