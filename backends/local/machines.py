"""
One machine's life on this host: prepared, started, asked to end, buried.

Owns: the steps that touch disk and processes; they block and run in threads. Does not own: when they are taken
(``cloud``). Each step may be repeated, and each may be the last thing that a gateway does.
"""

import contextlib
import logging
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from backends.cloud import Machine, MachineState
from backends.local.addresses import Addresses
from backends.local.directory import CloudDirectory, Gate, MachineDirectory
from backends.local.processes import (
    Identity,
    current_boot_id,
    kill_tree,
    living,
    marked,
    reaped,
    strike,
    tree_of,
)
from backends.local.records import End, Record
from backends.local.sandbox import Sandbox, wrapped
from backends.local.start import started

SHELL_STATUSES = {126: "not executable", 127: "not found"}
"""What a POSIX shell's exec ends with when there is no such program (XCU 2.8.2)."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Entry:
    """A machine as this gateway knows it. Changed only on the event loop; *identity* None: not started (yet)."""

    record: Record
    directory: MachineDirectory
    identity: Identity | None = None
    terminate_asked_at: datetime | None = None
    end: End | None = None

    @property
    def alive(self) -> bool:
        """True between start and end."""
        return self.identity is not None and self.end is None

    @property
    def to_be_shown(self) -> bool:
        """True when a sweep lists it: a machine that was prepared and never started is none."""
        return self.identity is not None or self.end is not None

    def as_machine(self) -> Machine:
        """The entry as the contract's value. Only for machines that started or ended."""
        state, reason = MachineState.RUNNING, ""
        if self.end is not None:
            state, reason = MachineState.TERMINATED, self.end.reason
        elif self.terminate_asked_at is not None:
            state, reason = MachineState.SHUTTING_DOWN, "Termination was asked for"
        return Machine(
            machine_id=self.record.machine_id,
            state=state,
            mark=self.record.mark,
            launched_at=self.record.launched_at,
            private_ip=self.record.address,
            public_ip=self.record.address,
            zone=self.record.zone,
            index=self.record.index,
            state_reason=reason,
        )


def read_entry(directory: MachineDirectory) -> Entry:
    """The machine that *directory* describes. Raises OSError or ValueError when it cannot be read."""
    start = directory.start()
    return Entry(
        record=directory.record(),
        directory=directory,
        identity=start if isinstance(start, Identity) else None,
        terminate_asked_at=directory.terminate_asked_at(),
        end=directory.end(),
    )


