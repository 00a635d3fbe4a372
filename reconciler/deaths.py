"""
The dead of a group: which deaths are believed, what takes them out of the ledger, and what of their launches is noted.

Owns: the planner's step that judges instances, its brake on mass death included. Does not own: the verdict on one of
them (``health``), nor how long launches wait whose machines die young (``crashloop``).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from backends.cloud import MachineState
from reconciler import actions, casualties, causes, crashloop, health
from reconciler.draft import Draft
from reconciler.model import AccountView, Instance, InstanceState, Process

FUSE = "health"
"""The name of the fuse that blows when too many look dead at once."""

FREEZE_SHARE = 0.2
"""
Karpenter's figure for node repair: more deaths of a group within five minutes than this share say more about us than
about them.
"""

LOST_SHARE = 0.45
LOST_FEW = 2
"""
The cluster autoscaler's figure for a cloud that is itself unwell: when more of an account's machines are missing than
this share, and more than a few, not even its own word is believed that they are gone. And when so many are missing, do
not run, or were given up within five minutes, nothing that its groups conclude is believed, however small each of them.
"""


def judge(draft: Draft) -> None:
    """
    Nothing; what the cloud calls dead and what vanished leaves the ledger, what else is dead is retired.

    What vanished is not ended: there is nothing to be ended, and should it come back, it may be needed.
    """
    _tidy_crashes(draft)
    dead: list[tuple[Instance, health.Dead]] = []
    for instance in draft.counting.values():
        if instance.state is InstanceState.CLAIMED:
            continue
        machine = draft.machine(instance)
        verdict = health.judge(instance, draft.view.accounts.get(instance.cloud), machine, draft.now)
        if machine is None:
            _inquire(draft, instance)
        match verdict:
            case health.Alive():
                draft.again_at(verdict.again_at)
            case health.Unknown():
                _await_news(draft, instance, verdict)
            case health.Dead() if verdict.concluded and draft.halted(Process.HEALTH_CHECK):
                pass
            case health.Dead():
                dead.append((instance, verdict))
    if not dead:
        return
    draft.ailing = {instance.key for instance, _ in dead}
    frozen = _frozen(draft, dead)
    certain = [
        (instance, verdict)
        for instance, verdict in dead
        if instance.key not in frozen and (_needs_no_call(verdict) or not draft.frozen(instance.cloud))
    ]
    _take_out(draft, certain)


def _needs_no_call(verdict: health.Dead) -> bool:
    """True when nothing of it is left to be terminated, so that a freeze of its cloud makes no difference."""
    return verdict.said_by_cloud or verdict.vanished


def _await_news(draft: Draft, instance: Instance, verdict: health.Unknown) -> None:
    account = draft.sighted(instance.cloud)
    if account is None:
        return
    if verdict.again_at is not None:
        draft.sweep_from(instance.cloud, verdict.again_at)
    elif draft.machine(instance) is None:
        draft.wait(f"{instance.machine_id}: {verdict.reason}")


def _inquire(draft: Draft, instance: Instance) -> None:
    """Nothing; a machine that the picture lacks, and should have by now, is asked for by its id when that is due."""
    account = draft.view.accounts.get(instance.cloud)
    if account is None or account.blind is not None:
        return
    if account.swept_at is None or account.swept_at <= health.visible_from(instance, account):
        return
    due = health.inquire_at(account.absence(instance.machine_id), account)
    if due is None or draft.now > due:
        draft.inquire(instance.cloud, str(instance.machine_id))
    else:
        draft.again_at(due)


def _frozen(draft: Draft, dead: Iterable[tuple[Instance, health.Dead]]) -> set[int]:
    """Keys of the deaths that are not believed: too many on one cloud at once, and nobody said so."""
    doubted: dict[str, list[Instance]] = defaultdict(list)
    for instance, verdict in dead:
        if _is_doubtful(draft, instance, verdict):
            doubted[instance.cloud].append(instance)
    if not doubted:
        return set()
    bound = Counter(i.cloud for i in draft.view.instances if i.state.counts and i.state is not InstanceState.CLAIMED)
    frozen: set[int] = set()
    for cloud, instances in doubted.items():
        if draft.group.deleting:
            continue
        account, keys = draft.view.accounts[cloud], [instance.key for instance in instances]
        # What could not be recorded is concluded again.
        again = {instance.machine_id for instance in instances}
        earlier = [at for machine_id, at in account.given_up.items() if machine_id not in again]
        given_up = len(earlier)
        many = len(keys) + given_up
        if many > 1 and many > FREEZE_SHARE * (bound[cloud] + given_up):
            frozen.update(keys)
            draft.blow(FUSE)
            before = f", after {given_up} within the last {casualties.WINDOW_S:g} s," if given_up else ""
            draft.wait(
                f"{len(keys)} of {bound[cloud]} instances on {cloud} look dead at once{before} and {cloud} does not "
                "say so: none is replaced"
            )
            if given_up:
                draft.again_at(min(earlier) + timedelta(seconds=casualties.WINDOW_S))
        elif _is_unwell(account):
            frozen.update(keys)
            draft.blow(FUSE)
            draft.wait(f"{account.lost} machines on {cloud}, of other groups, too, look dead at once: none is replaced")
        elif _loses_many(draft.view.accounts[cloud]):
            vanished = {instance.key for instance, verdict in dead if verdict.vanished}
            frozen.update(vanished.intersection(keys))
            draft.blow(FUSE)
            draft.wait(f"{cloud} lacks many machines at once, of other groups, too: none is replaced")
    return frozen


def _is_doubtful(draft: Draft, instance: Instance, verdict: health.Dead) -> bool:
    """True for a death that is our own conclusion, of a machine that may have served."""
    account = draft.view.accounts.get(instance.cloud)
    said = verdict.denied and account is not None and _is_well(account)
    return verdict.concluded and not said and not _never_worked(draft, instance)


def _is_unwell(account: AccountView) -> bool:
    """True when so many machines of the account are lost that the account itself must be to blame."""
    return account.lost > LOST_FEW and account.lost > LOST_SHARE * (account.living + account.missing)


def _is_well(account: AccountView) -> bool:
    """True when the account shows so much that its word about what is missing counts."""
    most = LOST_SHARE * (account.living + account.missing)
    return account.living > 0 and (account.missing <= LOST_FEW or account.missing <= most)


def _loses_many(account: AccountView) -> bool:
    return account.missing > 1 and account.missing > FREEZE_SHARE * (account.living + account.missing)


def _never_worked(draft: Draft, instance: Instance) -> bool:
    """True for what came up broken: that is a launch that failed, and no machine that served is in danger."""
    machine = draft.machine(instance)
    return instance.state is InstanceState.PENDING and machine is not None and machine.state is MachineState.ERROR


def _tidy_crashes(draft: Draft) -> None:
    """
    Nothing; records of young deaths that say nothing any more are forgotten, and places that were filled do not wait.

    While Launch is suspended they are forgotten, too: whoever resumes it wants an attempt at once.
    """
    if draft.group.deleting or not draft.crashes:
        return
    if draft.group.suspends(Process.LAUNCH):
        for cloud in list(draft.crashes):
            draft.do(actions.NoteCrash(cloud, None, "Launch is suspended"))
        return
    empty = max(0, draft.missing)
    for cloud, crash in crashloop.paused(draft.view, draft.crashes, draft.now).items():
        if crash.places > empty:
            draft.do(actions.NoteCrash(cloud, replace(crash, places=empty), "their places are filled again"))
        empty -= min(empty, crash.places)


def _note_young(draft: Draft, dead: list[tuple[Instance, health.Dead]]) -> dict[str, str]:
    """Sentences for activities by cloud, where launches came to nothing; the records are noted."""
    young: dict[str, list[Instance]] = defaultdict(list)
    for instance, verdict in dead:
        source = draft.view.record.sources.get(instance.cloud)
        is_current = source is not None and source.launch_configuration == instance.launch_configuration
        if is_current and not verdict.said_by_user and _is_young(draft, instance):
            young[instance.cloud].append(instance)
    said = {}
    for cloud, instances in young.items():
        before, uid = draft.crashes.get(cloud), draft.group.uid
        crash = crashloop.died(uid, cloud, before, instances[0].launch_configuration, instances, draft.now)
        said[cloud] = causes.died_young(draft.now, crash.times, crashloop.until(uid, cloud, crash))
        draft.do(actions.NoteCrash(cloud, crash, said[cloud]))
    return said


def _is_young(draft: Draft, instance: Instance) -> bool:
    account = draft.view.accounts.get(instance.cloud)
    return account is not None and crashloop.is_young(instance, account.traits.young_s, draft.now)


def _take_out(draft: Draft, dead: list[tuple[Instance, health.Dead]]) -> None:
    # What the cloud calls dead leaves the ledger whatever is suspended: nothing of it is left to be kept.
    spared = not all(verdict.said_by_cloud for _, verdict in dead) and (
        draft.halted(Process.TERMINATE) or draft.halted(Process.REPLACE_UNHEALTHY)
    )
    dead = [(instance, verdict) for instance, verdict in dead if verdict.said_by_cloud or not spared]
    young = {} if draft.group.deleting or draft.group.suspends(Process.LAUNCH) else _note_young(draft, dead)
    # While ReplaceUnhealthy is suspended, AWS fills the gap that a death leaves like any other.
    replacing = not draft.group.suspends(Process.REPLACE_UNHEALTHY)
    # Only as many replacements are owed as will be missing: a death within a surplus is no loss.
    missing = max(0, draft.desired - len(draft.counting))
    room = draft.desired - (len(draft.counting) - len(dead)) - min(draft.owed, missing)
    for instance, verdict in dead:
        owed = replacing and room > 0
        room -= owed
        because = verdict.cause
        if instance.cloud in young and _is_young(draft, instance):
            because = causes.join((verdict.cause, young[instance.cloud]))
        if _is_doubtful(draft, instance, verdict):
            draft.give_up(instance)
        if verdict.said_by_cloud or (verdict.vanished and not draft.group.deleting):
            draft.do(actions.Bury(instance.key, owed, because))
        elif not draft.group.deleting:
            draft.do(actions.Retire(instance.key, owed, because))
