"""The receiver: samples as tcollector sends them, from well-behaved senders and from others."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import argon2
import pytest
import pytest_asyncio

from phantom_gateway.records import users
from phantom_gateway.sensors import intake, receiver, senders
from tests.phantom_gateway.sensors.station import TOKEN, Station, opened, until

SECRET = "canary-password-81c2"


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


async def test_a_point_counts_for_the_instance_that_its_host_names(station: Station) -> None:
    """Whatever name the host gives itself: instance id, address, or a name made of its address."""
    station.set_address(0, private_ip="10.0.0.5", public_ip="192.0.2.7")
    hosts = [station.ids[0].upper(), "10.0.0.5", "192.0.2.7", "ip-10-0-0-5.ec2.internal", "ec2-192-0-2-7"]

    answer = await station.say(*(station.put(number, f"load{number}", host=host) for number, host in enumerate(hosts)))

    assert answer == b""
    assert await station.kept() == {station.series(f"load{number}"): float(number) for number in range(5)}
    assert station.counts == {"taken": 5}


async def test_the_tag_of_the_original_names_the_instance_as_well(station: Station) -> None:
    """Some clouds gave VMs no name of their own; tcollector sent image, instance and address instead."""
    station.set_address(1, private_ip="10.0.0.6")
    unique = f"ami-1/{station.ids[0]}/10.9.9.9"

    await station.say(station.put(1, host="unheard.of", phantom_unique=unique))
    await station.say(station.put(2, host="unheard.of", phantom_unique="ami-1/i-0/10.0.0.6"))

    assert await station.kept() == {station.series(number=0): 1.0, station.series(number=1): 2.0}


async def test_what_tcollector_says_every_minute_is_answered(station: Station) -> None:
    """It reconnects unless something comes back, and reads nothing else."""
    answer = await station.say("version\n", station.put(), "stats\n", "help\n", "\n", "diediedie now\n")

    assert answer.splitlines()[0].startswith(b"phantom-gateway ")
    assert answer.splitlines()[1:] == [
        b"phantom.sensors.taken 1",
        b"available commands: exit help put stats version",
        b"unknown command: diediedie. Try `help'.",
    ]


def files_with(text: str, directory: Path) -> list[str]:
    """The files of *directory* that hold *text*."""
    return [file.name for file in directory.iterdir() if text.encode() in file.read_bytes()]


MALFORMED = [
    pytest.param(b"put\n", "malformed", id="nothing"),
    pytest.param(b"put load\n", "malformed", id="a metric"),
    pytest.param(b"put load {now}\n", "malformed", id="no value"),
    pytest.param(b"put lo\xffad {now} 1 host={host}\n", "malformed", id="a metric that is not text"),
    pytest.param(b"put " + b"x" * 256 + b" {now} 1 host={host}\n", "malformed", id="a metric that is too long"),
    pytest.param(b"put load;drop {now} 1 host={host}\n", "malformed", id="a metric with other characters"),
    pytest.param(b"put load soon 1 host={host}\n", "malformed", id="a time that is no number"),
    pytest.param(b"put load 0 1 host={host}\n", "absurd_time", id="no time"),
    pytest.param(b"put load -5 1 host={host}\n", "absurd_time", id="a negative time"),
    pytest.param(b"put load nan 1 host={host}\n", "absurd_time", id="a time that is NaN"),
    pytest.param(b"put load 1e300 1 host={host}\n", "absurd_time", id="a time beyond all time"),
    pytest.param(b"put load 1000000000 1 host={host}\n", "too_old", id="a time long ago"),
    pytest.param(b"put load 9999999999 1 host={host}\n", "in_the_future", id="a time to come"),
    pytest.param(b"put load {now} high host={host}\n", "malformed", id="a value that is no number"),
    pytest.param(b"put load {now} NaN host={host}\n", "not_finite", id="NaN"),
    pytest.param(b"put load {now} -inf host={host}\n", "not_finite", id="infinity"),
    pytest.param(b"put load {now} 1e999 host={host}\n", "not_finite", id="a number that is infinite"),
    pytest.param(b"put load {now} 1\n", "unknown_host", id="no tags"),
    pytest.param(b"put load {now} 1 host\n", "malformed", id="a tag without a value"),
    pytest.param(b"put load {now} 1 host=\n", "malformed", id="a tag with an empty value"),
    pytest.param(b"put load {now} 1 =web\n", "malformed", id="a tag without a name"),
    pytest.param(b"put load {now} 1 host={host} host={host}\n", "malformed", id="a tag twice"),
    pytest.param(b"put load {now} 1 host=" + b"x" * 300 + b"\n", "malformed", id="a tag that is too long"),
    pytest.param(
        b"put load {now} 1 " + b" ".join(b"t%d=1" % n for n in range(17)) + b"\n", "malformed", id="too many tags"
    ),
    pytest.param(b"put load {now} 1 host=unheard.of\n", "unknown_host", id="an unknown host"),
    pytest.param(b"put load {now} 1 host=\xff\xfe\n", "unknown_host", id="a host that is not text"),
    pytest.param(b"put load {now} 1 domain=web\n", "unknown_domain", id="a domain without credentials"),
]


@pytest.mark.parametrize(("line", "reason"), MALFORMED)
async def test_a_line_that_does_not_count_is_counted_and_harms_nobody(
    station: Station, line: bytes, reason: str
) -> None:
    """F102: the next line on the same connection counts, and nothing of the bad one is kept."""
    now = f"{station.office.now.timestamp():.0f}".encode()
    bad = line.replace(b"{now}", now).replace(b"{host}", station.ids[0].encode())

    await station.say(bad, station.put(7))

    assert await station.kept() == {station.series(): 7.0}
    assert station.counts == {reason: 1, "taken": 1}


async def test_times_in_milliseconds_and_a_little_off_are_taken(station: Station) -> None:
    """Clocks of VMs are off by seconds; a sender that was cut off sends the last minutes later."""
    now = station.office.now
    millis = f"put a {now.timestamp() * 1000:.0f} 1 host={station.ids[0]}\n"
    ahead = station.put(2, "b", -90)
    behind = station.put(3, "c", 50 * 60)

    await station.say(millis, ahead, behind)

    assert sorted((await station.kept()).values()) == [1.0, 2.0, 3.0]


async def test_a_new_instance_is_known_as_soon_as_it_reports(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown host is looked for once more, but not for every line."""
    await station.say(station.put())
    station.office.call("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=3)
    (new,) = await station.office.fill_now()

    await station.say(station.put(host=new))
    assert station.counts == {"taken": 1, "unknown_host": 1}
    monkeypatch.setattr(intake, "LOOK_S_MIN", 0.0)
    await station.say(station.put(host=new))

    assert station.counts == {"taken": 2, "unknown_host": 1}


async def test_an_address_that_two_users_have_needs_credentials(station: Station) -> None:
    """Private addresses are the same in many clouds; nobody's sample counts for a stranger's instance."""
    bob = station.office.add_user("bob", "AKIABOBBOBBOBBOBBOB1", "222222222222")
    station.office.call(
        "CreateLaunchConfiguration", bob, LaunchConfigurationName="x@hotel", ImageId="hello", InstanceType="m1.small"
    )
    station.office.call(
        "CreateAutoScalingGroup",
        bob,
        AutoScalingGroupName="bobs",
        LaunchConfigurationName="x@hotel",
        MinSize=1,
        MaxSize=1,
        AvailabilityZones=["us-east-1a"],
    )
    alice, station.office.user = station.office.user, bob
    (theirs,) = await station.office.fill_now("bobs")
    station.office.user = alice
    station.set_address(0, private_ip="10.0.0.5")

    station.set_address(0, user=bob, instance_id=theirs, private_ip="10.0.0.5")

    await station.say(station.put(1, host="10.0.0.5"))
    assert station.counts == {"ambiguous_host": 1}
    await station.say(station.put(2, host="10.0.0.5", token=TOKEN), station.put(3, host=theirs, token=TOKEN))

    assert await station.kept() == {station.series(): 2.0}
    assert station.counts == {"ambiguous_host": 1, "taken": 1, "unknown_host": 1}


async def test_without_credentials_nothing_counts_unless_the_operator_says_so(strict: Station) -> None:
    """A user's name alone proves nothing, and a wrong token is no token."""
    host = strict.ids[0]

    await strict.say(strict.put(), strict.put(host=host, user="alice"), strict.put(host=host, user="alice", token="no"))
    await strict.say(strict.put(host=host, user="bob", token=TOKEN))

    assert await strict.kept() == {}
    assert strict.counts == {"anonymous": 2, "bad_credentials": 2}


@pytest.mark.parametrize("name", ["alice", "AKIAALICEALICEALICE1", "1", ""])
async def test_a_token_counts_for_its_user_by_any_of_his_names(strict: Station, name: str) -> None:
    """Name, access key and id are the same person; the token alone says who it is as well."""
    line = strict.put(host=strict.ids[0], token=TOKEN, user="NAME")

    await strict.say(line.replace(" user=NAME", f" user={name}" if name else ""))

    assert await strict.kept() == {strict.series(): 1.5}


async def test_a_domain_is_known_by_name_and_by_id(strict: Station) -> None:
    """The original's documents said one thing and its queries did the other; both are right here."""
    await strict.say(strict.put(4, "queue", domain="web", token=TOKEN))
    await strict.say(strict.put(5, "errors", domain=strict.office.uid(), token=TOKEN))
    await strict.say(strict.put(6, "queue", domain="db", token=TOKEN))

    assert await strict.kept() == {strict.of_group("queue"): 4.0, strict.of_group("errors"): 5.0}
    assert strict.counts == {"taken": 2, "unknown_domain": 1}


async def test_a_vm_that_names_its_domain_speaks_for_itself(strict: Station) -> None:
    """Tcollector sends host and domain with everything; only who is no VM speaks for the domain."""
    await strict.say(
        strict.put(1, host=strict.ids[0], domain="web", token=TOKEN),
        strict.put(2, host="monitor.example.org", domain="web", token=TOKEN),
    )

    assert await strict.kept() == {strict.series(): 1.0, strict.of_group("load"): 2.0}


async def test_a_password_works_and_is_found_nowhere(
    strict: Station, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is checked as at the login, and neither stored nor logged nor shown, whether right or wrong."""
    caplog.set_level(logging.DEBUG)
    hashed = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(SECRET)
    user_id = strict.office.user.id
    strict.office.database.write_now(lambda c: users.change(c, user_id, {"password_hash": hashed}))
    host = strict.ids[0]

    answer = await strict.say(
        strict.put(3, host=host, user="alice", password=SECRET),
        strict.put(4, host=host, user="alice", password=SECRET + "x"),
        strict.put(5, host=host, user="alice", password=SECRET).replace(" host", " bad host"),
        "stats\n",
    )

    assert await strict.kept() == {strict.series(): 3.0}
    assert strict.counts == {"taken": 1, "bad_credentials": 1, "malformed": 1}
    assert SECRET.encode() not in answer
    assert SECRET not in caplog.text
    strict.office.close()
    assert files_with(SECRET, tmp_path) == []


async def test_guessing_is_slow(strict: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """F88: after ten wrong passwords within a minute none is checked any more, and the right one has to wait."""
    monkeypatch.setattr(senders, "GUESSES_MAX", 3)
    hashed = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(SECRET)
    user_id = strict.office.user.id
    strict.office.database.write_now(lambda c: users.change(c, user_id, {"password_hash": hashed}))

    await strict.say(*(strict.put(host=strict.ids[0], user="alice", password=f"guess{n}") for n in range(3)))
    await strict.say(strict.put(host=strict.ids[0], user="alice", password=SECRET))

    assert strict.counts == {"bad_credentials": 3, "too_many_guesses": 1}


async def test_a_sender_of_nonsense_is_cut_off(station: Station) -> None:
    """Whatever speaks another protocol here is sent away after a hundred lines."""
    async with station.connection() as (reader, writer):
        writer.write(b"\x16\x03\x01 nonsense\n" * 150)
        answer = await reader.read()

    assert answer.count(b"unknown command") == 100
    assert station.counts == {"cut_off": 1}


async def test_a_line_without_end_is_cut_off(station: Station) -> None:
    """Nothing beyond a few kilobytes is kept of it."""
    async with station.connection() as (reader, writer):
        writer.write(b"put load " + b"9" * 100_000)
        with suppress(ConnectionResetError):  # what it had not read yet makes the end a harder one
            assert await reader.read() == b""

    assert station.counts == {"line_too_long": 1}


async def test_a_dripping_sender_is_cut_off(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line has its time from its first byte on; one byte now and then does not buy more."""
    monkeypatch.setattr(receiver, "LINE_S_MAX", 0.3)
    async with station.connection() as (reader, writer):

        async def drip() -> None:
            while not reader.at_eof():
                writer.write(b"p")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        dripping.cancel()

    assert station.counts == {"too_slow": 1}


async def test_silence_is_cut_off_in_the_end(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first byte and after a line alike: connections are few, and the silent must not keep them."""
    monkeypatch.setattr(receiver, "IDLE_S_MAX", 0.2)
    async with station.connection() as (silent, _), station.connection() as (quiet, writer), asyncio.timeout(5):
        writer.write(station.put().encode())
        assert await quiet.read() == b""
        assert await silent.read() == b""


async def test_one_connection_too_many_is_refused(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """F101: those that are there go on; when one leaves, there is room again, after lines and after HTTP."""
    monkeypatch.setattr(receiver, "CONNECTIONS_MAX", 1)
    async with station.connection() as (reader, writer):
        writer.write(b"version\n")
        assert await reader.readline() != b""
        async with station.connection() as (refused, _):
            assert await refused.read() == b""

    for _ in range(3):
        assert b"phantom-gateway" in await _eventually(station)
        assert await _http_eventually(station) == 200
    assert station.counts["connections_refused"] >= 1


async def _http_eventually(station: Station) -> int:
    """The status of a request, once the connection before has gone."""
    for _ in range(100):
        try:
            return (await station.http("GET", "/api/version"))[0]
        except (IndexError, ConnectionError):
            await asyncio.sleep(0.02)
    return 0


async def _eventually(station: Station) -> bytes:
    """The answer to version, once the connection before has gone."""
    for _ in range(100):
        with suppress(ConnectionError):
            answer = await station.say("version\n")
            if answer:
                return answer
        await asyncio.sleep(0.02)
    return b""


async def test_a_sender_that_reads_nothing_costs_nothing(station: Station) -> None:
    """F101: tcollector never reads what is answered to its lines: answers are dropped, and lines go on counting."""
    lines = (b"put load x 1\n" * 90 + station.put().encode()) * 300
    async with station.connection() as (_, writer):
        writer.write(lines)
        await writer.drain()
        await until(lambda: station.sensing.intake.counts["taken"] == 300, "all samples to be taken")

    assert station.counts == {"malformed": 27_000, "taken": 300}


async def test_a_user_has_as_many_series_as_the_operator_lets_him(tmp_path: Path) -> None:
    """F100: what is one too many is counted, in memory already."""
    async with opened(tmp_path, series_per_user_max=2) as station:
        await station.say(*(station.put(1, f"m{number}") for number in range(4)), station.put(2, "m0"))

        assert sorted(name[2] for name in await station.kept()) == ["m0", "m1"]
        assert station.counts == {"taken": 3, "no_room": 2}


async def test_news_of_a_sensor_that_moves_a_group_wakes_it_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for every sample, and the last one is not forgotten; other metrics wake nobody."""
    monkeypatch.setattr(intake, "WAKE_EVERY_S", 0.3)
    tags = {"PHANTOM_DEFINITION": "sensor_engine", "metric": "load", "scale_up_threshold": "2"}
    async with opened(tmp_path, tags=tags) as station:
        record = await station.office.ledger.read(station.office.uid())
        assert record is not None
        await station.sensing.sensors.readings(record, station.office.now)

        await station.say(station.put(1, "other"))
        assert station.woken == []
        await station.say(*(station.put(number) for number in range(100)))
        assert station.woken == [station.office.uid()]
        await until(lambda: len(station.woken) == 2, "the second pass")
