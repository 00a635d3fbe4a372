"""
What only one of the clients has: waiters, paginators, the old signature, a parser that trips easily, a program.

Owns: these; what all clients can do is in test_life.py.
"""

import http.client
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from tests.clients import driving
from tests.clients.driving import Client
from tests.clients.fleet import Fleet, machines_of
from tests.support.gateway import Gateway
from tests.support.waiting import wait_for

pytestmark = pytest.mark.clients

PROGRAM_WAIT_S_MAX = 60
"""For one run of the AWS CLI, which takes half a second: beyond this it hangs, or repeats what it should not."""

Open = Callable[[str], Client]


@pytest.fixture
def opened(gateway: Gateway) -> Iterator[Open]:
    """Opens a client by its word in ``driving.ALL``; all are closed with the test."""
    with ExitStack() as stack:

        def open_client(kind: str) -> Client:
            client = driving.ALL[kind].open(gateway.client_environ)
            stack.callback(client.close)
            return client

        yield open_client


@pytest.fixture(scope="module")
def five(gateway: Gateway) -> Iterator[list[Fleet]]:
    """Five groups of boto3's, each with a launch configuration, a tag, a machine and so one activity."""
    client = driving.ALL["boto3-v4"].open(gateway.client_environ)
    try:
        fleets = [Fleet(client, gateway, f"page-{number}") for number in range(1, 6)]
        for fleet in fleets:
            fleet.make(1, 1, Tags=[{"Key": "paged", "Value": "yes"}])
        for fleet in fleets:
            fleet.settle(1)
        yield fleets
    finally:
        client.close()


@pytest.mark.parametrize(
    ("kind", "signed"),
    [
        pytest.param("boto3-v4", "AWS4-HMAC-SHA256", id="boto3"),
        pytest.param("boto3-v2", "SignatureVersion 2", id="boto3 told to use SigV2"),
        pytest.param("boto2-v4", "HmacAuthV4Handler", id="boto 2"),
        pytest.param("boto2-v2", "QuerySignatureV2AuthHandler", id="boto 2 as before 2.6"),
    ],
)
def test_both_signatures_are_really_on_the_wire(opened: Open, kind: str, signed: str) -> None:
    """A client told to sign with SigV2 does so, and is let in: else its tests would test SigV4 twice."""
    client = opened(kind)

    assert client.call("DescribeAdjustmentTypes")
    assert client.call("signature") == signed


def test_the_waiters_of_the_javascript_sdk_end_when_the_group_is_there_and_gone(
    opened: Open, gateway: Gateway, name: str
) -> None:
    """Its waiters see a group in service when its machines run, and not existing when none of them does."""
    fleet = Fleet(opened("js"), gateway, name)
    fleet.make(2, 2)
    named = {"AutoScalingGroupNames": [name]}

    assert fleet.client.call("waitUntilGroupExists", **named) == {"state": "SUCCESS"}
    assert fleet.client.call("waitUntilGroupInService", **named) == {"state": "SUCCESS"}
    group = fleet.see()
    assert {member["InstanceId"] for member in group["Instances"]} == set(fleet.machines(group))
    assert len(group["Instances"]) == 2

    fleet.delete(ForceDelete=True)
    assert fleet.client.call("waitUntilGroupNotExists", **named) == {"state": "SUCCESS"}
    assert machines_of(gateway, group["AutoScalingGroupARN"]) == {}


@pytest.mark.parametrize(
    ("operation", "given", "members", "member"),
    [
        pytest.param("DescribeAutoScalingGroups", {}, "AutoScalingGroups", "AutoScalingGroupName", id="groups"),
        pytest.param(
            "DescribeLaunchConfigurations",
            {},
            "LaunchConfigurations",
            "LaunchConfigurationName",
            id="launch configurations",
        ),
        pytest.param(
            "DescribeTags", {"Filters": [{"Name": "key", "Values": ["paged"]}]}, "Tags", "ResourceId", id="tags"
        ),
        pytest.param(
            "DescribeAutoScalingInstances", {}, "AutoScalingInstances", "AutoScalingGroupName", id="instances"
        ),
        pytest.param("DescribeScalingActivities", {}, "Activities", "AutoScalingGroupName", id="activities"),
    ],
)
def test_the_paginators_of_boto3_see_everything_once(
    five: list[Fleet], operation: str, given: dict[str, Any], members: str, member: str
) -> None:
    """Read two by two, everything arrives once, on pages that are full but for the last."""
    pages = five[0].client.call("paginate", operation=operation, given=given, members=members, page_size=2)

    assert len(pages) >= 3
    assert {len(page) for page in pages[:-1]} == {2}
    told = [entry[member].removesuffix("@hotel") for page in pages for entry in page]
    names = [fleet.name for fleet in five]
    assert sorted(entry for entry in told if entry in names) == names


