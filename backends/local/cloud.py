"""
A cloud on this host: every machine is a process tree with its own address, directory and console log.

Owns: the contract's verbs, what is known of each machine, and when each step is taken. Does not own: the steps
(``machines``), which run in a few threads so that the event loop never waits for a disk. Machines outlive the gateway;
the next one over the same directory finds them all.
"""

import asyncio
import errno
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from backends.cloud import CloudTraits, Inquiry, LaunchSpec, Machine, Mark, Probe, Sweep
from backends.errors import Ambiguous, CloudError, NoCapacity, Refused, Unreachable
from backends.local import probing
from backends.local.directory import Gate
from backends.local.images import BUILT_IN, Image, broken, command_of
from backends.local.machines import Entry, Host
from backends.local.processes import Identity, kill_tree, living
from backends.local.records import Record, machine_id_of
from backends.local.sandbox import Sandbox, missing
from backends.local.watch import DeathWatch
from backends.local.workers import Workers, ended
from backends.refusals import of_ec2_alone, refuse

VMS_MAX = 50
"""Living machines per cloud. Each is at least one process, some 7 MB when it is a Python program."""

TERMINATE_GRACE_S = 10.0
"""From TERM to KILL. Higher: stubborn machines hold their place for longer. Lower: a clean end is cut short."""

RECORD_KEPT_S = 60.0
"""A dead machine is listed for this long, so that no sweep misses its death (EC2 lists it for an hour)."""

UNSTARTED_KEPT_S = 3600.0
"""A machine that was prepared and never started waits this long for its launch to be repeated."""

LAUNCH_BATCH_MAX = 20
"""Machines per launch call: some 30 ms of work."""

YOUNG_S = 3.0
"""A command that cannot run ends within a second or two; whoever kills a VM, and looks on, kills older ones."""

TRAITS = CloudTraits(
    token_is_idempotent=True,
    launch_batch_max=LAUNCH_BATCH_MAX,
    visible_after_s=0.0,
    boot_timeout_s=30.0,
    young_s=YOUNG_S,
    announces_changes=True,
)

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM})
"""Operating system errors that say "no room here": another cloud, or a later try, may have some."""


