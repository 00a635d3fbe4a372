"""
One group over four kinds of clouds at once, made and watched with the AWS CLI: local processes, EC2 (moto), OpenStack,
and VMs of libvirt.

Owns: the story. OpenStack is the real control plane where ``make test-openstack`` has brought one up, else the small
one of these tests. libvirt is its own test driver, which lives in the process that serves: so the gateway is served
here.
"""

import asyncio
import contextlib
import json
import os
import shlex
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from backends.openstack import Login
from phantom_gateway.app import Running, serving
from phantom_gateway.config import load
from tests.backends.openstack_project import cloud_of
from tests.clients import driving
from tests.fake_openstack.endpoint import PASSWORD, PROJECT, USER
from tests.fake_openstack.endpoint import serving as openstack
from tests.fake_openstack.world import World
from tests.support.gateway import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from tests.support.moto import MotoServer

libvirt = pytest.importorskip("libvirt", reason="libvirt-python is not installed (make setup-vms)")

pytestmark = [pytest.mark.clients, pytest.mark.timeout(600)]

REAL = os.environ.get("PHANTOM_TEST_OPENSTACK")
RECORD = os.environ.get("PHANTOM_TEST_RECORD")
"""A file that gets what was typed and answered: the session that the documentation shows."""

WAIT_S = 180.0 if REAL else 60.0
RANKS = "hotel:1,sierra:1,alamo:2,spare:-1"
CAPPED = ("hotel", "sierra", "alamo")
DESIRED = 6
PLACED = {"hotel": 1, "sierra": 1, "alamo": 2, "spare": 2}

CONFIG = """\
state_directory = "{state}"

[server]
port = 0

[reconciler]
sweep_interval_s = 1

[[users]]
name = "alice"
access_key_id = "{key}"
secret_access_key = "{secret}"

[clouds.hotel]
kind = "local"

[clouds.sierra]
kind = "ec2"
endpoint_url = "{moto}"
dialect = "moto"
access_key_id = "testing"
secret_access_key = "testing"

[clouds.alamo]
kind = "openstack"
auth_url = "{auth_url}"
username = "{user}"
password = "{password}"
project_name = "{project}"
region = "{region}"
visible_after_s = 0

[clouds.spare]
kind = "libvirt"
uri = "test:///default"

[clouds.spare.images."debian-12"]
kernel = "{kernel}"
"""


