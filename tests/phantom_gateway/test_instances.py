"""Instances, and how many of them: capacity, ending one by name, activities."""

from typing import Any

import pytest

from protocol.errors import ApiError
from tests.phantom_gateway.office import Office


@pytest.fixture
def ids(office: Office) -> list[str]:
    """A group "web" of 1 to 4 with two instances in service; their ids."""
    office.create_launch_configuration()
    office.create_group()
    return office.fill()


def refusal(office: Office, operation: str, **params: Any) -> ApiError:
    """The error that the call ends with."""
    with pytest.raises(ApiError) as caught:
        office.call(operation, **params)
    return caught.value


def desired(office: Office) -> int:
    """What the group wants."""
    return int(office.group()["DesiredCapacity"])


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        pytest.param(5, "New SetDesiredCapacity value 5 is above max value 4 for the AutoScalingGroup.", id="above"),
        pytest.param(0, "New SetDesiredCapacity value 0 is below min value 1 for the AutoScalingGroup.", id="below"),
    ],
)
def test_a_desired_capacity_stays_within_its_bounds(office: Office, ids: list[str], wanted: int, words: str) -> None:
    """Out of bounds is a ValidationError in AWS's words, and changes nothing."""
    error = refusal(office, "SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=wanted)

    assert (error.code, error.message) == ("ValidationError", words)
    assert desired(office) == 2


def test_a_new_desired_capacity_wakes_the_group(office: Office, ids: list[str]) -> None:
    """The reconciler is told after the commit, and the record holds AWS's sentence for the change."""
    office.call("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=4)

    assert office.woken == [office.uid()]
    assert desired(office) == 4


def test_a_cooldown_blocks_only_those_who_honor_it(office: Office, ids: list[str]) -> None:
    """HonorCooldown waits for the cooldown after the last change; without it nothing waits."""
    office.call("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=3)
    office.later(299)
    params = {"AutoScalingGroupName": "web", "DesiredCapacity": 4, "HonorCooldown": True}

    error = refusal(office, "SetDesiredCapacity", **params)
    assert error.code == "ScalingActivityInProgress"
    assert error.message.endswith("is in progress and blocks this action")

    office.later(2)
    office.call("SetDesiredCapacity", **params)
    assert desired(office) == 4


def test_ending_an_instance_with_decrement_is_one_transaction(office: Office, ids: list[str]) -> None:
    """The group wants one fewer and exactly that instance is going, both at once."""
    answer = office.call("TerminateInstanceInAutoScalingGroup", InstanceId=ids[1], ShouldDecrementDesiredCapacity=True)

    assert answer["Activity"]["StatusCode"] == "InProgress"
    assert answer["Activity"]["Description"] == f"Terminating EC2 instance: {ids[1]}"
    assert "shrinking the capacity from 2 to 1" in answer["Activity"]["Cause"]
    assert desired(office) == 1
    assert office.states() == ["InService", "Terminating"]


def test_ending_an_instance_without_decrement_leaves_the_capacity(office: Office, ids: list[str]) -> None:
    """It will be replaced; doing it twice ends it once."""
    first = office.call("TerminateInstanceInAutoScalingGroup", InstanceId=ids[0], ShouldDecrementDesiredCapacity=False)
    again = office.call("TerminateInstanceInAutoScalingGroup", InstanceId=ids[0], ShouldDecrementDesiredCapacity=True)

    assert desired(office) == 2
    assert first["Activity"]["ActivityId"] == again["Activity"]["ActivityId"]
    assert office.states() == ["Terminating", "InService"]


def test_several_instances_can_be_ended_in_one_call(office: Office, ids: list[str]) -> None:
    """The new form names the group and up to a hundred instances; all of it happens or nothing."""
    params = {"AutoScalingGroupName": "web", "InstanceIds": ids}
    error = refusal(office, "TerminateInstanceInAutoScalingGroup", ShouldDecrementDesiredCapacity=True, **params)
    assert "would leave 0, below group's min size (1)" in error.message
    assert office.states() == ["InService", "InService"]

    answer = office.call("TerminateInstanceInAutoScalingGroup", ShouldDecrementDesiredCapacity=False, **params)
    assert len(answer["Activities"]) == 2
    assert office.states() == ["Terminating", "Terminating"]


def test_a_group_at_its_minimum_does_not_shrink(office: Office, ids: list[str]) -> None:
    """AWS's long sentence tells what to do instead."""
    office.call("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=1)

    error = refusal(
        office, "TerminateInstanceInAutoScalingGroup", InstanceId=ids[0], ShouldDecrementDesiredCapacity=True
    )

    assert error.message == (
        "Currently, desiredSize equals minSize (1). Terminating instance without replacement will violate group's "
        "min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size."
    )


@pytest.mark.parametrize(
    ("params", "words"),
    [
        pytest.param({"InstanceId": "i-00000000"}, "Instance Id not found - No managed instance", id="unknown"),
        pytest.param({}, "either the InstanceId or the InstanceIds", id="neither form"),
        pytest.param({"InstanceIds": ["i-1"]}, "needs AutoScalingGroupName", id="ids without a group"),
    ],
)
def test_a_termination_names_what_exists(office: Office, ids: list[str], params: dict[str, Any], words: str) -> None:
    """Anything else is a ValidationError that says what is missing."""
    error = refusal(office, "TerminateInstanceInAutoScalingGroup", ShouldDecrementDesiredCapacity=False, **params)

    assert error.code == "ValidationError"
    assert words in error.message


def test_an_instance_is_ended_through_its_own_group_only(office: Office, ids: list[str]) -> None:
    """The group's name in the new form is checked."""
    office.create_group("other", DesiredCapacity=1)

    error = refusal(
        office,
        "TerminateInstanceInAutoScalingGroup",
        AutoScalingGroupName="other",
        InstanceIds=[ids[0]],
        ShouldDecrementDesiredCapacity=False,
    )

    assert error.message == f"The instance {ids[0]} is not part of Auto Scaling group other."


def test_instances_are_described_across_groups(office: Office, ids: list[str]) -> None:
    """By id, with the group's name and health in capitals; unknown ids are left out; pages follow one another."""
    office.create_group("other", DesiredCapacity=1)
    more = office.fill("other")
    first = office.call("DescribeAutoScalingInstances", MaxRecords=2)
    rest = office.call("DescribeAutoScalingInstances", MaxRecords=2, NextToken=first["NextToken"])
    one = office.call("DescribeAutoScalingInstances", InstanceIds=[ids[1], "i-00000000"])["AutoScalingInstances"]

    found = first["AutoScalingInstances"] + rest["AutoScalingInstances"]
    assert [(each["InstanceId"], each["AutoScalingGroupName"]) for each in found] == [
        (ids[0], "web"),
        (ids[1], "web"),
        (more[0], "other"),
    ]
    assert one == [
        {
            "InstanceId": ids[1],
            "InstanceType": "m1.small",
            "AutoScalingGroupName": "web",
            "AvailabilityZone": "hotel",
            "LifecycleState": "InService",
            "HealthStatus": "HEALTHY",
            "LaunchConfigurationName": "web@hotel",
            "ProtectedFromScaleIn": False,
        }
    ]


def test_activities_tell_those_in_progress_first(office: Office, ids: list[str]) -> None:
    """Then the newest; pages follow one another; a deleted group's are shown to those who ask."""
    office.later(5)
    office.call("TerminateInstanceInAutoScalingGroup", InstanceId=ids[0], ShouldDecrementDesiredCapacity=False)
    listed = office.call("DescribeScalingActivities", AutoScalingGroupName="web")["Activities"]
    assert [(each["StatusCode"], each["Progress"]) for each in listed] == [
        ("InProgress", 50),
        ("Successful", 100),
        ("Successful", 100),
    ]

    seen = []
    token: dict[str, str] = {}
    while True:
        page = office.call("DescribeScalingActivities", MaxRecords=1, **token)
        seen += page["Activities"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert seen == listed
    by_id = office.call("DescribeScalingActivities", ActivityIds=[listed[1]["ActivityId"]])["Activities"]
    assert by_id == [listed[1]]


def test_activities_outlive_their_group(office: Office, ids: list[str]) -> None:
    """A deleted group's name is unknown, but its activities stay for those who include deleted groups."""
    office.call("UpdateAutoScalingGroup", AutoScalingGroupName="web", MinSize=0, DesiredCapacity=0)
    for instance_id in ids:
        office.call("TerminateInstanceInAutoScalingGroup", InstanceId=instance_id, ShouldDecrementDesiredCapacity=False)
    assert refusal(office, "DeleteAutoScalingGroup", AutoScalingGroupName="web").code == "ResourceInUse"
    office.bury_all()
    office.call("DeleteAutoScalingGroup", AutoScalingGroupName="web")

    error = refusal(office, "DescribeScalingActivities", AutoScalingGroupName="web")
    assert error.message == "AutoScalingGroup name not found - AutoScalingGroup 'web' not found"
    kept = office.call("DescribeScalingActivities", AutoScalingGroupName="web", IncludeDeletedGroups=True)
    assert {each["AutoScalingGroupState"] for each in kept["Activities"]} == {"Deleted"}
    assert len(kept["Activities"]) == 4
