"""
The commands about access keys: ``phantom-gateway users key add|list|revoke``.

Owns: their arguments, and what is printed. Does not own: who may have how many keys (``access_keys``).
"""

from typing import Annotated

import typer

from phantom_gateway import access_keys, clock
from phantom_gateway.records import access_keys as key_records
from phantom_gateway.records import users as user_records
from phantom_gateway.records.session import Connection
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

key_app = typer.Typer(no_args_is_help=True, help="Change a user's access key: add one, use it, revoke the old one.")


@key_app.command("add")
def key_add(name: str, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Make a second access key for the user NAME, and print the pair once. Both sign from now on."""
    with opened(config) as installation:

        def job(connection: Connection) -> dict[str, str]:
            user = choose_user(connection, name)
            access_key_id, secret = access_keys.add(
                connection, installation.keyring, installation.config, user, clock.now()
            )
            on_record(connection, "users key add", user.name, access_key_id)
            return {"name": user.name, "access_key_id": access_key_id, "secret_access_key": secret.reveal()}

        print_facts(installation.database.write_now(job), as_json=as_json)


@key_app.command("list")
def key_list(
    name: Annotated[str | None, typer.Argument(help="Whose; everybody's when left out.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List access keys, of each user the oldest first; secrets are never shown."""
    with opened(config) as installation:

        def job(connection: Connection) -> list[tuple[str, ...]]:
            chosen = user_records.everyone(connection) if name is None else [choose_user(connection, name)]
            return [
                (user.name, key.access_key_id, f"{key.created_at:%Y-%m-%d}")
                for user in chosen
                for key in key_records.of_user(connection, user.id)
            ]

        heads = ("user", "access_key_id", "created_at")
        print_table(heads, installation.database.read_now(job), as_json=as_json)


@key_app.command("revoke")
def key_revoke(access_key_id: str, config: ConfigOption = None) -> None:
    """End the access key ACCESS_KEY_ID. Every running gateway refuses it within a second."""
    with opened(config) as installation:

        def job(connection: Connection) -> str:
            user = access_keys.revoke(connection, installation.config, access_key_id)
            on_record(connection, "users key revoke", user.name, access_key_id)
            return user.name

        name = installation.database.write_now(job)
        say(f"{access_key_id} of {name} is revoked.")
