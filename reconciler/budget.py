"""
How many machines an account may launch per minute, and how many of ours it may hold.

Owns: the two counts, in memory: the rate is full after a restart, the machines are counted anew from what is seen.
Does not own: the ceilings, which belong to the account.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

LEVEL_SLACK = 1e-6
"""A timer set for the moment when a token is there fires rounded to microseconds; so much short is a whole token."""


@dataclass(slots=True)
class RateBudget:
    """
    Tokens for launches: a minute's worth at once, refilled continuously.

    A rate below one a minute still lets one machine through at a time.
    """

    _spent: float = 0.0
    _at: datetime | None = None

    def left(self, per_minute: float, now: datetime) -> int | None:
        """Machines that may be launched now; None means no limit."""
        if math.isinf(per_minute):
            return None
        return math.floor(self._level(per_minute, now) + LEVEL_SLACK)

    def again_at(self, per_minute: float, now: datetime) -> datetime | None:
        """When one more machine than now may be launched; None when never."""
        if per_minute <= 0:
            return None
        level = self._level(per_minute, now)
        short = math.floor(level + LEVEL_SLACK) + 1 - level
        return now + timedelta(minutes=short / per_minute)

    def take(self, count: int, per_minute: float, now: datetime) -> None:
        """Nothing; *count* fewer are left. A negative one is given back."""
        if math.isinf(per_minute):
            return
        capacity = _capacity(per_minute)
        self._spent = max(0.0, capacity - self._level(per_minute, now) + count)
        self._at = now

    def _level(self, per_minute: float, now: datetime) -> float:
        elapsed_s = 0.0 if self._at is None else max(0.0, (now - self._at).total_seconds())
        spent = max(0.0, self._spent - elapsed_s * max(0.0, per_minute) / 60.0)
        return max(0.0, _capacity(per_minute) - spent)


def _capacity(per_minute: float) -> float:
    return max(1.0, per_minute) if per_minute > 0 else 0.0


@dataclass(slots=True)
class Census:
    """
    Machines of ours on one account, those included that a launch under way may bring.

    Per group the greater of two counts: what the latest picture shows alive, and what the ledger has. A machine is in
    the ledger before it is seen, and may be seen after it has left the ledger.
    """

    shown: Mapping[str, int] = field(default_factory=dict)
    recorded: dict[str, int] = field(default_factory=dict)

    def total(self) -> int:
        """All of them."""
        uids = self.shown.keys() | self.recorded.keys()
        return sum(max(self.shown.get(uid, 0), self.recorded.get(uid, 0)) for uid in uids)

    def note(self, uid: str, count: int) -> None:
        """Nothing; the ledger has *count* instances of the group on this account."""
        if count:
            self.recorded[uid] = count
        else:
            self.recorded.pop(uid, None)

    def expect(self, uid: str, count: int) -> None:
        """Nothing; *count* more than noted are about to be claimed. A negative one takes that back."""
        present = max(self.shown.get(uid, 0), self.recorded.get(uid, 0))
        self.note(uid, max(0, present + count))
