"""
The commands about users: ``phantom-gateway users add|list|password|remove`` and ``tokens add|list|revoke``.

Owns: their arguments, where a password may come from, and what is printed. Does not own: what becomes of users
(``installation``), passwords (``passwords``) and tokens (``tokens``).
"""

import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from phantom_gateway import clock, tokens
from phantom_gateway.config import UserSettings
from phantom_gateway.installation import InstallationError, add_user, change_password, generated_user
from phantom_gateway.passwords import PASSWORD_LENGTH_MAX, hashed
from phantom_gateway.records import tokens as token_records
from phantom_gateway.records import users as user_records
from phantom_gateway.records.session import Connection
from phantom_gateway.secret import Secret
from phantom_gateway.terminal import (
    ConfigOption,
    JsonOption,
    choose_user,
    on_record,
    opened,
    print_facts,
    print_table,
    say,
)
from phantom_gateway.tokens import Scope

NAME_LENGTH_MAX = 64
"""Characters of a token's name."""

VALID_DAYS_MAX = 3_650
"""Ten years; a token for longer is one without an end."""

users_app = typer.Typer(no_args_is_help=True, help="Users, their AWS keys and passwords.")
tokens_app = typer.Typer(no_args_is_help=True, help="Long-lived tokens for the JSON API.")

PasswordFileOption = Annotated[
    Path | None,
    typer.Option("--password-file", metavar="FILE", help="Take the password from its first line; - is standard input."),
]
UserOption = Annotated[
    str | None, typer.Option("--user", metavar="NAME", help="Whose; may be left out when there is one user.")
]


