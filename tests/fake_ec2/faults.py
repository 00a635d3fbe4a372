"""
Faults by plan: which call of which action is hit by what, before or after its effect.

Owns: the kinds of faults, the plan, and reading faults from JSON. Does not own: carrying them out on the wire
(:mod:`tests.fake_ec2.mischief`) or in the world (:mod:`tests.fake_ec2.operations`).
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from random import Random
from typing import Any

FOR_EVER = None
"""*times* of a fault that does not wear off."""


class When(StrEnum):
    """Whether the call has had its effect when the fault strikes."""

    BEFORE = "before"
    AFTER = "after"


class Kind(StrEnum):
    """What can go wrong."""

    RESET = "reset"
    """The connection is reset; no byte of an answer."""
    RESET_MIDWAY = "reset_midway"
    """Half of the answer, then a reset."""
    CLOSE = "close"
    """The connection is closed in good order; no byte of an answer."""
    HANG = "hang"
    """Never an answer, never a close, until the faults are released."""
    TIMEOUT = "timeout"
    """*slow_s* of silence, then a close."""
    SLOW = "slow"
    """*slow_s* of silence before (or after) the effect, then the answer."""
    HTTP_ERROR = "http_error"
    """*status* with the *body* ``xml``, ``html`` or ``empty``."""
    EMPTY_BODY = "empty_body"
    HTML_IN_200 = "html_in_200"
    ERROR_IN_200 = "error_in_200"
    TRUNCATED = "truncated"
    """Half of the XML as a complete HTTP answer."""
    WRONG_ROOT = "wrong_root"
    WRONG_NAMESPACE = "wrong_namespace"
    WRONG_CHARSET = "wrong_charset"
    """Says UTF-8 and is not."""
    LIST_ALL_MY_BUCKETS = "list_all_my_buckets"
    OVERSIZED = "oversized"
    """A good beginning, then *size_bytes* of it, streamed."""
    ENTITIES = "entities"
    """A small body that unfolds to *size_bytes* for parsers that expand entities."""
    DUPLICATED_BODY = "duplicated_body"
    """The document twice in one answer."""
    DUPLICATED_REPLY = "duplicated_reply"
    """The HTTP answer twice on the connection."""
    DUPLICATED_ENTRIES = "duplicated_entries"
    """Every machine of a listing twice."""
    REFUSED = "refused"
    """The error *code* with *status* and *message*."""
    REQUEST_LIMIT = "request_limit"
    AUTH_FAILURE = "auth_failure"
    NO_CAPACITY = "no_capacity"
    QUOTA = "quota"
    MORE = "more"
    """*count* machines too many are launched; AFTER: and the answer is silent about them."""
    FEWER = "fewer"
    """
    *count* machines fewer, even below MinCount; AFTER: launched, but not in the answer. Listings: left out, though
    known by their ids.
    """
    EMPTY = "empty"
    """A listing with nothing in it."""
    PAGE_MISSING = "page_missing"
    """The page that was asked for is skipped: the next one comes instead."""
    STATES = "states"
    """Every machine is listed in *state*; ``impaired`` is a health, for DescribeInstanceStatus."""
    NO_EFFECT = "no_effect"
    """A good answer, and nothing was done: VMs that never were, terminations and tags that are lost."""


REFUSALS: Mapping[Kind, tuple[str, int, str]] = {
    Kind.REQUEST_LIMIT: ("RequestLimitExceeded", 503, "Request limit exceeded."),
    Kind.AUTH_FAILURE: ("AuthFailure", 401, "AWS was not able to validate the provided access credentials"),
    Kind.NO_CAPACITY: (
        "InsufficientInstanceCapacity",
        500,
        "We currently do not have sufficient capacity in the Availability Zone you requested.",
    ),
    Kind.QUOTA: ("InstanceLimitExceeded", 400, "You have requested more instances than your current limit allows."),
}
"""Kind -> code, HTTP status, message."""

IN_THE_WORLD = frozenset(
    {Kind.MORE, Kind.FEWER, Kind.EMPTY, Kind.PAGE_MISSING, Kind.STATES, Kind.NO_EFFECT, Kind.DUPLICATED_ENTRIES}
)
"""Kinds that change what is done or told; all others only spoil the answer."""


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One fault of a plan: of the matching calls from the *first* on (counted from 1), *times* are hit.

    *action* is an action or ``*``; *page* hits only that page of a listing; *account_id* only that customer. The fault
    is asleep for *after_s* and over *for_s* later (None: never), in seconds of the plan's clock from its adding.
    """

    kind: Kind
    action: str = "*"
    when: When = When.BEFORE
    first: int = 1
    times: int | None = 1
    probability: float = 1.0
    page: int | None = None
    account_id: str | None = None
    after_s: float = 0.0
    for_s: float | None = None
    slow_s: float = 1.0
    status: int = 500
    body: str = "xml"
    code: str = "InternalError"
    message: str = "An internal error has occurred"
    count: int = 1
    state: str = "stopped"
    size_bytes: int = 100 * 1024 * 1024

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> "Fault":
        """The fault that JSON describes. Raises ValueError for anything it does not know."""
        unknown = sorted(set(values) - {entry.name for entry in fields(cls)})
        if unknown or "kind" not in values:
            raise ValueError(f"a fault has a kind, and no {', '.join(unknown) or 'lack of one'}")
        read = {**values, "kind": Kind(values["kind"]), "when": When(values.get("when", When.BEFORE))}
        return cls(**read)


