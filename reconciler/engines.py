"""
Decision engines: how many instances a group should want, from what is known of it. Pure functions.

Owns: ``multicloud``, which keeps what users asked for, and ``sensor``, the rule of the original Phantom without its
measured defects. Does not own: where readings come from, or how desired is changed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler import causes
from reconciler.model import Group, Instance, InstanceState, Reading, Readings, SensorPolicy

SCALE_EVERY_S = 5.0
"""
The least time between two steps, whatever the cooldown: the original decided this often. A pass is made whenever
anything happens, and without this a group with no cooldown would be at its maximum after a few milliseconds.
"""

SHRINK_SHARE = 0.5
"""
A group shrinks only when more than this share of its instances have fresh data. Those that are too busy to report are
silent, and a few idle ones must not speak for them.
"""

ALARMS = "AlarmNotification"
"""AWS's name of the process that lets alarms scale a group; suspended, sensors move nothing."""


@dataclass(frozen=True, slots=True)
class Stay:
    """
    Desired stays. *because* is shown to people; None: there is nothing to wait for.

    *until*: when it will be worth deciding again, though nothing else changes.
    """

    because: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Scale:
    """Desired becomes *desired*; *because* is the cause, in words like AWS's."""

    desired: int
    because: str


Decision = Stay | Scale


@dataclass(frozen=True, slots=True)
class _Step:
    """Where a value wants a group to go, and the comparison that says so."""

    change: int
    said: str


def decide(group: Group, instances: Sequence[Instance], readings: Readings, now: datetime) -> Decision:
    """What the group's engine says: that of its policy, or ``multicloud`` where it has none."""
    if group.policy is None or group.deleting:
        return multicloud()
    return sensor(group, group.policy, instances, readings, now)


def multicloud() -> Stay:
    """What users asked for is kept, over all clouds of the group: the planner's work, and nothing for an engine."""
    return Stay()


def sensor(
    group: Group, policy: SensorPolicy, instances: Sequence[Instance], readings: Readings, now: datetime
) -> Decision:
    """
    One step up when the value is above the upper threshold, one down when it is below the lower; equal is neither.

    The value is the group's own, or the average over the instances in service that have fresh data. Without data, and
    during the cooldown, desired stays: neither says anything about instances that have to be replaced.
    """
    up, down = policy.scale_up_threshold, policy.scale_down_threshold
    if up is not None and down is not None and up < down:
        return Stay(f"metric {policy.metric}: scale_up_threshold {up:g} is below scale_down_threshold {down:g}")
    serving = [i for i in instances if i.state is InstanceState.IN_SERVICE and i.healthy]
    fresh = _fresh(policy, serving, readings, now)
    if not fresh:
        return Stay(_no_data(policy, readings))
    value = sum(reading.value for reading in fresh) / len(fresh)
    if policy.of_group and policy.per_instance:
        value /= max(1, len(serving))
    if not math.isfinite(value):  # the sum of readings of some 1e308
        return Stay(f"metric {policy.metric}: its values add up to no number")
    step = _step(policy, value)
    if step is None:
        return Stay()
    if step.change < 0 and not policy.of_group and len(fresh) <= SHRINK_SHARE * len(serving):
        return Stay(
            f"metric {policy.metric} {_direction(step)}, but only {len(fresh)} of {len(serving)} instances report it"
        )
    return _moved(group, policy, instances, step, now)


def _moved(group: Group, policy: SensorPolicy, instances: Sequence[Instance], step: _Step, now: datetime) -> Decision:
    """The step, as far as bounds, suspensions, missing instances and the cooldown let the group go."""
    what = f"metric {policy.metric} {_direction(step)}"
    most = group.maximum if group.ceiling is None else max(group.desired, min(group.maximum, group.ceiling))
    wanted = max(group.minimum, min(group.desired + step.change, most))
    if step.change > 0:
        # What was asked for before has to come first: when launches fail, asking for more helps nobody.
        there = sum(instance.state.counts for instance in instances)
        wanted = max(group.desired, min(wanted, there + step.change))
    else:
        wanted = min(wanted, group.desired)
    if wanted == group.desired:
        return Stay(f"{what}, and {_bound(group, instances, step, most)}")
    if ALARMS in group.suspended:
        return Stay(f"{what}, but {ALARMS} is suspended")
    if group.last_scaled_at is not None:
        over_at = rested_at(policy, group.last_scaled_at)
        if now < over_at:
            return Stay(f"{what}; the cooldown ends at {causes.stamp(over_at)}", over_at)
    return Scale(wanted, causes.sensor_moved(now, policy.metric, step.said, group.desired, wanted))


def rested_at(policy: SensorPolicy, scaled_at: datetime) -> datetime:
    """When the next step may be made after a change of desired at *scaled_at*."""
    return scaled_at + timedelta(seconds=max(policy.cooldown_s, SCALE_EVERY_S))


def _fresh(policy: SensorPolicy, serving: Sequence[Instance], readings: Readings, now: datetime) -> list[Reading]:
    """The readings that count: of the group itself or of its instances in service, numbers, and not stale."""
    if policy.of_group:
        found = [readings.of_group]
    else:
        found = [readings.of_instances.get(instance.key) for instance in serving]
    oldest = now - timedelta(seconds=policy.stale_s)
    return [reading for reading in found if reading and reading.at >= oldest and math.isfinite(reading.value)]


def _step(policy: SensorPolicy, value: float) -> _Step | None:
    up, down = policy.scale_up_threshold, policy.scale_down_threshold
    said = f"{policy.statistic} {value:.6g}"
    if up is not None and value > up and policy.scale_up_by:
        return _Step(policy.scale_up_by, f"{said} > {up:g}")
    if down is not None and value < down and policy.scale_down_by:
        return _Step(-policy.scale_down_by, f"{said} < {down:g}")
    return None


def _direction(step: _Step) -> str:
    """The comparison without its value, which would be another in every pass."""
    return f"is {step.said.split(' ', 2)[2].replace('>', 'above').replace('<', 'below')}"


def _no_data(policy: SensorPolicy, readings: Readings) -> str:
    whose = "the group" if policy.of_group else "any instance in service"
    why = f" ({readings.trouble})" if readings.trouble else ""
    return f"metric {policy.metric}: no data of {whose} in the last {policy.stale_s:g} s{why}"


def _bound(group: Group, instances: Sequence[Instance], step: _Step, most: int) -> str:
    there = sum(instance.state.counts for instance in instances)
    if step.change < 0:
        return f"the group is at its minimum of {group.minimum}"
    if group.desired < most and there < group.desired:
        return f"{group.desired - there} instances asked for before are still missing"
    if most < group.maximum:
        return f"the operator allows no more than {most}"
    return f"the group is at its maximum of {group.maximum}"
