"""What the reconciler is told: windows, the last values of the silent, and what was there before a start."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from phantom_gateway.installation import Installation
from phantom_gateway.sensing import Sensing
from phantom_gateway.sensors.whereabouts import Target
from reconciler.model import GroupRecord, Readings
from tests.phantom_gateway.sensors.station import TOKEN, Station, opened
from tests.support.postgresql import Cluster

TAGS = {"PHANTOM_DEFINITION": "error_overflow_n_preserving", "metric": "load", "clouds": "hotel:-1"}


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def station(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Station]:
    """A station whose group is moved by load, on each kind of database."""
    url = None
    if request.param == "postgresql":
        cluster: Cluster = request.getfixturevalue("cluster")
        url = cluster.url(request.getfixturevalue("postgresql"))
    async with opened(tmp_path, tags=TAGS, url=url) as station:
        await readings(station)  # from here on its window is kept
        yield station


async def record(station: Station) -> GroupRecord:
    """The group as the reconciler reads it."""
    found = await station.office.ledger.read(station.office.uid())
    assert found is not None
    return found


async def readings(station: Station, sensing: Sensing | None = None) -> Readings:
    """What the reconciler is told of the group."""
    return await (sensing or station.sensing).sensors.readings(await record(station), station.office.now)


def set_tags(station: Station, **tags: str) -> None:
    """Nothing; the group has these tags as well."""
    whose = {"ResourceId": "web", "ResourceType": "auto-scaling-group"}
    station.office.call("CreateOrUpdateTags", Tags=[{"Key": k, "Value": v, **whose} for k, v in tags.items()])


@pytest.mark.parametrize(
    ("function", "expected"),
    [("Average", 3.0), ("Sum", 9.0), ("SampleCount", 3.0), ("Minimum", 1.0), ("Maximum", 5.0)],
)
async def test_the_statistic_is_of_the_samples_in_the_period(station: Station, function: str, expected: float) -> None:
    """Older samples do not count, other metrics and other instances neither."""
    set_tags(station, sample_function=function)
    await readings(station)
    await station.say(station.put(100, ago_s=200), station.put(1, ago_s=60), station.put(5, ago_s=30), station.put(3))
    await station.say(station.put(50, "other"), station.put(2, host=station.ids[1]))

    told = await readings(station)

    assert told.of_instances[station.key(0)].value == expected
    assert told.of_instances[station.key(0)].at == station.office.now
    assert len(told.of_instances) == 2
    assert told.of_group is None


async def test_a_silent_sensor_is_known_by_its_last_value(station: Station) -> None:
    """Tcollector sends a value that does not change every 300 s: the window is empty, the value is not gone."""
    await station.say(station.put(1), station.put(4))
    sent_at = station.office.now
    station.office.later(300)

    reading = (await readings(station)).of_instances[station.key(0)]

    assert (reading.value, reading.at) == (4.0, sent_at)


async def test_after_a_start_the_last_values_are_known(station: Station) -> None:
    """A new process begins with what the records have, and the group is not left without data."""
    await station.say(station.put(4))
    await station.sensing.intake.write()
    again = Sensing(
        station.sensing._config,
        Installation(station.sensing._config, station.office.database, station.office.keyring, "gw", b""),
        lambda: station.office.now,
        station.woken.append,
        lambda _connection, _token, _now: None,
    )
    station.office.later(60)

    assert (await readings(station, again)).of_instances[station.key(0)].value == 4.0


async def test_a_sensor_of_the_domain_is_one_reading(station: Station) -> None:
    """Whatever its instances say of the same metric."""
    set_tags(station, metric="queue", monitor_domain_sensors="queue")
    await readings(station)
    await station.say(station.put(9, "queue", domain="web", token=TOKEN), station.put(1, "queue"))

    told = await readings(station)

    assert told.of_group is not None
    assert told.of_group.value == 9.0
    assert told.of_instances == {}


async def test_another_period_counts_from_its_first_pass_on(station: Station) -> None:
    """The window is begun anew, and until it has samples the last value stands."""
    await station.say(station.put(1), station.put(4))
    set_tags(station, sample_period="5")
    assert (await readings(station)).of_instances[station.key(0)].value == 4.0

    await station.say(station.put(6), station.put(8))

    assert (await readings(station)).of_instances[station.key(0)].value == 7.0


async def test_a_source_that_is_not_configured_says_so(station: Station) -> None:
    """A group that waits for a Prometheus nobody named is told why it never moves."""
    set_tags(station, sensor_type="prometheus")

    assert (await readings(station)) == Readings(trouble="no Prometheus is configured, in [sensors.prometheus]")


def neighbour_of(station: Station, told: list[str]) -> Sensing:
    """Another gateway's sensors on the same records; *told* gets the groups whose owner has to hear of samples."""
    config, office = station.sensing._config, station.office
    installation = Installation(config, office.database, office.keyring, "gw", b"")
    return Sensing(
        config,
        installation,
        lambda: office.now,
        lambda _uid: None,
        lambda *_: None,
        lambda _connection, uid: told.append(uid),
    )


@pytest.mark.parametrize(
    ("function", "expected"),
    [("Average", 6.0), ("Sum", 18.0), ("SampleCount", 3.0), ("Minimum", 2.0), ("Maximum", 9.0)],
)
async def test_samples_that_another_gateway_took_count_for_the_owner(
    station: Station, function: str, expected: float
) -> None:
    """A load balancer gave the sender to another gateway: the owner reads what that one wrote, and is told of it."""
    if not station.office.database.is_shared:
        pytest.skip("one gateway has a file for itself")
    set_tags(station, sample_function=function)
    told: list[str] = []
    owner = neighbour_of(station, [])
    await readings(station, owner)
    station.sensing.intake._pass_on = lambda _connection, uid: told.append(uid)
    await station.say(station.put(100, ago_s=300), station.put(7, ago_s=45), station.put(2, ago_s=20), station.put(9))
    await station.sensing.intake.write()
    reading = (await readings(station, owner)).of_instances[station.key(0)]

    assert (reading.value, reading.at) == (expected, station.office.now)
    assert set(told) == {station.office.uid()}


async def test_what_the_owner_took_itself_is_not_believed_for_longer_than_it_is_the_newest(station: Station) -> None:
    """The sender went to another gateway: without this, its old value counted for a quarter of an hour."""
    if not station.office.database.is_shared:
        pytest.skip("one gateway has a file for itself")
    other = neighbour_of(station, [])
    await station.say(station.put(1))
    await station.sensing.intake.write()
    own = (await readings(station)).of_instances[station.key(0)]
    station.office.later(240)
    key, now_s = station.key(0), station.office.now.timestamp()
    other.intake.take(Target(station.office.user.id, station.office.uid(), key), "load", now_s, 8.0, now_s)
    await other.intake.write()
    newer = (await readings(station)).of_instances[key]

    assert (own.value, newer.value, newer.at) == (1.0, 8.0, station.office.now)
