"""
Instances, across groups: describing them, and ending one by name.

Owns: the rules of ending: which one, whether the group shrinks with it, and that both are one transaction. Between the
two nothing can launch a replacement or pick another victim, as users of other servers have long complained of.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from phantom_gateway.names import name_in_arn
from phantom_gateway.operations.activities import activity_view
from phantom_gateway.operations.capacity import move
from phantom_gateway.operations.desk import Desk, invalid
from phantom_gateway.operations.group_view import instance_view
from phantom_gateway.operations.table import operation
from phantom_gateway.records import activities, groups, instances
from phantom_gateway.records.groups import GroupRow
from phantom_gateway.records.instances import InstanceRow
from phantom_gateway.records.ledger_endings import begin_termination
from protocol.paging import page_size
from reconciler import causes
from reconciler.model import InstanceState

PAGE_DEFAULT = 50
PAGE_MAX = 50
"""AWS's page size for DescribeAutoScalingInstances."""

TERMINATE_IDS_MAX = 100
"""AWS's limit for InstanceIds in one call."""


@dataclass(frozen=True, slots=True)
class DescribeAutoScalingInstancesParams:
    """Input of DescribeAutoScalingInstances."""

    instance_ids: list[str] | None = None
    max_records: int | None = None
    next_token: str | None = None
    include_managed_resources: bool | None = None


@dataclass(frozen=True, slots=True)
class TerminateInstanceParams:
    """Input of TerminateInstanceInAutoScalingGroup: one InstanceId, or a group's name with InstanceIds."""

    should_decrement_desired_capacity: bool
    instance_id: str | None = None
    instance_ids: list[str] | None = None
    auto_scaling_group_name: str | None = None


@operation("DescribeAutoScalingInstances")
def describe_auto_scaling_instances(desk: Desk, p: DescribeAutoScalingInstancesParams) -> dict[str, Any]:
    """One page of instances, by id; unknown ids in the filter are left out silently, as AWS does."""
    size = page_size(p.max_records, PAGE_DEFAULT, PAGE_MAX)
    wanted = p.instance_ids or None
    scope = desk.page_scope("DescribeAutoScalingInstances", wanted)
    after = desk.page_start(p.next_token, scope)
    rows = instances.page(desk.connection, desk.user.id, wanted, after, size + 1)
    # HealthStatus is in capitals here, and only here: real AWS does so, and Terraform compares without case.
    views = [
        instance_view(row)
        | {"AutoScalingGroupName": group_name, "HealthStatus": "HEALTHY" if row.healthy else "UNHEALTHY"}
        for row, group_name in rows[:size]
    ]
    answer: dict[str, Any] = {"AutoScalingInstances": views}
    if len(rows) > size:
        answer["NextToken"] = desk.house.page_tokens.issue(scope, str(rows[size - 1][0].instance_id))
    return answer


@operation("TerminateInstanceInAutoScalingGroup", writes=True)
def terminate_instance(desk: Desk, p: TerminateInstanceParams) -> dict[str, Any]:
    """
    The activities of the terminations: ``Activity`` in the old form, ``Activities`` in the new one.

    Without a decrement each is replaced. Scale-in protection does not stop it: the user named the instance.
    Raises ValidationError when an instance is not there, or when the group would shrink below its minimum.
    """
    group, members = _find_members(desk, p)
    shrinking = [member for member in members if member.state != InstanceState.TERMINATING]
    desired = group.desired
    if p.should_decrement_desired_capacity and shrinking:
        desired -= len(shrinking)
        _check_minimum(group, desired, len(shrinking))
    shown = end_members(desk, group, shrinking, shrinks=bool(p.should_decrement_desired_capacity))
    if desired != group.desired:
        move(desk, group, desired, causes.desired_set(desk.now, group.desired, desired))
    elif shrinking:
        groups.owe(desk.connection, group.id, len(shrinking))
    desk.wake(group.uid)
    shown += [member.activity_id for member in members if member.state == InstanceState.TERMINATING]
    views = [activity_view(desk, activities.by_activity_id(desk.connection, activity_id)) for activity_id in shown]
    return {"Activity": views[0]} if p.instance_id is not None else {"Activities": views}


def end_members(desk: Desk, group: GroupRow, members: Sequence[InstanceRow], *, shrinks: bool) -> list[str]:
    """
    The activities of ending *members*, none of which is Terminating yet.

    The caller says in the same transaction whether the group *shrinks* with them or is owed replacements.
    """
    opened = []
    for place, member in enumerate(members, start=1):
        shrunk = (group.desired - place + 1, group.desired - place) if shrinks else None
        cause = causes.user_took_out(desk.now, str(member.instance_id), shrunk)
        activity_id = desk.house.new_id()
        begin_termination(desk.connection, group, member, cause, activity_id, desk.now)
        opened.append(activity_id)
    return opened


def _find_members(desk: Desk, p: TerminateInstanceParams) -> tuple[GroupRow, list[InstanceRow]]:
    """The group and the instances meant. Raises ValidationError in AWS's words."""
    wanted = _wanted_ids(p)
    members = instances.by_instance_ids(desk.connection, desk.user.id, wanted)
    missing = [instance_id for instance_id in wanted if instance_id not in {member.instance_id for member in members}]
    if missing:
        raise invalid(f"Instance Id not found - No managed instance found for instance ID: {', '.join(missing)}")
    group = groups.by_ids(desk.connection, [members[0].group_id])[0]
    strangers = [str(member.instance_id) for member in members if member.group_id != group.id]
    named = p.auto_scaling_group_name
    if strangers or (named is not None and name_in_arn(named) != group.name):
        which = ", ".join(strangers or wanted)
        raise invalid(f"The instance {which} is not part of Auto Scaling group {named or group.name}.")
    return group, members


def _wanted_ids(p: TerminateInstanceParams) -> list[str]:
    """The ids given, each once. Raises ValidationError unless exactly one form is used."""
    if (p.instance_id is None) == (not p.instance_ids):
        raise invalid("Valid requests must contain either the InstanceId or the InstanceIds parameter.")
    if p.instance_id is not None:
        return [p.instance_id]
    if p.auto_scaling_group_name is None:
        raise invalid("InstanceIds needs AutoScalingGroupName: the group that all of them belong to.")
    wanted = list(dict.fromkeys(p.instance_ids or []))
    if len(wanted) > TERMINATE_IDS_MAX:
        raise invalid(f"At most {TERMINATE_IDS_MAX} InstanceIds may be given in one call; there are {len(wanted)}.")
    return wanted


def _check_minimum(group: GroupRow, desired: int, count: int) -> None:
    """Nothing. Raises ValidationError when *desired* is below the group's minimum."""
    if desired >= group.minimum or group.definition is not None:
        return
    if group.desired == group.minimum:
        raise invalid(
            f"Currently, desiredSize equals minSize ({group.minimum}). Terminating instance without replacement will "
            "violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower "
            "group's min size."
        )
    raise invalid(
        f"Terminating {count} instances without replacement would leave {desired}, below group's min size "
        f"({group.minimum}). Either set shouldDecrementDesiredCapacity flag to false or lower group's min size."
    )
