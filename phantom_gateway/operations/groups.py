"""
Auto Scaling groups: creating, changing, deleting and describing them.

Owns: their rules and defaults. A group follows AWS's rules; machines come and go by the reconciler's hand only.
"""

from dataclasses import dataclass
from typing import Any

from phantom_gateway.names import name_in_arn
from phantom_gateway.operations.capacity import rebound
from phantom_gateway.operations.desk import Desk, invalid
from phantom_gateway.operations.group_rules import (
    COOLDOWN_DEFAULT_S,
    SETTINGS_DEFAULT,
    Bounds,
    check_groups_max,
    check_name,
    delete_group,
    make_group,
)
from phantom_gateway.operations.group_view import group_fragments
from phantom_gateway.operations.launch_configurations import find_spec
from phantom_gateway.operations.lookup import find_group
from phantom_gateway.operations.table import operation
from phantom_gateway.phantom_tags import DEFINITION
from phantom_gateway.records import activities, groups, instances, launch_configurations
from phantom_gateway.records.groups import GroupRow
from phantom_gateway.records.launch_configurations import LaunchSpecRecord
from protocol.errors import ApiError
from protocol.paging import page_size

PAGE_DEFAULT = 50
PAGE_MAX = 100

HEALTH_CHECK_TYPES = ("EC2", "ELB", "EBS", "VPC_LATTICE")

TERMINATION_POLICIES = (
    "AllocationStrategy",
    "ClosestToNextInstanceHour",
    "Default",
    "NewestInstance",
    "OldestInstance",
    "OldestLaunchConfiguration",
    "OldestLaunchTemplate",
)

NO_SOURCE = (
    "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy "
    "parameter."
)


@dataclass(frozen=True, slots=True)
class CreateAutoScalingGroupParams:
    """Input of CreateAutoScalingGroup: what is honoured, or kept and described back."""

    auto_scaling_group_name: str
    min_size: int
    max_size: int
    launch_configuration_name: str | None = None
    desired_capacity: int | None = None
    default_cooldown: int | None = None
    availability_zones: list[str] | None = None
    health_check_type: str | None = None
    health_check_grace_period: int | None = None
    placement_group: str | None = None
    vpc_zone_identifier: str | None = None
    termination_policies: list[str] | None = None
    new_instances_protected_from_scale_in: bool | None = None
    tags: list[dict[str, Any]] | None = None
    service_linked_role_arn: str | None = None
    context: str | None = None
    default_instance_warmup: int | None = None


@dataclass(frozen=True, slots=True)
class UpdateAutoScalingGroupParams:
    """Input of UpdateAutoScalingGroup; what is absent stays as it is."""

    auto_scaling_group_name: str
    launch_configuration_name: str | None = None
    min_size: int | None = None
    max_size: int | None = None
    desired_capacity: int | None = None
    default_cooldown: int | None = None
    availability_zones: list[str] | None = None
    health_check_type: str | None = None
    health_check_grace_period: int | None = None
    placement_group: str | None = None
    vpc_zone_identifier: str | None = None
    termination_policies: list[str] | None = None
    new_instances_protected_from_scale_in: bool | None = None
    service_linked_role_arn: str | None = None
    context: str | None = None
    default_instance_warmup: int | None = None


@dataclass(frozen=True, slots=True)
class DeleteAutoScalingGroupParams:
    """Input of DeleteAutoScalingGroup."""

    auto_scaling_group_name: str
    force_delete: bool = False


@dataclass(frozen=True, slots=True)
class DescribeAutoScalingGroupsParams:
    """Input of DescribeAutoScalingGroups."""

    auto_scaling_group_names: list[str] | None = None
    next_token: str | None = None
    max_records: int | None = None
    include_instances: bool = True
    include_managed_resources: bool | None = None


@operation("CreateAutoScalingGroup", writes=True)
def create_auto_scaling_group(desk: Desk, p: CreateAutoScalingGroupParams) -> None:
    """Nothing; the group exists and is being filled. Raises ValidationError, AlreadyExists, LimitExceeded."""
    check_name(desk, p.auto_scaling_group_name)
    check_groups_max(desk)
    if not p.launch_configuration_name:
        raise invalid(NO_SOURCE)
    if not p.availability_zones and not p.vpc_zone_identifier:
        raise invalid("At least one Availability Zone or VPC Subnet is required.")
    make_group(
        desk,
        _find_source(desk, p),
        Bounds(p.min_size, p.max_size, p.min_size if p.desired_capacity is None else p.desired_capacity),
        {
            "name": p.auto_scaling_group_name,
            "cooldown_s": COOLDOWN_DEFAULT_S if p.default_cooldown is None else p.default_cooldown,
            "zones": p.availability_zones or [],
            "termination_policies": _policies(p.termination_policies) or ["Default"],
            "new_instances_protected": bool(p.new_instances_protected_from_scale_in),
            "settings": {**SETTINGS_DEFAULT, **_settings(p)},
        },
        _own_tags(p.auto_scaling_group_name, p.tags or []),
    )


@operation("UpdateAutoScalingGroup", writes=True)
def update_auto_scaling_group(desk: Desk, p: UpdateAutoScalingGroupParams) -> None:
    """Nothing; the group is changed. New instances come from a new launch configuration, old ones stay."""
    group = _find_for_update(desk, p.auto_scaling_group_name)
    minimum = group.minimum if p.min_size is None else p.min_size
    maximum = group.maximum if p.max_size is None else p.max_size
    values = rebound(desk, group, minimum, maximum, p.desired_capacity)
    if p.launch_configuration_name:
        values["launch_configuration"] = find_spec(desk, p.launch_configuration_name).name
    if p.availability_zones:
        values["zones"] = p.availability_zones
    if p.default_cooldown is not None:
        values["cooldown_s"] = p.default_cooldown
    if p.termination_policies:
        values["termination_policies"] = _policies(p.termination_policies)
    if p.new_instances_protected_from_scale_in is not None:
        values["new_instances_protected"] = p.new_instances_protected_from_scale_in
    values["settings"] = _cleared({**group.settings, **_settings(p)})
    groups.change(desk.connection, group.id, values, desk.now)
    desk.wake(group.uid)


