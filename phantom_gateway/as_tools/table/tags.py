"""
Commands about tags.

Owns: their rows of the table.
"""

from phantom_gateway.as_tools.grammar import FORCE, MAX_RECORDS, Column, Command, Line, Option

TAG_FORM = '"id=GROUP, t=auto-scaling-group, k=KEY, v=VALUE, p=true|false"'

TAG = Option(("--tag",), "Tags", "A tag; may be repeated.", TAG_FORM, reads="tag", required=True)

COMMANDS = (
    Command(
        "create-or-update-tags",
        "Put tags on groups.",
        "CreateOrUpdateTags",
        options=(TAG,),
        success="OK-Created/Updated tags",
    ),
    Command(
        "delete-tags",
        "Delete tags of groups.",
        "DeleteTags",
        options=(TAG, FORCE),
        success="OK-Deleted tags",
        question="Are you sure you want to delete these tags? [Ny]",
    ),
    Command(
        "describe-tags",
        "Describe tags: those that fit every filter, or all.",
        "DescribeTags",
        options=(
            Option(
                ("--filter",),
                "Filters",
                "auto-scaling-group, key, value or propagate-at-launch; may be repeated.",
                "NAME=VALUE[,VALUE...]",
                reads="filter",
            ),
            MAX_RECORDS,
        ),
        lines=(
            Line(
                "TAG",
                "Tags",
                (
                    Column("RESOURCE-ID", "ResourceId"),
                    Column("RESOURCE-TYPE", "ResourceType"),
                    Column("KEY", "Key"),
                    Column("VALUE", "Value"),
                    Column("PROPAGATE-AT-LAUNCH", "PropagateAtLaunch"),
                ),
            ),
        ),
        page_max=100,
    ),
)
