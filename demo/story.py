"""
The whole story with the real AWS CLI: make, watch, kill, replace, grow, shrink, delete.

Owns: what a newcomer should see within a minute. Starts a gateway of its own in a temporary directory, checks every
step, and ends with exit code 0 only when everything held. Leaves nothing behind.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

T = TypeVar("T")

STEP_S_MAX = 20.0
"""No step takes longer on a machine that can run the demo at all."""

CONFIG = """\
state_directory = "{state}"

[server]
port = 0

[[users]]
name = "demo"
access_key_id = "AKIADEMODEMODEMODEMO"
secret_access_key = "demo-secret-of-no-importance"

[clouds.hotel]
kind = "local"

[clouds.sierra]
kind = "local"
"""

console = Console(highlight=False)


class Broken(Exception):  # noqa: N818 - it ends the story, it is not an error of the program
    """A step of the story did not hold."""


class Story:
    """The steps, each shown as it happens."""

    def __init__(self, aws: Path, directory: Path) -> None:
        self.aws = aws
        self.directory = directory
        self.endpoint = ""
        self.began = time.monotonic()

    def say(self, text: str) -> None:
        """Nothing; a line with the seconds since the beginning."""
        console.print(f"[dim]{time.monotonic() - self.began:5.1f} s[/dim]  {text}")

    def cli(self, *words: str) -> Any:
        """What ``aws autoscaling`` answers. Raises Broken when it fails."""
        console.print(f"         [cyan]$ aws autoscaling {' '.join(words)}[/cyan]", soft_wrap=True)
        return self.ask(*words)

    def ask(self, *words: str) -> Any:
        """As ``cli``, without showing the command."""
        done = subprocess.run(
            [str(self.aws), "autoscaling", *words, "--output", "json"],
            capture_output=True,
            text=True,
            timeout=STEP_S_MAX,
            check=False,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
                "HOME": str(self.directory),
                "AWS_ENDPOINT_URL_AUTO_SCALING": self.endpoint,
                "AWS_ACCESS_KEY_ID": "AKIADEMODEMODEMODEMO",
                "AWS_SECRET_ACCESS_KEY": "demo-secret-of-no-importance",
                "AWS_DEFAULT_REGION": "us-east-1",
            },
        )
        if done.returncode:
            raise Broken(f"aws autoscaling {words[0]} failed: {done.stderr.strip()}")
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def in_service(self, group: str = "web") -> list[str]:
        """The ids of the instances in service."""
        found = self.ask("describe-auto-scaling-groups", "--auto-scaling-group-names", group)["AutoScalingGroups"]
        members = found[0]["Instances"] if found else []
        return sorted(each["InstanceId"] for each in members if each["LifecycleState"] == "InService")

    def until(self, condition: Callable[[], T], what: str) -> T:
        """What *condition* returns once it is true. Raises Broken when it does not come true."""
        deadline = time.monotonic() + STEP_S_MAX
        while not (result := condition()):
            if time.monotonic() > deadline:
                raise Broken(f"waited {STEP_S_MAX:.0f} s for {what}")
            threading.Event().wait(0.05)
        return result

    def machine(self, instance_id: str) -> tuple[int, str]:
        """The process and the address of a VM, read where the local cloud keeps its VMs."""
        for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
            with contextlib.suppress(OSError):
                environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
                if f"PHANTOM_INSTANCE_ID={instance_id}".encode() in environ and os.getpgid(pid) == pid:
                    address = next(line for line in environ if line.startswith(b"PHANTOM_ADDRESS="))
                    return pid, address.partition(b"=")[2].decode()
        raise Broken(f"no process runs for {instance_id}")

    def hello(self, address: str) -> str:
        """The heading of what the VM's web server says, or "" while it does not answer."""
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{address}:8080/", timeout=2) as page:
            heading = re.search("<h1>(.*)</h1>", page.read().decode())
            return heading[1] if heading else ""
        return ""


