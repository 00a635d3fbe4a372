"""
What a schema change may do: a gateway of the version before runs on the new schema while others are restarted (F75).

Owns: the rule, as a check of what each migration of a release does to the schema. Does not own: that a gateway really
runs on (``tests/processes/test_upgrades``).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

import phantom_gateway.records

MIGRATIONS = Path(phantom_gateway.records.__file__).parent / "migrations"

BEFORE_THE_FIRST_RELEASE = frozenset(f"{number:04d}" for number in range(1, 13))
"""Nobody runs these versions: what they did to the schema concerns no gateway."""

ADDITIVE = frozenset({"create_table", "create_index", "add_column", "bulk_insert", "execute", "get_bind", "f"})
"""What a migration may do. Statements of ``execute`` are looked at as well."""


class Recorder:
    """Stands in for ``alembic.op``: notes what it is asked for, and does nothing."""

    def __init__(self) -> None:
        self.breaches: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def asked(*arguments: Any, **more: Any) -> Any:
            if name not in ADDITIVE:
                self.breaches.append(name)
            if name == "add_column":
                self._check_column(arguments[1])
            if name == "create_index" and more.get("unique"):
                self.breaches.append(f"{name} unique")
            if name == "execute":
                self._check_statement(str(arguments[0]))
            return sa.MetaData() if name == "get_bind" else None

        return asked

    def _check_column(self, column: sa.Column[Any]) -> None:
        if not column.nullable and column.server_default is None:
            self.breaches.append(f"add_column {column.name}, which the version before leaves empty")

    def _check_statement(self, statement: str) -> None:
        if statement.split(maxsplit=1)[0].lower() not in {"insert", "update", "select", "create"}:
            self.breaches.append(f"execute {statement}")


def breaches_of(upgrade: Callable[[], None]) -> list[str]:
    """What *upgrade* does that the version before cannot live with."""
    recorder = Recorder()
    namespace: dict[str, Any] = upgrade.__globals__
    before = namespace["op"]
    namespace["op"] = recorder
    try:
        upgrade()
    finally:
        namespace["op"] = before
    return recorder.breaches


def test_every_migration_since_the_release_only_adds() -> None:
    """F75: by what each does to the schema; those before the first release are known by name, and none is missing."""
    scripts = {script.revision: script for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
    breaches = {
        revision: found
        for revision, script in scripts.items()
        if revision not in BEFORE_THE_FIRST_RELEASE and (found := breaches_of(script.module.upgrade))
    }

    assert scripts.keys() >= BEFORE_THE_FIRST_RELEASE
    assert breaches == {}


op: Any = Operations(MigrationContext.configure(dialect_name="sqlite"))


def adds() -> None:
    """A migration that the version before does not notice."""
    op.create_table("more", sa.Column("id", sa.Integer))
    op.add_column("groups", sa.Column("more", sa.Text))
    op.add_column("groups", sa.Column("sure", sa.Integer, nullable=False, server_default="0"))
    op.execute("update groups set more = name")
    op.create_index("ix_groups_more", "groups", ["more"])


def demands() -> None:
    """One whose column the version before does not fill."""
    op.add_column("groups", sa.Column("sure", sa.Integer, nullable=False))


def takes() -> None:
    """One that takes away what the version before reads."""
    op.drop_column("groups", "causes")


def renames() -> None:
    """One that calls it something else, by a statement of its own."""
    op.execute("alter table groups rename column causes to reasons")


def forbids() -> None:
    """One that refuses what the version before may write."""
    op.create_index("uq_groups_more", "groups", ["more"], unique=True)


@pytest.mark.parametrize(
    ("upgrade", "is_additive"), [(adds, True), (demands, False), (takes, False), (renames, False), (forbids, False)]
)
def test_the_rule_tells_them_apart(upgrade: Callable[[], None], is_additive: bool) -> None:
    """Adding tables, columns with a value of their own and indexes is felt by nobody; the rest is."""
    assert (breaches_of(upgrade) == []) is is_additive
