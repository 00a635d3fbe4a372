"""
Real moto servers as clouds: processes of their own on free ports, started, silenced, and ended by their id.

Owns: their life, and asking them the plain truth past everything that is under test. Does not own: the proxy that is
put in front of them (:mod:`tests.fake_ec2.proxy`).
"""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.support.canary import planted
from tests.support.waiting import wait_for

START_S_MAX = 60.0
"""It imports for 2 to 6 s on an idle machine."""

LIVES = frozenset({"pending", "running", "stopping", "stopped"})
"""States in which a machine costs money, or soon does again."""


def skip_without_moto() -> None:
    """Nothing where moto's server is installed; elsewhere the test or module is skipped, and says why."""
    if importlib.util.find_spec("moto") is None or importlib.util.find_spec("flask") is None:
        pytest.skip("the package moto[server,ec2] is not installed", allow_module_level=True)


class MotoServer:
    """One cloud; *directory* takes its log. All it knows is lost when it ends. A context."""

    def __init__(self, directory: Path, name: str = "moto") -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is reached; the same over its lives."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process that serves."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Nothing; it answers. Its port is the one it had before."""
        program = "from moto.server import main; main()"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", program, "-H", "127.0.0.1", "-p", str(self.port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "AWS_DEFAULT_REGION": "us-east-1"},
            )
        wait_for(self._answers, f"{self.name} to answer; its log is {self.log}", START_S_MAX)

    def stop(self) -> None:
        """Nothing; the process is gone, and every machine with it."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.kill()  # it keeps nothing that a gentler end would save, and it may be silenced
        self._process.wait(timeout=30)
        self._process = None

    def silence(self) -> None:
        """Nothing; it takes connections and answers none of them, until :meth:`resume`."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Nothing; it goes on where it was."""
        os.kill(self.pid, signal.SIGCONT)

    def client(self, service: str = "ec2") -> Any:
        """A boto3 client that asks it directly and tries once."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="AKIATESTTESTTESTTEST",
            aws_secret_access_key=planted("/of+the=test"),
            config=Config(retries={"total_max_attempts": 1}),
        )

    def instances(self, states: frozenset[str] = LIVES) -> list[dict[str, Any]]:
        """Its machines in *states*, as boto3 shows them: the judge's view."""
        pages = self.client().get_paginator("describe_instances").paginate()
        found = [machine for page in pages for entry in page["Reservations"] for machine in entry["Instances"]]
        return [machine for machine in found if machine["State"]["Name"] in states]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self._process.returncode}:\n{self.log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(f"{self.url}/moto-api/data.json", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