class LocalCloud:
    """
    The cloud *name* of gateway *gateway_id*; its machines are under *directory*/*name*.

    Clouds of one gateway share *directory*, and with it the pool of addresses. *images* come on top of the built-in
    ones. Nothing is read or locked before the first verb; then exactly one gateway has the cloud until ``close``.
    """

    def __init__(
        self,
        name: str,
        directory: Path,
        gateway_id: str,
        images: Mapping[str, Image],
        *,
        clock: Callable[[], datetime],
        vms_max: int = VMS_MAX,
        sandbox: Sandbox = Sandbox.NONE,
        terminate_grace_s: float = TERMINATE_GRACE_S,
    ) -> None:
        if not name or "/" in name or name.startswith("."):
            raise ValueError(f"{name!r} cannot name a cloud: it has to serve as the name of a directory")
        self.name = name
        self.traits = TRAITS
        self._gateway_id = gateway_id
        self._images = {**BUILT_IN, **images}
        self._vms_max = vms_max
        self._sandbox = sandbox
        self._grace_s = terminate_grace_s
        self._clock = clock
        self._host = Host(directory.absolute(), name, sandbox, clock)
        self._workers = Workers(f"local-{name}")
        self._watch = DeathWatch(self._bury_soon)
        self._opening: asyncio.Task[None] | None = None
        self._open = False
        self._closed = False
        self._changed = asyncio.Event()
        self._entries: dict[str, Entry] = {}
        self._archived: dict[str, Entry] = {}
        self._unreadable: list[str] = []
        self._starting: dict[str, asyncio.Task[Entry]] = {}
        self._burials: dict[str, asyncio.Task[None]] = {}
        self._kills: dict[str, asyncio.TimerHandle] = {}

    # The contract's verbs.

    async def sweep(self) -> Sweep:
        """Every machine that started, and the dead for RECORD_KEPT_S. Raises Unreachable."""
        await self._opened()
        started_at = self._clock()
        try:
            found, dead = await self._workers.run(self._look, list(self._entries.values()))
            if self._unreadable:
                self._unreadable = await self._workers.run(self._host.living, self._gateway_id, self._unreadable)
            for entry, identity in found:
                self._adopt(entry, identity)
            await asyncio.gather(*(self._bury(entry) for entry in dead))
            # No await between these two: whatever changes later is announced again.
            self._changed.clear()
            machines = tuple(entry.as_machine() for entry in self._entries.values() if entry.to_be_shown)
            await self._tidy(started_at)
        except BaseException as error:
            self._changed.set()
            if isinstance(error, OSError | ValueError):
                raise Unreachable(f"Cloud {self.name!r} cannot look at its machines: {error}") from error
            raise
        return Sweep(machines, complete=not self._unreadable, started_at=started_at)

    async def inquire(self, machine_ids: Sequence[str]) -> Inquiry:
        """Those of them whose records are here; no others exist. Raises Unreachable where some cannot be read."""
        await self._opened()
        if self._unreadable:
            raise Unreachable(f"Cloud {self.name!r} cannot read all of its records")
        wanted = frozenset(machine_ids)
        known = {
            machine_id: self._entries[machine_id].as_machine()
            for machine_id in wanted & self._entries.keys()
            if self._entries[machine_id].to_be_shown
        }
        return Inquiry(tuple(known.values()), wanted - known.keys())

    async def launch(self, spec: LaunchSpec, count: int, token: str, mark: Mark) -> list[Machine]:
        """
        The machines of *token* with an index below *count*, running; dead ones are returned as terminated.

        A machine that died is not launched again while it is remembered: for RECORD_KEPT_S, and then until
        DEAD_KEPT_MAX others have died. Raises NoCapacity, Refused, Unreachable or Ambiguous.
        """
        await self._opened()
        if mark.gateway_id != self._gateway_id:
            raise Refused(f"Cloud {self.name!r} belongs to gateway {self._gateway_id!r}, not {mark.gateway_id!r}")
        known: list[Entry] = []
        starts: list[asyncio.Task[Entry]] = []
        problem: CloudError | None = None
        for index in range(min(count, LAUNCH_BATCH_MAX)):
            machine_id = machine_id_of(self._gateway_id, self.name, token, index)
            entry = self._entries.get(machine_id) or self._archived.get(machine_id)
            if machine_id in self._starting:
                starts.append(self._starting[machine_id])
            elif entry is not None and entry.to_be_shown:
                known.append(entry)
            else:
                record = Record.of(spec, mark, cloud=self.name, token=token, index=index, launched_at=self._clock())
                try:
                    refuse(of_ec2_alone(spec), f"Cloud {self.name!r}")
                    starts.append(self._start_soon(entry, record, spec.user_data))
                except (Refused, NoCapacity) as error:
                    problem = error
        return await self._launched(known, starts, problem)

    async def terminate(self, machine_ids: Sequence[str]) -> None:
        """Nothing; each wish is on disk and TERM was sent. KILL follows by itself. Raises Unreachable."""
        await self._opened()
        await ended(self._starting[machine_id] for machine_id in machine_ids if machine_id in self._starting)
        doomed = [self._entries[machine_id] for machine_id in dict.fromkeys(machine_ids) if machine_id in self._entries]
        try:
            await asyncio.gather(*(self._terminate(entry) for entry in doomed if entry.end is None))
        except OSError as error:
            raise Unreachable(f"Cloud {self.name!r} cannot terminate a machine: {error}") from error

    async def probe(self) -> Probe:
        """What is offered here, and what is in its way. Touches nothing; works beside a running gateway."""
        findings = await self._workers.run(probing.findings, self._host.directory, self._sandbox)
        findings += await self._workers.run(broken, self._images, self.name)
        alive = sum(entry.alive for entry in self._entries.values())
        if alive >= self._vms_max:
            findings.append(f"all {self._vms_max} places are taken: terminate machines, or raise vms_max")
        findings += [
            f"the record of living machine {machine_id} cannot be read, so that no sweep is complete: end its "
            f"processes and remove {self._host.directory.path / machine_id}"
            for machine_id in self._unreadable
        ]
        return Probe(
            reachable=await self._workers.run(probing.usable, self._host.directory),
            images=tuple(sorted(self._images)),
            instance_types=("any",),
            findings=tuple(findings),
        )

    async def wait_for_change(self) -> None:
        """Nothing, once a sweep would show something that the last one did not; at once if that is so already."""
        await self._opened()
        await self._changed.wait()

    async def close(self) -> None:
        """Nothing; lets go of the directory, the watches and the threads. Machines live on."""
        self._closed = True
        for timer in self._kills.values():
            timer.cancel()
        self._watch.close()
        await ended([*([self._opening] if self._opening else []), *self._starting.values(), *self._burials.values()])
        self._watch.close()
        await self._workers.close()
        self._host.directory.unlock()
        self._changed.set()

    # Opening, once.

    async def _opened(self) -> None:
        """Nothing; the directory is ours and what is in it is known. Raises Unreachable; the next verb tries again."""
        if self._closed:
            raise Unreachable(f"Cloud {self.name!r} is closed")
        if self._opening is None or (self._opening.done() and self._opening.exception() is not None):
            self._opening = asyncio.create_task(self._open_now())
        # A caller that gives up must not leave the directory locked and unread.
        await asyncio.shield(self._opening)

    async def _open_now(self) -> None:
        """Nothing; see ``_opened``."""
        try:
            await self._workers.run(self._host.directory.lock)
            entries, archived, self._unreadable = await self._workers.run(self._host.loaded, self._gateway_id)
        except (OSError, CloudError) as error:
            self._host.directory.unlock()
            raise Unreachable(f"Cloud {self.name!r} cannot be opened: {error}") from error
        self._entries = {entry.record.machine_id: entry for entry in entries}
        self._archived = {entry.record.machine_id: entry for entry in archived}
        self._open = True
        for entry in entries:
            if entry.identity is not None and entry.end is None:
                self._adopt(entry, entry.identity)
                if entry.terminate_asked_at is not None:
                    self._workers.in_background(self._terminate(entry))

    # Starting.

    def _start_soon(self, entry: Entry | None, record: Record, user_data: bytes) -> asyncio.Task[Entry]:
        """The task that starts the machine *record*. Raises NoCapacity or Refused."""
        image_id = entry.record.image_id if entry else record.image_id
        command = command_of(image_id, self._images, self.name)
        lack = missing(self._sandbox)
        if lack is not None:
            raise Refused(f"Cloud {self.name!r} starts no machine: {lack}")
        taken = len(self._starting) + sum(other.alive for other in self._entries.values())
        if taken >= self._vms_max:
            raise NoCapacity(f"Cloud {self.name!r} is full: {taken} of {self._vms_max} places are taken")
        task = asyncio.create_task(self._start(entry, record, user_data, command))
        self._starting[record.machine_id] = task
        return task

    async def _start(self, entry: Entry | None, record: Record, user_data: bytes, command: tuple[str, ...]) -> Entry:
        """The machine *record*, started; *entry* when it was prepared before. Raises OSError or CloudError."""
        try:
            if entry is None:
                entry = await self._workers.run(self._host.prepared, record, user_data)
                self._entries[record.machine_id] = entry
            try:
                identity = await self._workers.run(self._host.begin, entry, command)
            except Ambiguous:
                raise
            except (OSError, CloudError):
                if await self._workers.run(self._host.undone, entry):
                    del self._entries[record.machine_id]
                raise
            self._adopt(entry, identity)
            return entry
        finally:
            del self._starting[record.machine_id]

    async def _launched(
        self, known: list[Entry], starts: list[asyncio.Task[Entry]], problem: CloudError | None
    ) -> list[Machine]:
        """All machines that are there, in the order of their indices; the problem when there is none."""
        # A caller that gives up does not stop a start halfway; whoever repeats the launch finds its task, or its end.
        outcomes = await asyncio.shield(asyncio.gather(*starts, return_exceptions=True))
        for outcome in outcomes:
            if isinstance(outcome, Entry):
                known.append(outcome)
            elif isinstance(outcome, OSError):
                text = f"Cloud {self.name!r} cannot start a machine: {outcome}"
                problem = NoCapacity(text) if outcome.errno in FULL else Unreachable(text)
            elif isinstance(outcome, CloudError):
                problem = outcome
            else:
                raise outcome
        if problem is not None and (not known or isinstance(problem, Ambiguous)):
            raise problem
        return [entry.as_machine() for entry in sorted(known, key=lambda entry: entry.record.index)]

    def _adopt(self, entry: Entry, identity: Identity) -> None:
        """Nothing; *entry* is alive as *identity*, and its death will be seen."""
        if entry.end is None and not self._closed:
            entry.identity = identity
            self._watch.add(entry.record.machine_id, identity)
            self._changed.set()

    # Looking.

    def _look(self, entries: list[Entry]) -> tuple[list[tuple[Entry, Identity]], list[Entry]]:
        """Which of *entries* turn out to have started, and which to have died. Blocks."""
        found, dead = [], []
        for entry in entries:
            if entry.end is not None or entry.record.machine_id in self._starting:
                continue
            if entry.identity is None:
                start = entry.directory.start()
                if isinstance(start, Identity):
                    found.append((entry, start))
                elif start is not Gate.OPEN:
                    dead.append(entry)
            elif living(entry.identity) is None:
                dead.append(entry)
            entry.directory.cut_console()
        return found, dead

    async def _tidy(self, now: datetime) -> None:
        """Nothing; machines that died long enough ago are archived, and those that never started are given up."""
        for machine_id, entry in list(self._entries.items()):
            if entry.end is not None and now - entry.end.ended_at >= timedelta(seconds=RECORD_KEPT_S):
                forgotten = await self._workers.run(self._host.archive, entry)
                self._archived[machine_id] = self._entries.pop(machine_id)
                for oldest in forgotten:
                    self._archived.pop(oldest, None)
            elif (
                entry.identity is None
                and entry.end is None
                and machine_id not in self._starting
                and now - entry.record.launched_at >= timedelta(seconds=UNSTARTED_KEPT_S)
                and await self._workers.run(self._host.undone, entry)
            ):
                self._entries.pop(machine_id, None)

    # Ending.

    async def _terminate(self, entry: Entry) -> None:
        """Nothing; *entry* is on its way out. Raises OSError."""
        identity = entry.identity
        if identity is None:
            entry.end = await self._workers.run(self._host.end_of_unstarted, entry, "Terminated before it started")
            start = entry.directory.start()
            if entry.end is not None or not isinstance(start, Identity):
                return
            identity = start
            self._adopt(entry, identity)
        now = self._clock()
        asked_at = entry.terminate_asked_at or now
        entry.terminate_asked_at = asked_at
        self._changed.set()
        waited_s = (now - asked_at).total_seconds()
        # Before TERM is sent, because the caller may give up while it is.
        self._kill_later(entry, identity, max(0.0, min(self._grace_s, self._grace_s - waited_s)))
        await self._workers.run(self._host.begin_to_terminate, entry, identity, asked_at)

    def _kill_later(self, entry: Entry, identity: Identity, delay_s: float) -> None:
        """Nothing; *entry* is killed after *delay_s*, and again after each grace, for as long as it lives."""
        machine_id = entry.record.machine_id

        async def kill() -> None:
            await self._workers.run(kill_tree, identity, entry.record.marker)
            if entry.end is None and not self._closed:
                self._kill_later(entry, identity, max(self._grace_s, 1.0))

        def begin() -> None:
            self._kills.pop(machine_id, None)
            self._workers.in_background(kill())

        if machine_id not in self._kills and entry.end is None and not self._closed:
            self._kills[machine_id] = asyncio.get_running_loop().call_later(delay_s, begin)

    def _bury_soon(self, machine_id: str) -> None:
        """Nothing; called by the watch when the first process of a machine died."""
        entry = self._entries.get(machine_id)
        if entry is not None and not self._closed:
            self._workers.in_background(self._bury(entry))

    async def _bury(self, entry: Entry) -> None:
        """Nothing; *entry* is buried, by one task however many ask for it."""
        machine_id = entry.record.machine_id
        if machine_id not in self._burials:
            self._burials[machine_id] = asyncio.create_task(self._buried(entry))
        await asyncio.shield(self._burials[machine_id])

    async def _buried(self, entry: Entry) -> None:
        machine_id = entry.record.machine_id
        try:
            if entry.end is None and entry.identity is not None:
                entry.end = await self._workers.run(self._host.buried, entry, entry.identity)
            elif entry.end is None:
                why = "Its process died while it was starting"
                entry.end = await self._workers.run(self._host.end_of_unstarted, entry, why)
        finally:
            del self._burials[machine_id]
            self._watch.discard(machine_id)
            timer = self._kills.pop(machine_id, None)
            if timer is not None:
                timer.cancel()
            self._changed.set()
