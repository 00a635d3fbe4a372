"""
What was done, counted since the process started: for those who watch.

Owns: the counts, which only grow. Does not own: anybody's decisions, or how the counts are told (``phantom_gateway``).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class PassOutcome(StrEnum):
    """How a pass ended."""

    DONE = "done"
    FAILED = "failed"
    BREACH = "breach"
    """The plan would have left the rails; nothing of it was carried out."""


@dataclass(slots=True)
class Tally:
    """Counts by cloud, and of passes by outcome."""

    passes: Counter[PassOutcome] = field(default_factory=Counter)
    launched: Counter[str] = field(default_factory=Counter)
    launches_failed: Counter[str] = field(default_factory=Counter)
    """Calls that did not bring all that was asked for."""
    terminated: Counter[str] = field(default_factory=Counter)
    """Machines whose termination a cloud accepted, leaks included."""
    reaped: Counter[str] = field(default_factory=Counter)
    """Those of them that nothing in the ledger stood for."""
    adopted: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Status:
    """How the reconciler is just now. Every count is by cloud, over all accounts there, unless it says otherwise."""

    queued: int
    """Groups that wait for a pass, whose time has come."""
    accounts: Mapping[tuple[str, str], int]
    """By cloud and ``seen``, ``blind`` or ``new``."""
    sweep_age_s: Mapping[str, float]
    """Of the oldest picture that is believed."""
    breakers: Mapping[tuple[str, str], int]
    """By cloud and ``closed``, ``open`` or ``half-open``."""
    freezes: Mapping[str, int]
    """By scope."""
    fused: Mapping[str, int]
    """Groups that a fuse holds up, by fuse."""
    orphans: Mapping[str, int]
