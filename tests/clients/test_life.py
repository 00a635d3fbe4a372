"""
Every client through the whole life of a group, on one gateway process with real machines behind it.

Owns: what all clients must be able to do, and to see. What only one of them has is in test_own_ways.py.
"""

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients import driving
from tests.clients.conftest import Gateways
from tests.clients.driving import Client
from tests.clients.fleet import USER_DATA, Fleet, refused
from tests.support.gateway import ACCOUNT_ID, Gateway
from tests.support.records import CHOSEN, POSTGRESQL
from tests.support.waiting import wait_for

pytestmark = pytest.mark.clients

LISTS = {
    "DescribeAdjustmentTypes": {
        "AdjustmentTypes": [
            {"AdjustmentType": "ChangeInCapacity"},
            {"AdjustmentType": "ExactCapacity"},
            {"AdjustmentType": "PercentChangeInCapacity"},
        ]
    },
    "DescribeScalingProcessTypes": {
        "Processes": [
            {"ProcessName": "AZRebalance"},
            {"ProcessName": "AddToLoadBalancer"},
            {"ProcessName": "AlarmNotification"},
            {"ProcessName": "HealthCheck"},
            {"ProcessName": "InstanceRefresh"},
            {"ProcessName": "Launch"},
            {"ProcessName": "ReplaceUnhealthy"},
            {"ProcessName": "ScheduledActions"},
            {"ProcessName": "Terminate"},
        ]
    },
    "DescribeTerminationPolicyTypes": {
        "TerminationPolicyTypes": [
            "AllocationStrategy",
            "ClosestToNextInstanceHour",
            "Default",
            "NewestInstance",
            "OldestInstance",
            "OldestLaunchConfiguration",
            "OldestLaunchTemplate",
        ]
    },
    "DescribeAutoScalingNotificationTypes": {
        "AutoScalingNotificationTypes": [
            "autoscaling:EC2_INSTANCE_LAUNCH",
            "autoscaling:EC2_INSTANCE_LAUNCH_ERROR",
            "autoscaling:EC2_INSTANCE_TERMINATE",
            "autoscaling:EC2_INSTANCE_TERMINATE_ERROR",
            "autoscaling:TEST_NOTIFICATION",
        ]
    },
    "DescribeLifecycleHookTypes": {
        "LifecycleHookTypes": ["autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"]
    },
}


CLIENTS = {name: (name, CHOSEN) for name in driving.ALL} | {"boto3-postgresql": ("boto3-v4", POSTGRESQL)}
"""By the test's id, the client and the kind of the gateway's records: one lives on PostgreSQL in every run."""


