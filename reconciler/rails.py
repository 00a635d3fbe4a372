"""
What no plan may ever do, whoever made it: the last check before effects.

Owns: the list of prohibitions, written without a line of the planner's code, so that a mistake there is caught here.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta

from backends.cloud import Machine, MachineState
from reconciler import actions
from reconciler.model import AccountView, FailBack, GroupView, Instance, InstanceState

LAUNCHES_MAX = 1000
"""In one plan, resent ones aside. The planner has the same limit for its own reasons."""

MISSING_FEW = 2
DENIED_FOR = timedelta(minutes=5)
"""What it takes to believe a cloud that many machines do not exist; the planner's figures, for the same reasons."""

OVERSHOOT_MAX = 2
"""Machines beyond what is desired, those that nothing stands for included; the planner's figure."""

GONE = (MachineState.TERMINATED, MachineState.SHUTTING_DOWN)


class RailBreach(Exception):  # noqa: N818 - the breach of a rail, not the failure of a call
    """The plan would do what must never be done; nothing of it is carried out."""


class _Known:
    """The view with its instances and machines under their keys: groups may have thousands."""

    def __init__(self, view: GroupView) -> None:
        self.view = view
        self._instances = {instance.key: instance for instance in view.instances}
        self._machines = {
            (cloud, machine.machine_id): machine
            for cloud, account in view.accounts.items()
            for machine in account.machines
        }

    def instance(self, key: int) -> Instance | None:
        return self._instances.get(key)

    def instances(self, *keys: int) -> list[Instance]:
        return [self._instances[key] for key in keys if key in self._instances]

    def machine(self, instance: Instance) -> Machine | None:
        return self._machines.get((instance.cloud, instance.machine_id or ""))

    def sighted(self, cloud: str) -> AccountView | None:
        account = self.view.accounts.get(cloud)
        return account if account is not None and account.blind is None and account.swept_at is not None else None

    def ours(self, machine: Machine) -> bool:
        return machine.mark is not None and machine.mark.group_uid == self.view.group.uid


def check(view: GroupView, plan: actions.Plan) -> None:
    """
    Nothing, when the plan keeps to the rails.

    Raises:
        RailBreach: with every rule that it breaks.

    """
    if not plan.actions:
        return
    known = _Known(view)
    breaches = [
        *_strangers(known, plan),
        *_settling(known, plan),
        *_endings(known, plan),
        *_dismissals(known, plan),
        *_reaping(known, plan),
        *_launching(known, plan),
        *_halted(known, plan),
        *_frozen(known, plan),
        *_scale_in(known, plan),
        *_mass_retirement(known, plan),
        *_adoption(known, plan),
        *_removal(known, plan),
    ]
    if breaches:
        raise RailBreach(f"group {view.group.uid}: " + "; ".join(breaches))


def _strangers(known: _Known, plan: actions.Plan) -> Iterator[str]:
    of_this_group = {instance.key for instance in known.view.instances}
    ended: Counter[int] = Counter()
    for action in plan.actions:
        keys = _keys(action)
        if not of_this_group.issuperset(keys):
            yield f"{type(action).__name__} of an instance that is not of this group"
        if not isinstance(action, actions.Dismiss | actions.Promote):
            ended.update(keys)
    for key, times in ended.items():
        if times > 1:
            yield f"instance {key} is settled {times} times"


def _settling(known: _Known, plan: actions.Plan) -> Iterator[str]:
    bound = {
        (instance.cloud, instance.machine_id) for instance in known.view.instances if instance.machine_id is not None
    }
    for action in plan.actions:
        if isinstance(action, actions.Bind):
            claim = known.instance(action.instance_key)
            if claim is None or claim.state is not InstanceState.CLAIMED:
                yield "Bind of what is no claim"
                continue
            mark = action.machine.mark
            if mark is None or (mark.group_uid, mark.token) != (known.view.group.uid, claim.token):
                yield f"Bind of {action.machine.machine_id}, whose mark is not the claim's"
            if (claim.cloud, action.machine.machine_id) in bound:
                yield f"{action.machine.machine_id} is bound twice"
            bound.add((claim.cloud, action.machine.machine_id))
        elif isinstance(action, actions.Promote):
            instance = known.instance(action.instance_key)
            machine = None if instance is None else known.machine(instance)
            if instance is None or instance.state is not InstanceState.PENDING or machine is None:
                yield "Promote of what is not pending"
            elif machine.state is not MachineState.RUNNING:
                yield f"Promote of {machine.machine_id}, which does not run"


