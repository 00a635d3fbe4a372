"""OpenTSDB's HTTP on the receiver's port: points in JSON, and questions about what is kept."""

import base64
import gzip
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from tests.phantom_gateway.sensors.station import TOKEN, Station, opened


@pytest_asyncio.fixture
async def station(tmp_path: Path) -> AsyncIterator[Station]:
    """A station that takes anonymous samples on loopback."""
    async with opened(tmp_path) as station:
        yield station


@pytest_asyncio.fixture
async def strict(tmp_path: Path) -> AsyncIterator[Station]:
    """A station that takes samples with credentials only."""
    async with opened(tmp_path, anonymous=False) as station:
        yield station


def point(station: Station, value: Any = 1.5, **more: Any) -> dict[str, Any]:
    """A point that counts for the first instance, unless told otherwise."""
    ordinary = {
        "metric": "load",
        "timestamp": int(station.office.now.timestamp()),
        "value": value,
        "tags": {"host": station.ids[0]},
    }
    return ordinary | more


def basic(user: str, secret: str) -> dict[str, str]:
    """The header that says who sends."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()}


async def test_a_point_and_a_list_of_points_are_taken(station: Station) -> None:
    """Numbers may be text, as some senders have them; there is nothing to say about success."""
    assert await station.http("POST", "/api/put", point(station)) == (204, "")
    many = [point(station, "2.5", metric="a"), point(station, 3, metric="b")]
    assert await station.http("POST", "/api/put", many) == (204, "")

    assert sorted((await station.kept()).values()) == [1.5, 2.5, 3.0]


async def test_a_compressed_body_is_taken_and_a_bomb_is_not(station: Station) -> None:
    """F80: what gzip makes of a gigabyte of zeros is small; unpacking ends at the limit."""
    gz = {"Content-Encoding": "gzip"}
    good = gzip.compress(json.dumps(point(station)).encode())

    assert (await station.http("POST", "/api/put", good, gz))[0] == 204
    assert (await station.http("POST", "/api/put", gzip.compress(b" " * 50_000_000), gz))[0] == 413
    assert (await station.http("POST", "/api/put", good[:-9], gz))[0] == 400
    assert (await station.http("POST", "/api/put", b"no gzip", gz))[0] == 400
    assert (await station.http("POST", "/api/put", good, {"Content-Encoding": "br"}))[0] == 415
    assert station.counts == {"taken": 1}


async def test_summary_and_details_say_what_did_not_count(station: Station) -> None:
    """As OpenTSDB says it, and without what may be a password."""
    bad = point(station, tags={"host": "unheard.of", "user": "alice", "password": "hush"})
    points = [point(station), bad, point(station, "NaN")]

    status, told = await station.http("POST", "/api/put?details", points)
    assert (status, told["success"], told["failed"]) == (400, 1, 2)
    assert [each["error"] for each in told["errors"]] == [
        "bad credentials",
        "illegal argument: invalid value: neither NaN nor infinity",
    ]
    assert told["errors"][0]["datapoint"]["tags"] == {"host": "unheard.of"}
    assert await station.http("POST", "/api/put?summary", points) == (400, {"success": 1, "failed": 2})
    assert await station.http("POST", "/api/put?summary", point(station)) == (200, {"success": 1, "failed": 0})
    status, told = await station.http("POST", "/api/put", points)
    assert (status, told["error"]["message"]) == (400, "One or more data points had errors")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="no JSON"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[" * 100_000, id="too deep"),
        pytest.param(b"9" * 5_000, id="a number that is too long"),
        pytest.param(b"1", id="a number"),
        pytest.param(b'"put"', id="a text"),
        pytest.param(b"[1, null, []]", id="a list of nothing"),
        pytest.param(b"{}", id="an empty point"),
        pytest.param(b'{"metric": {}, "timestamp": [], "value": {}, "tags": 1}', id="other types"),
        pytest.param(b'{"metric": "m", "timestamp": true, "value": 1, "tags": {"host": "x"}}', id="a boolean time"),
        pytest.param(b'{"metric": "m", "timestamp": 1, "value": false, "tags": {"host": "x"}}', id="a boolean"),
        pytest.param(b'{"metric": "m", "timestamp": 1e999, "value": 1, "tags": {"host": "x"}}', id="infinite time"),
        pytest.param(b'{"metric": "m", "timestamp": 1, "value": 1, "tags": {"host": ["x"]}}', id="a tag of no text"),
        pytest.param(b'{"metric": "m", "timestamp": 1, "value": 1, "tags": {"host": "\\ud800"}}', id="half a letter"),
    ],
)
async def test_a_bad_body_is_the_senders_mistake(station: Station, body: bytes) -> None:
    """It gets OpenTSDB's error in JSON, never a 5xx, and the door stays open."""
    status, told = await station.http("POST", "/api/put", body)

    assert status == 400
    assert told["error"]["code"] == 400
    assert await station.kept() == {}
    assert (await station.http("POST", "/api/put", point(station)))[0] == 204


