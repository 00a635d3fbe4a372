"""An account's whole life against real moto servers, and what of every cloud's contract moto can keep."""

import base64
import contextlib
import dataclasses
from datetime import UTC, datetime

import boto3
import pytest

from backends.cloud import BlockDevice, LaunchSpec, MachineState, Mark, token_for
from tests.backends.contract import GATEWAY as CONTRACT_GATEWAY
from tests.backends.contract import CloudContract, RestartContract, Site, ToldContract
from tests.backends.ec2_endpoint import GATEWAY, GROUP, MARK, SPEC, TOKEN, cloud_at
from tests.backends.moto_cloud import moto, reset


@pytest.fixture(scope="module")
def servers():
    """Two moto servers."""
    with moto() as hotel, moto() as sierra:
        yield hotel, sierra


@pytest.fixture
def urls(servers):
    """Two moto servers that know nothing."""
    for url in servers:
        reset(url)
    return servers


class MotoSite(Site):
    """A real moto server, and the unmodified SDK beside us."""

    def __init__(self, cloud, url: str, stack: contextlib.AsyncExitStack) -> None:
        super().__init__(cloud)
        self._url, self._stack = url, stack

    async def reopen(self) -> None:
        """See the suite."""
        await self.cloud.close()
        self.cloud = await self._stack.enter_async_context(account_at(self._url))

    async def user_data(self, machine_id: str) -> bytes:
        """What DescribeInstanceAttribute says."""
        told = boto(self._url).describe_instance_attribute(InstanceId=machine_id, Attribute="userData")
        return base64.b64decode(told["UserData"]["Value"])


@pytest.fixture
async def site(urls):
    """An account for the suite of promises."""
    async with contextlib.AsyncExitStack() as stack:
        yield MotoSite(await stack.enter_async_context(account_at(urls[0])), urls[0], stack)


def account_at(url: str):
    """The account of the suite's gateway."""
    return cloud_at(url, CONTRACT_GATEWAY, partial_launches=False)


def boto(url: str):
    """The same account through the unmodified SDK."""
    return boto3.client(
        "ec2", endpoint_url=url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )


class TestEc2OverMoto(CloudContract, RestartContract, ToldContract):
    """The promises, without those that need a token which is honoured, or images that are checked."""

    spec = SPEC
    test_same_token_launches_nothing_twice = None  # type: ignore[assignment]
    test_same_token_launches_only_what_is_missing = None  # type: ignore[assignment]
    test_same_token_at_the_same_time_launches_nothing_twice = None  # type: ignore[assignment]
    test_token_of_a_dead_machine_launches_nothing = None  # type: ignore[assignment]
    test_what_cannot_be_launched_is_refused_in_words = None  # type: ignore[assignment]
    test_probe_says_what_there_is = None  # type: ignore[assignment]


@pytest.mark.parametrize("tags", ["launch", "after", "none"])
async def test_machines_live_and_die_on_the_cloud_they_were_launched_on(urls, tags):
    """Two endpoints, one gateway: each sweep shows its own machines, marked, until and after their end."""
    other = dataclasses.replace(MARK, token=token_for(GATEWAY, GROUP, "bbbbbbbbbbbb"))
    async with cloud_at(urls[0], tags=tags, partial_launches=False) as hotel, cloud_at(urls[1], tags=tags) as sierra:
        there = await hotel.launch(SPEC, 2, TOKEN, MARK)
        (elsewhere,) = await sierra.launch(SPEC, 1, other.token, other)

        swept = await hotel.sweep()
        assert {(m.machine_id, m.mark, m.state) for m in swept.machines} == {
            (m.machine_id, MARK, MachineState.RUNNING) for m in there
        }
        assert {m.index for m in swept.machines} == {0, 1}
        assert all(m.private_ip and m.zone and m.launched_at.tzinfo for m in swept.machines)
        for _ in range(2):
            await hotel.terminate([there[0].machine_id])

        states = {m.machine_id: m.state for m in (await hotel.sweep()).machines}
        assert states == {
            there[0].machine_id: MachineState.TERMINATED,
            there[1].machine_id: MachineState.RUNNING,
        }
        assert [(m.machine_id, m.mark) for m in (await sierra.sweep()).machines] == [(elsewhere.machine_id, other)]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({"tags": "launch"}, True, id="at launch"),
        pytest.param({"tags": "after"}, True, id="after launch"),
        pytest.param({"tags": "none"}, False, id="never"),
    ],
)
async def test_tags_say_whose_a_machine_is(urls, settings, expected):
    """Everybody with a console sees the mark."""
    async with cloud_at(urls[0], **settings) as cloud:
        await cloud.launch(SPEC, 1, TOKEN, MARK)

    tags = boto(urls[0]).describe_tags()["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == (
        {"phantom-gateway": GATEWAY, "phantom-group": GROUP, "phantom-token": TOKEN} if expected else {}
    )


