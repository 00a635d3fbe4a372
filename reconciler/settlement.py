"""
What became of launches: claims against the machines that sweeps show, and machines that nobody claimed.

Owns: the proof that a claim came to something or to nothing, and the list of leaks. Five of the planner's steps.
"""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from backends.cloud import OVER, Machine, MachineState
from reconciler import actions, causes
from reconciler.draft import Draft
from reconciler.model import AccountView, Instance, LaunchSource, Process

REAP_AFTER_S = 150.0
"""Age of an unclaimed machine before it is a leak. Lower: a delayed listing kills. Higher: leaks cost money longer."""

REAP_SHARE = 0.2
"""Of a group's size. More unclaimed machines than this, and than one, look like a ledger restored from a backup."""

OVERSHOOT_SLACK = 2
"""Machines beyond what is desired. See ``overshoot``; here it holds up the launches that are not new ones."""


def settle(draft: Draft) -> None:
    """Nothing; claims whose machines are shown are bound, those whose machines died already are given up."""
    batches: dict[tuple[str, str], list[Instance]] = defaultdict(list)
    for claim in draft.claims():
        batches[claim.cloud, claim.token].append(claim)
    for (cloud, token), claims in batches.items():
        account = draft.sighted(cloud)
        if account is None:
            continue
        pairs = match(claims, _unbound(draft, cloud, token))
        for claim, machine in pairs:
            _settle_one(draft, claim, machine)
        settled = {claim.key for claim, _ in pairs}
        lost = [claim for claim in claims if claim.key not in settled]
        if lost:
            draft.lost[cloud, token] = lost


def match(claims: Sequence[Instance], machines: Sequence[Machine]) -> list[tuple[Instance, Machine]]:
    """
    Claims of one token with its machines: by index where the cloud kept it, the rest in order.

    The living are given out first: no claim may end with a dead machine while a living one goes unclaimed.
    """
    pairs: list[tuple[Instance, Machine]] = []
    without = sorted(claims, key=lambda claim: claim.index)
    for over in (False, True):
        there = sorted((m for m in machines if (m.state in OVER) is over), key=lambda machine: machine.machine_id)
        by_index = {machine.index: machine for machine in there}
        exact = [(claim, by_index[claim.index]) for claim in without if claim.index in by_index]
        placed = {claim.key for claim, _ in exact}
        without = [claim for claim in without if claim.key not in placed]
        taken = {machine.machine_id for _, machine in exact}
        rest = list(zip(without, (m for m in there if m.machine_id not in taken), strict=False))
        without = without[len(rest) :]
        pairs += exact + rest
    return pairs


def retry(draft: Draft) -> None:
    """Nothing; claims that came to nothing are launched again with their own token, or given up."""
    for (cloud, token), claims in draft.lost.items():
        account = draft.sighted(cloud)
        if account is None or account.swept_at is None:
            continue
        surplus = len(draft.counting) - draft.desired
        repeatable = surplus <= 0 and _repeatable(draft, cloud, token, claims)
        due = proof_from(claims, account, weak=repeatable and account.traits.token_is_idempotent)
        if account.swept_at <= due:
            draft.wait(f"the outcome of {len(claims)} launches on {cloud} is not known yet")
            draft.sweep_from(cloud, due)
        elif not repeatable:
            keys = tuple(claim.key for claim in claims)
            draft.do(actions.Abandon(keys, f"{cloud} shows no machine of launch {token}"))
        elif draft.halted(Process.LAUNCH) or draft.frozen(cloud) or _overshoots(draft):
            continue
        elif account.held is not None:
            draft.wait(f"the launch on {cloud} is repeated after the back-off: {account.held.reason}")
            draft.again_at(account.held.until)
        else:
            keys = tuple(claim.key for claim in claims)
            draft.do(actions.Resend(cloud, token, keys, f"{cloud} shows no machine of launch {token}"))


def _overshoots(draft: Draft) -> bool:
    """True when more machines live than are desired and some to spare, so that not even a launch is repeated."""
    found = draft.strays_total
    return found > 0 and len(draft.counting) + found > draft.desired + OVERSHOOT_SLACK


def proof_from(claims: Sequence[Instance], account: AccountView, *, weak: bool) -> datetime:
    """
    A complete sweep that began after this and shows nothing proves that nothing came of the claims.

    A *weak* proof is no more than a look: it is enough to repeat a token that launches nothing twice, which also brings
    in machines that were launched and are not shown yet. Where a token is looked up and not locked (OpenStack's ec2-api
    records each VM once Nova has made it), a call that was cut off has to be over first.
    """
    since = max(claim.claimed_at for claim in claims)
    if weak:
        return since + timedelta(seconds=account.traits.repeat_after_s)
    if account.calls_cut_at is not None:
        since = max(since, account.calls_cut_at)
    return since + timedelta(seconds=account.traits.visible_after_s)


