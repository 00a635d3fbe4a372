"""
What may go wrong with a simulated cloud: named faults, scripted one by one or drawn by chance.

Owns: the choice of the fault that a call meets. Does not own: what the fault does (``sim``). Chance comes from the
``Random`` that is passed in, so that a seed repeats everything.
"""

import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class Verb(StrEnum):
    """The calls that can meet a fault."""

    SWEEP = "sweep"
    LAUNCH = "launch"
    TERMINATE = "terminate"


class Fault(StrEnum):
    """One way for one call to go wrong. What a verb cannot suffer has no chance there."""

    UNREACHABLE = "unreachable"
    """Unreachable, and nothing happened."""
    THROTTLED = "throttled"
    """Throttled, and nothing happened."""
    NO_CAPACITY = "no capacity"
    """NoCapacity although there may be some."""
    REFUSED = "refused"
    """Refused, and nothing happened."""
    LOST_BEFORE = "lost before"
    """The request is lost: Ambiguous without an effect (a sweep: Unreachable)."""
    LOST_AFTER = "lost after"
    """The reply is lost: Ambiguous with the full effect (a sweep: Unreachable)."""
    PARTIAL = "partial"
    """A launch makes at least one machine and fewer than asked; of one, it makes one."""
    SLOW_BEFORE = "slow before"
    """The call takes ``slow_call_s`` before its effect: a caller that gives up prevents it."""
    SLOW_AFTER = "slow after"
    """The call takes ``slow_call_s`` after its effect: a caller that gives up does not prevent it."""
    INCOMPLETE_SWEEP = "incomplete sweep"
    """Some machines are missing, and the sweep says that it is not complete."""
    EMPTY_SWEEP = "empty sweep"
    """No machine is shown, and the sweep claims to be complete: the lie of a broken cloud."""


COMMON = frozenset(
    {
        Fault.UNREACHABLE,
        Fault.THROTTLED,
        Fault.REFUSED,
        Fault.LOST_BEFORE,
        Fault.LOST_AFTER,
        Fault.SLOW_BEFORE,
        Fault.SLOW_AFTER,
    },
)

POSSIBLE: dict[Verb, frozenset[Fault]] = {
    Verb.SWEEP: COMMON | {Fault.INCOMPLETE_SWEEP, Fault.EMPTY_SWEEP},
    Verb.LAUNCH: COMMON | {Fault.NO_CAPACITY, Fault.PARTIAL},
    Verb.TERMINATE: COMMON,
}
"""Which faults each verb can suffer."""

_IN_ORDER = {verb: tuple(fault for fault in Fault if fault in possible) for verb, possible in POSSIBLE.items()}
"""Of the definition, not of a set, whose order changes from run to run."""


@dataclass(slots=True)
class Faults:
    """The knobs of a simulated cloud. Scripted faults come first, one a call; then chance decides."""

    outage: bool = False
    """Every call raises Unreachable while this is set."""
    chances: dict[tuple[Verb, Fault], float] = field(default_factory=dict)
    """Probability per call, 0.0 to 1.0."""
    throttle_s: float = 1.0
    """What Throttled asks its caller to wait."""
    slow_call_s: float = 30.0
    """What a slow call takes."""
    _script: dict[Verb, deque[Fault | None]] = field(default_factory=lambda: {verb: deque() for verb in Verb})

    def script(self, verb: Verb, faults: Iterable[Fault | None]) -> None:
        """
        Nothing; the next calls of *verb* meet *faults*, in this order. None lets a call through unharmed.

        Raises:
            ValueError: *verb* cannot suffer one of them.

        """
        wanted = list(faults)
        for fault in wanted:
            if fault is not None and fault not in POSSIBLE[verb]:
                raise ValueError(f"{verb} cannot suffer {fault!r}")
        self._script[verb].extend(wanted)

    def next(self, verb: Verb, chance: random.Random) -> Fault | None:
        """The fault that this call of *verb* meets; None for most."""
        if self.outage:
            return Fault.UNREACHABLE
        if self._script[verb]:
            return self._script[verb].popleft()
        for fault in _IN_ORDER[verb] if self.chances else ():
            probability = self.chances.get((verb, fault), 0.0)
            if probability and chance.random() < probability:
                return fault
        return None

    def calm(self) -> None:
        """Nothing; from now on nothing goes wrong."""
        self.outage = False
        self.chances.clear()
        for script in self._script.values():
            script.clear()
