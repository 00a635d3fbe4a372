"""
The commands for the worst day: ``phantom-gateway freeze|thaw|plan``.

Owns: their arguments and what is printed. Does not own: what a freeze stops (``reconciler.freezes``), nor how a running
gateway learns of it: it reads the records twice a second.
"""

import json
import uuid
from typing import Annotated

import typer

from phantom_gateway import clock
from phantom_gateway.explain import tell
from phantom_gateway.installation import Installation, InstallationError
from phantom_gateway.records import freezes, groups
from phantom_gateway.records.session import Connection
from phantom_gateway.terminal import (
    ConfigOption,
    JsonOption,
    choose_user,
    on_record,
    opened,
    operator,
    print_table,
    say,
)
from reconciler.freezes import Freeze, Scope

AllOption = Annotated[bool, typer.Option("--all", help="Everything on every cloud.")]
CloudOption = Annotated[str | None, typer.Option("--cloud", metavar="NAME", help="One cloud, for every user.")]
UserOption = Annotated[
    str | None, typer.Option("--user", metavar="NAME", help="All groups of a user; with --group: whose group.")
]
GroupOption = Annotated[str | None, typer.Option("--group", metavar="NAME", help="One group.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Shown wherever something waits because of it.")]

REASON_LENGTH_MAX = 500
"""Characters: a sentence or three, not a log file."""


def freeze(
    everything: AllOption = False,
    cloud: CloudOption = None,
    user: UserOption = None,
    group: GroupOption = None,
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> None:
    """Press the red button: launch and terminate nothing there until it is thawed. Without options, list freezes."""
    with opened(config) as installation:
        if not (everything or cloud or user or group):
            _list(installation, as_json=False)
            return
        if len(reason) > REASON_LENGTH_MAX:
            raise InstallationError(f"--reason has {len(reason)} characters; {REASON_LENGTH_MAX} are allowed.")

        def job(connection: Connection) -> tuple[Freeze, bool]:
            scope, name, label = _place(installation, connection, everything, cloud, user, group)
            laid = Freeze(scope, name, label, operator(), clock.now(), reason.strip())
            on_record(connection, "freeze", f"{scope.value} {label}".strip(), laid.reason)
            return laid, freezes.lay(connection, laid, _new_id)

        laid, is_new = installation.database.write_now(job)
        what = "Everything" if laid.scope is Scope.ALL else f"{laid.scope.capitalize()} {laid.label}"
        say(f"{what} {'is frozen now' if is_new else 'was frozen before'}.")
        say("See what would be done for a group: phantom-gateway plan GROUP")


def thaw(
    everything: AllOption = False,
    cloud: CloudOption = None,
    user: UserOption = None,
    group: GroupOption = None,
    config: ConfigOption = None,
) -> None:
    """Release the red button: what one freeze covered goes on, unless another one covers it, too."""
    with opened(config) as installation:
        if not (everything or cloud or user or group):
            raise InstallationError("Say what to thaw: --all, --cloud, --user or --group.")

        def job(connection: Connection) -> Freeze | None:
            scope, name, label = _place(installation, connection, everything, cloud, user, group)
            on_record(connection, "thaw", f"{scope.value} {label}".strip())
            return freezes.lift(connection, scope, name, operator(), clock.now(), _new_id)

        lifted = installation.database.write_now(job)
        if lifted is None:
            raise InstallationError("That is not frozen by itself; phantom-gateway freeze lists what is.")
        say(f"Thawed: {lifted.sentence}.")
        _list(installation, as_json=False)


def plan(
    group: str,
    config: ConfigOption = None,
    user: Annotated[str | None, typer.Option(help="Whose group, when several users have one of this name.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what would be done for a frozen group, were it thawed now. The gateway plans on, and does nothing."""
    with opened(config) as installation:
        stories = installation.database.read_now(lambda connection: tell(connection, group, user))
        if not stories:
            raise InstallationError(f"There is no group called {group}; list them with describe-auto-scaling-groups.")
        if as_json:
            parts = ("group", "user", "frozen", "would", "waiting_on")
            found = [story.as_json() for story in stories]
            typer.echo(json.dumps([{part: story[part] for part in parts} for story in found], indent=2))
            return
        for story in stories:
            say(f"{story.name} of {story.user}")
            for sentence in story.frozen or ["it is not frozen: what there is to do is being done"]:
                say(f"  {sentence}")
            for sentence in story.would or (["nothing would be done"] if story.frozen else []):
                say(f"  would: {sentence}")


def _list(installation: Installation, *, as_json: bool) -> None:
    found = installation.database.read_now(freezes.everything)
    if not found:
        say("Nothing is frozen.")
        return
    rows = [(f.scope.value, f.label, f.by, f"{f.at:%Y-%m-%d %H:%M:%S}", f.reason) for f in found]
    print_table(("frozen", "name", "by", "since", "reason"), rows, as_json=as_json)


def _place(
    installation: Installation,
    connection: Connection,
    everything: bool,
    cloud: str | None,
    user: str | None,
    group: str | None,
) -> tuple[Scope, str, str]:
    """(scope, name, label) of what the options mean. Raises InstallationError when they mean nothing, or several."""
    named = [option for option, given in (("--all", everything), ("--cloud", cloud), ("--group", group)) if given]
    if len(named) > 1 or (user and named and named != ["--group"]):
        raise InstallationError("Give one of --all, --cloud, --user and --group; --user with --group says whose it is.")
    if everything:
        return Scope.ALL, "", ""
    if cloud:
        if cloud not in installation.config.clouds:
            known = ", ".join(installation.config.clouds)
            raise InstallationError(f"There is no cloud called {cloud}; the clouds are: {known}.")
        return Scope.CLOUD, cloud, cloud
    owner = None if user is None else choose_user(connection, user)
    if group is None:
        assert owner is not None, "one of the options was given"
        return Scope.USER, str(owner.id), owner.name
    found = [each for each in groups.with_users(connection, group) if owner is None or each[0] == owner.name]
    if not found:
        raise InstallationError(f"There is no group called {group}; list them with describe-auto-scaling-groups.")
    if len({name for name, _ in found}) > 1:
        owners = ", ".join(name for name, _ in found)
        raise InstallationError(f"Several users have a group called {group}: {owners}; say whose with --user.")
    name, uid = found[-1]  # the newest: older ones of the name are being deleted
    return Scope.GROUP, uid, f"{group} of {name}"


def _new_id() -> str:
    return str(uuid.uuid4())
