"""
Fixtures of all tests: a PostgreSQL server, made when the first test asks for it, and databases of both kinds.

Owns: whose database a test gets, and which rooms begin. Does not own: the server itself (``tests.support.postgresql``).
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from phantom_gateway.records.session import Database, sqlite_url
from tests.support import canary, records
from tests.support.postgresql import Cluster, binaries, remove_shared, shared

LONGEST = ("sim", "crash_points", "processes", "clients", "real_clouds")
"""Rooms with files that take minutes. They begin, so that no worker is left with one when the others have ended."""


OF_BOTH_KINDS = {"cluster", "database", "kept", "office", "own_cluster", "pair"}
"""Fixtures of tests that every run plays on PostgreSQL: ``make test-postgresql`` is for the others."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Nothing; the longest rooms are first, in this order, and all else is as it was."""
    if records.CHOSEN == records.POSTGRESQL:
        known = [item for item in items if OF_BOTH_KINDS.intersection(getattr(item, "fixturenames", ()))]
        config.hook.pytest_deselected(items=known)
        items[:] = [item for item in items if item not in known]
    rank = {room: number for number, room in enumerate(LONGEST)}
    root = Path(__file__).parent
    items.sort(key=lambda item: rank.get(item.path.relative_to(root).parts[0], len(rank)))


def pytest_configure(config: pytest.Config) -> None:
    """Nothing; a run that leaves a planted secret anywhere fails."""
    config.pluginmanager.register(canary, "canary")
    if records.CHOSEN not in records.KINDS:
        raise pytest.UsageError(f"PHANTOM_TEST_DATABASE is one of {', '.join(records.KINDS)}, not {records.CHOSEN}")
    if records.CHOSEN == records.POSTGRESQL and binaries() is None:
        raise pytest.UsageError("PHANTOM_TEST_DATABASE: PostgreSQL is not installed: apt-get install postgresql")


def pytest_sessionfinish() -> None:
    """Nothing; the shared server is gone, searched for what must not be there."""
    remove_shared()


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """A PostgreSQL server that every test shares, each with databases of its own."""
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    return shared()


@pytest.fixture
def postgresql(cluster: Cluster) -> Iterator[str]:
    """The name of a database with the newest schema and nothing in it, on the shared server."""
    name = cluster.shared_database()
    yield name
    cluster.empty(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database with the newest schema, once of each kind."""
    if request.param == "sqlite":
        from tests.phantom_gateway.office import empty_database

        shutil.copy(empty_database(), tmp_path / "records.db")
        url = sqlite_url(tmp_path / "records.db")
    else:
        cluster: Cluster = request.getfixturevalue("cluster")
        url = cluster.url(request.getfixturevalue("postgresql"))
    made = Database(url)
    yield made
    made.close()
