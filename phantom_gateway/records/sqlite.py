"""
Transactions on SQLite: one connection for each thread that has something to do, for its reads and its writes.

Owns: connections to a file that other processes may have locked, and committing jobs together. Does not own: which
thread a job runs in (``session``), or what it does.

Transactions are begun and ended on the driver's connection, in 2 us of processor time; SQLAlchemy's way takes 7, as
long as a small statement. As far as SQLAlchemy knows, one transaction lasts as long as its connection.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from phantom_gateway.records.prepared import driver_of
from phantom_gateway.records.unavailable import RecordsDamagedError, RecordsUnavailable

log = logging.getLogger(__name__)

T = TypeVar("T")
Job = Callable[[sa.Connection], T]

LOCK_S_MAX = 30.0
"""How long a write waits for another process (a backup, the command line) before it fails."""

CONNECTIONS = 4
"""Kept open: the event loop's, the writing thread's, and two for whoever else asks."""

BY_HAND = "by_hand"
"""The execution option of connections whose transactions are not begun by SQLAlchemy."""


CHECKED_BYTES_MAX = 256 * 2**20
"""Of a file that is read through at the start, in half a second. Larger ones are taken as they are, and start fast."""


class Locked(Exception):  # noqa: N818 - sends jobs another way, is not an error of its own
    """Somebody else is writing; nothing has happened."""


class Waiting(Generic[T]):
    """A job that waits to be written, and its answer once it has one."""

    __slots__ = ("error", "future", "job", "loop", "result")

    def __init__(self, job: Job[T], loop: asyncio.AbstractEventLoop, future: asyncio.Future[T]) -> None:
        self.job = job
        self.loop = loop
        self.future = future
        self.result: T | None = None
        self.error: Exception | None = None

    def run(self, connection: sa.Connection) -> None:
        """Nothing; result or error is known. Raises OperationalError: the database itself is in trouble."""
        self.result = self.error = None
        try:
            self.result = self.job(connection)
        except sa.exc.OperationalError:
            raise
        except Exception as error:  # noqa: BLE001 - it is the answer of whoever asked
            self.error = error


class Link:
    """
    One connection, opened when it is needed. It waits *lock_s_max* for a lock that somebody else has.

    A link that reads what it has written itself finds that in its cache. A second connection for reads would lose its
    cache with every write: 40 KB read again for each change of a group, measured.
    """

    def __init__(self, engine: sa.Engine, lock_s_max: float) -> None:
        self._engine = engine
        self._lock_s_max = lock_s_max
        self._connection: sa.Connection | None = None

    def read(self, job: Job[T]) -> T:
        """What *job* returns, from one consistent snapshot. Raises OperationalError, or what *job* raises."""
        connection, driver = self._begun("BEGIN")
        try:
            return job(connection)
        finally:
            driver.rollback()

    def commit(self, batch: "Sequence[Waiting[Any]]") -> None:
        """
        Nothing; every waiting job of *batch* has its answer, which nobody has heard yet, and what it wrote is durable.

        A job that fails leaves no trace, and no other job suffers. Raises Locked: nothing has happened.
        """
        try:
            if not self._commit(batch):
                self._commit(batch, apart=True)
        except sa.exc.DBAPIError as error:
            log.exception("records.commit_failed")
            for waiting in batch:
                waiting.error = RecordsUnavailable(str(error.orig))

    def close(self) -> None:
        """Nothing; the connection is given back, and whatever was not committed is undone."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _commit(self, batch: "Sequence[Waiting[Any]]", *, apart: bool = False) -> bool:
        """
        Whether *batch* is committed. If not, nothing happened: a job failed when it had written already.

        With each job *apart*, in a savepoint of its own, that is undone alone. For a savepoint, SQLite copies each page
        that a job changes, and larger jobs to a temporary file: more than half of all bytes written, measured, for a
        failure that hardly ever comes after the first change.
        """
        try:
            connection, driver = self._begun("BEGIN IMMEDIATE")
        except sa.exc.OperationalError as error:
            self.close()
            raise Locked(str(error.orig)) from error
        try:
            for waiting in batch:
                changes = driver.total_changes
                if apart:
                    _run_apart(waiting, connection, driver)
                else:
                    waiting.run(connection)
                if waiting.error is not None and driver.total_changes != changes and not apart:
                    driver.rollback()
                    return len(batch) == 1
            _execute(driver, "COMMIT")
        except BaseException:
            self.close()  # whatever is wrong with it, the next batch begins on a fresh one
            raise
        return True

    def _begun(self, how: str) -> tuple[sa.Connection, sqlite3.Connection]:
        """The connection in a new transaction, and the driver's. Raises OperationalError."""
        connection = self._connection = self._connection or self._open()
        driver = driver_of(connection)
        _execute(driver, how)
        return connection, driver

    def _open(self) -> sa.Connection:
        connection = self._engine.connect().execution_options(**{BY_HAND: True})
        # A pooled connection may have been another link's before.
        driver_of(connection).execute(f"PRAGMA busy_timeout={round(self._lock_s_max * 1000)}")
        return connection


