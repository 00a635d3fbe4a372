"""
How many: the bounds of a group, and the operations that move its desired capacity.

Owns: the arithmetic and AWS's words for going out of bounds; the sentence that explains a change to the user.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from phantom_gateway.operations.desk import Desk, invalid
from phantom_gateway.operations.lookup import find_group
from phantom_gateway.operations.table import operation
from phantom_gateway.records import activities, groups
from phantom_gateway.records.groups import GroupRow
from protocol.errors import ApiError
from reconciler import causes


@dataclass(frozen=True, slots=True)
class SetDesiredCapacityParams:
    """Input of SetDesiredCapacity."""

    auto_scaling_group_name: str
    desired_capacity: int
    honor_cooldown: bool = False


@operation("SetDesiredCapacity", writes=True)
def set_desired_capacity(desk: Desk, p: SetDesiredCapacityParams) -> None:
    """Nothing; the group wants that many from now on. Raises ValidationError, ScalingActivityInProgress."""
    group = find_group(desk, p.auto_scaling_group_name)
    wanted = p.desired_capacity
    if group.definition is None:
        _check_wanted(group, wanted)
    check_ceilings(desk, group.desired, wanted)
    if p.honor_cooldown:
        _honor_cooldown(desk, group)
    if wanted != group.desired:
        cause = causes.desired_set(desk.now, group.desired, wanted)
        move(desk, group, wanted, cause)
        desk.wake(group.uid)


def move(desk: Desk, group: GroupRow, wanted: int, cause: str) -> None:
    """
    Nothing; the group wants *wanted* instances, because of *cause*.

    A group of Phantom's dialect takes its bounds along where they are in the way: the published scripts raise the
    capacity of groups that were made with one number for both. (The original set both bounds to the number, and so lost
    those of groups with a range.)
    """
    kept = keep_causes(group.causes, cause)
    if group.minimum <= wanted <= group.maximum:
        groups.set_desired(desk.connection, group.id, wanted, kept, desk.now)
        return
    groups.change(
        desk.connection,
        group.id,
        {
            "minimum": min(group.minimum, wanted),
            "maximum": max(group.maximum, wanted),
            "desired": wanted,
            "causes": kept,
            "last_scaled_at": desk.now,
        },
        desk.now,
    )


def rebound(desk: Desk, group: GroupRow, minimum: int, maximum: int, desired: int | None = None) -> dict[str, Any]:
    """
    What of the group changes, by column, when it gets these bounds; without *desired*, that moves into them.

    Raises ValidationError, LimitExceeded.
    """
    if desired is None:
        desired = max(minimum, min(group.desired, maximum)) if minimum <= maximum else group.desired
    check_bounds(minimum, maximum, desired)
    check_ceilings(desk, group.desired, desired)
    changes: dict[str, Any] = {"minimum": minimum, "maximum": maximum, "desired": desired}
    if desired != group.desired:
        cause = causes.constraints_updated(desk.now, minimum, maximum, desired, group.desired)
        changes |= {"causes": keep_causes(group.causes, cause), "last_scaled_at": desk.now}
    return changes


def _check_wanted(group: GroupRow, wanted: int) -> None:
    """Nothing. Raises ValidationError, in AWS's words, when *wanted* is out of the group's bounds."""
    for bound, limit, beyond in (
        ("above max", group.maximum, wanted > group.maximum),
        ("below min", group.minimum, wanted < group.minimum),
    ):
        if beyond:
            raise invalid(f"New SetDesiredCapacity value {wanted} is {bound} value {limit} for the AutoScalingGroup.")


def check_bounds(minimum: int, maximum: int, desired: int) -> None:
    """Nothing. Raises ValidationError when the three do not fit together."""
    if minimum > maximum:
        raise invalid(f"Max bound, {maximum}, must be greater than or equal to min bound, {minimum}")
    if not minimum <= desired <= maximum:
        raise invalid(
            f"Desired capacity:{desired} must be between the specified min size:{minimum} and max size:{maximum}"
        )


def check_ceilings(desk: Desk, before: int, desired: int) -> None:
    """Nothing. Raises LimitExceeded when growing from *before* to *desired* goes beyond what the operator allows."""
    if desired <= before:
        return
    limits = desk.house.limits
    if desired > limits.vms_per_group_max:
        raise ApiError(
            "LimitExceeded",
            f"Desired capacity {desired} is above {limits.vms_per_group_max}, the operator's ceiling for one group "
            "(limits.vms_per_group_max).",
        )
    total = desk.holding_after("instances", desired - before, limits.vms_per_user_max, groups.desired_total)
    if total > limits.vms_per_user_max:
        raise ApiError(
            "LimitExceeded",
            f"Your groups would want {total} instances together, above {limits.vms_per_user_max}, the operator's "
            "ceiling for one user (limits.vms_per_user_max).",
        )


def keep_causes(before: Sequence[str], cause: str) -> list[str]:
    """The causes after *cause* was added."""
    return causes.keep(before, cause)


def _honor_cooldown(desk: Desk, group: GroupRow) -> None:
    """Nothing when no cooldown runs. Raises ScalingActivityInProgress otherwise."""
    if group.last_scaled_at is None:
        return
    if desk.now < group.last_scaled_at + timedelta(seconds=group.cooldown_s):
        latest = activities.page(
            desk.connection,
            desk.user.id,
            group_name=group.name,
            activity_ids=None,
            include_deleted=False,
            after=None,
            size=1,
        )
        which = latest[0].activity_id if latest else group.uid
        raise ApiError("ScalingActivityInProgress", f"Scaling activity {which} is in progress and blocks this action")
