"""
Lists that never change: what AWS calls adjustment types, processes, policies and the like.

Owns: the lists, complete as AWS has them; scripts compare them with what they know.
"""

from dataclasses import dataclass
from typing import Any

from phantom_gateway.operations.desk import Desk
from phantom_gateway.operations.groups import TERMINATION_POLICIES
from phantom_gateway.operations.processes import PROCESSES
from phantom_gateway.operations.table import operation
from phantom_gateway.records import groups, launch_configurations

ADJUSTMENT_TYPES = ("ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity")

NOTIFICATION_TYPES = (
    "autoscaling:EC2_INSTANCE_LAUNCH",
    "autoscaling:EC2_INSTANCE_LAUNCH_ERROR",
    "autoscaling:EC2_INSTANCE_TERMINATE",
    "autoscaling:EC2_INSTANCE_TERMINATE_ERROR",
    "autoscaling:TEST_NOTIFICATION",
)

LIFECYCLE_HOOK_TYPES = ("autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING")

METRICS = (
    "GroupMinSize",
    "GroupMaxSize",
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    "GroupPendingInstances",
    "GroupStandbyInstances",
    "GroupTerminatingInstances",
    "GroupTotalInstances",
    "GroupInServiceCapacity",
    "GroupPendingCapacity",
    "GroupStandbyCapacity",
    "GroupTerminatingCapacity",
    "GroupTotalCapacity",
    "WarmPoolDesiredCapacity",
    "WarmPoolWarmedCapacity",
    "WarmPoolPendingCapacity",
    "WarmPoolTerminatingCapacity",
    "WarmPoolTotalCapacity",
    "GroupAndWarmPoolDesiredCapacity",
    "GroupAndWarmPoolTotalCapacity",
)

GRANULARITIES = ("1Minute",)


@dataclass(frozen=True, slots=True)
class NoParams:
    """Input of an operation that has none."""


@operation("DescribeAdjustmentTypes")
def describe_adjustment_types(_desk: Desk, _p: NoParams) -> dict[str, Any]:
    """The ways in which a policy may adjust capacity."""
    return {"AdjustmentTypes": [{"AdjustmentType": name} for name in ADJUSTMENT_TYPES]}


@operation("DescribeScalingProcessTypes")
def describe_scaling_process_types(_desk: Desk, _p: NoParams) -> dict[str, Any]:
    """The processes of a group."""
    return {"Processes": [{"ProcessName": name} for name in PROCESSES]}


@operation("DescribeTerminationPolicyTypes")
def describe_termination_policy_types(_desk: Desk, _p: NoParams) -> dict[str, Any]:
    """The termination policies a group may name."""
    return {"TerminationPolicyTypes": list(TERMINATION_POLICIES)}


@operation("DescribeMetricCollectionTypes")
def describe_metric_collection_types(_desk: Desk, _p: NoParams) -> dict[str, Any]:
    """The group metrics and their granularity."""
    return {
        "Metrics": [{"Metric": name} for name in METRICS],
        "Granularities": [{"Granularity": name} for name in GRANULARITIES],
    }


@operation("DescribeAutoScalingNotificationTypes")
def describe_notification_types(_desk: Desk, _p: NoParams) -> dict[str, Any]:
    """The events a group may notify of."""
    return {"AutoScalingNotificationTypes": list(NOTIFICATION_TYPES)}


@operation("DescribeLifecycleHookTypes")
def describe_lifecycle_hook_types(_desk: Desk, _p: NoParams) -> dict[str, Any]:
    """The transitions at which a lifecycle hook may wait."""
    return {"LifecycleHookTypes": list(LIFECYCLE_HOOK_TYPES)}


@operation("DescribeAccountLimits")
def describe_account_limits(desk: Desk, _p: NoParams) -> dict[str, Any]:
    """What the user may have, and has."""
    return {
        "MaxNumberOfAutoScalingGroups": desk.house.limits.groups_max,
        "MaxNumberOfLaunchConfigurations": desk.house.limits.launch_configurations_max,
        "NumberOfAutoScalingGroups": groups.count(desk.connection, desk.user.id),
        "NumberOfLaunchConfigurations": launch_configurations.count(desk.connection, desk.user.id),
    }
