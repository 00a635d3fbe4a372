"""
What one user has is not there for another: every operation, with one's own, another's and a missing name.

Owns: cases made from the table of operations. A new operation is covered as soon as it is built; one that takes a
member which nobody has classified here fails, until somebody says whether it can name a thing of a user.
"""

from typing import Any

import pytest

from phantom_gateway.operations import all_operations
from phantom_gateway.operations.table import TABLE
from phantom_gateway.records.users import User
from protocol.errors import ApiError
from protocol.model import IntegerShape, ListShape, Shape, StringShape, StructureShape, service
from tests.phantom_gateway.office import Office

all_operations()

ALICES: dict[str, Any] = {
    "AutoScalingGroupName": "web",
    "AutoScalingGroupNames": ["web"],
    "LaunchConfigurationName": "web@hotel",
    "LaunchConfigurationNames": ["web@hotel"],
    "InstanceId": "i-00000000000000001",
    "InstanceIds": ["i-00000000000000001"],
    "ActivityIds": ["00000000-0000-4000-8000-000000000004"],
    "Tags": [{"ResourceId": "web", "ResourceType": "auto-scaling-group", "Key": "k", "Value": "v"}],
    "Filters": [{"Name": "auto-scaling-group", "Values": ["web"]}],
}
"""What Alice has, by the input member that can name it."""

BOBS: dict[str, Any] = {
    "AutoScalingGroupName": "bobs",
    "LaunchConfigurationName": "bobs@hotel",
    "InstanceIds": ["i-00000000000000003"],
}
"""What Bob has; it fills the members that a case is not about."""

WORDS = {
    "web@hotel": "xxx@hotel",
    "web": "xxx",
    "i-00000000000000001": "i-0000000000000dead",
    "00000000-0000-4000-8000-000000000004": "00000000-0000-4000-8000-00000000dead",
}
"""Alice's names, and in their place names that nobody has."""

TOKENS = {"NextToken"}
"""Members that name a place in one user's listing; a test of their own is about them."""

NAMING_NOTHING = {
    "AssociatePublicIpAddress", "AvailabilityZones", "BlockDeviceMappings", "ClassicLinkVPCId",
    "ClassicLinkVPCSecurityGroups", "Context", "DefaultCooldown", "DefaultInstanceWarmup", "DesiredCapacity",
    "EbsOptimized", "ForceDelete", "HealthCheckGracePeriod", "HealthCheckType", "HonorCooldown", "IamInstanceProfile",
    "ImageId", "IncludeDeletedGroups", "IncludeInstances", "IncludeManagedResources", "InstanceMonitoring",
    "InstanceType", "KernelId", "KeyName", "LifecycleHookNames", "MaxRecords", "MaxSize", "MetadataOptions", "Metrics",
    "MinSize", "NewInstancesProtectedFromScaleIn", "PlacementGroup", "PlacementTenancy", "RamdiskId",
    "ScalingProcesses", "SecurityGroups", "ServiceLinkedRoleARN", "ShouldDecrementDesiredCapacity", "SpotPrice",
    "TerminationPolicies", "UserData", "VPCZoneIdentifier",
}  # fmt: skip
"""
Members whose values are numbers, switches, AWS's words, things of a cloud, or (LifecycleHookNames) looked up within
what another member names. A member that names a thing of a user belongs into ALICES instead.
"""

TOGETHER: dict[tuple[str, str], tuple[str, ...]] = {
    ("TerminateInstanceInAutoScalingGroup", "InstanceIds"): ("AutoScalingGroupName",),
    ("TerminateInstanceInAutoScalingGroup", "AutoScalingGroupName"): ("InstanceIds",),
}
"""Members that this one is given together with, where what is required does not do."""

INSISTED: dict[str, dict[str, Any]] = {
    "CreateAutoScalingGroup": {"AvailabilityZones": ["hotel"], "LaunchConfigurationName": "bobs@hotel"},
    "CreateLaunchConfiguration": {"ImageId": "hello", "InstanceType": "m1.small"},
}
"""What an operation insists on though the model does not."""

NEW: dict[tuple[str, str], dict[str, Any]] = {
    ("CreateAutoScalingGroup", "LaunchConfigurationName"): {"AutoScalingGroupName": "new"},
    ("CreateAutoScalingGroup", "Tags"): {"AutoScalingGroupName": "new"},
}
"""What is made, where that is not what the case is about."""

SAME_FOR_ONES_OWN = {
    ("CreateAutoScalingGroup", "Tags"): "a tag of a group being made can name no other, not even one's own",
}
"""Cases in which one's own name is answered like a missing one, and why that is right."""


