"""
What the model demands, and the words in which a violation is told.

Owns: AWS's wording, the paths, the limits of a message, the waivers. Does not own: rules that the model does not have.
"""

from typing import Any

import pytest

from protocol import model
from protocol.decode import decode
from protocol.errors import ApiError
from protocol.form import find_operation
from protocol.model import ListShape, Shape, StringShape, StructureShape
from protocol.validate import NEVER_SHOWN, VIOLATIONS_SHOWN_MAX, WAIVERS, validate

NAMED = {"AutoScalingGroupName": "web"}
GROUP = {**NAMED, "MinSize": 1, "MaxSize": 2}


def refusal(action: str, params: dict[str, Any]) -> str:
    """Text of the ValidationError with which *params* are refused."""
    with pytest.raises(ApiError) as caught:
        validate(find_operation(action, None), params)
    assert (caught.value.code, caught.value.status) == ("ValidationError", 400)
    return caught.value.message


def one(violation: str) -> str:
    """The message of a single *violation*."""
    return f"1 validation error detected: {violation}"


@pytest.mark.parametrize(
    ("action", "params", "violation"),
    [
        pytest.param(
            "DeleteAutoScalingGroup",
            {},
            "Value null at 'autoScalingGroupName' failed to satisfy constraint: Member must not be null",
            id="required",
        ),
        pytest.param(
            "CreateOrUpdateTags",
            {"Tags": [{"Key": "a"}, {"Value": "b"}]},
            "Value null at 'tags.2.member.key' failed to satisfy constraint: Member must not be null",
            id="required in a list",
        ),
        pytest.param(
            "CreateAutoScalingGroup",
            {**GROUP, "AutoScalingGroupName": ""},
            "Value '' at 'autoScalingGroupName' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
            id="too short",
        ),
        pytest.param(
            "CreateAutoScalingGroup",
            {**GROUP, "AutoScalingGroupName": "x" * 256},
            f"Value '{'x' * 100}...' at 'autoScalingGroupName' failed to satisfy constraint: "
            "Member must have length less than or equal to 255",
            id="too long, and cut",
        ),
        pytest.param(
            "CreateAutoScalingGroup",
            {**GROUP, "VPCZoneIdentifier": ""},
            "Value '' at 'vPCZoneIdentifier' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
            id="camel case as AWS makes it",
        ),
        pytest.param(
            "TerminateInstanceInAutoScalingGroup",
            {**NAMED, "InstanceIds": [], "ShouldDecrementDesiredCapacity": True},
            "Value '[]' at 'instanceIds' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
            id="list too short",
        ),
        pytest.param(
            "CreateAutoScalingGroup",
            {**GROUP, "AvailabilityZones": ["a", ""]},
            "Value '' at 'availabilityZones.2.member' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
            id="text in a list",
        ),
        pytest.param(
            "CreateAutoScalingGroup",
            {**GROUP, "InstanceMaintenancePolicy": {"MinHealthyPercentage": 101}},
            "Value '101' at 'instanceMaintenancePolicy.minHealthyPercentage' failed to satisfy constraint: "
            "Member must have value less than or equal to 100",
            id="number too large",
        ),
        pytest.param(
            "CreateAutoScalingGroup",
            {**GROUP, "InstanceMaintenancePolicy": {"MinHealthyPercentage": -2}},
            "Value '-2' at 'instanceMaintenancePolicy.minHealthyPercentage' failed to satisfy constraint: "
            "Member must have value greater than or equal to -1",
            id="number too small",
        ),
        pytest.param(
            "PutWarmPool",
            {**NAMED, "PoolState": "Frozen"},
            "Value 'Frozen' at 'poolState' failed to satisfy constraint: "
            "Member must satisfy enum value set: [Stopped, Running, Hibernated]",
            id="enumeration",
        ),
        pytest.param(
            "PutLifecycleHook",
            {**NAMED, "LifecycleHookName": "a b"},
            "Value 'a b' at 'lifecycleHookName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [A-Za-z0-9\\-_\\/]+",
            id="pattern",
        ),
        pytest.param(
            "PutLifecycleHook",
            {**NAMED, "LifecycleHookName": "ab\n"},
            "Value 'ab\n' at 'lifecycleHookName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [A-Za-z0-9\\-_\\/]+",
            id="pattern before a line end",
        ),
    ],
)
def test_a_violation_is_told_in_the_words_of_aws(action: str, params: dict[str, Any], violation: str) -> None:
    """Scripts and people match these texts, so they are AWS's to the letter."""
    assert refusal(action, params) == one(violation)


