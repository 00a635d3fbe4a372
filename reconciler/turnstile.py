"""
What stands between the groups and one account: its breaker and its budgets, shared by all that launch there.

Owns: one turnstile per account and the events of its breaker. Several groups plan at the same time from what they saw
of it; what is taken is settled at the moment of claiming, so nothing is given out twice.
"""

import logging
from collections.abc import Collection, Mapping
from datetime import datetime
from random import Random

from reconciler.accounts import Account
from reconciler.breaker import Breaker
from reconciler.budget import Census, Line, RateBudget
from reconciler.lease import Lease, portion
from reconciler.model import Hold, Limit

log = logging.getLogger(__name__)

WINDOW_MAX = 32
"""
A cloud that was out of order is given as many launches at once as it has answered well, and then no more is counted.

Higher: a cloud that comes back is held to few launches for longer. Lower: it is flooded while it staggers.
"""


class Turnstile:
    """The way into one account. *waiting* are groups that have nothing better to do than to wait for its breaker."""

    def __init__(self, account: Account, random: Random, lease: Lease) -> None:
        self.account = account
        self._lease = lease
        self.census = Census()
        self.waiting: set[str] = set()
        self._random = random
        self._breaker = Breaker()
        self._rate = RateBudget()
        self._line = Line()
        self._probed: set[str] = set()
        self._out = 0
        self._window: int | None = None
        """Machines at once, after the breaker was open; None: no limit of this kind."""

    def hold(self, uid: str, now: datetime) -> Hold | None:
        """Why the breaker lets no launch of the group through now, or None."""
        return self._breaker.hold(uid, now)

    def limits(self, uid: str, now: datetime) -> tuple[Limit, ...]:
        """What the group may launch now, for each reason to launch no more."""
        name, account = self.account.cloud.name, self.account
        limits = []
        if self._breaker.half_open(now):
            limits.append(Limit(1, f"the breaker of {name} lets one machine through as a test: {self._breaker.said}"))
        if account.vms_max is not None:
            total = self.census.total()
            full = f"{name} holds {total} of the {account.vms_max} machines that this account may have there"
            limits.append(Limit(portion(max(0, account.vms_max - total), self._lease, now), full))
        if self._window is not None:
            again = f"{name} takes launches again, {self._window} at once and twice as many after each success"
            limits.append(Limit(max(0, self._window - self._out), again, waits=True))
        per_minute = self._per_minute
        left = self._rate.left(per_minute, now)
        if left is not None:
            rate = f"{account.launches_per_minute_max:g}"
            slow = f"no more than {rate} launches a minute are allowed on {name}: the rest waits for its turn"
            # Whoever gets something now and wants more goes to the end of the line.
            ahead = len(self._line) if left else self._line.ahead_of(uid)
            limits.append(Limit(left, slow, self._rate.again_at(per_minute, now, ahead), waits=True))
        return tuple(limits)

    def line_up(self, uid: str, *, waits: bool) -> None:
        """Nothing; the group waits for its turn at the rate, or for nothing of the kind."""
        if waits:
            self._line.join(uid)
        else:
            self._line.leave(uid)

    def take(self, uid: str, wanted: int, now: datetime) -> int:
        """How many of *wanted* machines the group may claim now; they are spent from here on."""
        if self.hold(uid, now) is not None or uid == self._breaker.prober:
            return 0
        granted = max(0, min([wanted, *(limit.launches for limit in self.limits(uid, now))]))
        if granted:
            self._probe_if_due(uid, now)
            self._rate.take(granted, self._per_minute, now)
            self._line.leave(uid)
            self.census.expect(uid, granted)
            self._out += granted
        return granted

    def give_back(self, uid: str, count: int, now: datetime) -> None:
        """Nothing; *count* machines that were taken are not launched after all, and nobody was asked for them."""
        self._rate.take(-count, self._per_minute, now)
        self.census.expect(uid, -count)
        self._out -= count

    def repeats(self, uid: str, now: datetime) -> bool:
        """
        True when the group may repeat a call whose machines were taken before.

        It may be the breaker's test, however many machines it is about: a token cannot be repeated for fewer.
        """
        if self.hold(uid, now) is not None or uid == self._breaker.prober:
            return False
        self._probe_if_due(uid, now)
        return True

    def failed(self, uid: str, said: str, now: datetime, *, first: bool, at_least_s: float = 0.0) -> None:
        """Nothing; a launch of the group failed. *first*: of this attempt; its other calls count no more than once."""
        if self._window is not None:
            self._window = 1
        if first or uid == self._breaker.prober:
            before = self._breaker
            self._breaker = before.failed(uid, said, now, self._random, at_least_s)
            if self._breaker.openings > before.openings and self._breaker.until is not None:
                self._tell("breaker.opened", uid, reason=said, until=self._breaker.until.isoformat())

    def landed(self, uid: str, count: int) -> None:
        """Nothing; the calls for *count* machines that were taken have ended, whatever they brought."""
        self._out -= count
        if self._window is not None:
            self._probed.add(uid)

    @property
    def state(self) -> str:
        """How the breaker is, for those who watch: ``closed``, ``open`` (or being tested), or ``warming`` up again."""
        if self._breaker.until is not None:
            return "open"
        return "closed" if self._window is None else "warming"

    def succeeded(self, uid: str, count: int = 1) -> None:
        """Nothing; a launch of the group brought *count* machines."""
        before, self._breaker = self._breaker, self._breaker.succeeded(uid)
        if self._window is not None:
            self._window += count
        if before.until is not None and self._breaker.until is None:
            self._window = 1 + count
            self._tell("breaker.closed", uid)
        if self._window is not None and self._window > WINDOW_MAX:
            self._window = None

    def ended(self, uid: str) -> set[str]:
        """
        Groups that should look again, after a pass of *uid*: its launch was the breaker's test, and that is over.

        A test that told nothing of the account (a refusal of what was asked for, a call cut off) leaves it half-open.
        """
        self._breaker = self._breaker.released(uid)
        if uid not in self._probed:
            return set()
        self._probed.discard(uid)
        woken, self.waiting = self.waiting - {uid}, set()
        return woken

    def forget(self, uid: str) -> None:
        """Nothing; the group does not exist any more."""
        self.census.note(uid, 0)
        self.waiting.discard(uid)
        self._line.leave(uid)

    @property
    def _per_minute(self) -> float:
        """The part of the account's rate that is this gateway's."""
        return self.account.launches_per_minute_max / self._lease.gateways

    def _probe_if_due(self, uid: str, now: datetime) -> None:
        if self._breaker.half_open(now):
            self._breaker = self._breaker.probed(uid, now)
            self._probed.add(uid)
            self._tell("breaker.probing", uid)

    def _tell(self, event: str, uid: str, **facts: str) -> None:
        log.warning(event, extra={"account": self.account.key, "group_uid": uid} | facts)


