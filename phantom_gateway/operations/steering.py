"""
Tags that steer: what a group's tags change about the group itself.

Owns: holding them to the rules of the dialect (``phantom_tags``) and carrying their meaning into the group's record.
"""

from typing import Any

from phantom_gateway import phantom_tags
from phantom_gateway.operations.capacity import rebound
from phantom_gateway.operations.desk import Desk
from phantom_gateway.phantom_tags import CLOUDS, DEFINITION, FAIL_BACK, TagRule
from phantom_gateway.records import events, groups, tags
from phantom_gateway.records.groups import GroupRow
from protocol.errors import ApiError

TAGS_PER_GROUP_MAX = 50
"""AWS's limit."""

BOUNDS = frozenset({"n_preserve", "minimum_vms", "maximum_vms"})
"""Tags that move the bounds whenever they are written, and only then: a later SetDesiredCapacity may move them, too."""


def steer(desk: Desk, group: GroupRow, moved: frozenset[str]) -> None:
    """
    Nothing; the group does what its tags, as they are now, say. *moved* are the keys just written.

    Raises LimitExceeded, and InvalidParameterValue where a tag breaks a rule of the dialect.
    """
    rows = tags.of_groups(desk.connection, [group.id]).get(group.id, [])
    if len(rows) > TAGS_PER_GROUP_MAX:
        raise ApiError("LimitExceeded", f"A group may have {TAGS_PER_GROUP_MAX} tags.")
    values = {row.key: row.value for row in rows}
    _check(desk, group, values)
    changes: dict[str, Any] = {
        "definition": values.get(DEFINITION),
        "clouds": values.get(CLOUDS),
        "fail_back": values.get(FAIL_BACK),
    }
    changes = {column: value for column, value in changes.items() if getattr(group, column) != value}
    if DEFINITION in values and moved & BOUNDS:
        changes |= _new_bounds(desk, group, {key: values[key] for key in moved & BOUNDS})
    if changes:
        groups.change(desk.connection, group.id, changes, desk.now)
        desk.wake(group.uid)
    else:
        groups.touch(desk.connection, group.id)
        events.add(desk.connection, group.id, [events.GROUP_CHANGED], desk.now)
        if phantom_tags.sensor_policy(values) is not None:
            desk.wake(group.uid)


def _check(desk: Desk, group: GroupRow, values: dict[str, str]) -> None:
    try:
        phantom_tags.check(values)
        named = phantom_tags.ranked_clouds(values[CLOUDS]) if CLOUDS in values else ()
    except TagRule as rule:
        raise ApiError("InvalidParameterValue", str(rule)) from rule
    unknown = [cloud.name for cloud in named if cloud.name not in desk.house.clouds]
    if unknown:
        known = ", ".join(desk.house.clouds)
        raise ApiError(
            "InvalidParameterValue",
            f"The tag clouds names {', '.join(unknown)}, which is no cloud here; the clouds are: {known}.",
        )
    if group.definition is not None and DEFINITION in values and values[DEFINITION] != group.definition:
        raise ApiError(
            "InvalidParameterValue",
            f"The tag {DEFINITION} of a group cannot be changed; it is {group.definition}. Make a new group.",
        )


def _new_bounds(desk: Desk, group: GroupRow, given: dict[str, str]) -> dict[str, Any]:
    """What the bounds just written change; the desired capacity moves into them."""
    asked = phantom_tags.bounds(given)
    minimum = group.minimum if asked.minimum is None else asked.minimum
    maximum = group.maximum if asked.maximum is None else asked.maximum
    if asked.maximum is None:
        maximum = max(minimum, maximum)
    if asked.minimum is None:
        minimum = min(minimum, maximum)
    return rebound(desk, group, minimum, maximum)
