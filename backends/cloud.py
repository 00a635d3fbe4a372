"""
The contract between the gateway and any cloud: four verbs, and the values they exchange.

Owns: ``Cloud`` and its vocabulary (machine, mark, token, sweep, traits). Does not own: any particular cloud.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class MachineState(StrEnum):
    """A machine's state in EC2's words, whatever its cloud calls it. ``ERROR`` never recovers by itself."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SHUTTING_DOWN = "shutting-down"
    TERMINATED = "terminated"
    ERROR = "error"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """What to launch: one cloud's share of a launch configuration. *user_data* is raw bytes, not base64."""

    image_id: str
    instance_type: str
    key_name: str | None = None
    user_data: bytes = field(default=b"", repr=False)
    security_groups: tuple[str, ...] = ()
    kernel_id: str | None = None
    ramdisk_id: str | None = None
    zone: str | None = None
    """A placement zone inside the cloud; None leaves the choice to the cloud."""


@dataclass(frozen=True, slots=True)
class Mark:
    """
    What we attach to a machine so that it can be recognised as ours, and whose it is.

    A machine without a complete mark of this gateway is never touched.
    """

    gateway_id: str
    group_uid: str
    token: str


@dataclass(frozen=True, slots=True)
class Machine:
    """
    One machine as its cloud shows it.

    *machine_id* is the cloud's own id. *mark* is None when the cloud shows a machine it knows is ours by other means
    but whose mark is not readable (yet). *index* is the position in its launch batch where the cloud keeps one.
    """

    machine_id: str
    state: MachineState
    mark: Mark | None
    launched_at: datetime
    private_ip: str | None = None
    public_ip: str | None = None
    zone: str | None = None
    index: int | None = None
    state_reason: str = ""


@dataclass(frozen=True, slots=True)
class Sweep:
    """
    Every machine with our mark in one account, dead ones included for as long as the cloud shows them.

    Absence from a sweep is evidence only when *complete* is true, and then only for what existed before *started_at*.
    """

    machines: tuple[Machine, ...]
    complete: bool
    started_at: datetime


@dataclass(frozen=True, slots=True)
class CloudTraits:
    """What the reconciler has to know about a kind of cloud in order to use it safely."""

    token_is_idempotent: bool
    """The same token launches nothing twice, for as long as its machines exist."""
    launch_batch_max: int
    """Machines in one launch call. Higher: a failure hits more. Lower: more calls."""
    visible_after_s: float
    """A machine younger than this may be missing from a complete sweep without being dead."""
    boot_timeout_s: float = 900.0
    """A machine that is not running after this long is given up (Eucalyptus and Karpenter use 15 min)."""
    announces_changes: bool = False
    """``wait_for_change`` works; otherwise only sweeps tell."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What ``phantom-gateway check`` shows of a cloud: whether it answers, and what it offers."""

    reachable: bool
    images: tuple[str, ...] = ()
    instance_types: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    """Each a sentence that names a problem and its remedy; empty when all is well."""


class Cloud(Protocol):
    """
    One account on one cloud. Every verb raises only :class:`backends.errors.CloudError`.

    Verbs may be repeated: ``launch`` with the same token where the traits say so, ``terminate`` always.
    """

    name: str
    traits: CloudTraits

    async def sweep(self) -> Sweep:
        """Every machine of ours. Raises Unreachable, Throttled or Refused when the cloud cannot be looked at."""
        ...

    async def launch(self, spec: LaunchSpec, count: int, token: str, mark: Mark) -> list[Machine]:
        """
        The machines launched for *token*: at most *count*, and fewer is an answer, not an error.

        Repeated with a token that the cloud remembers, it returns that token's machines and launches only the missing.
        Raises NoCapacity, Refused, Throttled or Unreachable (nothing happened), or Ambiguous (it may have).
        """
        ...

    async def terminate(self, machine_ids: Sequence[str]) -> None:
        """Nothing; the machines are on their way out, or were gone already. Raises Unreachable, Throttled, Refused."""
        ...

    async def probe(self) -> Probe:
        """What this cloud offers. Never raises for a cloud that is down: that is one of its answers."""
        ...

    async def wait_for_change(self) -> None:
        """Nothing, as soon as something changed that a sweep would show. Only where the traits announce it."""
        ...

    async def close(self) -> None:
        """Nothing; lets go of threads, sockets and watches. Machines live on."""
        ...
