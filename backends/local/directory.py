"""
What a local cloud keeps on disk: one directory per machine, the dead ones, and a lock.

Owns: names, permissions and the order of writes, which together make a start happen at most once. Does not own:
processes. Layout: STATE/CLOUD/{.lock, i-*/, dead/i-*/}, and STATE/.addresses for all clouds of one gateway.
"""

import fcntl
import os
import select
import shutil
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from pathlib import Path

from backends.errors import Unreachable
from backends.local.processes import Identity, parsed_stat, stat_of
from backends.local.records import End, Record

CONSOLE_BYTES_MAX = 8 << 20
"""A machine writes its console log itself, so the log is cut when a sweep finds it longer than this."""

CONSOLE_TAIL_BYTES = 1 << 20
"""What is kept of a log that was cut, as console.log.old."""

DEAD_KEPT_MAX = 100
"""Directories of dead machines kept for a look at their console logs. Higher: more disk (9 MiB each at worst)."""

LOCK_ATTEMPTS_MAX = 100
"""At a lock whose holder is dead. Between fork and execution of a child lie microseconds, or more on a busy host."""

LOCK_ATTEMPT_MS = 10
"""From one attempt to the next."""

ABANDONED = "abandoned\n"
"""In the place of a pid: the machine was given up before it started, and nothing may start it now."""


class Gate(Enum):
    """What a pid record says when it does not name a process."""

    OPEN = "open"
    """There is none: whoever creates it may start the machine."""
    UNFINISHED = "unfinished"
    """It was created and not written: its creator is about to write it, or died in between."""
    SHUT = "shut"
    """The machine was given up; it never starts."""


def write_whole(path: Path, content: bytes, *, sync: bool = False) -> None:
    """Nothing; *path* (0600) holds all of *content*, or what it held before."""
    unfinished = path.with_name(f".{path.name}.new")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        if sync:
            os.fsync(file.fileno())
    unfinished.replace(path)


def sync_directory(path: Path) -> None:
    """Nothing; the names in *path* would survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def locked(descriptor: int) -> str | None:
    """None when the lock *descriptor* is ours now; otherwise the pid of the process that has it."""
    holder = "unknown"
    for _ in range(LOCK_ATTEMPTS_MAX):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode().strip() or "unknown"
            # A gateway killed while it forked leaves the lock with a child that is about to execute the prologue.
            if not holder.isdigit() or stat_of(int(holder)) is not None:
                return holder
            select.poll().poll(LOCK_ATTEMPT_MS)
        else:
            return None
    return holder


class MachineDirectory:
    """
    One machine's directory: record.json, pid, console.log, user-data, home/; later terminate.json and end.json.

    The file ``pid`` is the gate to a start: created exclusively, by the process that becomes the machine (``start``)
    or by whoever gives the machine up.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pid = path / "pid"
        self.console = path / "console.log"
        self.user_data = path / "user-data"
        self.home = path / "home"
        self._record = path / "record.json"
        self._termination = path / "terminate.json"
        self._end = path / "end.json"

    def record(self) -> Record:
        """The record of this machine. Raises OSError or ValueError when there is none that can be read."""
        return Record.from_json(self._record.read_text())

    def fill(self, record: Record, user_data: bytes) -> None:
        """Nothing; everything is there that has to be before a start."""
        self.home.mkdir(mode=0o700)
        write_whole(self.user_data, user_data)
        write_whole(self._record, record.to_json().encode(), sync=True)

    def start(self) -> Identity | Gate:
        """The process that this machine started as, or the state of the gate."""
        try:
            text = self.pid.read_text()
        except FileNotFoundError:
            return Gate.OPEN
        if text == ABANDONED:
            return Gate.SHUT
        boot_id, _, stat_line = text.partition("\n")
        if not stat_line.endswith("\n"):
            return Gate.UNFINISHED
        stat = parsed_stat(stat_line)
        return Identity(stat.pid, stat.start_ticks, boot_id)

    def shut(self) -> bool:
        """True when this machine can never start now; False when something started it, or is about to."""
        try:
            descriptor = os.open(self.pid, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            return self.start() is Gate.SHUT
        with os.fdopen(descriptor, "w") as file:
            file.write(ABANDONED)
        return True

    def terminate_asked_at(self) -> datetime | None:
        """When somebody wanted this machine to end; None when nobody did."""
        try:
            return datetime.fromisoformat(self._termination.read_text().strip())
        except FileNotFoundError:
            return None

    def ask_to_terminate(self, at: datetime) -> None:
        """Nothing; the wish is on disk."""
        write_whole(self._termination, at.isoformat().encode())

    def end(self) -> End | None:
        """How this machine ended; None while it has not."""
        try:
            return End.from_json(self._end.read_text())
        except FileNotFoundError:
            return None

    def write_end(self, end: End) -> None:
        """Nothing; the end is on disk and the user data is not any more."""
        self.user_data.unlink(missing_ok=True)
        write_whole(self._end, end.to_json().encode())

    def cut_console(self) -> None:
        """Nothing; the console log is not longer than CONSOLE_BYTES_MAX. What is written meanwhile may be lost."""
        try:
            if self.console.stat().st_size <= CONSOLE_BYTES_MAX:
                return
        except FileNotFoundError:
            return
        with self.console.open("rb+") as log:
            log.seek(-CONSOLE_TAIL_BYTES, os.SEEK_END)
            write_whole(self.path / "console.log.old", log.read(CONSOLE_TAIL_BYTES))
            # Its writers append (O_APPEND), so that they go on at the new end.
            log.truncate(0)

    def console_tail(self, characters_max: int = 200) -> str:
        """The last line of the console log, for a person; "" when there is none."""
        try:
            with self.console.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(0, size - 4 * characters_max))
                lines = log.read().decode(errors="replace").split("\n")
        except FileNotFoundError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")[-characters_max:]


