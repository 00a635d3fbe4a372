"""
Lifecycle hooks: none can be put yet, so none is there.

Owns: saying so truthfully. Ansible lists the hooks of every group it manages.
"""

from dataclasses import dataclass
from typing import Any

from phantom_gateway.operations.desk import Desk
from phantom_gateway.operations.lookup import find_group
from phantom_gateway.operations.table import operation


@dataclass(frozen=True, slots=True)
class DescribeLifecycleHooksParams:
    """Input of DescribeLifecycleHooks."""

    auto_scaling_group_name: str
    lifecycle_hook_names: list[str] | None = None


@operation("DescribeLifecycleHooks")
def describe_lifecycle_hooks(desk: Desk, p: DescribeLifecycleHooksParams) -> dict[str, Any]:
    """The group's hooks: none. Raises ValidationError for an unknown group."""
    find_group(desk, p.auto_scaling_group_name)
    return {"LifecycleHooks": []}
