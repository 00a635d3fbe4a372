"""
Records of an older version, made of newer ones, and what they hold to the letter.

Owns: going back by the migrations themselves. Does not own: going forward, which is the gateway's.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

import phantom_gateway.records

MIGRATIONS = Path(phantom_gateway.records.__file__).parent / "migrations"
REVISIONS = sorted(file.name[:4] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))

_alembic = threading.Lock()
"""Alembic has one environment in a process, and scenes are played in several threads."""


@contextmanager
def _configured(file: Path) -> Iterator[tuple[Config, sa.Connection]]:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(file)))
    with _alembic, engine.connect() as connection:
        config.attributes["connection"] = connection
        yield config, connection
        connection.commit()
    engine.dispose()


def go_back(file: Path, revision: str) -> None:
    """Nothing; the records in *file* are as the version before *revision* has them."""
    with _configured(file) as (config, _):
        before = ScriptDirectory.from_config(config).get_revision(revision).down_revision
        assert isinstance(before, str), f"there is nothing before {revision}"
        command.downgrade(config, before)


def statements_to(file: Path, revision: str) -> int:
    """How many statements bring the records in *file*, which is a copy and spoiled by it, to *revision*."""
    heard = []
    with _configured(file) as (config, connection):
        sa.event.listen(connection, "after_cursor_execute", lambda *_: heard.append(1))
        command.upgrade(config, revision)
    return len(heard)


def content(file: Path) -> list[str]:
    """All that the records in *file* hold, schema included."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return list(connection.iterdump())


def revision_of(file: Path) -> str:
    """Which revision the records in *file* say they are."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        ((revision,),) = connection.execute("select version_num from alembic_version").fetchall()
    return str(revision)
