"""What sensors sent is added up by minutes, shown, bounded and dropped in time."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from phantom_gateway.records import groups, sensors, users
from phantom_gateway.records.sensors import GROUP_ITSELF, Rollup, SeriesName
from phantom_gateway.records.tables import sensor_rollups, sensor_series
from tests.phantom_gateway.office import NOW, Office
from tests.support.postgresql import Cluster

HOUR = timedelta(hours=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    """An office whose user has a group, on each kind of database."""
    url = None
    if request.param == "postgresql":
        cluster: Cluster = request.getfixturevalue("cluster")
        url = cluster.url(request.getfixturevalue("postgresql"))
    office = Office(tmp_path, url=url)
    office.create_launch_configuration()
    office.create_group("web")
    yield office
    office.database.close()


def uid_of(office: Office, name: str = "web") -> str:
    """The group's uid."""
    group = office.database.read_now(lambda connection: groups.find(connection, office.user.id, name))
    assert group is not None
    return group.uid


def rollup(office: Office, at: datetime, *values: float, metric: str = "load", instance: int = 7) -> Rollup:
    """What *values* come to in the minute of *at*."""
    return Rollup(
        user_id=office.user.id,
        name=SeriesName(uid_of(office), instance, metric),
        minute=sensors.minute_of(at),
        count=len(values),
        total=sum(values),
        least=min(values),
        most=max(values),
        last=values[-1],
        last_at=at,
    )


def add(office: Office, *rollups: Rollup, now: datetime = NOW, most: int = 100) -> int:
    """How many were refused."""
    return office.database.write_now(lambda connection: sensors.add(connection, rollups, most, now))


def shown(office: Office, now: datetime = NOW) -> dict[tuple[str, int], dict[str, dict[str, object]]]:
    """The present of the user's one group."""
    uid = uid_of(office)
    return office.database.read_now(lambda connection: sensors.data_of(connection, office.user.id, [uid], now))


def stored_minutes(office: Office) -> int:
    """Rollups there are."""
    return int(
        office.database.read_now(
            lambda c: c.execute(sa.select(sa.func.count()).select_from(sensor_rollups)).scalar_one()
        )
    )


def pruned(office: Office, now: datetime) -> int:
    """How many minutes the whole pruning dropped."""
    dropped, after = 0, 0
    while True:
        some, more = office.database.write_now(partial(sensors.prune, now=now, after=after))
        dropped += some
        if more is None:
            return dropped
        after = more


def test_rollups_of_one_minute_add_up(office: Office) -> None:
    """Whatever came in several batches, the minute is what all samples together come to."""
    add(office, rollup(office, NOW, 1.0, 5.0))
    add(office, rollup(office, NOW + timedelta(seconds=20), 3.0))

    (minute,) = office.database.read_now(
        lambda connection: sensors.minutes_of_metric(connection, office.user.id, "load", 0, 10**9, 10)
    )
    assert (minute.count, minute.total, minute.least, minute.most, minute.last) == (3, 9.0, 1.0, 5.0, 3.0)


def test_what_is_shown_is_the_present_by_instance_and_metric(office: Office) -> None:
    """Minutes of the last quarter of an hour make the series, and the newest two the average."""
    for ago, value in ((20, 100.0), (3, 8.0), (2, 4.0), (1, 2.0)):
        add(office, rollup(office, NOW - timedelta(minutes=ago), value))
    add(office, rollup(office, NOW, 9.0, metric="queue", instance=GROUP_ITSELF))

    assert shown(office) == {
        (uid_of(office), 7): {"load": {"series": [8.0, 4.0, 2.0], "average": 3.0}},
        (uid_of(office), GROUP_ITSELF): {"queue": {"series": [9.0], "average": 9.0}},
    }
    assert shown(office, NOW + HOUR) == {}
    assert office.database.read_now(lambda c: sensors.metrics_of(c, office.user.id)) == ["load", "queue"]


def test_another_users_data_is_not_shown(office: Office) -> None:
    """Whoever knows a group's uid and is not its user sees nothing."""
    add(office, rollup(office, NOW, 1.0))
    bob = office.add_user("bob", "AKIABOBBOBBOBBOBBOB1", "222222222222")
    uid = uid_of(office)

    assert office.database.read_now(lambda c: sensors.data_of(c, bob.id, [uid], NOW)) == {}
    assert office.database.read_now(lambda c: sensors.metrics_of(c, bob.id)) == []


def test_the_latest_value_is_the_latest_by_its_own_time(office: Office) -> None:
    """A sample that comes late is counted in its minute, and does not become the latest."""
    add(office, rollup(office, NOW, 5.0))
    add(office, rollup(office, NOW - timedelta(minutes=5), 1.0))
    uid = uid_of(office)

    assert office.database.read_now(lambda c: sensors.latest(c, uid, "load")) == {7: (5.0, NOW)}
    assert stored_minutes(office) == 2


def test_a_full_user_gets_a_new_series_only_for_an_abandoned_one(office: Office) -> None:
    """The limit refuses what is one too many, and counts it; a series without data for an hour makes room."""
    names = ["a", "b", "c"]
    assert add(office, *(rollup(office, NOW, 1.0, metric=name) for name in names), most=2) == 1
    assert office.database.read_now(lambda c: sensors.metrics_of(c, office.user.id)) == ["a", "b"]

    later = NOW + HOUR + timedelta(seconds=1)
    add(office, rollup(office, later, 1.0, metric="b"), now=later, most=2)
    assert add(office, rollup(office, later, 1.0, metric="c"), now=later, most=2) == 0

    assert office.database.read_now(lambda c: sensors.metrics_of(c, office.user.id)) == ["b", "c"]


def test_minutes_are_kept_for_fifteen_days(office: Office) -> None:
    """The pruning drops what is older, and then the series."""
    for number in range(60):
        add(office, rollup(office, NOW, 1.0, instance=number))
    add(office, rollup(office, NOW + timedelta(days=10), 1.0))

    assert pruned(office, NOW + timedelta(days=14)) == 0
    assert pruned(office, NOW + timedelta(days=16)) == 60
    assert stored_minutes(office) == 1
    assert (
        office.database.read_now(
            lambda c: c.execute(sa.select(sa.func.count()).select_from(sensor_series)).scalar_one()
        )
        == 1
    )


def test_many_series_are_kept_for_a_shorter_time(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's minutes are bounded: with twice the series, half the time."""
    monkeypatch.setattr(sensors, "ROLLUPS_PER_USER_MAX", 120)
    for number in (1, 2):
        add(office, rollup(office, NOW, 1.0, instance=number))

    assert pruned(office, NOW + timedelta(minutes=60)) == 0
    assert pruned(office, NOW + timedelta(minutes=62)) == 2


def test_data_goes_with_its_group_and_with_its_user(office: Office) -> None:
    """Nothing is left behind that nobody could ever read."""
    add(office, rollup(office, NOW, 1.0))
    add(office, replace(rollup(office, NOW, 1.0), name=SeriesName("no-such-group", 7, "load")))

    pruned(office, NOW)
    assert stored_minutes(office) == 1

    def gone(connection: sa.Connection) -> None:
        for name in ("groups", "launch_specs", "launch_configurations"):
            connection.execute(sa.text(f"delete from {name}"))
        users.remove(connection, office.user.id)

    office.database.write_now(gone)
    assert stored_minutes(office) == 0
