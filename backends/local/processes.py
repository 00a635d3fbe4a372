"""
Processes, told apart for certain: by pid, start time and boot, never by pid alone.

Owns: reading /proc, signals that cannot hit a stranger, and the end of a whole tree. Does not own: which process is
which machine (``directory``) and when to look (``watch``). Linux only.
"""

import contextlib
import logging
import os
import select
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

KILL_ROUNDS_MAX = 4
"""A tree that forks while it is killed needs another round. Higher: a fork bomb holds a thread for longer."""

KILL_WAIT_S = 1.0
"""For one killed process to be gone. A process in uninterruptible sleep takes longer and is left to the next round."""

MARKER = "PHANTOM_MACHINE"
"""The environment variable that a machine's processes, and those they start, carry."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """One process of all that ever were on this host. *start_ticks* is field 22 of its stat line (proc(5))."""

    pid: int
    start_ticks: int
    boot_id: str


@dataclass(frozen=True, slots=True)
class Stat:
    """What proc(5) says of a process in its stat line, as far as we care."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    start_ticks: int

    @property
    def dead(self) -> bool:
        """True for a process that only waits to be reaped."""
        return self.state in {"Z", "X", "x"}


def parsed_stat(line: str) -> Stat:
    """
    The stat line *line*.

    Raises:
        ValueError: it is not one.

    """
    # The second field is the program's name in brackets and may hold anything, brackets and blanks included.
    before, bracket, after = line.rpartition(") ")
    fields = after.split()
    try:
        return Stat(
            pid=int(before.split(" ", 1)[0]),
            state=fields[0],
            parent=int(fields[1]),
            group=int(fields[2]),
            session=int(fields[3]),
            start_ticks=int(fields[19]),
        )
    except IndexError:
        raise ValueError(f"not a stat line: {line[:100]!r}{bracket[:0]}") from None


def stat_of(pid: int) -> Stat | None:
    """The stat line of process *pid*; None when there is no such process."""
    try:
        # os.open is four times as fast as pathlib here, and a sweep reads one of these per machine.
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return parsed_stat(os.read(descriptor, 4096).decode(errors="replace"))
        finally:
            os.close(descriptor)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        # Not permitted (a /proc with hidepid): another user's, so not one of ours.
        return None


@cache
def current_boot_id() -> str:
    """The id of this boot of the host: another one means that every process recorded is gone."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def living(identity: Identity) -> Stat | None:
    """The stat line of *identity* while it lives; None for a zombie, another process of that pid, or another boot."""
    if identity.boot_id != current_boot_id():
        return None
    stat = stat_of(identity.pid)
    return stat if stat is not None and stat.start_ticks == identity.start_ticks and not stat.dead else None


def reaped(identity: Identity) -> int | None:
    """Exit status of our dead child *identity* (negative: the signal), which is no zombie any more; None if unknown."""
    stat = stat_of(identity.pid)
    ours = stat is not None and stat.parent == os.getpid() and stat.start_ticks == identity.start_ticks and stat.dead
    if not ours:
        return None
    try:
        # Nobody else reaps our children, so the zombie keeps the pid from being used again until this very call.
        result = os.waitid(os.P_PID, identity.pid, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return None
    if result is None:
        return None
    return result.si_status if result.si_code == os.CLD_EXITED else -result.si_status


def carries(pid: int, marker: str) -> bool:
    """True when process *pid* was started with PHANTOM_MACHINE=*marker*; False when that cannot be read."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return f"{MARKER}={marker}".encode() in environment.split(b"\0")


def all_stats() -> Iterator[Stat]:
    """Every process on this host that is not dead, except this one."""
    for name in os.listdir("/proc"):  # noqa: PTH208 - no Path per process: a scan reads hundreds
        if name.isdigit() and int(name) != os.getpid():
            stat = stat_of(int(name))
            if stat is not None and not stat.dead:
                yield stat


def marked(marker: str, since_ticks: int = 0) -> list[Stat]:
    """Every living process that carries *marker* and is not older than *since_ticks*."""
    return [stat for stat in all_stats() if stat.start_ticks >= since_ticks and carries(stat.pid, marker)]


def tree_of(identity: Identity, marker: str) -> list[Stat]:
    """
    Every living process of the machine whose first process is, or was, *identity*.

    That is: of its session, or carrying its marker wherever it hid. A session keeps its number for as long as it has
    members, so the number is proof unless a younger process already has that pid.
    """
    if identity.boot_id != current_boot_id():
        return []
    first = stat_of(identity.pid)
    session = identity.pid if first is None or first.start_ticks == identity.start_ticks else None
    return [
        stat
        for stat in all_stats()
        if stat.start_ticks >= identity.start_ticks and (stat.session == session or carries(stat.pid, marker))
    ]


def strike(stat: Stat, number: signal.Signals, wait_s: float = 0.0) -> None:
    """Nothing; exactly this process got the signal, if it still was there. Waits *wait_s* at most for its death."""
    with contextlib.suppress(ProcessLookupError):
        try:
            descriptor = os.pidfd_open(stat.pid)
        except (AttributeError, OSError) as error:
            if isinstance(error, ProcessLookupError):
                return
            # No pidfd here. Reading the stat line once more leaves microseconds for the pid to change hands.
            if (now := stat_of(stat.pid)) is not None and now.start_ticks == stat.start_ticks:
                os.kill(stat.pid, number)
                select.poll().poll(min(wait_s, 0.01) * 1000)
            return
        try:
            now = stat_of(stat.pid)
            if now is not None and now.start_ticks == stat.start_ticks:
                signal.pidfd_send_signal(descriptor, number)
                if wait_s:
                    poll = select.poll()
                    poll.register(descriptor, select.POLLIN)
                    poll.poll(wait_s * 1000)
        finally:
            os.close(descriptor)


def kill_tree(identity: Identity, marker: str) -> int:
    """How many processes of the machine are left after KILL; not 0 only for those that cannot die now."""
    for _ in range(KILL_ROUNDS_MAX):
        doomed = tree_of(identity, marker)
        if not doomed:
            return 0
        for stat in doomed:
            strike(stat, signal.SIGKILL, KILL_WAIT_S)
    left = len(tree_of(identity, marker))
    if left:
        log.warning("local.processes_left", extra={"pid": identity.pid, "count": left})
    return left
