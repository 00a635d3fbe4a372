"""
Carries out what a group's decision engine says.

Owns: the one place where the reconciler itself changes how many instances a group wants. Does not own: the decision
(``engines``), or making it true (the rest of the pass).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler import engines
from reconciler.ledger import Ledger
from reconciler.model import GroupRecord, Readings, SensorPolicy
from reconciler.sensors import Sensors

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Steered:
    """
    What came of it: the group as it is now (None: it is gone), why desired stays, and when to decide again.

    *again_at* None: only a change can make a difference.
    """

    record: GroupRecord | None
    waiting_on: tuple[str, ...] = ()
    again_at: datetime | None = None


class Scaler:
    """Asks the engine of each group, in its pass."""

    def __init__(self, ledger: Ledger, sensors: Sensors, wall: Callable[[], datetime]) -> None:
        """*wall* is the clock that samples are stamped by, near enough: whatever the time of passes is taken from."""
        self._ledger = ledger
        self._sensors = sensors
        self._wall = wall

    async def steer(self, record: GroupRecord, now: datetime) -> Steered:
        """The group after its engine was heard. A group without a policy costs nothing."""
        group = record.group
        if group.policy is None or group.deleting:
            return Steered(record)
        wall = self._wall()
        readings = _later(await self._sensors.readings(record, wall), now - wall)
        decision = engines.decide(group, record.instances, readings, now)
        if isinstance(decision, engines.Stay):
            waiting_on = () if decision.because is None else (decision.because,)
            return Steered(record, waiting_on, decision.until or _silent_from(group.policy, readings, now))
        if await self._ledger.scale(group.uid, group.generation, decision.desired, decision.because, now):
            log.info(
                "group.scaled", extra={"group_uid": group.uid, "before": group.desired, "desired": decision.desired}
            )
        # Changed by us or by somebody else in the meantime: either way, what was read is out of date.
        return Steered(await self._ledger.read(group.uid), again_at=engines.rested_at(group.policy, now))


def _later(readings: Readings, by: timedelta) -> Readings:
    """*readings* with their times as the clock of passes tells them."""
    if abs(by) < timedelta(seconds=1):
        return readings
    of_group = readings.of_group
    return replace(
        readings,
        of_instances={key: replace(reading, at=reading.at + by) for key, reading in readings.of_instances.items()},
        of_group=None if of_group is None else replace(of_group, at=of_group.at + by),
    )


def _silent_from(policy: SensorPolicy, readings: Readings, now: datetime) -> datetime | None:
    """When there will be no data, unless more comes; None when there is none now. Then people want to be told."""
    known = [*readings.of_instances.values(), *([readings.of_group] if readings.of_group else [])]
    newest = max((reading.at for reading in known), default=None)
    silent_from = None if newest is None else newest + timedelta(seconds=policy.stale_s + 1)
    return silent_from if silent_from is not None and silent_from > now else None
