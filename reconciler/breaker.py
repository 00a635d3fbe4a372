"""
Whether an account may launch at all: closed, open for a while, or half-open with one machine out as a test.

Owns: the states of one account's breaker and the ways between them, as values. Does not own: whose launches are held
up by it, or the one keeper of breakers (``turnstile``). Kept in memory: after a restart every breaker is closed.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from reconciler.model import Hold

FAILURES_MAX = 3
"""In a row, of all groups. Lower: one group's bad luck stops the others. Higher: more vain calls to a dead cloud."""

OPEN_S_MIN = 10.0
"""The first opening. Lower: a cloud that restarts is tested too often. Higher: small hiccups cost more time."""

OPEN_S_MAX = 600.0
"""The longest opening. Higher: a repaired cloud stays unused longer. Lower: more than six vain calls an hour."""

JITTER = 0.2
"""Share of an opening left to chance, so that accounts that failed together are not tested together."""

PROBE_S_MAX = 180.0
"""A test without result is forgotten after this: longer than any launch call may take."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """
    One account's breaker: closed while *until* is None, then open until then, then half-open.

    *prober* is the group whose launch is out as a test. *said* is what the cloud said last.
    """

    failures: int = 0
    openings: int = 0
    until: datetime | None = None
    said: str = ""
    prober: str | None = None
    probing_until: datetime | None = None

    def hold(self, uid: str, now: datetime) -> Hold | None:
        """Why the group *uid* may not launch now; None when it may. A test does not hold up its own group."""
        if self.until is None:
            return None
        if now < self.until:
            return Hold(self.until, self.said)
        if self.probing_until is not None and now < self.probing_until and self.prober != uid:
            return Hold(self.probing_until, self.said)
        return None

    def half_open(self, now: datetime) -> bool:
        """True when one launch may go out as a test, and none is out."""
        due = self.until is not None and now >= self.until
        return due and (self.probing_until is None or now >= self.probing_until)

    def probed(self, uid: str, now: datetime) -> "Breaker":
        """The breaker while the launch of *uid* is out as a test."""
        return replace(self, prober=uid, probing_until=now + timedelta(seconds=PROBE_S_MAX))

    def failed(self, uid: str, said: str, now: datetime, random: Random, at_least_s: float = 0.0) -> "Breaker":
        """
        The breaker after a launch of *uid* failed.

        One that has opened takes notice of its test alone: other launches that end now had begun before.
        """
        if self.until is not None and self.prober != uid:
            return self
        failures = self.failures + 1
        if self.until is None and failures < FAILURES_MAX:
            return Breaker(failures, said=said)
        pause_s = min(OPEN_S_MAX, OPEN_S_MIN * 2.0 ** min(self.openings, 16)) * random.uniform(1 - JITTER, 1)
        until = now + timedelta(seconds=max(at_least_s, pause_s))
        return Breaker(failures, self.openings + 1, until, said)

    def succeeded(self, uid: str) -> "Breaker":
        """The breaker after a launch of *uid* succeeded: closed, and all is forgotten, as for :meth:`failed`."""
        return Breaker() if self.until is None or self.prober == uid else self

    def released(self, uid: str) -> "Breaker":
        """The breaker after the test of *uid*, if it was one, ended without telling anything of the account."""
        return replace(self, prober=None, probing_until=None) if self.prober == uid else self
