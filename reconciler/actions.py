"""
What a pass may do: each action is a value, says why, and leaves the executor no choice of its own.

Owns: the vocabulary of plans. What the ledger records is done first and in the order of the plan; then the calls to
clouds, side by side; then the removal of the group.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from backends.cloud import Machine
from reconciler.model import Crash


@dataclass(frozen=True, slots=True)
class Bind:
    """A sweep showed the machine of this claim (or a machine came up): record it, in service when it is running."""

    instance_key: int
    machine: Machine
    because: str


@dataclass(frozen=True, slots=True)
class Promote:
    """A pending instance's machine is running: it is in service now."""

    instance_key: int
    because: str


@dataclass(frozen=True, slots=True)
class Bury:
    """
    The machine is certainly gone: the instance leaves the ledger.

    *replace* is true when it died on its own and a replacement is owed.
    """

    instance_key: int
    replace: bool
    because: str


@dataclass(frozen=True, slots=True)
class Abandon:
    """These claims never became machines and are not wanted any more."""

    instance_keys: tuple[int, ...]
    because: str


@dataclass(frozen=True, slots=True)
class Retire:
    """Take an instance out: it is terminating from now on. *replace*: because it is unhealthy, not surplus."""

    instance_key: int
    replace: bool
    because: str


@dataclass(frozen=True, slots=True)
class Dismiss:
    """Tell the cloud to terminate these machines; their instances are Terminating already or by this plan."""

    cloud: str
    instance_keys: tuple[int, ...]
    because: str


@dataclass(frozen=True, slots=True)
class Resend:
    """Repeat a launch whose outcome is unknown, with its own token: the claims exist."""

    cloud: str
    token: str
    instance_keys: tuple[int, ...]
    because: str


@dataclass(frozen=True, slots=True)
class Launch:
    """Claim *count* instances on *cloud* and launch them in one call. *replacing* of them repay owed replacements."""

    cloud: str
    count: int
    replacing: int
    because: str


@dataclass(frozen=True, slots=True)
class Forgive:
    """So many owed replacements are not due any more: the capacity that they were for is not wanted now."""

    count: int
    because: str


@dataclass(frozen=True, slots=True)
class Adopt:
    """
    A machine of the group that no instance stands for takes a place in it: it is claimed, and the next plan binds it.

    *token* is its own, *index* a free place in that launch.
    """

    cloud: str
    machine_id: str
    token: str
    index: int
    because: str


@dataclass(frozen=True, slots=True)
class NoteCrash:
    """Remember that what is launched on this cloud dies young; None: forget it."""

    cloud: str
    crash: Crash | None
    because: str


@dataclass(frozen=True, slots=True)
class Reap:
    """Terminate machines that bear the group's mark while nothing in the ledger stands for them: they are leaks."""

    cloud: str
    machine_ids: tuple[str, ...]
    because: str


@dataclass(frozen=True, slots=True)
class RemoveGroup:
    """The group is being deleted and nothing of it is left."""

    because: str


Action = (
    Bind
    | Promote
    | Bury
    | Abandon
    | Retire
    | Dismiss
    | Resend
    | Launch
    | Forgive
    | Adopt
    | NoteCrash
    | Reap
    | RemoveGroup
)


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What to do now, when to look again, and what is being waited for.

    *recheck_s* None: only a change can make a difference. *look_at*: accounts whose next sweep this group needs soon.
    *inquiries*: the machines, by cloud, that are to be asked for by id then, should the sweep lack them.
    """

    actions: tuple[Action, ...] = ()
    recheck_s: float | None = None
    waiting_on: tuple[str, ...] = ()
    look_at: frozenset[str] = frozenset()
    inquiries: Mapping[str, frozenset[str]] = field(default_factory=dict)
    blown: frozenset[str] = frozenset()
    """Names of the fuses that hold the group up; each has a sentence in *waiting_on*."""
    given_up: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Machine ids, by cloud, of instances that it takes out though nobody said that they are dead."""