class Host:
    """What machines of one cloud are made from: disk, addresses, a sandbox and a clock."""

    def __init__(self, state: Path, cloud: str, sandbox: Sandbox, clock: Callable[[], datetime]) -> None:
        self.directory = CloudDirectory(state, cloud)
        self._addresses = Addresses(self.directory.addresses)
        self._sandbox = sandbox
        self._clock = clock

    def prepared(self, record: Record, user_data: bytes) -> Entry:
        """The machine *record*, with its address, on disk and ready to be started. Raises OSError, NoCapacity."""
        record = replace(record, address=self._addresses.reserve(record.owner))
        try:
            return Entry(record, self.directory.create(record, user_data))
        except OSError:
            self._addresses.release(record.address, record.owner)
            raise

    def begin(self, entry: Entry, command: tuple[str, ...]) -> Identity:
        """
        The process that *entry* is from now on, or already was.

        Raises:
            Ambiguous: it may start yet; anything else: it never will, and nothing is left of it.

        """
        start = entry.directory.start()
        if isinstance(start, Identity):
            return start
        own, home = entry.directory.path, entry.directory.home
        words = wrapped(command, self._sandbox, state=self.directory.state, own=own, home=home)
        return started(entry.record, entry.directory, words)

    def undone(self, entry: Entry) -> bool:
        """True when nothing is left of *entry*, and nothing of it can start; False when something did start."""
        if not entry.directory.shut():
            return False
        self.directory.remove(entry.directory)
        self._addresses.release(entry.record.address, entry.record.owner)
        return True

    def end_of_unstarted(self, entry: Entry, reason: str) -> End | None:
        """The end of *entry*, which can never start now; None when it started, or is about to."""
        gate = entry.directory.start()
        if isinstance(gate, Identity) or (gate is Gate.UNFINISHED and marked(entry.record.marker)):
            return None
        if gate is Gate.OPEN and not entry.directory.shut():
            return None
        return self._ended(entry, End(self._clock(), reason))

    def begin_to_terminate(self, entry: Entry, identity: Identity, asked_at: datetime) -> None:
        """Nothing; the wish is on disk, then TERM is on its way to the machine's processes."""
        try:
            entry.directory.ask_to_terminate(asked_at)
        except OSError as error:
            # A full disk must not keep machines alive. Only a gateway that dies within the grace forgets the wish.
            log.warning("local.wish_not_written", extra={"machine_id": entry.record.machine_id, "error": str(error)})
        if living(identity) is None:
            return
        if self._sandbox is Sandbox.NONE:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(identity.pid, signal.SIGTERM)
            return
        for stat in tree_of(identity, entry.record.marker):
            # bwrap's first process does not pass TERM on; it ends when what it watches over has ended.
            if stat.pid != identity.pid:
                strike(stat, signal.SIGTERM)

    def buried(self, entry: Entry, identity: Identity) -> End:
        """The end of *entry*, whose first process is dead: what it left behind is killed, freed and written down."""
        status = reaped(identity)
        kill_tree(identity, entry.record.marker)
        return self._ended(entry, End(self._clock(), reason_of(entry, identity, status), status))

    def _ended(self, entry: Entry, end: End) -> End:
        try:
            entry.directory.write_end(end)
            self._addresses.release(entry.record.address, entry.record.owner)
        except OSError as error:
            # The death is true whether or not it can be written: a later gateway finds it out again.
            log.warning("local.end_not_written", extra={"machine_id": entry.record.machine_id, "error": str(error)})
        return end

    def archive(self, entry: Entry) -> list[str]:
        """Ids of the dead machines that are forgotten now, because *entry* joined them. Raises OSError."""
        # Somebody may have removed the directory by hand; then there is nothing to keep.
        with contextlib.suppress(FileNotFoundError):
            entry.directory = self.directory.archive(entry.directory)
        return self.directory.forget_oldest()

    def living(self, gateway_id: str, machine_ids: list[str]) -> list[str]:
        """Those of *machine_ids* that have a living process."""
        return [machine_id for machine_id in machine_ids if marked(f"{gateway_id}/{machine_id}")]

    def loaded(self, gateway_id: str) -> tuple[list[Entry], list[Entry], list[str]]:
        """
        Machines of *gateway_id* on disk: known, dead and archived, and the ids of living ones that cannot be read.

        Frees the addresses of those that are gone.
        """
        self.directory.sweep_out_unfinished()
        entries, unreadable, owners = [], [], set()
        for directory in self.directory.machines():
            machine_id = directory.path.name
            try:
                entry = read_entry(directory)
            except (OSError, ValueError) as error:
                log.warning("local.record_unreadable", extra={"path": str(directory.path), "error": str(error)})
                if marked(f"{gateway_id}/{machine_id}"):
                    unreadable.append(machine_id)
                    owners.add(f"{self.directory.path.name}/{machine_id}")
                else:
                    self.directory.archive(directory)
                continue
            if entry.end is None:
                owners.add(entry.record.owner)
            if entry.record.gateway_id == gateway_id:
                entries.append(entry)
        self._addresses.release_all_but(owners, self.directory.path.name)
        return entries, self._archived(gateway_id), unreadable

    def _archived(self, gateway_id: str) -> list[Entry]:
        """The dead machines that are remembered for their tokens."""
        archived = []
        for directory in self.directory.dead_machines():
            try:
                entry = read_entry(directory)
            except (OSError, ValueError):
                continue
            if entry.record.gateway_id == gateway_id and entry.end is not None:
                archived.append(entry)
        return archived


def reason_of(entry: Entry, identity: Identity, status: int | None) -> str:
    """Why the machine ended, for a person."""
    if identity.boot_id != current_boot_id():
        return "The host was restarted"
    if entry.terminate_asked_at is not None:
        return "Terminated on request"
    if status is None:
        return "Its process ended while no gateway could see how"
    if status < 0:
        return f"Its process was killed by signal {-status} ({signal.Signals(-status).name})"
    text = f"Its process ended with status {status}"
    if status in SHELL_STATUSES:
        text += f" ({SHELL_STATUSES[status]})"
    last = entry.directory.console_tail() if status else ""
    return f"{text}; console: {last}" if last else text
