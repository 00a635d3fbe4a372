"""
The watch over processes: says at once when one dies, whoever started it.

Owns: pidfds and their place in the event loop; a poll where there are none. Does not own: what a death means, and
reaping.
"""

import asyncio
import os
from collections.abc import Callable

from backends.local.processes import Identity, living

POLL_S = 1.0
"""Between looks where the kernel has no pidfd (before Linux 5.3). Higher: deaths are seen later."""

PidfdOpen = Callable[[int], int]

PIDFD_OPEN: PidfdOpen | None = getattr(os, "pidfd_open", None)
"""None where Python was built without it."""


class DeathWatch:
    """Calls *on_death* with the key of each process that died, on the event loop, and then watches it no longer."""

    def __init__(
        self,
        on_death: Callable[[str], None],
        pidfd_open: PidfdOpen | None = PIDFD_OPEN,
    ) -> None:
        self._on_death = on_death
        self._pidfd_open = pidfd_open
        self._descriptors: dict[str, int] = {}
        self._polled: dict[str, Identity] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, key: str, identity: Identity) -> None:
        """Nothing; *identity* is watched. One that is dead already is announced too."""
        self.discard(key)
        descriptor = self._opened(identity.pid)
        # Looked at after the pidfd is open: from here on the pid cannot change hands unseen.
        if living(identity) is None:
            if descriptor is not None:
                os.close(descriptor)
            asyncio.get_running_loop().call_soon(self._on_death, key)
        elif descriptor is None:
            self._polled[key] = identity
            self._poll_later()
        else:
            self._descriptors[key] = descriptor
            asyncio.get_running_loop().add_reader(descriptor, self._died, key)

    def discard(self, key: str) -> None:
        """Nothing; the process of *key* is not watched."""
        self._polled.pop(key, None)
        descriptor = self._descriptors.pop(key, None)
        if descriptor is not None:
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)

    def close(self) -> None:
        """Nothing; no process is watched."""
        for key in [*self._descriptors, *self._polled]:
            self.discard(key)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _opened(self, pid: int) -> int | None:
        """A pidfd of *pid*; None when this kernel has none, or we may not have one more."""
        if self._pidfd_open is None:
            return None
        try:
            return self._pidfd_open(pid)
        except OSError:
            return None

    def _died(self, key: str) -> None:
        self.discard(key)
        self._on_death(key)

    def _poll_later(self) -> None:
        if self._timer is None and self._polled:
            self._timer = asyncio.get_running_loop().call_later(POLL_S, self._poll)

    def _poll(self) -> None:
        self._timer = None
        for key in [key for key, identity in self._polled.items() if living(identity) is None]:
            self._died(key)
        self._poll_later()
