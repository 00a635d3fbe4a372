"""
Machines with our mark whose group nobody knows any more: leftovers of removed groups.

Owns: the list and the one event per machine. They are reported, never terminated: only a group's pass ends machines.
"""

import logging
from collections.abc import Mapping, Sequence

from backends.cloud import Machine, MachineState

log = logging.getLogger(__name__)

_OVER = (MachineState.TERMINATED, MachineState.SHUTTING_DOWN)


class Orphans:
    """What the latest pictures show, by group and account."""

    def __init__(self) -> None:
        self._by_uid: dict[str, dict[str, tuple[Machine, ...]]] = {}

    def note(self, uid: str, shown: Mapping[str, Sequence[Machine]]) -> None:
        """Nothing; *shown* are the machines of *uid* by account key, and the ledger knows no such group."""
        known = {(key, m.machine_id) for key, machines in self._by_uid.get(uid, {}).items() for m in machines}
        living = {key: tuple(m for m in machines if m.state not in _OVER) for key, machines in shown.items()}
        self.forget(uid)
        if any(living.values()):
            self._by_uid[uid] = living
        for key, machines in living.items():
            for machine in machines:
                if (key, machine.machine_id) not in known:
                    extra = {"account": key, "group_uid": uid, "machine_id": machine.machine_id}
                    log.warning("machine.orphaned", extra=extra)

    def forget(self, uid: str) -> None:
        """Nothing; the group is known, or its machines are gone."""
        self._by_uid.pop(uid, None)

    def by_account(self) -> dict[str, list[Machine]]:
        """All of them by account key, accounts without any left out."""
        found: dict[str, list[Machine]] = {}
        for accounts in self._by_uid.values():
            for key, machines in accounts.items():
                if machines:
                    found.setdefault(key, []).extend(machines)
        return found