class Stage:
    """The four clouds, the gateway over them, and a terminal with the AWS CLI."""

    def __init__(self, directory: Path, world: World, login: Login, moto: MotoServer) -> None:
        self.directory = directory
        self.world = world
        self.moto = moto
        self.domains = libvirt.open("test:///default")
        self.running: Running | None = None
        self._login = login
        self._began = time.monotonic()
        self._lines: list[str] = []

    def config(self) -> Path:
        """The configuration file."""
        kernel = self.directory / "vmlinuz"
        kernel.touch()
        file = self.directory / "phantom.toml"
        file.write_text(
            CONFIG.format(
                state=self.directory / "state",
                key=ACCESS_KEY_ID,
                secret=SECRET_ACCESS_KEY,
                moto=self.moto.url,
                auth_url=self._login.auth_url,
                user=self._login.user,
                password=self._login.secret,
                project=self._login.project,
                region=self._login.region,
                kernel=kernel,
            )
        )
        return file

    # The terminal.

    async def aws(self, *words: str, show: bool = True) -> Any:
        """What ``aws autoscaling`` answers."""
        assert self.running is not None
        output = "json" if not show or "--query" not in words else "table"
        process = await asyncio.create_subprocess_exec(
            driving.installed("cli/bin/aws", "the AWS CLI"),
            *("autoscaling", *words, "--output", output),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.directory),
                "AWS_ENDPOINT_URL_AUTO_SCALING": f"http://127.0.0.1:{self.running.port}",
                "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
                "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_PAGER": "",
            },
        )
        told, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        if show:
            self._record("$ aws autoscaling " + shlex.join(words), told.decode())
        return told.decode() if output == "table" else json.loads(told or b"{}")

    def say(self, text: str) -> None:
        """Nothing; a remark stands in the record, with the seconds since the beginning."""
        self._lines.append(f"# {time.monotonic() - self._began:5.1f} s  {text}")

    def _record(self, command: str, told: str) -> None:
        self._lines += [command, *told.rstrip().splitlines(), *([""] if told.strip() else [])]

    def write(self, file: str) -> None:
        """Nothing; the session is in *file*."""
        Path(file).write_text("\n".join(self._lines) + "\n", encoding="utf-8")

    # What is true on the four clouds, past the gateway.

    async def alive(self) -> dict[str, set[str]]:
        """The group's VMs by cloud, in each cloud's own ids."""
        return {
            "hotel": {str(pid) for pid in self._processes()},
            "sierra": {each["InstanceId"] for each in await asyncio.to_thread(self.moto.instances)},
            "alamo": await self._servers(),
            "spare": {d.UUIDString() for d in self.domains.listAllDomains() if d.isActive() and d.name() != "test"},
        }

    async def kill(self, cloud: str, machine_id: str) -> None:
        """Nothing; the VM dies as VMs of that cloud do, without the gateway being asked."""
        match cloud:
            case "hotel":
                os.killpg(int(machine_id), signal.SIGKILL)
            case "sierra":
                await asyncio.to_thread(self.moto.client().terminate_instances, InstanceIds=[machine_id])
            case "alamo" if REAL:
                await self._delete_server(machine_id)
            case "alamo":
                self.world.kill([machine_id])
            case _:
                self.domains.lookupByUUIDString(machine_id).destroy()

    def _processes(self) -> list[int]:
        """The leader of every VM process below our directory."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                pid = int(entry.name)
                environ = (entry / "environ").read_bytes()
                if b"PHANTOM_MACHINE=" in environ and str(self.directory).encode() in environ:
                    found += [pid] if os.getpgid(pid) == pid else []
        return found

    async def _servers(self) -> set[str]:
        if not REAL:
            return {each["id"] for each in self.world.alive()}
        found: set[str] = await self._asked(
            lambda provider, driver: {
                each["id"]
                for each in provider._pages(driver.connection, "/servers/detail", "servers")
                if each["OS-EXT-STS:task_state"] != "deleting"
            }
        )
        return found

    async def _delete_server(self, machine_id: str) -> None:
        await self._asked(lambda provider, driver: provider.destroy(driver, machine_id))

    async def _asked(self, question: Callable[[Any, Any], Any]) -> Any:
        """What a second log-in beside the gateway's finds."""
        cloud = cloud_of(self._login)
        try:
            return await asyncio.to_thread(question, cloud._provider, cloud._provider.connect())
        finally:
            await cloud.close()

    async def end(self) -> None:
        """Nothing; whatever a broken story left is gone."""
        for cloud, machine_ids in (await self.alive()).items():
            for machine_id in machine_ids:
                await self.kill(cloud, machine_id)
        for domain in self.domains.listAllDomains():
            if domain.name() != "test":
                domain.undefine()
        self.domains.close()


async def until(condition: Callable[[], Awaitable[Any]], what: str) -> Any:
    """What *condition* returns, once it is true. Raises AssertionError that names *what* did not happen."""
    deadline = time.monotonic() + WAIT_S
    while not (result := await condition()):
        assert time.monotonic() < deadline, f"waited {WAIT_S:g} s for {what}"
        await asyncio.sleep(0.2)
    return result


@contextlib.asynccontextmanager
async def _openstack(world: World) -> AsyncIterator[Login]:
    """How to log in to an OpenStack: the real one, or the small one, which then serves."""
    if REAL:
        yield Login(REAL, "admin", "admin", project="admin", region="RegionOne")
    else:
        async with openstack(world) as url:
            yield Login(url, USER, PASSWORD, project=PROJECT, region="north")


@pytest.fixture
async def stage(tmp_path):
    """The four clouds and the gateway; nothing of them is left."""
    world = World()
    with MotoServer(tmp_path) as moto:
        async with _openstack(world) as login:
            stage = Stage(tmp_path, world, login, moto)
            try:
                async with serving(load(stage.config(), os.environ), os.environ) as running:
                    stage.running = running
                    yield stage
            finally:
                await stage.end()


