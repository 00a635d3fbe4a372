"""
The start of a machine: a process that outlives the gateway, and that is started once at most.

Owns: the prologue, the environment and the wait for the pid record. Does not own: what must be on disk before
(``directory``). The prologue runs in the process that becomes the machine and takes the pid record before it executes
the image: whatever kills the gateway, and whenever, a second start of the same machine finds the record taken.
"""

import os
import select
import subprocess

from backends.errors import Ambiguous, NoCapacity, Unreachable
from backends.local.directory import Gate, MachineDirectory
from backends.local.images import SEARCH_PATH
from backends.local.processes import MARKER, Identity
from backends.local.records import Record

START_TIMEOUT_S = 10.0
"""From fork to pid record; 3 ms when the host is idle. Higher: a stuck host holds a thread for longer."""

LOST_STATUS = 73
"""Exit status of a prologue that found the pid record taken."""

# noclobber (set -C) creates the record with O_EXCL. One printf writes it, because dash hands over the whole buffer.
# Standard input is a pipe whose only other end is the gateway's: that it closes tells the gateway that the record is
# written, or that the prologue is dead. The image itself has no pipe to the gateway.
PROLOGUE = f"""
set -C
read -r stat < /proc/$$/stat && read -r boot < /proc/sys/kernel/random/boot_id || exit 74
{{ printf '%s\\n%s\\n' "$boot" "$stat" > "$1"; }} 2> /dev/null || exit {LOST_STATUS}
set +C
shift
exec < /dev/null
exec "$@"
"""


def environment_of(record: Record, directory: MachineDirectory) -> dict[str, str]:
    """All variables that the machine *record* starts with; nothing of the gateway's own environment."""
    return {
        "PATH": SEARCH_PATH,
        "HOME": str(directory.home),
        "LANG": "C.UTF-8",
        "PHANTOM_INSTANCE_ID": record.machine_id,
        "PHANTOM_CLOUD": record.cloud,
        "PHANTOM_ADDRESS": record.address,
        "PHANTOM_IMAGE": record.image_id,
        "PHANTOM_INSTANCE_TYPE": record.instance_type,
        "PHANTOM_USER_DATA_FILE": str(directory.user_data),
        "PHANTOM_GROUP_UID": record.group_uid,
        MARKER: record.marker,
    }


def started(record: Record, directory: MachineDirectory, command: tuple[str, ...]) -> Identity:
    """
    The process that the machine *record* is: started now, or by somebody who was faster.

    Raises:
        OSError: it could not be forked; nothing was started.
        NoCapacity: it could not write its pid record; nothing was started.
        Unreachable: it was given up meanwhile; nothing was started.
        Ambiguous: the pid record did not come in time, or cannot be read; it may come yet.

    """
    reader, writer = os.pipe()
    try:
        try:
            child = spawned(record, directory, command, writer)
        finally:
            os.close(writer)
        settled = closed_in_time(reader)
    finally:
        os.close(reader)
    try:
        gate = directory.start()
    except OSError as error:
        raise Ambiguous(f"{record.machine_id} may have started: {error}") from error
    if isinstance(gate, Identity) and gate.pid == child:
        return gate
    if not settled:
        raise Ambiguous(f"{record.machine_id} did not write its pid record within {START_TIMEOUT_S:g} s")
    _, status = os.waitpid(child, 0)
    if isinstance(gate, Identity):
        return gate
    if gate is Gate.SHUT:
        raise Unreachable(f"{record.machine_id} was given up before it started")
    if gate is Gate.UNFINISHED:
        raise Ambiguous(f"{record.machine_id}'s pid record is not complete: another start may be under way")
    raise NoCapacity(
        f"{record.machine_id} could not write its pid record (status {os.waitstatus_to_exitcode(status)}): is the "
        "disk full?",
    )


def spawned(record: Record, directory: MachineDirectory, command: tuple[str, ...], stdin: int) -> int:
    """The pid of a new child, leader of its own session, that runs the prologue. Raises OSError."""
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    console = os.open(directory.console, append, 0o600)
    try:
        child = subprocess.Popen(  # noqa: S603 - running an operator's command is what this cloud is for
            ["/bin/sh", "-c", PROLOGUE, "phantom-start", str(directory.pid), *command],
            stdin=stdin,
            stdout=console,
            stderr=console,
            cwd=directory.home,
            env=environment_of(record, directory),
            start_new_session=True,
        )
    finally:
        os.close(console)
    # The machine outlives this object and is reaped by its identity; without a status the object would warn of that.
    child.returncode = 0
    return child.pid


def closed_in_time(reader: int) -> bool:
    """True when all other ends of the pipe *reader* are closed; False when START_TIMEOUT_S passed before."""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    return bool(poll.poll(START_TIMEOUT_S * 1000))
