"""
Questions in OpenTSDB's form, ``start=...&end=...&m=avg:load{host=...}``, answered from the minutes that are kept.

Owns: reading a question, choosing series, and adding them up. Pure functions, but for the one that reads records.
Rates, downsampling and what came later to OpenTSDB are refused by name.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from phantom_gateway.records import sensors
from phantom_gateway.records.sensors import GROUP_ITSELF, Minute, SeriesName
from phantom_gateway.records.session import Connection
from phantom_gateway.sensors.points import METRIC
from phantom_gateway.sensors.whereabouts import Target, Whereabouts

AGGREGATORS = ("avg", "count", "max", "min", "sum")

QUESTIONS_MAX = 20
"""``m`` parameters of one request; a dashboard has one per line of its graph."""

MINUTES_MAX = 12_000
"""Stored minutes read for one question: a week of one series, an hour of two hundred. Takes some 25 ms."""

HOSTS_MAX = 500
"""Alternatives (``host=a|b``) of one question."""

_RELATIVE = re.compile(r"(\d{1,6})(ms|s|m|h|d|w)-ago")
_UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_FORMS = ("%Y/%m/%d-%H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d-%H:%M", "%Y/%m/%d %H:%M", "%Y/%m/%d")
_QUESTION = re.compile(r"([a-z0-9]+):([^{}:]+)(?:\{([^{}]*)\})?")


class Unanswerable(ValueError):  # noqa: N818 - it states what is wrong with a question
    """A question that cannot be answered; the text says why."""


@dataclass(frozen=True, slots=True)
class Question:
    """One ``m``: how series are added up, of which metric, and which of them."""

    aggregator: str
    metric: str
    filters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of a graph: (seconds since 1970, value) of each minute, and the tags that tell it from others."""

    metric: str
    tags: Mapping[str, str]
    points: Sequence[tuple[int, float]]


def read_time(text: str, now: datetime) -> datetime:
    """The moment that OpenTSDB would take *text* for, in UTC. Raises Unanswerable."""
    if text in {"", "now"}:
        return now
    relative = _RELATIVE.fullmatch(text)
    if relative:
        return now - timedelta(seconds=int(relative[1]) * _UNITS_S[relative[2]])
    if text.isascii() and text.isdigit() and len(text) in {10, 13}:
        return datetime.fromtimestamp(int(text) / (1000 if len(text) > 10 else 1), UTC)  # noqa: PLR2004 - milliseconds
    for form in _FORMS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise Unanswerable(f"Invalid date: {text[:40]!r}; use YYYY/MM/DD-HH:MM:SS, seconds since 1970, or 1h-ago")


def read_question(text: str) -> Question:
    """The question of an ``m`` parameter: AGGREGATOR:METRIC{TAG=VALUE|VALUE,...}. Raises Unanswerable."""
    found = _QUESTION.fullmatch(text)
    if found is None:
        raise Unanswerable("Invalid m: use AGGREGATOR:METRIC{TAG=VALUE,...}; rates and downsampling are not built")
    filters = {}
    for part in (found[3] or "").split(","):
        name, equals, value = part.partition("=")
        if part and not (equals and name and value):
            raise Unanswerable(f"Invalid tag in m: {part[:40]!r}; a tag is NAME=VALUE")
        if part:
            filters[name] = value
    return question(found[1], found[2], filters)


def question(aggregator: str, metric: str, filters: Mapping[str, str]) -> Question:
    """The question. Raises Unanswerable."""
    if aggregator not in AGGREGATORS:
        raise Unanswerable(f"No such aggregation function: {aggregator[:40]!r}; there are {', '.join(AGGREGATORS)}")
    if METRIC.fullmatch(metric) is None:
        raise Unanswerable("Invalid metric: it has 1 to 255 letters, digits, '.', '_', '-' and '/'")
    if sum(value.count("|") + 1 for value in filters.values()) > HOSTS_MAX:
        raise Unanswerable(f"Too many values of tags; use at most {HOSTS_MAX}")
    return Question(aggregator, metric, filters)


