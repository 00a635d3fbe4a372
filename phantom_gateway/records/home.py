"""
Where records are, apart from what is in them: a copy is somewhere else, and knows it.

Owns: the name of that place. Copied files get another number from their file system, restored dumps another from their
server. A copy of a whole machine, of a disk or of a server's data directory looks like the original from inside; the
machines that the other one launches tell them apart (``first_look``).
"""

from pathlib import Path

import sqlalchemy as sa

FACT = "home"
"""What the place is recorded as, in the records themselves. It is not copied by ``records.copying``."""

_SERVER = sa.text(
    "select (select system_identifier from pg_control_system()), (select oid from pg_database where datname = "
    "current_database())"
)
_MAY_ASK = sa.text("select has_function_privilege('pg_control_system()', 'execute')")


def of_directory(state_directory: Path) -> str:
    """The number of the lock file: it stays over restarts, moves of the directory and new mounts of its file system."""
    lock = state_directory / "lock"
    lock.touch(mode=0o600, exist_ok=True)
    return f"directory {lock.stat().st_ino}"


def with_server(connection: sa.Connection, place: str) -> str:
    """*place*, or the number of the database on its server, where gateways share one."""
    if connection.dialect.name != "postgresql":
        return place
    if not connection.execute(_MAY_ASK).scalar_one():
        oid = connection.execute(sa.text("select oid from pg_database where datname = current_database()")).scalar_one()
        return f"database {oid}"
    system, oid = connection.execute(_SERVER).one()
    return f"server {system} database {oid}"