async def test_a_body_that_is_too_large_is_refused(station: Station) -> None:
    """F79: before it is read where it says so."""
    assert (await station.http("POST", "/api/put", b" " * 1_100_000))[0] == 413


async def test_credentials_stand_in_the_tags_or_in_the_header(strict: Station) -> None:
    """A token of the user, or nothing counts."""
    own = point(strict, 1, metric="a", tags={"host": strict.ids[0], "token": TOKEN})

    assert (await strict.http("POST", "/api/put", own))[0] == 204
    assert (await strict.http("POST", "/api/put", point(strict, 2, metric="b"), basic("alice", TOKEN)))[0] == 204
    assert (await strict.http("POST", f"/api/put?user=1&token={TOKEN}", point(strict, 3, metric="c")))[0] == 204
    assert (await strict.http("POST", "/api/put", point(strict)))[0] == 400
    assert (await strict.http("POST", "/api/put", point(strict), basic("alice", "no")))[0] == 400
    assert (await strict.http("POST", "/api/put", point(strict), {"Authorization": "Bearer x"}))[0] == 401
    assert sorted((await strict.kept()).values()) == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via"])
async def test_what_a_proxy_passes_on_is_not_from_this_machine(station: Station, header: str) -> None:
    """The proxy is a neighbour, its clients are not."""
    status, told = await station.http("POST", "/api/put?details", point(station), {header: "for=192.0.2.1"})

    assert (status, told["errors"][0]["error"]) == (400, "anonymous")
    assert (await station.http("GET", "/api/query?start=1h-ago&m=avg:load", headers={header: "192.0.2.1"}))[0] == 401


async def filled(station: Station) -> None:
    """Two minutes of load of two instances, and the queue of the domain."""
    first, second = station.ids
    await station.say(
        station.put(1, ago_s=60, host=first),
        station.put(3, ago_s=60, host=first),
        station.put(4, host=first),
        station.put(10, host=second),
        station.put(7, "queue", domain="web", token=TOKEN),
    )
    await station.sensing.intake.write()


async def test_the_original_reads_its_sensors_here(station: Station) -> None:
    """The question as it was sent for each VM: a window in calendar time, and lines with time, value and tag."""
    await filled(station)
    now = station.office.now
    form = "%Y/%m/%d-%H:%M:%S"
    start, end = ((now - timedelta(seconds=ago)).strftime(form) for ago in (90, 0))
    m = quote(f"avg:load{{host={station.ids[0]}}}")

    status, text = await station.http("GET", f"/q?start={start}&end={end}&m={m}&ascii=true")

    at = int(now.timestamp())
    assert status == 200
    assert text == f"load {at - 60} 2 host={station.ids[0]}\nload {at} 4 host={station.ids[0]}\n"