async def test_machines_of_others_are_never_shown(urls):
    """Machines without a mark, with another gateway's token, and with a part of our tags are not ours."""
    own = boto(urls[0])
    own.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1)
    own.run_instances(
        ImageId="ami-1", MinCount=1, MaxCount=1, ClientToken=token_for("ba9876543210", GROUP, "aaaaaaaaaaaa")
    )
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "phantom-gateway", "Value": GATEWAY}]}]
    own.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, TagSpecifications=tags)
    for trusted in (False, True):
        async with cloud_at(urls[0], filters_trusted=trusted, tags="launch") as cloud:
            assert (await cloud.sweep()).machines == ()


async def test_endpoint_that_launches_fewer_is_believed(urls):
    """Asked for at least one and at most three, moto makes one; it is an answer, and no error."""
    async with cloud_at(urls[0]) as cloud:
        launched = await cloud.launch(SPEC, 3, TOKEN, MARK)

        assert [m.machine_id for m in launched] == [m.machine_id for m in (await cloud.sweep()).machines]
        assert len(launched) == 1


async def test_sweep_collects_all_pages(urls):
    """Pages are put together, filtered by the endpoint or by us."""
    async with cloud_at(urls[0], sweep_page_size=5, tags="launch", filters_trusted=True) as cloud:
        for number in range(12):
            token = token_for(GATEWAY, GROUP, f"{number:012x}")
            await cloud.launch(SPEC, 1, token, Mark(GATEWAY, GROUP, token))

        assert len({m.machine_id for m in (await cloud.sweep()).machines}) == 12


async def test_launch_gives_the_endpoint_all_that_was_asked_for(urls):
    """User data arrives octet by octet; type, key, groups, zone and disks arrive as such."""
    own = boto(urls[0])
    own.create_key_pair(KeyName="deploy")
    group_id = own.create_security_group(GroupName="web", Description="web")["GroupId"]
    spec = LaunchSpec(
        "ami-12345678",
        "c5.large",
        user_data=b"#!/bin/sh\n\x00\xff",
        security_groups=(group_id,),
        zone="us-east-1b",
        block_devices=(BlockDevice("/dev/sdb", size_gib=7, volume_type="gp3", delete_on_termination=True),),
        monitoring=True,
        ebs_optimized=True,
    )
    async with cloud_at(urls[0], key_name="deploy") as cloud:
        (machine,) = await cloud.launch(spec, 1, TOKEN, MARK)

    found = own.describe_instances()["Reservations"][0]["Instances"][0]
    user_data = own.describe_instance_attribute(InstanceId=machine.machine_id, Attribute="userData")["UserData"]
    assert base64.b64decode(user_data["Value"]) == spec.user_data
    assert (found["InstanceType"], found["KeyName"], found["ClientToken"]) == ("c5.large", "deploy", TOKEN)
    assert [group["GroupId"] for group in found["SecurityGroups"]] == [group_id]
    assert found["Placement"]["AvailabilityZone"] == machine.zone == "us-east-1b"
    assert found["EbsOptimized"]
    assert "/dev/sdb" in [disk["DeviceName"] for disk in found["BlockDeviceMappings"]]


async def test_probe_of_a_working_endpoint_finds_nothing_wrong(urls):
    """The probe shows zones, types and own images, and launches nothing."""
    own = boto(urls[0])
    image_id = own.register_image(Name="mine")["ImageId"]
    async with cloud_at(urls[0], filters_trusted=True, clock=lambda: datetime.now(UTC)) as cloud:
        probe = await cloud.probe()

    assert probe.reachable
    assert probe.findings == ()
    assert image_id in probe.images
    assert "us-east-1a" in probe.zones
    assert probe.instance_types
    assert own.describe_instances()["Reservations"] == []


async def test_probe_of_an_endpoint_that_hears_s3_in_signature_version_2_names_the_remedy(urls):
    """A moto server routes version 2 to S3, which answers with a list of buckets and HTTP 200."""
    async with cloud_at(urls[0], signature_version="v2") as cloud:
        probe = await cloud.probe()

    assert not probe.reachable
    assert [finding.rpartition(": ")[2] for finding in probe.findings] == ['set signature_version = "v4"']
