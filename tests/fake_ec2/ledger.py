"""
The judge: who was born, who died and by whose hand, in the cloud's own book and nobody else's.

Owns: the entries, the calls that were heard, and the questions the invariants ask. Does not own: the machines.
"""

import re
from collections import Counter, deque
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

TOKEN = re.compile(r"pg-(?P<gateway_id>[0-9a-f]{12})-(?P<group_uid>[0-9a-f]{32})-[0-9a-f]{12}")
"""The form of the gateway's tokens. Written out again here: a judge does not borrow the defendant's ruler."""

CALLS_KEPT_MAX = 200_000
"""Enough for hours of simulation; beyond it the oldest calls are forgotten, never births and deaths."""


class What(StrEnum):
    """Kinds of entries. ``DOOMED``: its end was accepted, which is when it stops to count as alive."""

    BORN = "born"
    DOOMED = "doomed"
    TOUCHED = "touched"


class Cause(StrEnum):
    """Whose hand it was."""

    LAUNCH = "RunInstances"
    TERMINATE = "TerminateInstances"
    TAGS = "CreateTags"
    PLANT = "plant"
    OPERATOR = "operator"
    FAULT = "fault"
    FATE = "fate"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the book. *is_broken*: born in want of capacity, and never of any use."""

    at: float
    what: What
    cause: Cause
    machine_id: str
    account_id: str
    token: str
    group_uid: str
    gateway_id: str
    is_foreign: bool = False
    is_broken: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """One call as it arrived: *asked* is MaxCount, or the number of ids named; *fault* what befell it."""

    at: float
    action: str
    account_id: str
    asked: int = 0
    token: str = ""
    fault: str = ""


def plain_uid(group_uid: str) -> str:
    """*group_uid* as tokens spell it."""
    return group_uid.replace("-", "").lower()


class Ledger:
    """Everything that ever happened, in order."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.calls: deque[Heard] = deque(maxlen=CALLS_KEPT_MAX)
        self._born: dict[str, Entry] = {}
        self._doomed: dict[str, Entry] = {}
        self._of_group: dict[str, list[Entry]] = {}
        self._of_token: dict[str, list[str]] = {}

    def write(self, entry: Entry) -> None:
        """Nothing; *entry* is in the book."""
        self.entries.append(entry)
        if entry.what is What.BORN:
            self._born[entry.machine_id] = entry
            self._of_token.setdefault(entry.token, []).append(entry.machine_id)
        elif entry.what is What.DOOMED:
            self._doomed[entry.machine_id] = entry
        if entry.group_uid:
            self._of_group.setdefault(entry.group_uid, []).append(entry)

    def alive(self) -> tuple[str, ...]:
        """Ids of all machines of all accounts that were born and not doomed, foreign and broken ones included."""
        return tuple(machine_id for machine_id in self._born if machine_id not in self._doomed)

    def alive_of_group(self, group_uid: str) -> tuple[str, ...]:
        """Ids of the machines that work for the group (with or without dashes), in order of birth."""
        return tuple(entry.machine_id for entry in self._births(group_uid, broken=False) if self._lives(entry))

    def unreleased_of_group(self, group_uid: str) -> tuple[str, ...]:
        """Ids of everything of the group that nobody has ended: the broken ones, too. What may leak."""
        return tuple(entry.machine_id for entry in self._births(group_uid, broken=True) if self._lives(entry))

    def alive_over_time(self, group_uid: str) -> list[tuple[float, int]]:
        """(time, machines alive from then on) at every birth and death, in the order they happened."""
        count = 0
        steps = []
        for entry in self._of_group.get(plain_uid(group_uid), []):
            if entry.what is not What.TOUCHED and not entry.is_broken:
                count += 1 if entry.what is What.BORN else -1
                steps.append((entry.at, count))
        return steps

    def max_alive_over_time(self, group_uid: str, since: float = 0.0) -> int:
        """The most machines of the group that were ever alive together, at *since* or later."""
        highest = 0
        before = 0
        for at, count in self.alive_over_time(group_uid):
            if at < since:
                before = count
            else:
                highest = max(highest, count)
        return max(highest, before)

    def born_by_token(self, token: str) -> tuple[str, ...]:
        """Ids of all machines that *token* ever launched, in order of birth."""
        return tuple(self._of_token.get(token, ()))

    def births_by_token(self) -> dict[str, int]:
        """Every token that launched something -> how many machines."""
        return {token: len(ids) for token, ids in self._of_token.items() if token}

    def foreign_touched(self) -> list[Entry]:
        """Every attempt of a client on a machine that is not theirs to touch. Must be empty."""
        return [entry for entry in self.entries if entry.is_foreign and entry.what is What.TOUCHED]

    def ended_by(self, cause: Cause) -> tuple[str, ...]:
        """Ids of the machines whose end was *cause*."""
        return tuple(entry.machine_id for entry in self._doomed.values() if entry.cause is cause)

    def calls_of(self, action: str) -> list[Heard]:
        """The calls of *action*, in the order of arrival."""
        return [call for call in self.calls if call.action == action]

    def as_json(self) -> dict[str, Any]:
        """All of it, for those who look from another process."""
        return {
            "entries": [asdict(entry) for entry in self.entries],
            "alive": list(self.alive()),
            "groups": {
                uid: {
                    "alive": list(self.alive_of_group(uid)),
                    "unreleased": list(self.unreleased_of_group(uid)),
                    "max_alive": self.max_alive_over_time(uid),
                }
                for uid in self._of_group
            },
            "births_by_token": self.births_by_token(),
            "foreign_touched": [asdict(entry) for entry in self.foreign_touched()],
            "calls": dict(Counter(call.action for call in self.calls)),
        }

    def _births(self, group_uid: str, *, broken: bool) -> list[Entry]:
        entries = self._of_group.get(plain_uid(group_uid), [])
        return [entry for entry in entries if entry.what is What.BORN and (broken or not entry.is_broken)]

    def _lives(self, birth: Entry) -> bool:
        return birth.machine_id not in self._doomed
