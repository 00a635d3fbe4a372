"""
The freezes in force, as they were read last: asked by plans, and once more just before a cloud is told to do something.

Owns: the newest freezes, and how long they are good for. Does not own: reading them; whoever runs the reconciler tells.
"""

from collections.abc import Callable

from reconciler.freezes import Freeze, Freezes

UNREAD = "nobody can say whether this is frozen: the records could not be read for {seconds:g} s"


class Brakes:
    """
    What holds up effects on clouds.

    *fresh_s*: how long a reading is good for by *monotonic*; a process that was stopped, or cut off from its records,
    for longer acts no more until it has read again. None: for ever, for those who tell every change themselves.
    """

    def __init__(self, fresh_s: float | None = None, monotonic: Callable[[], float] | None = None) -> None:
        self._freezes = Freezes()
        self._fresh_s = fresh_s
        self._monotonic = monotonic
        self._read_at_s: float | None = None

    @property
    def freezes(self) -> Freezes:
        """Those in force."""
        return self._freezes

    def tell(self, freezes: Freezes) -> bool:
        """True when *freezes*, read just now, are others than before, or when nobody had known for too long."""
        changed = freezes != self._freezes or self._is_stale
        self._freezes = freezes
        self._read_at_s = None if self._monotonic is None else self._monotonic()
        return changed

    def hold(self, group_uid: str, user_id: int | None, cloud: str) -> str | None:
        """Why nothing may be done on *cloud* for this group now; None when it may."""
        if self._is_stale:
            return UNREAD.format(seconds=self._fresh_s)
        freeze: Freeze | None = self._freezes.over(group_uid, user_id, cloud)
        return None if freeze is None else freeze.sentence

    @property
    def _is_stale(self) -> bool:
        if self._fresh_s is None or self._monotonic is None:
            return False
        return self._read_at_s is None or self._monotonic() - self._read_at_s > self._fresh_s
