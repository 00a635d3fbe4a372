"""
Transactions: short synchronous jobs, each from one snapshot, all of it or nothing.

Owns: which thread a job runs in. Writes that come together are committed together (group commit: SQLite with
synchronous=FULL does 7,000 single commits a second and five times that grouped). On SQLite, short jobs run on the event
loop, where they cost least, and go to a thread when there is something to wait for; PostgreSQL's are ``postgresql``'s.
Does not own: connections (``sqlite``, ``postgresql``), or what a job does.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar, cast

import sqlalchemy as sa

from phantom_gateway.records import migrations, postgresql, sqlite
from phantom_gateway.records.postgresql import Pool
from phantom_gateway.records.sqlite import LOCK_S_MAX, Link, Locked, Waiting
from phantom_gateway.records.unavailable import RecordsDamagedError, RecordsUnavailable, SchemaUnknownError

__all__ = [
    "Connection",
    "Database",
    "Job",
    "RecordsDamagedError",
    "RecordsUnavailable",
    "SchemaUnknownError",
    "postgresql_url",
    "sqlite_url",
    "url_without_password",
]

log = logging.getLogger(__name__)

Connection = sa.Connection
"""What a job is given. Other packages hand it on to the queries and know nothing else about it."""

T = TypeVar("T")
Job = Callable[[sa.Connection], T]

GROUP_COMMIT_MAX = 64
"""Jobs in one commit. Higher: the first waits longer for the last. Lower: fewer writes a second under load."""

JOBS_WAITING_MAX = 2_000
"""Writes queued before new ones are refused with 503: beyond it clients would time out before their turn came."""

LOCK_S_MAX_AT_ONCE = 0.005
"""How long the event loop waits for somebody else's lock before the thread does: nobody notices 5 ms."""

AT_ONCE_S_MAX = 0.05
"""
Commits that take longer than this, on a sliding average, say that the disk is slow just now: one usually takes less
than a ms. Higher: a slow disk holds reads up for longer. Lower: a busy processor is taken for a slow disk, and a thread
makes that worse (a fifth more processor time for a write, measured with eight processes waiting for each processor).
"""

AT_ONCE_WEIGHT = 0.25
"""Of the newest commit in that average. Lower: a slow disk holds the loop up longer. Higher: one hiccup decides."""

AT_ONCE_RESTS = 200
"""Writes that go to the thread after that, before the loop tries again."""


