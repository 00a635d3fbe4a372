"""
One group over two clouds that are one OpenStack: its own API, and ec2-api in front of it.

Owns: the story. Both kinds of cloud see the servers of one project, and neither may take the other's for its own.
"""

import asyncio
import functools
import os
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from phantom_gateway.app import serving
from phantom_gateway.config import load
from tests.real_openstack.conftest import SPEC
from tests.real_openstack.seeding import ADMIN, LoggedIn
from tests.support.gateway import ACCESS_KEY_ID, SECRET_ACCESS_KEY

WAIT_S = 240.0
PLACED = {"sierra": 2, "alamo": 2}

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

[clouds.alamo]
kind = "openstack"
auth_url = "{auth_url}"
username = "{admin}"
password = "{admin}"
project_name = "{admin}"
region = "RegionOne"
visible_after_s = 5
"""


class Project:
    """The group seen from both sides: by the API, and by Nova."""

    def __init__(self, admin: LoggedIn, port: int) -> None:
        self.admin = admin
        self.api = boto3.client(
            "autoscaling",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=SECRET_ACCESS_KEY,
        )

    def create(self, images: dict[str, str]) -> None:
        """Nothing; a group fills sierra up to its cap, and puts the rest on alamo."""
        for cloud, image in images.items():
            self.api.create_launch_configuration(
                LaunchConfigurationName=f"web@{cloud}", ImageId=image, InstanceType=SPEC.instance_type
            )
        self.api.create_auto_scaling_group(
            AutoScalingGroupName="web",
            LaunchConfigurationName="web@sierra",
            AvailabilityZones=list(PLACED),
            MinSize=0,
            MaxSize=6,
            DesiredCapacity=sum(PLACED.values()),
            Tags=[{"Key": "clouds", "Value": "sierra:2,alamo:-1", "PropagateAtLaunch": False}],
        )

    def alive(self) -> dict[str, set[str]]:
        """The project's servers by cloud, in Nova's ids: ours by metadata are alamo's, and all others sierra's."""
        found: dict[str, set[str]] = {cloud: set() for cloud in PLACED}
        for server_id, metadata in self.admin.servers().items():
            found["alamo" if "phantom-gateway" in metadata else "sierra"].add(server_id)
        return found

    def settled(self, without: str = "") -> dict[str, set[str]] | None:
        """The servers by cloud, once they are as placed, *without* one, and in service as the API shows it."""
        alive = self.alive()
        assert all(len(alive[cloud]) <= PLACED[cloud] + 1 for cloud in PLACED), alive
        (group,) = self.api.describe_auto_scaling_groups()["AutoScalingGroups"]
        zones = [each["AvailabilityZone"] for each in group["Instances"] if each["LifecycleState"] == "InService"]
        is_placed = {cloud: len(ids) for cloud, ids in alive.items()} == PLACED
        is_shown = {cloud: zones.count(cloud) for cloud in PLACED} == PLACED
        return alive if is_placed and is_shown and without not in alive["alamo"] | alive["sierra"] else None

    def is_gone(self) -> bool:
        """True when neither the group nor any server is left."""
        return not self.api.describe_auto_scaling_groups()["AutoScalingGroups"] and not self.admin.servers()


async def until(condition: Callable[[], Any], what: str) -> Any:
    """What *condition* returns, once it is true. Raises AssertionError that names *what* did not happen."""
    deadline = time.monotonic() + WAIT_S
    while not (result := await asyncio.to_thread(condition)):
        assert time.monotonic() < deadline, f"waited {WAIT_S:g} s for {what}"
        await asyncio.sleep(0.5)
    return result


@pytest.fixture
async def emptied(admin):
    """The administrator, of a project without servers: before, and after whatever a broken story left."""

    def is_empty() -> bool:
        for server_id in admin.servers():
            admin.delete(server_id)
        return not admin.servers()

    await until(is_empty, "the project to be empty")
    yield admin
    await until(is_empty, "the project to be empty")


@pytest.mark.timeout(900)
async def test_one_group_lives_on_both_apis_of_one_openstack(tmp_path, login, ec2_cloud, ec2_image, emptied):
    """The cap holds, a server lost on either is replaced there, no server is taken for the other's, and all go."""
    began = time.monotonic()
    config = tmp_path / "phantom.toml"
    facts = {"state": tmp_path / "state", "key": ACCESS_KEY_ID, "secret": SECRET_ACCESS_KEY}
    config.write_text(CONFIG.format(**facts, auth_url=login.auth_url, admin=ADMIN) + ec2_cloud)
    async with serving(load(config, os.environ), os.environ) as running:
        project = Project(emptied, running.port)
        await asyncio.to_thread(project.create, {"sierra": ec2_image, "alamo": SPEC.image_id})
        alive = await until(project.settled, f"{PLACED} in service")
        print(f"placed after {time.monotonic() - began:.1f} s")  # noqa: T201 - figures for who runs it by hand
        for cloud in PLACED:
            victim, killed = min(alive[cloud]), time.monotonic()
            await asyncio.to_thread(emptied.delete, victim)
            survivors = set.union(*alive.values()) - {victim}
            alive = await until(functools.partial(project.settled, victim), f"another server on {cloud}")
            assert survivors < set.union(*alive.values())
            print(f"replaced on {cloud} after {time.monotonic() - killed:.1f} s")  # noqa: T201
        ended = time.monotonic()
        await asyncio.to_thread(project.api.delete_auto_scaling_group, AutoScalingGroupName="web", ForceDelete=True)
        await until(project.is_gone, "the group and its servers to be gone")
        print(f"all gone after {time.monotonic() - ended:.1f} s")  # noqa: T201