class Turnstiles:
    """Every account's turnstile."""

    def __init__(self, random: Random, lease: Lease) -> None:
        self._random = random
        self._lease = lease
        self._by_key: dict[str, Turnstile] = {}

    def of(self, account: Account) -> Turnstile:
        """The turnstile of *account*, with its newest ceilings."""
        turnstile = self._by_key.get(account.key)
        if turnstile is None:
            turnstile = self._by_key[account.key] = Turnstile(account, self._random, self._lease)
        turnstile.account = account
        return turnstile

    def note(self, uid: str, recorded: Mapping[str, int]) -> None:
        """Nothing; the ledger has that many instances of the group, by account key, and none elsewhere."""
        for key, turnstile in self._by_key.items():
            turnstile.census.note(uid, recorded.get(key, 0))

    def line_up(self, uid: str, waits_at: Collection[str]) -> None:
        """Nothing; the group waits for its turn at the rates of these accounts, by key, and of none it has left."""
        for key, turnstile in self._by_key.items():
            turnstile.line_up(uid, waits=key in waits_at)

    def ended(self, uid: str) -> set[str]:
        """Groups that should look again, after a pass of *uid*; see :meth:`Turnstile.ended`."""
        return {woken for turnstile in self._by_key.values() for woken in turnstile.ended(uid)}

    def forget(self, uid: str) -> None:
        """Nothing; the group does not exist any more."""
        for turnstile in self._by_key.values():
            turnstile.forget(uid)
