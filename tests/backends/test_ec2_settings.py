"""
What a launch configuration says of key pair, groups, disks, zone and subnet, on the fake endpoint and on moto.

Owns: that each arrives at the machine. Does not own: how it is spelled on the wire (``test_ec2_calls``).
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from backends.cloud import LaunchSpec
from phantom_gateway.launch_settings import launch_spec
from tests.backends.ec2_endpoint import GATEWAY, KEY, MARK, SECRET, TOKEN, cloud_at
from tests.backends.moto_cloud import moto
from tests.fake_ec2.endpoint import Endpoint
from tests.fake_ec2.knobs import AWS
from tests.fake_ec2.serving import Served
from tests.fake_ec2.world import World


@dataclass(frozen=True)
class There:
    """What exists on an endpoint, and how its machines are looked at past everything that is under test."""

    url: str
    key_name: str
    group_name: str
    group_id: str
    subnet_id: str
    look: Callable[[str], Mapping[str, Any]]


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    """A moto server."""
    with moto() as url:
        yield url


@contextlib.asynccontextmanager
async def fake() -> AsyncIterator[There]:
    """The fake endpoint."""
    world = World(AWS)
    async with Served(Endpoint(world).application()) as served:

        def look(machine_id: str) -> Mapping[str, Any]:
            machine = world.machines[machine_id]
            disks = {each["DeviceName"]: each.get("Ebs.VolumeSize") for each in machine.order.block_devices}
            return {
                "key": machine.order.key_name,
                "groups": set(machine.order.security_groups),
                "subnet": machine.order.subnet_id,
                "zone": machine.zone,
                "disk": disks.get("/dev/sdf"),
            }

        group_id = "sg-00000000000000001"
        yield There(served.url, AWS.key_names[0], AWS.security_groups[0], group_id, AWS.subnets[0], look)


@contextlib.asynccontextmanager
async def real_moto(url: str) -> AsyncIterator[There]:
    """A moto server with a key pair and a security group of our own, and one of its subnets."""
    client = boto3.client(
        "ec2", endpoint_url=url, region_name="us-east-1", aws_access_key_id=KEY, aws_secret_access_key=SECRET
    )
    with contextlib.suppress(client.exceptions.ClientError):  # the tests before it have made them
        client.create_key_pair(KeyName="deploy")
    groups = client.describe_security_groups()["SecurityGroups"]
    found = next((group for group in groups if group["GroupName"] == "web"), None)
    group_id = (
        found["GroupId"] if found else client.create_security_group(GroupName="web", Description="web")["GroupId"]
    )
    subnet = next(s for s in client.describe_subnets()["Subnets"] if s["AvailabilityZone"] == "us-east-1b")

    def look(machine_id: str) -> Mapping[str, Any]:
        machine = client.describe_instances(InstanceIds=[machine_id])["Reservations"][0]["Instances"][0]
        disks = {each["DeviceName"]: each["Ebs"]["VolumeId"] for each in machine["BlockDeviceMappings"]}
        volume = client.describe_volumes(VolumeIds=[disks["/dev/sdf"]])["Volumes"][0] if "/dev/sdf" in disks else {}
        return {
            "key": machine.get("KeyName"),
            "groups": {each for group in machine["SecurityGroups"] for each in group.values()},
            "subnet": machine.get("SubnetId"),
            "zone": machine["Placement"]["AvailabilityZone"],
            "disk": str(volume.get("Size")),
        }

    yield There(url, "deploy", "web", group_id, subnet["SubnetId"], look)


def made(there: There, setting: str) -> tuple[LaunchSpec, str, Any]:
    """What the launch configuration with *setting* launches; which fact of the machine tells, and what it has to be."""
    given: dict[str, Any] = {}
    key_name, place = None, None
    expected: tuple[str, Any]
    match setting:
        case "a key pair":
            key_name = there.key_name
            expected = ("key", there.key_name)
        case "a security group by name":
            given = {"SecurityGroups": [there.group_name]}
            expected = ("groups", there.group_name)
        case "a security group by id":
            given = {"SecurityGroups": [there.group_id]}
            expected = ("groups", there.group_id)
        case "a disk":
            given = {"BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 7}}]}
            expected = ("disk", "7")
        case "a zone":
            place = "us-east-1c"
            expected = ("zone", "us-east-1c")
        case _:
            place = there.subnet_id
            expected = ("subnet", there.subnet_id)
    spec = launch_spec(
        image_id="ami-00000000000000001",
        instance_type="m1.small",
        key_name=key_name,
        user_data=b"",
        settings=given,
        zone=None,
    )
    return spec.at(place), *expected


@pytest.mark.parametrize("endpoint", ["fake", "moto"])
@pytest.mark.parametrize(
    "setting",
    ["a key pair", "a security group by name", "a security group by id", "a disk", "a zone", "a subnet"],
)
async def test_what_was_given_is_honoured(moto_url: str, endpoint: str, setting: str) -> None:
    """The machine has what its launch configuration, or its group, asked for."""
    async with fake() if endpoint == "fake" else real_moto(moto_url) as there:
        spec, fact, expected = made(there, setting)
        async with cloud_at(there.url, GATEWAY, partial_launches=False) as cloud:
            if place := spec.zone or spec.subnet_id:
                assert await cloud.places([place, "us-east-1", "subnet-ffff"]) == (place,)
            (machine,) = await cloud.launch(spec, 1, TOKEN, MARK)
            found = there.look(machine.machine_id)[fact]
            await cloud.terminate([machine.machine_id])

    assert expected in found if isinstance(found, set) else expected == found
