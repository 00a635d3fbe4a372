"""
A gateway to which the kernel gives no more threads or processes (F69).

Owns: the kernel's own limit, laid on a gateway that runs, and lifted again. Does not own: open files and connections
(``test_scarcity``).
"""

import http.client
import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.processes.calls import Client, Refusal
from tests.processes.sharing import QUICK, fleet
from tests.support.gateway import PASSWORD, Gateway
from tests.support.postgresql import Cluster, let_in
from tests.support.waiting import wait_for

pytestmark = pytest.mark.processes

FEW_THREADS = ("tests.processes.scripts.few_threads", "serve", "--config")

CLIENTS = 16
"""More than the gateway has threads for its records."""

SIZE = 2


@contextmanager
def no_more_threads(gateway: Gateway) -> Iterator[None]:
    """The kernel refuses every further thread and process."""
    limits = Path(f"/proc/{gateway.pid}/limits")

    def are_limited() -> bool:
        (line,) = [line for line in limits.read_text().splitlines() if line.startswith("Max processes")]
        return line.split()[2] == "1"

    os.kill(gateway.pid, signal.SIGUSR1)
    wait_for(are_limited, "the limit to be in force")
    try:
        yield
    finally:
        os.kill(gateway.pid, signal.SIGUSR2)
    wait_for(lambda: not are_limited(), "the limit to be lifted")


def threads_of(gateway: Gateway) -> int:
    """How many threads its process has."""
    return len(list(Path(f"/proc/{gateway.pid}/task").iterdir()))


class Asking(threading.Thread):
    """Makes a group and changes its size four times; *answers* counts what it was told."""

    def __init__(self, port: int, name: str, answers: "Counter[str]") -> None:
        super().__init__()
        self.client, self.name_of_group, self.answers = Client(port), name, answers

    def run(self) -> None:
        """Nothing, once all was asked."""
        for number in range(5):
            try:
                if number == 0:
                    self.client.make_group("web@hotel", SIZE, ["hotel"], self.name_of_group)
                else:
                    self.client.resize(SIZE + number % 2, self.name_of_group)
                self.answers["done"] += 1
            except Refusal as refusal:
                self.answers["503" if "ServiceUnavailable" in str(refusal) else str(refusal)] += 1


def login(port: int) -> int:
    """The status of a login with the right password."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        body = json.dumps({"username": "tester", "password": PASSWORD})
        connection.request("POST", "/api/dev/token", body, {"Content-Type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


def test_requests_wait_for_the_threads_there_are(cluster: Cluster, tmp_path: Path) -> None:
    """F69: without another thread, sixteen clients are served, logins get a 503, and nothing is off the records."""
    let_in(tmp_path)
    with fleet(tmp_path, cluster, 1, knobs=QUICK, module=FEW_THREADS) as made:
        gateway, answers = made.replicas[0], Counter[str]()
        client, names = Client(gateway.port), [f"group-{number}" for number in range(CLIENTS)]
        with no_more_threads(gateway):
            before = threads_of(gateway)
            asking = [Asking(gateway.port, name, answers) for name in names]
            for each in asking:
                each.start()
            for each in asking:
                each.join()
            refused = login(gateway.port)
            wait_for(lambda: all(client.settled(name) for name in names), "all groups to have what they want", 60)
            during = threads_of(gateway)
            on_record = {row[0] for row in cluster.run("select token from instances", made.database)}
            alive = len(made.books.alive())
        admitted = login(gateway.port)
        for name in names:
            client.resize(1, name)
        wait_for(lambda: all(client.settled(name) for name in names), "all groups to have one", 60)
        log = gateway.log.read_text()

        assert set(answers) <= {"done", "503"}
        assert answers["done"] >= CLIENTS
        assert (refused, admitted) == (503, 200)
        assert during <= before
        assert "threads.too_few" in log
        assert alive == SIZE * CLIENTS
        assert made.books.tokens_alive() <= on_record
        assert len(made.books.alive()) == CLIENTS
        assert made.books.most_alive() <= SIZE + 1
        assert "pass.failed" not in log
        assert "request.failed" not in log


def test_vms_that_the_kernel_refuses_come_up_once_it_allows_them(tmp_path: Path) -> None:
    """F69: a local VM that cannot be forked is a failed launch, told as such; later there is exactly what is wanted."""
    let_in(tmp_path)
    gateway = Gateway(tmp_path, clouds=("hotel",), module=FEW_THREADS)
    gateway.start()
    try:
        client = Client(gateway.port)
        client.make_launch_configuration("web@hotel", "sleeper")
        client.make_group("web@hotel", 1, ["hotel"])
        wait_for(client.settled, "an instance")
        with no_more_threads(gateway):
            client.resize(3)
            wait_for(lambda: "launch.failed" in gateway.log.read_text(), "a launch to fail")
            during = len(gateway.vm_pids())
            told = client.activities()
        wait_for(client.settled, "three instances", 60)
        after = len(gateway.vm_pids())
        log = gateway.log.read_text()
    finally:
        gateway.stop()

    assert during == 1
    assert "Failed" in {activity.status for activity in told}
    assert after == 3
    assert "pass.failed" not in log
