"""
Commands about what changes a group's size by itself: policies and scheduled actions.

Owns: their rows of the table, and those of the triggers that policies replaced in 2010.
"""

from phantom_gateway.as_tools.grammar import (
    FORCE,
    MAX_RECORDS,
    Argument,
    Column,
    Command,
    Line,
    Option,
    group_option,
    text,
)
from phantom_gateway.as_tools.table.groups import HONOR_COOLDOWN

POLICY = Argument("PolicyName", "POLICY", "The policy, by name or ARN.", ("--name",))
ACTION = Argument("ScheduledActionName", "ACTION", "The scheduled action.", ("--name",))

TRIGGERS_ARE_GONE = (
    "triggers went with version 2009-05-15 of the API; as-put-scaling-policy and an alarm that executes the policy "
    "do what they did"
)


def times(short_start: str, short_end: str) -> tuple[Option, ...]:
    """The options of a span of time."""
    return (
        text(f"--start-time {short_start}".strip(), "StartTime", "Not before.", "YYYY-MM-DDThh:mm:ssZ"),
        text(f"--end-time {short_end}".strip(), "EndTime", "Not after.", "YYYY-MM-DDThh:mm:ssZ"),
    )


COMMANDS = (
    Command(
        "put-scaling-policy",
        "Create or change a policy; its ARN is printed.",
        "PutScalingPolicy",
        Argument("PolicyName", "POLICY", "The policy.", ("--name",)),
        (
            group_option(required=True),
            text(
                "--adjustment -a",
                "ScalingAdjustment",
                'By how much, or to what; fewer as in "--adjustment=-1".',
                "NUMBER",
                required=True,
            ),
            text(
                "--type -t",
                "AdjustmentType",
                "ChangeInCapacity, ExactCapacity or PercentChangeInCapacity.",
                "TYPE",
                required=True,
            ),
            text("--cooldown", "Cooldown", "Seconds before the next scaling activity.", "SECONDS"),
            text("--min-adjustment-step -s", "MinAdjustmentStep", "Change by at least so many instances.", "NUMBER"),
        ),
        prints="PolicyARN",
    ),
    Command(
        "describe-policies",
        "Describe policies and their alarms: those named, those of a group, or all.",
        "DescribePolicies",
        Argument("PolicyNames", "POLICY", "The policies.", ("--policy-names",), many=True),
        (group_option(required=False), MAX_RECORDS),
        (
            Line(
                "SCALING-POLICY",
                "ScalingPolicies",
                (
                    Column("GROUP-NAME", "AutoScalingGroupName"),
                    Column("POLICY-NAME", "PolicyName"),
                    Column("SCALING-ADJUSTMENT", "ScalingAdjustment"),
                    Column("MIN-ADJUSTMENT-STEP", "MinAdjustmentStep"),
                    Column("ADJUSTMENT-TYPE", "AdjustmentType"),
                    Column("COOLDOWN", "Cooldown"),
                    Column("POLICY-ARN", "PolicyARN"),
                ),
                (
                    Line(
                        "ALARM",
                        "Alarms",
                        (Column("ALARM-NAME", "AlarmName"), Column("POLICY-NAME", "^PolicyName")),
                    ),
                ),
            ),
        ),
        page_max=100,
    ),
    Command(
        "delete-policy",
        "Delete a policy.",
        "DeletePolicy",
        POLICY,
        (group_option(required=True), FORCE),
        success="OK-Deleted policy",
        question="Are you sure you want to delete this policy? [Ny]",
    ),
    Command(
        "execute-policy",
        "Do now what a policy says.",
        "ExecutePolicy",
        POLICY,
        (group_option(required=False), *HONOR_COOLDOWN),
        success="OK-Executed policy",
    ),
    Command(
        "put-scheduled-update-group-action",
        "Create or change a scheduled action: other sizes from some time on.",
        "PutScheduledUpdateGroupAction",
        ACTION,
        (
            group_option(required=True),
            *times("-b", "-e"),
            text("--recurrence -r", "Recurrence", "When, again and again, as in a crontab.", '"CRON"'),
            text("--min-size", "MinSize", "The smallest size then.", "NUMBER"),
            text("--max-size", "MaxSize", "The largest size then.", "NUMBER"),
            text("--desired-capacity", "DesiredCapacity", "The size to keep then.", "NUMBER"),
        ),
        success="OK-Put Scheduled Update Group Action",
    ),
    Command(
        "describe-scheduled-actions",
        "Describe scheduled actions: those named, those of a group, or all.",
        "DescribeScheduledActions",
        Argument("ScheduledActionNames", "ACTION", "The scheduled actions.", ("--scheduled-action-names",), many=True),
        (group_option(required=False), *times("", ""), MAX_RECORDS),
        (
            Line(
                "UPDATE-GROUP-ACTION",
                "ScheduledUpdateGroupActions",
                (
                    Column("GROUP-NAME", "AutoScalingGroupName"),
                    Column("ACTION-NAME", "ScheduledActionName"),
                    Column("START-TIME", "StartTime"),
                    Column("RECURRENCE", "Recurrence"),
                    Column("MIN-SIZE", "MinSize"),
                    Column("MAX-SIZE", "MaxSize"),
                    Column("DESIRED-CAPACITY", "DesiredCapacity"),
                    Column("ACTION-ARN", "ScheduledActionARN", long=True),
                ),
            ),
        ),
        page_max=100,
    ),
    Command(
        "delete-scheduled-action",
        "Delete a scheduled action.",
        "DeleteScheduledAction",
        ACTION,
        (group_option(required=True), FORCE),
        success="OK-Deleted scheduled action",
        question="Are you sure you want to delete this scheduled action? [Ny]",
    ),
    Command("create-or-update-trigger", "Gone since 2010.", gone=TRIGGERS_ARE_GONE),
    Command("delete-trigger", "Gone since 2010.", gone=TRIGGERS_ARE_GONE),
    Command("describe-triggers", "Gone since 2010.", gone=TRIGGERS_ARE_GONE),
)
