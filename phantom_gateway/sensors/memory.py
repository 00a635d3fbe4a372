"""
What came in lately, in memory: minutes that are not written yet, and the window of each metric that moves a group.

Owns: the sums. Bounded: by series in all and per user, and by buckets per window. Does not own: whose a sample is,
time, or writing.
"""

import itertools
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from phantom_gateway.records.columns import EPOCH
from phantom_gateway.records.sensors import SERIES_MAX, Rollup, SeriesName
from phantom_gateway.sensors.whereabouts import Target
from reconciler.model import Reading, SensorPolicy, Statistic

WINDOW_BUCKETS = 60
"""A window is kept in parts of a sixtieth of it, of at least a second: precise enough, and 60 numbers at the most."""

MINUTES_UNWRITTEN_MAX = 64
"""Minutes of one series between two writings, seconds apart: an hour that a sender had kept back, and some."""

UNWRITTEN_MAX = 200_000
"""Minutes of all series between two writings, at some 300 bytes. More come only when somebody makes up times."""

IDLE_S = 3_600.0
"""A series without data for this long is forgotten here; the database has its last value."""


@dataclass(slots=True)
class _Bucket:
    """The samples of a part of a window, which begins at *start*."""

    start: int
    count: int
    total: float
    least: float
    most: float


@dataclass(slots=True)
class _Window:
    """The samples of the last *period_s* seconds, in buckets of *width_s*, oldest first."""

    period_s: float
    width_s: int
    buckets: deque[_Bucket] = field(default_factory=deque)

    def add(self, at_s: float, value: float) -> None:
        """Nothing; the sample is in. One older than the newest bucket is counted there."""
        start = int(at_s) // self.width_s * self.width_s
        newest = self.buckets[-1] if self.buckets else None
        if newest is None or start > newest.start:
            self.buckets.append(_Bucket(start, 1, value, value, value))
            if len(self.buckets) > WINDOW_BUCKETS + 1:
                self.buckets.popleft()
            return
        newest.count += 1
        newest.total += value
        newest.least = min(newest.least, value)
        newest.most = max(newest.most, value)

    def value(self, statistic: Statistic, now_s: float) -> float | None:
        """What the samples of the window come to; None when it has none."""
        found = [bucket for bucket in self.buckets if bucket.start + self.width_s > now_s - self.period_s]
        if not found:
            return None
        return total_of(found, statistic)


@dataclass(slots=True)
class _Series:
    """One metric of one target: its latest sample, its window when it is watched, and its unwritten minutes."""

    target: Target
    name: SeriesName
    value: float
    at_s: float
    window: _Window | None
    rollups: dict[int, Rollup] = field(default_factory=dict)


