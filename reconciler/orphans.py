"""
Machines with our mark whose group nobody knows any more: leftovers of removed groups.

Owns: the list, since when each has been seen, and the one event per machine. Does not own: which of them may be
terminated (``leftovers``).
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from backends.cloud import OVER, Machine

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Marked:
    """A machine with our mark, on a cloud, for the group of this uid; *account_key* is the account that shows it."""

    cloud: str
    group_uid: str
    machine: Machine
    account_key: str = ""


class Orphans:
    """What the latest pictures show, by group and account."""

    def __init__(self) -> None:
        self._by_uid: dict[str, dict[str, tuple[Machine, ...]]] = {}
        self._first_seen: dict[str, dict[tuple[str, str], datetime]] = {}

    def note(self, uid: str, shown: Mapping[str, Sequence[Machine]]) -> None:
        """Nothing; *shown* are the machines of *uid* by account key, and the ledger knows no such group."""
        known = {(key, m.machine_id) for key, machines in self._by_uid.get(uid, {}).items() for m in machines}
        living = {key: tuple(m for m in machines if m.state not in OVER) for key, machines in shown.items()}
        self._by_uid.pop(uid, None)
        if not any(living.values()):
            self.forget(uid)
        if any(living.values()):
            self._by_uid[uid] = living
        for key, machines in living.items():
            for machine in machines:
                if (key, machine.machine_id) not in known:
                    extra = {"account": key, "group_uid": uid, "machine_id": machine.machine_id}
                    log.warning("machine.orphaned", extra=extra)

    def first_seen(self, uid: str, key: str, machine_ids: Iterable[str], swept_at: datetime) -> dict[str, datetime]:
        """When the sweep began that showed each of these machines in the account first: *swept_at*, or one before."""
        seen = self._first_seen.setdefault(uid, {})
        return {machine_id: seen.setdefault((key, machine_id), swept_at) for machine_id in machine_ids}

    def forget(self, uid: str) -> None:
        """Nothing; the group is known, or its machines are gone."""
        self._by_uid.pop(uid, None)
        self._first_seen.pop(uid, None)

    def has(self, uid: str) -> bool:
        """True while machines of the group live."""
        return uid in self._by_uid

    def by_account(self) -> dict[str, list[Machine]]:
        """All of them by account key, accounts without any left out."""
        found: dict[str, list[Machine]] = {}
        for accounts in self._by_uid.values():
            for key, machines in accounts.items():
                if machines:
                    found.setdefault(key, []).extend(machines)
        return found