def _endings(known: _Known, plan: actions.Plan) -> Iterator[str]:
    for action in plan.actions:
        if isinstance(action, actions.Bury):
            instance = known.instance(action.instance_key)
            if instance is not None and not _proven_gone(known, instance):
                yield f"Bury of instance {instance.key}, which is not proven gone"
        elif isinstance(action, actions.Abandon):
            for key in action.instance_keys:
                claim = known.instance(key)
                if claim is not None and not _came_to_nothing(known, claim):
                    yield f"Abandon of instance {key}, whose launch may have happened"
        elif isinstance(action, actions.Retire):
            instance = known.instance(action.instance_key)
            if instance is not None and instance.state not in {InstanceState.PENDING, InstanceState.IN_SERVICE}:
                yield f"Retire of instance {instance.key}, which is {instance.state}"


def _dismissals(known: _Known, plan: actions.Plan) -> Iterator[str]:
    retired = {action.instance_key for action in plan.actions if isinstance(action, actions.Retire)}
    for action in plan.actions:
        if not isinstance(action, actions.Dismiss):
            continue
        if known.sighted(action.cloud) is None:
            yield f"Dismiss on {action.cloud}, which cannot be seen"
        for instance in (known.instance(key) for key in action.instance_keys):
            if instance is None:
                continue
            if instance.cloud != action.cloud or instance.machine_id is None:
                yield f"Dismiss of instance {instance.key}, which has no machine on {action.cloud}"
            if instance.state is not InstanceState.TERMINATING and instance.key not in retired:
                yield f"Dismiss of instance {instance.key} before it is retired"
            machine = known.machine(instance)
            if machine is not None and not known.ours(machine):
                yield f"Dismiss of {machine.machine_id}, which does not bear the group's mark"


def _reaping(known: _Known, plan: actions.Plan) -> Iterator[str]:
    kept = {(instance.cloud, instance.machine_id) for instance in known.view.instances}
    for action in plan.actions:
        if isinstance(action, actions.Bind):
            claim = known.instance(action.instance_key)
            kept.add((claim.cloud if claim else "", action.machine.machine_id))
    for action in plan.actions:
        if not isinstance(action, actions.Reap):
            continue
        account = known.sighted(action.cloud)
        if account is None:
            yield f"Reap on {action.cloud}, which cannot be seen"
            continue
        shown = {machine.machine_id: machine for machine in account.machines}
        for machine_id in action.machine_ids:
            if machine_id not in shown or not known.ours(shown[machine_id]):
                yield f"Reap of {machine_id}, which does not bear the group's mark"
            if (action.cloud, machine_id) in kept:
                yield f"Reap of {machine_id}, for which an instance stands"
            if machine_id in account.spared:
                yield f"Reap of {machine_id}, which this ledger never launched"


def _launching(known: _Known, plan: actions.Plan) -> Iterator[str]:
    launches = [action for action in plan.actions if isinstance(action, actions.Launch)]
    resends = [action for action in plan.actions if isinstance(action, actions.Resend)]
    if (launches or resends) and known.view.group.deleting:
        yield "Launch for a group that is being deleted"
    calls: list[actions.Launch | actions.Resend] = [*launches, *resends]
    for action in calls:
        account = known.sighted(action.cloud)
        if account is None or account.hold is not None or account.breaker is not None:
            yield f"launch on {action.cloud}, which cannot be seen or is held back"
        if action.cloud not in known.view.record.sources:
            yield f"launch on {action.cloud} without a launch configuration"
    for resend in resends:
        for claim in (known.instance(key) for key in resend.instance_keys):
            if claim is None or (claim.state, claim.cloud, claim.token) != (
                InstanceState.CLAIMED,
                resend.cloud,
                resend.token,
            ):
                yield "Resend of what is no claim of its token"
    if launches:
        yield from _amounts(known, plan, launches)


