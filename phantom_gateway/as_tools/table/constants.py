"""
Commands that describe what the service knows: types, processes, policies, limits.

Owns: their rows of the table.
"""

from phantom_gateway.as_tools.grammar import Column, Command, Line

LIMITS = (
    "MaxNumberOfAutoScalingGroups",
    "MaxNumberOfLaunchConfigurations",
    "NumberOfAutoScalingGroups",
    "NumberOfLaunchConfigurations",
)

COMMANDS = (
    Command(
        "describe-adjustment-types",
        "List the ways in which a policy may adjust a size.",
        "DescribeAdjustmentTypes",
        lines=(Line("ADJUSTMENT-TYPE", "AdjustmentTypes", (Column("TYPE", "AdjustmentType"),)),),
    ),
    Command(
        "describe-process-types",
        "List the processes of a group.",
        "DescribeScalingProcessTypes",
        lines=(Line("PROCESS", "Processes", (Column("NAME", "ProcessName"),)),),
    ),
    Command(
        "describe-metric-collection-types",
        "List the metrics of a group, and their granularities.",
        "DescribeMetricCollectionTypes",
        lines=(
            Line("METRIC-COLLECTION-TYPE", "Metrics", (Column("METRIC", "Metric"),)),
            Line("METRIC-GRANULARITY-TYPE", "Granularities", (Column("GRANULARITY", "Granularity"),)),
        ),
    ),
    Command(
        "describe-termination-policy-types",
        "List the termination policies.",
        "DescribeTerminationPolicyTypes",
        lines=(Line("TERMINATION-POLICY-TYPE", "TerminationPolicyTypes", (Column("NAME", ""),)),),
    ),
    Command(
        "describe-auto-scaling-notification-types",
        "List what a topic can be told of.",
        "DescribeAutoScalingNotificationTypes",
        lines=(Line("NOTIFICATION-TYPE", "AutoScalingNotificationTypes", (Column("TYPE", ""),)),),
    ),
    Command(
        "describe-account-limits",
        "Show how many groups and launch configurations there may be, and are.",
        "DescribeAccountLimits",
        lines=tuple(Line(name, "", (Column("NUMBER", name),)) for name in LIMITS),
    ),
)
