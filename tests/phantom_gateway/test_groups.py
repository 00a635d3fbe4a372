"""Groups: creating, changing, deleting, describing."""

import json
from typing import Any

import pytest

from phantom_gateway.config import Limits
from protocol.errors import ApiError
from tests.phantom_gateway.office import Office


def refusal(office: Office, operation: str, **params: Any) -> ApiError:
    """The error that the call ends with."""
    with pytest.raises(ApiError) as caught:
        office.call(operation, **params)
    return caught.value


def test_a_group_has_awss_defaults(office: Office) -> None:
    """What was not given is what AWS would show; lists a group always has are there, even empty."""
    office.create_launch_configuration()
    office.call(
        "CreateAutoScalingGroup",
        AutoScalingGroupName="web",
        LaunchConfigurationName="web@hotel",
        MinSize=1,
        MaxSize=3,
        AvailabilityZones=["us-east-1a"],
    )

    group = office.group()
    assert group.pop("AutoScalingGroupARN").endswith(":autoScalingGroupName/web")
    assert group == {
        "AutoScalingGroupName": "web",
        "LaunchConfigurationName": "web@hotel",
        "MinSize": 1,
        "MaxSize": 3,
        "DesiredCapacity": 1,
        "DefaultCooldown": 300,
        "AvailabilityZones": ["us-east-1a"],
        "LoadBalancerNames": [],
        "HealthCheckType": "EC2",
        "HealthCheckGracePeriod": 0,
        "Instances": [],
        "CreatedTime": office.now,
        "SuspendedProcesses": [],
        "VPCZoneIdentifier": "",
        "EnabledMetrics": [],
        "Tags": [],
        "TerminationPolicies": ["Default"],
        "NewInstancesProtectedFromScaleIn": False,
    }
    assert office.woken == [office.uid()]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        pytest.param(
            {"LaunchConfigurationName": None}, "ValidationError", "Valid requests must contain either", id="no source"
        ),
        pytest.param({"LaunchConfigurationName": "no@hotel"}, "ValidationError", "not found - Launch", id="unknown"),
        pytest.param({"AvailabilityZones": None}, "ValidationError", "At least one Availability Zone", id="no place"),
        pytest.param(
            {"MinSize": 5, "MaxSize": 3},
            "ValidationError",
            "Max bound, 3, must be greater than or equal to min bound, 5",
            id="bounds crossed",
        ),
        pytest.param(
            {"MinSize": 2, "MaxSize": 5, "DesiredCapacity": 7},
            "ValidationError",
            "Desired capacity:7 must be between the specified min size:2 and max size:5",
            id="desired above",
        ),
        pytest.param({"MaxSize": 400, "DesiredCapacity": 101}, "LimitExceeded", "ceiling for one group", id="ceiling"),
        pytest.param({"AutoScalingGroupName": "a:b"}, "ValidationError", "no colons", id="colon"),
        pytest.param({"AutoScalingGroupName": "a b"}, "ValidationError", "no blanks", id="blank"),
        pytest.param({"AutoScalingGroupName": "gr\u00fcn"}, "ValidationError", "ASCII", id="not ASCII"),
        pytest.param({"TerminationPolicies": ["Random"]}, "ValidationError", "valid policies are", id="policy"),
        pytest.param({"HealthCheckType": "PING"}, "ValidationError", "valid types are", id="health check"),
        pytest.param({"LoadBalancerNames": ["lb"]}, "InvalidQueryParameter", "Names is not supported", id="lb"),
        pytest.param({"Tags": [{"Key": "aws:x", "Value": "1"}]}, "ValidationError", "reserved", id="reserved tag"),
        pytest.param(
            {"Tags": [{"Key": "a", "ResourceId": "other"}]}, "ValidationError", "own name", id="somebody else's tag"
        ),
    ],
)
def test_a_wrong_group_is_refused(office: Office, change: dict[str, Any], code: str, words: str) -> None:
    """Each refusal has AWS's code, names field and rule, and leaves nothing behind."""
    office.create_launch_configuration()
    params = {
        "AutoScalingGroupName": "web",
        "LaunchConfigurationName": "web@hotel",
        "MinSize": 1,
        "MaxSize": 4,
        "AvailabilityZones": ["hotel"],
    } | change

    error = refusal(office, "CreateAutoScalingGroup", **{k: v for k, v in params.items() if v is not None})

    assert error.code == code
    assert words in error.message
    assert office.call("DescribeAutoScalingGroups")["AutoScalingGroups"] == []


def test_a_name_is_taken_once(office: Office) -> None:
    """A second group of the same name is AlreadyExists; another user may have one."""
    office.create_launch_configuration()
    office.create_group()

    error = refusal(
        office,
        "CreateAutoScalingGroup",
        AutoScalingGroupName="web",
        LaunchConfigurationName="web@hotel",
        MinSize=0,
        MaxSize=1,
        AvailabilityZones=["hotel"],
    )

    assert (error.code, error.message) == (
        "AlreadyExists",
        "AutoScalingGroup by this name already exists - A group with the name web already exists",
    )


