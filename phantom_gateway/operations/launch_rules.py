"""
Rules about launch configurations that hold whichever API asks.

Owns: which clouds there are, how many specs a user may have, when one is in use, and that groups follow a change at
once. Does not own: either API's parameters and views.
"""

from collections.abc import Collection, Sequence
from typing import Any

from phantom_gateway.group_clouds import clouds_of, follows
from phantom_gateway.operations.desk import Desk, invalid
from phantom_gateway.records import groups, launch_configurations
from phantom_gateway.records.groups import GroupRow
from phantom_gateway.records.launch_configurations import LaunchSpecRecord, ranked
from protocol.errors import ApiError

USER_DATA_BYTES_MAX = 16_384
"""AWS's limit, before base64. A cloud may take less; it says so at launch."""


def check_cloud(desk: Desk, cloud: str, field: str) -> None:
    """Nothing. Raises ValidationError, which names *field*, when there is no such cloud."""
    if cloud not in desk.house.clouds:
        clouds = ", ".join(desk.house.clouds)
        raise invalid(f"{field}: there is no cloud called {cloud}; the clouds are: {clouds}.")


def check_room(desk: Desk, more: int) -> None:
    """Nothing. Raises LimitExceeded when the user may not have *more* launch configurations, each cloud's counted."""
    ceiling = desk.house.limits.launch_configurations_max
    if more <= 0:
        return
    if desk.holding_after("launch configurations", more, ceiling, launch_configurations.count) > ceiling:
        raise ApiError("LimitExceeded", f"You may have {ceiling} launch configurations; delete one first.")


def users_of(desk: Desk, siblings: Collection[LaunchSpecRecord]) -> list[GroupRow]:
    """The user's living groups that launch from one of these, by name."""
    return groups.using(desk.connection, desk.user.id, [spec.name for spec in siblings])


def check_unused(
    desk: Desk, siblings: Sequence[LaunchSpecRecord], doomed: Collection[str], *, may_be_left: bool
) -> None:
    """
    Nothing when no group needs the specs for the clouds *doomed*, of all its *siblings*.

    *may_be_left*: other clouds are left or come, and a group that follows its launch configuration goes there.
    Raises ResourceInUse.
    """
    for spec, group in _uses(desk, siblings):
        if spec.cloud not in doomed:
            continue
        if may_be_left and follows(group.clouds, group.definition):
            continue
        raise ApiError(
            "ResourceInUse",
            f"Cannot delete launch configuration {spec.name} because it is attached to AutoScalingGroup {group.name}",
        )


def follow(desk: Desk, before: Sequence[LaunchSpecRecord], after: Sequence[LaunchSpecRecord]) -> None:
    """
    Nothing; the groups that launch from one of *before* launch from what is there *after*, and have a pass at once.

    One that was made with a spec that is gone has the best of those left. Zones that were the launch configuration's
    own clouds are so again.
    """
    names = {spec.name for spec in after}
    was, now = _clouds(before), _clouds(after)
    for group in users_of(desk, [*before, *after]):
        changes: dict[str, Any] = {}
        if group.launch_configuration not in names:
            changes["launch_configuration"] = next(spec.name for spec in after if spec.cloud == now[0])
        if list(group.zones) == was and was != now:
            changes["zones"] = now
        groups.change(desk.connection, group.id, changes, desk.now)
        desk.wake(group.uid)


def _uses(desk: Desk, siblings: Sequence[LaunchSpecRecord]) -> list[tuple[LaunchSpecRecord, GroupRow]]:
    """Which spec is used by which group, by name of the group."""
    by_name = {spec.name: spec for spec in siblings}
    found = []
    for group in users_of(desk, siblings):
        own = by_name[group.launch_configuration]
        clouds = clouds_of(group.clouds, group.definition, group.zones, own.cloud, ranked(siblings))
        named = {cloud.name for cloud in clouds}
        found += [(spec, group) for spec in siblings if spec is own or spec.cloud in named]
    return found


def _clouds(siblings: Sequence[LaunchSpecRecord]) -> list[str]:
    return [cloud.name for cloud in ranked(siblings)]
