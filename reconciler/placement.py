"""
Which cloud launches next, and how many: rank, fail-back, caps, limits, back-off, blindness.

Owns: the choice among a group's clouds. Does not own: how many are missing, or any limit on launching.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from reconciler import causes, health
from reconciler.model import AccountView, FailBack, Group, GroupView, RankedCloud


@dataclass(frozen=True, slots=True)
class Placement:
    """
    Launches per cloud, in rank order; what could not be placed is explained by *reasons*.

    *unseen*: clouds whose next sweep would change the answer. *again_at*: when a back-off or a limit ends that would.
    """

    counts: tuple[tuple[str, int], ...] = ()
    reasons: tuple[str, ...] = ()
    unseen: frozenset[str] = frozenset()
    again_at: datetime | None = None
    keeps_places: bool = False
    """Some of it waits for a cloud that is about to be seen, or for its turn."""

    @property
    def total(self) -> int:
        """All launches that found a place."""
        return sum(count for _, count in self.counts)


def living(view: GroupView) -> Counter[str]:
    """Instances per cloud that count toward capacity, those on blind clouds included: no news is not death."""
    return Counter(instance.cloud for instance in view.instances if instance.state.counts)


def place(
    view: GroupView, wanted: int, counting: Mapping[str, int], clouds: Sequence[RankedCloud] | None = None
) -> Placement:
    """
    *wanted* launches spread over *clouds* (all of the group's), the first filled first, none beyond a cap or a limit.

    *counting* is what already counts per cloud. A cloud that was not looked at yet keeps its share reserved: it is
    about to be seen, and a lower rank must not be filled only because its sweep came back first. What a limit makes
    wait stays reserved, too: a ceiling on the rate must not push machines to dearer clouds.
    """
    left, reserved = wanted, 0
    counts: list[tuple[str, int]] = []
    reasons = [] if view.group.clouds else ["the group has no cloud that it may use"]
    passed_over: list[str] = []
    for ranked in order(view.group, counting) if clouds is None else clouds:
        room = _room(ranked, left, counting)
        obstacle = _obstacle(view, ranked)
        if obstacle is not None:
            reasons.append(obstacle)
            passed_over.append(ranked.name)
            room = room if _about_to_be_seen(view, ranked) else 0
            reserved += room
            left -= room
            continue
        if room < left:
            reasons.append(f"{ranked.name} is at its limit of {ranked.cap}")
        room, now = _admitted(view.accounts[ranked.name], room, reasons)
        if now < left:
            passed_over.append(ranked.name)
        if now > 0:
            counts.append((ranked.name, now))
        reserved += room - now
        left -= room
    if not left and not reserved:
        return Placement(tuple(counts))
    accounts = {name: view.accounts[name] for name in passed_over if name in view.accounts}
    unseen = frozenset(name for name, account in accounts.items() if health.blindness(name, account) is not None)
    again_at = [when for account in accounts.values() for when in _ends(account, wanted)]
    return Placement(tuple(counts), tuple(reasons), unseen, min(again_at, default=None), reserved > 0)


def order(group: Group, counting: Mapping[str, int]) -> list[RankedCloud]:
    """The group's clouds as they are asked: by rank; without fail-back first those that the group is on."""
    if group.fail_back is not FailBack.OFF:
        return list(group.clouds)
    return sorted(group.clouds, key=lambda ranked: counting.get(ranked.name, 0) == 0)


def _admitted(account: AccountView, room: int, reasons: list[str]) -> tuple[int, int]:
    """Of *room* launches those that belong to this account, and those of them that it takes now; *reasons* grow."""
    share = now = room
    for limit in account.limits:
        if limit.launches < room:
            reasons.append(limit.reason)
        now = min(now, limit.launches)
        if not limit.waits:
            share = min(share, limit.launches)
    return share, now


def _ends(account: AccountView, wanted: int) -> list[datetime]:
    """When time alone would change what the account takes of *wanted* launches: a hold outlasts any budget."""
    if account.held is not None:
        return [account.held.until]
    return [limit.again_at for limit in account.limits if limit.again_at is not None and limit.launches < wanted]


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
        return view.record.obstacles.get(name, f"the group has no launch configuration for {name}")
    blind = health.blindness(name, account)
    if blind is not None or account is None:
        return blind
    held = account.held
    if held is None:
        return None
    if held is account.frozen:
        return held.reason
    until = causes.stamp(held.until)
    if held is account.breaker:
        return f"the breaker of {name} is open until {until}: {held.reason}"
    return f"back-off on {name} until {until}: {held.reason}"