class Database:
    """
    One database, its writer and its readers. Close it to end its threads.

    ``read`` and ``write`` take a job, a function of a connection, and run it in a transaction of its own: all of it
    happens or nothing. A write is durable when it returns. A job may run more than once, each time from its beginning:
    what it leaves in memory must not depend on how often.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        """May hold a password: not to be shown."""
        self._engine = _engine(url)
        self.is_shared = self._engine.dialect.name == "postgresql"
        """Several gateways may use it at once."""
        self._pool = Pool(self._engine) if self.is_shared else None
        self._jobs: queue.SimpleQueue[Waiting[Any] | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_forever, name="records-writer", daemon=True)
        self._own = threading.local()
        self._links: list[Link] = []
        """Those of event loops, one for each thread that runs one."""
        self._patient = Link(self._engine, LOCK_S_MAX)
        self._at_once_rests = 0
        """Writes that still go to the thread, after the loop was held up."""
        self._at_once_took_s = 0.0
        """How long a commit takes: a sliding average."""
        self._gathering: list[Waiting[Any]] = []
        self._closed = False
        self.on_write: Callable[[], object] | None = None
        """Called on the event loop after ``write`` has made something durable."""
        if self._pool is None:
            self._writer.start()

    @property
    def heads(self) -> dict[str, int]:
        """
        By chain of the audit, the last entry that a server has acknowledged to this process.

        A server that does not know it any more has lost what it had committed. A file cannot: {}.
        """
        return {} if self._pool is None else self._pool.heads

    def migrate(self) -> None:
        """
        Nothing; the schema is the newest. Runs before anything else uses the database.

        Raises SchemaUnknownError, RecordsDamagedError where it is a file, and RecordsUnavailable.
        """
        if self._pool is not None:
            self._pool.run_now(migrations.upgrade, writes=True)
            return
        sqlite.check(self._engine)
        with self._engine.connect() as connection:
            migrations.upgrade(connection)
            connection.commit()

    async def read(self, job: Job[T]) -> T:
        """What *job* returns, from one consistent snapshot. Raises RecordsUnavailable."""
        if self._pool is not None:
            return await self._pool.run(job, writes=False)
        # With WAL, a reader in the same process waits for nobody, and a page of a listing takes half a millisecond of
        # processor time. Handing it to another thread costs more than that: the interpreter runs one at a time.
        if self._closed:
            raise RecordsUnavailable("the database is closed")
        try:
            return self._link().read(job)
        except sa.exc.OperationalError as error:
            raise RecordsUnavailable(str(error.orig)) from error

    async def write(self, job: Job[T], turn: Hashable = None) -> T:
        """
        What *job* returns, after its changes are durable. Raises RecordsUnavailable, or what *job* raises.

        *turn*: whose job it is, where jobs of one take each other's locks. On a server they then hold one thread.
        """
        if self._pool is None:
            result = await self._committed(job)
        else:
            result = await self._pool.run(job, writes=True, turn=turn)
        if self.on_write is not None:
            self.on_write()
        return result

    async def _committed(self, job: Job[T]) -> T:
        if self._closed or self._jobs.qsize() >= JOBS_WAITING_MAX:
            raise RecordsUnavailable("too many writes are waiting")
        loop = asyncio.get_running_loop()
        waiting = Waiting(job, loop, loop.create_future())
        if not self._at_once_rests:
            if not self._gathering:
                loop.call_soon(self._gather, loop, 0)
            self._gathering.append(waiting)
        else:
            self._at_once_rests = max(0, self._at_once_rests - 1)
            self._jobs.put(waiting)
        return cast("T", await waiting.future)

    def _gather(self, loop: asyncio.AbstractEventLoop, before: int) -> None:
        """
        Nothing; what gathered is committed as soon as a turn of the event loop adds nothing to it.

        A commit costs more processor time than most jobs, and a turn that brought one job often brings another.
        """
        there = len(self._gathering)
        if before < there < GROUP_COMMIT_MAX:
            loop.call_soon(self._gather, loop, there)
        else:
            self._write_at_once(loop)

    def _write_at_once(self, loop: asyncio.AbstractEventLoop) -> None:
        """
        Nothing; what gathered is committed, here and now.

        A hand-over to the writing thread costs more processor time than most jobs. Where somebody else has the database
        locked, or its disk is slow, the thread takes over, and the loop goes on.
        """
        batch, self._gathering = self._gathering, []
        if not batch:  # handed over by close()
            return
        began_s = loop.time()
        try:
            self._link().commit(batch)
        except Locked:
            self._at_once_rests = AT_ONCE_RESTS
            self._hand_over(batch)
            return
        _deliver(batch)
        self._at_once_took_s += AT_ONCE_WEIGHT * (loop.time() - began_s - self._at_once_took_s)
        if self._at_once_took_s > AT_ONCE_S_MAX:
            self._at_once_rests = AT_ONCE_RESTS
            self._at_once_took_s = AT_ONCE_S_MAX  # the next commit on the loop tells whether that is over

    def _hand_over(self, batch: "list[Waiting[Any]]") -> None:
        for waiting in batch:
            self._jobs.put(waiting)

    def read_now(self, job: Job[T]) -> T:
        """What *job* returns, in the calling thread: for the command line and for start-up."""
        if self._pool is not None:
            return self._pool.run_now(job, writes=False)
        with self._engine.connect() as connection, connection.begin():
            return job(connection)

    def write_now(self, job: Job[T]) -> T:
        """As ``read_now``, for a job that changes something."""
        if self._pool is not None:
            return self._pool.run_now(job, writes=True)
        with self._engine.connect().execution_options(writes=True) as connection, connection.begin():
            return job(connection)

    def close(self) -> None:
        """Nothing; waiting writes are finished first."""
        if self._pool is not None:
            self._pool.close()
        elif not self._closed:
            self._closed = True
            waiting, self._gathering = self._gathering, []
            self._hand_over(waiting)
            self._jobs.put(None)
            self._writer.join()
            for link in self._links:
                link.close()
            self._engine.dispose()

    def _link(self) -> Link:
        """The link of this thread's event loop, which waits hardly at all."""
        link: Link | None = getattr(self._own, "link", None)
        if link is None:
            link = self._own.link = Link(self._engine, LOCK_S_MAX_AT_ONCE)
            self._links.append(link)
        return link

    def _write_forever(self) -> None:
        while (first := self._jobs.get()) is not None:
            batch = [first]
            stop = False
            while len(batch) < GROUP_COMMIT_MAX and not self._jobs.empty():
                job = self._jobs.get()
                if job is None:
                    stop = True
                    break
                batch.append(job)
            try:
                self._patient.commit(batch)
            except Locked as locked:
                log.exception("records.locked")
                for waiting in batch:
                    waiting.error = RecordsUnavailable(str(locked))
            _deliver_to_loops(batch)
            if stop:
                break
        self._patient.close()


def _deliver_to_loops(answered: list[Waiting[Any]]) -> None:
    """Nothing; every one of *answered* hears of it on its own event loop, which is not this thread's."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Waiting[Any]]] = {}
    for waiting in answered:
        by_loop.setdefault(waiting.loop, []).append(waiting)
    for loop, its in by_loop.items():
        try:
            loop.call_soon_threadsafe(_deliver, its)
        except RuntimeError:  # the loop that asked is closed: nobody waits for this answer any more
            log.debug("records.answer_unwanted")


def _deliver(answered: list[Waiting[Any]]) -> None:
    for waiting in answered:
        if waiting.future.done():
            continue  # the caller has gone away; the write stands
        if waiting.error is not None:
            waiting.future.set_exception(waiting.error)
        else:
            waiting.future.set_result(waiting.result)


def sqlite_url(file: Path) -> str:
    """The URL of the SQLite database in *file*, whatever characters its path has."""
    return sa.URL.create("sqlite", database=str(file)).render_as_string()


def postgresql_url(url: str, password: str | None) -> str:
    """*url* with this *password* and the driver that is used here."""
    made = sa.make_url(url).set(drivername="postgresql+psycopg")
    if password is not None:
        made = made.set(password=password)
    return made.render_as_string(hide_password=False)


def url_without_password(url: str) -> str:
    """*url* as it may be shown."""
    return sa.make_url(url).render_as_string(hide_password=True)


def _engine(url: str) -> sa.Engine:
    if sa.make_url(url).get_backend_name() == "postgresql":
        return postgresql.engine_for(url)
    return sqlite.engine_for(url)