def engine_for(url: str) -> sa.Engine:
    """An engine for the file in *url*, whose connections sync what they commit."""
    engine = sa.create_engine(url, poolclass=sa.QueuePool, pool_size=CONNECTIONS)
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    sa.event.listen(engine, "handle_error", _tell_damage)
    return engine


def check(engine: sa.Engine) -> None:
    """Nothing, when the file makes sense. Raises RecordsDamagedError."""
    try:
        with engine.connect() as connection:
            driver = driver_of(connection)
            (pages,), (page_size,) = (
                driver.execute(f"PRAGMA {each}").fetchone() for each in ("page_count", "page_size")
            )
            if pages * page_size <= CHECKED_BYTES_MAX:
                ((found,),) = driver.execute("PRAGMA quick_check(1)").fetchall()
                if found != "ok":
                    raise RecordsDamagedError(found.partition("\n")[2] or found)
    except sqlite3.DatabaseError as error:
        raise _damage_in(error) from error
    except sa.exc.DatabaseError as error:
        raise _damage_in(error.orig) from error


def is_damage(error: BaseException | None) -> bool:
    """True for what SQLite says of a file that makes no sense: alone among its errors, that has no kind of its own."""
    return type(error) is sqlite3.DatabaseError


def _damage_in(error: BaseException | None) -> Exception:
    return RecordsDamagedError(str(error)) if is_damage(error) else RecordsUnavailable(str(error))


def _tell_damage(context: sa.engine.ExceptionContext) -> None:
    """Nothing. Raises OperationalError: in the midst of work, damage is a trouble of the database, not of the job."""
    error = context.original_exception
    if is_damage(error):
        raise sa.exc.OperationalError(None, None, error) from error


def _run_apart(waiting: Waiting[Any], connection: sa.Connection, driver: sqlite3.Connection) -> None:
    _execute(driver, "SAVEPOINT job")
    waiting.run(connection)
    if waiting.error is not None:
        _execute(driver, "ROLLBACK TO SAVEPOINT job")
    _execute(driver, "RELEASE SAVEPOINT job")


def _execute(driver: sqlite3.Connection, sql: str) -> None:
    try:
        driver.execute(sql)
    except sqlite3.DatabaseError as error:
        raise sa.exc.OperationalError(None, None, error) from error


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # sqlite3's own implicit BEGIN would come too late; see _begin
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",  # an acknowledged write survives a power cut; grouped, it costs nothing visible
        "foreign_keys=ON",
        f"busy_timeout={round(LOCK_S_MAX * 1000)}",
        "cache_size=-16000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    # A transaction that reads first and writes later cannot wait for another process's lock: SQLite fails it at once,
    # because its snapshot would be stale. So one that is going to write says so at its beginning.
    options = connection.get_execution_options()
    if not options.get(BY_HAND, False):
        _execute(driver_of(connection), "BEGIN IMMEDIATE" if options.get("writes", False) else "BEGIN")
