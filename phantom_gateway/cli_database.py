"""
The commands about the database: ``phantom-gateway db copy``.

Owns: their arguments and what they print. Does not own: what is done (``records.copying``).
"""

import uuid
from pathlib import Path
from typing import Annotated

import typer

from phantom_gateway import clock
from phantom_gateway.config.kinds import Around, Wrong
from phantom_gateway.config.places import DatabaseUrl
from phantom_gateway.installation import InstallationError, held
from phantom_gateway.records import freezes
from phantom_gateway.records.copying import CopyError, copy
from phantom_gateway.records.session import Database, RecordsUnavailable, postgresql_url, url_without_password
from phantom_gateway.terminal import ConfigOption, opened, operator, say
from reconciler.freezes import Freeze, Scope

db_app = typer.Typer(no_args_is_help=True, help="The database: moving to PostgreSQL.")

COPIED = "these records were copied to {url}, and a gateway may run there"

TOLD_EVERY_ROWS = 5_000
"""Between two lines about the same table. Fewer: nobody reads them. More: a big table seems to hang."""


@db_app.command("copy")
def db_copy(
    to: Annotated[str, typer.Option(metavar="URL", help="An empty PostgreSQL database: postgresql+psycopg://...")],
    config: ConfigOption = None,
) -> None:
    """
    Copy all records from the configured SQLite file to PostgreSQL.

    The gateway must be stopped. The password of the target comes from $PGPASSWORD or ~/.pgpass. The file stays, frozen:
    a gateway that is started on it by mistake touches no cloud. Afterwards put the URL, and the password, into
    [database] of the configuration.
    """
    with opened(config) as installation, held(installation.config):
        if installation.database.is_shared:
            raise InstallationError("The configured database is on a server already; copy it with the server's tools.")
        target = _target(to, installation.config.state_directory)
        try:
            target.migrate()
            counts = copy(installation.database, target, _tell)
        except CopyError as error:
            raise InstallationError(str(error)) from error
        except RecordsUnavailable as error:
            raise InstallationError(f"The target cannot be used, and nothing was copied: {error}.") from error
        finally:
            target.close()
        reason = COPIED.format(url=url_without_password(target.url))
        left = Freeze(Scope.ALL, "", "", operator(), clock.now(), reason)
        installation.database.write_now(lambda connection: freezes.lay(connection, left, lambda: str(uuid.uuid4())))
        say(f"{sum(counts.values())} rows are copied and counted. Now put the URL into [database] of the")
        say("configuration, with the password, and start the gateway. The keys stay where they are.")


def _target(url: str, directory: Path) -> Database:
    try:
        read = DatabaseUrl().read(url, Around(directory, {}))
    except Wrong as wrong:
        raise InstallationError(f"--to {wrong}.") from wrong
    if read.startswith("sqlite:"):
        raise InstallationError("--to takes a PostgreSQL database; a SQLite file is copied with its own tools.")
    return Database(postgresql_url(read, None))


def _tell(table: str, done: int, expected: int) -> None:
    if done == expected or (done and done % TOLD_EVERY_ROWS == 0):
        say(f"{table}: {done} of {expected}")
