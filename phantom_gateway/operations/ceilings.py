"""
How much a user has of what the operator limits, without counting it for every request.

Owns: a short memory of counts, as upper bounds. Does not own: the ceilings, or what is said when one is reached.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

REMEMBERED = timedelta(seconds=1)
"""
How long a count serves. Longer: what went away meanwhile is noticed later. Shorter: a busy user's thousand groups are
added up more often, which takes longer than the rest of the request.
"""


class Holdings:
    """
    What users have at the most, by what is counted.

    Growth that was granted is added at once, and what goes away is noticed at the next count: so a bound may be too
    high, never too low, and one that would refuse is counted again first. Used in one transaction of a user at a time.
    *remembered* is zero where other gateways may grant, too: then each request counts.
    """

    def __init__(self, remembered: timedelta = REMEMBERED) -> None:
        self._remembered = remembered
        self._bounds: dict[tuple[str, int], tuple[int, datetime]] = {}

    def after(self, what: str, user_id: int, more: int, ceiling: int, now: datetime, count: Callable[[], int]) -> int:
        """
        How much of *what* the user has with *more* granted: exact where it is above *ceiling*, else perhaps too much.

        *count* tells what there is now, without *more*. What is above the ceiling is not granted.
        """
        there, counted_at = self._bounds.get((what, user_id), (ceiling + 1, now))
        if there + more > ceiling or not timedelta(0) <= now - counted_at < self._remembered:
            there, counted_at = count(), now
        granted = there + more <= ceiling
        self._bounds[what, user_id] = (there + more if granted else there, counted_at)
        return there + more
