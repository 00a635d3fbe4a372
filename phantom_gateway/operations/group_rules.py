"""
Rules about groups that hold whichever API asks.

Owns: names, how a group comes to be and goes, and renaming. Does not own: either API's parameters and views, the
arithmetic of bounds (``capacity``), or what tags mean (``steering``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phantom_gateway.operations.capacity import check_bounds, check_ceilings, keep_causes
from phantom_gateway.operations.desk import Desk, invalid
from phantom_gateway.operations.tags import put_tags
from phantom_gateway.records import activities, groups, instances
from phantom_gateway.records.groups import GroupRow
from phantom_gateway.records.launch_configurations import LaunchSpecRecord
from phantom_gateway.records.ledger_endings import forget_group
from protocol.errors import ApiError
from reconciler import causes

COOLDOWN_DEFAULT_S = 300
"""AWS's default."""

SETTINGS_DEFAULT: Mapping[str, Any] = {"HealthCheckType": "EC2", "HealthCheckGracePeriod": 0}


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many instances a new group may have, and wants."""

    minimum: int
    maximum: int
    desired: int


def check_name(desk: Desk, name: str, field: str = "AutoScalingGroupName", *, blanks: bool = False) -> None:
    """
    Nothing. Raises ValidationError for a name no ARN could hold, AlreadyExists when a living group has it.

    *field* is where it came in. AWS allows no *blanks*; the original's web form and its JSON API do.
    """
    inner = name.replace(" ", "") if blanks and name == name.strip() else name
    if not inner or ":" in name or not all("!" <= letter <= "~" for letter in inner):
        rule = "no blanks at its ends" if blanks else "no blanks"
        raise invalid(f"{field} {name!r} may hold printable ASCII characters only, {rule} and no colons.")
    existing = groups.find(desk.connection, desk.user.id, name)
    if existing is not None and not existing.deleting:
        raise ApiError(
            "AlreadyExists",
            f"AutoScalingGroup by this name already exists - A group with the name {name} already exists",
        )


def check_groups_max(desk: Desk) -> None:
    """Nothing. Raises LimitExceeded when the user has all the groups that the operator allows."""
    ceiling = desk.house.limits.groups_max
    if desk.holding_after("groups", 1, ceiling, groups.count) > ceiling:
        raise ApiError("LimitExceeded", f"You may have {ceiling} Auto Scaling groups; delete one first.")


def make_group(
    desk: Desk,
    spec: LaunchSpecRecord,
    bounds: Bounds,
    values: Mapping[str, Any],
    tags: Sequence[Mapping[str, Any]],
) -> GroupRow:
    """
    The new group, which launches from *spec* and its siblings; it is filled as soon as the transaction is committed.

    *values* are its name and settings, by column; *tags* are as AWS clients give them. Raises ValidationError,
    LimitExceeded, and InvalidParameterValue for a tag that breaks a rule of Phantom's dialect.
    """
    check_bounds(bounds.minimum, bounds.maximum, bounds.desired)
    check_ceilings(desk, 0, bounds.desired)
    uid = desk.house.new_id()
    group_id = groups.add(
        desk.connection,
        {
            **values,
            "uid": uid,
            "user_id": desk.user.id,
            "launch_configuration": spec.name,
            "minimum": bounds.minimum,
            "maximum": bounds.maximum,
            "desired": bounds.desired,
            "causes": [causes.group_created(desk.now, bounds.desired)],
            "created_at": desk.now,
        },
    )
    (group,) = groups.by_ids(desk.connection, [group_id])
    if tags:
        put_tags(desk, group, tags)
        (group,) = groups.by_ids(desk.connection, [group_id])
    desk.wake(uid)
    return group


def rename_group(desk: Desk, group: GroupRow, name: str) -> None:
    """Nothing; the group is called *name*, by its activities, too. Raises ValidationError, AlreadyExists."""
    check_name(desk, name, "name", blanks=True)
    groups.change(desk.connection, group.id, {"name": name}, desk.now)
    activities.rename_group(desk.connection, group.uid, name)


def delete_group(desk: Desk, group: GroupRow) -> None:
    """Nothing; the group is gone, or on its way out with all its instances."""
    if instances.of_group(desk.connection, group.id):
        cause = causes.group_deleted(desk.now, group.desired)
        values = {"deleting": True, "minimum": 0, "desired": 0, "causes": keep_causes(group.causes, cause)}
        groups.change(desk.connection, group.id, values, desk.now)
    else:
        forget_group(desk.connection, group, desk.now)
    desk.wake(group.uid)
