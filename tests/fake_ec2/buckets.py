"""
Token buckets as AWS describes them for EC2: by action for requests, and by machine for launches.

Owns: their arithmetic. Does not own: time, which is an argument, or the figures (:mod:`tests.fake_ec2.knobs`).
"""

from tests.fake_ec2.knobs import Knobs


class Bucket:
    """*capacity* tokens at most, *refill_per_s* more each second; full at first."""

    def __init__(self, capacity: float, refill_per_s: float, now: float) -> None:
        self.capacity = capacity
        self.refill_per_s = refill_per_s
        self._level = capacity
        self._at = now

    def level(self, now: float) -> float:
        """Tokens in it at *now*, in the seconds of any clock."""
        return min(self.capacity, self._level + max(0.0, now - self._at) * self.refill_per_s)

    def take(self, tokens: float, now: float) -> bool:
        """Whether *tokens* were there, and are gone now. A refused call takes nothing."""
        level = self.level(now)
        is_enough = level >= tokens
        self._level = level - tokens if is_enough else level
        self._at = now
        return is_enough


class Buckets:
    """The buckets of every account. A change of the figures in the knobs starts full buckets."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str, tuple[float, float]], Bucket] = {}

    def admits(self, account_id: str, action: str, knobs: Knobs, now: float) -> bool:
        """Whether *account_id* may call *action* at *now*; costs one token of that action."""
        figures = knobs.request_buckets.get(action, knobs.request_bucket)
        return not knobs.rate_limits or self._bucket(account_id, action, figures, now).take(1, now)

    def admits_launch(self, account_id: str, machines: int, knobs: Knobs, now: float) -> bool:
        """Whether *account_id* may launch so many *machines* at *now*; costs a token for each."""
        figures = knobs.launch_bucket
        return not knobs.rate_limits or self._bucket(account_id, "machines", figures, now).take(machines, now)

    def _bucket(self, account_id: str, what: str, figures: tuple[float, float], now: float) -> Bucket:
        key = (account_id, what, (figures[0], figures[1]))
        if key not in self._buckets:
            self._buckets[key] = Bucket(*figures, now)
        return self._buckets[key]
