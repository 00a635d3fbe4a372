"""
The commands about credentials: ``phantom-gateway accounts set|list|remove`` and ``keys list|rotate``.

Owns: their arguments, where a secret may come from (never from the command line, which everybody on the machine can
read), and what is printed. Does not own: what becomes of accounts (``accounts``), nor sealing.
"""

import os
import sys
from typing import Annotated

import typer

from phantom_gateway import account_rules, clock
from phantom_gateway.account_rules import SECRET_LENGTH_MAX
from phantom_gateway.accounts import fingerprint, unseal
from phantom_gateway.credentials import Credentials
from phantom_gateway.installation import Installation, InstallationError
from phantom_gateway.keyring import KEYS_VARIABLE, KeyringError
from phantom_gateway.records import accounts as records
from phantom_gateway.records.accounts import AccountState, StoredAccount
from phantom_gateway.records.session import Connection
from phantom_gateway.records.users import User
from phantom_gateway.resealing import UNOPENED, reseal, usage
from phantom_gateway.secret import Secret
from phantom_gateway.terminal import ConfigOption, JsonOption, choose_user, on_record, opened, print_table, say

SECRET_VARIABLE = "PHANTOM_SECRET_ACCESS_KEY"  # noqa: S105 - the name of a variable
"""Where ``accounts set`` finds the secret when nobody sits at a terminal and nothing is piped in."""

accounts_app = typer.Typer(no_args_is_help=True, help="Users' own credentials on clouds, over the operator's.")
keys_app = typer.Typer(no_args_is_help=True, help="The keys that seal the secrets in the database.")

UserOption = Annotated[str, typer.Option("--user", metavar="NAME", help="Whose account it is.")]


@accounts_app.command("set")
def accounts_set(
    cloud: str,
    user: UserOption,
    config: ConfigOption = None,
    access_key_id: Annotated[str | None, typer.Option(help="Public half of the key; asked for when left out.")] = None,
    key_name: Annotated[str | None, typer.Option(help="Key pair of VMs whose launch names none.")] = None,
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="Read the secret from the first line of standard input.")
    ] = False,
    same_account: Annotated[
        bool,
        typer.Option("--same-account", help="The key sees the VMs that the user has there: use it at once."),
    ] = False,
) -> None:
    """Let a user launch on CLOUD with credentials of his own. The secret is asked for, and kept sealed."""
    with opened(config) as installation:
        account_rules.check_cloud(installation.config.cloud_kinds, cloud)
        chosen = installation.database.read_now(lambda connection: choose_user(connection, user))
        key_id = access_key_id or typer.prompt("Access key id")
        credentials = Credentials(key_id, _secret(from_stdin=secret_stdin), key_name)
        account_rules.check_credentials(credentials)

        def job(connection: Connection) -> StoredAccount:
            on_record(connection, "accounts set", f"{user} {cloud}")
            return account_rules.put(
                connection,
                installation.keyring,
                chosen.id,
                cloud,
                credentials,
                clock.now(),
                sees_the_same=same_account,
            )

        account = installation.database.write_now(job)
        _tell_set(account, credentials)


