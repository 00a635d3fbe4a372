"""
Instances of one account that were lately given up by our own conclusion, of all groups.

Owns: the count, in memory, for as long as it says something about the account: deaths that come one after the other are
as doubtful as those that come at once. Does not own: what follows from it (``deaths``).
"""

from collections.abc import Collection
from datetime import datetime, timedelta

WINDOW_S = 300.0
"""
How long a conclusion counts. Longer: gaps of flaky machines last longer. Shorter: a cloud that loses its mind slowly is
believed.
"""


class Casualties:
    """By machine id."""

    def __init__(self) -> None:
        self._given_up: dict[str, tuple[str, datetime]] = {}
        self._oldest: datetime | None = None

    def note(self, uid: str, machine_ids: Collection[str], at: datetime) -> None:
        """Nothing; the group *uid* gives up these machines, though nobody said that they are dead."""
        self._given_up.update(dict.fromkeys(machine_ids, (uid, at)))
        self._oldest = min(at, self._oldest or at)

    def of(self, uid: str, now: datetime) -> dict[str, datetime]:
        """Machine ids of the group's own, and when it gave them up."""
        if not self._recent(now):
            return {}
        return {machine_id: at for machine_id, (owner, at) in self._given_up.items() if owner == uid}

    def count(self, now: datetime, counted: Collection[str] = ()) -> int:
        """How many of all groups, without those *counted* elsewhere."""
        recent = self._recent(now)
        return sum(machine_id not in counted for machine_id in recent) if recent else 0

    def _recent(self, now: datetime) -> Collection[str]:
        since = now - timedelta(seconds=WINDOW_S)
        if self._oldest is not None and self._oldest <= since:  # every pass asks
            self._given_up = {key: known for key, known in self._given_up.items() if known[1] > since}
            self._oldest = min((at for _, at in self._given_up.values()), default=None)
        return self._given_up
