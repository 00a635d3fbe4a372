"""
The activities that launches and terminations are told by.

Owns: their words, and how far along they are said to be. Does not own: the records of activities (``activities``).
"""

from datetime import datetime

from phantom_gateway.records.columns import to_json
from phantom_gateway.records.groups import GroupRow

LAUNCHING = "Launching a new EC2 instance"
TERMINATING = "Terminating EC2 instance"

OPEN_LAUNCH = ("WaitingForInstanceId", 20)
BOUND_LAUNCH = ("PreInService", 30)
OPEN_TERMINATION = ("InProgress", 50)
DONE = ("Successful", 100)
"""Status code and progress in percent."""


def opened(
    group: GroupRow,
    activity_id: str,
    description: str,
    cause: str,
    status: tuple[str, int],
    zone: str,
    now: datetime,
) -> dict[str, object]:
    """A new activity of the group, as ``activities.add`` takes it."""
    return {
        "activity_id": activity_id,
        "user_id": group.user_id,
        "group_uid": group.uid,
        "group_name": group.name,
        "description": description,
        "cause": cause,
        "status_code": status[0],
        "progress": status[1],
        "details": to_json({"Availability Zone": zone}),
        "started_at": now,
    }
