"""
A gateway of many lives: each is a fork of one process that has imported everything, so that being born costs a fifth.

Owns: telling that process to give a life, and hearing of birth and death. Does not own: what is deadly (``dying``).
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.gateway import Gateway


class MortalGateway(Gateway):
    """One gateway under test, whose ``start`` gives it another life."""

    _life: int | None = None

    @property
    def pid(self) -> int:
        """The process that serves."""
        assert self._life is not None
        return self._life

    @property
    def is_dead(self) -> bool:
        """Whether its latest life is over."""
        return self._life is None or not Path(f"/proc/{self._life}").exists()

    def start(self, environ: Mapping[str, str] | None = None) -> None:
        """See the base: it serves. Raises AssertionError when it died before."""
        assert self.comes_up(environ), f"the gateway did not start\n{self.log.read_text()}"

    def comes_up(self, environ: Mapping[str, str] | None = None) -> bool:
        """True once another life serves; False when it was killed before it did. Raises AssertionError: it gave up."""
        if self._process is None:
            self._open(environ)
        self._write_config()
        assert self._process is not None
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)
        self._life, serves = None, False
        while self._life is None or not serves:
            word, _, rest = self._line().partition(" ")
            if word == "born":
                self._life = int(rest)
            elif word == "died":
                self._life = None
                assert int(rest) == -signal.SIGKILL, f"the gateway gave up\n{self.log.read_text()}"
                return False
            elif " serves on " in rest:
                self.port, serves = int(rest.rsplit(":", 1)[1]), True
        return True

    def await_death(self) -> None:
        """See the base."""
        if self._life is not None:
            self._reap()

    def kill(self) -> None:
        """See the base."""
        os.kill(self.pid, signal.SIGKILL)
        self._reap()

    def terminate(self) -> int:
        """See the base."""
        os.kill(self.pid, signal.SIGTERM)
        return self._reap()

    def stop(self) -> None:
        """Nothing; neither a life nor what gives lives is left."""
        if self._process is None:
            return
        if not self.is_dead:
            self.kill()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()
        self.records.drop()

    def _open(self, environ: Mapping[str, str] | None) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._module, str(self.config), *self._arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **(environ or {})},
            )

    def _reap(self) -> int:
        while True:
            word, _, rest = self._line().partition(" ")
            if word == "died":
                self._life = None
                return int(rest)

    def _line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"what gives lives is gone itself\n{self.log.read_text()}"
        return line
