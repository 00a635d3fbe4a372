"""
Users' Chef servers, with the keys sealed.

Owns: the queries on ``chef_credentials``. Does not own: sealing (``chef_keys``), nor what a VM is told of a server.
"""

from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from phantom_gateway.records.tables import chef_credentials


@dataclass(frozen=True, slots=True)
class ChefCredentials:
    """One Chef server of one user. Its name is the user's own, and the id in the JSON API."""

    user_id: int
    name: str
    server_url: str
    client_name: str
    validation_client_name: str
    keys_sealed: str = field(repr=False)


_COLUMNS = (
    chef_credentials.c.user_id,
    chef_credentials.c.name,
    chef_credentials.c.server_url,
    chef_credentials.c.client_name,
    chef_credentials.c.validation_client_name,
    chef_credentials.c.keys_sealed,
)


def of_user(connection: sa.Connection, user_id: int) -> list[ChefCredentials]:
    """The user's Chef servers, oldest first."""
    query = sa.select(*_COLUMNS).where(chef_credentials.c.user_id == user_id).order_by(chef_credentials.c.id)
    return [ChefCredentials(*row) for row in connection.execute(query)]


def find(connection: sa.Connection, user_id: int, name: str) -> ChefCredentials | None:
    """The user's Chef server called *name*, or None."""
    mine = (chef_credentials.c.user_id == user_id, chef_credentials.c.name == name)
    row = connection.execute(sa.select(*_COLUMNS).where(*mine)).first()
    return None if row is None else ChefCredentials(*row)


def put(connection: sa.Connection, server: ChefCredentials, now: datetime) -> None:
    """Nothing; the user has this Chef server, whether or not there was one of its name."""
    values = {
        "server_url": server.server_url,
        "client_name": server.client_name,
        "validation_client_name": server.validation_client_name,
        "keys_sealed": server.keys_sealed,
        "updated_at": now,
    }
    mine = (chef_credentials.c.user_id == server.user_id, chef_credentials.c.name == server.name)
    if connection.execute(chef_credentials.update().where(*mine).values(**values)).rowcount == 0:
        connection.execute(chef_credentials.insert().values(user_id=server.user_id, name=server.name, **values))


def remove(connection: sa.Connection, user_id: int, name: str) -> bool:
    """Whether there was one, which is gone then."""
    mine = (chef_credentials.c.user_id == user_id, chef_credentials.c.name == name)
    return connection.execute(chef_credentials.delete().where(*mine)).rowcount > 0
