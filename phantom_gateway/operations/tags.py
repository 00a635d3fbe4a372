"""
Tags of groups.

Owns: their rules and their view. AWS knows one taggable resource here, ``auto-scaling-group``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from phantom_gateway.operations.desk import Desk, invalid
from phantom_gateway.operations.lookup import find_group
from phantom_gateway.operations.steering import steer
from phantom_gateway.operations.table import operation
from phantom_gateway.records import tags
from phantom_gateway.records.groups import GroupRow
from phantom_gateway.records.tags import TagRow
from protocol.paging import page_size

RESOURCE_TYPE = "auto-scaling-group"

PAGE_DEFAULT = 50
PAGE_MAX = 100

FILTERS = {"auto-scaling-group": "group", "key": "key", "value": "value", "propagate-at-launch": "propagate"}
"""AWS's filter name -> the column it narrows."""


@dataclass(frozen=True, slots=True)
class TagsParams:
    """Input of CreateOrUpdateTags and DeleteTags."""

    tags: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class DescribeTagsParams:
    """Input of DescribeTags."""

    filters: list[dict[str, Any]] | None = None
    next_token: str | None = None
    max_records: int | None = None
    include_managed_resources: bool | None = None


@operation("CreateOrUpdateTags", writes=True)
def create_or_update_tags(desk: Desk, p: TagsParams) -> None:
    """Nothing; the groups have these tags, replacing those with the same key. Raises ValidationError."""
    for name, given in _by_group(p.tags).items():
        group = find_group(desk, name)
        put_tags(desk, group, given)


@operation("DeleteTags", writes=True)
def delete_tags(desk: Desk, p: TagsParams) -> None:
    """Nothing; the groups have no tags with these keys. A tag that was not there is no error, as with AWS."""
    for name, given in _by_group(p.tags).items():
        group = find_group(desk, name)
        current = {tag.key: tag.value for tag in tags.of_groups(desk.connection, [group.id]).get(group.id, [])}
        # AWS removes a tag that is given with a value only when the value is the same.
        doomed = [tag["Key"] for tag in given if tag.get("Value") in (None, "", current.get(tag["Key"]))]
        tags.remove(desk.connection, group.id, doomed)
        steer(desk, group, moved=frozenset())


@operation("DescribeTags")
def describe_tags(desk: Desk, p: DescribeTagsParams) -> dict[str, Any]:
    """One page of tags, by group and key. Raises ValidationError for an unknown filter, InvalidNextToken."""
    size = page_size(p.max_records, PAGE_DEFAULT, PAGE_MAX)
    filters = _filters(p.filters or [])
    scope = desk.page_scope("DescribeTags", sorted((key, sorted(map(str, value))) for key, value in filters.items()))
    group_name, _, key = desk.page_start(p.next_token, scope).partition("\n")
    rows = tags.page(desk.connection, desk.user.id, filters, (group_name, key), size + 1)
    answer: dict[str, Any] = {"Tags": [tag_view(tag.group_name, tag) for tag in rows[:size]]}
    if len(rows) > size:
        last = rows[size - 1]
        answer["NextToken"] = desk.house.page_tokens.issue(scope, f"{last.group_name}\n{last.key}")
    return answer


def put_tags(desk: Desk, group: GroupRow, given: Iterable[Mapping[str, Any]]) -> None:
    """
    Nothing; the group has these tags, and does what they say.

    Raises ValidationError, LimitExceeded, and InvalidParameterValue where a tag breaks a rule of Phantom's dialect.
    """
    rows = {}
    for tag in given:
        key = tag["Key"]
        if key.lower().startswith("aws:"):
            raise invalid(f"The tag key {key} is reserved: keys that begin with aws: are set by the system only.")
        if key in rows:
            raise invalid(f"Duplicate keys are not allowed: {key} is given twice for one group.")
        rows[key] = TagRow(group.id, key, tag.get("Value", ""), bool(tag.get("PropagateAtLaunch", False)))
    tags.put(desk.connection, group.id, list(rows.values()))
    steer(desk, group, moved=frozenset(rows))


def tag_view(group_name: str, tag: TagRow) -> dict[str, Any]:
    """The tag as AWS describes it."""
    return {
        "ResourceId": group_name,
        "ResourceType": RESOURCE_TYPE,
        "Key": tag.key,
        "Value": tag.value,
        "PropagateAtLaunch": tag.propagate_at_launch,
    }


def _by_group(given: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The tags by the group they name. Raises ValidationError for any other kind of resource, or none."""
    found: dict[str, list[dict[str, Any]]] = {}
    for tag in given:
        if tag.get("ResourceType", RESOURCE_TYPE) != RESOURCE_TYPE:
            raise invalid(f"Tags.ResourceType must be {RESOURCE_TYPE}, not {tag['ResourceType']}.")
        if not tag.get("ResourceId"):
            raise invalid("Tags.ResourceId is missing: it names the group.")
        found.setdefault(tag["ResourceId"], []).append(tag)
    return found


def _filters(given: list[dict[str, Any]]) -> dict[str, set[Any]]:
    """The wanted values by column. Raises ValidationError naming the filters there are."""
    found: dict[str, set[Any]] = {}
    for entry in given:
        name = entry.get("Name")
        if name not in FILTERS:
            raise invalid(f"Filter type {name} is not correct. Allowed Filter types are: {' '.join(FILTERS)}")
        column = FILTERS[name]
        values = set(entry.get("Values") or [])
        if column == "propagate":
            values = {value.lower() == "true" for value in values}
        found[column] = found[column] & values if column in found else values
    return found
