"""
The contract between the gateway and any cloud: five verbs, and the values they exchange.

Owns: ``Cloud`` and its vocabulary (machine, mark, token, sweep, traits). Does not own: any particular cloud.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

_TOKEN = re.compile(r"pg-([0-9a-f]{12})-([0-9a-f]{32})-[0-9a-f]{12}")


SUBNET_PREFIX = "subnet-"
"""What tells a subnet's id from the name of a zone, on every cloud that has both."""


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


OVER = frozenset({MachineState.TERMINATED, MachineState.SHUTTING_DOWN})
"""The states from which no machine comes back."""


@dataclass(frozen=True, slots=True)
class BlockDevice:
    """One disk of a machine, as a launch configuration maps it. None leaves the choice to the image or the cloud."""

    device_name: str
    virtual_name: str | None = None
    """An ephemeral disk ("ephemeral0")."""
    no_device: bool = False
    """The image's disk of this name is left out."""
    snapshot_id: str | None = None
    volume_type: str | None = None
    delete_on_termination: bool | None = None
    encrypted: bool | None = None
    iops: int | None = None
    size_gib: int | None = None
    throughput_mib_s: int | None = None


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
    subnet_id: str | None = None
    block_devices: tuple[BlockDevice, ...] = ()
    instance_profile: str | None = None
    """Name or ARN."""
    monitoring: bool | None = None
    """Detailed monitoring. None, here and below: what the cloud does unasked."""
    ebs_optimized: bool | None = None
    associate_public_ip: bool | None = None
    placement_tenancy: str | None = None
    spot_price: str | None = None
    """The most to pay per hour, as the user wrote it; None: no spot machine."""

    def at(self, place: str | None) -> "LaunchSpec":
        """The same, in this zone or subnet; None leaves it as it is."""
        if place is None:
            return self
        return replace(self, subnet_id=place) if place.startswith(SUBNET_PREFIX) else replace(self, zone=place)


@dataclass(frozen=True, slots=True)
class Mark:
    """
    What we attach to a machine so that it can be recognised as ours, and whose it is.

    A machine without a complete mark of this gateway is never touched.
    """

    gateway_id: str
    group_uid: str
    token: str

    @classmethod
    def of_token(cls, token: str) -> "Mark | None":
        """
        The mark that *token* describes, the group's uid with its dashes; None unless :func:`token_for` made it.

        So a machine of which a cloud shows no more than the token it was launched with is recognised all the same.
        """
        found = _TOKEN.fullmatch(token)
        if found is None:
            return None
        uid = found[2]
        return cls(found[1], f"{uid[:8]}-{uid[8:12]}-{uid[12:16]}-{uid[16:20]}-{uid[20:]}", token)


def token_for(gateway_id: str, group_uid: str, random_hex: str) -> str:
    """
    A launch token that says whose it is: ``pg-<gateway>-<group>-<random>``, 61 characters (EC2 takes 64).

    *gateway_id* and *random_hex* are 12 hex digits, *group_uid* is a UUID, with or without dashes.

    Raises:
        ValueError: one of them is something else.

    """
    token = f"pg-{gateway_id}-{group_uid.replace('-', '')}-{random_hex}"
    if _TOKEN.fullmatch(token) is None:
        raise ValueError(f"no token can be made of {gateway_id!r}, {group_uid!r} and {random_hex!r}")
    return token


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
class Inquiry:
    """
    What a cloud answered when it was asked for machines by their ids.

    *denied* are ids of which it says in so many words that no such machine exists. Of ids in neither it said nothing.
    """

    machines: tuple[Machine, ...] = ()
    denied: frozenset[str] = frozenset()


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
    repeat_after_s: float = 0.0
    """A launch may be repeated with its token this long after it was made; before, it might still be under way."""
    young_s: float = 300.0
    """A machine that dies within this time in service has failed to start, and its launch with it."""
    announces_changes: bool = False
    """``wait_for_change`` works; otherwise only sweeps tell."""


@dataclass(frozen=True, slots=True)
class Learned:
    """One thing that a probe found out: the setting *name* should be *value*. *because* begins a sentence."""

    name: str
    value: bool | str
    because: str


@dataclass(frozen=True, slots=True)
class Probe:
    """What ``phantom-gateway check`` shows of a cloud: whether it answers, and what it offers."""

    reachable: bool
    images: tuple[str, ...] = ()
    instance_types: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    """Each a sentence that names a problem and its remedy; empty when all is well."""
    learned: tuple[Learned, ...] = ()
    """Of what the cloud is like, whatever the settings say."""
    limits: tuple[str, ...] = ()
    """What may be used there, and how much of it is used, in the cloud's own terms: "instances 3 of 10"."""


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

    async def inquire(self, machine_ids: Sequence[str]) -> Inquiry:
        """
        What the cloud says of these machines when it is asked for each by its id; a sweep did not show them.

        Only ours are among the answer's machines. Raises Unreachable, Throttled or Refused.
        """
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


@runtime_checkable
class Placing(Protocol):
    """A cloud that has places inside, zones or subnets, which a launch may name. Those without do not implement it."""

    async def places(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """
        Those of *wanted* that this cloud has, in the same order.

        Asks the cloud when it has to, and raises nothing: a cloud that cannot tell has none.
        """
        ...


@runtime_checkable
class KeepsKeyPairs(Protocol):
    """What a cloud can besides the verbs, if it keeps the key pairs that its machines are launched with."""

    async def key_pairs(self) -> tuple[str, ...]:
        """The names of those there are. Raises CloudError."""
        ...

    async def import_key_pair(self, name: str, public_key: str) -> None:
        """Nothing; there is one called *name*, with this public key. Raises CloudError, Refused when there was one."""
        ...
