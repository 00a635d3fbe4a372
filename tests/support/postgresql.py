"""
A PostgreSQL server of the tests' own: made, started, killed and started again, on a free port.

Owns: the cluster's directory and processes, and databases in it. Debian's server is used where it is installed; it
refuses to run as root, who lends it an ordinary user. Data is not flushed to the disk: the tests kill processes, not
machines, and what a process wrote outlives it.
"""

import contextlib
import functools
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from phantom_gateway.records.session import Database
from phantom_gateway.records.tables import metadata
from tests.support.canary import look_at, planted
from tests.support.waiting import wait_for

PASSWORD = planted("/sesame@home:1")
"""With characters that mean something in a URL."""

OWNER = "phantom"

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "deadlock_timeout": "100ms",
    "log_min_messages": "fatal",
    "autovacuum": "off",
}


@functools.cache
def binaries() -> Path | None:
    """Where the newest server's programs are; None where none is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return None if on_path is None else Path(on_path).resolve().parent


def ordinary_user() -> dict[str, Any]:
    """How to start a program that refuses root: nothing special for anybody else."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def lend(directory: Path) -> None:
    """Nothing; the user of :func:`ordinary_user` owns *directory*."""
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(directory, nobody.pw_uid, nobody.pw_gid)


def let_in(directory: Path) -> None:
    """Nothing; every user may look for files below *directory*, a test's own."""
    for parent in directory.parents[: len(directory.parents) - 1]:
        if parent.name.startswith(("pytest-", "popen-")):  # the second is a worker's
            parent.chmod(0o755)
    directory.chmod(0o755)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Cluster:
    """One server. Its port stays the same over restarts."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="phantom-postgresql-"))
        self.data = self.directory / "data"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._names = (f"test_{number}" for number in itertools.count(1))
        self._programs = binaries()
        self._has_template = False
        self._shared: str | None = None

    def create(self) -> None:
        """Nothing; the cluster is on disk, and its server runs."""
        assert self._programs is not None
        lend(self.directory)
        password = self.directory / "password"
        password.write_text(PASSWORD, encoding="utf-8")
        lend(password)
        words = ["--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={password}", "--no-sync"]
        subprocess.run(
            [self._programs / "initdb", "-D", self.data, "-U", OWNER, "-E", "UTF8", "--locale=C.UTF-8", *words],
            check=True,
            capture_output=True,
            cwd=self.directory,
            **ordinary_user(),
        )
        password.unlink()
        self.start()

    def start(self) -> None:
        """Nothing; it answers."""
        assert self._programs is not None
        settings = {**SETTINGS, "port": str(self.port), "unix_socket_directories": str(self.directory)}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.data, *words],
                stdout=log,
                stderr=log,
                cwd=self.directory,
                **ordinary_user(),
            )
        wait_for(self.answers, "PostgreSQL to answer")

    def answers(self) -> bool:
        """Whether a client gets in."""
        try:
            with self.connected("postgres"):
                return True
        except psycopg.OperationalError:
            return False

    def kill(self) -> None:
        """Nothing; the server is gone as by ``kill -9``, with every process of its own."""
        assert self._process is not None
        kill_tree(self._process.pid)
        self._process.wait(timeout=30)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        """Nothing; the server has ended in an orderly way, clients or not."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=30)

    def remove(self) -> None:
        """Nothing; nothing is left of it."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=30)
        look_at(self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)

    def url(self, name: str, *, port: int | None = None, with_password: bool = True) -> str:
        """Where the database *name* is."""
        from urllib.parse import quote

        password = f":{quote(PASSWORD, safe='')}" if with_password else ""
        return f"postgresql+psycopg://{OWNER}{password}@127.0.0.1:{port or self.port}/{name}"

    @contextmanager
    def connected(self, name: str) -> Iterator["psycopg.Connection[Any]"]:
        """A connection to the database *name* beside the gateway's; each statement is a transaction."""
        with psycopg.connect(
            host=str(self.directory), port=self.port, user=OWNER, dbname=name, autocommit=True, connect_timeout=5
        ) as connection:
            yield connection

    def run(self, statement: str, name: str = "postgres") -> list[tuple[Any, ...]]:
        """The rows of *statement*."""
        with self.connected(name) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def make_database(self, *, empty: bool = False) -> str:
        """The name of a new database with the newest schema, or with nothing at all."""
        name = next(self._names)
        if not empty:
            self.make_pattern()
        self.run(f"create database {name} template {'template0' if empty else 'pattern'}")
        return name

    def make_pattern(self) -> None:
        """Nothing; there is a database with the newest schema, of which others are made. No other thread migrates."""
        if not self._has_template:
            self.run("create database pattern")
            database = Database(self.url("pattern"))
            database.migrate()
            database.close()
            self._has_template = True

    def copy_of(self, name: str) -> str:
        """The name of a new database that holds what *name* holds; nobody is connected to it."""
        made = next(self._names)
        self.run(f"create database {made} template {name}")
        return made

    def dump(self, name: str) -> bytes:
        """All that the database *name* holds, schema included, as statements."""
        assert self._programs is not None
        words = ["--host", str(self.directory), "--port", str(self.port), "--username", OWNER, name]
        dumped = subprocess.run([self._programs / "pg_dump", *words], check=True, capture_output=True)
        # Each dump is between two lines with a word of its own, which restricts what a restored one may do.
        lines = dumped.stdout.splitlines(keepends=True)
        return b"".join(line for line in lines if not line.startswith((b"\\restrict", b"\\unrestrict")))

    def shared_database(self) -> str:
        """The name of a database that tests use one after the other: a new one takes half a second."""
        if self._shared is None:
            self._shared = self.make_database()
        return self._shared

    def empty(self, name: str) -> None:
        """Nothing; no row is left in the database *name*."""
        tables = "; ".join(f"delete from {table.name}" for table in metadata.sorted_tables)
        # The numbers of rows begin anew, too: some tests know the first ones.
        again = "select setval(oid::regclass, 1, false) from pg_class where relkind = 'S'"
        self.run(f"set session_replication_role = replica; {tables}; {again}", name)

    def drop_database(self, name: str) -> None:
        """Nothing; it is gone, whoever uses it."""
        self.run(f"drop database if exists {name} with (force)")


def kill_tree(pid: int) -> None:
    """Nothing; the server *pid* is gone as by ``kill -9``, with every process of its own."""
    processes = [pid, *_children(pid)]
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    wait_for(lambda: not any(_lives(process) for process in processes), "its processes to be gone")


_shared: list[Cluster] = []


def shared() -> Cluster:
    """The server that all tests of this process share; it is made when it is first asked for."""
    if not _shared:
        made = Cluster()
        _shared.append(made)
        made.create()
    return _shared[0]


def remove_shared() -> None:
    """Nothing; there is no such server any more."""
    while _shared:
        _shared.pop().remove()


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text(encoding="ascii").split()]
    return found


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
