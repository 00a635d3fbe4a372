"""
The processes that are measured: started on free ports in a temporary directory, watched through /proc, ended.

Owns: what each is started with, and reading its processor time and memory. Does not own: load.
"""

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import signed

ROOT = Path(__file__).parent.parent

START_S_MAX = 60.0
"""A server that does not answer by then is broken, however busy the machine."""

TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")
"""The unit of processor time in /proc: 10 ms, which is why no figure comes from less than half a second of it."""

CALM_S = 0.4
CALM_SHARE_MAX = 0.1
CALM_WAIT_S_MAX = 60.0
"""A server is calm when it used less than this share of a processor over CALM_S: its own sweeps stay below it."""

ZONE = "us-east-1a"
"""The only zone that groups name. For the gateway it is the name of a cloud, so that both get the same requests."""

FULL_CLOUD = "full"

CONFIG = f"""\
state_directory = "{{state}}"
default_cloud = "{ZONE}"

[server]
port = 0

[limits]
groups_max = 10000
launch_configurations_max = 10000
vms_per_group_max = 10000
vms_per_user_max = 100000

[[users]]
name = "bench"
account_id = "123456789012"
access_key_id = "{signed.ACCESS_KEY_ID}"
secret_access_key = "{signed.SECRET_ACCESS_KEY}"

[clouds.{ZONE}]
kind = "local"
vms_max = 10000
launches_per_minute_max = 100000

[clouds.{ZONE}.images.sleeper]
command = ["/bin/sleep", "3600"]

[clouds.{FULL_CLOUD}]
kind = "local"
launches_per_minute_max = 100000
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A process that serves."""

    name: str
    port: int
    process: subprocess.Popen[str]

    def cpu_s(self) -> float:
        """Processor time used so far, user and system, with its threads and its ended children."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return sum(int(ticks) for ticks in fields[11:15]) * TICK_S

    def rss_mib(self) -> float:
        """Resident memory."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(text.split("VmRSS:")[1].split()[0]) / 1024

    def calm(self) -> None:
        """Nothing, once it has finished what it does in the background."""
        deadline = time.monotonic() + CALM_WAIT_S_MAX
        before = self.cpu_s()
        while time.monotonic() < deadline:
            pause(CALM_S)
            after = self.cpu_s()
            if after - before < CALM_SHARE_MAX * CALM_S:
                return
            before = after
        print(f"  {self.name} did not come to rest within {CALM_WAIT_S_MAX:.0f} s", file=sys.stderr)

    def stop(self) -> None:
        """Nothing; it is gone."""
        self.process.terminate()
        self.process.wait(timeout=START_S_MAX)
        if self.process.stdout is not None:
            self.process.stdout.close()


def pause(seconds: float) -> None:
    """Nothing, after *seconds*."""
    threading.Event().wait(seconds)


def write_config(directory: Path, sections: str = "") -> Path:
    """The file of a configuration whose state is in *directory*; *sections* are added to it."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "phantom.toml"
    file.write_text(CONFIG.format(state=directory / "state") + sections, encoding="utf-8")
    return file


def start_gateway(directory: Path, *flags: str, sections: str = "") -> Server:
    """The gateway with clouds in memory; *sections* are added to its configuration."""
    config = write_config(directory, sections)
    return _start("ours", [sys.executable, "-m", "bench.gateway", str(config), *flags], directory)


def start_real_gateway(directory: Path) -> Server:
    """The gateway exactly as users run it, with clouds that run real processes."""
    config = write_config(directory)
    return _start("ours", [sys.executable, "-m", "phantom_gateway", "serve", "--config", str(config)], directory)


def start_hello(directory: Path) -> Server:
    """The bare handler."""
    return _start("hello", [sys.executable, "-m", "bench.hello"], directory)


def start_moto(directory: Path, program: Path) -> Server:
    """The peer, as its users run it; the log it writes for each request goes to a file."""
    directory.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    with (directory / "moto.log").open("ab") as log:
        command = [str(program), "--host", "127.0.0.1", "--port", str(port)]
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=directory, text=True)
    deadline = time.monotonic() + START_S_MAX
    while not _listens(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"moto did not start: {(directory / 'moto.log').read_text()}")
        pause(0.02)
    return Server("moto", port, process)


def _start(name: str, command: Sequence[str], directory: Path) -> Server:
    """The server that prints where it serves."""
    directory.mkdir(parents=True, exist_ok=True)
    log_file = directory / f"{name}.log"
    with log_file.open("ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=ROOT, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    if " serves on " not in line:
        raise AssertionError(f"{name} did not start: {line!r}\n{log_file.read_text()}")
    return Server(name, int(line.rsplit(":", 1)[1]), process)


def _listens(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.connect()
    except OSError:
        return False
    finally:
        connection.close()
    return True