def test_an_update_changes_what_it_names_and_nothing_else(office: Office) -> None:
    """Absent members stay, the cause of the new capacity is told, and the group is woken."""
    office.create_launch_configuration()
    office.create_launch_configuration("web2@hotel")
    office.create_group(DefaultCooldown=60, PlacementGroup="near", DefaultInstanceWarmup=30)
    before = office.group()

    office.call(
        "UpdateAutoScalingGroup",
        AutoScalingGroupName="web",
        LaunchConfigurationName="web2@hotel",
        MaxSize=9,
        PlacementGroup="",
        DefaultInstanceWarmup=-1,
    )

    assert office.woken == [office.uid()]
    after = office.group()
    assert {member for member in before if before[member] != after.get(member)} == {
        "LaunchConfigurationName",
        "MaxSize",
        "PlacementGroup",
        "DefaultInstanceWarmup",
    }
    assert "PlacementGroup" not in after
    assert "DefaultInstanceWarmup" not in after


@pytest.mark.parametrize(
    ("change", "desired"),
    [
        pytest.param({"MinSize": 3}, 3, id="raised to the minimum"),
        pytest.param({"MinSize": 0, "MaxSize": 1}, 1, id="lowered to the maximum"),
        pytest.param({"MaxSize": 9}, 2, id="within the bounds it stays"),
        pytest.param({"DesiredCapacity": 4}, 4, id="given"),
    ],
)
def test_bounds_move_a_desired_capacity_nobody_gave(office: Office, change: dict[str, int], desired: int) -> None:
    """As with AWS, an update without DesiredCapacity moves it into the new bounds."""
    office.create_launch_configuration()
    office.create_group()

    office.call("UpdateAutoScalingGroup", AutoScalingGroupName="web", **change)

    assert office.group()["DesiredCapacity"] == desired


def test_an_update_of_an_unknown_group_has_awss_own_words(office: Office) -> None:
    """AWS says null here; clients match the prefix."""
    error = refusal(office, "UpdateAutoScalingGroup", AutoScalingGroupName="nope", MinSize=1)

    assert (error.code, error.message) == ("ValidationError", "AutoScalingGroup name not found - null")


def test_an_empty_group_is_deleted_at_once(office: Office) -> None:
    """Nothing has to be waited for when there are no instances."""
    office.create_launch_configuration()
    office.create_group(MinSize=0, DesiredCapacity=0)

    office.call("DeleteAutoScalingGroup", AutoScalingGroupName="web")

    assert office.call("DescribeAutoScalingGroups")["AutoScalingGroups"] == []
    office.create_group()


def test_a_group_with_instances_is_deleted_by_force_only(office: Office) -> None:
    """F53: without force it is ResourceInUse; with force the group is shown going until its machines are gone."""
    office.create_launch_configuration()
    office.create_group()
    office.fill()

    error = refusal(office, "DeleteAutoScalingGroup", AutoScalingGroupName="web")
    assert error.code == "ResourceInUse"
    assert error.message.startswith("You cannot delete an AutoScalingGroup while there are instances")

    office.call("DeleteAutoScalingGroup", AutoScalingGroupName="web", ForceDelete=True)
    group = office.group()
    assert (group["Status"], group["DesiredCapacity"], len(group["Instances"])) == ("Delete in progress", 0, 2)
    assert refusal(office, "SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=1).message.endswith(
        "is pending delete"
    )


def test_a_name_is_free_while_the_old_group_is_on_its_way_out(office: Office) -> None:
    """F54: a new group of the same name is another group: its own instances, shown in place of the old one."""
    office.create_launch_configuration()
    office.create_group()
    office.fill()
    office.call("DeleteAutoScalingGroup", AutoScalingGroupName="web", ForceDelete=True)
    old = office.uid()

    office.create_group(DesiredCapacity=1)

    assert office.uid() != old
    assert office.group()["DesiredCapacity"] == 1
    assert len(office.call("DescribeAutoScalingGroups")["AutoScalingGroups"]) == 1


def test_groups_are_listed_by_name_in_pages(office: Office) -> None:
    """Pages follow one another; unknown names in a filter are left out silently; ARNs name groups, too."""
    office.create_launch_configuration()
    for number in range(5):
        office.create_group(f"g{number}")
    first = office.call("DescribeAutoScalingGroups", MaxRecords=3)
    rest = office.call("DescribeAutoScalingGroups", MaxRecords=3, NextToken=first["NextToken"])
    arn = first["AutoScalingGroups"][0]["AutoScalingGroupARN"]
    filtered = office.call("DescribeAutoScalingGroups", AutoScalingGroupNames=["g3", "nope", arn])

    names = [group["AutoScalingGroupName"] for group in first["AutoScalingGroups"] + rest["AutoScalingGroups"]]
    assert names == ["g0", "g1", "g2", "g3", "g4"]
    assert "NextToken" not in rest
    assert [group["AutoScalingGroupName"] for group in filtered["AutoScalingGroups"]] == ["g0", "g3"]


