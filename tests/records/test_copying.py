"""Moving from SQLite to PostgreSQL: everything arrives, once, and works there."""

from pathlib import Path

import pytest

from phantom_gateway.operations.fragments import FragmentCache
from phantom_gateway.records import copying, groups
from phantom_gateway.records.copying import CopyError, copy
from phantom_gateway.records.session import Connection, Database
from phantom_gateway.records.tables import metadata
from tests.phantom_gateway.office import Office
from tests.support.postgresql import Cluster


def everything(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table that is copied."""

    def job(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
        return {
            table.name: [tuple(row) for row in connection.execute(table.select().order_by(*table.primary_key.columns))]
            for table in metadata.sorted_tables
            if table not in copying.OF_THE_MOMENT
        }

    return database.read_now(job)


@pytest.fixture
def target(cluster: Cluster, postgresql: str) -> Database:
    """An empty database on the server."""
    return Database(cluster.url(postgresql))


def test_everything_arrives_and_works_there(tmp_path: Path, target: Database) -> None:
    """The same rows, the same secrets under the same keys, and numbers that go on after the highest ever given."""
    office = Office(tmp_path)
    office.create_launch_configuration(UserData="c2VjcmV0")
    office.create_group(Tags=[{"Key": "owner", "Value": "ä€😀"}])
    office.create_group("gone")
    office.call("DeleteAutoScalingGroup", AutoScalingGroupName="gone", ForceDelete=True)
    office.fill()
    before = everything(office.database)
    told: list[tuple[str, int, int]] = []

    counts = copy(office.database, target, lambda *words: told.append(words))

    assert everything(target) == before
    assert counts == {name: len(rows) for name, rows in before.items()}
    assert {name: done for name, done, expected in told if done == expected} == counts
    office.database.close()
    office.database = target
    office.house = type(office.house)(
        **{name: getattr(office.house, name) for name in office.house.__slots__} | {"fragments": FragmentCache()}
    )
    (shown,) = office.call("DescribeLaunchConfigurations")["LaunchConfigurations"]
    assert shown["UserData"] == "c2VjcmV0"
    assert len(office.group()["Instances"]) == 2
    office.create_group("new")
    made = target.read_now(lambda connection: groups.find(connection, office.user.id, "new"))
    assert made is not None
    assert made.id == 3
    office.close()


def test_a_database_in_use_is_not_copied_to(tmp_path: Path, cluster: Cluster, target: Database) -> None:
    """A single row there is reason enough; nothing is changed."""
    office = Office(tmp_path)
    (tmp_path / "other").mkdir()
    other = Office(tmp_path / "other", url=cluster.url(cluster.shared_database()))
    before = everything(target)

    with pytest.raises(CopyError, match=r"records in the target already \(in users\)"):
        copy(office.database, target, lambda *_: None)

    assert everything(target) == before
    for database in (office, other, target):
        database.close()


def test_a_copy_that_is_cut_short_leaves_nothing(tmp_path: Path, target: Database) -> None:
    """Whatever ends it, the target is as empty as before."""
    office = Office(tmp_path)
    office.create_launch_configuration()
    office.create_group()

    def interrupt(table: str, done: int, _expected: int) -> None:
        if table == "groups" and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(office.database, target, interrupt)

    assert not any(everything(target).values())
    office.close()
    target.close()
