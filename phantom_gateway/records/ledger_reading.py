"""
A group as a pass sees it: intent, launch sources, instances and obstacles, from one snapshot.

Owns: putting it together from what other modules read. Does not own: instances (``ledger_instances``) and launch
sources (``launch_sources``), or any change.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from phantom_gateway.config import Limits
from phantom_gateway.group_clouds import clouds_of, drained, is_whole_truth, places_of
from phantom_gateway.phantom_tags import sensor_policy
from phantom_gateway.records import groups, launch_configurations, ledger_instances, tags
from phantom_gateway.records.crashes import crash_of
from phantom_gateway.records.groups import GroupRow
from phantom_gateway.records.launch_configurations import LaunchSpecRecord
from phantom_gateway.records.launch_sources import LaunchSources
from reconciler.model import FailBack, Group, GroupRecord, RankedCloud, SensorPolicy


def record(connection: sa.Connection, uid: str, sources: LaunchSources, limits: Limits) -> GroupRecord | None:
    """Group and instances as a pass sees them, from one snapshot; None when there is no such group."""
    row = groups.by_uid(connection, uid)
    if row is None:
        return None
    specs = specs_of(connection, row)
    members = ledger_instances.of_group(connection, row.id)
    clouds = usable_clouds(row, specs)
    if is_whole_truth(row.clouds, row.definition):
        clouds = drained(clouds, [member.cloud for member in members])
    policy = None if row.definition is None else _policy(connection, row)
    group = Group(
        uid=row.uid,
        name=row.name,
        user_id=row.user_id,
        minimum=row.minimum,
        maximum=row.maximum,
        desired=row.desired,
        clouds=clouds,
        generation=row.generation,
        deleting=row.deleting,
        termination_policies=tuple(row.termination_policies),
        causes=tuple(row.causes),
        owed_replacements=row.owed_replacements,
        fail_back=FailBack(row.fail_back or FailBack.ON_REPLACEMENT),
        suspended=frozenset(row.suspended),
        suspension_reasons=row.suspended,
        failing_since=row.failing_since,
        crashes={cloud: crash_of(kept) for cloud, kept in row.crashes.items()} if row.crashes else {},
        places=places_of(row.zones, row.settings.get("VPCZoneIdentifier", ""), {spec.cloud for spec in specs}),
        policy=policy,
        last_scaled_at=row.last_scaled_at,
        ceiling=None if policy is None else ceiling(connection, row, limits),
    )
    launch_sources, obstacles = sources.of(connection, row, specs)
    return GroupRecord(group, launch_sources, members, obstacles)


def ceiling(connection: sa.Connection, group: GroupRow, limits: Limits) -> int:
    """The most that the operator lets the group want, given what the user's other groups want."""
    others = groups.desired_total(connection, group.user_id) - group.desired
    return min(limits.vms_per_group_max, limits.vms_per_user_max - others)


def specs_of(connection: sa.Connection, group: GroupRow) -> list[LaunchSpecRecord]:
    """All sibling specs of the launch configuration the group names."""
    return launch_configurations.siblings(connection, group.user_id, group.launch_configuration)


def usable_clouds(group: GroupRow, specs: Sequence[LaunchSpecRecord]) -> tuple[RankedCloud, ...]:
    """The clouds that the group may use; *specs* are those of its launch configuration."""
    own = next((spec for spec in specs if spec.name == group.launch_configuration), None)
    launch_cloud = own.cloud if own else group.launch_configuration.partition("@")[2]
    cloud_params = launch_configurations.ranked(specs)
    return clouds_of(group.clouds, group.definition, group.zones, launch_cloud, cloud_params)


def _policy(connection: sa.Connection, group: GroupRow) -> SensorPolicy | None:
    """How a sensor moves the group; only groups of Phantom's dialect have such tags."""
    return sensor_policy({tag.key: tag.value for tag in tags.of_groups(connection, [group.id]).get(group.id, [])})
