"""
A PostgreSQL of two servers with synchronous replication and automatic fail-over: Debian's Patroni and etcd.

Owns: their configuration, processes and deaths. The pair is used like a single :class:`Cluster`: what is asked of it is
asked of whichever server takes writes. Everything is on loopback and trusts it.
"""

import json
import os
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

from tests.support.canary import look_at
from tests.support.postgresql import OWNER, SETTINGS, Cluster, binaries, free_port, kill_tree, lend, ordinary_user
from tests.support.waiting import wait_for

TTL_S = 20
"""After so long without a sign of life a primary is replaced. Patroni allows no less."""


def missing() -> list[str]:
    """What is not installed of what the pair needs, as Debian's packages."""
    client = Path("/usr/lib/python3/dist-packages/etcd").is_dir() or None  # of the system's Python, as Patroni is
    needed = {"patroni": shutil.which("patroni"), "etcd-server": shutil.which("etcd"), "python3-etcd": client}
    return [package for package, found in (needed | {"postgresql": binaries()}).items() if found is None]


class Node:
    """One server and the Patroni that looks after it."""

    def __init__(self, directory: Path, number: int, etcd_port: int) -> None:
        self.name = f"node{number}"
        self.port, self.rest_port = free_port(), free_port()
        self.directory = directory / self.name
        self.data = self.directory / "data"
        self.directory.mkdir(mode=0o700)
        lend(self.directory)
        self._config = self.directory / "patroni.json"
        self._config.write_text(json.dumps(self._settings(etcd_port)), encoding="utf-8")
        lend(self._config)
        self._process: subprocess.Popen[bytes] | None = None

    def _settings(self, etcd_port: int) -> dict[str, Any]:
        trusted = ["local all all trust", "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"]
        parameters = {name: value for name, value in SETTINGS.items() if name != "listen_addresses"}
        return {
            "scope": "phantom",
            "name": self.name,
            "restapi": {"listen": f"127.0.0.1:{self.rest_port}", "connect_address": f"127.0.0.1:{self.rest_port}"},
            "etcd3": {"host": f"127.0.0.1:{etcd_port}"},
            "bootstrap": {
                "dcs": {
                    "ttl": TTL_S,
                    "loop_wait": 2,
                    "retry_timeout": 3,
                    "synchronous_mode": True,
                    "postgresql": {"parameters": parameters},
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "no-sync"],
            },
            "postgresql": {
                "listen": f"127.0.0.1:{self.port}",
                "connect_address": f"127.0.0.1:{self.port}",
                "data_dir": str(self.data),
                "bin_dir": str(binaries()),
                "pgpass": str(self.directory / "pgpass"),
                "authentication": {"superuser": {"username": OWNER}, "replication": {"username": "replicator"}},
                "parameters": {"unix_socket_directories": str(self.directory)},
                "pg_hba": trusted,
            },
        }

    def start(self) -> None:
        """Nothing; Patroni does what is to be done, in its own time."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["patroni", str(self._config)], stdout=log, stderr=log, cwd=self.directory, **ordinary_user()
            )

    def replace(self) -> None:
        """Nothing; an empty machine is in its place, and gets everything from the primary."""
        shutil.rmtree(self.data)
        self.start()

    def role(self) -> str:
        """``master``, ``replica``, ``sync_standby``, or nothing when there is no answer."""
        with suppress(OSError, ValueError, urllib.error.URLError):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.rest_port}/patroni", timeout=2) as answer:
                said = json.load(answer)
            if said.get("state") == "running":
                return "sync_standby" if said.get("sync_standby") else str(said["role"])
        return ""

    def kill(self) -> None:
        """Nothing; the machine is gone: the server and Patroni with it."""
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=30)
        with suppress(FileNotFoundError, ProcessLookupError):
            kill_tree(int((self.data / "postmaster.pid").read_text(encoding="ascii").split()[0]))


class Pair(Cluster):
    """Two servers, of which one takes writes and the other has them all."""

    def create(self) -> None:
        """Nothing; both run, and a commit is one on both."""
        lend(self.directory)
        etcd_port, peer_port = free_port(), free_port()
        peer = f"http://127.0.0.1:{peer_port}"
        with (self.directory / "etcd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "etcd",
                    f"--data-dir={self.directory / 'etcd'}",
                    f"--listen-client-urls=http://127.0.0.1:{etcd_port}",
                    f"--advertise-client-urls=http://127.0.0.1:{etcd_port}",
                    f"--listen-peer-urls={peer}",
                    f"--initial-advertise-peer-urls={peer}",
                    f"--initial-cluster=default={peer}",
                ],
                stdout=log,
                stderr=log,
                cwd=self.directory,
                **ordinary_user(),
            )
        self.nodes = [Node(self.directory, number, etcd_port) for number in range(2)]
        for node in self.nodes:
            node.start()
        wait_for(self.is_synchronous, "both servers", 90, poll_s=0.25)

    def is_synchronous(self) -> bool:
        """Whether what is committed from now on is on both servers."""
        return sorted(node.role() for node in self.nodes) == ["master", "sync_standby"]

    def primary(self) -> Node:
        """The server that takes writes."""
        (found,) = [node for node in self.nodes if node.role() == "master"]
        return found

    def url(self, name: str, *, port: int | None = None, with_password: bool = True) -> str:  # noqa: ARG002
        """Where the database *name* is: on either server, whichever takes writes."""
        hosts = "&".join(f"host=127.0.0.1:{node.port}" for node in self.nodes)
        return f"postgresql+psycopg://{OWNER}@/{name}?{hosts}&target_session_attrs=read-write"

    @contextmanager
    def connected(self, name: str) -> Iterator["psycopg.Connection[Any]"]:
        """A connection to the database *name* on the server that takes writes."""
        with psycopg.connect(
            host=",".join("127.0.0.1" for _ in self.nodes),
            port=",".join(str(node.port) for node in self.nodes),
            target_session_attrs="read-write",
            user=OWNER,
            dbname=name,
            autocommit=True,
            connect_timeout=5,
        ) as connection:
            yield connection

    def remove(self) -> None:
        """Nothing; nothing is left of them."""
        for node in getattr(self, "nodes", []):
            node.kill()
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=30)
        look_at(self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)
