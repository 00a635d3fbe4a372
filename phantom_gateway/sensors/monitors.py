"""
Other monitoring systems, asked for what a policy needs: a server that speaks OpenTSDB's ``/q``, and Prometheus.

Owns: the questions, and reading the answers, each within limits of time and size. Does not own: when they are asked
(``polling``), or what follows from it.
"""

import asyncio
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import aiohttp

from phantom_gateway.records.columns import EPOCH
from phantom_gateway.sensors.points import METRIC
from reconciler.model import Reading, SensorPolicy, Statistic

ANSWER_BYTES_MAX = 1024 * 1024
"""A hundred instances with a sample every 10 s in 15 minutes are 900 KB of OpenTSDB's lines."""

HOSTS_AT_ONCE = 50
"""Hosts in one question: its URL stays below 8 KB, which every server takes."""


class Trouble(Exception):  # noqa: N818 - it says why there is no data
    """A monitoring system gave no data; the text, the same for the same trouble, is shown to people."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked about: the instances of a group, by the names their hosts may have, or the group itself."""

    policy: SensorPolicy
    hosts: Mapping[str, int]
    """Names to instance keys."""
    domains: tuple[str, ...]
    """The group's uid and name."""
    users: tuple[str, ...]
    """Its user's access keys and name."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a monitoring system knows: by instance key, and of the group itself."""

    of_instances: Mapping[int, Reading]
    of_group: Reading | None = None


class Monitor(Protocol):
    """One monitoring system."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    async def ask(self, session: aiohttp.ClientSession, subject: Subject, now: datetime) -> Found:
        """What it knows of the subject's metric. Raises Trouble."""
        ...


