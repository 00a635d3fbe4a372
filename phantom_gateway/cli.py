"""
The command line: ``phantom-gateway serve|env|users|tokens|accounts|keys|check|explain|freeze|thaw|plan|audit|...``.

Owns: arguments, printing and exit codes (0 all well, 1 it did not hold, 2 used wrongly). Does not own: what is done,
nor the commands about users and credentials (``cli_users``, ``cli_accounts``) freezes (``cli_freezes``) and the
audit (``cli_audit``).
"""

import asyncio
import json
import os
import shlex
import sys
from typing import Annotated

import typer
from rich.console import Console

from phantom_gateway import clock, logs
from phantom_gateway.cli_access_keys import key_app
from phantom_gateway.cli_accounts import accounts_app, keys_app
from phantom_gateway.cli_audit import audit_app
from phantom_gateway.cli_database import db_app
from phantom_gateway.cli_freezes import freeze, plan, thaw
from phantom_gateway.cli_unrecorded import adopt, reap, unrecorded_list
from phantom_gateway.cli_users import tokens_app, users_app
from phantom_gateway.env_token import env_token
from phantom_gateway.explain import Story, tell
from phantom_gateway.installation import InstallationError
from phantom_gateway.operations.http_api.call import PREFIX
from phantom_gateway.ownership import strangers
from phantom_gateway.records import access_keys
from phantom_gateway.terminal import (
    ConfigOption,
    JsonOption,
    choose_user,
    clear_errors,
    load_config,
    opened,
    print_sheet,
    shown,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Keeps groups of VMs alive on many clouds, behind the AWS Auto Scaling API.",
)
users_app.add_typer(key_app, name="key")
app.add_typer(users_app, name="users")
app.add_typer(tokens_app, name="tokens")
app.add_typer(accounts_app, name="accounts")
app.add_typer(keys_app, name="keys")
app.add_typer(db_app, name="db")
app.add_typer(audit_app, name="audit")
for command in (freeze, thaw, plan, adopt, reap):
    app.command()(command)
app.command("unrecorded")(unrecorded_list)


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
    from phantom_gateway import rlimits
    from phantom_gateway.app import run

    with clear_errors():
        if found := strangers():
            raise InstallationError("\n".join(found))
        loaded = load_config(config)
        logs.configure(sys.stderr, log_format, log_level)
        rlimits.settle()
        asyncio.run(run(loaded, os.environ, announce=lambda line: print(line, flush=True)))


@app.command()
def env(
    config: ConfigOption = None,
    user: Annotated[str | None, typer.Option(help="Whose keys; may be left out when there is one user.")] = None,
) -> None:
    """
    Print export lines that point clients of both APIs at this gateway: eval "$(phantom-gateway env)".

    Of two access keys it is the newer one.
    """
    with opened(config) as installation:
        found = installation.database.read_now(lambda connection: choose_user(connection, user))
        key = installation.database.read_now(lambda connection: access_keys.of_user(connection, found.id))[-1]
        secret = installation.keyring.decrypt(key.secret_sealed).reveal()
        server = installation.config.server
        scheme = "https" if server.tls_certificate else "http"
        url = f"{scheme}://{_reachable(server.host)}:{server.port}"
        exports = {
            "AWS_ENDPOINT_URL_AUTO_SCALING": url,
            "AWS_AUTO_SCALING_URL": url,  # the name that scripts around as-* commands read
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": server.region,
            "AWS_REGION": server.region,
            # The names that scripts of the original Phantom read.
            "EC2_ACCESS_KEY": key.access_key_id,
            "EC2_SECRET_KEY": secret,
            "PHANTOM_URL": url + PREFIX,
            "USER_ID": str(found.id),
            "TOKEN": env_token(installation, found, clock.now()).reveal(),
        }
        for name, value in exports.items():
            print(f"export {name}={shlex.quote(value)}")
        print("unset AWS_SESSION_TOKEN AWS_PROFILE")


@app.command()
def check(
    config: ConfigOption = None,
    user: Annotated[str | None, typer.Option(help="Probe this user's own accounts too.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Read the configuration, probe every cloud, and say what is wrong and what to do about it."""
    from phantom_gateway.checking import check_clouds

    with opened(config) as installation:
        chosen = None
        if user is not None:
            chosen = installation.database.read_now(lambda connection: choose_user(connection, user))
        reports = asyncio.run(check_clouds(installation, chosen))
        if as_json:
            print(json.dumps([report.as_json() for report in reports], indent=2))
        else:
            console = Console()
            source = installation.config.source or "the embedded default"
            console.print(f"configuration: {source}\nstate: {installation.config.state_directory}")
            for report in reports:
                print_sheet(report.title, report.rows())
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
    with opened(config) as installation:
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
    console.print(f"[bold]{shown(story.name)}[/bold] of {shown(story.user)}")
    console.print(f"  min {story.minimum}, desired {story.desired}, max {story.maximum}")
    console.print(f"  {shown(story.verdict)}")
    for cloud, instance_id, state, address in story.members:
        console.print(shown(f"  {cloud}  {instance_id or 'launching'}  {state}  {address}"))
    lately = [f"{at:%H:%M:%S} {status}: {what}. {why}" for at, status, what, why in story.recent]
    for heading, lines in (
        ("frozen", story.frozen),
        ("waits for", story.waiting_on),
        ("why", story.causes),
        ("lately", lately),
    ):
        for line in lines:
            console.print(f"  [dim]{heading}:[/dim] {shown(line)}")


def _reachable(host: str) -> str:
    """The address a client on this machine uses for a server that listens on *host*."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
