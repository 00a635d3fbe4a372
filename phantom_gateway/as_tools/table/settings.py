"""
Commands about notifications of groups, and the two that call nothing: the list of commands, and the version.

Owns: their rows of the table.
"""

from phantom_gateway.as_tools.grammar import FORCE, MAX_RECORDS, Argument, Column, Command, Line, text
from phantom_gateway.as_tools.table.groups import GROUP, NAMES

TOPIC = text("--topic-arn -t", "TopicARN", "The topic.", "TOPIC", required=True)

COMMANDS = (
    Command(
        "put-notification-configuration",
        "Say who is told of what happens to a group.",
        "PutNotificationConfiguration",
        GROUP,
        (
            TOPIC,
            text("--notification-types -n", "NotificationTypes", "Of what.", "TYPE[,TYPE...]", required=True),
        ),
        success="OK-Put Notification Configuration",
    ),
    Command(
        "describe-notification-configurations",
        "Describe who is told of what: for the groups named, or all.",
        "DescribeNotificationConfigurations",
        Argument("AutoScalingGroupNames", "GROUP", "The groups.", (*NAMES, "-g"), many=True),
        (MAX_RECORDS,),
        (
            Line(
                "NOTIFICATION-CONFIG",
                "NotificationConfigurations",
                (
                    Column("GROUP-NAME", "AutoScalingGroupName"),
                    Column("TOPIC-ARN", "TopicARN"),
                    Column("TYPE", "NotificationType"),
                ),
            ),
        ),
        page_max=100,
    ),
    Command(
        "delete-notification-configuration",
        "Tell a topic nothing more of a group.",
        "DeleteNotificationConfiguration",
        GROUP,
        (TOPIC, FORCE),
        success="OK-Deleted notification configuration",
        question="Are you sure you want to delete this notification configuration? [Ny]",
    ),
    Command(
        "cmd",
        "List the commands.",
        options=(text("--completion", "", "Print a script that completes them in a shell, bash or zsh.", "SHELL"),),
    ),
    Command("version", "Print the versions of the tools and of the API."),
)
