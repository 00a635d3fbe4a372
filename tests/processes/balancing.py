"""
What stands before servers: a balancer of TCP connections, a line that is cut, and a pooler of PostgreSQL sessions.

Owns: these, as small as a test needs them. Does not own: the servers.
"""

import asyncio
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import psycopg

from tests.fake_ec2.serving import LoopThread
from tests.support.postgresql import OWNER, PASSWORD, Cluster, free_port, lend, let_in, ordinary_user
from tests.support.waiting import wait_for


class Relay(ABC):
    """A port that clients connect to; where each connection leads, others say. A context."""

    def __init__(self) -> None:
        self.port = 0
        self._thread = LoopThread()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.__enter__()
        self._thread.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.run(self._stop())
        self._thread.__exit__()

    @abstractmethod
    async def lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Nothing, once one connection is over."""

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await self.lead(reader, writer)


class Balancer(Relay):
    """Hands each new connection to the next of *ports* that accepts it."""

    def __init__(self, ports: Sequence[int]) -> None:
        super().__init__()
        self._ports = list(ports)
        self._turn = 0

    async def lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """See the relay."""
        for _ in self._ports:
            self._turn += 1
            try:
                there = await asyncio.open_connection("127.0.0.1", self._ports[self._turn % len(self._ports)])
            except OSError:
                continue
            await asyncio.gather(_copied(reader, there[1]), _copied(there[0], writer))
            return
        writer.close()


class Line(Relay):
    """The way to one server's *port*. While it is *cut*, nothing goes either way, and nobody is told."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._to = port
        self._open = asyncio.Event()
        self._open.set()

    def cut(self) -> None:
        """Nothing; packets are lost from now on, as by a firewall that drops them."""
        self._thread.call(self._open.clear)

    def mend(self) -> None:
        """Nothing; what was on its way arrives."""
        self._thread.call(self._open.set)

    async def lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """See the relay."""
        await self._open.wait()
        there = await asyncio.open_connection("127.0.0.1", self._to)
        await asyncio.gather(_copied(reader, there[1], self._open), _copied(there[0], writer, self._open))


async def _copied(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_open: asyncio.Event | None = None
) -> None:
    try:
        while chunk := await reader.read(65_536):
            if is_open is not None:
                await is_open.wait()
            writer.write(chunk)
            await writer.drain()
    except ConnectionError:
        pass  # one side is gone: so is the other, in a moment
    finally:
        if is_open is not None:
            await is_open.wait()
        writer.close()


@contextmanager
def pooler(cluster: Cluster, directory: Path) -> Iterator[int]:
    """The port of a PgBouncer in transaction mode before *cluster*, with fewer sessions than a gateway has threads."""
    home = directory / "pgbouncer"
    home.mkdir()
    port = free_port()
    (home / "users.txt").write_text(f'"{OWNER}" "{PASSWORD}"\n', encoding="utf-8")
    (home / "pgbouncer.ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={cluster.port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = scram-sha-256\nauth_file = {home}/users.txt\n"
        "pool_mode = transaction\ndefault_pool_size = 4\nserver_round_robin = 1\n",
        encoding="utf-8",
    )
    for path in (home, *home.iterdir()):
        lend(path)
    let_in(directory)
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            ["pgbouncer", str(home / "pgbouncer.ini")], stdout=log, stderr=log, cwd=home, **ordinary_user()
        )

    def answers() -> bool:
        try:
            with psycopg.connect(
                host="127.0.0.1", port=port, user=OWNER, password=PASSWORD, dbname="postgres", prepare_threshold=None
            ):
                return True
        except psycopg.OperationalError:
            return False

    try:
        wait_for(answers, "PgBouncer to answer")
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)
