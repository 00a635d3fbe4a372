"""
Logs: one line per event, JSON for machines and readable on a terminal.

Owns: what a line looks like and what must never be on it. Does not own the events: every room logs with the standard
library, ``logging.getLogger(__name__).info("instance.launched", extra={"group": name})``.
"""

import itertools
import json
import logging
import math
import re
from collections.abc import Collection, Mapping, MutableMapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import structlog

from phantom_gateway.secret import HIDDEN, Secret
from reconciler.current import group_name

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The request being answered; on every line while set. Threads inherit it through ``asyncio.to_thread`` only."""

Format = Literal["auto", "json", "text"]
Level = Literal["debug", "info", "warning", "error"]

VALUE_LENGTH_MAX = 4096
"""Characters per value. More: one hostile name fills a disk. Fewer: cuts the messages of clouds, which are long."""

ITEMS_MAX = 100
"""Items shown of a list or a table. A line with a thousand machine ids is read by nobody."""

DEPTH_MAX = 6
"""Tables within tables. Deeper is shown as text, so that a value that holds itself cannot hang a log call."""

INTEGER_BITS_MAX = 4096
"""Python refuses to write numbers of more than 4300 digits, and would do so in the middle of a log call."""

TRACEBACK_LENGTH_MAX = 32 * 1024
"""Characters of a traceback; its end is kept, which names the error."""

_HELD_BACK = {
    # The front logs requests itself, with their ids and without their parameters.
    "aiohttp.access": logging.CRITICAL + 1,
    # At DEBUG these print signed headers, request bodies and the parameters of SQL: secrets among them.
    "alembic": logging.WARNING,  # tells of every start, and there is nothing to do about it
    "boto3": logging.WARNING,
    "botocore": logging.WARNING,
    "sqlalchemy": logging.WARNING,
    "urllib3": logging.WARNING,
    # At DEBUG it tells of its selector at every start.
    "asyncio": logging.INFO,
}

_OURS = frozenset({"timestamp", "level", "logger", "event", "request_id", "exception", "stack"})
_NEEDS_NO_QUOTES = re.compile(r"[^\s\"'=\\]+")
_EVENT_WIDTH = 30

_Line = MutableMapping[str, Any]

_NO_FACTS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
"""
What a record says of itself. The last two are left on the record, which all handlers share, by formatters of others.
"""

_tracebacks = logging.Formatter()
_to_json = json.JSONEncoder(ensure_ascii=True, allow_nan=False, check_circular=False).encode


def configure(stream: TextIO, fmt: Format = "auto", level: Level = "info") -> None:
    """
    Nothing; from now on everything that is logged goes to *stream*, and only there. May be called again.

    "auto" writes text on a terminal and JSON otherwise. Handlers that others attached are left alone.

    Raises ValueError: *fmt* or *level* is not one of its words.
    """
    if fmt not in {"auto", "json", "text"}:
        raise ValueError(f"{fmt!r} is not a log format; use auto, json or text")
    if level not in {"debug", "info", "warning", "error"}:
        raise ValueError(f"{level!r} is not a log level; use debug, info, warning or error")
    on_terminal = stream.isatty()
    as_text = fmt == "text" or (fmt == "auto" and on_terminal)
    handler = _GatewayHandler(stream)
    handler.setFormatter(_TextFormatter(colors=on_terminal) if as_text else _JsonFormatter())
    root = logging.getLogger()
    for other in [each for each in root.handlers if isinstance(each, _GatewayHandler)]:
        root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name, least in _HELD_BACK.items():
        logging.getLogger(name).setLevel(max(least, root.level))


class _GatewayHandler(logging.StreamHandler[TextIO]):
    """The handler that ``configure`` made, so that it finds it again."""


class _JsonFormatter(logging.Formatter):
    """
    One JSON object a line; ASCII only, so that no value can break the line or reach a terminal raw.

    Not by structlog, whose formatter copies each record for a chain of processors: a line would take 32 us, not 16.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line of *record*."""
        return _to_json(_collected(record))


class _TextFormatter(logging.Formatter):
    """Columns, then an event's facts as key=value, quoted where they could be taken for something else."""

    def __init__(self, *, colors: bool) -> None:
        super().__init__()
        self._render = structlog.dev.ConsoleRenderer(colors=colors, sort_keys=False, pad_event_to=_EVENT_WIDTH)

    def format(self, record: logging.LogRecord) -> str:
        """The lines of *record*."""
        return self._render(None, "", _readable(_collected(record)))


