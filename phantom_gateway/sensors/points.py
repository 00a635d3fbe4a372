"""
Samples as they come: OpenTSDB's ``put`` lines and JSON objects, read strictly and cheaply.

Owns: the form of a point, and what is wrong with one. Pure functions. Does not own: whose a point is.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

METRIC = re.compile(r"[A-Za-z0-9._/-]{1,255}")
"""OpenTSDB's characters, in ASCII."""

TAGS_MAX = 16
"""OpenTSDB's own default is 8; with user, password and domain on top, real senders stay below 12."""

TAG_LENGTH_MAX = 255
"""Names and values of tags: an access key has 128, a host name 253."""

MILLISECONDS_FROM = 10_000_000_000
"""A larger time is one in milliseconds, as in OpenTSDB: in seconds it would be in the year 2286."""

AT_MAX = 1e15
"""In milliseconds, the year 33658: what is beyond is no time at all, and no float that arithmetic is safe with."""

CREDENTIALS = frozenset({"user", "password", "token"})
"""Tags that say who sends; they are taken off before anything is kept or shown."""


class Malformed(ValueError):  # noqa: N818 - it states what is wrong with a point
    """
    A point cannot be read; the text says why, and shows nothing that may be a password.

    *reason* is what it is counted by.
    """

    def __init__(self, text: str, reason: str = "malformed") -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Point:
    """One sample. *tags* of a line are their text, the same for most lines of a sender; :func:`read_tags` reads it."""

    metric: str
    at_s: float
    """Seconds since 1970, as the sender's clock has them."""
    value: float
    tags: bytes | Mapping[str, str]


def read_line(line: bytes) -> Point:
    """The point of ``put METRIC TIME VALUE TAG=VALUE ...``. Raises Malformed."""
    words = line.split(None, 4)
    if len(words) < 4:  # noqa: PLR2004 - the words that every point has
        raise Malformed(f"illegal argument: not enough arguments (need least 4, got {len(words)})")
    metric = words[1].decode("ascii", "replace")
    return Point(_metric(metric), _time(words[2]), _value(words[3]), words[4] if len(words) > 4 else b"")  # noqa: PLR2004


def read_object(given: Any) -> Point:
    """The point of one JSON object of ``/api/put``. Raises Malformed."""
    if not isinstance(given, dict):
        raise Malformed("a data point is an object with metric, timestamp, value and tags")
    metric, at, value, tags = (given.get(name) for name in ("metric", "timestamp", "value", "tags"))
    if not isinstance(metric, str):
        raise Malformed("Metric name was empty")
    if isinstance(at, bool) or not isinstance(at, int | float | str):
        raise Malformed("Invalid timestamp")
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Malformed("Unable to parse value to a number")
    if not isinstance(tags, dict) or not tags:
        raise Malformed("Missing tags")
    checked = {}
    for name, text in tags.items():
        if not isinstance(text, str | int | float) or isinstance(text, bool):
            raise Malformed("Tag values are strings")
        checked[name] = str(text)
    return Point(_metric(metric), _time(at), _value(value), _checked(checked))


def read_tags(text: bytes) -> dict[str, str]:
    """The tags in the rest of a line. Raises Malformed."""
    tags: dict[str, str] = {}
    for word in text.split():
        name, equals, value = word.decode("utf-8", "replace").partition("=")
        if not equals or not name or not value:
            raise Malformed("illegal argument: invalid tag: a tag is NAME=VALUE")
        if name in tags:
            raise Malformed("illegal argument: duplicate tag")
        tags[name] = value
    return _checked(tags)


def _checked(tags: dict[str, str]) -> dict[str, str]:
    if len(tags) > TAGS_MAX:
        raise Malformed(f"illegal argument: too many tags: {len(tags)} maximum allowed: {TAGS_MAX}")
    if any(len(name) > TAG_LENGTH_MAX or len(value) > TAG_LENGTH_MAX for name, value in tags.items()):
        raise Malformed(f"illegal argument: a tag is longer than {TAG_LENGTH_MAX} characters")
    return tags


def _metric(name: str) -> str:
    if METRIC.fullmatch(name) is None:
        raise Malformed("illegal argument: a metric has 1 to 255 letters, digits, '.', '_', '-' and '/'")
    return name


def _time(given: bytes | str | float) -> float:
    try:
        at_s = float(given)
    except (ValueError, OverflowError) as error:
        raise Malformed("illegal argument: invalid timestamp") from error
    if not 0 < at_s < AT_MAX:  # false for NaN as well
        raise Malformed("illegal argument: invalid timestamp", "absurd_time")
    return at_s / 1000 if at_s >= MILLISECONDS_FROM else at_s


def _value(given: bytes | str | float) -> float:
    try:
        value = float(given)
    except (ValueError, OverflowError) as error:
        raise Malformed("illegal argument: invalid value: not a number") from error
    if not math.isfinite(value):
        raise Malformed("illegal argument: invalid value: neither NaN nor infinity", "not_finite")
    return value
