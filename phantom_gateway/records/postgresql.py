"""
Jobs on PostgreSQL: a few threads, a connection in each, one transaction per job.

Owns: connections to a server that may restart, fail over, fill up or stand behind PgBouncer, and which of its errors
are worth another attempt. Does not own: what a job does. Nothing outlives a transaction: no session state, no prepared
statements, no LISTEN, so that a pooler in transaction mode may hand every transaction to another connection.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import sqlalchemy as sa

from backends.threads import Threads
from phantom_gateway.records.unavailable import RecordsUnavailable

log = logging.getLogger(__name__)

T = TypeVar("T")
Job = Callable[[sa.Connection], T]

CONNECTIONS = 8
"""Threads, and connections of one gateway. More: a server with 100 connections serves fewer gateways. Fewer: jobs that
wait for a row hold up others."""

JOBS_WAITING_MAX = 2_000
"""Jobs queued before new ones are refused with 503: beyond it clients would time out before their turn came."""

TURN_WAITING_MAX = 200
"""Of these, jobs of one turn. More: one user fills the queue that all share. Fewer: a burst of his is refused."""

ATTEMPTS_MAX = 4
"""Runs of one job: the first, and three more after a deadlock or after somebody else was quicker."""

CONNECT_S_MAX = 5
"""For a connection to come up. Longer: an unreachable server holds a thread. Shorter: a busy one seems to be down."""

STATEMENT_S_MAX = 10
"""For one statement, waits for rows included. Longer: clients give up first. Shorter: a listing may be cut off."""

AGAIN = frozenset({"40001", "40P01", "23505"})
"""SQLSTATEs of serialization failure, deadlock and unique violation: the job finds another world when it runs again."""

MISTAKES = ("22", "23", "42")
"""
Classes of SQLSTATEs that say that the statement is wrong, not the server: data, integrity, syntax and rights. Of these
a missing table (42P01) and a missing right (42501) are the operator's.
"""

HEADS = "audit heads"
"""Under this name a transaction keeps what it added to the audit, in the connection's ``info``."""

OPERATORS = frozenset({"42P01", "42501"})


def engine_for(url: str) -> sa.Engine:
    """An engine whose connections belong to whoever opens them, each transaction begun by a statement of our own."""
    engine = sa.create_engine(
        url,
        poolclass=sa.NullPool,
        connect_args={
            "connect_timeout": CONNECT_S_MAX,
            "prepare_threshold": None,  # a pooler in transaction mode would prepare here and execute there
            "application_name": "phantom-gateway",
            "tcp_user_timeout": STATEMENT_S_MAX * 1000,  # a server that went away without a word is noticed
            "keepalives_idle": STATEMENT_S_MAX,
        },
        use_native_hstore=False,  # asks for an extension's types at each connection
    )
    sa.event.listen(engine, "connect", _begin_by_hand)
    sa.event.listen(engine, "begin", _begin)
    return engine


def is_again(error: Exception) -> bool:
    """True when a job that failed with *error* may succeed if it is run again from its beginning."""
    return _sqlstate(error) in AGAIN


def is_unavailable(error: Exception) -> bool:
    """True when *error* is the server's trouble or the operator's, and not a mistake in a statement."""
    state = _sqlstate(error)
    return state is None or state in OPERATORS or not state.startswith(MISTAKES)