def cases() -> list[Any]:
    """Every (operation, member that names something) of the operations that are built."""
    return [
        pytest.param(name, member, id=f"{name}-{member}")
        for name, handler in sorted(TABLE.items())
        for member in handler.fields
        if member in ALICES
    ]


def paged() -> list[Any]:
    """Every operation that gives page tokens."""
    return [name for name, handler in sorted(TABLE.items()) if TOKENS & set(handler.fields)]


def missing(value: Any) -> Any:
    """A name like *value* that nobody has."""
    match value:
        case list():
            return [missing(each) for each in value]
        case dict():
            return {key: missing(each) for key, each in value.items()}
        case _:
            return WORDS.get(value, value)


def sample(member: str, shape: Shape, own: dict[str, Any]) -> Any:
    """Some value that the model takes for a required *member*: the caller's *own* where it names something."""
    if member in own:
        return own[member]
    match shape:
        case StringShape():
            return shape.enum[0] if shape.enum else "x" * max(1, shape.min or 0)
        case IntegerShape():
            return max(1, shape.min or 0)
        case ListShape():
            return [sample(member, shape.member, own)]
        case StructureShape():
            return {name: sample(name, each.shape, own) for name, each in shape.members.items() if each.required}
        case _:
            return False


def outcome(office: Office, user: User, operation: str, member: str, value: Any) -> str:
    """What the call with *value* for *member* answers, or its error, as text; what else it needs is the caller's."""
    own = ALICES if user == office.user else BOBS
    shape = service().operations[operation].input
    members = {} if shape is None else shape.members
    params = {name: sample(name, each.shape, own) for name, each in members.items() if each.required}
    params |= {name: own[name] for name in TOGETHER.get((operation, member), ())}
    params |= {name: own.get(name, each) for name, each in INSISTED.get(operation, {}).items()}
    params |= NEW.get((operation, member), {})
    try:
        return repr(office.call(operation, user, **{**params, member: value}))
    except ApiError as error:
        return f"{error.code} {error.status} {error.message}"


def furnish(office: Office) -> User:
    """Bob, with a launch configuration, a group and an instance. Alice has two of each, and two tags."""
    alice, bob = office.user, office.add_user("bob", "AKIABOBBOBBOBBOBBOB1", "222222222222")
    office.create_launch_configuration()
    office.create_group(Tags=[{"Key": "k", "Value": "v"}, {"Key": "l", "Value": "v"}])
    office.fill()
    office.create_launch_configuration("web@sierra")
    office.create_group("more", DesiredCapacity=1)
    office.user = bob
    office.create_launch_configuration("bobs@hotel")
    office.create_group("bobs", LaunchConfigurationName="bobs@hotel", DesiredCapacity=1)
    assert office.fill("bobs") == BOBS["InstanceIds"]
    office.user = alice
    return bob


@pytest.mark.parametrize("operation", sorted(TABLE))
def test_every_member_is_known_to_name_something_or_not(operation: str) -> None:
    """A new member is classified before it is built: forgotten, nobody would test what it gives away."""
    assert set(TABLE[operation].fields) - set(ALICES) - TOKENS - NAMING_NOTHING == set()


@pytest.mark.parametrize(("operation", "member"), cases())
def test_anothers_is_the_same_as_missing(office: Office, operation: str, member: str) -> None:
    """F89: the answer about what Alice has equals, but for the name, that about what nobody has; hers is another."""
    bob = furnish(office)
    before = (office.group(), office.states())

    hers = outcome(office, bob, operation, member, ALICES[member])
    nobodys = outcome(office, bob, operation, member, missing(ALICES[member]))

    for name, other in WORDS.items():
        hers, nobodys = hers.replace(name, other), nobodys.replace(name, other)
    assert hers == nobodys
    assert (office.group(), office.states()) == before

    own = outcome(office, office.user, operation, member, ALICES[member])
    unknown = outcome(office, office.user, operation, member, missing(ALICES[member]))
    assert (own == unknown) == ((operation, member) in SAME_FOR_ONES_OWN)


@pytest.mark.parametrize("operation", paged())
def test_anothers_page_token_is_none(office: Office, operation: str) -> None:
    """F58, F89: a place in Alice's listing is none for Bob: her token is answered like one that nobody was given."""
    bob = furnish(office)
    token = office.call(operation, MaxRecords=1)["NextToken"]

    hers = outcome(office, bob, operation, "NextToken", token)
    nobodys = outcome(office, bob, operation, "NextToken", token[::-1])

    assert hers == nobodys
    assert outcome(office, office.user, operation, "NextToken", token).startswith("{")


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