class CloudDirectory:
    """The directories of one cloud's machines. One gateway at a time: see ``lock``."""

    def __init__(self, state: Path, cloud: str) -> None:
        self.state = state
        self.path = state / cloud
        self.dead = self.path / "dead"
        self.addresses = state / ".addresses"
        self._lock: int | None = None

    def lock(self) -> None:
        """
        Nothing; the directory is there and is ours until ``unlock``, or until this process ends.

        Raises:
            Unreachable: another gateway has it.

        """
        for folder in (self.state, self.addresses, self.path, self.dead):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        holder = locked(descriptor)
        if holder is not None:
            os.close(descriptor)
            raise Unreachable(
                f"{self.path} is in use by another gateway (process {holder}): stop that one, or give this one a "
                "state directory of its own",
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._lock = descriptor

    def unlock(self) -> None:
        """Nothing; another gateway may use the directory."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def machines(self) -> Iterator[MachineDirectory]:
        """The directory of every machine that is not among the dead."""
        for path in sorted(self.path.glob("i-*")):
            yield MachineDirectory(path)

    def dead_machines(self) -> Iterator[MachineDirectory]:
        """The directory of every machine that is remembered only for its log and its token."""
        for path in sorted(self.dead.glob("i-*")):
            yield MachineDirectory(path)

    def sweep_out_unfinished(self) -> None:
        """Nothing; what a gateway left that ended while it made a directory is gone. Nothing was started from it."""
        for path in self.path.glob(".new-*"):
            shutil.rmtree(path)

    def create(self, record: Record, user_data: bytes) -> MachineDirectory:
        """The new directory of the machine *record*: it appears whole, in one step, or not at all."""
        unfinished = self.path / f".new-{record.machine_id}"
        # An earlier attempt may have failed halfway, on a full disk for example.
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        MachineDirectory(unfinished).fill(record, user_data)
        final = unfinished.rename(self.path / record.machine_id)
        sync_directory(self.path)
        return MachineDirectory(final)

    def remove(self, machine: MachineDirectory) -> None:
        """Nothing; no trace of *machine* is left. For machines that never started."""
        doomed = machine.path.rename(self.path / f".new-{machine.path.name}")
        shutil.rmtree(doomed)

    def archive(self, machine: MachineDirectory) -> MachineDirectory:
        """The directory of *machine* in its new place, among the dead."""
        return MachineDirectory(machine.path.rename(self.dead / machine.path.name))

    def forget_oldest(self) -> list[str]:
        """Ids of the dead machines that are not remembered any more, so that DEAD_KEPT_MAX are."""
        kept = sorted(self.dead.glob("i-*"), key=lambda path: path.stat().st_mtime)
        forgotten = kept[: max(0, len(kept) - DEAD_KEPT_MAX)]
        for path in forgotten:
            shutil.rmtree(path)
        return [path.name for path in forgotten]