@pytest.mark.parametrize(
    ("m", "expected"),
    [
        pytest.param("avg:load{{host={0}|{1}}}", [({"host": "{0}"}, [2, 4]), ({"host": "{1}"}, [10])], id="hosts"),
        pytest.param("max:load{{host={0}}}", [({"host": "{0}"}, [3, 4])], id="the most of a minute"),
        pytest.param("min:load{{host=*}}", [({"host": "{0}"}, [1, 4]), ({"host": "{1}"}, [10])], id="every host"),
        pytest.param("avg:load", [({}, [2, 7])], id="all together"),
        pytest.param("sum:load", [({}, [2, 14])], id="the sum of all"),
        pytest.param("count:load", [({}, [1, 2])], id="how many"),
        pytest.param("avg:queue{{domain=web}}", [({"domain": "web"}, [7])], id="of the domain"),
        pytest.param("avg:queue{{domain=*}}", [({"domain": "web"}, [7])], id="of every domain"),
        pytest.param("avg:load{{host={0},domain=web}}", [({"host": "{0}"}, [2, 4])], id="of a host in its domain"),
        pytest.param("avg:load{{host={0},domain=db}}", [], id="of a host in another domain"),
        pytest.param("avg:queue{{host={0}}}", [], id="nothing"),
    ],
)
async def test_questions_are_answered_from_the_minutes(
    station: Station, m: str, expected: list[tuple[dict[str, str], list[float]]]
) -> None:
    """One line for each value of a tag that is asked for, one value for each minute."""
    await filled(station)

    status, told = await station.http("GET", f"/api/query?start=10m-ago&m={quote(m.format(*station.ids))}")

    assert status == 200
    assert [(each["tags"], list(each["dps"].values())) for each in told] == [
        ({name: text.format(*station.ids) for name, text in tags.items()}, values) for tags, values in expected
    ]


async def test_a_question_may_be_posted(station: Station) -> None:
    """As newer readers of OpenTSDB do it."""
    await filled(station)
    asked = {"start": "1h-ago", "queries": [{"aggregator": "avg", "metric": "load", "tags": {"host": station.ids[1]}}]}

    status, told = await station.http("POST", "/api/query", asked)

    assert status == 200
    assert [list(each["dps"].values()) for each in told] == [[10.0]]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        pytest.param("m=avg:load", "Missing start time", id="no start"),
        pytest.param("start=1h-ago", "Missing m", id="nothing asked"),
        pytest.param("start=yesterday&m=avg:load", "Invalid date", id="no date"),
        pytest.param("start=2026/13/45&m=avg:load", "Invalid date", id="no such date"),
        pytest.param("start=now&end=1h-ago&m=avg:load", "end is before the start", id="backwards"),
        pytest.param("start=1h-ago&m=load", "Invalid m", id="no aggregator"),
        pytest.param("start=1h-ago&m=avg:rate:load", "Invalid m", id="a rate"),
        pytest.param("start=1h-ago&m=p99:load", "No such aggregation function", id="unknown aggregator"),
        pytest.param("start=1h-ago&m=avg:lo%20ad", "Invalid metric", id="no metric"),
        pytest.param("start=1h-ago&m=avg:load%7Bhost%7D", "Invalid tag", id="no tag"),
        pytest.param("start=1h-ago&m=avg:load%7Bhost=" + "a|" * 600 + "b%7D", "Too many", id="too many hosts"),
        pytest.param("start=1h-ago" + "&m=avg:load" * 21, "Too many", id="too many questions"),
    ],
)
async def test_a_question_against_the_rules_is_told_so(station: Station, query: str, words: str) -> None:
    """400 with a text that names the rule."""
    status, told = await station.http("GET", f"/api/query?{query}")

    assert status == 400
    assert words in told["error"]["message"]


async def test_graphs_are_not_drawn(station: Station) -> None:
    """And that is said."""
    status, told = await station.http("GET", "/q?start=1h-ago&m=avg:load")

    assert (status, told["error"]["message"]) == (400, "Graphs are not drawn here; ask with ascii=true")


async def test_reading_needs_a_token_and_shows_ones_own(strict: Station) -> None:
    """Another user's token shows another user's data."""
    await strict.say(strict.put(4, host=strict.ids[0], token=TOKEN))
    await strict.sensing.intake.write()
    path = "/api/query?start=1h-ago&m=avg:load"

    assert (await strict.http("GET", path))[0] == 401
    assert (await strict.http("GET", path, headers=basic("alice", "no")))[0] == 401
    status, told = await strict.http("GET", path, headers=basic("alice", TOKEN))
    assert (status, [list(each["dps"].values()) for each in told]) == (200, [[4.0]])
