"""
Everything that is on record, taken from one database to another that is empty.

Owns: the order, the counts, and numbers that must not be given twice. Does not own: opening either database, or whether
somebody else writes to them meanwhile. Sealed secrets are copied sealed: the keys that open them stay the same.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

from phantom_gateway.records import home
from phantom_gateway.records.session import Connection, Database
from phantom_gateway.records.tables import gateway, gateways, metadata, shards, wakes

BATCH_ROWS = 500
"""Rows in one statement. User data takes up to 30 KB a row; more rows would take more memory than time they save."""

OF_THE_MOMENT = (gateways, shards, wakes)
"""What is true of running gateways only. It is not copied, and does not make a database one that is in use."""

Progress = Callable[[str, int, int], None]
"""Hears of each batch: the table, the rows there so far, and how many there will be."""


class CopyError(Exception):
    """Nothing was copied; the text says why."""


def copy(source: Database, target: Database, told: Progress) -> Mapping[str, int]:
    """
    How many rows of each table are in *target* now, as many as in *source*: all in one transaction, or nothing.

    Both have the newest schema. Raises CopyError when *target* holds anything, and RecordsUnavailable.
    """
    return source.read_now(
        lambda reading: target.write_now(partial(_copy_all, reading, told=told)),
    )


def _copy_all(reading: Connection, writing: Connection, told: Progress) -> Mapping[str, int]:
    tables = [table for table in metadata.sorted_tables if table not in OF_THE_MOMENT]
    taken = [table.name for table in tables if _count(writing, table)]
    if taken:
        raise CopyError(f"There are records in the target already (in {', '.join(taken)}); copy to an empty database.")
    counts = {}
    for table in tables:
        counts[table.name] = _copy_table(reading, writing, table, told)
    writing.execute(gateway.delete().where(gateway.c.name == home.FACT))  # the copy's is another, found when it is used
    return counts


def _copy_table(reading: Connection, writing: Connection, table: sa.Table, told: Progress) -> int:
    expected, done = _count(reading, table), 0
    told(table.name, 0, expected)
    for rows in _batches(reading, table):
        writing.execute(table.insert(), rows)
        done += len(rows)
        told(table.name, done, expected)
    there = _count(writing, table)
    if not expected == done == there:
        raise CopyError(f"{table.name}: {expected} rows were to be copied, {done} were sent and {there} arrived.")
    if "id" in table.c:
        _number_on(reading, writing, table)
    return there


def _batches(reading: Connection, table: sa.Table) -> Iterator[Sequence[dict[str, Any]]]:
    query = sa.select(table).order_by(*table.primary_key.columns)
    for part in reading.execution_options(yield_per=BATCH_ROWS).execute(query).mappings().partitions(BATCH_ROWS):
        yield [dict(row) for row in part]


def _number_on(reading: Connection, writing: Connection, table: sa.Table) -> None:
    """Nothing; new rows get numbers that no row ever had, those included that are gone."""
    last = reading.execute(sa.select(sa.func.max(table.c.id))).scalar() or 0
    if reading.dialect.name == "sqlite":
        given = sa.text("select seq from sqlite_sequence where name = :name")
        last = max(last, reading.execute(given, {"name": table.name}).scalar() or 0)
    if writing.dialect.name == "postgresql" and last:
        sequence = sa.func.pg_get_serial_sequence(table.name, "id")
        writing.execute(sa.select(sa.func.setval(sequence, last)))


def _count(connection: Connection, table: sa.Table) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())
