"""
Finding the user's own group, or saying in AWS's words that there is none.

Owns: nothing more; other users' groups are simply not there.
"""

from phantom_gateway.names import name_in_arn
from phantom_gateway.operations.desk import Desk, invalid
from phantom_gateway.records import groups
from phantom_gateway.records.groups import GroupRow


def find_group(desk: Desk, name_or_arn: str, *, even_deleting: bool = False) -> GroupRow:
    """The user's group. Raises ValidationError when there is none, or it is being deleted (unless *even_deleting*)."""
    name = name_in_arn(name_or_arn)
    group = groups.find(desk.connection, desk.user.id, name)
    if group is None:
        raise invalid(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
    if group.deleting and not even_deleting:
        raise invalid(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' is pending delete")
    return group
