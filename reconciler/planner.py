"""
What to do about one group now: a pure function from what is known to a list of actions with reasons.

Owns: the order of the steps, and the steps that compare desired with actual. What it sees is already out of date;
nothing here depends on its being exact, because the ledger and the clouds check again when the plan is carried out.
"""

from collections import defaultdict
from datetime import datetime, timedelta

from backends.cloud import MachineState
from reconciler import actions, causes, crashloop, deaths, health, homecoming, overshoot, placement, settlement, victims
from reconciler.draft import Draft
from reconciler.model import AccountView, GroupView, Instance, InstanceState, Process

LAUNCHES_PER_PASS_MAX = 1000
"""
EC2's own limit for one call. A wrong number is stopped by the ceilings on groups and users, and by the launch rate of
the account, which is the budget for all its groups together; a limit here would only cut big groups into many calls.
"""

TERMINATE_RESEND_S = 60.0
"""A cloud that accepted a termination and still shows the machine is asked again after this; they do forget."""

DISMISS_BATCH_MAX = 50
"""Machines in one terminate call. Higher: one refused call holds up more. Lower: more calls."""

CEILING_FACTOR = 2
CEILING_EXTRA = 2
"""
A group never has more than factor * desired + extra instances in any state: two full sets while one goes and one
comes, and room for the smallest groups. Whatever goes wrong, the bill has a bound.
"""


def plan(view: GroupView, now: datetime) -> actions.Plan:
    """What to do now, what is being waited for, and when to look again."""
    draft = Draft(view, now)
    settlement.settle(draft)
    promote(draft)
    deaths.judge(draft)
    settlement.retry(draft)
    settlement.adopt(draft)
    trim(draft)
    homecoming.bring_home(draft)
    dismiss(draft)
    settlement.reap(draft)
    fill(draft)
    remove(draft)
    return draft.plan()


def promote(draft: Draft) -> None:
    """Nothing; pending instances whose machines run are in service."""
    for instance in list(draft.counting.values()):
        machine = draft.machine(instance)
        if instance.state is not InstanceState.PENDING or machine is None or machine.state is not MachineState.RUNNING:
            continue
        if draft.sighted(instance.cloud) is not None:
            draft.do(actions.Promote(instance.key, f"{instance.cloud} shows {machine.machine_id} running"))


def trim(draft: Draft) -> None:
    """
    Nothing; surplus instances are retired, and those that a lowered cap forces to move elsewhere.

    One whose cloud cannot be seen, or is frozen, stays: retired where nobody hears of it, it would go on running, and
    growth would launch another beside it.
    """
    before = len(draft.counting)
    if before > draft.desired and draft.halted(Process.TERMINATE):
        return
    chosen = victims.choose(draft.counting.values(), before - draft.desired, draft.group, draft.now, draft.ailing)
    chosen = [victim for victim in chosen if draft.group.deleting or draft.sighted(victim.cloud) is not None]
    chosen = [victim for victim in chosen if not draft.frozen(victim.cloud)]
    after = before - len(chosen)
    for victim in chosen:
        name = victim.instance_id or victim.machine_id or str(victim.key)
        why = (causes.shrinking(draft.now, before, after), causes.selected(draft.now, name))
        draft.do(actions.Retire(victim.key, replace=False, because=causes.join((*draft.group.causes, *why))))
    if after > draft.desired:
        draft.wait(f"{after - draft.desired} surplus instances are protected, out of sight, or not settled yet")
    elif not draft.group.deleting:
        _move_excess(draft)


def dismiss(draft: Draft) -> None:
    """Nothing; retired machines are terminated at their clouds, and buried once they are certainly gone."""
    to_send: dict[str, list[int]] = defaultdict(list)
    for instance in list(draft.terminating.values()):
        account = draft.sighted(instance.cloud)
        if account is not None and _must_be_told(draft, instance, account) and not draft.frozen(instance.cloud):
            to_send[instance.cloud].append(instance.key)
    for cloud, keys in to_send.items():
        for start in range(0, len(keys), DISMISS_BATCH_MAX):
            batch = tuple(keys[start : start + DISMISS_BATCH_MAX])
            draft.do(actions.Dismiss(cloud, batch, "the ledger has retired them"))


def fill(draft: Draft) -> None:
    """Nothing; missing instances are launched, replacements first, within the limits."""
    missing = draft.missing
    stale = draft.owed - max(0, missing)
    if stale > 0 and not draft.group.deleting:
        draft.do(actions.Forgive(stale, "the capacity that they were for is not wanted any more"))
    missing -= _unheard(draft)
    if overshoot.blown(draft) or missing <= 0 or draft.halted(Process.LAUNCH):
        return
    wanted = min(missing, LAUNCHES_PER_PASS_MAX, _headroom(draft, missing))
    if wanted <= 0:
        return
    seen = crashloop.limited(draft.view, draft.crashes, missing, draft.now)
    placed = placement.place(seen, wanted, draft.per_cloud())
    for reason in placed.reasons:
        draft.wait(reason)
    for cloud in placed.unseen:
        draft.look_at(cloud)
    draft.again_at(placed.again_at)
    if not placed.counts:
        return
    started = _why_launched(draft, placed.total)
    owed = draft.owed
    for cloud, count in placed.counts:
        repaid = min(owed, count)
        owed -= repaid
        if repaid:
            draft.do(actions.Launch(cloud, repaid, repaid, causes.replacing(draft.now)))
        if count > repaid:
            draft.do(actions.Launch(cloud, count - repaid, 0, started))


