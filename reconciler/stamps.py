"""
Times on record that have not come yet: written by a process whose clock was ahead, or before this one was set back.

Owns: the rule that what is on record has happened, at the latest when it was first read. Without it a claim would wait
for its outcome, a back-off for its end and a cooldown for its hour until the clock has caught up.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from backends.cloud import Machine
from reconciler.model import Crash, GroupRecord, Instance

AHEAD = timedelta(seconds=30)
"""
Of two gateways' clocks, as a rule less. Higher: waits may last so much longer. Lower: what another gateway has just
written is taken for old.
"""


class Stamps:
    """When each time that had not come yet was first read, by group; kept until it has come."""

    def __init__(self) -> None:
        self._met: dict[str, dict[datetime, datetime]] = {}

    def bounded(self, record: GroupRecord, now: datetime) -> GroupRecord:
        """*record*, in which nothing is to come; the very same when nothing was."""
        if _has_come(record, now + AHEAD):
            self._met.pop(record.group.uid, None)
            return record
        uid, group = record.group.uid, record.group
        crashes = {cloud: self._crash(uid, crash, now) for cloud, crash in group.crashes.items()}
        return replace(
            record,
            group=replace(
                group,
                crashes=crashes,
                failing_since=self._past(uid, group.failing_since, now),
                last_scaled_at=self._past(uid, group.last_scaled_at, now),
            ),
            instances=tuple(self._instance(uid, instance, now) for instance in record.instances),
        )

    def forget(self, uid: str) -> None:
        """Nothing; the group does not exist any more."""
        self._met.pop(uid, None)

    def _past(self, uid: str, time: datetime | None, now: datetime) -> datetime | None:
        return None if time is None else self._over(uid, time, now)

    def _over(self, uid: str, time: datetime, now: datetime) -> datetime:
        if time <= now + AHEAD:
            return time
        return self._met.setdefault(uid, {}).setdefault(time, now)

    def _crash(self, uid: str, crash: Crash, now: datetime) -> Crash:
        return replace(crash, since=self._over(uid, crash.since, now), last_at=self._over(uid, crash.last_at, now))

    def _instance(self, uid: str, instance: Instance, now: datetime) -> Instance:
        in_service_at = self._past(uid, instance.in_service_at, now)
        bound_at = self._past(uid, instance.bound_at, now)
        if in_service_at is not None and in_service_at == bound_at and instance.in_service_at != instance.bound_at:
            # The two differ when a sweep has shown the machine, and that must not be forgotten.
            in_service_at += timedelta(microseconds=1)
        return replace(
            instance,
            claimed_at=self._over(uid, instance.claimed_at, now),
            bound_at=bound_at,
            in_service_at=in_service_at,
            terminate_sent_at=self._past(uid, instance.terminate_sent_at, now),
        )


class Births:
    """When machines were first seen whose launch is still to come, as their cloud's clock tells it."""

    def __init__(self) -> None:
        self._met: dict[str, tuple[Machine, Machine]] = {}
        """By machine id, as it was shown and as it is to be taken: most of what sweeps show is no news."""

    def bounded(self, machines: tuple[Machine, ...], now: datetime) -> tuple[Machine, ...]:
        """*machines*, each launched at the latest when it was first seen; others are forgotten."""
        limit = now + AHEAD
        if not any(machine.launched_at > limit for machine in machines):
            self._met = {}
            return machines
        self._met = {m.machine_id: self._taken(m, now) for m in machines if m.launched_at > limit}
        return tuple(self._met[m.machine_id][1] if m.machine_id in self._met else m for m in machines)

    def _taken(self, machine: Machine, now: datetime) -> tuple[Machine, Machine]:
        known = self._met.get(machine.machine_id)
        if known is not None and known[0] is machine:
            return known
        return machine, replace(machine, launched_at=now if known is None else known[1].launched_at)


def _has_come(record: GroupRecord, limit: datetime) -> bool:
    """True when nothing in *record* is later than *limit*."""
    group = record.group
    for i in record.instances:
        sent_at, serving_at, bound_at = i.terminate_sent_at, i.in_service_at, i.bound_at
        if (
            i.claimed_at > limit
            or (bound_at is not None and bound_at > limit)
            or (serving_at is not None and serving_at > limit)
            or (sent_at is not None and sent_at > limit)
        ):
            return False
    times = (group.failing_since, group.last_scaled_at, *(crash.last_at for crash in group.crashes.values()))
    return all(time is None or time <= limit for time in times)
