"""Log lines: their shape, what is never on them, and that no value can forge one."""

import asyncio
import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phantom_gateway import logs
from phantom_gateway.secret import Secret
from reconciler.current import group_name

HUSH = "correct horse"


class Colour(StrEnum):
    """Some enumeration."""

    RED = "red"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    """The process's logging, put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in logs._HELD_BACK}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def logged(say: Callable[[logging.Logger], object], fmt: logs.Format = "json", level: logs.Level = "info") -> str:
    """What the log holds after *say*."""
    stream = io.StringIO()
    logs.configure(stream, fmt, level)
    say(logging.getLogger("phantom_gateway.part"))
    return stream.getvalue()


def one(say: Callable[[logging.Logger], object]) -> dict[str, Any]:
    """The one line, of JSON, that *say* left."""
    (line,) = logged(say).splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def refuse(text: str) -> None:
    """Never anything."""
    raise ValueError(text)


def failing(log: logging.Logger) -> None:
    """An error with a secret in reach, and a message that tries to begin a line."""
    password = Secret(HUSH)
    try:
        refuse(f"no {password}\n2026-01-01T00:00:00.000+00:00 [info] forged \x1b[31m")
    except ValueError:
        log.exception("it.failed", extra={"password": password})


def test_a_line_says_when_how_grave_who_what_and_the_facts() -> None:
    """A JSON line holds the event and its facts under their names."""
    before = datetime.now(UTC).replace(microsecond=0)
    line = one(lambda log: log.warning("instance.launched", extra={"group": "web", "took_s": 4.2, "token": None}))

    assert before <= datetime.fromisoformat(line.pop("timestamp")) <= datetime.now(UTC)
    assert line == {
        "level": "warning",
        "logger": "phantom_gateway.part",
        "event": "instance.launched",
        "group": "web",
        "took_s": 4.2,
        "token": None,
    }


@pytest.mark.parametrize(
    ("stream", "fmt", "is_json", "has_colours"),
    [
        pytest.param(io.StringIO, "auto", True, False, id="auto in a file"),
        pytest.param(Terminal, "auto", False, True, id="auto on a terminal"),
        pytest.param(io.StringIO, "text", False, False, id="text in a file"),
        pytest.param(Terminal, "json", True, False, id="JSON on a terminal"),
    ],
)
def test_the_format_fits_the_reader(
    stream: Callable[[], io.StringIO], fmt: logs.Format, is_json: bool, has_colours: bool
) -> None:
    """People at a terminal get text with colours; everything else gets JSON unless told otherwise."""
    target = stream()
    logs.configure(target, fmt)
    logging.getLogger("phantom_gateway.part").info("door.opened", extra={"port": 8445})

    assert target.getvalue().startswith("{") is is_json
    assert ("\x1b[" in target.getvalue()) is has_colours


def test_text_shows_facts_as_words() -> None:
    """Facts follow the event as key=value, quoted only where they need it."""
    line = logged(lambda log: log.info("door.opened", extra={"port": 8445, "host": "::1", "why": 'a "b" c'}), "text")

    assert "door.opened" in line
    assert line.endswith("""port=8445 host=::1 why='a "b" c'\n""")


@pytest.mark.parametrize("fmt", ["json", "text"])
@pytest.mark.parametrize(
    "say",
    [
        pytest.param(lambda log: log.info("e", extra={"key": Secret(HUSH)}), id="fact"),
        pytest.param(lambda log: log.info("e", extra={"keys": [{"a": (Secret(HUSH),)}]}), id="deep in a fact"),
        pytest.param(lambda log: log.info("e", extra={"keys": {Secret(HUSH).__repr__(): 1}}), id="key of a table"),
        pytest.param(lambda log: log.info("key %s", Secret(HUSH)), id="argument"),
        pytest.param(lambda log: log.info(Secret(HUSH)), id="message"),
        pytest.param(lambda log: log.info("e", extra={"error": ValueError(Secret(HUSH))}), id="error as a fact"),
        pytest.param(failing, id="error"),
    ],
)
def test_secrets_are_stars(say: Callable[[logging.Logger], object], fmt: logs.Format) -> None:
    """No way of logging a secret shows it."""
    text = logged(say, fmt)

    assert HUSH not in text
    assert "***" in text


@pytest.mark.parametrize("fmt", ["json", "text"])
def test_a_traceback_is_kept_without_local_variables(fmt: logs.Format) -> None:
    """F96: an exception's frames and message are logged; what its variables held is not."""
    text = logged(failing, fmt)

    assert "ValueError: no ***" in text
    assert "in failing" in text
    assert "Secret(" not in text


def test_a_traceback_in_json_stays_on_its_line() -> None:
    """One event is one line, exceptions included."""
    assert "ValueError: no ***\n2026" in one(failing)["exception"]


def test_an_exceptions_text_cannot_begin_a_line() -> None:
    """F90: in readable logs every line of a traceback is indented, so that none passes for an event."""
    first, *rest = logged(failing, "text").splitlines()

    assert "it.failed" in first
    assert all(line.startswith("    ") for line in rest)
    assert any("forged \\x1b[31m" in line for line in rest)


HOSTILE = st.text(
    alphabet=st.one_of(st.characters(codec=None), st.sampled_from("\r\n\t\x1b\x00\x7f\x9b\u2028\u202e'=\" "))
)


