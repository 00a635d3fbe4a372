"""What one user has is not there for another: every operation, with another's name and with a missing one."""

from typing import Any

import pytest

from phantom_gateway.operations import all_operations
from phantom_gateway.operations.table import TABLE
from protocol.errors import ApiError
from tests.phantom_gateway.office import Office

all_operations()

NAMES = {
    "AutoScalingGroupName": "web",
    "AutoScalingGroupNames": ["web"],
    "LaunchConfigurationName": "web@hotel",
    "LaunchConfigurationNames": ["web@hotel"],
    "InstanceId": "i-00000000000000001",
    "InstanceIds": ["i-00000000000000001"],
    "ActivityIds": ["00000000-0000-4000-8000-000000000003"],
    "Tags": [{"ResourceId": "web", "ResourceType": "auto-scaling-group", "Key": "k"}],
}
"""What Alice has, by the input member that could name it."""

REST: dict[str, dict[str, Any]] = {
    "SetDesiredCapacity": {"DesiredCapacity": 1},
    "CreateAutoScalingGroup": {"MinSize": 0, "MaxSize": 1, "AvailabilityZones": ["hotel"]},
    "TerminateInstanceInAutoScalingGroup": {"ShouldDecrementDesiredCapacity": False},
}
"""What else an operation insists on."""

CREATING = {"CreateLaunchConfiguration"}
"""A name another user has is free for this one: there is nothing to find."""


def cases() -> list[Any]:
    """Every (operation, member that names something) of the operations that are built."""
    return [
        pytest.param(name, member, id=f"{name}-{member}")
        for name, handler in sorted(TABLE.items())
        if name not in CREATING
        for member in handler.fields
        if member in NAMES and not (name == "CreateAutoScalingGroup" and member != "LaunchConfigurationName")
    ]


def missing(value: Any) -> Any:
    """A name like *value* that nobody has."""
    if isinstance(value, list):
        return [missing(each) for each in value]
    if isinstance(value, dict):
        return {**value, "ResourceId": "xxx"}
    return {"web": "xxx", "web@hotel": "xxx@hotel"}.get(value, "i-0000000000000dead")


def outcome(office: Office, user: Any, operation: str, params: dict[str, Any]) -> str:
    """What the call answers, or its error, as text."""
    extra: dict[str, Any] = {"AutoScalingGroupName": "new"} if operation == "CreateAutoScalingGroup" else {}
    if operation == "UpdateAutoScalingGroup" and "AutoScalingGroupName" not in params:
        extra = {"AutoScalingGroupName": "bobs"}
    if operation == "TerminateInstanceInAutoScalingGroup" and "InstanceIds" in params:
        extra = {"AutoScalingGroupName": "web"}
    if operation == "TerminateInstanceInAutoScalingGroup" and "AutoScalingGroupName" in params:
        extra = {"InstanceIds": ["i-0000000000000dead"]}
    try:
        return repr(office.call(operation, user, **extra, **REST.get(operation, {}), **params))
    except ApiError as error:
        return f"{error.code} {error.status} {error.message}"


@pytest.mark.parametrize(("operation", "member"), cases())
def test_anothers_is_the_same_as_missing(office: Office, operation: str, member: str) -> None:
    """The answer about what Alice has equals, but for the name, the answer about what nobody has."""
    office.create_launch_configuration()
    office.create_group(Tags=[{"Key": "k", "Value": "v"}])
    office.fill()
    bob = office.add_user("bob", "AKIABOBBOBBOBBOBBOB1", "222222222222")
    before = (office.group(), office.states())

    hers = outcome(office, bob, operation, {member: NAMES[member]})
    nobodys = outcome(office, bob, operation, {member: missing(NAMES[member])})

    hers = hers.replace("web@hotel", "xxx@hotel").replace("'web'", "'xxx'")
    assert hers.replace("i-00000000000000001", "i-0000000000000dead") == nobodys
    assert (office.group(), office.states()) == before


def test_users_have_names_of_their_own(office: Office) -> None:
    """Two users may have the same names; each sees and counts only its own."""
    bob = office.add_user("bob", "AKIABOBBOBBOBBOBBOB1", "222222222222")
    office.create_launch_configuration()
    office.create_group()
    params = {"LaunchConfigurationName": "web@hotel", "ImageId": "bobs", "InstanceType": "m1.small"}
    office.call("CreateLaunchConfiguration", bob, **params)

    (hers,) = office.call("DescribeLaunchConfigurations")["LaunchConfigurations"]
    (his,) = office.call("DescribeLaunchConfigurations", bob)["LaunchConfigurations"]
    assert (hers["ImageId"], his["ImageId"]) == ("hello", "bobs")
    assert office.call("DescribeAutoScalingGroups", bob)["AutoScalingGroups"] == []
    assert office.call("DescribeAccountLimits", bob)["NumberOfAutoScalingGroups"] == 0