def adopt(draft: Draft) -> None:
    """
    Nothing; machines old enough to be leaks, and needed, take places in the group again.

    They come back from wherever they were hidden, or the ledger from a backup. One that runs is worth more than one
    that is still to come up: what is too many then, a scale-in takes.
    """
    if draft.group.deleting or not draft.strays_total:
        return
    held = draft.per_cloud()
    for ranked in draft.group.clouds:
        if ranked.name not in draft.machines or ranked.name not in draft.view.record.sources:
            continue
        if not _believed(draft, ranked.name):
            continue
        for machine in sorted(draft.strays(ranked.name), key=lambda stray: stray.state is not MachineState.RUNNING):
            is_full = ranked.cap is not None and held[ranked.name] >= ranked.cap
            if machine.mark is None or is_full or not _is_needed(draft, ranked.name, machine):
                continue
            index = _free_index(draft, ranked.name, machine.mark.token, machine.index)
            because = causes.adopted(draft.now, machine.machine_id)
            draft.do(actions.Adopt(ranked.name, machine.machine_id, machine.mark.token, index, because))
            held[ranked.name] += 1


def reap(draft: Draft) -> None:
    """Nothing; machines that bear the group's mark and that no instance stands for are terminated."""
    if not draft.strays_total:
        return
    unclaimed = {name: draft.strays(name) for name in sorted(draft.machines) if _believed(draft, name)}
    unclaimed = {name: found for name, found in unclaimed.items() if found and not draft.frozen(name)}
    total = sum(len(machines) for machines in unclaimed.values())
    few = total <= max(1.0, REAP_SHARE * len(draft.view.instances))
    tokens = {(instance.cloud, instance.token) for instance in draft.view.instances}
    for cloud, machines in unclaimed.items():
        doomed = []
        for machine in machines:
            due = machine.launched_at + timedelta(seconds=REAP_AFTER_S)
            known = machine.mark is not None and (cloud, machine.mark.token) in tokens
            given_up = machine.machine_id in draft.view.accounts[cloud].condemned
            if machine.machine_id in draft.view.accounts[cloud].spared:
                draft.wait(f"{cloud} shows {machine.machine_id} of this group, which was never launched: left alone")
            elif draft.now < due and not draft.group.deleting and not given_up:
                draft.again_at(due)
            elif few or known or draft.group.deleting or given_up:
                doomed.append(machine.machine_id)
            else:
                draft.wait(f"{cloud} shows {machine.machine_id} of this group, which is not on record: left alone")
        if doomed:
            draft.do(actions.Reap(cloud, tuple(doomed), "no instance of the group stands for it"))


def _is_needed(draft: Draft, cloud: str, machine: Machine) -> bool:
    """True when the group is better off with this stray machine than without it."""
    seen = draft.view.accounts[cloud]
    young = draft.now < machine.launched_at + timedelta(seconds=REAP_AFTER_S)
    if machine.machine_id in seen.condemned | seen.spared or (young and machine.machine_id not in seen.kept):
        return False
    if machine.state is MachineState.PENDING:
        return draft.missing > 0
    serving = sum(key in draft.serving for key in draft.counting)
    return machine.state is MachineState.RUNNING and serving + draft.adoptions < draft.desired


def _free_index(draft: Draft, cloud: str, token: str, own: int | None) -> int:
    """The machine's own place in its launch, or the first that no instance has."""
    taken = {i.index for i in draft.view.instances if (i.cloud, i.token) == (cloud, token)}
    taken |= draft.indices[cloud, token]
    return own if own is not None and own not in taken else next(i for i in itertools.count() if i not in taken)


def _believed(draft: Draft, cloud: str) -> bool:
    account = draft.view.accounts[cloud]
    return account.blind is None and account.swept_at is not None


def _unbound(draft: Draft, cloud: str, token: str) -> list[Machine]:
    return [
        machine
        for machine in draft.machines[cloud].values()
        if machine.mark is not None
        and machine.mark.group_uid == draft.group.uid
        and machine.mark.token == token
        and machine.machine_id not in draft.bound[cloud]
    ]


def _settle_one(draft: Draft, claim: Instance, machine: Machine) -> None:
    if machine.state in OVER:
        draft.do(actions.Abandon((claim.key,), f"{machine.machine_id} was terminated before it was recorded"))
    else:
        draft.do(actions.Bind(claim.key, machine, f"{claim.cloud} shows the machine of launch {claim.token}"))


def _repeatable(draft: Draft, cloud: str, token: str, claims: Sequence[Instance]) -> bool:
    """
    True when the very same call can be made again.

    Clouds compare the parameters of a repeated token (EC2: IdempotentParameterMismatch), so the batch has to be whole
    and what it launches unchanged.
    """
    source = draft.view.record.sources.get(cloud)
    batch = [i for i in draft.view.instances if (i.cloud, i.token) == (cloud, token)]
    return (
        not draft.group.deleting
        and source is not None
        and token not in draft.view.accounts[cloud].doubted
        and any(ranked.name == cloud for ranked in draft.group.clouds)
        and all(_is_of(claim, source) for claim in claims)
        and [claim.index for claim in claims] == list(range(len(batch)))
    )


def _is_of(claim: Instance, source: LaunchSource) -> bool:
    """Whether the claim was made from *source*, and not from one of the same name that was there before."""
    same_age = claim.spec_created_at is None or claim.spec_created_at == source.created_at
    return same_age and claim.launch_configuration == source.launch_configuration
