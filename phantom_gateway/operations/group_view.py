"""
A group and its instances, as AWS clients see them.

Owns: the view. Claims that have no machine yet are not shown: an AWS instance always has an id.
"""

from collections.abc import Sequence
from typing import Any

from phantom_gateway.names import group_arn
from phantom_gateway.operations.desk import Desk
from phantom_gateway.operations.tags import tag_view
from phantom_gateway.records import groups, instances, tags
from phantom_gateway.records.groups import GroupRow
from phantom_gateway.records.instances import InstanceRow
from phantom_gateway.records.tags import TagRow
from protocol.encode import Fragment, encode_member
from protocol.model import service


def group_fragments(desk: Desk, keys: Sequence[tuple[int, int]], *, with_instances: bool) -> list[Fragment]:
    """The encoded groups of *keys*, (id, version) each, in that order; what did not change comes from the cache."""
    names = {group_id: ("group", group_id, version, desk.withhold, with_instances) for group_id, version in keys}
    found = {group_id: desk.house.fragments.get(name) for group_id, name in names.items()}
    missing = [group_id for group_id, fragment in found.items() if fragment is None]
    if missing:
        describe = service().operations["DescribeAutoScalingGroups"]
        members = instances.of_groups(desk.connection, missing) if with_instances else {}
        tagged = tags.of_groups(desk.connection, missing)
        for group in groups.by_ids(desk.connection, missing):
            view = group_view(desk, group, members.get(group.id, []), tagged.get(group.id, []))
            fragment = encode_member(describe, "AutoScalingGroups", view, desk.withhold)
            desk.house.fragments.put(names[group.id], fragment)
            found[group.id] = fragment
    return [fragment for fragment in found.values() if fragment is not None]


def group_view(desk: Desk, group: GroupRow, members: list[InstanceRow], tagged: list[TagRow]) -> dict[str, Any]:
    """The group by AWS's member names; lists a group always has are there even when they are empty."""
    return {
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group_arn(desk.house.region, desk.user.account_id, group.uid, group.name),
        "LaunchConfigurationName": group.launch_configuration,
        "MinSize": group.minimum,
        "MaxSize": group.maximum,
        "DesiredCapacity": group.desired,
        "DefaultCooldown": group.cooldown_s,
        "AvailabilityZones": list(group.zones),
        "LoadBalancerNames": [],
        "Instances": [instance_view(member) for member in members if member.instance_id is not None],
        "CreatedTime": group.created_at,
        "SuspendedProcesses": [
            {"ProcessName": name, "SuspensionReason": reason} for name, reason in sorted(group.suspended.items())
        ],
        "EnabledMetrics": [],
        "Status": "Delete in progress" if group.deleting else None,
        "Tags": [tag_view(group.name, tag) for tag in tagged],
        "TerminationPolicies": list(group.termination_policies),
        "NewInstancesProtectedFromScaleIn": group.new_instances_protected,
        "VPCZoneIdentifier": "",
        **group.settings,
    }


def instance_view(member: InstanceRow) -> dict[str, Any]:
    """The instance by the names that groups use; its zone is its cloud, or the real one that its group asked for."""
    return {
        "InstanceId": member.instance_id,
        "InstanceType": member.instance_type,
        "AvailabilityZone": member.shown_zone,
        "LifecycleState": member.state,
        "HealthStatus": "Healthy" if member.healthy else "Unhealthy",
        "LaunchConfigurationName": member.launch_configuration,
        "ProtectedFromScaleIn": member.protected,
    }