def remove(draft: Draft) -> None:
    """Nothing; a group being deleted goes when nothing of it is left."""
    if not draft.group.deleting:
        return
    left = len(draft.counting) + len(draft.terminating) + draft.strays_total
    if left:
        draft.wait(f"{left} machines of the group are not gone yet")
    else:
        draft.do(actions.RemoveGroup("it is being deleted and nothing of it is left"))


def _unheard(draft: Draft) -> int:
    """
    Instances that were retired, but whose cloud went silent before it heard of it: they run on, so they fill a place.

    A group that shrank just as its cloud went away, or was frozen, and then grew, would have too many otherwise.
    """
    return sum(
        instance.terminate_sent_at is None and (draft.sighted(instance.cloud) is None or draft.frozen(instance.cloud))
        for instance in draft.terminating.values()
        if instance.machine_id is not None
    )


def _why_launched(draft: Draft, count: int) -> str:
    if draft.moving is not None:
        return causes.coming_home(draft.now, *draft.moving)
    before = len(draft.counting)
    return causes.join((*draft.group.causes, causes.growing(draft.now, before, before + count)))


def _move_excess(draft: Draft) -> None:
    """Instances beyond a cap go only as far as others can take their place now."""
    if all(ranked.cap is None for ranked in draft.group.clouds):
        return
    held = draft.per_cloud()
    for ranked in draft.group.clouds:
        excess = 0 if ranked.cap is None else held[ranked.name] - ranked.cap
        if excess <= 0 or ranked.cap is None or draft.sighted(ranked.name) is None:
            continue
        if draft.halted(Process.TERMINATE) or draft.halted(Process.LAUNCH) or draft.frozen(ranked.name):
            return
        missing = draft.desired - len(draft.counting)
        seen = crashloop.limited(draft.view, draft.crashes, missing, draft.now)
        room = placement.place(seen, missing + excess, draft.per_cloud()).total - missing
        here = [i for i in draft.counting.values() if i.cloud == ranked.name]
        moving = min(excess, room, LAUNCHES_PER_PASS_MAX - missing)
        for victim in victims.choose(here, moving, draft.group, draft.now, draft.ailing):
            because = causes.over_cap(draft.now, ranked.name, ranked.cap)
            draft.do(actions.Retire(victim.key, replace=False, because=because))


def _must_be_told(draft: Draft, instance: Instance, account: AccountView) -> bool:
    """True when the cloud has to hear of this retirement now; buries it where it is proven gone."""
    machine, sent_at = draft.machine(instance), instance.terminate_sent_at
    if instance.machine_id is None:
        _bury_unborn(draft, instance, account)
        return False
    if machine is None and sent_at is not None:
        _bury_absent(draft, instance, account, sent_at)
        return False
    if machine is None:
        return True
    if machine.state is MachineState.TERMINATED:
        draft.do(actions.Bury(instance.key, replace=False, because=f"{instance.cloud} shows it terminated"))
        return False
    if machine.mark is None or machine.mark.group_uid != draft.group.uid:
        draft.wait(f"{machine.machine_id} on {instance.cloud} does not bear this group's mark: it is not touched")
        return False
    if sent_at is None:
        return True
    if machine.state is MachineState.SHUTTING_DOWN:
        return False
    resend_at = sent_at + timedelta(seconds=TERMINATE_RESEND_S)
    if draft.now < resend_at:
        draft.again_at(resend_at)
    return draft.now >= resend_at


def _bury_absent(draft: Draft, instance: Instance, account: AccountView, sent_at: datetime) -> None:
    """Nothing; what was told to end and is not shown is buried, later if it never was shown: it may come to light."""
    hidden = not health.was_shown(instance, account)
    due = (
        sent_at + timedelta(seconds=health.DENIED_S) if hidden else max(sent_at, health.visible_from(instance, account))
    )
    if account.swept_at is not None and account.swept_at > due:
        draft.do(actions.Bury(instance.key, replace=False, because=f"{instance.cloud} does not show it any more"))
    else:
        if hidden:
            draft.wait(f"{instance.machine_id} was told to end, and {instance.cloud} has never shown it")
        draft.sweep_from(instance.cloud, due)


def _bury_unborn(draft: Draft, instance: Instance, account: AccountView) -> None:
    due = settlement.proof_from((instance,), account, weak=False)
    if account.swept_at is not None and account.swept_at > due:
        draft.do(actions.Bury(instance.key, replace=False, because="it never became a machine"))
    else:
        draft.sweep_from(instance.cloud, due)


def _headroom(draft: Draft, missing: int) -> int:
    """Launches that the ceiling on instances in any state leaves; less than *missing* is something to wait for."""
    ceiling = CEILING_FACTOR * draft.desired + CEILING_EXTRA
    present = len(draft.counting) + len(draft.terminating) + draft.strays_total
    if ceiling - present < missing:
        draft.wait(f"{present} machines of the group are still there; more than {ceiling} at once are not allowed")
    return ceiling - present