def test_boto2_sees_groups_whole_whatever_other_clients_gave_them(opened: Open, gateway: Gateway, name: str) -> None:
    """
    Groups made with all that newer clients know arrive at boto 2 with bounds, instances and tags.

    Its parser ends a group at the first list it does not know: min, max and instances were None, and a nameless group
    was added.
    """
    newer, older = opened("boto3-v4"), opened("boto2-v4")
    fleets = [Fleet(newer, gateway, f"{name}-{letter}") for letter in "ab"]
    for fleet in fleets:
        fleet.make(
            1,
            3,
            DesiredCapacity=2,
            Tags=[{"Key": "clouds", "Value": "hotel:-1"}],
            TerminationPolicies=["OldestInstance", "Default"],
            HealthCheckGracePeriod=30,
            DefaultInstanceWarmup=10,
            NewInstancesProtectedFromScaleIn=True,
            PlacementGroup="together",
            Context="kept",
        )
    expected = {fleet.name: fleet.settle(2) for fleet in fleets}

    shown = older.call("DescribeAutoScalingGroups")["AutoScalingGroups"]

    everything = newer.call("DescribeAutoScalingGroups")["AutoScalingGroups"]
    assert [group["AutoScalingGroupName"] for group in shown] == [group["AutoScalingGroupName"] for group in everything]
    for group in shown:
        if group["AutoScalingGroupName"] in expected:
            assert (group["MinSize"], group["DesiredCapacity"], group["MaxSize"]) == (1, 2, 3)
            assert {each["InstanceId"] for each in group["Instances"]} == expected[group["AutoScalingGroupName"]]
            assert [tag["Key"] for tag in group["Tags"]] == ["clouds"]
            assert group["TerminationPolicies"] == ["OldestInstance", "Default"]
            assert (group["HealthCheckType"], group["HealthCheckGracePeriod"]) == ("EC2", 30)
    for fleet in fleets:
        fleet.vanish()


def test_boto2_sees_launch_configurations_whole_whatever_other_clients_gave_them(
    opened: Open, gateway: Gateway, name: str
) -> None:
    """Launch configurations with members younger than boto 2 arrive there under their names, all of them."""
    newer, older = opened("boto3-v4"), opened("boto2-v4")
    names = [f"{name}-{letter}@hotel" for letter in "ab"]
    for each in names:
        newer.call(
            "CreateLaunchConfiguration",
            LaunchConfigurationName=each,
            ImageId="sleeper",
            InstanceType="m1.large",
            SecurityGroups=["default", "web"],
            BlockDeviceMappings=[
                {"DeviceName": "/dev/sda", "Ebs": {"VolumeSize": 8, "VolumeType": "gp3", "Throughput": 125}},
                {"DeviceName": "/dev/sdb", "NoDevice": True},
            ],
            MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
            InstanceMonitoring={"Enabled": False},
        )

    shown = older.call("DescribeLaunchConfigurations", LaunchConfigurationNames=names)["LaunchConfigurations"]

    assert [each["LaunchConfigurationName"] for each in shown] == names
    assert [(each["ImageId"], each["InstanceType"], each["SecurityGroups"]) for each in shown] == [
        ("sleeper", "m1.large", ["default", "web"])
    ] * 2


def test_machines_of_the_built_in_image_answer_http(opened: Open, gateway: Gateway, name: str) -> None:
    """Each machine of hello-phantom.gz serves a page that names the instance which the client was told of."""
    fleet = Fleet(opened("boto3-v4"), gateway, name)
    fleet.make(2, 2, image="hello-phantom.gz")
    ids = fleet.settle(2)

    for instance_id, environ in fleet.machines().items():
        page = wait_for(partial(_page, environ["PHANTOM_ADDRESS"]), f"{instance_id} to answer")
        assert f"<h1>Hello from {instance_id}</h1>" in page
        assert instance_id in ids
    fleet.vanish()


def test_the_program_aws_does_what_a_shell_script_asks(gateway: Gateway, name: str) -> None:
    """Shorthand, --query, text output and exit codes of the program work as in any shell script."""
    aws = driving.installed("cli/bin/aws", "the AWS CLI")

    def run(*words: str) -> tuple[int, str]:
        command = [aws, "autoscaling", *words]
        done = subprocess.run(
            command,
            env=gateway.client_environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=PROGRAM_WAIT_S_MAX,
        )
        return done.returncode, done.stdout + done.stderr

    launch = ("--launch-configuration-name", f"{name}@hotel", "--image-id", "sleeper", "--instance-type", "m1.small")
    group = ("--auto-scaling-group-name", name)
    query = "AutoScalingGroups[].[AutoScalingGroupName,MinSize,MaxSize,Tags[0].Value]"
    assert run("create-launch-configuration", *launch) == (0, "")
    sizes = ("--launch-configuration-name", f"{name}@hotel", "--min-size", "0", "--max-size", "2")
    more = ("--availability-zones", "us-east-1", "--tags", "Key=clouds,Value=hotel:2")
    assert run("create-auto-scaling-group", *group, *sizes, *more) == (0, "")
    shown = run(
        "describe-auto-scaling-groups", "--auto-scaling-group-names", name, "--query", query, "--output", "text"
    )
    assert shown == (0, f"{name}\t0\t2\thotel:2\n")
    code, told = run("create-launch-configuration", *launch)
    assert (code, "(AlreadyExists)" in told) == (255, True)
    assert run("delete-auto-scaling-group", *group) == (0, "")


def _page(address: str) -> str:
    """The page at port 8080 of *address*; empty while nobody listens."""
    connection = http.client.HTTPConnection(address, 8080, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    except ConnectionRefusedError:
        return ""
    finally:
        connection.close()
