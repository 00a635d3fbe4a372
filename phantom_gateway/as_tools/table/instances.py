"""
Commands about instances and scaling activities.

Owns: their rows of the table.
"""

from phantom_gateway.as_tools.grammar import (
    FORCE,
    MAX_RECORDS,
    Argument,
    Column,
    Command,
    Line,
    Option,
    flag,
    group_option,
    text,
)

INSTANCE = Argument("InstanceId", "INSTANCE", "The instance.", ("--instance",))

ACTIVITIES_DEFAULT = 100
"""One page, the newest: a group that has lived for weeks has thousands, and scripts ask again and again."""

COMMANDS = (
    Command(
        "describe-auto-scaling-instances",
        "Describe instances of all groups: those named, or all.",
        "DescribeAutoScalingInstances",
        Argument("InstanceIds", "INSTANCE", "The instances.", ("--instance",), many=True),
        (MAX_RECORDS,),
        (
            Line(
                "INSTANCE",
                "AutoScalingInstances",
                (
                    Column("INSTANCE-ID", "InstanceId"),
                    Column("GROUP-NAME", "AutoScalingGroupName"),
                    Column("AVAILABILITY-ZONE", "AvailabilityZone"),
                    Column("STATE", "LifecycleState"),
                    Column("STATUS", "HealthStatus"),
                    Column("LAUNCH-CONFIG", "LaunchConfigurationName"),
                ),
            ),
        ),
        page_max=50,
    ),
    Command(
        "terminate-instance-in-auto-scaling-group",
        "Terminate an instance; it is replaced unless the group shrinks with it.",
        "TerminateInstanceInAutoScalingGroup",
        INSTANCE,
        (
            flag(
                "--decrement-desired-capacity -d",
                "ShouldDecrementDesiredCapacity",
                "true",
                "Shrink the group by it.",
                required=True,
            ),
            flag(
                "--no-decrement-desired-capacity -D",
                "ShouldDecrementDesiredCapacity",
                "false",
                "Replace it.",
                required=True,
            ),
            FORCE,
        ),
        (
            Line(
                "INSTANCE",
                "Activity",
                (
                    Column("ACTIVITY-ID", "ActivityId"),
                    Column("END-TIME", "EndTime"),
                    Column("CODE", "StatusCode"),
                    Column("CAUSE", "Cause"),
                    Column("MESSAGE", "StatusMessage", long=True),
                    Column("PROGRESS", "Progress", long=True),
                    Column("DESCRIPTION", "Description", long=True),
                    Column("START-TIME", "StartTime", long=True),
                ),
            ),
        ),
        question="Are you sure you want to terminate this instance? [Ny]",
    ),
    Command(
        "set-instance-health",
        "Say whether an instance is healthy.",
        "SetInstanceHealth",
        INSTANCE,
        (
            text("--status -s", "HealthStatus", "Healthy or Unhealthy.", "STATUS", required=True),
            flag("--respect-grace-period", "ShouldRespectGracePeriod", "true", "Not in its grace period."),
            flag("--no-respect-grace-period", "ShouldRespectGracePeriod", "false", "Even in its grace period."),
        ),
        success="OK-Instance Health Set",
    ),
    Command(
        "describe-scaling-activities",
        "Describe what was done and why: of one group, of all, or activities by their id.",
        "DescribeScalingActivities",
        Argument("ActivityIds", "ACTIVITY", "The activities.", ("--activity-ids",), many=True),
        (
            group_option(required=False),
            Option(
                MAX_RECORDS.spellings,
                "MaxRecords",
                f"At most so many, in as many calls as it takes; {ACTIVITIES_DEFAULT} when left out.",
                "NUMBER",
            ),
        ),
        (
            Line(
                "ACTIVITY",
                "Activities",
                (
                    Column("ACTIVITY-ID", "ActivityId"),
                    Column("END-TIME", "EndTime"),
                    Column("GROUP-NAME", "AutoScalingGroupName"),
                    Column("CODE", "StatusCode"),
                    Column("MESSAGE", "StatusMessage"),
                    Column("CAUSE", "Cause", long=True),
                    Column("PROGRESS", "Progress", long=True),
                    Column("DESCRIPTION", "Description", long=True),
                    Column("UPDATE-TIME", "Details", long=True),
                    Column("START-TIME", "StartTime", long=True),
                ),
            ),
        ),
        page_max=100,
        records_default=ACTIVITIES_DEFAULT,
    ),
)
