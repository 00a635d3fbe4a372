"""
The command line: ``phantom-gateway serve|env|users|check|explain``.

Owns: arguments, printing and exit codes (0 all well, 1 it did not hold, 2 used wrongly). Does not own: what is done.
"""

import asyncio
import json
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from phantom_gateway import clock, logs
from phantom_gateway.config import Config, ConfigError, UserSettings, load
from phantom_gateway.explain import Story, tell
from phantom_gateway.installation import (
    Installation,
    InstallationError,
    add_user,
    generated_user,
    open_installation,
)
from phantom_gateway.keyring import KeyringError
from phantom_gateway.ownership import strangers
from phantom_gateway.records import users as user_records
from phantom_gateway.records.session import Connection

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Keeps groups of VMs alive on many clouds, behind the AWS Auto Scaling API.",
)
users_app = typer.Typer(no_args_is_help=True, help="Accounts and their AWS keys.")
app.add_typer(users_app, name="users")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Configuration; else $PHANTOM_GATEWAY_CONFIG, else the default."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def main() -> None:
    """Nothing; the process ends with the exit code of its command."""
    app()


@app.command()
def serve(
    config: ConfigOption = None,
    log_format: Annotated[logs.Format, typer.Option(help="auto: readable on a terminal, else JSON.")] = "auto",
    log_level: Annotated[logs.Level, typer.Option(help="The least that is logged.")] = "info",
) -> None:
    """Run the gateway until it is told to stop (SIGTERM or Ctrl-C). VMs live on."""
    from phantom_gateway.app import run

    with _clear_errors():
        if found := strangers():
            raise InstallationError("\n".join(found))
        loaded = _load(config)
        logs.configure(sys.stderr, log_format, log_level)
        asyncio.run(run(loaded, os.environ, announce=lambda line: print(line, flush=True)))


@app.command()
def env(
    config: ConfigOption = None,
    user: Annotated[str | None, typer.Option(help="Whose keys; may be left out when there is one user.")] = None,
) -> None:
    """Print export lines that point AWS clients at this gateway: eval "$(phantom-gateway env)"."""
    with _opened(config) as installation:
        found = installation.database.read_now(lambda connection: _choose_user(connection, user))
        secret = installation.keyring.decrypt(found.secret_sealed).reveal()
        server = installation.config.server
        scheme = "https" if server.tls_certificate else "http"
        url = f"{scheme}://{_reachable(server.host)}:{server.port}"
        exports = {
            "AWS_ENDPOINT_URL_AUTO_SCALING": url,
            "AWS_ACCESS_KEY_ID": found.access_key_id,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": server.region,
            "AWS_REGION": server.region,
            # The names that scripts of the original Phantom read.
            "EC2_ACCESS_KEY": found.access_key_id,
            "EC2_SECRET_KEY": secret,
        }
        for name, value in exports.items():
            print(f"export {name}={shlex.quote(value)}")
        print("unset AWS_SESSION_TOKEN AWS_PROFILE")


