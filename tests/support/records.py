"""
Where a gateway under test keeps its records: in a file of its own, or in a database of its own on the shared server.

Owns: what the configuration says of it, and what tests do to records beside the gateway: read them, copy them, put them
back. The variable PHANTOM_TEST_DATABASE names the kind for all tests that do not say one (``make test-postgresql``).
Does not own: the server (``postgresql``).
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from phantom_gateway.records.session import sqlite_url
from tests.support import postgresql
from tests.support.postgresql import PASSWORD, Cluster

SQLITE, POSTGRESQL = "sqlite", "postgresql"
KINDS = (SQLITE, POSTGRESQL)

CHOSEN = os.environ.get("PHANTOM_TEST_DATABASE", SQLITE)
"""What a gateway keeps its records in when its test does not say."""


class Records(Protocol):
    """A gateway's records. All but ``section``, ``url`` and ``rows`` want the gateway at rest."""

    @property
    def section(self) -> str:
        """What the configuration says of them; it stands before any other section."""

    @property
    def url(self) -> str:
        """Where they are, password included."""

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of *statement*, which changes nothing; [] before the first start."""

    def change(self, statement: str) -> None:
        """Nothing; *statement* was a transaction."""

    def octets(self) -> bytes:
        """All that was written and is not yet overwritten, as whoever gets hold of the disk or of a dump reads it."""

    def content(self) -> list[str]:
        """All that they hold, schema included, to the letter."""

    def back_up(self) -> None:
        """Nothing; they are kept as they are now."""

    def restore(self) -> None:
        """Nothing; they are as they were when they were kept."""

    def copy(self, state: Path) -> "Records":
        """Others that hold the same, for a gateway with this *state* directory; to be dropped by the caller."""

    def drop(self) -> None:
        """Nothing; what a server holds of them is gone. A file stays with its directory."""


def new_records(kind: str, state: Path) -> Records:
    """Records of this *kind* for the gateway with this *state* directory; made when they are first asked for."""
    assert kind in KINDS, f"PHANTOM_TEST_DATABASE is one of {', '.join(KINDS)}, not {kind}"
    return InFile(state / "phantom.db") if kind == SQLITE else OnServer()


def gateway_id(records: Records) -> str:
    """Whose records they are; "none" before the first start."""
    rows = records.rows("select value from gateway where name = 'gateway_id'")
    return str(rows[0][0]) if rows else "none"


class InFile:
    """The embedded default: SQLite, in the state directory."""

    section = ""

    def __init__(self, file: Path) -> None:
        self.file = file

    @property
    def url(self) -> str:
        """See the protocol."""
        return sqlite_url(self.file)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """See the protocol."""
        if not self.file.exists():
            return []
        with self._connected() as connection:
            return connection.execute(statement).fetchall()

    def change(self, statement: str) -> None:
        """See the protocol."""
        with self._connected("rw") as connection:
            connection.execute(statement)

    def octets(self) -> bytes:
        """See the protocol."""
        return b"".join(path.read_bytes() for path in sorted(self.file.parent.glob(f"{self.file.name}*")))

    def content(self) -> list[str]:
        """See the protocol."""
        with self._connected() as connection:
            return list(connection.iterdump())

    def back_up(self) -> None:
        """See the protocol."""
        shutil.copy(self.file, self._backup)

    def restore(self) -> None:
        """See the protocol."""
        for path in self.file.parent.glob(f"{self.file.name}*"):
            path.unlink()
        shutil.copy(self._backup, self.file)

    def copy(self, state: Path) -> Records:
        """See the protocol."""
        state.mkdir(parents=True, exist_ok=True)
        return InFile(Path(shutil.copy(self.file, state / self.file.name)))

    def drop(self) -> None:
        """See the protocol."""

    @property
    def _backup(self) -> Path:
        return self.file.parent.parent / "backup.db"

    @contextmanager
    def _connected(self, mode: str = "ro") -> Iterator[sqlite3.Connection]:
        # Whoever may write folds the log of a killed gateway into its file: that is for the next gateway to do.
        with closing(sqlite3.connect(f"file:{self.file}?mode={mode}", uri=True)) as connection, connection:
            yield connection


class OnServer:
    """A database on a PostgreSQL server: one of its own on the shared one, when none is named."""

    def __init__(
        self,
        cluster: Cluster | None = None,
        name: str | None = None,
        *,
        is_own: bool = False,
        port: int | None = None,
        password: str = f'"{PASSWORD}"',
    ) -> None:
        """*is_own*: no other gateway uses it. *port* may be a pooler's. *password*: as the configuration says it."""
        self._cluster = cluster
        self._name = name
        self._is_own = is_own or name is None
        self._port = port
        self._password = password

    @property
    def cluster(self) -> Cluster:
        """The server."""
        if self._cluster is None:
            self._cluster = postgresql.shared()
        return self._cluster

    @property
    def name(self) -> str:
        """The database."""
        if self._name is None:
            self._name = self.cluster.make_database()
        return self._name

    @property
    def section(self) -> str:
        """See the protocol."""
        url = self.cluster.url(self.name, port=self._port, with_password=False)
        return f'[database]\nurl = "{url}"\npassword = {self._password}\n'

    @property
    def url(self) -> str:
        """See the protocol."""
        return self.cluster.url(self.name, port=self._port)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """See the protocol."""
        return [] if self._name is None else self.cluster.run(statement, self.name)

    def change(self, statement: str) -> None:
        """See the protocol."""
        self.cluster.run(statement, self.name)

    def octets(self) -> bytes:
        """See the protocol."""
        return self.cluster.dump(self.name)

    def content(self) -> list[str]:
        """See the protocol."""
        return self.cluster.dump(self.name).decode().splitlines()

    def back_up(self) -> None:
        """See the protocol."""
        self.cluster.run(f"create database {self.name}_backup template {self.name}")

    def restore(self) -> None:
        """See the protocol."""
        self.cluster.drop_database(self.name)
        self.cluster.run(f"alter database {self.name}_backup rename to {self.name}")

    def copy(self, state: Path) -> Records:  # noqa: ARG002 - it is the server that has them
        """See the protocol."""
        return OnServer(self.cluster, self.cluster.copy_of(self.name), is_own=True)

    def drop(self) -> None:
        """See the protocol."""
        if self._name is not None and self._is_own:
            self.cluster.drop_database(self._name)
            self._name = None
