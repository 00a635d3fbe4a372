"""Other monitoring systems: our own OpenTSDB door, a server of the test's own, and a real Prometheus."""

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from phantom_gateway.sensors import monitors
from phantom_gateway.sensors.monitors import Found, OpenTsdb, Prometheus, Subject, Trouble
from reconciler.model import Reading, Readings, SensorPolicy, SensorSource, Statistic
from tests.phantom_gateway.sensors.station import TOKEN, opened, until

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
POLICY = SensorPolicy("load")
PROMETHEUS = shutil.which("prometheus")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def subject(policy: SensorPolicy = POLICY, hosts: dict[str, int] | None = None) -> Subject:
    """A group web of alice with two instances on hosts a and b."""
    return Subject(policy, {"a": 1, "b": 2} if hosts is None else hosts, ("uid-1", "web"), ("AKIA1", "alice"))


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """The URL of a server that answers everything with *handler*."""
    app = web.Application()
    app.router.add_get("/{tail:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def ask(monitor: OpenTsdb | Prometheus, about: Subject | None = None) -> Found:
    """What the monitor says now."""
    async with aiohttp.ClientSession() as session:
        return await monitor.ask(session, about or subject(), NOW)


def lines(*points: tuple[float, str, str]) -> Handler:
    """A server that answers with (seconds ago, value, host) as OpenTSDB's lines."""
    text = "".join(f"load {NOW.timestamp() - ago:.0f} {value} host={host} cpu=all\n" for ago, value, host in points)

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=text)

    return answer


async def test_opentsdb_is_asked_as_the_original_asked() -> None:
    """The form of the question, with the hosts of the group in one, and times in UTC, which is said."""
    asked: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(dict(request.query))
        return web.Response()

    async with serving(answer) as url:
        await ask(OpenTsdb(url, 1.0))
        await ask(OpenTsdb(f"{url}/tsd/", 1.0), subject(SensorPolicy("queue", of_group=True)))

    times = {"start": "2026/03/01-11:45:00", "end": "2026/03/01-12:00:00", "tz": "UTC", "ascii": "true"}
    assert asked == [
        {**times, "m": "avg:load{host=a|b}"},
        {**times, "m": "avg:queue{domain=uid-1|web,user=AKIA1|alice}"},
    ]


@pytest.mark.parametrize(
    ("statistic", "value"),
    [("Average", 3.0), ("Sum", 6.0), ("SampleCount", 2.0), ("Minimum", 2.0), ("Maximum", 4.0)],
)
async def test_what_opentsdb_says_is_added_up_by_host(statistic: str, value: float) -> None:
    """Samples of the period count; a host that is silent is known by its last value; what is no data is none."""
    points = lines(
        (10, "4", "a"),
        (40, "2", "a"),
        (200, "100", "a"),
        (300, "7", "b"),
        (5, "NaN", "b"),
        (1000, "9", "b"),
        (1, "5", "c"),
    )
    policy = SensorPolicy("load", statistic=Statistic(statistic))

    async with serving(points) as url:
        found = await ask(OpenTsdb(url, 1.0), subject(policy))

    last = 1.0 if statistic == "SampleCount" else 7.0
    assert found == Found(
        {1: Reading(value, NOW - timedelta(seconds=10)), 2: Reading(last, NOW - timedelta(seconds=300))}
    )


async def html(_request: web.Request) -> web.StreamResponse:
    """A server that is something else."""
    return web.Response(text="<html>\n<h1>It works 1 2!</h1>\n</html>", content_type="text/html")


async def broken(_request: web.Request) -> web.StreamResponse:
    """A server in trouble."""
    return web.Response(status=500, text="load 1 1 host=a")


async def slow(_request: web.Request) -> web.StreamResponse:
    """A server that does not answer."""
    await asyncio.sleep(30)
    return web.Response()


