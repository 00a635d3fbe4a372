"""
Why a group has the instances it has, and what it waits for, in one screen.

Owns: the story, put together from the records alone, so that it can be told without a running gateway. Does not own:
printing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from phantom_gateway.records import activities, freezes, groups, instances, users
from phantom_gateway.records.groups import GroupRow
from phantom_gateway.records.instances import InstanceRow
from phantom_gateway.records.session import Connection
from reconciler.prospect import ONCE_THAWED

ACTIVITIES_SHOWN = 5
"""The latest activities that are part of the story; ``describe-scaling-activities`` has all."""


@dataclass(frozen=True, slots=True)
class Story:
    """What is known of one group."""

    name: str
    user: str
    minimum: int
    desired: int
    maximum: int
    deleting: bool
    members: list[tuple[str, str, str, str]]
    """(cloud, instance id, state, address) of each instance, oldest first; claims have no id yet."""
    causes: list[str]
    waiting_on: list[str]
    frozen: list[str]
    """The freezes that cover it, on any of its clouds."""
    recent: list[tuple[datetime, str, str, str]]
    """(started, status, description, message or cause) of the latest activities, newest first."""

    @property
    def would(self) -> list[str]:
        """What a thaw would bring, as the latest pass saw it."""
        return [sentence.removeprefix(ONCE_THAWED) for sentence in self.waiting_on if sentence.startswith(ONCE_THAWED)]

    @property
    def verdict(self) -> str:
        """One sentence: whether the group is as it should be, and if not, in which direction it moves."""
        states = [state for _, _, state, _ in self.members]
        counting = len(states) - states.count("Terminating")
        in_service = states.count("InService")
        if self.deleting:
            return f"It is being deleted; {len(states)} instances are still there."
        if counting < self.desired:
            return f"It has {counting} of {self.desired} instances: {self.desired - counting} are missing."
        if counting > self.desired:
            return f"It has {counting} instances and wants {self.desired}: {counting - self.desired} are surplus."
        if in_service < self.desired:
            return f"It has all {self.desired} instances; {self.desired - in_service} are not in service yet."
        return f"It has what it wants: {self.desired} instances in service."

    def as_json(self) -> dict[str, object]:
        """The story for programs."""
        return {
            "group": self.name,
            "user": self.user,
            "min": self.minimum,
            "desired": self.desired,
            "max": self.maximum,
            "deleting": self.deleting,
            "verdict": self.verdict,
            "instances": [
                {"cloud": cloud, "instance_id": instance_id or None, "state": state, "address": address or None}
                for cloud, instance_id, state, address in self.members
            ],
            "waiting_on": self.waiting_on,
            "frozen": self.frozen,
            "would": self.would,
            "causes": self.causes,
            "recent_activities": [
                {"started": started.isoformat(), "status": status, "description": description, "why": why}
                for started, status, description, why in self.recent
            ],
        }


def tell(connection: Connection, group_name: str, user_name: str | None) -> list[Story]:
    """The stories of all groups called *group_name*: one per user who has such a group, or only *user_name*'s."""
    stories = []
    for user in users.everyone(connection):
        if user_name is not None and user.name != user_name:
            continue
        group = groups.find(connection, user.id, group_name)
        if group is None:
            continue
        rows = instances.of_group(connection, group.id)
        latest = activities.page(
            connection,
            user.id,
            group_name=group.name,
            activity_ids=None,
            include_deleted=False,
            after=None,
            size=ACTIVITIES_SHOWN,
        )
        stories.append(
            Story(
                name=group.name,
                user=user.name,
                minimum=group.minimum,
                desired=group.desired,
                maximum=group.maximum,
                deleting=group.deleting,
                members=[
                    (row.cloud, row.instance_id or "", row.state, row.public_ip or row.private_ip or "") for row in rows
                ],
                causes=list(group.causes),
                waiting_on=list(group.waiting_on),
                frozen=_frozen(connection, group, rows),
                recent=[
                    (row.started_at, row.status_code, row.description, row.status_message or row.cause)
                    for row in latest
                ],
            )
        )
    return stories


def _frozen(connection: Connection, group: GroupRow, rows: Sequence[InstanceRow]) -> list[str]:
    """Sentences about freezes of the group, its user, the clouds it is on, or everything."""
    in_force = freezes.in_force(connection)
    clouds = dict.fromkeys(["", *(row.cloud for row in rows)])
    over = (in_force.over(group.uid, group.user_id, cloud) for cloud in clouds)
    return list(dict.fromkeys(freeze.sentence for freeze in over if freeze is not None))
