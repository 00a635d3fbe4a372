"""
How long an account is spared launches of a group after it failed to launch one.

Owns: the count of failures and the growth of the pause, in memory: after a restart one attempt is made at once.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from reconciler.model import Hold

HOLD_S_MIN = 10.0
"""Pause after the first failure. Lower: a full cloud is asked too often. Higher: small hiccups cost more time."""

HOLD_S_MAX = 600.0
"""Longest pause. Higher: a repaired cloud stays unused longer. Lower: more than six vain calls an hour."""

JITTER = 0.2
"""Share of a pause left to chance, so that groups that failed together do not come back together."""


@dataclass(slots=True)
class _Record:
    failures: int
    hold: Hold
    intent: Hashable | None


class Backoff:
    """Holds by group and account. Grows with the groups that fail, shrinks when they are forgotten or succeed."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._records: dict[tuple[str, str], _Record] = {}

    def failed(
        self,
        uid: str,
        account_key: str,
        reason: str,
        now: datetime,
        *,
        intent: Hashable | None = None,
        at_least_s: float = 0.0,
    ) -> Hold:
        """
        The pause from *now* on: 10 s doubling to 10 min, and no less than *at_least_s*.

        With an *intent* it ends as soon as the group's intent is another: the user has changed what was refused.
        Failures during a pause do not lengthen it: they are the other calls of the same attempt.
        """
        record = self._records.get((uid, account_key))
        failures = 0 if record is None else record.failures
        if record is not None and now - record.hold.until > timedelta(seconds=HOLD_S_MAX):
            failures = 0
        asked = timedelta(seconds=at_least_s)
        if record is not None and now < record.hold.until:
            hold = Hold(max(record.hold.until, now + asked), reason)
        else:
            failures += 1
            pause = timedelta(seconds=min(HOLD_S_MAX, HOLD_S_MIN * 2 ** min(failures - 1, 16)))
            hold = Hold(now + max(asked, pause * self._random.uniform(1 - JITTER, 1)), reason)
        self._records[uid, account_key] = _Record(failures, hold, intent)
        return hold

    def succeeded(self, uid: str, account_key: str, now: datetime) -> None:
        """Nothing; failures are forgotten, unless another call of the same attempt failed just now."""
        record = self._records.get((uid, account_key))
        if record is not None and now >= record.hold.until:
            del self._records[uid, account_key]

    def hold(self, uid: str, account_key: str, now: datetime, intent: Hashable | None = None) -> Hold | None:
        """The pause that is in force, or None."""
        record = self._records.get((uid, account_key))
        if record is None or now >= record.hold.until:
            return None
        if record.intent is not None and record.intent != intent:
            del self._records[uid, account_key]
            return None
        return record.hold

    def forget(self, uid: str) -> None:
        """Nothing; the group does not exist any more."""
        for key in [key for key in self._records if key[0] == uid]:
            del self._records[key]
