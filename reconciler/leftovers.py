"""
Which machines of groups that nobody knows may be terminated without anybody being asked.

Owns: the rule. Pure. Does not own: the memory of what was seen (``orphans``), or the call (``executor``).

A group that this ledger has removed leaves leaks behind when a launch comes to light late: those are ended. Whatever
may belong to somebody else, a newer copy of the records or another gateway with our id, is ended by command alone.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from backends.cloud import OVER, Machine

LEFTOVER_AGE_S = 60.0
"""Lower: a group that is being removed just now is swept in two places at once. Higher: leaks cost money longer."""

LOOK_AGAIN_S = 30.0
"""Two looks and the age come to less than 150 s after a machine was launched, with sweeps of up to a minute."""

LATE_LAUNCH_S = 180.0
"""A launch may bring machines so long after its group was removed: longer than any call, and a listing's lag."""


def reapable(
    machines: Sequence[Machine],
    first_seen: Mapping[str, datetime],
    swept_at: datetime,
    removed_at: datetime | None,
    condemned: Collection[str],
    now: datetime,
) -> list[str]:
    """
    Ids of those of *machines*, shown by a believed sweep of *swept_at*, that may be terminated at *now*.

    *first_seen*: when the sweep began that showed each first. *removed_at*: when this ledger removed their group; None:
    it never knew it. *condemned*: those that an operator has given up.
    """
    found = []
    for machine in machines:
        complete = machine.mark is not None and bool(machine.mark.group_uid) and bool(machine.mark.token)
        seen_twice = first_seen.get(machine.machine_id, swept_at) < swept_at
        old = now - machine.launched_at > timedelta(seconds=LEFTOVER_AGE_S)
        ours = removed_at is not None and machine.launched_at <= removed_at + timedelta(seconds=LATE_LAUNCH_S)
        given_up = machine.machine_id in condemned
        if complete and seen_twice and old and machine.state not in OVER and (ours or given_up):
            found.append(machine.machine_id)
    return found
