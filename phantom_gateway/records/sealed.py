"""
Every sealed text in the database, wherever it stands.

Owns: where they are, reading them in batches, and putting one in the place of another. Does not own: opening them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from phantom_gateway.records.tables import (
    access_keys,
    accounts,
    chef_credentials,
    gateway,
    launch_configurations,
    launch_specs,
    users,
)

BATCH_SIZE = 200
"""Texts in one transaction. User data takes up to 30 KB each; others who write wait some ten milliseconds."""


@dataclass(frozen=True, slots=True)
class Place:
    """A column of sealed texts. *also*: which rows hold one, where not all do."""

    column: sa.Column[Any]
    also: sa.ColumnElement[bool] | None = None

    @property
    def key(self) -> sa.Column[Any]:
        """What tells its rows apart."""
        (key,) = self.column.table.primary_key.columns
        return key


PLACES = (
    Place(gateway.c.value, also=gateway.c.name == "page_secret"),
    Place(users.c.secret_sealed),
    Place(access_keys.c.secret_sealed),
    Place(accounts.c.credentials_sealed),
    Place(chef_credentials.c.keys_sealed),
    Place(launch_configurations.c.user_data_sealed),
    Place(launch_configurations.c.chef_sealed),
    Place(launch_specs.c.user_data_sealed),
)


def batch(connection: sa.Connection, place: Place, after: Any) -> list[tuple[Any, str]]:
    """The next sealed texts of *place*, each with its row's key, *after* the last key of the batch before, or None."""
    query = sa.select(place.key, place.column).where(place.column.is_not(None))
    if place.also is not None:
        query = query.where(place.also)
    if after is not None:
        query = query.where(place.key > after)
    return [(key, text) for key, text in connection.execute(query.order_by(place.key).limit(BATCH_SIZE))]


def replace(connection: sa.Connection, place: Place, changes: Iterable[tuple[Any, str, str]]) -> int:
    """How many rows (key, text, new text) were changed: those that still had their text."""
    return sum(
        connection.execute(
            place.column.table.update()
            .where(place.key == key, place.column == text)
            .values({place.column.name: new_text})
        ).rowcount
        for key, text, new_text in changes
    )