def _amounts(known: _Known, plan: actions.Plan, launches: list[actions.Launch]) -> Iterator[str]:
    if any(launch.count < 1 or not 0 <= launch.replacing <= launch.count for launch in launches):
        yield "a launch of nothing, or of more replacements than machines"
    new = sum(launch.count for launch in launches)
    if new > LAUNCHES_MAX:
        yield f"{new} launches in one plan"
    counting = Counter(instance.cloud for instance in _staying(known, plan))
    counting.update(action.cloud for action in plan.actions if isinstance(action, actions.Adopt))
    for launch in launches:
        counting[launch.cloud] += launch.count
    if counting.total() > known.view.group.desired:
        yield f"{counting.total()} instances where {known.view.group.desired} are desired"
    unknown, alive = _unknown(known), len(_staying(known, plan))
    if unknown and alive + unknown > known.view.group.desired + OVERSHOOT_MAX:
        yield f"a launch beside {unknown} machines that nothing stands for"
    present = len(known.view.instances) - len(_leaving(plan)) + new
    if present > 2 * known.view.group.desired + 2:
        yield f"{present} machines in any state where {known.view.group.desired} are desired"
    caps = {ranked.name: ranked.cap for ranked in known.view.group.clouds}
    for cloud in {launch.cloud for launch in launches}:
        new_here = sum(launch.count for launch in launches if launch.cloud == cloud)
        account = known.view.accounts.get(cloud)
        if account is not None and any(new_here > limit.launches for limit in account.limits):
            yield f"{new_here} launches on {cloud}, which takes {account.launches_max} now"
        cap = caps.get(cloud)
        if cloud not in caps or (cap is not None and counting[cloud] > cap):
            yield f"{counting[cloud]} instances on {cloud}, which may hold {cap or 0}"


def _unknown(known: _Known) -> int:
    """Living machines of the group that nothing stands for, in sight or not, those that an instance claims left out."""
    awaited = {(i.cloud, i.token) for i in known.view.instances if i.state is InstanceState.CLAIMED}
    bound = {(i.cloud, i.machine_id) for i in known.view.instances}
    return sum(
        known.ours(machine)
        and machine.state not in GONE
        and (cloud, machine.machine_id) not in bound
        and machine.mark is not None
        and (cloud, machine.mark.token) not in awaited
        for cloud, account in known.view.accounts.items()
        for machine in account.machines
    )


def _scale_in(known: _Known, plan: actions.Plan) -> Iterator[str]:
    if known.view.group.deleting:
        return
    surplus: list[Instance] = [
        instance
        for action in plan.actions
        if isinstance(action, actions.Retire) and not action.replace
        for instance in known.instances(action.instance_key)
    ]
    for instance in surplus:
        if instance.protected and not _unwell(known, instance):
            yield f"scale-in of instance {instance.key}, which is protected"
    staying = Counter(instance.cloud for instance in _staying(known, plan))
    before = staying + Counter(instance.cloud for instance in surplus)
    over_caps = sum(max(0, before[r.name] - r.cap) for r in known.view.group.clouds if r.cap is not None)
    # A claim that came to nothing was never capacity, and what is owed a replacement is not given up.
    abandoned = sum(len(action.instance_keys) for action in plan.actions if isinstance(action, actions.Abandon))
    owed = sum(action.replace for action in plan.actions if isinstance(action, actions.Retire | actions.Bury))
    short = known.view.group.desired - staying.total() - abandoned - owed
    travelling = min(len(surplus), short) > over_caps and len(surplus) == 1 and _goes_home(known, plan, surplus[0])
    if min(len(surplus), short) > over_caps and not travelling:
        yield f"scale-in to {staying.total()} instances where {known.view.group.desired} are desired"


def _goes_home(known: _Known, plan: actions.Plan, traveller: Instance) -> bool:
    """True when this is the one instance of an eager group that moves to a better cloud while all others serve."""
    group = known.view.group
    others = [i for i in known.view.instances if i.key != traveller.key]
    all_serve = all(i.state is InstanceState.IN_SERVICE for i in (traveller, *others))
    ranks = [ranked.name for ranked in group.clouds]
    homes = [(action.cloud, action.count) for action in plan.actions if isinstance(action, actions.Launch)]
    return (
        group.fail_back is FailBack.EAGER
        and not _leaving(plan)
        and len(others) + 1 == group.desired
        and all_serve
        and len(homes) == 1
        and homes[0][1] == 1
        and traveller.cloud in ranks
        and homes[0][0] in ranks[: ranks.index(traveller.cloud)]
    )