def answer(
    connection: Connection,
    asked: Question,
    span: tuple[datetime, datetime],
    whereabouts: Whereabouts,
    user_ids: Collection[int],
) -> list[Answer]:
    """
    What is kept of the metric in this *span* of time, for what these users have.

    Raises Unanswerable when that is too much for one answer.
    """
    since, until = (sensors.minute_of(moment) for moment in span)
    rows: list[Minute] = []
    for user_id in sorted(user_ids):
        size = MINUTES_MAX + 1 - len(rows)
        rows += sensors.minutes_of_metric(connection, user_id, asked.metric, since, until, size)
        if len(rows) > MINUTES_MAX:
            raise Unanswerable(f"More than {MINUTES_MAX} minutes of data; ask for less time, or for fewer users")
    by_series: dict[SeriesName, list[Minute]] = {}
    for row in rows:
        by_series.setdefault(row.name, []).append(row)
    answers = []
    for tags, targets in _lines(asked.filters, whereabouts, user_ids, list(by_series)):
        names = {SeriesName(target.group_uid, target.instance_key, asked.metric) for target in targets}
        minutes = [minute for name in names for minute in by_series.get(name, ())]
        if minutes:
            answers.append(Answer(asked.metric, tags, _added_up(asked.aggregator, minutes)))
    return answers


def _lines(
    filters: Mapping[str, str], whereabouts: Whereabouts, user_ids: Collection[int], present: Sequence[SeriesName]
) -> list[tuple[dict[str, str], list[Target]]]:
    """The lines of the answer: (tags, what they are about)."""
    hosts, domains = filters.get("host"), filters.get("domain")
    within = None if domains is None else _groups(domains, whereabouts, user_ids)
    if hosts is None and within is not None:
        return [({"domain": name}, [target]) for name, target in within.items()]
    if hosts is None:
        everything = [Target(0, name.group_uid, name.instance_key) for name in present]
        return [({}, everything)]
    uids = None if within is None else {target.group_uid for target in within.values()}
    names = _all_hosts(whereabouts, present) if hosts == "*" else list(dict.fromkeys(hosts.split("|")))
    lines = []
    for name in names:
        found = [
            target
            for target in whereabouts.named({"host": name})
            if target.user_id in user_ids and (uids is None or target.group_uid in uids)
        ]
        lines.append(({"host": name}, found))
    return lines


def _groups(domains: str, whereabouts: Whereabouts, user_ids: Collection[int]) -> dict[str, Target]:
    """The groups that a ``domain`` filter names, by that name, or all of them."""
    if domains == "*":
        return {
            whereabouts.group_names[t.group_uid]: t
            for (user_id, _), t in whereabouts.domains.items()
            if user_id in user_ids
        }
    found = {}
    for name in domains.split("|"):
        for user_id in user_ids:
            target = whereabouts.domains.get((user_id, name))
            if target is not None:
                found[name] = target
    return found


def _all_hosts(whereabouts: Whereabouts, present: Sequence[SeriesName]) -> list[str]:
    keys = dict.fromkeys(name.instance_key for name in present if name.instance_key != GROUP_ITSELF)
    return [whereabouts.by_key[key].names[0] for key in keys if key in whereabouts.by_key]


def _added_up(aggregator: str, minutes: Sequence[Minute]) -> list[tuple[int, float]]:
    """One value for each minute: over series, by the aggregator; within a series, the average (or least, or most)."""
    values: dict[int, list[float]] = {}
    for each in minutes:
        own = {"min": each.least, "max": each.most}.get(aggregator, each.total / each.count)
        values.setdefault(each.minute, []).append(own)
    add = _ADDED[aggregator]
    return [(minute * 60, add(found)) for minute, found in sorted(values.items())]


_ADDED: Mapping[str, Callable[[Sequence[float]], float]] = {
    "avg": lambda found: sum(found) / len(found),
    "count": lambda found: float(len(found)),
    "max": max,
    "min": min,
    "sum": sum,
}
"""How the values of several series in one minute become one."""
