"""
The commands ``phantom-gateway unrecorded|adopt|reap``: what to do about machines that the records know nothing of.

Owns: their arguments and what is printed. Adopting and reaping are intents: a gateway that runs carries them out once
nothing is frozen any more, with all its checks. Does not own: finding them (``first_look``).
"""

from typing import Annotated

import typer

from phantom_gateway import clock
from phantom_gateway.installation import InstallationError
from phantom_gateway.records import groups, instances, unrecorded
from phantom_gateway.records.session import Connection
from phantom_gateway.records.unrecorded import Unrecorded
from phantom_gateway.terminal import ConfigOption, JsonOption, choose_user, on_record, opened, print_table, say

HEADS = ("cloud", "machine", "group", "launched")

UserOption = Annotated[str | None, typer.Option(help="Whose group, when several users have one of this name.")]


def unrecorded_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List machines with our mark that the records know nothing of, as the gateway saw them last."""
    with opened(config) as installation:
        found = installation.database.read_now(unrecorded.listed)
        if not found and not as_json:
            say("None: every machine with our mark is on record.")
            return
        print_table(HEADS, _rows(found), as_json=as_json)


def adopt(group: str, config: ConfigOption = None, user: UserOption = None) -> None:
    """Keep a group's unrecorded machines: its capacity is raised to have room for all of them, and it takes them in."""
    with opened(config) as installation:

        def job(connection: Connection) -> tuple[int, int]:
            wanted = [each for each in groups.with_users(connection, group) if user in {None, each[0]}]
            if len(wanted) != 1:
                raise InstallationError(f"There are {len(wanted)} groups called {group}; say which with --user.")
            row = groups.by_uid(connection, wanted[0][1])
            assert row is not None
            found = [each for each in unrecorded.listed(connection) if each.group_uid == row.uid]
            if not found:
                raise InstallationError(f"No unrecorded machine is of {group}; see: phantom-gateway unrecorded.")
            there = sum(member.terminate_sent_at is None for member in instances.of_group(connection, row.id))
            desired = max(row.desired, there + len(found))
            values = {"desired": desired, "maximum": max(row.maximum, desired), "last_scaled_at": clock.now()}
            groups.change(connection, row.id, values, clock.now())
            unrecorded.keep(connection, found)
            on_record(connection, "adopt", group, f"machines={len(found)} desired={desired}")
            return len(found), desired

        count, desired = installation.database.write_now(job)
        say(f"{group} wants {desired} now, and takes in its {count} unrecorded machines once it is thawed.")
        say("Set its capacity afterwards to what you need: phantom-gateway thaw, then explain.")


def reap(
    config: ConfigOption = None,
    user: UserOption = None,
    group: Annotated[str | None, typer.Option(help="Only machines of this group; else all that are listed.")] = None,
    cloud: Annotated[str | None, typer.Option(help="Only machines on this cloud.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say which, and do nothing.")] = False,
) -> None:
    """Give unrecorded machines up: the gateway terminates those that nothing on record stands for, once thawed."""
    with opened(config) as installation:

        def job(connection: Connection) -> list[Unrecorded]:
            uids = None
            if group is not None:
                owner = None if user is None else choose_user(connection, user).name
                uids = {uid for name, uid in groups.with_users(connection, group) if owner in {None, name}}
            found = [
                each
                for each in unrecorded.listed(connection)
                if (uids is None or each.group_uid in uids) and cloud in {None, each.cloud}
            ]
            if found and not dry_run:
                unrecorded.condemn(connection, found)
                on_record(connection, "reap", group or cloud or "all unrecorded", f"machines={len(found)}")
            return found

        found = installation.database.write_now(job)
        if not found:
            raise InstallationError("No such machine is unrecorded; see: phantom-gateway unrecorded.")
        print_table(HEADS, _rows(found), as_json=False)
        would = "would be" if dry_run else "are"
        say(f"{len(found)} machines {would} given up.")


def _rows(found: list[Unrecorded]) -> list[tuple[str, ...]]:
    return [(each.cloud, each.machine_id, each.group or f"({each.group_uid})", each.launched_at[:19]) for each in found]
