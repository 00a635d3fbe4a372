"""Migrations of databases that are in use: what was there before is there afterwards."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig

import phantom_gateway.records
from phantom_gateway.records import accounts, users
from phantom_gateway.records.session import Database, sqlite_url
from tests.phantom_gateway.office import NOW

MIGRATIONS = Path(phantom_gateway.records.__file__).parent / "migrations"


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Database]:
    """A database of the first schema, with a user in it."""
    url = sqlite_url(tmp_path / "old.db")
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            sa.text(
                "insert into users (name, account_id, access_key_id, secret_sealed, created_at) "
                "values ('alice', '111111111111', 'AKIAALICEALICEALICE1', 'sealed', 0)"
            )
        )
        connection.commit()
    engine.dispose()
    database = Database(url)
    yield database
    database.close()


def test_accounts_come_to_a_database_with_users_in_it(old: Database) -> None:
    """The user is kept, and can have credentials of his own, once on each cloud."""
    old.migrate()
    (alice,) = old.read_now(users.everyone)

    for text in ("first", "second"):
        put = partial(accounts.put, user_id=alice.id, cloud="hotel", credentials_sealed=text, key_name="k", now=NOW)
        old.write_now(put)

    (account,) = old.read_now(accounts.everyone)
    assert (account.user_name, account.cloud, account.credentials_sealed) == ("alice", "hotel", "second")
    assert (account.version, account.vms, account.updated_at) == (2, 0, NOW)
