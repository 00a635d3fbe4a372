"""
Records of an older version, made of newer ones.

Owns: going back by the migrations themselves. Does not own: going forward, which is the gateway's.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

import phantom_gateway.records
from tests.support.records import Records

MIGRATIONS = Path(phantom_gateway.records.__file__).parent / "migrations"
REVISIONS = sorted(file.name[:4] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))

_alembic = threading.Lock()
"""Alembic has one environment in a process, and scenes are played in several threads."""


@contextmanager
def _configured(records: Records) -> Iterator[tuple[Config, sa.Connection]]:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = sa.create_engine(records.url)
    with _alembic, engine.connect() as connection:
        config.attributes["connection"] = connection
        yield config, connection
        connection.commit()
    engine.dispose()


def go_back(records: Records, revision: str) -> None:
    """Nothing; *records* are as the version before *revision* has them."""
    with _configured(records) as (config, _):
        before = ScriptDirectory.from_config(config).get_revision(revision).down_revision
        assert isinstance(before, str), f"there is nothing before {revision}"
        command.downgrade(config, before)


def statements_to(records: Records, revision: str) -> int:
    """How many statements bring the *records*, which are a copy and spoiled by it, to *revision*."""
    heard = []
    with _configured(records) as (config, connection):
        sa.event.listen(connection, "after_cursor_execute", lambda *_: heard.append(1))
        command.upgrade(config, revision)
    return len(heard)


def revision_of(records: Records) -> str:
    """Which revision the records say they are."""
    ((revision,),) = records.rows("select version_num from alembic_version")
    return str(revision)