def test_all_violations_are_told_at_once() -> None:
    """One round trip shows everything that is wrong."""
    assert refusal("CreateAutoScalingGroup", {"MinSize": 1}) == (
        "2 validation errors detected: "
        "Value null at 'autoScalingGroupName' failed to satisfy constraint: Member must not be null; "
        "Value null at 'maxSize' failed to satisfy constraint: Member must not be null"
    )


def test_a_message_has_a_largest_size() -> None:
    """A thousand bad tags are counted, but only the first are spelled out."""
    message = refusal("CreateOrUpdateTags", {"Tags": [{"Key": ""}] * 1_000})

    assert message.startswith("1000 validation errors detected: Value '' at 'tags.1.member.key'")
    assert message.count("failed to satisfy") == VIOLATIONS_SHOWN_MAX
    assert message.endswith(f"; and {1_000 - VIOLATIONS_SHOWN_MAX} more")


def test_secrets_are_not_repeated() -> None:
    """User data that is too long is refused without a word of it."""
    params = {"LaunchConfigurationName": "lc", "UserData": "hunter2" * 4_000}

    message = refusal("CreateLaunchConfiguration", params)

    assert message == one(
        "Value '***' at 'userData' failed to satisfy constraint: Member must have length less than or equal to 21847"
    )


def test_what_is_never_shown_is_in_the_model() -> None:
    """A member that is renamed in the model must not lose its protection unnoticed."""
    launch_configuration = find_operation("CreateLaunchConfiguration", None).input

    assert launch_configuration is not None
    assert launch_configuration.members.keys() >= NEVER_SHOWN


@pytest.mark.parametrize(
    ("action", "params"),
    [
        pytest.param(
            "CreateLaunchConfiguration", {"LaunchConfigurationName": "a@b", "ImageId": "hello-phantom.gz"}, id="image"
        ),
        pytest.param(
            "CreateLaunchConfiguration",
            {"LaunchConfigurationName": "a", "ImageId": "6f9619ff-8b86-d011-b42d-00cf4fc964ff"},
            id="image of OpenStack",
        ),
        pytest.param(
            "SetInstanceHealth",
            {"InstanceId": "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "HealthStatus": "Unhealthy"},
            id="instance of OpenStack",
        ),
    ],
)
def test_limits_of_aws_alone_are_waived(action: str, params: dict[str, Any]) -> None:
    """Names that other clouds give are as good as EC2's."""
    validate(find_operation(action, None), params)


def test_waived_texts_still_have_a_length() -> None:
    """A waiver widens the limits, it does not remove them."""
    assert "less than or equal to 255" in refusal(
        "CreateLaunchConfiguration", {"LaunchConfigurationName": "a", "ImageId": "x" * 256}
    )
    assert "greater than or equal to 1" in refusal(
        "CreateLaunchConfiguration", {"LaunchConfigurationName": "a", "ImageId": ""}
    )


@pytest.mark.parametrize("name", sorted(WAIVERS))
def test_every_waiver_has_a_shape_and_a_reason(name: str) -> None:
    """A waiver for a shape that no operation takes any more is dead and must go."""

    def names(shape: Shape) -> set[str]:
        match shape:
            case StructureShape():
                return set().union(*(names(member.shape) for member in shape.members.values()))
            case ListShape():
                return names(shape.member)
            case StringShape():
                return {shape.name}
            case _:
                return set()

    taken = (operation.input for operation in model.service().operations.values())
    assert name in set().union(*(names(shape) for shape in taken if shape is not None))
    assert len(WAIVERS[name].reason) > 20


@pytest.mark.parametrize("action", sorted(model.service().operations))
def test_an_empty_request_misses_exactly_what_is_required(action: str) -> None:
    """Each required member of each operation is missed by name."""
    operation = find_operation(action, None)
    members = {} if operation.input is None else operation.input.members
    required = [name for name, member in members.items() if member.required]

    if required:
        message = refusal(action, decode(operation, {}))
        assert message.count("Member must not be null") == len(required)
        assert all(f"'{name[0].lower()}{name[1:]}'" in message for name in required)
    else:
        validate(operation, decode(operation, {}))
