"""
How eager groups come home: one instance at a time, from the worst cloud to a better one that has room again.

Owns: when an instance moves, and which. Does not own: where its replacement goes (``placement``); the planner's last
step launches it in the same plan. A home that refuses it is held back after that, so the next move waits ever longer.
"""

from reconciler import actions, causes, crashloop, health, placement, victims
from reconciler.draft import Draft
from reconciler.model import FailBack, Instance, InstanceState, Process


def bring_home(draft: Draft) -> None:
    """Nothing; one instance is retired on the worst-ranked cloud when a better one can take its place now."""
    if draft.group.fail_back is not FailBack.EAGER or draft.group.deleting or not _complete(draft):
        return
    held = draft.per_cloud()
    for rank in range(len(draft.group.clouds) - 1, 0, -1):
        away = draft.group.clouds[rank].name
        traveller = _traveller(draft, away) if held[away] else None
        if traveller is not None:
            _move(draft, traveller, rank)
            return


def _complete(draft: Draft) -> bool:
    """True when nothing else is going on: whatever goes wrong with a move, it is the only thing that does."""
    return (
        len(draft.counting) == draft.desired
        and all(instance.state is InstanceState.IN_SERVICE for instance in draft.counting.values())
        and not draft.terminating
        and not draft.ailing
        and not draft.strays_total
    )


def _traveller(draft: Draft, away: str) -> Instance | None:
    """Whom a scale-in on *away* would take; None when all are protected, or when nobody can see what happens there."""
    if health.blindness(away, draft.view.accounts.get(away)) is not None or draft.frozen(away):
        return None
    here = [instance for instance in draft.counting.values() if instance.cloud == away]
    return next(iter(victims.choose(here, 1, draft.group, draft.now)), None)


def _move(draft: Draft, traveller: Instance, rank: int) -> None:
    """Nothing; *traveller* is retired when one of the clouds before *rank* would launch in its place."""
    seen = crashloop.limited(draft.view, draft.crashes, 0, draft.now)
    placed = placement.place(seen, 1, draft.per_cloud(), draft.group.clouds[:rank])
    draft.again_at(placed.again_at)
    if not placed.counts:
        # A home at its limit is no news; one that is held back or silent is what the group waits for.
        for reason in placed.reasons if placed.again_at is not None or placed.unseen else ():
            draft.wait(reason)
        return
    if any(draft.halted(process) for process in (Process.LAUNCH, Process.TERMINATE, Process.AZ_REBALANCE)):
        return
    home = placed.counts[0][0]
    draft.moving = (traveller.cloud, home)
    because = causes.leaving_for_home(draft.now, *draft.moving)
    draft.do(actions.Retire(traveller.key, replace=False, because=because))