async def endless(request: web.Request) -> web.StreamResponse:
    """A server that does not stop."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"load 1 1 host=a\n" * 10_000)


async def elsewhere(_request: web.Request) -> web.StreamResponse:
    """A server that sends us to another one, which nobody configured."""
    return web.Response(status=302, headers={"Location": "http://169.254.169.254/"})


@pytest.mark.parametrize("kind", [OpenTsdb, Prometheus])
@pytest.mark.parametrize(
    ("handler", "words"),
    [
        pytest.param(broken, "answers with status 500", id="an error"),
        pytest.param(slow, "does not answer within 0.3 s", id="slow"),
        pytest.param(endless, "answers with more than 1048576 bytes", id="endless"),
        pytest.param(elsewhere, "answers with status 302", id="a redirection"),
    ],
)
async def test_a_monitor_in_trouble_is_no_data_with_a_reason(
    kind: type[OpenTsdb | Prometheus], handler: Handler, words: str
) -> None:
    """F93: within limits of time and size; the text is the same for the same trouble."""
    async with serving(handler) as url:
        with pytest.raises(Trouble, match=words):
            await ask(kind(url, 0.3))


async def test_a_monitor_that_is_not_there_is_no_data_with_a_reason() -> None:
    """No port listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"

    for monitor in (OpenTsdb(url, 1.0), Prometheus(url, 1.0)):
        with pytest.raises(Trouble, match="cannot be reached"):
            await ask(monitor)


async def test_what_is_no_answer_is_no_data() -> None:
    """Lines that are no points are left out; JSON that is none of Prometheus is trouble."""
    async with serving(html) as url:
        assert await ask(OpenTsdb(url, 1.0)) == Found({})
        with pytest.raises(Trouble, match="cannot be read"):
            await ask(Prometheus(url, 1.0))
    with pytest.raises(Trouble, match="cannot be a metric of OpenTSDB"):
        await ask(OpenTsdb("http://127.0.0.1:1", 1.0), subject(SensorPolicy("load{host=*}")))


