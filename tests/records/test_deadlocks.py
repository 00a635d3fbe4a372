"""F62: what PostgreSQL refuses so that somebody else may go on is done again, and nobody hears of it."""

import threading
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from phantom_gateway.records.session import Connection, Database, RecordsUnavailable
from tests.support.postgresql import Cluster

WAIT_S_MAX = 30


@pytest.fixture
def database(cluster: Cluster, postgresql: str) -> Iterator[Database]:
    """A database with two facts, both 0."""
    made = Database(cluster.url(postgresql))
    made.write_now(lambda c: c.execute(sa.text("insert into gateway values ('left', '0'), ('right', '0')")))
    yield made
    made.close()


def added(connection: Connection, name: str) -> None:
    """Nothing; the fact is one more."""
    connection.execute(sa.text("update gateway set value = cast(value as int) + 1 where name = :name"), {"name": name})


def both(database: Database, *jobs: Callable[[Connection], None]) -> None:
    """Nothing; the jobs have run beside each other, and neither raised anything."""
    errors: list[Exception] = []

    def run(job: Callable[[Connection], None]) -> None:
        try:
            database.write_now(job)
        except (sa.exc.DBAPIError, RecordsUnavailable) as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S_MAX)

    assert errors == []


def values(database: Database) -> dict[str, int]:
    """What the facts are."""
    rows = database.read_now(lambda c: c.execute(sa.text("select name, value from gateway")).all())
    return {name: int(value) for name, value in rows if name in {"left", "right"}}


def test_of_two_jobs_that_wait_for_each_other_both_are_done(database: Database) -> None:
    """F62: each has what the other wants next; one is run again from its beginning, and each is done once."""
    meeting, runs = threading.Barrier(2), list[str]()

    def crossing(first: str, second: str) -> Callable[[Connection], None]:
        def job(connection: Connection) -> None:
            is_first_run = first not in runs
            runs.append(first)
            added(connection, first)
            if is_first_run:
                meeting.wait(WAIT_S_MAX)
            added(connection, second)

        return job

    both(database, crossing("left", "right"), crossing("right", "left"))

    assert values(database) == {"left": 2, "right": 2}
    assert len(runs) == 3, "there was no deadlock"


def test_a_job_that_decided_on_old_facts_decides_again(database: Database) -> None:
    """F62: under serializable isolation, one of two that read before either wrote is refused and reads anew."""
    meeting, runs = threading.Barrier(2), list[str]()

    def deciding(name: str) -> Callable[[Connection], None]:
        def job(connection: Connection) -> None:
            connection.execute(sa.text("set transaction isolation level serializable"))
            is_first_run = name not in runs
            runs.append(name)
            total = sum(
                int(row[0])
                for row in connection.execute(sa.text("select value from gateway where name in ('left', 'right')"))
            )
            if is_first_run:
                meeting.wait(WAIT_S_MAX)
            if total == 0:
                added(connection, name)

        return job

    both(database, deciding("left"), deciding("right"))

    assert sum(values(database).values()) == 1
    assert len(runs) == 3, "nobody was refused"
