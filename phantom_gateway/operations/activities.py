"""
Scaling activities, as AWS clients see them.

Owns: their view, order and paging. They are written by the ledger and by the operations that end instances.
"""

from dataclasses import dataclass
from typing import Any

from phantom_gateway.names import group_arn, name_in_arn
from phantom_gateway.operations.desk import Desk
from phantom_gateway.operations.lookup import find_group
from phantom_gateway.operations.table import operation
from phantom_gateway.records import activities
from phantom_gateway.records.activities import ActivityRow
from protocol.paging import page_size

PAGE_DEFAULT = 100
PAGE_MAX = 100
"""AWS's page size for scaling activities."""

CAUSE_CHARS_MAX = 1023
"""The model's limit for Cause."""


@dataclass(frozen=True, slots=True)
class DescribeScalingActivitiesParams:
    """Input of DescribeScalingActivities."""

    auto_scaling_group_name: str | None = None
    activity_ids: list[str] | None = None
    include_deleted_groups: bool = False
    max_records: int | None = None
    next_token: str | None = None
    include_managed_resources: bool | None = None


@operation("DescribeScalingActivities")
def describe_scaling_activities(desk: Desk, p: DescribeScalingActivitiesParams) -> dict[str, Any]:
    """One page of activities, those in progress first, then the newest. Raises ValidationError, InvalidNextToken."""
    size = page_size(p.max_records, PAGE_DEFAULT, PAGE_MAX)
    name = None
    if p.auto_scaling_group_name:
        name = name_in_arn(p.auto_scaling_group_name)
        if not p.include_deleted_groups:
            find_group(desk, name, even_deleting=True)
    wanted = p.activity_ids or None
    scope = desk.page_scope("DescribeScalingActivities", name, wanted, p.include_deleted_groups)
    position = desk.page_start(p.next_token, scope)
    ended, _, last_id = position.partition(" ")
    rows = activities.page(
        desk.connection,
        desk.user.id,
        group_name=name,
        activity_ids=wanted,
        include_deleted=p.include_deleted_groups,
        after=(ended == "ended", int(last_id)) if position else None,
        size=size + 1,
    )
    answer: dict[str, Any] = {"Activities": [activity_view(desk, row) for row in rows[:size]]}
    if len(rows) > size:
        last = rows[size - 1]
        state = "ended" if last.ended_at else "open"
        answer["NextToken"] = desk.house.page_tokens.issue(scope, f"{state} {last.id}")
    return answer


def activity_view(desk: Desk, row: ActivityRow) -> dict[str, Any]:
    """The activity by AWS's member names."""
    return {
        "ActivityId": row.activity_id,
        "AutoScalingGroupName": row.group_name,
        "Description": row.description,
        "Cause": row.cause[:CAUSE_CHARS_MAX],
        "StartTime": row.started_at,
        "EndTime": row.ended_at,
        "StatusCode": row.status_code,
        "StatusMessage": row.status_message,
        "Progress": row.progress,
        "Details": row.details,
        "AutoScalingGroupState": "Deleted" if row.group_deleted else None,
        "AutoScalingGroupARN": group_arn(desk.house.region, desk.user.account_id, row.group_uid, row.group_name),
    }
