"""Migrations of databases that are in use: what was there before is there afterwards."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig

import phantom_gateway.records
from phantom_gateway.records import accounts, base_configurations, groups, instances, users
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


BEFORE: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "launch_configurations": [{"id": 7, "user_id": 1, "base_name": "web", "version": 3}],
    "launch_specs": [
        {
            "id": key,
            "launch_configuration_id": 7,
            "user_id": 1,
            "name": f"web@{cloud}",
            "cloud": cloud,
            "uid": cloud,
            "image_id": f"{cloud}-image",
            "instance_type": "m1.small",
            "key_name": "k",
            "settings": "{}",
            "created_at": at,
        }
        for key, cloud, at in ((2, "sierra", 5_000_000), (3, "hotel", 6_000_000))
    ],
    "groups": [
        {
            **dict.fromkeys(("id", "user_id", "maximum", "desired", "generation", "version"), 1),
            **dict.fromkeys(("minimum", "cooldown_s", "new_instances_protected", "launch_failures", "deleting"), 0),
            **dict.fromkeys(("owed_replacements", "created_at"), 0),
            **dict.fromkeys(("zones", "termination_policies", "causes", "waiting_on"), "[]"),
            **dict.fromkeys(("settings", "suspended"), "{}"),
            "uid": "g",
            "name": "g",
            "launch_configuration": "web@hotel",
        }
    ],
    "instances": [
        {
            **dict.fromkeys(("group_id", "user_id", "healthy"), 1),
            **dict.fromkeys(("token_index", "claimed_at", "protected"), 0),
            "cloud": "hotel",
            "token": "t",
            "state": "Claimed",
            "activity_id": "a",
            "launch_configuration": "web@hotel",
            "instance_type": "m1.small",
        }
    ],
}
"""Rows of the first schema, by table."""


def test_launch_configurations_of_before_have_ranks_and_ids(old: Database) -> None:
    """Clouds rank by age and have no cap; instances remember the image of what they were launched from."""

    def fill(connection: sa.Connection) -> None:
        for table, rows in BEFORE.items():
            for row in rows:
                connection.execute(sa.table(table, *map(sa.column, row)).insert().values(**row))

    old.write_now(fill)
    old.migrate()

    (base,) = old.read_now(partial(base_configurations.of_user, user_id=1))
    specs = old.read_now(partial(base_configurations.specs_of, base_ids=[7]))[7]
    (member,) = old.read_now(partial(instances.of_group, group_id=1))
    assert (base.name, base.public, base.created_at.second, len(base.uid)) == ("web", False, 5, 36)
    assert [(spec.cloud, spec.rank, spec.max_vms, spec.common) for spec in specs] == [
        ("sierra", 1, -1, True),
        ("hotel", 2, -1, True),
    ]
    assert (member.image_id, member.key_name) == ("hotel-image", "k")
