"""
What all commands share: their options, opening the installation, errors in a line, tables.

Owns: how a command begins and how it shows what it found. Does not own: any command.
"""

import getpass
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from phantom_gateway import clock
from phantom_gateway.account_rules import AccountRule
from phantom_gateway.config import Config, ConfigError, load
from phantom_gateway.installation import Installation, InstallationError, open_installation
from phantom_gateway.keyring import KeyringError
from phantom_gateway.logs import visible
from phantom_gateway.records import audit
from phantom_gateway.records import users as user_records
from phantom_gateway.records.session import Connection

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Configuration; else $PHANTOM_GATEWAY_CONFIG, else the default."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def load_config(path: Path | None) -> Config:
    """The configuration of this command. Raises ConfigError."""
    return load(path, os.environ)


@contextmanager
def opened(path: Path | None) -> Iterator[Installation]:
    """The installation of the configuration at *path*; closed afterwards, errors told in a line."""
    with clear_errors():
        installation = open_installation(load_config(path), os.environ, clock.now())
        try:
            yield installation
        finally:
            installation.close()


@contextmanager
def clear_errors() -> Iterator[None]:
    """Errors that are the user's to mend end the command with their text alone."""
    texts: list[str] = []
    try:
        yield
    except* (AccountRule, ConfigError, InstallationError, KeyringError) as errors:  # the server's come in a group
        texts = _texts(errors)
    if texts:
        fail("\n".join(texts))


def _texts(error: BaseException) -> list[str]:
    """The texts of *error*, or of all in it when it is a group."""
    if isinstance(error, BaseExceptionGroup):
        return [text for each in error.exceptions for text in _texts(each)]
    return [str(error)]


def say(text: str, *, err: bool = False) -> None:
    """
    Nothing; *text* is shown, its lines as they are, and whatever else would move the cursor or the eye escaped.

    Names, tags and what clouds answer are somebody else's words: none of them clears a screen or turns a line around.
    """
    typer.echo("\n".join(visible(line) for line in text.split("\n")), err=err)


def shown(text: str) -> str:
    """*text* for rich: as it is, without markup, and with what is not printable escaped."""
    return escape(visible(text))


def fail(text: str) -> NoReturn:
    """Never; the command ends as one that was used wrongly."""
    say(text, err=True)
    raise typer.Exit(2)


def choose_user(connection: Connection, name: str | None) -> user_records.User:
    """The user called *name*, or the only one. Raises InstallationError naming those there are."""
    found = user_records.everyone(connection)
    if name is None and len(found) == 1:
        return found[0]
    for user in found:
        if user.name == name:
            return user
    names = ", ".join(user.name for user in found) or "none yet; add one with: phantom-gateway users add NAME"
    wanted = f"There is no user called {name}" if name else "Say which user with --user"
    raise InstallationError(f"{wanted}; the users are: {names}.")


def operator() -> str:
    """Who is at the keyboard, as this machine knows them."""
    try:
        return getpass.getuser()[:64]
    except (OSError, KeyError):  # a container without an entry for its user
        return "operator"


def on_record(connection: Connection, action: str, target: str, detail: str = "") -> None:
    """Nothing; the audit has what the operator changes by a command. *detail* is no secret."""
    entry = audit.Entry(clock.now(), operator(), f"phantom-gateway {action}", target, key="command line", detail=detail)
    audit.add(connection, entry)


def print_facts(facts: dict[str, str], *, as_json: bool) -> None:
    """Nothing; *facts* are shown, one a line."""
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    for name, value in facts.items():
        say(f"{name}: {value}")


def print_table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, as_json: bool) -> None:
    """Nothing; *rows* are shown under *heads*."""
    if as_json:
        typer.echo(json.dumps([dict(zip(heads, row, strict=True)) for row in rows], indent=2))
        return
    table = Table(box=None, pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*map(shown, row))
    Console().print(table)


def print_sheet(title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Nothing; *rows* are shown as names and values under *title*, within the width of the terminal."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(min_width=8, no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(f"  {name}", shown(value))
    console = Console(highlight=False)
    console.print(f"\n[bold]{shown(title)}[/bold]")
    console.print(table)
