"""
Which cloud launches next, and how many: rank, caps, back-off, blindness.

Owns: the choice among a group's clouds. Does not own: how many are missing, or any limit on launching.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from reconciler import causes, health
from reconciler.model import GroupView, RankedCloud


@dataclass(frozen=True, slots=True)
class Placement:
    """
    Launches per cloud, in rank order; what could not be placed is explained by *reasons*.

    *unseen*: clouds whose next sweep would change the answer. *again_at*: when a back-off ends that would.
    """

    counts: tuple[tuple[str, int], ...] = ()
    reasons: tuple[str, ...] = ()
    unseen: frozenset[str] = frozenset()
    again_at: datetime | None = None

    @property
    def total(self) -> int:
        """All launches that found a place."""
        return sum(count for _, count in self.counts)


def living(view: GroupView) -> Counter[str]:
    """Instances per cloud that count toward capacity, those on blind clouds included: no news is not death."""
    return Counter(instance.cloud for instance in view.instances if instance.state.counts)


def place(view: GroupView, wanted: int, counting: Mapping[str, int]) -> Placement:
    """
    *wanted* launches spread over the group's clouds, the first ranks filled first, none beyond a cap.

    *counting* is what already counts per cloud. A cloud that was not looked at yet keeps its share reserved: it is
    about to be seen, and a lower rank must not be filled only because its sweep came back first.
    """
    left, reserved = wanted, 0
    counts: list[tuple[str, int]] = []
    reasons = [] if view.group.clouds else ["the group has no cloud that it may use"]
    passed_over: list[str] = []
    for ranked in view.group.clouds:
        room = _room(ranked, left, counting)
        obstacle = _obstacle(view, ranked)
        if obstacle is not None:
            reasons.append(obstacle)
            passed_over.append(ranked.name)
            if not _about_to_be_seen(view, ranked):
                continue
            reserved += room
        elif room > 0:
            counts.append((ranked.name, room))
        if obstacle is None and room < left:
            reasons.append(f"{ranked.name} is at its limit of {ranked.cap}")
        left -= room
    if not left and not reserved:
        return Placement(tuple(counts))
    accounts = {name: view.accounts[name] for name in passed_over if name in view.accounts}
    unseen = frozenset(name for name, account in accounts.items() if health.blindness(name, account) is not None)
    holds = [account.hold.until for account in accounts.values() if account.hold is not None]
    return Placement(tuple(counts), tuple(reasons), unseen, min(holds, default=None))


def _about_to_be_seen(view: GroupView, ranked: RankedCloud) -> bool:
    account = view.accounts.get(ranked.name)
    never_swept = account is not None and account.blind is None and account.swept_at is None
    return never_swept and ranked.name in view.record.sources


def _room(ranked: RankedCloud, left: int, counting: Mapping[str, int]) -> int:
    if ranked.cap is None:
        return left
    return max(0, min(left, ranked.cap - counting.get(ranked.name, 0)))


def _obstacle(view: GroupView, ranked: RankedCloud) -> str | None:
    name = ranked.name
    account = view.accounts.get(name)
    if name not in view.record.sources:
        return f"the group has no launch configuration for {name}"
    blind = health.blindness(name, account)
    if blind is not None or account is None:
        return blind
    if account.hold is not None:
        return f"back-off on {name} until {causes.stamp(account.hold.until)}: {account.hold.reason}"
    return None
