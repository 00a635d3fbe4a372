"""
The processes of a control plane: started in sessions of their own, waited for, and ended by their ids.

Owns: their lives and their logs. Does not own: what they are configured to do (``configuration``).
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.support.waiting import wait_for

START_S_MAX = 180.0
"""Nova imports for 10 s on an idle machine, and there are seven of its kind."""

GRACE_S = 8.0
"""Nova's workers disregard TERM for a while: then KILL."""


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses, all different."""
    opened = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in opened]
    for each in opened:
        each.close()
    return ports


class Services:
    """All processes of one control plane, with their logs in *directory*/log."""

    def __init__(self, directory: Path) -> None:
        self._logs = directory / "log"
        self._logs.mkdir(parents=True, exist_ok=True)
        self._environ = {**os.environ, "HOME": str(directory)}
        """What all of them get: clients of OpenStack keep files at home, which would outlive the test."""
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        """Nothing; a line with the seconds since the beginning."""
        print(f"[{time.monotonic() - self._began:5.1f} s] {text}", flush=True)

    def run(self, name: str, *command: str, environ: Mapping[str, str] | None = None) -> None:
        """Nothing; *command* came to a good end. Raises AssertionError with the end of its log."""
        with self._log(name).open("ab") as log:
            done = subprocess.run(
                command, stdout=log, stderr=log, check=False, env={**self._environ, **(environ or {})}
            )
        assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{self.tail(name)}"

    def start(self, name: str, command: Sequence[str], environ: Mapping[str, str] | None = None) -> None:
        """Nothing; *command* runs, in a session of its own."""
        with self._log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self._environ, **(environ or {})},
                start_new_session=True,
            )

    def await_port(self, name: str, port: int) -> None:
        """Nothing, once *name* listens on *port*."""
        self.until(name, lambda: _listens(port), f"{name} to listen on {port}")
        self.say(f"{name} listens on {port}")

    def until(self, name: str, condition: Callable[[], object], what: str) -> None:
        """Nothing, once *condition* is true. Raises AssertionError with the end of the log of *name* when it ended."""

        def holds() -> bool:
            process = self._running.get(name)
            assert process is None or process.poll() is None, f"{name} ended:\n{self.tail(name)}"
            return bool(condition())

        wait_for(holds, what, START_S_MAX)

    def tail(self, name: str) -> str:
        """The end of a log."""
        return self._log(name).read_text(errors="replace")[-3000:]

    def end(self) -> None:
        """Nothing; every process, and every child of one, is gone."""
        for name in reversed(self._running):
            self._signal(name, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_S
        for name in reversed(self._running):
            try:
                self._running[name].wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(f"{name} did not heed TERM")
        for name, process in self._running.items():
            # Also where the first of a session ended in time: its workers may not have.
            self._signal(name, signal.SIGKILL)
            process.wait(timeout=30)
        self._running.clear()
        self.say("all processes are gone")

    def _signal(self, name: str, number: signal.Signals) -> None:
        try:
            os.killpg(self._running[name].pid, number)
        except ProcessLookupError:
            return

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        tried.settimeout(0.5)
        return tried.connect_ex(("127.0.0.1", port)) == 0