@operation("DeleteAutoScalingGroup", writes=True)
def delete_auto_scaling_group(desk: Desk, p: DeleteAutoScalingGroupParams) -> None:
    """
    Nothing; the group is gone, or with ForceDelete on its way out with all its instances.

    Raises ValidationError when there is none; without ForceDelete ResourceInUse or ScalingActivityInProgress.
    """
    name = name_in_arn(p.auto_scaling_group_name)
    group = groups.find(desk.connection, desk.user.id, name)
    if group is None:
        raise invalid(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
    if group.deleting:
        return  # said before, and under way
    if not p.force_delete and group.definition is None:  # the original always forced, and its scripts count on it
        _check_idle(desk, group)
    delete_group(desk, group)


@operation("DescribeAutoScalingGroups")
def describe_auto_scaling_groups(desk: Desk, p: DescribeAutoScalingGroupsParams) -> dict[str, Any]:
    """One page of groups by name; unknown names in the filter are left out silently, as AWS does."""
    size = page_size(p.max_records, PAGE_DEFAULT, PAGE_MAX)
    names = [name_in_arn(name) for name in p.auto_scaling_group_names] if p.auto_scaling_group_names else None
    scope = desk.page_scope("DescribeAutoScalingGroups", names)
    after = desk.page_start(p.next_token, scope)
    rows = groups.page(desk.connection, desk.user.id, names, after, size + 1)
    shown = {row[0]: row for row in reversed(rows[:size])}  # the first of a name wins: the living one
    keys = [(group_id, version) for _, group_id, version in reversed(shown.values())]
    answer: dict[str, Any] = {"AutoScalingGroups": group_fragments(desk, keys, with_instances=p.include_instances)}
    if len(rows) > size:
        answer["NextToken"] = desk.house.page_tokens.issue(scope, rows[size - 1][0])
    return answer


def _find_for_update(desk: Desk, name_or_arn: str) -> GroupRow:
    """As ``find_group``, in the words AWS uses for updates (seen in its answers)."""
    group = groups.find(desk.connection, desk.user.id, name_in_arn(name_or_arn))
    if group is None:
        raise invalid("AutoScalingGroup name not found - null")
    return find_group(desk, name_or_arn)


def _find_source(desk: Desk, p: CreateAutoScalingGroupParams) -> LaunchSpecRecord:
    """
    What the group launches. Raises ValidationError when there is no such launch configuration.

    In Phantom's dialect any sibling will do, and so will the bare base name: the ``clouds`` tag says where.
    """
    name = str(p.launch_configuration_name)
    if any(tag["Key"] == DEFINITION for tag in p.tags or []):
        siblings = launch_configurations.of_base(desk.connection, desk.user.id, name.partition("@")[0])
        if siblings:
            return next((spec for spec in siblings if spec.name == name), siblings[0])
    return find_spec(desk, name)


def _check_idle(desk: Desk, group: GroupRow) -> None:
    """Nothing when the group is empty and at rest. Raises ResourceInUse or ScalingActivityInProgress."""
    if instances.of_group(desk.connection, group.id):
        raise ApiError(
            "ResourceInUse",
            "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) "
            "still in the group.",
        )
    if activities.open_of_group(desk.connection, group.uid) is not None:
        raise ApiError(
            "ScalingActivityInProgress",
            "You cannot delete an AutoScalingGroup while there are scaling activities in progress for that group.",
        )


def _policies(given: list[str] | None) -> list[str]:
    """The policies as given. Raises ValidationError naming those there are."""
    for policy in given or []:
        if policy not in TERMINATION_POLICIES:
            known = ", ".join(TERMINATION_POLICIES)
            raise invalid(f"{policy} is not a valid termination policy; valid policies are: {known}.")
    return list(given or [])


def _settings(p: CreateAutoScalingGroupParams | UpdateAutoScalingGroupParams) -> dict[str, Any]:
    """What was given beyond the columns, by AWS member name. Raises ValidationError."""
    if p.health_check_type and p.health_check_type not in HEALTH_CHECK_TYPES:
        known = ", ".join(HEALTH_CHECK_TYPES)
        raise invalid(f"{p.health_check_type} is not a valid health check type; valid types are: {known}.")
    values = {
        "HealthCheckType": p.health_check_type or None,
        "HealthCheckGracePeriod": p.health_check_grace_period,
        "PlacementGroup": p.placement_group,
        "VPCZoneIdentifier": p.vpc_zone_identifier,
        "ServiceLinkedRoleARN": p.service_linked_role_arn,
        "Context": p.context,
        "DefaultInstanceWarmup": p.default_instance_warmup,
    }
    return {member: value for member, value in values.items() if value is not None}


def _cleared(settings: dict[str, Any]) -> dict[str, Any]:
    """*settings* without what AWS's sentinels clear: "" for a placement group, -1 for the warm-up."""
    return {
        member: value
        for member, value in settings.items()
        if not (member == "PlacementGroup" and value == "") and not (member == "DefaultInstanceWarmup" and value == -1)
    }


def _own_tags(name: str, given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tags of a group being made. Raises ValidationError when one names another resource."""
    for tag in given:
        if tag.get("ResourceId") not in (None, "", name):
            raise invalid(f"Tags.ResourceId must be the group's own name, {name}, or be left out.")
    return given
