"""
The commands ``phantom-gateway audit list|verify``.

Owns: their arguments and what is printed. Does not own: the audit (``records.audit``).
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from phantom_gateway.installation import InstallationError
from phantom_gateway.records import audit
from phantom_gateway.terminal import ConfigOption, JsonOption, opened, print_table, say

audit_app = typer.Typer(no_args_is_help=True, help="Who changed what, and whether the record of it is whole.")


@audit_app.command("list")
def audit_list(
    config: ConfigOption = None,
    newest: Annotated[int, typer.Option(min=1, max=100_000, help="How many, the newest first.")] = 50,
    target: Annotated[str | None, typer.Option(help="Only changes of what has this name.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List changes: when, who, what, to what, by which request."""
    with opened(config) as installation:
        found = installation.database.read_now(lambda connection: audit.rows(connection, newest=newest, target=target))
        if as_json:
            typer.echo(json.dumps([_as_json(row) for row in found], indent=2))
            return
        heads = ("at", "who", "action", "target", "detail", "request")
        entries = [row.entry for row in found]
        rows = [(f"{e.at:%Y-%m-%d %H:%M:%S}", e.who, e.action, e.target, e.detail, e.request_id) for e in entries]
        print_table(heads, rows, as_json=False)


@audit_app.command("verify")
def audit_verify(
    config: ConfigOption = None,
    since: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What an earlier verify --json printed: its entries must still be there."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check that every entry is as it was written and none is missing. Exit code 1 when that does not hold."""
    with opened(config) as installation:
        known = None if since is None else _heads(since)
        found = installation.database.read_now(lambda connection: audit.verify(connection, known))
        if as_json:
            facts = {"entries": found.rows, "heads": found.heads, "breaks": found.breaks}
            typer.echo(json.dumps(facts, indent=2))
        else:
            for sentence in found.breaks:
                say(sentence)
            well = "all as they were written" if not found.breaks else f"{len(found.breaks)} breaks"
            say(f"{found.rows} entries in {len(found.heads)} chains: {well}.")
        if found.breaks:
            raise typer.Exit(1)


def _heads(file: Path) -> dict[str, tuple[int, str]]:
    """The heads in *file*. Raises InstallationError when it is not what ``verify --json`` prints."""
    try:
        heads = json.loads(file.read_text(encoding="utf-8"))["heads"]
        return {str(chain): (int(number), str(sealed)) for chain, (number, sealed) in heads.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InstallationError(f"{file} is not what phantom-gateway audit verify --json prints ({error}).") from error


def _as_json(row: audit.Row) -> dict[str, object]:
    entry = row.entry
    return {
        "chain": row.chain,
        "number": row.number,
        "at": entry.at.isoformat(),
        "who": entry.who,
        "key": entry.key,
        "address": entry.address,
        "request_id": entry.request_id,
        "action": entry.action,
        "target": entry.target,
        "detail": entry.detail,
        "result": entry.result,
        "hash": row.hash,
    }