def _halted(known: _Known, plan: actions.Plan) -> Iterator[str]:
    group = known.view.group
    if group.deleting:
        return
    launches = any(isinstance(action, actions.Launch | actions.Resend) for action in plan.actions)
    if launches and "Launch" in group.suspended:
        yield "launch while Launch is suspended"
    retired = [action for action in plan.actions if isinstance(action, actions.Retire)]
    if retired and "Terminate" in group.suspended:
        yield "retirement while Terminate is suspended"
    if any(action.replace for action in retired) and "ReplaceUnhealthy" in group.suspended:
        yield "replacement while ReplaceUnhealthy is suspended"


def _frozen(known: _Known, plan: actions.Plan) -> Iterator[str]:
    for action in plan.actions:
        match action:
            case actions.Launch() | actions.Resend() | actions.Dismiss() | actions.Reap():
                cloud = action.cloud
            case actions.Retire():
                retired = known.instance(action.instance_key)
                cloud = "" if retired is None else retired.cloud
            case _:
                continue
        account = known.view.accounts.get(cloud)
        if account is not None and account.frozen is not None:
            yield f"{type(action).__name__} on {cloud}, which is frozen"


def _mass_retirement(known: _Known, plan: actions.Plan) -> Iterator[str]:
    if known.view.group.deleting:
        return
    replaced: dict[str, set[str | None]] = defaultdict(set)
    for action in plan.actions:
        if not isinstance(action, actions.Retire | actions.Bury):
            continue
        instance = known.instance(action.instance_key)
        if instance is None or (isinstance(action, actions.Retire) and not action.replace):
            continue
        if action.replace and known.sighted(instance.cloud) is None:
            yield f"replacement of instance {instance.key} on {instance.cloud}, which cannot be seen"
        if _is_conclusion(known, instance):
            replaced[instance.cloud].add(instance.machine_id)
    for cloud, machine_ids in replaced.items():
        bound = [i for i in known.view.instances if i.cloud == cloud and i.machine_id is not None and i.state.counts]
        account = known.view.accounts[cloud]
        before, count = len(account.given_up.keys() - machine_ids), len(machine_ids)
        if before + count > 1 and 5 * (before + count) > len(bound) + before:
            yield f"{before + count} of {len(bound)} instances on {cloud} replaced within minutes on a conclusion"
        if account.lost > MISSING_FEW and 20 * account.lost > 9 * (account.living + account.missing):
            yield f"{count} instances on {cloud} replaced on a conclusion where {account.lost} machines are lost"


def _is_conclusion(known: _Known, instance: Instance) -> bool:
    """True when nobody said that this instance ends: no user, nor its cloud, nor the state it came up in."""
    account, machine = known.view.accounts.get(instance.cloud), known.machine(instance)
    if not instance.healthy or not instance.state.counts or account is None:
        return False
    if machine is not None:
        born_broken = instance.state is InstanceState.PENDING and machine.state is MachineState.ERROR
        return machine.state not in GONE and not born_broken
    absence = account.absence(instance.machine_id)
    if absence.denied_since is None or absence.asked_at is None or account.living < 1:
        return True
    # 45 of a hundred missing are 9 for each 11 that live.
    few = account.missing <= MISSING_FEW or 11 * account.missing <= 9 * account.living
    return not few or absence.asked_at - absence.denied_since < DENIED_FOR


def _adoption(known: _Known, plan: actions.Plan) -> Iterator[str]:
    adoptions = [action for action in plan.actions if isinstance(action, actions.Adopt)]
    if not adoptions:
        return
    claimed = {(i.cloud, i.token) for i in known.view.instances if i.state is InstanceState.CLAIMED}
    taken = {(i.cloud, i.machine_id) for i in known.view.instances}
    places = {(i.cloud, i.token, i.index) for i in known.view.instances}
    for action in adoptions:
        account = known.sighted(action.cloud)
        shown = {} if account is None else {machine.machine_id: machine for machine in account.machines}
        machine = shown.get(action.machine_id)
        if machine is None or not known.ours(machine) or machine.mark is None or machine.mark.token != action.token:
            yield f"Adopt of {action.machine_id}, which does not bear the group's mark"
        elif machine.state not in {MachineState.RUNNING, MachineState.PENDING}:
            yield f"Adopt of {action.machine_id}, which does not run"
        if account is not None and action.machine_id in account.spared:
            yield f"Adopt of {action.machine_id}, which this ledger never launched"
        is_awaited = (action.cloud, action.token) in claimed and not _given_up(known, plan, action)
        if (action.cloud, action.machine_id) in taken or is_awaited:
            yield f"Adopt of {action.machine_id}, for which an instance stands"
        if (action.cloud, action.token, action.index) in places:
            yield f"Adopt of {action.machine_id} into a place that is taken"
        taken.add((action.cloud, action.machine_id))
        places.add((action.cloud, action.token, action.index))
    serving = [i for i in _staying(known, plan) if i.state is InstanceState.IN_SERVICE]
    if known.view.group.deleting or len(adoptions) > max(0, known.view.group.desired - len(serving)):
        yield f"{len(adoptions)} machines adopted where {len(serving)} of {known.view.group.desired} serve"


