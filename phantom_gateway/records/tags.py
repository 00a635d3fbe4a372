"""
Tags of groups.

Owns: the queries on ``tags``. Does not own: what a tag means.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from phantom_gateway.records.prepared import Prepared
from phantom_gateway.records.tables import groups, tags


@dataclass(frozen=True, slots=True)
class TagRow:
    """One tag of one group. *group_name* is only filled where groups were asked for by user."""

    group_id: int
    key: str
    value: str
    propagate_at_launch: bool
    group_name: str = ""


_OF_GROUPS = Prepared(
    sa.select(tags.c.group_id, tags.c.key, tags.c.value, tags.c.propagate_at_launch)
    .where(tags.c.group_id.in_(sa.bindparam("group_ids", expanding=True)))
    .order_by(tags.c.group_id, tags.c.key)
)


def of_groups(connection: sa.Connection, group_ids: Collection[int]) -> dict[int, list[TagRow]]:
    """The tags of each of these groups, by key; a group without any has no entry."""
    found: dict[int, list[TagRow]] = {}
    for row in _OF_GROUPS.rows(connection, {"group_ids": list(group_ids)}):
        found.setdefault(row[0], []).append(TagRow(*row))
    return found


def put(connection: sa.Connection, group_id: int, given: Sequence[TagRow]) -> None:
    """Nothing; the group has these tags, replacing those with the same key."""
    if given:
        remove(connection, group_id, [tag.key for tag in given])
        connection.execute(
            tags.insert(),
            [
                {
                    "group_id": group_id,
                    "key": tag.key,
                    "value": tag.value,
                    "propagate_at_launch": tag.propagate_at_launch,
                }
                for tag in given
            ],
        )


def remove(connection: sa.Connection, group_id: int, keys: Collection[str]) -> None:
    """Nothing; the group has no tags with these keys."""
    connection.execute(tags.delete().where(tags.c.group_id == group_id, tags.c.key.in_(list(keys))))


def page(
    connection: sa.Connection, user_id: int, filters: Mapping[str, Collection[Any]], after: tuple[str, str], size: int
) -> list[TagRow]:
    """
    Up to *size* tags of the user's living groups, by group and key, those after (group, key) *after*.

    *filters* may hold ``group``, ``key``, ``value`` (texts) and ``propagate`` (booleans): each narrows.
    """
    statement = (
        sa.select(tags.c.group_id, tags.c.key, tags.c.value, tags.c.propagate_at_launch, groups.c.name)
        .join(groups, groups.c.id == tags.c.group_id)
        .where(groups.c.user_id == user_id, sa.not_(groups.c.deleting))
        .where(sa.or_(groups.c.name > after[0], sa.and_(groups.c.name == after[0], tags.c.key > after[1])))
        .order_by(groups.c.name, tags.c.key)
        .limit(size)
    )
    columns = {
        "group": groups.c.name,
        "key": tags.c.key,
        "value": tags.c.value,
        "propagate": tags.c.propagate_at_launch,
    }
    for name, wanted in filters.items():
        statement = statement.where(columns[name].in_(list(wanted)))
    return [TagRow(*row) for row in connection.execute(statement)]


def remove_all(connection: sa.Connection, group_id: int) -> None:
    """Nothing; the group has no tags."""
    connection.execute(tags.delete().where(tags.c.group_id == group_id))
