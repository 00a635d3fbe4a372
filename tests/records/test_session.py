"""Transactions: what a job leaves behind, alone and in company."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from phantom_gateway.records import users
from phantom_gateway.records.session import (
    AT_ONCE_RESTS,
    AT_ONCE_S_MAX,
    Connection,
    Database,
    RecordsUnavailable,
    sqlite_url,
)
from phantom_gateway.records.tables import metadata


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the database is; its name has characters that mean something in a URL."""
    return tmp_path / "a?b#c %41.db"


@pytest.fixture
def database(file: Path) -> Iterator[Database]:
    """A database with the newest schema."""
    database = Database(sqlite_url(file))
    database.migrate()
    yield database
    database.close()


def facts(database: Database) -> set[str]:
    """The names of all facts recorded."""
    return set(database.read_now(lambda c: c.execute(sa.text("select name from gateway")).scalars().all()))


def failing(connection: Connection) -> None:
    """Writes, then fails."""
    users.record_fact(connection, "half", "done")
    raise ValueError("no")


def test_the_migrated_schema_is_the_one_the_code_uses(database: Database) -> None:
    """Nothing is in the tables of the code that no migration made, and the other way round."""

    def job(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    assert database.read_now(job) == []


def test_migrating_twice_changes_nothing(database: Database, file: Path) -> None:
    """Every start migrates; a database that is up to date stays as it is."""
    database.write_now(lambda connection: users.record_fact(connection, "kept", "yes"))
    database.migrate()

    assert facts(database) == {"kept"}
    assert file.exists()


async def test_a_failed_job_leaves_nothing_behind(database: Database) -> None:
    """Its error reaches the caller, and only the caller."""
    with pytest.raises(ValueError, match="no"):
        await database.write(failing)

    assert facts(database) == set()


async def test_jobs_committed_together_fail_alone(database: Database) -> None:
    """Of a hundred jobs that share commits, the failing ones leave nothing and the others everything."""
    jobs = [
        database.write(failing if n % 3 == 0 else lambda c, n=n: users.record_fact(c, f"fact {n}", "x"))  # type: ignore[misc]
        for n in range(100)
    ]

    outcomes = await asyncio.gather(*jobs, return_exceptions=True)

    assert [isinstance(outcome, ValueError) for outcome in outcomes] == [n % 3 == 0 for n in range(100)]
    assert facts(database) == {f"fact {n}" for n in range(100) if n % 3}


async def test_a_job_that_fails_before_it_writes_costs_the_others_nothing(database: Database) -> None:
    """A request that is refused is the usual failure: what else is in its batch is run once."""
    runs: list[int] = []

    def counted(connection: Connection, number: int) -> None:
        runs.append(number)
        if number == 2:
            raise ValueError("no")
        users.record_fact(connection, f"fact {number}", "x")

    await asyncio.gather(*(database.write(partial(counted, number=n)) for n in range(5)), return_exceptions=True)

    assert runs == [0, 1, 2, 3, 4]
    assert facts(database) == {"fact 0", "fact 1", "fact 3", "fact 4"}


async def test_a_read_sees_what_was_written_and_leaves_nothing(database: Database) -> None:
    """Both on the one connection of the event loop: a read that writes by mistake has changed nothing."""
    await database.write(lambda connection: users.record_fact(connection, "written", "x"))

    assert await database.read(lambda c: users.fact(c, "written")) == "x"
    with pytest.raises(ValueError, match="no"):
        await database.read(failing)
    await database.read(lambda connection: users.record_fact(connection, "by mistake", "x"))
    assert facts(database) == {"written"}


async def test_a_read_that_is_cut_off_leaves_no_transaction_open(database: Database) -> None:
    """Whatever ends a job, the next one begins as if nothing had been, and sees what was written meanwhile."""

    def cut_off(connection: Connection) -> None:
        users.fact(connection, "later")
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await database.read(cut_off)
    database.write_now(lambda connection: users.record_fact(connection, "later", "x"))

    assert await database.read(lambda connection: users.fact(connection, "later")) == "x"
    await database.write(lambda connection: users.record_fact(connection, "again", "x"))
    assert facts(database) == {"later", "again"}


async def test_a_write_is_on_disk_when_it_is_answered(database: Database, file: Path) -> None:
    """A second connection sees it at once, without the first being closed."""
    await database.write(lambda connection: users.record_fact(connection, "durable", "x"))

    other = sqlite3.connect(file)
    assert other.execute("select name from gateway").fetchall() == [("durable",)]
    assert database.read_now(lambda c: c.exec_driver_sql("pragma synchronous").scalar()) == 2  # FULL
    other.close()


async def test_a_reader_sees_one_moment(database: Database) -> None:
    """What is committed while a read goes on is not part of it."""

    def job(connection: Connection) -> tuple[int, int]:
        count = sa.text("select count(*) from gateway")
        before = connection.execute(count).scalar_one()
        database.write_now(lambda writer: users.record_fact(writer, "meanwhile", "x"))
        return before, connection.execute(count).scalar_one()

    assert await database.read(job) == (0, 0)
    assert facts(database) == {"meanwhile"}


async def test_a_database_in_trouble_is_told_as_such(database: Database) -> None:
    """What the database refuses is RecordsUnavailable, for reads and writes, and it recovers by itself."""

    def broken(connection: Connection) -> None:
        connection.exec_driver_sql("select * from no_such_table")

    with pytest.raises(RecordsUnavailable):
        await database.read(broken)
    with pytest.raises(RecordsUnavailable):
        await database.write(broken)

    await database.write(lambda connection: users.record_fact(connection, "again", "x"))
    assert facts(database) == {"again"}


async def test_a_closed_database_refuses_writes(file: Path) -> None:
    """Jobs that waited are finished, later ones are told at once."""
    database = Database(sqlite_url(file))
    database.migrate()
    waiting = [
        asyncio.ensure_future(database.write(lambda c, n=n: users.record_fact(c, f"fact {n}", "x")))  # type: ignore[misc]
        for n in range(5)
    ]
    await asyncio.sleep(0)
    await asyncio.to_thread(database.close)
    await asyncio.gather(*waiting)

    with pytest.raises(RecordsUnavailable):
        await database.write(failing)
    with pytest.raises(RecordsUnavailable):
        await database.read(lambda connection: users.fact(connection, "fact 0"))
    other = sqlite3.connect(file)
    assert other.execute("select count(*) from gateway").fetchall() == [(5,)]
    other.close()


async def test_somebody_elses_lock_holds_up_the_write_and_nothing_else(database: Database, file: Path) -> None:
    """F64: while another process writes, the event loop goes on; the write is done as soon as it may be."""
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.ensure_future(database.write(lambda c: users.record_fact(c, "patient", "x")))
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    done, _ = await asyncio.wait([waiting], timeout=0.2)

    assert not done
    assert loop.time() - began_s < 5
    other.execute("COMMIT")
    other.close()
    await waiting
    assert facts(database) == {"patient"}


async def test_a_slow_disk_holds_the_event_loop_up_for_a_few_commits_only(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One long commit may come of a busy processor; when all are long, the thread takes over, and then gives back."""
    here, loop = threading.current_thread().name, asyncio.get_running_loop()
    took_s, time_of_the_loop = [0.0], loop.time
    monkeypatch.setattr(loop, "time", lambda: time_of_the_loop() + took_s[0])

    def slow(_connection: Connection) -> str:
        took_s[0] += 1.5 * AT_ONCE_S_MAX
        return threading.current_thread().name

    assert await database.write(slow) == here
    places = [await database.write(slow) for _ in range(10)]
    assert places[0] == here
    assert places[-1] != here

    meanwhile = [await database.write(lambda _c: threading.current_thread().name) for _ in range(5 * AT_ONCE_RESTS)]
    assert meanwhile[0] != here
    assert here in meanwhile


async def test_what_comes_in_turns_of_the_loop_is_committed_together(database: Database, file: Path) -> None:
    """Not only what comes in the same turn: a commit costs more than most jobs."""
    other = sqlite3.connect(file)
    seen = []

    async def write(number: int) -> None:
        for _ in range(number):
            await asyncio.sleep(0)
        await database.write(lambda c: users.record_fact(c, f"fact {number}", "x"))
        seen.append(other.execute("select count(*) from gateway").fetchone()[0])

    await asyncio.gather(*(write(number) for number in range(5)))

    assert seen == [5] * 5
    other.close()