@pytest.fixture(scope="module", params=CLIENTS)
def who(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Each client in turn, and what its gateway keeps its records in."""
    return CLIENTS[request.param]


@pytest.fixture(scope="module")
def gateway(gateways: Gateways, who: tuple[str, str]) -> Gateway:
    """The gateway with such records."""
    return gateways(who[1])


@pytest.fixture(scope="module")
def client(gateway: Gateway, who: tuple[str, str]) -> Iterator[Client]:
    """The client, with the right keys."""
    client = driving.ALL[who[0]].open(gateway.client_environ)
    yield client
    client.close()


@pytest.fixture
def fleet(client: Client, gateway: Gateway, name: str) -> Fleet:
    """What the test may make."""
    return Fleet(client, gateway, name)


def test_a_launch_configuration_is_made_once_and_described_whole(fleet: Fleet) -> None:
    """A launch configuration comes back as it was given, user data to the letter; its name cannot be used again."""
    fleet.make_launch_configuration()

    [shown] = _launch_configurations(fleet)
    assert {
        "LaunchConfigurationName": fleet.launch_configuration,
        "ImageId": "sleeper",
        "InstanceType": "m1.small",
        "KeyName": "phantomkey",
        "SecurityGroups": ["default"],
        "UserData": base64.b64encode(USER_DATA.encode()).decode(),
    }.items() <= shown.items()
    assert shown["LaunchConfigurationARN"].startswith(
        f"arn:aws:autoscaling:us-east-1:{ACCOUNT_ID}:launchConfiguration:"
    )

    text = fleet.refused(
        "AlreadyExists",
        "CreateLaunchConfiguration",
        LaunchConfigurationName=fleet.launch_configuration,
        ImageId="sleeper",
        InstanceType="m1.small",
    )
    assert text.startswith("Launch Configuration by this name already exists")


def test_a_launch_configuration_goes_when_no_group_uses_it(fleet: Fleet) -> None:
    """A launch configuration in use stays; without its group it is deleted. One that never was cannot be deleted."""
    fleet.make(0, 0)
    name = fleet.launch_configuration
    in_use = fleet.refused("ResourceInUse", "DeleteLaunchConfiguration", LaunchConfigurationName=name)
    assert (
        in_use == f"Cannot delete launch configuration {name} because it is attached to AutoScalingGroup {fleet.name}"
    )

    fleet.delete()
    fleet.delete_launch_configuration()

    assert _launch_configurations(fleet) == []
    # Another name: the same call within the same second may be the same request, which is answered as before.
    never = f"never-{name}"
    missing = fleet.refused("ValidationError", "DeleteLaunchConfiguration", LaunchConfigurationName=never)
    assert missing == f"Launch configuration name not found - Launch configuration {never} not found"


def test_a_group_grows_within_its_bounds_and_goes_with_its_machines(fleet: Fleet) -> None:
    """A group is filled, described, grown and deleted, and there are as many processes as the client is told."""
    fleet.make(1, 4, DesiredCapacity=2)
    first = fleet.settle(2)
    told = (fleet.name, "hotel", "InService", "HEALTHY", fleet.launch_configuration)
    assert _instances(fleet, first) == dict.fromkeys(first, told)
    launches = wait_for(lambda: _ended_activities(fleet, 2), "both launches to be told as activities")
    assert {told["Description"] for told in launches} == {f"Launching a new EC2 instance: {each}" for each in first}

    fleet.set_desired(3)
    assert first < fleet.settle(3)
    for beyond, bound in ((5, "above max value 4"), (0, "below min value 1")):
        text = fleet.refused(
            "ValidationError", "SetDesiredCapacity", AutoScalingGroupName=fleet.name, DesiredCapacity=beyond
        )
        assert text == f"New SetDesiredCapacity value {beyond} is {bound} for the AutoScalingGroup."
    assert len(fleet.settle(3)) == 3

    in_use = fleet.refused("ResourceInUse", "DeleteAutoScalingGroup", AutoScalingGroupName=fleet.name)
    assert in_use.startswith("You cannot delete an AutoScalingGroup while there are instances")
    fleet.vanish()


def test_an_ended_instance_is_replaced_unless_the_group_shrinks_with_it(fleet: Fleet) -> None:
    """With a decrement exactly the named instance goes; without one another takes its place."""
    fleet.make(1, 4, DesiredCapacity=2)
    doomed, staying = sorted(fleet.settle(2))

    activity = fleet.terminate(doomed, shrink=True)
    assert (activity["AutoScalingGroupName"], activity["StatusCode"]) == (fleet.name, "InProgress")
    assert fleet.settle(1) == {staying}
    assert fleet.sizes() == (1, 1, 4)

    fleet.terminate(staying, shrink=False)
    wait_for(lambda: staying not in fleet.machines(), "the machine to end")
    [newcomer] = fleet.settle(1)
    assert newcomer not in {doomed, staying}

    at_minimum = fleet.refused(
        "ValidationError",
        "TerminateInstanceInAutoScalingGroup",
        InstanceId=newcomer,
        ShouldDecrementDesiredCapacity=True,
    )
    assert at_minimum.startswith("Currently, desiredSize equals minSize (1).")
    fleet.vanish()


def test_a_group_is_updated_in_place(fleet: Fleet) -> None:
    """Bounds and cooldown change when asked; the name of a living group cannot be used again."""
    fleet.make(0, 0)
    fleet.client.call("UpdateAutoScalingGroup", AutoScalingGroupName=fleet.name, MaxSize=5, DefaultCooldown=60)

    assert fleet.sizes() == (0, 0, 5)
    assert fleet.see()["DefaultCooldown"] == 60
    wrong = fleet.refused("ValidationError", "UpdateAutoScalingGroup", AutoScalingGroupName=fleet.name, MinSize=6)
    assert wrong == "Max bound, 5, must be greater than or equal to min bound, 6"
    again = fleet.refused(
        "AlreadyExists",
        "CreateAutoScalingGroup",
        AutoScalingGroupName=fleet.name,
        LaunchConfigurationName=fleet.launch_configuration,
        MinSize=0,
        MaxSize=0,
        AvailabilityZones=["us-east-1"],
    )
    assert again.startswith("AutoScalingGroup by this name already exists")


def test_tags_come_and_go(fleet: Fleet) -> None:
    """Tags given with the group and later are described on the group and on their own, changed and removed."""
    fleet.make(0, 0, Tags=[{"Key": "minimum_vms", "Value": "2"}])
    added = {
        "ResourceId": fleet.name,
        "ResourceType": "auto-scaling-group",
        "Key": "colour",
        "Value": "hotel:2,sierra:-1 & <more>",
        "PropagateAtLaunch": True,
    }
    fleet.client.call("CreateOrUpdateTags", Tags=[added | {"Value": "first"}])
    fleet.client.call("CreateOrUpdateTags", Tags=[added])
    given = {**added, "Key": "minimum_vms", "Value": "2", "PropagateAtLaunch": False}
    assert _tags(fleet) == [added, given]
    assert sorted(fleet.see()["Tags"], key=lambda tag: str(tag["Key"])) == [added, given]

    fleet.client.call("DeleteTags", Tags=[added])

    assert _tags(fleet) == [given]


@pytest.mark.parametrize(
    ("operation", "given", "answer"),
    [
        pytest.param(
            "DescribeLaunchConfigurations",
            {"LaunchConfigurationNames": ["nowhere@hotel"]},
            {"LaunchConfigurations": []},
            id="launch configuration",
        ),
        pytest.param(
            "DescribeAutoScalingGroups", {"AutoScalingGroupNames": ["nowhere"]}, {"AutoScalingGroups": []}, id="group"
        ),
        pytest.param(
            "DescribeAutoScalingInstances",
            {"InstanceIds": ["i-00000000000000000"]},
            {"AutoScalingInstances": []},
            id="instance",
        ),
        pytest.param(
            "DescribeTags",
            {"Filters": [{"Name": "auto-scaling-group", "Values": ["nowhere"]}]},
            {"Tags": []},
            id="tags",
        ),
    ],
)
def test_asking_for_what_is_not_there_finds_nothing(client: Client, operation: str, given: Any, answer: Any) -> None:
    """A name in a filter that nothing bears is left out; it is no error, and not taken for "all"."""
    assert client.call(operation, **given) == answer


def test_acting_on_a_group_that_is_not_there_is_refused(client: Client) -> None:
    """A change to a group that does not exist is a ValidationError that names it."""
    text = refused(client, "ValidationError", "SetDesiredCapacity", AutoScalingGroupName="nowhere", DesiredCapacity=1)

    assert text == "AutoScalingGroup name not found - AutoScalingGroup 'nowhere' not found"


def test_the_lists_that_never_change_are_read(client: Client) -> None:
    """Every list that a client has a call for arrives whole and in order."""
    offered = {operation: answer for operation, answer in LISTS.items() if operation not in client.lacks}

    assert {operation: client.call(operation) for operation in offered} == offered
    metrics = client.call("DescribeMetricCollectionTypes")
    assert (len(metrics["Metrics"]), metrics["Granularities"]) == (20, [{"Granularity": "1Minute"}])
    limits = client.call("DescribeAccountLimits")
    assert (limits["MaxNumberOfAutoScalingGroups"], limits["MaxNumberOfLaunchConfigurations"]) == (500, 200)


@pytest.mark.parametrize(
    ("variable", "code"),
    [
        pytest.param("AWS_SECRET_ACCESS_KEY", "SignatureDoesNotMatch", id="wrong secret"),
        pytest.param("AWS_ACCESS_KEY_ID", "InvalidClientTokenId", id="unknown key"),
    ],
)
@pytest.mark.parametrize("kind", driving.ALL)
def test_wrong_keys_are_told_in_the_clients_own_words(gateway: Gateway, kind: str, variable: str, code: str) -> None:
    """A client with a wrong key reports just that, as final, and learns nothing else."""
    client = driving.ALL[kind].open({**gateway.client_environ, variable: "NOTTHEKEYNOTTHEKEY00"})
    try:
        refused(client, code, "DescribeAutoScalingGroups")
    finally:
        client.close()


def _launch_configurations(fleet: Fleet) -> list[dict[str, Any]]:
    names = [fleet.launch_configuration]
    answer = fleet.client.call("DescribeLaunchConfigurations", LaunchConfigurationNames=names)
    found: list[dict[str, Any]] = answer["LaunchConfigurations"]
    return found


def _instances(fleet: Fleet, ids: set[str]) -> dict[str, tuple[str, ...]]:
    """Group, zone, state, health and launch configuration of each instance, as the client is told."""
    shown = fleet.client.call("DescribeAutoScalingInstances", InstanceIds=sorted(ids))["AutoScalingInstances"]
    members = (
        "AutoScalingGroupName",
        "AvailabilityZone",
        "LifecycleState",
        "HealthStatus",
        "LaunchConfigurationName",
    )
    return {entry["InstanceId"]: tuple(entry[member] for member in members) for entry in shown}


def _ended_activities(fleet: Fleet, count: int) -> list[dict[str, Any]]:
    """The group's activities once there are *count* and all have succeeded; else none."""
    shown: list[dict[str, Any]] = fleet.client.call("DescribeScalingActivities", AutoScalingGroupName=fleet.name)[
        "Activities"
    ]
    return shown if len(shown) == count and {told["StatusCode"] for told in shown} == {"Successful"} else []


def _tags(fleet: Fleet) -> list[dict[str, Any]]:
    filters = [{"Name": "auto-scaling-group", "Values": [fleet.name]}]
    found: list[dict[str, Any]] = fleet.client.call("DescribeTags", Filters=filters)["Tags"]
    return found
