"""
A gateway that has little of what it needs: open files (F69), and connections to its database (F67).

Owns: real processes under pressure. Does not own: floods of bytes (``test_malformed_requests`` and its neighbours).
"""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from phantom_gateway.front.server import (
    ACCEPTED_AT_ONCE,
    CONNECTIONS_LEAST,
    CONNECTIONS_MAX,
    FILES_KEPT,
    connections_for,
)
from tests.processes.calls import Client, Lost, Refusal
from tests.processes.sharing import Fleet, fleet
from tests.support.gateway import Gateway
from tests.support.postgresql import Cluster
from tests.support.waiting import wait_for

pytestmark = pytest.mark.processes

FILES = 256
FEW_FILES = "tests.processes.scripts.few_files"
FLOOD = 400


@pytest.mark.parametrize(
    ("files", "connections"),
    [(-1, CONNECTIONS_MAX), (1 << 20, CONNECTIONS_MAX), (1_024, 896), (FILES, 128), (64, CONNECTIONS_LEAST)],
)
def test_clients_leave_files_for_the_rest(files: int, connections: int) -> None:
    """F69: as many connections as there are files, but for those that the gateway needs itself."""
    assert connections_for(files) == connections


def test_connections_that_are_refused_leave_files_for_the_rest() -> None:
    """F69: a flood once took every file before the first of it was closed: those of four turns were as many."""
    assert 4 * ACCEPTED_AT_ONCE <= FILES_KEPT / 2


def test_a_flood_of_connections_takes_no_file_that_the_gateway_needs(tmp_path: Path, kept: str) -> None:
    """F69: with 256 files and 400 connections it refuses some, answers others, launches, and lives."""
    gateway = Gateway(tmp_path, clouds=("hotel",), module=(FEW_FILES, str(FILES), "serve", "--config"), database=kept)
    gateway.start()
    flood: list[socket.socket] = []
    try:
        client = Client(gateway.port)
        client.make_launch_configuration("web@hotel", "sleeper")
        honest = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
        honest.request("GET", "/healthz")
        first = honest.getresponse().read()
        for _ in range(FLOOD):
            with suppress(OSError):
                flood.append(socket.create_connection(("127.0.0.1", gateway.port), timeout=5))
        honest.request("GET", "/readyz")
        during = honest.getresponse()
        ready = during.status, during.read()
        honest.close()
        for each in flood:
            each.close()
        wait_for(lambda: answers(client), "other clients to be let in again")
        client.make_group("web@hotel", 2, ["hotel"])
        wait_for(client.settled, "two instances")
        log = gateway.log.read_text()
    finally:
        for each in flood:
            each.close()
        gateway.stop()

    assert b"ok" in first
    assert ready[0] == 200, ready
    assert "connection.refused" in log
    assert "Too many open files" not in log
    assert "Traceback" not in log


def answers(client: Client) -> bool:
    """Whether a new connection gets an answer."""
    try:
        client.group()
    except (Lost, Refusal, OSError):
        return False
    return True


class Hog(threading.Thread):
    """Changes things of one user, without a pause, until it is told to end."""

    def __init__(self, port: int, ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self.client, self.ended, self.calls = Client(port), ended, 0

    def run(self) -> None:
        """Nothing, once *ended* is set."""
        while not self.ended.is_set():
            with suppress(Lost, Refusal, OSError):
                self.client.resize(1 + self.calls % 2)
            self.calls += 1


@pytest.fixture
def alone(cluster: Cluster, tmp_path: Path) -> Iterator[Fleet]:
    """A gateway on PostgreSQL, with a group."""
    with fleet(tmp_path, cluster, 1) as made:
        Client(made.replicas[0].port).make_group("web@hotel", 1, ["hotel"])
        yield made


def test_writes_of_a_user_that_wait_for_each_other_leave_the_others_served(alone: Fleet, cluster: Cluster) -> None:
    """F67: thirty-two clients of one user, whose lock somebody holds: what other users ask is answered meanwhile."""
    port, database = alone.replicas[0].port, alone.database
    (user_id,) = cluster.run("select id from users", database)[0]
    ended = threading.Event()
    hogs = [Hog(port, ended) for _ in range(32)]
    with cluster.connected(database) as holder, holder.transaction():
        holder.execute(f"select pg_advisory_xact_lock(1886348658, {user_id})".encode())
        for hog in hogs:
            hog.start()
        waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        wait_for(lambda: cluster.run(waiting, database)[0][0] > 0, "a request to wait for the lock")
        threading.Event().wait(1.0)  # all of them have asked by now
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
        connection.request("GET", "/readyz")  # reads the records, on behalf of nobody
        ready = connection.getresponse().status
        connection.close()
        held_up = cluster.run(waiting, database)[0][0]
        ended.set()
    for hog in hogs:
        hog.join()

    assert ready == 200
    assert held_up == 1
    wait_for(lambda: answers(Client(port)), "the user to be served again")