@dataclass(frozen=True, slots=True)
class OpenTsdb:
    """A server that answers ``/q?...&ascii=true``, asked as the original asked."""

    url: str
    timeout_s: float
    name: str = "OpenTSDB"

    async def ask(self, session: aiohttp.ClientSession, subject: Subject, now: datetime) -> Found:
        """See the protocol."""
        policy = subject.policy
        if METRIC.fullmatch(policy.metric) is None:
            raise Trouble(f"{policy.metric[:40]!r} cannot be a metric of OpenTSDB")
        if policy.of_group:
            filters = f"domain={'|'.join(subject.domains)},user={'|'.join(subject.users)}"
            points = [(at_s, value) for at_s, value, _ in await self._lines(session, policy, filters, now)]
            return Found({}, _of_points(policy, points, now))
        by_key: dict[int, list[tuple[float, float]]] = {}
        for hosts in _parts(subject.hosts):
            for at_s, value, tags in await self._lines(session, policy, f"host={'|'.join(hosts)}", now):
                key = subject.hosts.get(tags.get("host", "").lower())
                if key is not None:
                    by_key.setdefault(key, []).append((at_s, value))
        readings = {key: _of_points(policy, points, now) for key, points in by_key.items()}
        return Found({key: reading for key, reading in readings.items() if reading is not None})

    async def _lines(
        self, session: aiohttp.ClientSession, policy: SensorPolicy, filters: str, now: datetime
    ) -> list[tuple[float, float, dict[str, str]]]:
        """(seconds since 1970, value, tags) of every line that can be read; others are no data."""
        form = "%Y/%m/%d-%H:%M:%S"
        query = {
            "start": (now - timedelta(seconds=max(policy.stale_s, policy.sample_period_s))).strftime(form),
            "end": now.strftime(form),
            "tz": "UTC",
            "m": f"{_OPENTSDB_AGGREGATORS[policy.statistic]}:{policy.metric}{{{filters}}}",
            "ascii": "true",
        }
        text = await _fetch(session, f"{self.url.rstrip('/')}/q", query, self.timeout_s, self.name)
        found = []
        for line in text.splitlines():
            words = line.split()
            try:
                at_s, value = float(words[1]), float(words[2])
            except (IndexError, ValueError):
                continue
            if math.isfinite(value) and math.isfinite(at_s):
                tags = dict(word.partition("=")[::2] for word in words[3:])
                found.append((at_s / 1000 if at_s > 1e10 else at_s, value, tags))  # noqa: PLR2004 - milliseconds
        return found


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A Prometheus, asked by its HTTP API for the value of the moment."""

    url: str
    timeout_s: float
    name: str = "Prometheus"

    async def ask(self, session: aiohttp.ClientSession, subject: Subject, now: datetime) -> Found:
        """See the protocol."""
        policy = subject.policy
        if policy.of_group:
            rows = await self._vector(
                session, policy, [f"domain=~{_quoted('|'.join(map(re.escape, subject.domains)))}"], now
            )
            mine = [reading for labels, reading in rows if labels.get("user", subject.users[0]) in subject.users]
            return Found({}, _average(mine))
        by_key: dict[int, list[Reading]] = {}
        for hosts in _parts(subject.hosts):
            either = "|".join(map(re.escape, hosts))
            # Who exports for others says so in the label host; the address is then only that of the exporter.
            matchers = [f"host=~{_quoted(either)}", f'host="",instance=~{_quoted(f"({either})(:[0-9]+)?")}']
            for labels, reading in await self._vector(session, policy, matchers, now):
                name = labels.get("host") or re.sub(r":[0-9]+$", "", labels.get("instance", ""))
                key = subject.hosts.get(name.lower())
                if key is not None:
                    by_key.setdefault(key, []).append(reading)
        readings = {key: _average(found) for key, found in by_key.items()}
        return Found({key: reading for key, reading in readings.items() if reading is not None})

    async def _vector(
        self, session: aiohttp.ClientSession, policy: SensorPolicy, matchers: Sequence[str], now: datetime
    ) -> list[tuple[dict[str, str], Reading]]:
        """The labels and the value of every series of the metric that any of *matchers* matches."""
        over = _PROMETHEUS_FUNCTIONS[policy.statistic]
        period = f"[{max(1, round(policy.sample_period_s))}s]"
        query = " or ".join(f"{over}({{__name__={_quoted(policy.metric)},{matcher}}}{period})" for matcher in matchers)
        parameters = {"query": query, "time": f"{(now - EPOCH).total_seconds():.3f}"}
        url = f"{self.url.rstrip('/')}/api/v1/query"
        text = await _fetch(session, url, parameters, self.timeout_s, self.name)
        try:
            given = json.loads(text)
            rows = given["data"]["result"] if given["data"]["resultType"] == "vector" else None
            assert isinstance(rows, list)
            found = [_row(row) for row in rows]
        except (ValueError, KeyError, TypeError, AssertionError, RecursionError) as error:
            raise Trouble(f"{self.name} gives an answer that cannot be read") from error
        return [(labels, reading) for labels, reading in found if math.isfinite(reading.value)]


def _row(row: Any) -> tuple[dict[str, str], Reading]:
    at_s, value = row["value"]
    labels = {str(name): str(text) for name, text in row["metric"].items()}
    return labels, Reading(float(value), EPOCH + timedelta(seconds=float(at_s)))


_OPENTSDB_AGGREGATORS = {
    Statistic.AVERAGE: "avg",
    Statistic.SUM: "sum",
    Statistic.SAMPLE_COUNT: "avg",
    Statistic.MINIMUM: "min",
    Statistic.MAXIMUM: "max",
}
"""Over series that differ in other tags, as the original asked; over time, we add up ourselves."""

_PROMETHEUS_FUNCTIONS = {
    Statistic.AVERAGE: "avg_over_time",
    Statistic.SUM: "sum_over_time",
    Statistic.SAMPLE_COUNT: "count_over_time",
    Statistic.MINIMUM: "min_over_time",
    Statistic.MAXIMUM: "max_over_time",
}


async def _fetch(
    session: aiohttp.ClientSession, url: str, query: Mapping[str, str], timeout_s: float, name: str
) -> str:
    """The text of the answer. Raises Trouble."""
    try:
        async with (
            asyncio.timeout(timeout_s),
            session.get(url, params=query, allow_redirects=False) as response,
        ):
            body = b""
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > ANSWER_BYTES_MAX:
                    raise Trouble(f"{name} answers with more than {ANSWER_BYTES_MAX} bytes")
            status = response.status
    except TimeoutError as error:
        raise Trouble(f"{name} does not answer within {timeout_s:g} s") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Trouble(f"{name} cannot be reached ({type(error).__name__})") from error
    if status != 200:  # noqa: PLR2004 - HTTP's OK
        raise Trouble(f"{name} answers with status {status}")
    return body.decode("utf-8", "replace")


def _of_points(policy: SensorPolicy, points: Sequence[tuple[float, float]], now: datetime) -> Reading | None:
    """The reading of (seconds, value) points: of those in the sample period, else the latest; None without any."""
    now_s = (now - EPOCH).total_seconds()
    points = [point for point in points if now_s - policy.stale_s <= point[0] <= now_s]
    if not points:
        return None
    at_s, latest = max(points)
    values = [value for moment, value in points if moment > now_s - policy.sample_period_s] or [latest]
    return Reading(_statistic(policy.statistic, values), EPOCH + timedelta(seconds=at_s))


def _statistic(statistic: Statistic, values: Sequence[float]) -> float:
    match statistic:
        case Statistic.AVERAGE:
            return sum(values) / len(values)
        case Statistic.SUM:
            return sum(values)
        case Statistic.SAMPLE_COUNT:
            return float(len(values))
        case Statistic.MINIMUM:
            return min(values)
        case Statistic.MAXIMUM:
            return max(values)


def _average(readings: Sequence[Reading]) -> Reading | None:
    if not readings:
        return None
    value = sum(reading.value for reading in readings) / len(readings)
    return Reading(value, max(reading.at for reading in readings))


def _parts(hosts: Iterable[str]) -> list[list[str]]:
    """The hosts in parts of a size that fits a URL. Names that would change the question are left out."""
    names = [name for name in hosts if re.fullmatch(r"[A-Za-z0-9._:-]+", name)]
    return [names[place : place + HOSTS_AT_ONCE] for place in range(0, len(names), HOSTS_AT_ONCE)]


def _quoted(text: str) -> str:
    """*text* as PromQL writes it: Go's quoting, of which JSON's in ASCII is a part."""
    return json.dumps(text)
