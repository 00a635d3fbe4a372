"""
A whole gateway as a process of its own, for tests that treat it as its users do.

Owns: starting, killing and starting again, on a free port and in a state directory of the test's own; counting the
real processes behind its local clouds; ending every one of them. Does not own: clients.
"""

import contextlib
import http.client
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.canary import planted
from tests.support.records import CHOSEN, Records, gateway_id, new_records
from tests.support.waiting import wait_for

ACCESS_KEY_ID = "AKIATESTTESTTESTTEST"
SECRET_ACCESS_KEY = planted("/of+the=test")
ACCOUNT_ID = "123456789012"
PASSWORD = planted(" of the tester's own")

CONFIG = """\
state_directory = "{state}"
{top}
{records}
[server]
port = {port}

[reconciler]
sweep_interval_s = 1

[limits]
vms_per_group_max = 1000
vms_per_user_max = 10000

[[users]]
name = "tester"
account_id = "{account_id}"
access_key_id = "{access_key_id}"
secret_access_key = "{secret}"
{password}"""

CLOUD = """
[clouds.{name}]
kind = "local"
terminate_grace_s = 1

[clouds.{name}.images.sleeper]
command = ["/bin/sleep", "3600"]
description = "sleeps, and costs nothing"
"""

TOLD_TO_ANYBODY = ("/metrics", "/readyz", "/api/dev/openapi.json")
"""Answered without a signature."""

CLOUDS = ("hotel", "sierra", "foxtrot", "alamo")


class Gateway:
    """One gateway under test. *state* outlives kills; ``stop`` ends its VMs too."""

    def __init__(
        self,
        directory: Path,
        *,
        top: str = "",
        sections: str = "",
        clouds: tuple[str, ...] = CLOUDS,
        module: tuple[str, ...] = ("phantom_gateway", "serve", "--config"),
        arguments: tuple[str, ...] = (),
        password: str = PASSWORD,
        database: str = CHOSEN,
    ) -> None:
        """
        *sections* end the configuration. *module* is run with its path and *arguments* after it. *database*: the kind
        of its records, "sqlite" or "postgresql".

        Without a *password* a start is half a second of a processor shorter: hashes take long on purpose.
        """
        self.directory = directory
        self.state = directory / "state"
        self.records: Records = new_records(database, self.state)
        self.config = directory / "phantom.toml"
        self.log = directory / "gateway.log"
        self.port = 0
        self._top = top
        self._sections = sections
        self._clouds = clouds
        self._module = module
        self._arguments = arguments
        self._password = password
        self._process: subprocess.Popen[str] | None = None

    @property
    def endpoint(self) -> str:
        """Where clients reach it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process that serves."""
        assert self._process is not None
        return self._process.pid

    @property
    def client_environ(self) -> dict[str, str]:
        """Environment for a real client: our keys, our endpoint, and nothing of the tester's own configuration."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "LANG": "C.UTF-8",
            "AWS_ENDPOINT_URL_AUTO_SCALING": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
        }

    @property
    def phantom_environ(self) -> dict[str, str]:
        """Environment for a program that uses the JSON API: what ``phantom-gateway env`` exports, and little else."""
        self._write_config()  # the port is known now
        command = [sys.executable, "-m", "phantom_gateway", "env", "--config", str(self.config)]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        words = [shlex.split(line) for line in lines if line.startswith("export ")]
        exports = dict(word.split("=", 1) for _, word in words)
        return {"PATH": os.environ["PATH"], "HOME": str(self.directory), "LANG": "C.UTF-8", **exports}

    def start(self, environ: Mapping[str, str] | None = None) -> None:
        """Nothing; it serves. The port stays the same over restarts."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._write_config()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._module, str(self.config), *self._arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **(environ or {})},
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if " serves on " not in line:
            raise AssertionError(f"the gateway did not start: {line!r}\n{self.log.read_text()}")
        self.port = int(line.rsplit(":", 1)[1])

    def kill(self) -> None:
        """Nothing; the gateway is gone as by ``kill -9``. Its VMs live on."""
        assert self._process is not None
        self._process.kill()
        self._reap()

    def await_death(self) -> None:
        """Nothing, once the gateway has died by itself, or by a trap that was set for it."""
        self._reap()

    def terminate(self) -> int:
        """The exit code after SIGTERM. Its VMs live on."""
        assert self._process is not None
        self._process.terminate()
        return self._reap()

    def stop(self) -> None:
        """Nothing; neither the gateway nor any of its VMs is left, nor its records if they are on a server."""
        if self._process is not None and self._process.poll() is None:
            self._keep_what_it_tells()
            self.kill()
        for pid in self.vm_pids():
            _kill(pid)
        wait_for(lambda: not self.vm_pids(), "the VMs to be gone")
        self.records.drop()

    def vm_pids(self) -> list[int]:
        """The leader of every VM that is really running: told by the marker in its environment, not by any record."""
        marker = f"PHANTOM_MACHINE={gateway_id(self.records)}/".encode()
        return [pid for pid in _pids() if marker in _environ_of(pid) and _is_leader(pid)]

    def is_ready(self) -> bool:
        """Whether ``/readyz`` says so."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return bool(json.loads(connection.getresponse().read())["status"] == "ready")
        finally:
            connection.close()

    def rss_mib(self) -> float:
        """Resident memory of the serving process."""
        text = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(text.split("VmRSS:")[1].split()[0]) / 1024

    def _reap(self) -> int:
        assert self._process is not None
        assert self._process.stdout is not None
        code = self._process.wait(timeout=30)
        with (self.directory / "gateway.out").open("a", encoding="utf-8") as kept:
            kept.write(self._process.stdout.read())
        self._process.stdout.close()
        return code

    def _keep_what_it_tells(self) -> None:
        """Nothing; what anybody may read of it is among its files: the canary is searched for there, too."""
        for number, path in enumerate(TOLD_TO_ANYBODY):
            with contextlib.suppress(
                OSError, http.client.HTTPException
            ):  # a test may have left it frozen, or on its way
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
                with contextlib.closing(connection):
                    connection.request("GET", path)
                    (self.directory / f"told.{number}").write_bytes(connection.getresponse().read())

    def _write_config(self) -> None:
        text = CONFIG.format(
            state=self.state,
            top=self._top,
            records=self.records.section,
            port=self.port,
            account_id=ACCOUNT_ID,
            access_key_id=ACCESS_KEY_ID,
            secret=SECRET_ACCESS_KEY,
            password=f'password = "{self._password}"\n' if self._password else "",
        )
        clouds = "".join(CLOUD.format(name=name) for name in self._clouds)
        self.config.write_text(text + clouds + self._sections, encoding="utf-8")


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _environ_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""  # it ended while we looked, or is a zombie


def _is_leader(pid: int) -> bool:
    try:
        return os.getpgid(pid) == pid
    except OSError:
        return False


def _kill(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
