"""
Whom a scale-in takes: over-full clouds, then the last rank, then the group's termination policies.

Owns: the order of victims. Does not own: how many have to go.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from reconciler.model import Group, Instance, InstanceState

BILLING_HOUR = timedelta(hours=1)
"""ClosestToNextInstanceHour counts in these, from the time an instance was bound."""

NEVER = datetime.min.replace(tzinfo=UTC)
"""A launch configuration whose age nobody knows any more is older than all that can be dated."""

Measure = Callable[[Instance, datetime], float]


def choose(
    instances: Iterable[Instance], count: int, group: Group, now: datetime, ailing: Iterable[int] = ()
) -> list[Instance]:
    """
    At most *count* of *instances*, in the order in which they should go.

    Claims are never chosen: their call may have happened, so only a sweep can end them. Protected instances are chosen
    only when the whole group is deleted. Those in *ailing* (keys) go first: AWS lets the unhealthy bypass policies.
    A policy narrows what the one before it left over, which is the same as sorting by their measures from left to
    right; ``Default`` and then the ledger's key settle what remains equal.
    """
    if count <= 0:
        return []
    counting = [instance for instance in instances if instance.state.counts]
    able = [instance for instance in counting if _may_go(instance, group)]
    order = sorted(able, key=lambda instance: _precedence(instance, group, now))
    sick = frozenset(ailing)
    chosen = [instance for instance in order if instance.key in sick][:count]
    chosen += _excess(order, counting, chosen, group)[: count - len(chosen)]
    taken = {instance.key for instance in chosen}
    return chosen + [instance for instance in order if instance.key not in taken][: count - len(chosen)]


def _may_go(instance: Instance, group: Group) -> bool:
    return instance.state is not InstanceState.CLAIMED and (group.deleting or not instance.protected)


def _precedence(instance: Instance, group: Group, now: datetime) -> tuple[float, ...]:
    ranks = {cloud.name: rank for rank, cloud in enumerate(group.clouds)}
    # A cloud that the group does not name any more comes after all that it does. A pending machine serves nobody yet.
    rank = ranks.get(instance.cloud, len(ranks))
    starting = instance.state is InstanceState.PENDING
    measures = [m for policy in (*group.termination_policies, "Default") for m in POLICIES.get(policy, ())]
    return (-rank, not starting, *(measure(instance, now) for measure in measures), instance.key)


def _excess(
    order: Sequence[Instance], counting: Sequence[Instance], chosen: Sequence[Instance], group: Group
) -> list[Instance]:
    held = Counter(instance.cloud for instance in counting)
    held.subtract(instance.cloud for instance in chosen)
    over = {cloud.name: held[cloud.name] - cloud.cap for cloud in group.clouds if cloud.cap is not None}
    taken = {instance.key for instance in chosen}
    excess = []
    for instance in order:
        if instance.key not in taken and over.get(instance.cloud, 0) > 0:
            over[instance.cloud] -= 1
            excess.append(instance)
    return excess


def _launched(instance: Instance, _now: datetime) -> float:
    return instance.claimed_at.timestamp()


def _launched_backwards(instance: Instance, _now: datetime) -> float:
    return -instance.claimed_at.timestamp()


def _configured(instance: Instance, _now: datetime) -> float:
    return (instance.spec_created_at or NEVER).timestamp()


def _paid_for(instance: Instance, now: datetime) -> float:
    return (BILLING_HOUR - (now - (instance.bound_at or instance.claimed_at)) % BILLING_HOUR).total_seconds()


POLICIES: dict[str, tuple[Measure, ...]] = {
    "OldestInstance": (_launched,),
    "NewestInstance": (_launched_backwards,),
    "OldestLaunchConfiguration": (_configured,),
    "ClosestToNextInstanceHour": (_paid_for,),
    "Default": (_configured, _paid_for),
    # Accepted and without effect: groups here have neither launch templates nor purchase options.
    "OldestLaunchTemplate": (),
    "AllocationStrategy": (),
}
"""What each policy measures; the least goes first. A policy that is not known here narrows nothing."""
