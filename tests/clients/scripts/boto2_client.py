"""
boto 2, spoken to by a test: ``boto2_client.py v4|v2``. Keys and endpoint come from the environment.

Owns: operations by AWS's names, each carried out by the method that boto 2 has for it, and what boto 2 made of the
answer: members are told as boto 2 parsed them, None where it found nothing. boto 2 prints nothing and has no types.
"""

import base64
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from boto.ec2.autoscale import AutoScaleConnection, AutoScalingGroup, LaunchConfiguration, Tag
from boto.exception import BotoServerError
from boto.regioninfo import RegionInfo
from conversation import converse

Given = Mapping[str, Any]


class SignedAsBefore(AutoScaleConnection):
    """With SigV2, as boto signed until 2.5.2; boto 2.49 has no setting for it."""

    def _required_auth_capability(self) -> list[str]:
        return ["ec2"]


def connection(signature: str) -> AutoScaleConnection:
    """A connection made the way the scripts of those years made it."""
    where = urlsplit(os.environ["AWS_ENDPOINT_URL_AUTO_SCALING"])
    kind = {"v4": AutoScaleConnection, "v2": SignedAsBefore}[signature]
    return kind(
        aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        is_secure=where.scheme == "https",
        port=where.port,
        region=RegionInfo(name="nimbus", endpoint=where.hostname),
    )


def create_launch_configuration(boto: AutoScaleConnection, given: Given) -> None:
    boto.create_launch_configuration(
        LaunchConfiguration(
            name=given["LaunchConfigurationName"],
            image_id=given["ImageId"],
            instance_type=given["InstanceType"],
            key_name=given.get("KeyName"),
            security_groups=given.get("SecurityGroups"),
            user_data=given.get("UserData"),
        )
    )


def describe_launch_configurations(boto: AutoScaleConnection, given: Given) -> dict[str, Any]:
    found = boto.get_all_launch_configurations(names=given.get("LaunchConfigurationNames"))
    return {"LaunchConfigurations": [launch_configuration_view(entry) for entry in found]}


def delete_launch_configuration(boto: AutoScaleConnection, given: Given) -> None:
    boto.delete_launch_configuration(given["LaunchConfigurationName"])


def create_auto_scaling_group(boto: AutoScaleConnection, given: Given) -> None:
    tags = [tag_of(entry | {"ResourceId": given["AutoScalingGroupName"]}) for entry in given.get("Tags", [])]
    boto.create_auto_scaling_group(
        AutoScalingGroup(
            name=given["AutoScalingGroupName"],
            launch_config=given["LaunchConfigurationName"],
            availability_zones=given["AvailabilityZones"],
            min_size=given["MinSize"],
            max_size=given["MaxSize"],
            desired_capacity=given.get("DesiredCapacity"),
            tags=tags,
        )
    )


def update_auto_scaling_group(boto: AutoScaleConnection, given: Given) -> None:
    [group] = boto.get_all_groups(names=[given["AutoScalingGroupName"]])
    group.min_size = given.get("MinSize", group.min_size)
    group.max_size = given.get("MaxSize", group.max_size)
    group.desired_capacity = given.get("DesiredCapacity", group.desired_capacity)
    group.default_cooldown = given.get("DefaultCooldown", group.default_cooldown)
    group.update()


def describe_auto_scaling_groups(boto: AutoScaleConnection, given: Given) -> dict[str, Any]:
    found = boto.get_all_groups(names=given.get("AutoScalingGroupNames"))
    return {"AutoScalingGroups": [group_view(group) for group in found]}


def delete_auto_scaling_group(boto: AutoScaleConnection, given: Given) -> None:
    boto.delete_auto_scaling_group(given["AutoScalingGroupName"], given.get("ForceDelete", False))


def set_desired_capacity(boto: AutoScaleConnection, given: Given) -> None:
    boto.set_desired_capacity(given["AutoScalingGroupName"], given["DesiredCapacity"])


def describe_auto_scaling_instances(boto: AutoScaleConnection, given: Given) -> dict[str, Any]:
    found = boto.get_all_autoscaling_instances(instance_ids=given.get("InstanceIds"))
    views = [instance_view(member) | {"AutoScalingGroupName": member.group_name} for member in found]
    return {"AutoScalingInstances": views}


def describe_scaling_activities(boto: AutoScaleConnection, given: Given) -> dict[str, Any]:
    found = boto.get_all_activities(given["AutoScalingGroupName"])
    return {"Activities": [activity_view(activity) for activity in found]}


def terminate_instance_in_auto_scaling_group(boto: AutoScaleConnection, given: Given) -> dict[str, Any]:
    activity = boto.terminate_instance(given["InstanceId"], given["ShouldDecrementDesiredCapacity"])
    return {"Activity": activity_view(activity)}


def create_or_update_tags(boto: AutoScaleConnection, given: Given) -> None:
    boto.create_or_update_tags([tag_of(entry) for entry in given["Tags"]])


def delete_tags(boto: AutoScaleConnection, given: Given) -> None:
    boto.delete_tags([tag_of(entry) for entry in given["Tags"]])


def describe_tags(boto: AutoScaleConnection, given: Given) -> dict[str, Any]:
    # boto 2 takes filters and does not send them: its users sort out what they asked for.
    wanted = {name for entry in given["Filters"] for name in entry["Values"]}
    return {"Tags": [tag_view(tag) for tag in boto.get_all_tags() if tag.resource_id in wanted]}