@users_app.command("add")
def users_add(
    name: str,
    config: ConfigOption = None,
    account_id: Annotated[str | None, typer.Option(help="12 digits; generated when left out.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Create a user with a new key pair, and print the pair once."""
    with _opened(config) as installation:
        generated = generated_user(name)
        settings = UserSettings(
            name=name,
            access_key_id=generated.access_key_id,
            secret_access_key=generated.secret_access_key,
            account_id=account_id,
        )
        user = installation.database.write_now(
            lambda connection: add_user(connection, installation.keyring, settings, clock.now())
        )
        facts = {
            "name": user.name,
            "account_id": user.account_id,
            "access_key_id": user.access_key_id,
            "secret_access_key": settings.secret_access_key.reveal(),
        }
        _print_facts(facts, as_json=as_json)


@users_app.command("list")
def users_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the users and their access keys; secrets are never shown."""
    with _opened(config) as installation:
        found = installation.database.read_now(user_records.everyone)
        rows = [(user.name, user.account_id, user.access_key_id, f"{user.created_at:%Y-%m-%d %H:%M}") for user in found]
        _print_table(("name", "account_id", "access_key_id", "created_at"), rows, as_json=as_json)


@users_app.command("remove")
def users_remove(name: str, config: ConfigOption = None) -> None:
    """Remove a user who has no groups and no launch configurations any more."""
    with _opened(config) as installation:

        def job(connection: Connection) -> None:
            user = _choose_user(connection, name)
            if user_records.owns_anything(connection, user.id):
                raise InstallationError(
                    f"{name} still has groups or launch configurations; delete those first, so that no VM is forgotten."
                )
            user_records.remove(connection, user.id)

        installation.database.write_now(job)
        print(f"{name} is removed.")


@app.command()
def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Read the configuration, probe every cloud, and say what is wrong and what to do about it."""
    from phantom_gateway.checking import check_clouds

    with _opened(config) as installation:
        reports = asyncio.run(check_clouds(installation))
        if as_json:
            print(json.dumps([report.as_json() for report in reports], indent=2))
        else:
            console = Console()
            source = installation.config.source or "the embedded default"
            console.print(f"configuration: {source}\nstate: {installation.config.state_directory}")
            heads = ("cloud", "kind", "answers", "images", "finding")
            _print_table(heads, [row for report in reports for row in report.rows()], as_json=False)
        if any(report.is_wrong for report in reports):
            raise typer.Exit(1)


@app.command()
def explain(
    group: str,
    config: ConfigOption = None,
    user: Annotated[str | None, typer.Option(help="Whose group, when several users have one of this name.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say why a group has the instances it has, and what it waits for."""
    with _opened(config) as installation:
        stories = installation.database.read_now(lambda connection: tell(connection, group, user))
        if not stories:
            raise InstallationError(f"There is no group called {group}; list them with describe-auto-scaling-groups.")
        if as_json:
            print(json.dumps([story.as_json() for story in stories], indent=2))
            return
        for story in stories:
            _print_story(story)


def _print_story(story: Story) -> None:
    console = Console(highlight=False)
    console.print(f"[bold]{escape(story.name)}[/bold] of {escape(story.user)}")
    console.print(f"  min {story.minimum}, desired {story.desired}, max {story.maximum}")
    console.print(f"  {story.verdict}")
    for cloud, instance_id, state, address in story.members:
        console.print(f"  {cloud}  {instance_id or 'launching'}  {state}  {address}")
    lately = [f"{at:%H:%M:%S} {status}: {what}. {why}" for at, status, what, why in story.recent]
    for heading, lines in (("waits for", story.waiting_on), ("why", story.causes), ("lately", lately)):
        for line in lines:
            console.print(f"  [dim]{heading}:[/dim] {escape(line)}")


def _load(path: Path | None) -> Config:
    return load(path, os.environ)


@contextmanager
def _opened(path: Path | None) -> Iterator[Installation]:
    """The installation of the configuration at *path*; closed afterwards, errors told in a line."""
    with _clear_errors():
        installation = open_installation(_load(path), os.environ, clock.now())
        try:
            yield installation
        finally:
            installation.close()


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Errors that are the user's to mend end the command with their text alone."""
    texts: list[str] = []
    try:
        yield
    except* (ConfigError, InstallationError, KeyringError) as errors:  # the server's come in a group
        texts = _texts(errors)
    if texts:
        _fail("\n".join(texts))


def _texts(error: BaseException) -> list[str]:
    """The texts of *error*, or of all in it when it is a group."""
    if isinstance(error, BaseExceptionGroup):
        return [text for each in error.exceptions for text in _texts(each)]
    return [str(error)]


def _fail(text: str) -> NoReturn:
    print(text, file=sys.stderr)
    raise typer.Exit(2)


def _choose_user(connection: Connection, name: str | None) -> user_records.User:
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


def _reachable(host: str) -> str:
    """The address a client on this machine uses for a server that listens on *host*."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _print_facts(facts: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    for name, value in facts.items():
        print(f"{name}: {value}")


def _print_table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([dict(zip(heads, row, strict=True)) for row in rows], indent=2))
        return
    table = Table(box=None, pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