@users_app.command("add")
def users_add(
    name: str,
    config: ConfigOption = None,
    account_id: Annotated[str | None, typer.Option(help="12 digits; generated when left out.")] = None,
    password_file: PasswordFileOption = None,
    ask_password: Annotated[bool, typer.Option("--password", help="Ask for a password at the terminal.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Create a user with a new key pair, and print the pair once."""
    with opened(config) as installation:
        generated = generated_user(name)
        settings = UserSettings(
            name=name,
            access_key_id=generated.access_key_id,
            secret_access_key=generated.secret_access_key,
            account_id=account_id,
            password=_password(password_file) if password_file is not None or ask_password else None,
        )

        def job(connection: Connection) -> user_records.User:
            on_record(connection, "users add", name)
            return add_user(connection, installation.keyring, settings, clock.now())

        user = installation.database.write_now(job)
        facts = {
            "name": user.name,
            "user_id": str(user.id),
            "account_id": user.account_id,
            "access_key_id": user.access_key_id,
            "secret_access_key": settings.secret_access_key.reveal(),
        }
        print_facts(facts, as_json=as_json)


@users_app.command("list")
def users_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the users, each with the older one of its access keys (users key list has both)."""
    with opened(config) as installation:
        found = installation.database.read_now(user_records.everyone)
        rows = [
            (
                user.name,
                str(user.id),
                user.account_id,
                user.access_key_id,
                "no" if user.password_hash is None else "yes",
                f"{user.created_at:%Y-%m-%d}",
            )
            for user in found
        ]
        heads = ("name", "id", "account_id", "access_key_id", "password", "created_at")
        print_table(heads, rows, as_json=as_json)


@users_app.command("remove")
def users_remove(name: str, config: ConfigOption = None) -> None:
    """Remove a user who has no groups and no launch configurations any more."""
    with opened(config) as installation:

        def job(connection: Connection) -> None:
            user = choose_user(connection, name)
            if user_records.owns_anything(connection, user.id):
                raise InstallationError(
                    f"{name} still has groups or launch configurations; delete those first, so that no VM is forgotten."
                )
            on_record(connection, "users remove", name)
            user_records.remove(connection, user.id)

        installation.database.write_now(job)
        say(f"{name} is removed.")


@users_app.command("password")
def users_password(
    name: str,
    config: ConfigOption = None,
    password_file: PasswordFileOption = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the password away: tokens still work.")] = False,
) -> None:
    """Set or change the password of a user. Tokens that the old one got end with it."""
    with opened(config) as installation:
        chosen = installation.database.read_now(lambda connection: choose_user(connection, name))
        password_hash = None if remove else hashed(_password(password_file))

        def job(connection: Connection) -> None:
            on_record(connection, "users password", name)
            change_password(connection, chosen.id, password_hash)

        installation.database.write_now(job)
        say(f"{name} has {'no password any more' if remove else 'a new password'}.")


@tokens_app.command("add")
def tokens_add(
    name: str,
    config: ConfigOption = None,
    user: UserOption = None,
    scope: Annotated[list[Scope] | None, typer.Option(help="reveal: may read stored secrets in clear.")] = None,
    valid_days: Annotated[
        int | None, typer.Option(min=1, max=VALID_DAYS_MAX, help="Days until it expires; never when left out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token called NAME, and print it once; only its hash is kept."""
    with opened(config) as installation:
        if not 1 <= len(name) <= NAME_LENGTH_MAX or not name.isprintable():
            raise InstallationError(f"A token's name must be 1 to {NAME_LENGTH_MAX} printable characters.")
        now = clock.now()

        def job(connection: Connection) -> dict[str, str]:
            chosen = choose_user(connection, user)
            if token_records.living(connection, chosen.id, name, now) is not None:
                raise InstallationError(
                    f"{chosen.name} has a token called {name} already; revoke that one first, or choose another name."
                )
            on_record(connection, "tokens add", chosen.name, name)
            valid = None if valid_days is None else timedelta(days=valid_days)
            made = tokens.make(connection, chosen.id, name=name, scopes=frozenset(scope or ()), now=now, valid=valid)
            return {
                "user": chosen.name,
                "user_id": str(chosen.id),
                "token": made.text.reveal(),
                "expires_at": _shown(made.expires_at) or "never",
            }

        print_facts(installation.database.write_now(job), as_json=as_json)


@tokens_app.command("list")
def tokens_list(config: ConfigOption = None, user: UserOption = None, as_json: JsonOption = False) -> None:
    """List the tokens made with tokens add and env: never their text."""
    with opened(config) as installation:

        def job(connection: Connection) -> list[token_records.TokenRow]:
            chosen = None if user is None else choose_user(connection, user).id
            return token_records.made(connection, chosen)

        now = clock.now()
        heads = ("user", "name", "scopes", "state", "created_at", "expires_at")
        rows = [
            (
                row.user_name,
                row.name or "",
                " ".join(row.scopes),
                _state(row, now),
                _shown(row.created_at),
                _shown(row.expires_at) or "never",
            )
            for row in installation.database.read_now(job)
        ]
        print_table(heads, rows, as_json=as_json)


@tokens_app.command("revoke")
def tokens_revoke(name: str, config: ConfigOption = None, user: UserOption = None) -> None:
    """End the token called NAME. A running gateway refuses it within a second."""
    with opened(config) as installation:
        now = clock.now()

        def job(connection: Connection) -> None:
            chosen = choose_user(connection, user)
            row = token_records.living(connection, chosen.id, name, now)
            if row is None:
                names = [
                    each.name or "" for each in token_records.made(connection, chosen.id) if _state(each, now) == "good"
                ]
                raise InstallationError(
                    f"{chosen.name} has no token called {name}; there are: {', '.join(names) or 'none'}."
                )
            on_record(connection, "tokens revoke", chosen.name, name)
            token_records.revoke(connection, row.id, now)

        installation.database.write_now(job)
        say(f"{name} is revoked.")


def _password(file: Path | None) -> Secret:
    """The password, from a file or asked for twice. Raises InstallationError when it is none."""
    if file is None and not sys.stdin.isatty():
        raise InstallationError("There is no password: name a file with --password-file, or run this at a terminal.")
    if file is None:
        text = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    elif file == Path("-"):
        # One line and no more: what is behind it is not ours, and an endless stream would never end.
        text = sys.stdin.readline(PASSWORD_LENGTH_MAX + 2)
    else:
        try:
            with file.open(encoding="utf-8") as opened_file:
                text = opened_file.readline(PASSWORD_LENGTH_MAX + 2)
        except (OSError, UnicodeDecodeError) as error:
            raise InstallationError(f"The password file {file} cannot be read: {error}.") from error
    text = text.rstrip("\r\n")
    if not 1 <= len(text) <= PASSWORD_LENGTH_MAX:
        raise InstallationError(f"A password must be 1 to {PASSWORD_LENGTH_MAX} characters.")
    return Secret(text)


def _state(row: token_records.TokenRow, now: datetime) -> str:
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.expires_at is not None and row.expires_at <= now else "good"


def _shown(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M}"