@pytest.mark.parametrize("size", [0, 101])
def test_a_page_has_one_to_a_hundred_groups(office: Office, size: int) -> None:
    """MaxRecords out of range is a ValidationError."""
    assert refusal(office, "DescribeAutoScalingGroups", MaxRecords=size).code == "ValidationError"


def test_what_changes_is_seen_at_once(office: Office) -> None:
    """Answers are put together from kept pieces; no change may leave an old piece in use."""
    office.create_launch_configuration()
    office.create_group()
    assert office.group()["Instances"] == []

    ids = office.fill()
    assert [each["InstanceId"] for each in office.group()["Instances"]] == ids
    office.call("CreateOrUpdateTags", Tags=[{"ResourceId": "web", "Key": "a", "Value": "1"}])
    assert [tag["Value"] for tag in office.group()["Tags"]] == ["1"]
    office.call("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=3)
    assert office.group()["DesiredCapacity"] == 3
    office.call("TerminateInstanceInAutoScalingGroup", InstanceId=ids[0], ShouldDecrementDesiredCapacity=True)
    assert [each["LifecycleState"] for each in office.group()["Instances"]] == ["Terminating", "InService"]
    office.bury_all()
    assert [each["InstanceId"] for each in office.group()["Instances"]] == ids[1:]
    office.call("DeleteTags", Tags=[{"ResourceId": "web", "Key": "a"}])
    assert office.group()["Tags"] == []


def test_ceilings_hold_over_all_groups_of_a_user(tmp_path_factory: pytest.TempPathFactory) -> None:
    """F100: groups together may not want more than the operator allows; what one gives back another may have."""
    office = Office(tmp_path_factory.mktemp("office"), Limits(vms_per_user_max=5, groups_max=2))
    office.create_launch_configuration()
    office.create_group("a", DesiredCapacity=4)

    with pytest.raises(ApiError, match="vms_per_user_max"):
        office.create_group("b", DesiredCapacity=2)
    office.call("SetDesiredCapacity", AutoScalingGroupName="a", DesiredCapacity=2)
    office.create_group("b", DesiredCapacity=3)
    assert refusal(office, "SetDesiredCapacity", AutoScalingGroupName="a", DesiredCapacity=3).code == "LimitExceeded"
    with pytest.raises(ApiError, match="2 Auto Scaling groups"):
        office.create_group("c", MinSize=0, DesiredCapacity=0)
    office.close()


@pytest.mark.parametrize(
    ("zones", "more", "place", "shown"),
    [
        pytest.param(["us-east-1a"], {}, "us-east-1a", "us-east-1a", id="a real zone of the only cloud"),
        pytest.param(["hotel", "us-east-1a"], {}, "us-east-1a", "us-east-1a", id="a real zone beside the cloud"),
        pytest.param(["us-east-1"], {}, None, "hotel", id="a zone that the cloud does not have"),
        pytest.param(
            ["us-east-1a"], {"Tags": [{"Key": "clouds", "Value": "hotel:2"}]}, "us-east-1a", "us-east-1a", id="one"
        ),
        pytest.param(
            ["us-east-1a"],
            {"Tags": [{"Key": "clouds", "Value": "hotel:2,sierra:-1"}]},
            "us-east-1a",
            "hotel",
            id="a zone that several clouds may have",
        ),
        pytest.param(["us-east-1a"], {"VPCZoneIdentifier": "subnet-1,subnet-2"}, "subnet-2", "hotel", id="a subnet"),
    ],
)
def test_the_zone_of_an_instance_is_its_cloud_or_the_real_one_asked_for(
    office: Office, zones: list[str], more: dict[str, Any], place: str | None, shown: str
) -> None:
    """A group of one cloud that asked for that cloud's zones sees them, in groups, instances and activities alike."""
    for cloud in ("hotel", "sierra"):
        office.create_launch_configuration(f"web@{cloud}")
    office.create_group(AvailabilityZones=zones, DesiredCapacity=1, **more)

    office.fill(place=place)

    (instance,) = office.group()["Instances"]
    (alone,) = office.call("DescribeAutoScalingInstances")["AutoScalingInstances"]
    (activity,) = office.call("DescribeScalingActivities")["Activities"]
    assert instance["AvailabilityZone"] == alone["AvailabilityZone"] == shown
    assert json.loads(activity["Details"]) == {"Availability Zone": shown}


def test_a_group_asks_its_clouds_for_subnets_before_zones(office: Office) -> None:
    """The reconciler hears of the subnets of VPCZoneIdentifier, else of the zones that are no clouds of the group."""
    office.create_launch_configuration()
    office.create_group(AvailabilityZones=["us-east-1b", "hotel", "us-east-1a", "us-east-1b"])
    assert office.record().group.places == ("us-east-1b", "us-east-1a")

    office.call("UpdateAutoScalingGroup", AutoScalingGroupName="web", VPCZoneIdentifier="subnet-2, subnet-1,")
    assert office.record().group.places == ("subnet-2", "subnet-1")
