"""
How the schema came to be, one step a file; Alembic walks through them.

Owns: bringing a database to the newest step, in one transaction. A gateway of the version before must be able to run on
a schema: steps add, and take away only what the version before no longer used.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from phantom_gateway.records.unavailable import SchemaUnknownError

LOCK = 0x7068616E746F6D
"""Names the lock under which one gateway migrates while others that start wait ("phantom")."""


def upgrade(connection: sa.Connection) -> None:
    """Nothing; the schema is the newest. Raises SchemaUnknownError."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        if "Can't locate revision" not in str(error):
            raise
        raise SchemaUnknownError(str(error)) from error
    if connection.dialect.name == "postgresql":
        _compare_bytes(connection)


def _compare_bytes(connection: sa.Connection) -> None:
    """
    Nothing; texts are ordered and compared by their bytes, as SQLite does it, whatever the server's language.

    Pages of listings follow the order of names, and so must their indexes.
    """
    found = connection.execute(
        sa.text(
            "select table_name, column_name, data_type, character_maximum_length from information_schema.columns "
            "where table_schema = current_schema() and data_type in ('character varying', 'text') "
            "and collation_name is distinct from 'C' and table_name <> 'alembic_version' "
            "and table_name in (select tablename from pg_tables where schemaname = current_schema())"
        )
    ).all()
    quote = connection.dialect.identifier_preparer.quote
    changes: dict[str, list[str]] = {}
    for table, column, kind, length in found:
        sized = kind if length is None else f"{kind}({length})"
        changes.setdefault(table, []).append(f'ALTER COLUMN {quote(column)} TYPE {sized} COLLATE "C"')
    for table, parts in changes.items():
        connection.execute(sa.text(f"ALTER TABLE {quote(table)} {', '.join(parts)}"))
