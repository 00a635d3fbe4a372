"""
How many machines an account may launch per minute, and how many of ours it may hold.

Owns: the two counts, in memory: the rate is full after a restart, the machines are counted anew from what is seen.
Does not own: the ceilings, which belong to the account.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
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

    def again_at(self, per_minute: float, now: datetime, ahead: int = 0) -> datetime | None:
        """When one more machine than now may be launched, after one for each of those *ahead*; None when never."""
        if per_minute <= 0:
            return None
        level = self._level(per_minute, now)
        short = math.floor(level + LEVEL_SLACK) + 1 + ahead - level
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


class Line:
    """
    Groups that wait for the rate, first come, first served.

    Without it each of them would look again whenever one machine may be launched: after an outage a thousand groups
    would make a thousand passes for each launch.
    """

    def __init__(self) -> None:
        self._tickets: dict[str, int] = {}
        self._drawn = 0

    def __len__(self) -> int:
        """How many wait."""
        return len(self._tickets)

    def ahead_of(self, uid: str) -> int:
        """How many come before the group, or would if it joined; those who left the line in between may count."""
        if not self._tickets:
            return 0
        return self._tickets.get(uid, self._drawn) - next(iter(self._tickets.values()))

    def join(self, uid: str) -> None:
        """Nothing; the group keeps its place, or has the last one."""
        if uid not in self._tickets:
            self._tickets[uid] = self._drawn
            self._drawn += 1

    def leave(self, uid: str) -> None:
        """Nothing; the group had its turn, or has no use for one."""
        self._tickets.pop(uid, None)


class Census:
    """
    Machines of ours on one account, those included that a launch under way may bring.

    Per group the greater of two counts: what the latest picture shows alive, and what the ledger has. A machine is in
    the ledger before it is seen, and may be seen after it has left the ledger. The sum is kept, not counted: every pass
    asks for it, and an account may have thousands of groups.
    """

    __slots__ = ("_recorded", "_shown", "_total")

    def __init__(self) -> None:
        self._shown: Mapping[str, int] = {}
        self._recorded: dict[str, int] = {}
        self._total = 0

    def total(self) -> int:
        """All of them."""
        return self._total

    def show(self, shown: Mapping[str, int]) -> None:
        """Nothing; the latest picture has *shown* machines alive, by group. A picture never changes: it is replaced."""
        if shown is not self._shown:
            self._shown = shown
            self._total = sum(self._present(uid) for uid in shown.keys() | self._recorded.keys())

    def note(self, uid: str, count: int) -> None:
        """Nothing; the ledger has *count* instances of the group on this account."""
        if self._recorded.get(uid, 0) == count:
            return
        before = self._present(uid)
        if count:
            self._recorded[uid] = count
        else:
            self._recorded.pop(uid, None)
        self._total += self._present(uid) - before

    def expect(self, uid: str, count: int) -> None:
        """Nothing; *count* more than noted are about to be claimed. A negative one takes that back."""
        self.note(uid, max(0, self._present(uid) + count))

    def _present(self, uid: str) -> int:
        return max(self._shown.get(uid, 0), self._recorded.get(uid, 0))