def _collected(record: logging.LogRecord) -> _Line:
    """The line in its order: when, how grave, who, what, for whom, then the facts given as *extra*."""
    collected: _Line = {
        # The record was stamped when it was made; no clock is read here.
        "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": _cut(record.getMessage()),
    }
    current = request_id.get()
    if current is not None:
        collected["request_id"] = _cut(current)
    group = group_name.get()
    if group is not None:
        collected["group"] = _cut(group)
    for key, value in vars(record).items():
        if key not in _NO_FACTS:
            # A fact may not pass itself off as the event, its time or its request.
            collected[f"{key}_" if key in _OURS else key] = _simple(value)
    if record.exc_info:
        # Plain: the readable renderings of structlog print every frame's local variables, secrets among them.
        text = _tracebacks.formatException(record.exc_info)
        collected["exception"] = text[-TRACEBACK_LENGTH_MAX:]
    if record.stack_info:
        collected["stack"] = record.stack_info[-TRACEBACK_LENGTH_MAX:]
    return collected


def _simple(value: Any, depth: int = DEPTH_MAX) -> Any:
    """*value* in what JSON has words for: secrets hidden, everything else bounded, unknown kinds as their text."""
    if type(value) is str:  # most are; asking whether it is a Mapping takes longer than the rest
        return _cut(value)
    if depth > 0 and isinstance(value, Mapping):
        pairs = itertools.islice(value.items(), ITEMS_MAX)
        return {_cut(str(key)): _simple(item, depth - 1) for key, item in pairs} | _left_out(value)
    if depth > 0 and isinstance(value, list | tuple | set | frozenset):
        return [_simple(item, depth - 1) for item in itertools.islice(value, ITEMS_MAX)] + list(_left_out(value))
    if isinstance(value, bool | None):
        return value
    return _number(value) if isinstance(value, int | float) else _words(value)


def _number(value: float) -> int | float | str:
    """*value*, or words for what JSON cannot say: "nan", "inf", and more digits than Python agrees to write."""
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    return int(value) if value.bit_length() <= INTEGER_BITS_MAX else f"a number of {value.bit_length()} bits"


def _words(value: object) -> str:
    """*value* as text: what it says of itself, except for secrets, times and errors."""
    match value:
        case Secret():
            return HIDDEN
        case str():
            return _cut(value)
        case datetime():
            return value.isoformat()
        case BaseException():
            return _cut(repr(value))
        case _:
            return _cut(str(value))


def _left_out(value: Collection[Any]) -> dict[str, bool]:
    """A word on the items past the limit; empty when all are shown."""
    return {f"... {len(value) - ITEMS_MAX} more": True} if len(value) > ITEMS_MAX else {}


def _cut(text: str) -> str:
    """*text* within the limit. A subclass (an enum's member) as its plain text."""
    plain = str.__str__(text)
    return plain if len(plain) <= VALUE_LENGTH_MAX else f"{plain[:VALUE_LENGTH_MAX]}... {len(plain)} characters"


def _readable(line: _Line) -> _Line:
    """The line for people: nothing in it can move the cursor, begin a line, or look like another fact."""
    shown: _Line = {}
    for key, value in line.items():
        match key:
            case "exception" | "stack":
                # Indented, so that an exception's text cannot begin a line as if it were an event.
                shown[key] = "\n".join("    " + visible(part) for part in value.split("\n"))
            case "timestamp" | "level":
                shown[key] = value
            case "event":
                shown[key] = visible(str(value))
            case _:
                shown[visible(key)] = _Shown(_quoted(value))
    return shown


class _Shown:
    """Text that the renderer prints as it is: it would quote a str by its own rules, which let controls through."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _quoted(value: Any) -> str:
    """*value* as one word. repr() escapes everything that is not printable, also what reorders a line."""
    if isinstance(value, str) and value.isprintable() and _NEEDS_NO_QUOTES.fullmatch(value):
        return value
    return repr(value)


def visible(text: str) -> str:
    """*text* with what is not printable escaped: line breaks, terminal controls, marks that reorder a line."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
