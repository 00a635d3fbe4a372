"""
The contract's verbs over the VMs that one libvirt runs.

Owns: which steps make up a verb, and in which order. Does not own: the steps (``host``, ``files``, ``boot``), which run
in threads: ending a VM takes two seconds, and starting forty at once makes all of them slow. VMs outlive the gateway;
the next one over the same libvirt finds them by the mark in their metadata.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from backends.cloud import CloudTraits, Inquiry, LaunchSpec, Machine, MachineState, Mark, Probe, Sweep
from backends.errors import Ambiguous, CloudError, NoCapacity, Refused, Unreachable
from backends.libvirt import boot, domains
from backends.libvirt.files import Files
from backends.libvirt.host import Host, Seen, silence
from backends.libvirt.settings import Image, LibvirtSettings, size_of
from backends.refusals import of_ec2_alone, refuse
from backends.threads import Threads

T = TypeVar("T")

DEAD_KEPT = timedelta(seconds=60)
"""A dead VM is listed for this long, so that no sweep misses its death; then it and its files go."""

UNSTARTED_KEPT = timedelta(hours=1)
"""A VM that was prepared and never started waits this long for its launch to be repeated."""

LAUNCH_BATCH_MAX = 5
"""VMs in one launch: some three seconds of work."""

TRAITS = CloudTraits(
    token_is_idempotent=True, launch_batch_max=LAUNCH_BATCH_MAX, visible_after_s=0.0, boot_timeout_s=120.0
)


class LibvirtCloud:
    """The cloud *name* of gateway *gateway_id*; the files of its VMs are in *directory*. Made without contact."""

    def __init__(
        self,
        name: str,
        settings: LibvirtSettings,
        images: Mapping[str, Image],
        directory: Path,
        gateway_id: str,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        silence()
        self.name = name
        self.traits = TRAITS
        self._settings = settings
        self._images = dict(images)
        self._directory = directory.absolute()
        self._gateway_id = gateway_id
        self._clock = clock
        self._host = Host(settings.uri)
        self._closed = False
        self._workers = Threads(settings.starts_at_once, f"libvirt-{name}")
        self._lookers = Threads(1, f"libvirt-look-{name}")
        self._launching = asyncio.Lock()
        self._starting: set[str] = set()
        self._dead_since: dict[str, datetime] = {}
        self._kinds: dict[str, str] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    # The contract's verbs.

    async def sweep(self) -> Sweep:
        """Every VM that was started, and the dead for DEAD_KEPT. Raises Unreachable."""
        started_at = self._clock()
        machines = []
        stale: list[str] = []
        for seen, claim in await self._ours():
            files = self._files(seen.machine_id)
            if not seen.is_active and not self._was_started(seen, files):
                if started_at - claim.launched_at > UNSTARTED_KEPT and seen.machine_id not in self._starting:
                    stale.append(seen.machine_id)
                continue
            machine = await self._machine(seen, claim)
            machines.append(machine)
            if machine.state is MachineState.TERMINATED:
                since = self._dead_since.setdefault(seen.machine_id, started_at)
                if started_at - since > DEAD_KEPT:
                    stale.append(seen.machine_id)
        for machine_id in stale:
            _ = self._soon(self._bury(machine_id))
        return Sweep(tuple(machines), complete=True, started_at=started_at)

    async def inquire(self, machine_ids: Sequence[str]) -> Inquiry:
        """What libvirt says of each of these ids. Raises Unreachable."""
        machines, denied = [], set()
        ours = {seen.machine_id: (seen, claim) for seen, claim in await self._ours()}
        for machine_id in dict.fromkeys(machine_ids):
            if machine_id in ours:
                machines.append(await self._machine(*ours[machine_id]))
            elif await self._look(self._host.domain, machine_id) is None:
                denied.add(machine_id)
        return Inquiry(tuple(machines), frozenset(denied))

    async def launch(self, spec: LaunchSpec, count: int, token: str, mark: Mark) -> list[Machine]:
        """
        The VMs of *token* with a position below *count*; dead ones, while they are listed, are returned as terminated.

        Raises NoCapacity, Refused, Unreachable or Ambiguous.
        """
        if count < 1:
            return []
        if mark.gateway_id != self._gateway_id or mark.token != token:
            raise Refused(f"{self.name} belongs to gateway {self._gateway_id}, and {mark} is not of it")
        image = self._image(spec)
        # A caller that gives up does not stop a start halfway; whoever repeats the launch waits for its end.
        return await asyncio.shield(self._soon(self._launch(spec, image, min(count, LAUNCH_BATCH_MAX), mark)))

    async def terminate(self, machine_ids: Sequence[str]) -> None:
        """Nothing; all are dead, or were gone. Raises Unreachable or Refused, after trying all."""
        ours = {seen.machine_id for seen, _ in await self._ours()}
        doomed = [machine_id for machine_id in dict.fromkeys(machine_ids) if machine_id in ours]
        ends = (self._work(self._host.end, machine_id) for machine_id in doomed)
        for outcome in await asyncio.gather(*ends, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def probe(self) -> Probe:
        """What is offered here, and what is in its way. Never raises CloudError."""
        try:
            dialect, networks = await self._look(self._host.facts)
            used = len([seen for seen, _ in await self._ours() if seen.is_active])
        except CloudError as error:
            return Probe(reachable=False, findings=(f"{error}: is libvirt running at {self._settings.uri}?",))
        findings = []
        wanted = self._settings.network
        if wanted is not None and wanted not in networks:
            there = ", ".join(networks) or "none"
            findings.append(f"there is no network {wanted}: correct network; there are: {there}")
        if not self._images and not self._settings.is_test:
            findings.append(f"there is no image: add one under [clouds.{self.name}.images]")
        return Probe(
            True,
            tuple(self._images),
            ("m1.tiny", "m1.small", "m1.medium", "m1.large", "m1.xlarge", "2x1536"),
            (),
            tuple(findings),
            limits=(f"VMs {used} of {self._settings.vms_max}", dialect),
        )

    async def wait_for_change(self) -> None:
        """Nothing, ever: the traits say that only sweeps tell."""
        await asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        """Nothing; lets go of threads and the connection. VMs live on."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        self._closed = True
        loop = asyncio.get_running_loop()
        for threads in (self._workers, self._lookers):
            await loop.run_in_executor(None, threads.shutdown)
        await loop.run_in_executor(None, self._host.close)

    # Looking.

    async def _ours(self) -> list[tuple[Seen, domains.Claim]]:
        """Our domains, with what their metadata says."""
        found = []
        for seen in await self._look(self._host.domains):
            claim = domains.claim_in(seen.xml)
            if claim is None or claim.mark.gateway_id != self._gateway_id:
                continue
            # Another cloud of ours may be over the same libvirt; a clone by hand has our metadata, and another id.
            if seen.machine_id == domains.id_of(self.name, claim.mark.token, claim.index):
                found.append((seen, claim))
        return found

    async def _machine(self, seen: Seen, claim: domains.Claim) -> Machine:
        is_starting = seen.machine_id in self._starting and not seen.is_active
        address = None
        if self._settings.network is not None and seen.is_active:
            address = await self._look(self._host.address, seen.machine_id)
        return Machine(
            seen.machine_id,
            MachineState.PENDING if is_starting else seen.state,
            claim.mark,
            claim.launched_at,
            private_ip=address,
            index=claim.index,
            state_reason="" if is_starting else seen.reason,
        )

    def _was_started(self, seen: Seen, files: Files) -> bool:
        """True when this domain, which does not run, ran once: else its launch is still to be repeated."""
        return seen.machine_id in self._starting or files.started.exists()

    # Launching.

    def _image(self, spec: LaunchSpec) -> Image:
        """The image of *spec*. Raises Refused when no such VM can be put together."""
        size_of(spec.instance_type)
        wishes = {
            "key pairs": spec.key_name,
            "security groups": spec.security_groups,
            "subnets": spec.subnet_id,
            "zones": spec.zone,
        }
        refuse({**of_ec2_alone(spec), **wishes}, self.name)
        if spec.image_id in self._images:
            return self._images[spec.image_id]
        there = ", ".join(self._images) or "none"
        raise Refused(f"{self.name} has no image {spec.image_id!r}; there are: {there}")

    async def _launch(self, spec: LaunchSpec, image: Image, count: int, mark: Mark) -> list[Machine]:
        async with self._launching:
            there = await self._ours()
            room = self._settings.vms_max - sum(seen.is_active for seen, _ in there)
            known = {seen.machine_id: (seen, claim) for seen, claim in there}
            machines: list[Machine] = []
            starts: list[Coroutine[Any, Any, Machine]] = []
            for index in range(count):
                machine_id = domains.id_of(self.name, mark.token, index)
                found = known.get(machine_id)
                if found is not None and (found[0].is_active or self._was_started(found[0], self._files(machine_id))):
                    machines.append(await self._machine(*found))
                elif len(starts) < room:
                    starts.append(self._start(machine_id, spec, image, mark, index))
            if not machines and not starts:
                raise NoCapacity(f"{self.name} is full: all {self._settings.vms_max} places are taken")
            outcomes = await asyncio.gather(*starts, return_exceptions=True)
        problem: BaseException | None = None
        for outcome in outcomes:
            if isinstance(outcome, Machine):
                machines.append(outcome)
            elif problem is None or isinstance(outcome, Ambiguous):
                problem = outcome
        if problem is not None and (not machines or isinstance(problem, Ambiguous)):
            raise problem
        return sorted(machines, key=lambda machine: machine.index or 0)

    async def _start(self, machine_id: str, spec: LaunchSpec, image: Image, mark: Mark, index: int) -> Machine:
        """The VM, started. Raises CloudError; then nothing of it is left, unless it is Ambiguous."""
        claim = domains.Claim(mark, index, self._clock())
        kind = await self._kind(spec.image_id, image)
        self._starting.add(machine_id)
        try:
            await self._work(self._started, machine_id, spec, image, claim, kind)
        except (NoCapacity, Refused, Unreachable):
            await self._bury(machine_id)
            raise
        finally:
            self._starting.discard(machine_id)
        seen = await self._look(self._host.domain, machine_id)
        if seen is None:
            raise Ambiguous(f"{self.name} does not show {machine_id}, which it has just started")
        return await self._machine(seen, claim)

    def _started(self, machine_id: str, spec: LaunchSpec, image: Image, claim: domains.Claim, kind: str) -> None:
        """Nothing; the VM's files and its domain exist, and it runs. Blocks. Raises CloudError."""
        files = self._files(machine_id)
        name = f"{claim.mark.token}-{claim.index}"
        processors, memory_mib = size_of(spec.instance_type)
        files.fill(image, name, spec.user_data)
        order = domains.Order(
            name,
            claim,
            kind,
            processors,
            memory_mib,
            console=None if self._settings.is_test else files.console,
            kernel=image.kernel,
            initrd=files.initrd if image.initrd is not None else None,
            cmdline=image.cmdline,
            disks=_disks(image, files),
            network=self._settings.network,
        )
        self._host.define(domains.xml_of(machine_id, order))
        files.started.touch()
        self._host.start(machine_id)

    async def _kind(self, image_id: str, image: Image) -> str:
        """How a VM of this image is run: "kvm" only after it was seen to boot with it."""
        if self._settings.is_test:
            return "test"
        if image_id not in self._kinds:
            wanted = self._settings.accel
            boots = wanted == "auto" and await self._work(boot.boots_with_kvm, self._host, image, self._directory)
            self._kinds[image_id] = "kvm" if boots or wanted == "kvm" else "qemu"
        return self._kinds[image_id]

    async def _bury(self, machine_id: str) -> None:
        """Nothing; the VM, which does not run, and its files are gone. What fails is tried by a later sweep."""
        try:
            seen = await self._look(self._host.domain, machine_id)
            if seen is not None and (seen.is_active or machine_id in self._starting):
                if machine_id not in self._starting:
                    return
                await self._work(self._host.end, machine_id)
            await self._work(self._host.forget, machine_id)
            await self._work(self._files(machine_id).remove)
        except CloudError:
            return
        self._dead_since.pop(machine_id, None)

    # Threads and files.

    def _files(self, machine_id: str) -> Files:
        return Files(self._directory / machine_id)

    async def _work(self, step: Callable[..., T], *arguments: Any) -> T:
        return await self._in(self._workers, step, *arguments)

    async def _look(self, step: Callable[..., T], *arguments: Any) -> T:
        return await self._in(self._lookers, step, *arguments)

    async def _in(self, threads: Threads, step: Callable[..., T], *arguments: Any) -> T:
        """What *step* returns, in one of *threads*. Raises CloudError, with our name in front."""
        if self._closed:
            raise Unreachable(f"{self.name} is closed")
        try:
            future = asyncio.get_running_loop().run_in_executor(threads, step, *arguments)
        except RuntimeError as error:
            raise Unreachable(f"{self.name} has no thread: {error}") from error
        try:
            return await future
        except (NoCapacity, Refused, Unreachable, Ambiguous) as error:
            raise type(error)(f"{self.name}: {error}") from error

    def _soon(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """The task of *work*; closing waits for it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)

        def done(task: asyncio.Task[T]) -> None:
            self._tasks.discard(task)
            if not task.cancelled():
                task.exception()  # a launch whose caller gave up: what came of it is asked for later

        task.add_done_callback(done)
        return task


def _disks(image: Image, files: Files) -> list[tuple[Path, str, bool]]:
    """The disks of a VM: its layer, if its image has a disk, and what its first boot is told."""
    own = [(files.disk, "qcow2", False)] if image.disk is not None else []
    return [*own, (files.seed, "raw", True)]