async def test_a_large_group_is_asked_for_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No URL grows too long for a server, and names that would change the question are not in it."""
    monkeypatch.setattr(monitors, "HOSTS_AT_ONCE", 2)
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.query["m"])
        return web.Response()

    async with serving(answer) as url:
        await ask(OpenTsdb(url, 1.0), subject(hosts={"a": 1, "b": 2, "c": 3, "d}|{": 4}))

    assert asked == ["avg:load{host=a|b}", "avg:load{host=c}"]


async def test_our_own_door_is_an_opentsdb(tmp_path: Path) -> None:
    """What was sent to one gateway is read by another as from any OpenTSDB."""
    async with opened(tmp_path) as station:
        first, second = station.ids
        await station.say(
            station.put(2, host=first), station.put(6, host=second), station.put(9, "q", domain="web", token=TOKEN)
        )
        await station.sensing.intake.write()
        about = subject(hosts={first: 1, second: 2})
        group = Subject(SensorPolicy("q", of_group=True), {}, (station.office.uid(), "web"), ("AKIA", "alice"))

        found = await ask(OpenTsdb(f"http://127.0.0.1:{station.port}", 2.0), about)
        of_group = await ask(OpenTsdb(f"http://127.0.0.1:{station.port}", 2.0), group)

    assert {key: reading.value for key, reading in found.of_instances.items()} == {1: 2.0, 2: 6.0}
    assert of_group.of_group is not None
    assert of_group.of_group.value == 9.0


async def test_a_group_is_moved_by_what_a_monitor_says(tmp_path: Path) -> None:
    """A pass never waits for it: first nothing is known, then there is news, and when it fails, a reason."""
    tags = {"PHANTOM_DEFINITION": "sensor_engine", "metric": "load", "sensor_type": "opentsdb"}
    is_broken = False

    async def answer(request: web.Request) -> web.StreamResponse:
        if is_broken:
            return await broken(request)
        hosts = request.query["m"].partition("host=")[2].rstrip("}").split("|")
        at = NOW.timestamp()
        return web.Response(text="".join(f"load {at:.0f} 4 host={host}\n" for host in hosts))

    async with serving(answer) as url, opened(tmp_path, tags=tags, opentsdb=url) as station:
        record = await station.office.ledger.read(station.office.uid())
        assert record is not None

        async def told() -> Readings:
            return await station.sensing.sensors.readings(record, station.office.now)

        assert await told() == Readings(trouble="OpenTSDB was not asked yet")
        polling = asyncio.create_task(station.sensing._pollers[SensorSource.OPENTSDB].run())
        try:
            await until(lambda: station.woken, "news")
            now_told = await told()
            assert [reading.value for reading in now_told.of_instances.values()] == [4.0, 4.0]
            is_broken = True
            count = len(station.woken)
            await until(lambda: len(station.woken) > count, "news again")
            assert await told() == Readings(trouble="OpenTSDB answers with status 500")
        finally:
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)


EXPORTED = """\
# TYPE load gauge
load{host="a"} 3
load{host="c"} 50
# TYPE queue gauge
queue{domain="web",user="alice"} 12
queue{domain="web",user="bob"} 700
"""


@pytest.mark.skipif(PROMETHEUS is None, reason="Debian's prometheus is not installed (apt-get install prometheus)")
async def test_a_real_prometheus_says_what_it_scraped(tmp_path: Path) -> None:
    """By the label host, by the address in the label instance, and of a domain of one's own user."""

    async def export(_request: web.Request) -> web.Response:
        return web.Response(text=EXPORTED, content_type="text/plain")

    async def export_one(_request: web.Request) -> web.Response:
        return web.Response(text="load 5\nload_no_more NaN\n", content_type="text/plain")

    async with serving(export) as many, serving(export_one) as one, prometheus(tmp_path, [many, one]) as url:
        address = one.partition("://")[2]
        monitor = Prometheus(url, 5.0)
        hosts = {"a": 1, address.partition(":")[0]: 2}
        now = datetime.now(UTC)

        async def values(policy: SensorPolicy) -> dict[int, float]:
            async with aiohttp.ClientSession() as session:
                found = await monitor.ask(session, subject(policy, hosts), datetime.now(UTC))
            of_group = {} if found.of_group is None else {0: found.of_group.value}
            return {key: reading.value for key, reading in found.of_instances.items()} | of_group

        for _ in range(200):
            if len(await values(POLICY)) == 2:
                break
            await asyncio.sleep(0.1)

        assert await values(POLICY) == {1: 3.0, 2: 5.0}
        assert await values(SensorPolicy("load", statistic=Statistic.MAXIMUM)) == {1: 3.0, 2: 5.0}
        assert (await values(SensorPolicy("load", statistic=Statistic.SAMPLE_COUNT)))[1] >= 1
        assert await values(SensorPolicy("queue", of_group=True)) == {0: 12.0}
        assert await values(SensorPolicy("load_no_more")) == {}
        assert await values(SensorPolicy('no"such{}')) == {}
        async with aiohttp.ClientSession() as session:
            found = await monitor.ask(session, subject(POLICY, hosts), datetime.now(UTC))
        assert all(reading.at >= now for reading in found.of_instances.values())


@asynccontextmanager
async def prometheus(directory: Path, exporters: list[str]) -> AsyncIterator[str]:
    """The URL of a Prometheus that scrapes *exporters* every second."""
    assert PROMETHEUS is not None
    targets = ", ".join(f"'{url.partition('://')[2]}'" for url in exporters)
    config = directory / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s}\n"
        "scrape_configs:\n"
        "- job_name: test\n"
        f"  static_configs: [{{targets: [{targets}]}}]\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        PROMETHEUS,
        f"--config.file={config}",
        f"--storage.tsdb.path={directory / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with (directory / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=subprocess.STDOUT)
    try:
        async with aiohttp.ClientSession() as session, asyncio.timeout(60):
            while True:
                try:
                    async with session.get(f"http://127.0.0.1:{port}/-/ready") as answer:
                        if answer.status == 200:
                            break
                except aiohttp.ClientError:
                    assert process.returncode is None, (directory / "prometheus.log").read_text()
                await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()
