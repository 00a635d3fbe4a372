"""F65: a file that is damaged is refused with a word on what to do, and never written to."""

import asyncio
import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from phantom_gateway.records.prepared import Prepared
from phantom_gateway.records.session import Connection, Database, RecordsDamagedError, RecordsUnavailable, sqlite_url
from phantom_gateway.records.tables import metadata
from tests.phantom_gateway.office import empty_database

PAGE_BYTES = 4096
GATEWAY = metadata.tables["gateway"]
FACTS = Prepared(sa.select(GATEWAY.c.name, GATEWAY.c.value))


def overwritten(first_page: int) -> Callable[[bytes], bytes]:
    """Damage to everything from that page on."""
    return lambda whole: whole[: first_page * PAGE_BYTES] + os.urandom(len(whole) - first_page * PAGE_BYTES)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda _: b"these are no records\n" * 500, id="another file"),
        pytest.param(overwritten(0), id="all of it"),
        pytest.param(overwritten(1), id="all but its head"),
        pytest.param(lambda whole: whole[: len(whole) // 2], id="cut in half"),
    ],
)
def test_a_damaged_file_is_refused_and_left_alone(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """F65: nothing is made of what makes no sense, and whoever repairs it finds it as it was."""
    file = tmp_path / "phantom.db"
    file.write_bytes(damage(empty_database().read_bytes()))
    before = file.read_bytes()
    database = Database(sqlite_url(file))
    try:
        with pytest.raises(RecordsDamagedError):
            database.migrate()
    finally:
        database.close()

    assert file.read_bytes() == before


def by_statement(connection: Connection) -> object:
    """What SQLAlchemy finds in a table."""
    return connection.execute(sa.select(GATEWAY)).all()


def by_prepared(connection: Connection) -> object:
    """What the driver finds in it."""
    return FACTS.rows(connection)


@pytest.mark.parametrize("job", [by_statement, by_prepared])
def test_damage_that_comes_later_is_a_trouble_of_the_database(
    tmp_path: Path, job: Callable[[Connection], object]
) -> None:
    """F65: callers hear that records cannot be used now, which they wait out."""
    file = tmp_path / "phantom.db"
    shutil.copy(empty_database(), file)
    with contextlib.closing(sqlite3.connect(file)) as outside:
        ((page,),) = outside.execute("select rootpage from sqlite_master where name = 'gateway'")
    with file.open("r+b") as raw:
        raw.seek((page - 1) * PAGE_BYTES)
        raw.write(os.urandom(PAGE_BYTES))
    database = Database(sqlite_url(file))
    try:
        for use in (database.read, database.write):
            with pytest.raises(RecordsUnavailable):
                asyncio.run(use(job))
    finally:
        database.close()