@given(HOSTILE, HOSTILE)
def test_no_value_can_break_a_line(event: str, value: str) -> None:
    """F90: whatever is logged is one printable line, and JSON gives the value back as it was."""
    as_json = logged(lambda log: log.info("%s", event, extra={"name_given": value}))
    as_text = logged(lambda log: log.info("%s", event, extra={"name_given": value}), "text")

    assert as_json.isascii()
    assert as_json[:-1].isprintable()
    assert json.loads(as_json)["name_given"] == value
    assert as_text.endswith("\n")
    assert as_text[:-1].isprintable()


def test_a_value_cannot_pass_for_another_fact() -> None:
    """A blank or "=" in a value is quoted, so that it does not look like a fact of its own."""
    assert "name_given='x admin=yes'" in logged(lambda log: log.info("e", extra={"name_given": "x admin=yes"}), "text")


def test_a_fact_cannot_pass_for_the_events_own_words() -> None:
    """Facts named like a line's own words get another name."""
    line = one(lambda log: log.info("e", extra={"event": "forged", "level": "none", "request_id": "r"}))

    assert (line["event"], line["level"]) == ("e", "info")
    assert (line["event_"], line["level_"], line["request_id_"]) == ("forged", "none", "r")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(True, True, id="boolean"),
        pytest.param(float("nan"), "nan", id="not a number"),
        pytest.param(float("inf"), "inf", id="infinite"),
        pytest.param(10**5000, "a number of 16610 bits", id="too many digits"),
        pytest.param(datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00", id="time"),
        pytest.param(Path("/a"), "/a", id="path"),
        pytest.param(Colour.RED, "red", id="enumeration"),
        pytest.param(ValueError("x"), "ValueError('x')", id="error"),
        pytest.param({1: (2, {3})}, {"1": [2, [3]]}, id="containers"),
        pytest.param("x" * 5000, "x" * logs.VALUE_LENGTH_MAX + "... 5000 characters", id="long text"),
        pytest.param(list(range(101)), [*range(100), "... 1 more"], id="long list"),
        pytest.param(dict.fromkeys(range(0), 0), {}, id="empty table"),
    ],
)
def test_values_are_words_that_json_has(value: object, expected: object) -> None:
    """Any value is logged, bounded, in JSON's own words."""
    assert one(lambda log: log.info("e", extra={"value": value}))["value"] == expected


def test_a_value_that_holds_itself_is_logged() -> None:
    """A cycle ends at a depth instead of hanging the call."""
    ring: list[object] = []
    ring.append(ring)

    assert "[...]" in str(one(lambda log: log.info("e", extra={"ring": ring}))["ring"])


def test_the_request_is_on_every_line_while_it_is_answered() -> None:
    """The context variable rides along, and only in its own context."""

    def say(log: logging.Logger) -> None:
        mark = logs.request_id.set("req-1")
        log.info("inside")
        other = threading.Thread(target=log.info, args=("elsewhere",))
        other.start()
        other.join()
        logs.request_id.reset(mark)
        log.info("outside")

    found = {line["event"]: line.get("request_id") for line in map(json.loads, logged(say).splitlines())}

    assert found == {"inside": "req-1", "elsewhere": None, "outside": None}


def test_the_group_is_on_every_line_of_its_pass() -> None:
    """What a pass logs, and what it begins, names its group; nobody else's lines do."""

    async def call(log: logging.Logger) -> None:
        log.info("call")

    async def work(log: logging.Logger) -> None:
        group_name.set("web")
        async with asyncio.TaskGroup() as calls:
            calls.create_task(call(log))

    async def say(log: logging.Logger) -> None:
        await asyncio.create_task(work(log))
        log.info("outside")

    lines = map(json.loads, logged(lambda log: asyncio.run(say(log))).splitlines())

    assert {line["event"]: line.get("group") for line in lines} == {"call": "web", "outside": None}


@pytest.mark.parametrize(
    ("logger", "level"),
    [
        pytest.param("aiohttp.access", logging.ERROR, id="access log"),
        pytest.param("botocore.auth", logging.DEBUG, id="signed headers"),
        pytest.param("sqlalchemy.engine", logging.INFO, id="parameters of SQL"),
        pytest.param("urllib3.connectionpool", logging.DEBUG, id="URLs"),
    ],
)
def test_loggers_that_know_secrets_are_held_back(logger: str, level: int) -> None:
    """F96: even at debug, other people's loggers do not print requests."""
    assert logged(lambda _: logging.getLogger(logger).log(level, "GET /?Signature=x"), level="debug") == ""


def test_less_grave_events_are_left_out() -> None:
    """Events below the level are not logged."""

    def say(log: logging.Logger) -> None:
        log.info("left.out")
        log.warning("kept")

    assert json.loads(logged(say, level="warning"))["event"] == "kept"


def test_configuring_again_replaces_only_our_own_handler() -> None:
    """The last stream gets each event once; a handler that somebody else attached stays."""
    foreign = logging.NullHandler()
    logging.getLogger().addHandler(foreign)
    first = io.StringIO()
    logs.configure(first)
    text = logged(lambda log: log.info("e"))

    assert first.getvalue() == ""
    assert text.count("\n") == 1
    assert foreign in logging.getLogger().handlers


@pytest.mark.parametrize(
    ("fmt", "level", "told"),
    [
        pytest.param("yaml", "info", "use auto, json or text", id="format"),
        pytest.param("json", "loud", "use debug, info, warning or error", id="level"),
    ],
)
def test_unknown_words_are_refused(fmt: Any, level: Any, told: str) -> None:
    """A wrong format or level is told the right ones."""
    with pytest.raises(ValueError, match=told):
        logs.configure(io.StringIO(), fmt, level)