class Memory:
    """Samples of all users. *series_per_user_max* is the operator's."""

    def __init__(self, series_per_user_max: int) -> None:
        self._series_per_user_max = series_per_user_max
        self._series: dict[tuple[Target, str], _Series] = {}
        self._of_user: Counter[int] = Counter()
        self._watched: dict[str, SensorPolicy] = {}
        self._unwritten: dict[tuple[Target, str], _Series] = {}
        self._unwritten_minutes = 0

    def __len__(self) -> int:
        """Series that had data in the last hour."""
        return len(self._series)

    def add(self, target: Target, metric: str, at_s: float, value: float) -> bool:
        """True when the sample is in; False when there is no room for another series or minute."""
        series = self._series.get((target, metric))
        if series is None:
            if self._of_user[target.user_id] >= self._series_per_user_max or len(self._series) >= SERIES_MAX:
                return False
            series = self._begun(target, metric, at_s, value)
        elif at_s >= series.at_s:
            series.at_s, series.value = at_s, value
        if series.window is not None:
            series.window.add(at_s, value)
        return self._roll_up(series, at_s, value)

    def is_watched(self, target: Target, metric: str) -> bool:
        """True when *metric* of this target may move its group."""
        policy = self._watched.get(target.group_uid)
        return policy is not None and policy.metric == metric and policy.of_group == (target.instance_key == 0)

    def watch(self, group_uid: str, policy: SensorPolicy | None) -> None:
        """Nothing; the group's windows are kept for this policy from now on; None: it is moved by nothing here."""
        if self._watched.get(group_uid) == policy:
            return
        if policy is None:
            del self._watched[group_uid]
        else:
            self._watched[group_uid] = policy
        for series in self._series.values():
            if series.target.group_uid == group_uid:
                series.window = self._window_for(series.target, series.name.metric)

    def reading(self, target: Target, policy: SensorPolicy, now: datetime) -> Reading | None:
        """What the target's sensor says by the policy: of its window, else the latest; None when nothing is known."""
        series = self._series.get((target, policy.metric))
        if series is None:
            return None
        value = series.window.value(policy.statistic, _seconds(now)) if series.window is not None else None
        return latest_reading(policy, series.value if value is None else value, series.at_s, is_sum=value is not None)

    @property
    def unwritten(self) -> int:
        """Series that have minutes to be written."""
        return len(self._unwritten)

    def drain(self, most: int) -> list[Rollup]:
        """The rollups of up to *most* series, those that wait longest first; each rollup is given once."""
        found: list[Rollup] = []
        for key in list(itertools.islice(self._unwritten, most)):
            series = self._unwritten.pop(key)
            found += series.rollups.values()
            series.rollups = {}
        self._unwritten_minutes -= len(found)
        return found

    def forget_idle(self, now: datetime) -> None:
        """Nothing; series without data for an hour, and what nobody watches any more, are gone from memory."""
        oldest_s = _seconds(now) - IDLE_S
        for key in [key for key, series in self._series.items() if series.at_s < oldest_s and not series.rollups]:
            del self._series[key]
            self._of_user[key[0].user_id] -= 1

    def forget_group(self, group_uid: str) -> None:
        """Nothing; the group is not watched any more."""
        self._watched.pop(group_uid, None)

    def watched(self) -> list[str]:
        """The uids of groups that are watched."""
        return list(self._watched)

    def _begun(self, target: Target, metric: str, at_s: float, value: float) -> _Series:
        name = SeriesName(target.group_uid, target.instance_key, metric)
        series = _Series(target, name, value, at_s, self._window_for(target, metric))
        self._series[target, metric] = series
        self._of_user[target.user_id] += 1
        return series

    def _window_for(self, target: Target, metric: str) -> _Window | None:
        if not self.is_watched(target, metric):
            return None
        period_s = self._watched[target.group_uid].sample_period_s
        return _Window(period_s, max(1, int(period_s) // WINDOW_BUCKETS))

    def _roll_up(self, series: _Series, at_s: float, value: float) -> bool:
        minute = int(at_s) // 60
        rollup = series.rollups.get(minute)
        at = EPOCH + timedelta(seconds=at_s)
        if rollup is None:
            if len(series.rollups) >= MINUTES_UNWRITTEN_MAX or self._unwritten_minutes >= UNWRITTEN_MAX:
                return False
            name, user_id = series.name, series.target.user_id
            series.rollups[minute] = Rollup(user_id, name, minute, 1, value, value, value, value, at)
            self._unwritten[series.target, name.metric] = series
            self._unwritten_minutes += 1
            return True
        rollup.count += 1
        rollup.total += value
        rollup.least = min(rollup.least, value)
        rollup.most = max(rollup.most, value)
        if at >= rollup.last_at:
            rollup.last, rollup.last_at = value, at
        return True


class Sums(Protocol):
    """What some samples come to."""

    @property
    def count(self) -> int:
        """How many there are."""
        ...

    @property
    def total(self) -> float:
        """Their sum."""
        ...

    @property
    def least(self) -> float:
        """The least of them."""
        ...

    @property
    def most(self) -> float:
        """The most."""
        ...


def total_of(found: Sequence[Sums], statistic: Statistic) -> float:
    """What the samples of all of *found*, which is not empty, come to."""
    count = sum(each.count for each in found)
    match statistic:
        case Statistic.AVERAGE:
            return sum(each.total for each in found) / count
        case Statistic.SUM:
            return sum(each.total for each in found)
        case Statistic.SAMPLE_COUNT:
            return float(count)
        case Statistic.MINIMUM:
            return min(each.least for each in found)
        case Statistic.MAXIMUM:
            return max(each.most for each in found)


def latest_reading(policy: SensorPolicy, value: float, at_s: float, *, is_sum: bool = False) -> Reading:
    """
    A reading of one value taken at *at_s*; *is_sum*: the statistic was applied already.

    Of a single sample every statistic is the sample itself, but for the count of samples, which is one.
    """
    counted = 1.0 if policy.statistic is Statistic.SAMPLE_COUNT and not is_sum else value
    return Reading(counted, EPOCH + timedelta(seconds=at_s))


def _seconds(moment: datetime) -> float:
    return (moment - EPOCH).total_seconds()