@dataclass(slots=True)
class _Planted:
    """A fault with its counters."""

    fault: Fault
    at: float
    matched: int = 0
    struck: int = 0


class FaultPlan:
    """Faults in the order of their adding; the first that is due strikes. Safe to change while calls run."""

    def __init__(self, *faults: Fault, rng: Random | None = None, clock: Callable[[], float] = lambda: 0.0) -> None:
        self.clock = clock
        self.fired: list[tuple[float, str, Fault]] = []
        self._rng = rng or Random(0)
        self._planted: list[_Planted] = []
        self.add(*faults)

    @property
    def faults(self) -> list[Fault]:
        """Those that are planned, worn off or not."""
        return [planted.fault for planted in self._planted]

    def add(self, *faults: Fault) -> None:
        """Nothing; *faults* are planned, and their calls count from now on."""
        self._planted = [*self._planted, *(_Planted(fault, self.clock()) for fault in faults)]

    def clear(self) -> None:
        """Nothing; no fault is planned any more. Calls that hang already go on hanging."""
        self._planted = []

    def replace(self, faults: Iterable[Fault]) -> None:
        """Nothing; *faults* and no others are planned."""
        self.clear()
        self.add(*faults)

    def pick(self, action: str, *, account_id: str = "", page: int = 1) -> Fault | None:
        """The fault that strikes this call, or None."""
        chosen = None
        for planted in self._planted:
            if not self._matches(planted, action, account_id, page):
                continue
            planted.matched += 1
            if chosen is None and self._is_due(planted):
                chosen = planted
        if chosen is None:
            return None
        chosen.struck += 1
        self.fired.append((self.clock(), action, chosen.fault))
        return chosen.fault

    def as_json(self) -> list[dict[str, Any]]:
        """The plan with its counters."""
        return [{**asdict(entry.fault), "matched": entry.matched, "struck": entry.struck} for entry in self._planted]

    def _matches(self, planted: _Planted, action: str, account_id: str, page: int) -> bool:
        fault = planted.fault
        age_s = self.clock() - planted.at
        return (
            fault.action in {"*", action}
            and fault.account_id in {None, account_id}
            and fault.page in {None, page}
            and fault.after_s <= age_s < fault.after_s + (math.inf if fault.for_s is None else fault.for_s)
        )

    def _is_due(self, planted: _Planted) -> bool:
        fault = planted.fault
        return (
            planted.matched >= fault.first
            and (fault.times is FOR_EVER or planted.struck < fault.times)
            and (fault.probability >= 1.0 or self._rng.random() < fault.probability)
        )
