"""Every operation of the installed model is either built, or listed here: nothing is forgotten, nothing pretends."""

import pytest

from phantom_gateway.operations import all_operations
from phantom_gateway.operations.table import TABLE, find_handler, not_built
from protocol.errors import ApiError
from protocol.model import service

BUILT = {
    "CreateAutoScalingGroup",
    "CreateLaunchConfiguration",
    "CreateOrUpdateTags",
    "DeleteAutoScalingGroup",
    "DeleteLaunchConfiguration",
    "DeleteTags",
    "DescribeAccountLimits",
    "DescribeAdjustmentTypes",
    "DescribeAutoScalingGroups",
    "DescribeAutoScalingInstances",
    "DescribeAutoScalingNotificationTypes",
    "DescribeLaunchConfigurations",
    "DescribeLifecycleHookTypes",
    "DescribeLifecycleHooks",
    "DescribeMetricCollectionTypes",
    "DescribeScalingActivities",
    "DescribeScalingProcessTypes",
    "DescribeTags",
    "DescribeTerminationPolicyTypes",
    "DisableMetricsCollection",
    "ResumeProcesses",
    "SetDesiredCapacity",
    "SuspendProcesses",
    "TerminateInstanceInAutoScalingGroup",
    "UpdateAutoScalingGroup",
}

NOT_BUILT = {
    "AttachInstances": "instances made elsewhere",
    "AttachLoadBalancerTargetGroups": "load balancers",
    "AttachLoadBalancers": "load balancers",
    "AttachTrafficSources": "load balancers",
    "BatchDeleteScheduledAction": "schedules",
    "BatchPutScheduledUpdateGroupAction": "schedules",
    "CancelInstanceRefresh": "instance refresh",
    "CompleteLifecycleAction": "lifecycle hooks",
    "DeleteLifecycleHook": "lifecycle hooks",
    "DeleteNotificationConfiguration": "notifications",
    "DeletePolicy": "policies",
    "DeleteScheduledAction": "schedules",
    "DeleteWarmPool": "warm pools",
    "DescribeAccountSettings": "account settings",
    "DescribeInstanceRefreshes": "instance refresh",
    "DescribeLoadBalancerTargetGroups": "load balancers",
    "DescribeLoadBalancers": "load balancers",
    "DescribeNotificationConfigurations": "notifications",
    "DescribePolicies": "policies",
    "DescribeScheduledActions": "schedules",
    "DescribeTrafficSources": "load balancers",
    "DescribeWarmPool": "warm pools",
    "DetachInstances": "instances made elsewhere",
    "DetachLoadBalancerTargetGroups": "load balancers",
    "DetachLoadBalancers": "load balancers",
    "DetachTrafficSources": "load balancers",
    "EnableMetricsCollection": "group metrics",
    "EnterStandby": "standby",
    "ExecutePolicy": "policies",
    "ExitStandby": "standby",
    "GetPredictiveScalingForecast": "policies",
    "LaunchInstances": "synchronous launches",
    "PutAccountSetting": "account settings",
    "PutLifecycleHook": "lifecycle hooks",
    "PutNotificationConfiguration": "notifications",
    "PutScalingPolicy": "policies",
    "PutScheduledUpdateGroupAction": "schedules",
    "PutWarmPool": "warm pools",
    "RecordLifecycleActionHeartbeat": "lifecycle hooks",
    "RollbackInstanceRefresh": "instance refresh",
    "SetInstanceHealth": "health from outside",
    "SetInstanceProtection": "instance protection",
    "StartInstanceRefresh": "instance refresh",
}
"""Operation -> the capability it waits for."""


def test_every_operation_is_built_or_listed() -> None:
    """An operation that a newer botocore knows fails here by name, and so does one that is built but still listed."""
    all_operations()

    assert set(TABLE) == BUILT
    assert set(not_built()) - set(NOT_BUILT) == set()
    assert set(NOT_BUILT) & BUILT == set()


@pytest.mark.parametrize("name", sorted(set(NOT_BUILT) & set(service().operations)))
def test_an_operation_that_is_not_built_says_so(name: str) -> None:
    """The answer is an AWS error that is the client's to handle, for each of them."""
    all_operations()

    with pytest.raises(ApiError, match=name) as caught:
        find_handler(name)

    assert (caught.value.code, caught.value.status) == ("InvalidAction", 400)