class Pool:
    """Runs jobs of one engine in threads. Close it to end them."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._threads = Threads(CONNECTIONS, "records")
        self._own = threading.local()
        self._open: set[sa.Connection] = set()
        self._waiting = 0
        self._is_filled = False
        self._is_closed = False
        self._is_down = False
        self._knocking = threading.Lock()
        self._turns: dict[Hashable, _Turn] = {}
        self.heads: dict[str, int] = {}
        """By chain of the audit, the number of the last entry that the server said it had committed."""

    async def run(self, job: Job[T], *, writes: bool, turn: Hashable = None) -> T:
        """
        What *job* returns, its changes durable. Raises RecordsUnavailable, or what *job* raises.

        Jobs of one *turn* run one after the other, and together hold one thread: they would wait for each other in the
        database anyway, with a thread each, until none was left for anybody else.
        """
        if turn is None:
            return await self._run(job, writes)
        own = self._turns.setdefault(turn, _Turn())
        if own.waiting >= TURN_WAITING_MAX:
            raise RecordsUnavailable("too many jobs of one user are waiting")
        own.waiting += 1
        try:
            async with own.lock:
                return await self._run(job, writes)
        finally:
            own.waiting -= 1
            if not own.waiting:
                self._turns.pop(turn, None)

    async def _run(self, job: Job[T], writes: bool) -> T:
        if self._is_closed or self._waiting >= JOBS_WAITING_MAX:
            raise RecordsUnavailable("too many jobs are waiting")
        self._waiting += 1
        try:
            if not self._is_filled:  # commands run their jobs in their own thread
                self._threads.fill()
                self._is_filled = True
            future = asyncio.get_running_loop().run_in_executor(self._threads, self._run_kept, job, writes)
        except RuntimeError as error:
            self._waiting -= 1
            raise RecordsUnavailable(f"no thread: {error}") from error
        try:
            return await future
        finally:
            self._waiting -= 1

    def run_now(self, job: Job[T], *, writes: bool) -> T:
        """As :meth:`run`, in the calling thread and on a connection of its own."""
        borrowed = _Link(self._engine)
        try:
            return self._attempt(borrowed, job, writes)
        finally:
            borrowed.drop()

    def close(self) -> None:
        """Nothing; waiting jobs are finished first."""
        self._is_closed = True
        self._threads.shutdown()
        for connection in self._open:
            connection.close()
        self._open.clear()
        self._engine.dispose()

    def _run_kept(self, job: Job[T], writes: bool) -> T:
        link = getattr(self._own, "link", None)
        if link is None:
            link = self._own.link = _Link(self._engine, self._open)
        if link.connection is not None or not self._is_down:
            return self._attempt(link, job, writes)
        # While the server cannot be reached, one job at a time tries; the others need not wait for its time-out.
        if not self._knocking.acquire(blocking=False):
            raise RecordsUnavailable("the database cannot be reached")
        try:
            return self._attempt(link, job, writes)
        finally:
            self._knocking.release()

    def _attempt(self, link: "_Link", job: Job[T], writes: bool) -> T:
        for left in reversed(range(ATTEMPTS_MAX)):
            try:
                return self._transact(link, job, writes)
            except (sa.exc.DBAPIError, self._engine.dialect.loaded_dbapi.Error) as error:
                if left and is_again(error):
                    log.info("records.again", extra={"sqlstate": _sqlstate(error)})
                elif is_unavailable(error):
                    raise RecordsUnavailable(_said(error)) from error
                else:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _transact(self, link: "_Link", job: Job[T], writes: bool) -> T:
        transaction = self._begun(link, writes)
        connection = transaction.connection
        connection.info.pop(HEADS, None)
        try:
            result = job(connection)
            heads = connection.info.get(HEADS, {})
            transaction.commit()
        except BaseException:
            link.roll_back(transaction)
            raise
        self.heads.update(heads)
        return result

    def _begun(self, link: "_Link", writes: bool) -> sa.RootTransaction:
        """An open transaction. A connection that was cut while nobody used it is made anew, and nobody hears of it."""
        was_open = link.connection is not None
        try:
            transaction = link.begin(writes)
        except (sa.exc.DBAPIError, self._engine.dialect.loaded_dbapi.Error):
            link.drop()
            if not was_open:
                self._is_down = True
                raise
            return self._begun(link, writes)
        self._is_down = False
        return transaction


class _Turn:
    """Those who take turns: how many there are, and the lock that one of them has."""

    __slots__ = ("lock", "waiting")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.waiting = 0


class _Link:
    """One connection, made when it is needed. *kept*: where open ones are noted."""

    __slots__ = ("_engine", "_errors", "_kept", "connection")

    def __init__(self, engine: sa.Engine, kept: set[sa.Connection] | None = None) -> None:
        self._engine = engine
        self._errors = (sa.exc.SQLAlchemyError, engine.dialect.loaded_dbapi.Error)
        self._kept = kept
        self.connection: sa.Connection | None = None

    def begin(self, writes: bool) -> sa.RootTransaction:
        """A transaction, whose first statement the server has answered."""
        if self.connection is None:
            self.connection = self._engine.connect()
            if self._kept is not None:
                self._kept.add(self.connection)
        self.connection.execution_options(writes=writes)
        return self.connection.begin()

    def roll_back(self, transaction: sa.RootTransaction) -> None:
        """Nothing; what was begun is undone, if only because the connection is gone."""
        try:
            transaction.rollback()
        except self._errors as error:  # why it is undone was told by what failed before
            log.debug("records.rollback_failed", extra={"reason": str(error)})
            self.drop()
            return
        connection = transaction.connection
        if connection.closed or connection.invalidated or _is_broken(connection):
            self.drop()

    def drop(self) -> None:
        """Nothing; the next transaction begins on a fresh connection."""
        connection, self.connection = self.connection, None
        if connection is None:
            return
        if self._kept is not None:
            self._kept.discard(connection)
        try:
            connection.invalidate()
            connection.close()
        except self._errors as error:  # it is given up; what the driver says of it helps nobody
            log.debug("records.close_failed", extra={"reason": str(error)})


def _begin_by_hand(connection: Any, _record: object) -> None:
    connection.autocommit = True  # the driver's own BEGIN would cost a round trip, and could not say what for


def _begin(connection: sa.Connection) -> None:
    # One message: what the transaction is for, and its limits, which end with it. Reads see one moment.
    kind = "READ COMMITTED" if connection.get_execution_options().get("writes", False) else "REPEATABLE READ, READ ONLY"
    limit_ms = STATEMENT_S_MAX * 1000
    connection.connection.cursor().execute(
        f"BEGIN ISOLATION LEVEL {kind}; SET LOCAL statement_timeout = {limit_ms}; "
        f"SET LOCAL idle_in_transaction_session_timeout = {limit_ms}"
    )


def _is_broken(connection: sa.Connection) -> bool:
    driver: Any = connection.connection.driver_connection
    return bool(driver.closed)


def _sqlstate(error: Exception) -> str | None:
    driver_error = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    state = getattr(driver_error, "sqlstate", None)
    return None if state is None else str(state)


def _said(error: Exception) -> str:
    """The server's words, in a line; never the statement, whose parameters may be secrets."""
    driver_error = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    lines = str(driver_error).splitlines() or [type(driver_error).__name__]
    return lines[0]