def _given_up(known: _Known, plan: actions.Plan, adoption: actions.Adopt) -> bool:
    """True when every claim of the adopted machine's launch is bound or abandoned by the same plan."""
    settled = {key for a in plan.actions if isinstance(a, actions.Bind | actions.Abandon) for key in _keys(a)}
    claims = [i for i in known.view.instances if (i.cloud, i.token) == (adoption.cloud, adoption.token)]
    return all(i.key in settled for i in claims if i.state is InstanceState.CLAIMED)


def _removal(known: _Known, plan: actions.Plan) -> Iterator[str]:
    if not any(isinstance(action, actions.RemoveGroup) for action in plan.actions):
        return
    if not known.view.group.deleting:
        yield "removal of a group that nobody deletes"
    if len(_leaving(plan)) < len(known.view.instances):
        yield "removal of a group that still has instances"


def _keys(action: actions.Action) -> tuple[int, ...]:
    match action:
        case actions.Bind() | actions.Promote() | actions.Bury() | actions.Retire():
            return (action.instance_key,)
        case actions.Abandon() | actions.Dismiss() | actions.Resend():
            return action.instance_keys
        case (
            actions.Launch()
            | actions.Forgive()
            | actions.Adopt()
            | actions.NoteCrash()
            | actions.Reap()
            | actions.RemoveGroup()
        ):
            return ()


def _leaving(plan: actions.Plan) -> set[int]:
    keys: set[int] = set()
    for action in plan.actions:
        if isinstance(action, actions.Bury | actions.Abandon):
            keys.update(_keys(action))
    return keys


def _staying(known: _Known, plan: actions.Plan) -> list[Instance]:
    out = _leaving(plan) | {action.instance_key for action in plan.actions if isinstance(action, actions.Retire)}
    return [i for i in known.view.instances if i.state is not InstanceState.TERMINATING and i.key not in out]


def _unwell(known: _Known, instance: Instance) -> bool:
    machine = known.machine(instance)
    return not instance.healthy or machine is None or machine.state is not MachineState.RUNNING


def _proven_gone(known: _Known, instance: Instance) -> bool:
    account = known.sighted(instance.cloud)
    if account is None or account.swept_at is None or instance.state is InstanceState.CLAIMED:
        return False
    machine = known.machine(instance)
    if machine is not None:
        return machine.state in GONE
    if instance.state is not InstanceState.TERMINATING:
        return account.absence(instance.machine_id).asked_at is not None
    return instance.machine_id is None or (
        instance.terminate_sent_at is not None and account.swept_at > instance.terminate_sent_at
    )


def _came_to_nothing(known: _Known, claim: Instance) -> bool:
    account = known.sighted(claim.cloud)
    if claim.state is not InstanceState.CLAIMED or account is None or account.swept_at is None:
        return False
    bound = {instance.machine_id for instance in known.view.instances if instance.cloud == claim.cloud}
    awaiting = [
        i for i in known.view.instances if (i.cloud, i.token, i.state) == (claim.cloud, claim.token, claim.state)
    ]
    born = [
        machine
        for machine in account.machines
        if machine.mark is not None
        and (machine.mark.group_uid, machine.mark.token) == (known.view.group.uid, claim.token)
        and machine.machine_id not in bound
    ]
    living = [machine for machine in born if machine.state not in GONE]
    return len(living) < len(awaiting) and (bool(born) or account.swept_at > claim.claimed_at)