async def test_one_group_lives_on_four_clouds(stage: Stage):
    """Ranks and caps hold, each killed VM is replaced on its cloud, and nothing is left after the end."""
    stage.say("four launch configurations of one base name, one for each cloud")
    for cloud, image, size in (
        ("hotel", "hello-phantom.gz", "m1.small"),
        ("sierra", "ami-12345678", "m1.small"),
        ("alamo", "tiny", "m1.tiny"),
        ("spare", "debian-12", "m1.tiny"),
    ):
        await stage.aws(
            *("create-launch-configuration", "--launch-configuration-name", f"web@{cloud}"),
            *("--image-id", image, "--instance-type", size),
        )
    stage.say("one group: the tag ranks the clouds, and caps them; the last takes the rest")
    tag = {"Key": "clouds", "Value": RANKS, "PropagateAtLaunch": False}
    await stage.aws(
        *("create-auto-scaling-group", "--auto-scaling-group-name", "web"),
        *("--launch-configuration-name", "web@hotel", "--availability-zones", *PLACED),
        *("--min-size", "0", "--max-size", "8", "--desired-capacity", str(DESIRED)),
        *("--tags", json.dumps([tag])),
    )
    await _settled(stage, PLACED)
    await _shown(stage)
    for cloud in PLACED:
        victim = min((await stage.alive())[cloud])
        stage.say(f"one VM on {cloud} is killed behind the gateway's back: {victim}")
        await stage.kill(cloud, victim)
        await _settled(stage, PLACED, without=victim)
        stage.say(f"{cloud} has another in its place")
    await _activities(stage)
    stage.say("fewer")
    await stage.aws("set-desired-capacity", "--auto-scaling-group-name", "web", "--desired-capacity", "3")
    fewer = await until(lambda: _counted(stage, 3), "three VMs")
    assert all(count <= PLACED[cloud] for cloud, count in fewer.items())
    await _shown(stage)
    stage.say("none")
    await stage.aws("delete-auto-scaling-group", "--auto-scaling-group-name", "web", "--force-delete")
    await until(lambda: _is_gone(stage), "the group to be gone")
    assert await _counted(stage, 0) == dict.fromkeys(PLACED, 0)
    for cloud in PLACED:
        await stage.aws("delete-launch-configuration", "--launch-configuration-name", f"web@{cloud}")
    stage.say("nothing is left on any of the four")
    if RECORD:
        stage.write(RECORD)


async def _settled(stage: Stage, placed: dict[str, int], without: str = "") -> None:
    """Nothing, once the clouds hold what is *placed*, *without* one VM, and the CLI shows them in service."""

    async def holds() -> bool:
        alive = await stage.alive()
        counts = {cloud: len(machine_ids) for cloud, machine_ids in alive.items()}
        # Never more than the caps, and never more than desired, at any moment at which anybody looked.
        assert all(counts[cloud] <= placed[cloud] for cloud in CAPPED), counts
        assert sum(counts.values()) <= DESIRED, counts
        if counts != placed or any(without in machine_ids for machine_ids in alive.values()):
            return False
        group = (await stage.aws("describe-auto-scaling-groups", show=False))["AutoScalingGroups"][0]
        zones = [each["AvailabilityZone"] for each in group["Instances"] if each["LifecycleState"] == "InService"]
        return {cloud: zones.count(cloud) for cloud in placed} == placed

    await until(holds, f"{placed} in service")


async def _counted(stage: Stage, total: int) -> dict[str, int] | None:
    """How many VMs live where, when *total* do and the group shows no more."""
    counts = {cloud: len(machine_ids) for cloud, machine_ids in (await stage.alive()).items()}
    groups = (await stage.aws("describe-auto-scaling-groups", show=False))["AutoScalingGroups"]
    members = [each for group in groups for each in group["Instances"]]
    return counts if sum(counts.values()) == len(members) == total else None


async def _is_gone(stage: Stage) -> bool:
    return not (await stage.aws("describe-auto-scaling-groups", show=False))["AutoScalingGroups"]


async def _shown(stage: Stage) -> None:
    """Nothing; the record shows the group as the CLI does."""
    query = "AutoScalingGroups[0].Instances[].[AvailabilityZone,InstanceId,LifecycleState,HealthStatus]"
    await stage.aws("describe-auto-scaling-groups", "--auto-scaling-group-names", "web", "--query", query)


async def _activities(stage: Stage) -> None:
    """Nothing; a replacement on each cloud has its reason on record."""
    told = await stage.aws("describe-scaling-activities", "--auto-scaling-group-name", "web", show=False)
    replaced = [each for each in told["Activities"] if "needing to be replaced" in each["Cause"]]
    assert len(replaced) >= len(PLACED)
    assert all(each["StatusCode"] == "Successful" for each in replaced)
    query = "Activities[?contains(Cause, 'needing to be replaced')].[StatusCode,Description]"
    await stage.aws("describe-scaling-activities", "--auto-scaling-group-name", "web", "--query", query)