@accounts_app.command("list")
def accounts_list(
    config: ConfigOption = None,
    user: Annotated[str | None, typer.Option(help="Only this user's.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List users' own accounts: the beginning of the key id, and a fingerprint of the pair; never a secret."""
    with opened(config) as installation:

        def job(connection: Connection) -> list[StoredAccount]:
            if user is None:
                return records.everyone(connection)
            return records.of_user(connection, choose_user(connection, user).id)

        rows = [_row(installation, account) for account in installation.database.read_now(job)]
        heads = ("user", "cloud", "access_key_id", "fingerprint", "key_name", "state", "vms", "updated_at")
        print_table(heads, rows, as_json=as_json)


@accounts_app.command("remove")
def accounts_remove(
    cloud: str,
    user: UserOption,
    config: ConfigOption = None,
    force: Annotated[bool, typer.Option("--force", help="Even while the user has VMs there.")] = False,
) -> None:
    """Remove a user's own credentials on CLOUD; afterwards the operator's are used."""
    with opened(config) as installation:

        def job(connection: Connection) -> StoredAccount:
            account = _find(connection, choose_user(connection, user), cloud)
            on_record(connection, "accounts remove", f"{user} {cloud}")
            account_rules.remove(connection, account, clock.now(), force=force, how="--force")
            return account

        account = installation.database.write_now(job)
        say(f"The credentials of {user} on {cloud} are removed.")
        if account.vms and account.state is not AccountState.WAITING:
            say(f"{account.vms} VMs there are unreachable until credentials are set again.")


@keys_app.command("list")
def keys_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the ids of the keys, and how many secrets each seals. No key is ever shown."""
    with opened(config) as installation:
        counts = usage(installation.database, installation.keyring)
        rows = [
            (key_id, "seals" if place == 0 else "opens", str(counts[key_id]))
            for place, key_id in enumerate(installation.keyring.key_ids)
        ]
        if counts[UNOPENED]:
            rows.append(("none", "missing", str(counts[UNOPENED])))
        print_table(("key", "use", "secrets"), rows, as_json=as_json)


@keys_app.command("rotate")
def keys_rotate(config: ConfigOption = None) -> None:
    """Add a new key and seal every secret with it again, while gateways run."""
    with opened(config) as installation:
        keyring = installation.keyring
        file = keyring.file
        if file is not None:
            say(f"The new key is {keyring.add_key()}; it is the first in {file}.")
        installation.database.write_now(lambda connection: on_record(connection, "keys rotate", ""))
        changed = reseal(installation.database, keyring)
        counts = usage(installation.database, keyring)
        say(f"{changed} secrets are sealed again; {counts[keyring.key_ids[0]]} are sealed with the first key.")
        if counts[UNOPENED]:
            raise KeyringError(f"{counts[UNOPENED]} secrets cannot be opened with any key here; add the missing key.")
        if file is None:
            say(
                f"The keys are in ${KEYS_VARIABLE}, which only you can change: to change them, put a new key before "
                "the others, start the gateways again, and run this command once more."
            )
            return
        say(
            f"Gateways that run read {file} again by themselves. Back it up now. Keep the older keys as long as there "
            "are backups of the database from before; then delete their lines (keys list: those that seal 0 secrets)."
        )


def _secret(*, from_stdin: bool) -> Secret:
    """The secret, from where it may come. Raises InstallationError when it comes from nowhere."""
    if from_stdin:
        # One line and no more: what is behind it is not ours, and an endless stream would never end.
        text = sys.stdin.readline(SECRET_LENGTH_MAX + 2).rstrip("\r\n")
    elif SECRET_VARIABLE in os.environ:
        text = os.environ[SECRET_VARIABLE]
    elif sys.stdin.isatty():
        text = typer.prompt("Secret access key", hide_input=True)
    else:
        raise InstallationError(
            f"There is no secret: pipe it in with --secret-stdin, set ${SECRET_VARIABLE}, or run this at a terminal."
        )
    return Secret(text)


def _find(connection: Connection, user: User, cloud: str) -> StoredAccount:
    """The user's own account. Raises InstallationError naming those there are."""
    account = account_rules.present(connection, user.id, cloud)
    if account is None:
        there = [each.cloud for each in records.of_user(connection, user.id) if each.state is not AccountState.REMOVED]
        raise InstallationError(
            f"{user.name} has no credentials on {cloud}; there are some on: {', '.join(there) or 'no cloud'}."
        )
    return account


def _tell_set(account: StoredAccount, credentials: Credentials) -> None:
    """Nothing; it is said what was kept, and from when on it is used."""
    shown, digest = fingerprint(credentials)
    say(f"{account.user_name} has credentials on {account.cloud}: {shown} (fingerprint {digest}).")
    if account.state is AccountState.WAITING and account.vms:
        say(
            f"{account.vms} VMs of {account.user_name} on {account.cloud} are in the operator's account: the new one "
            "is used when those are gone. If it sees them too, say --same-account."
        )
    else:
        say("A running gateway uses them within seconds.")


def _row(installation: Installation, account: StoredAccount) -> tuple[str, ...]:
    """One account as a line of the table."""
    try:
        credentials = unseal(installation.keyring, account)
        shown, digest = ("", "") if credentials is None else fingerprint(credentials)
    except KeyringError:
        shown, digest = "?", "no key opens it"
    return (
        account.user_name,
        account.cloud,
        shown,
        digest,
        account.key_name or "",
        str(account.state),
        str(account.vms),
        f"{account.updated_at:%Y-%m-%d %H:%M}",
    )
