"""Migrations of databases that are in use: what was there before is there afterwards."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig

import phantom_gateway.records
from phantom_gateway.records import accounts, groups, users
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


def test_every_migration_can_be_taken_back(tmp_path: Path) -> None:
    """Down to the first schema and up again: the newest schema is the same as before."""
    database = Database(sqlite_url(tmp_path / "new.db"))
    database.migrate()
    database.close()
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = sa.create_engine(sqlite_url(tmp_path / "new.db"))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        before = _schema(connection)
        command.downgrade(config, "0001")
        assert _schema(connection) != before
        command.upgrade(config, "head")
        assert _schema(connection) == before
    engine.dispose()


def _schema(connection: sa.Connection) -> dict[str, set[str]]:
    """The columns of each table."""
    seen = sa.inspect(connection)
    return {table: {column["name"] for column in seen.get_columns(table)} for table in seen.get_table_names()}


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


def test_groups_of_an_old_database_have_no_young_deaths_and_keep_their_tags(old: Database) -> None:
    """The new column comes to rows that are there, and nothing that hangs on them is lost."""
    columns = (
        "uid, user_id, name, launch_configuration, minimum, maximum, desired, cooldown_s, zones, termination_policies, "
        "new_instances_protected, settings, suspended, launch_failures, deleting, causes, owed_replacements, "
        "waiting_on, generation, version, created_at"
    )
    row = "'g-1', 1, 'web', 'web@hotel', 0, 9, 2, 300, '[]', '[]', false, '{}', '{}', 0, false, '[]', 0, '[]', 1, 1, 0"

    def populate(connection: sa.Connection) -> None:
        connection.execute(sa.text(f"insert into groups ({columns}) values ({row})"))
        connection.execute(sa.text("insert into tags values (1, 'clouds', 'hotel:2', false)"))

    old.write_now(populate)
    old.migrate()
    group = old.read_now(partial(groups.by_uid, uid="g-1"))
    crashes = {"hotel": {"times": 2}}
    old.write_now(partial(groups.note_crashes, group_id=1, crashes=crashes))
    noted = old.read_now(partial(groups.by_uid, uid="g-1"))
    kept = old.read_now(lambda connection: connection.execute(sa.text("select value from tags")).scalar())

    assert group is not None
    assert group.crashes == {}
    assert noted is not None
    assert noted.crashes == crashes
    assert kept == "hotel:2"