def describe_adjustment_types(boto: AutoScaleConnection, _given: Given) -> dict[str, Any]:
    return {"AdjustmentTypes": [{"AdjustmentType": entry.adjustment_type} for entry in boto.get_all_adjustment_types()]}


def describe_scaling_process_types(boto: AutoScaleConnection, _given: Given) -> dict[str, Any]:
    return {"Processes": [{"ProcessName": entry.process_name} for entry in boto.get_all_scaling_process_types()]}


def describe_termination_policy_types(boto: AutoScaleConnection, _given: Given) -> dict[str, Any]:
    return {"TerminationPolicyTypes": list(boto.get_termination_policies())}


def describe_metric_collection_types(boto: AutoScaleConnection, _given: Given) -> dict[str, Any]:
    found = boto.get_all_metric_collection_types()
    return {
        "Metrics": [{"Metric": entry.val} for entry in found.metrics],
        "Granularities": [{"Granularity": entry.val} for entry in found.granularities],
    }


def describe_account_limits(boto: AutoScaleConnection, _given: Given) -> dict[str, Any]:
    limits = boto.get_account_limits()
    return {
        "MaxNumberOfAutoScalingGroups": limits.max_autoscaling_groups,
        "MaxNumberOfLaunchConfigurations": limits.max_launch_configurations,
    }


def launch_configuration_view(entry: LaunchConfiguration) -> dict[str, Any]:
    """What boto 2 parsed, by AWS's names. boto 2 decodes user data; the other clients leave that to their users."""
    return {
        "LaunchConfigurationName": entry.name,
        "LaunchConfigurationARN": entry.launch_configuration_arn,
        "ImageId": entry.image_id,
        "InstanceType": entry.instance_type,
        "KeyName": entry.key_name,
        "SecurityGroups": list(entry.security_groups),
        "UserData": base64.b64encode(entry.user_data).decode(),
        "CreatedTime": entry.created_time,
    }


def group_view(group: AutoScalingGroup) -> dict[str, Any]:
    """What boto 2 parsed, by AWS's names."""
    return {
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.autoscaling_group_arn,
        "LaunchConfigurationName": group.launch_config_name,
        "MinSize": group.min_size,
        "MaxSize": group.max_size,
        "DesiredCapacity": group.desired_capacity,
        "DefaultCooldown": group.default_cooldown,
        "AvailabilityZones": list(group.availability_zones),
        "HealthCheckType": group.health_check_type,
        "HealthCheckGracePeriod": group.health_check_period,
        "CreatedTime": group.created_time,
        "TerminationPolicies": list(group.termination_policies),
        "Instances": None if group.instances is None else [instance_view(member) for member in group.instances],
        "Tags": None if group.tags is None else [tag_view(tag) for tag in group.tags],
    }


def instance_view(member: Any) -> dict[str, Any]:
    """What boto 2 parsed, by AWS's names."""
    return {
        "InstanceId": member.instance_id,
        "AvailabilityZone": member.availability_zone,
        "LifecycleState": member.lifecycle_state,
        "HealthStatus": member.health_status,
        "LaunchConfigurationName": member.launch_config_name,
    }


def activity_view(activity: Any) -> dict[str, Any]:
    """What boto 2 parsed, by AWS's names."""
    return {
        "ActivityId": activity.activity_id,
        "AutoScalingGroupName": activity.group_name,
        "Description": activity.description,
        "Cause": activity.cause,
        "StartTime": activity.start_time,
        "StatusCode": activity.status_code,
        "Progress": activity.progress,
    }


def tag_of(entry: Mapping[str, Any]) -> Tag:
    """A tag as boto 2's users make it."""
    return Tag(
        key=entry["Key"],
        value=entry.get("Value"),
        propagate_at_launch=entry.get("PropagateAtLaunch", False),
        resource_id=entry["ResourceId"],
    )


def tag_view(tag: Tag) -> dict[str, Any]:
    """What boto 2 parsed, by AWS's names."""
    return {
        "ResourceId": tag.resource_id,
        "ResourceType": tag.resource_type,
        "Key": tag.key,
        "Value": tag.value,
        "PropagateAtLaunch": tag.propagate_at_launch,
    }


def read_refusal(error: Exception) -> dict[str, Any]:
    """The error as its users tell it from others: by its code, and by its class."""
    assert isinstance(error, BotoServerError)
    return {"code": error.error_code, "message": error.error_message, "kind": type(error).__name__}


OPERATIONS = (
    create_launch_configuration,
    describe_launch_configurations,
    delete_launch_configuration,
    create_auto_scaling_group,
    update_auto_scaling_group,
    describe_auto_scaling_groups,
    delete_auto_scaling_group,
    set_desired_capacity,
    describe_auto_scaling_instances,
    describe_scaling_activities,
    terminate_instance_in_auto_scaling_group,
    create_or_update_tags,
    delete_tags,
    describe_tags,
    describe_adjustment_types,
    describe_scaling_process_types,
    describe_termination_policy_types,
    describe_metric_collection_types,
    describe_account_limits,
)
"""What a group's life needs. Named as AWS names it, in the spelling of Python."""


def calls(boto: AutoScaleConnection) -> dict[str, Callable[[Given], Any]]:
    """The operations by AWS's names, and which of boto's two signatures is at work."""
    named = {"".join(map(str.capitalize, run.__name__.split("_"))): partial(run, boto) for run in OPERATIONS}
    return named | {"signature": lambda _given: type(boto._auth_handler).__name__}


if __name__ == "__main__":
    converse(calls(connection(sys.argv[1])), BotoServerError, read_refusal)
