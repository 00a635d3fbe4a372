"""
Logins: how often one may guess a password, and where the slow hash is computed.

Owns: the count of failures per user and per address, and two threads, so that no login delays anything else. Does not
own: passwords or users.
"""

import asyncio
import ipaddress
from collections import OrderedDict
from datetime import datetime

from backends.threads import Threads
from phantom_gateway.passwords import CannotCheck, fits
from phantom_gateway.secret import Secret

THREADS = 2
"""Hashes at once. Each takes 64 MiB and 200 ms of a processor: more would starve the gateway's real work."""

WAITING_MAX = 32
"""Logins that wait for a thread: the last of them some three seconds. One more is refused."""

KEYS_MAX = 10_000
"""Users and addresses remembered, each kind. To push one out, an attacker needs a thousand addresses."""

PRECISION_S = 0.001
"""Waits below this are rounding errors: the sums are of seconds since 1970."""


class TooManyLogins(Exception):  # noqa: N818 - it names a condition, which the caller waits out
    """No login can be tried now; the next one in *retry_after_s* seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"no login for {retry_after_s} s")
        self.retry_after_s = retry_after_s


class Throttle:
    """
    Failures by key: *burst* at once, then one every *refill_s* seconds. Remembers at most *keys_max* keys.

    An attempt is paid for before it is known how it ends, so that many at once are no way around it.
    """

    def __init__(self, burst: int, refill_s: float, keys_max: int = KEYS_MAX) -> None:
        self._burst = burst
        self._refill_s = refill_s
        self._keys_max = keys_max
        self._free_at_s: OrderedDict[str, float] = OrderedDict()
        """Key -> when all of its burst is there again: a leaky bucket in one number."""

    def take(self, key: str, now_s: float) -> float:
        """0.0 when an attempt is free, which is then spent; else the seconds until the next one is."""
        full_at_s = max(self._free_at_s.get(key, now_s), now_s) + self._refill_s
        wait_s = full_at_s - now_s - self._burst * self._refill_s
        if wait_s > PRECISION_S:
            return wait_s
        self._free_at_s[key] = full_at_s
        self._free_at_s.move_to_end(key)
        if len(self._free_at_s) > self._keys_max:
            self._free_at_s.popitem(last=False)
        return 0.0

    def give_back(self, key: str) -> None:
        """Nothing; an attempt that was taken was none: it ended well, or was not made."""
        if key in self._free_at_s:
            self._free_at_s[key] -= self._refill_s


class Logins:
    """Checks passwords. Close it to end its threads."""

    def __init__(self) -> None:
        self._users = Throttle(burst=10, refill_s=30.0)  # 2,900 guesses a day, wherever they come from
        self._addresses = Throttle(burst=50, refill_s=6.0)  # a proxy's, or an office's, stands for many people
        self._threads = Threads(THREADS, "logins")
        self._threads.fill()
        self._waiting = 0

    async def check(self, name: str, password: Secret, password_hash: str | None, address: str, now: datetime) -> bool:
        """
        Whether *password* is that of the user *name*, whose hash is given (None: there is no such user, or no hash).

        Raises TooManyLogins, before any work, when this user or this address failed too often, or too many wait; and
        CannotCheck, which costs nobody an attempt.
        """
        taken: list[tuple[Throttle, str]] = []
        for throttle, key in ((self._addresses, _network(address)), (self._users, name)):
            wait_s = throttle.take(key, now.timestamp())
            if wait_s > 0:
                _undo(taken)
                raise TooManyLogins(int(wait_s) + 1)
            taken.append((throttle, key))
        if self._waiting >= WAITING_MAX:
            _undo(taken)
            raise TooManyLogins(1)
        self._waiting += 1
        try:
            is_right = await asyncio.get_running_loop().run_in_executor(self._threads, fits, password, password_hash)
        except CannotCheck:
            _undo(taken)
            raise
        finally:
            self._waiting -= 1
        if is_right:
            _undo(taken)
        return is_right

    def close(self) -> None:
        """Nothing; the threads end with what they are at."""
        self._threads.shutdown(wait=True, cancel_futures=True)


def _undo(taken: list[tuple[Throttle, str]]) -> None:
    for throttle, key in taken:
        throttle.give_back(key)


def _network(address: str) -> str:
    """What counts as one address: of IPv6 the /64, which is what one customer has at least."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address  # a Unix socket, or nothing: they all count as one
    return address if parsed.version == 4 else str(ipaddress.ip_network((parsed, 64), strict=False))  # noqa: PLR2004
