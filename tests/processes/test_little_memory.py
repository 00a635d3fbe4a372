"""
A gateway that gets no more memory from the kernel while it is busy (F11).

Owns: the kernel's limit on its addresses, just above what it has at rest; floods that make it grow; and what is there
after a restart without the limit, by the cloud's book. Does not own: being killed (``test_crashes``).
"""

import http.client
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.processes.calls import Client, Lost, Refusal
from tests.processes.sharing import QUICK, Replica, fleet
from tests.processes.test_few_threads import login
from tests.support.postgresql import Cluster
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180)]  # a gateway starts twice, on machines that may be busy

LITTLE_MEMORY = "tests.processes.scripts.little_memory"

PRESSED_S = 5.0
"""How long it is under pressure; it dies in this time, or lives."""

WRITERS = 8
FLOODERS = 4
SIZES = (1, 2, 3)

BODY_BYTES = 1_000_000
"""Just allowed; sixteen of them at once, from each flooder, that are never quite there."""


class Writer(threading.Thread):
    """Makes a group and changes its size, again and again; knows what was acknowledged, and what may have happened."""

    def __init__(self, gateway: Replica, name: str, ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self.gateway, self.group, self.ended = gateway, name, ended
        self.acknowledged: int | None = None
        self.possible: set[int] = set()
        """Sizes asked for after that, without a word of what came of it."""
        self.odd: list[str] = []

    def run(self) -> None:
        """Nothing, once *ended* is set."""
        client, number = Client(self.gateway.port), 0
        while not self.ended.is_set():
            number += 1
            self._ask(client, SIZES[number % len(SIZES)])

    def _ask(self, client: Client, size: int) -> None:
        self.possible.add(size)
        try:
            if self.acknowledged is None:
                client.make_group("web@hotel", size, ["hotel"], self.group)
            else:
                client.resize(size, self.group)
        except Refusal as refusal:
            text = str(refusal)
            if "AlreadyExists" in text:  # an attempt that was not answered made it
                self.acknowledged = self.acknowledged or size
            elif "ServiceUnavailable" not in text and "InternalFailure" not in text:
                self.odd.append(text)
        except (Lost, OSError):
            self.ended.wait(0.05)
        else:
            self.acknowledged, self.possible = size, set()


class Flooder(threading.Thread):
    """Holds large requests open, all but their last byte, and lets go of them; and guesses no password, it knows it."""

    def __init__(self, gateway: Replica, ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self.gateway, self.ended = gateway, ended

    def run(self) -> None:
        """Nothing, once *ended* is set."""
        head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {BODY_BYTES}\r\n\r\n".encode()
        while not self.ended.is_set():
            held: list[socket.socket] = []
            with suppress(OSError):
                for _ in range(16):
                    held.append(socket.create_connection(("127.0.0.1", self.gateway.port), timeout=5))
                    held[-1].sendall(head + b"x" * (BODY_BYTES - 1))
            with suppress(OSError, http.client.HTTPException):
                login(self.gateway.port)
            for each in held:
                each.close()


@contextmanager
def under_pressure(gateway: Replica) -> Iterator[list[Writer]]:
    """Writers, while the gateway is flooded; at the end nobody asks for anything any more."""
    ended = threading.Event()
    writers = [Writer(gateway, f"group-{number}", ended) for number in range(WRITERS)]
    everybody = [*writers, *(Flooder(gateway, ended) for _ in range(FLOODERS))]
    for each in everybody:
        each.start()
    try:
        yield writers
    finally:
        ended.set()
        for each in everybody:
            each.join()


def is_well(gateway: Replica) -> bool:
    """Whether it answers, and says that it can work."""
    try:
        return gateway.is_ready()
    except (OSError, http.client.HTTPException):
        return False


@pytest.mark.parametrize("more_mib", [2, 8])
def test_a_gateway_out_of_memory_loses_and_leaks_nothing(cluster: Cluster, tmp_path: Path, more_mib: int) -> None:
    """F11: it answers with an error of AWS's or dies, never lies; what it acknowledged is there, and no VM too many."""
    module = (LITTLE_MEMORY, str(more_mib), "serve", "--config")
    with fleet(tmp_path, cluster, 1, knobs=QUICK, module=module) as made:
        (gateway,) = made.replicas
        os.kill(gateway.pid, signal.SIGUSR1)
        with under_pressure(gateway) as writers:
            began_s = time.monotonic()
            wait_for(lambda: not gateway.serves() or time.monotonic() > began_s + PRESSED_S, "the pressure to tell")
        wait_for(lambda: not gateway.serves() or is_well(gateway), "it to be well again, or to die")
        died = not gateway.serves()
        gateway.kill()
        gateway.unlimit()
        gateway.start(made.environ)
        client = Client(gateway.port)
        found = {writer.group: client.group(writer.group) for writer in writers}
        wanted = {name: group.desired for name, group in found.items() if group is not None}
        wait_for(lambda: all(client.settled(name) for name in wanted), "all groups to have what they want", 60)
        log = gateway.log.read_text()

        assert died or "MemoryError" in log or "Memory allocation error" in log
        assert [writer.odd for writer in writers] == [[]] * WRITERS
        for writer in writers:
            if writer.acknowledged is not None:
                assert wanted[writer.group] in {writer.acknowledged, *writer.possible}
        assert any(writer.acknowledged for writer in writers)
        assert len(made.books.alive()) == sum(wanted.values())
        assert made.books.most_alive() <= max(SIZES)
        assert "rails.breach" not in log