def tell(story: Story) -> None:
    """Nothing, when everything held. Raises Broken."""
    story.say("[bold]Say what to launch, and where: a launch configuration is called name@cloud.[/bold]")
    story.cli(
        *("create-launch-configuration", "--launch-configuration-name", "web@hotel"),
        *("--image-id", "hello-phantom.gz", "--instance-type", "m1.small"),
    )
    story.say("[bold]Say how many. From now on two VMs are kept alive.[/bold]")
    story.cli(
        *("create-auto-scaling-group", "--auto-scaling-group-name", "web"),
        *("--launch-configuration-name", "web@hotel", "--availability-zones", "hotel"),
        *("--min-size", "0", "--max-size", "5", "--desired-capacity", "2"),
    )
    first = story.until(lambda: _exactly(story.in_service(), 2), "two VMs in service")
    for instance_id in first:
        pid, address = story.machine(instance_id)
        said = story.until(lambda address=address: story.hello(address), f"{instance_id} to answer")  # type: ignore[misc]
        story.say(f"process {pid} at http://{address}:8080/ says: [green]{said}[/green]")
    replace_a_dead_one(story, first)
    for wanted in (4, 0):
        story.say(f"[bold]Scale to {wanted}.[/bold]")
        story.cli("set-desired-capacity", "--auto-scaling-group-name", "web", "--desired-capacity", str(wanted))
        story.until(lambda wanted=wanted: len(story.in_service()) == wanted, f"{wanted} VMs in service")  # type: ignore[misc]
        story.say(f"[green]{wanted} VMs in service.[/green]")
    story.say("[bold]Clean up.[/bold]")
    story.cli("delete-auto-scaling-group", "--auto-scaling-group-name", "web", "--force-delete")
    story.until(lambda: not story.ask("describe-auto-scaling-groups")["AutoScalingGroups"], "the group to be gone")
    story.cli("delete-launch-configuration", "--launch-configuration-name", "web@hotel")


def replace_a_dead_one(story: Story, first: list[str]) -> None:
    """Nothing, when a killed VM was replaced and the activity says why. Raises Broken."""
    victim = first[0]
    pid, _ = story.machine(victim)
    story.say(f"[bold]kill -9 {pid}: one VM dies.[/bold]")
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    now = story.until(lambda: _replaced(story.in_service(), victim), "the replacement")
    (newcomer,) = set(now) - set(first)
    story.say(f"[green]{newcomer} took its place, seen {time.monotonic() - killed:.1f} s after the kill.[/green]")
    listed = story.cli("describe-scaling-activities", "--auto-scaling-group-name", "web", "--max-items", "2")
    for activity in listed["Activities"]:
        console.print(f"         {activity['StatusCode']}: {activity['Description']}")
        console.print(f"         [dim]{activity['Cause']}[/dim]")
    if not any("unhealthy instance needing to be replaced" in each["Cause"] for each in listed["Activities"]):
        raise Broken("no activity explains the replacement")


def _exactly(found: list[str], count: int) -> list[str]:
    return found if len(found) == count else []


def _replaced(found: list[str], victim: str) -> list[str]:
    return found if victim not in found and len(found) == 2 else []  # noqa: PLR2004 - the story's two VMs


@contextlib.contextmanager
def gateway(directory: Path) -> Iterator[str]:
    """The endpoint of a gateway of the demo's own; afterwards neither it nor any VM is left."""
    config = directory / "phantom.toml"
    config.write_text(CONFIG.format(state=directory / "state"), encoding="utf-8")
    with (directory / "gateway.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "phantom_gateway", "serve", "--config", str(config)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if " serves on " not in line:
            raise Broken(f"the gateway did not start:\n{(directory / 'gateway.log').read_text()}")
        yield line.split(" serves on ")[1].strip()
    finally:
        process.terminate()
        process.wait(timeout=15)
        process.stdout.close()
        _end_machines(directory)


def _end_machines(directory: Path) -> None:
    """Nothing; VMs that a broken story left running are gone. They live below *directory*."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            pid = int(entry.name)
            if str(directory).encode() in (entry / "environ").read_bytes() and os.getpgid(pid) == pid:
                os.killpg(pid, signal.SIGKILL)


def main() -> int:
    """The exit code: 0 when everything held."""
    parser = argparse.ArgumentParser(description="The whole story with the real AWS CLI.")
    parser.add_argument("--aws", type=Path, required=True, help="the aws command to use")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="phantom-demo-") as name:
        story = Story(arguments.aws, Path(name))
        try:
            with gateway(story.directory) as endpoint:
                story.endpoint = endpoint
                story.say(f"A gateway with two local clouds, hotel and sierra, serves on {endpoint}.")
                tell(story)
        except Broken as broken:
            console.print(f"[bold red]It did not hold:[/bold red] {broken}")
            return 1
        story.say("[bold green]It all held.[/bold green]")
    return 0


if __name__ == "__main__":
    sys.exit(main())
