"""
Decision engines, run as their users run them: the tutorial's, and the examples of this project.

What runs is told by the processes, not by the programs. Does not own: the programs.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.clients import driving
from tests.clients.recipes import running
from tests.support.gateway import Gateway
from tests.support.waiting import wait_for

pytestmark = pytest.mark.clients

EXAMPLES = driving.ROOT / "examples"
PROGRAM_S_MAX = 60


@contextmanager
def started(environ: Mapping[str, str], *words: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A Python program, spoken to over pipes; it has ended well."""
    command = [sys.executable, "-u", *map(str, words)]
    with subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
    ) as process:
        yield process
        told, _ = process.communicate(timeout=PROGRAM_S_MAX)
        assert process.returncode == 0, told


class Caller:
    """A user of the JSON API with ``requests``, as the published scripts use it: bodies without a content type."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.url = environ["PHANTOM_URL"]
        self.auth = (environ["USER_ID"], environ["TOKEN"])

    def call(self, method: str, path: str, body: Any = None) -> requests.Response:
        """The answer."""
        data = None if body is None else json.dumps(body)
        return requests.request(method, self.url + path, data=data, auth=self.auth, timeout=PROGRAM_S_MAX)

    def find(self, kind: str, name: str) -> Any:
        """What is called *name* in a list, or None."""
        return next((found for found in self.call("GET", kind).json() if found["name"] == name), None)


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that it prints."""
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def wake(process: subprocess.Popen[str]) -> None:
    """Nothing; its sleep is over."""
    assert process.stdin is not None
    process.stdin.write("\n")


def settle(gateway: Gateway, places: Mapping[str, int]) -> None:
    """Nothing; once *places* is what really runs."""
    wait_for(lambda: running(gateway) == places, f"{dict(places)} to run")


@pytest.mark.parametrize(
    "told",
    [
        pytest.param("Creating launch config 'my_launch_config'", id="first run"),
        pytest.param("Launch config 'my_launch_config' has already been added, skipping...", id="second run"),
    ],
)
def test_the_tutorials_program_runs_as_it_stands(gateway: Gateway, environ: dict[str, str], told: str) -> None:
    """It grows the domain to 1, 2, 3 and 4 VMs and back to none; a second run finds what the first one made."""
    scripts = driving.SCRIPTS
    with started(environ, scripts / "paced.py", scripts / "de_tutorial.py") as process:
        assert line_of(process) == told
        assert line_of(process) == "Creating domain my_domain"
        for count in (1, 2, 3, 4):
            assert line_of(process) == f"set my_domain vm_count to {count}"
            settle(gateway, {"hotel": count})
            wake(process)
        assert line_of(process) == "let domain settle for 60s"
        wake(process)
        assert line_of(process) == "set my_domain vm_count back to 0"
    settle(gateway, {})


def test_the_example_of_a_decision_engine(gateway: Gateway, environ: dict[str, str]) -> None:
    """Two VMs find room on each cloud; it waits for what it asked for, so that each step was true."""
    program = EXAMPLES / "decision_engine.py"
    with started(
        environ, program, "--domain", "modern", "--launch-configuration", "modern", "--rest-s", "0"
    ) as process:
        assert [line_of(process) for _ in range(4)] == [f"set modern vm_count to {count}" for count in (1, 2, 3, 4)]
        settle(gateway, {"hotel": 2, "sierra": 2})
        assert line_of(process) == "let modern rest for 0 s"
        assert [line_of(process), line_of(process)] == ["set modern vm_count to 0", "done"]
    settle(gateway, {})


def test_the_example_that_follows_a_queue(gateway: Gateway, environ: dict[str, str], tmp_path: Path) -> None:
    """It grows at once, holds while the length cannot be read, and shrinks after three shorter looks in a row."""
    queue = tmp_path / "queue"
    queue.write_text("11")
    caller = Caller(environ)
    share = {"image_id": "sleeper", "instance_type": "m1.small", "max_vms": -1, "common": True, "rank": 1}
    launch = {"name": "queue", "cloud_params": {"hotel": share}}
    domain = {"name": "queue", "de_name": "multicloud", "lc_name": "queue", "vm_count": 0}
    assert caller.call("POST", "/launchconfigurations", launch).status_code == 201
    assert caller.call("POST", "/domains", domain).status_code == 201
    options = ("--jobs-per-vm", "5", "--most", "3", "--looks", "7")
    words = (driving.SCRIPTS / "paced.py", EXAMPLES / "queue_engine.py", "queue", *options, "--", "cat", str(queue))
    with started(environ, *words) as process:
        assert line_of(process) == "11 jobs: queue goes from 0 to 3 VMs"
        settle(gateway, {"hotel": 3})
        queue.unlink()
        for _ in range(2):
            wake(process)
            assert line_of(process).startswith("the length of the queue is unknown: ")
        queue.write_text("2")
        for _ in range(3):
            wake(process)
        assert line_of(process) == "2 jobs: queue goes from 3 to 1 VMs"
        settle(gateway, {"hotel": 1})
        queue.write_text("0")
        wake(process)
    assert caller.call("DELETE", f"/domains/{caller.find('/domains', 'queue')['id']}").status_code == 204
    settle(gateway, {})


def test_the_example_that_listens(gateway: Gateway, environ: dict[str, str]) -> None:
    """It follows another domain up and down, and over a gateway that is killed and comes back."""
    caller = Caller(environ)
    share = {"image_id": "sleeper", "instance_type": "m1.small", "max_vms": -1, "common": True, "rank": 1}
    assert caller.call("POST", "/launchconfigurations", {"name": "pair", "cloud_params": {"hotel": share}}).ok
    domain = {"de_name": "multicloud", "lc_name": "pair", "vm_count": 1}
    made = [caller.call("POST", "/domains", {**domain, "name": name}) for name in ("leader", "follower")]
    leader = made[0].json()
    settle(gateway, {"hotel": 2})
    with started(environ, EXAMPLES / "event_engine.py", "leader", "follower") as process:
        for count, before in ((3, 1), (2, 3)):
            assert caller.call("PUT", f"/domains/{leader['id']}", {**leader, "vm_count": count}).ok
            lines = [line_of(process)]
            while not lines[-1].endswith(f"to {count} VMs"):  # it may see VMs come one by one
                lines.append(line_of(process))
                assert lines[-1], "the example has ended"
            assert lines[0].startswith(f"follower goes from {before} to ")
            settle(gateway, {"hotel": 2 * count})
        gateway.kill()
        gateway.start()
        assert caller.call("PUT", f"/domains/{leader['id']}", {**leader, "vm_count": 0}).ok
        while not (line := line_of(process)).endswith("to 0 VMs"):
            assert line, "the example has ended"
        settle(gateway, {})
        assert caller.call("DELETE", f"/domains/{leader['id']}").ok  # and so it ends
