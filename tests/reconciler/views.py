"""
Views for tests of what decides: one line per fact, everything else ordinary.

Owns: the builders. ``NOW`` is the time of every pass here; sweeps began one second before it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from backends.cloud import CloudTraits, LaunchSpec, Machine, MachineState, Mark
from reconciler import actions, planner, rails
from reconciler.model import (
    Absence,
    AccountView,
    Group,
    GroupRecord,
    GroupView,
    Hold,
    Instance,
    InstanceState,
    LaunchSource,
    RankedCloud,
)
from tests.reconciler.virtual_time import EPOCH

A = TypeVar("A")

NOW = EPOCH + timedelta(hours=1)
SWEPT = NOW - timedelta(seconds=1)
LONG_AGO = EPOCH
TRAITS = CloudTraits(token_is_idempotent=True, launch_batch_max=5, visible_after_s=10.0)


HOTEL, SIERRA = RankedCloud("hotel"), RankedCloud("sierra")


def ago(seconds: float) -> datetime:
    """That long before now."""
    return NOW - timedelta(seconds=seconds)


def instance(
    key: int, cloud: str = "hotel", state: InstanceState = InstanceState.IN_SERVICE, **facts: object
) -> Instance:
    """An instance long in service on machine ``m-KEY``, unless the facts say otherwise."""
    ordinary: dict[str, object] = {
        "token": f"t-{key}",
        "index": 0,
        "launch_configuration": f"web@{cloud}",
        "claimed_at": LONG_AGO,
        "spec_created_at": LONG_AGO,
    }
    if state is not InstanceState.CLAIMED:
        ordinary |= {"machine_id": f"m-{key}", "instance_id": f"i-{key:08x}", "bound_at": LONG_AGO}
    if state in {InstanceState.IN_SERVICE, InstanceState.TERMINATING}:
        ordinary["in_service_at"] = LONG_AGO + timedelta(seconds=30)
    return Instance(key=key, cloud=cloud, state=state, **(ordinary | facts))  # type: ignore[arg-type]


def claim(key: int, cloud: str = "hotel", **facts: object) -> Instance:
    """A claim."""
    return instance(key, cloud, InstanceState.CLAIMED, **facts)


def machine(machine_id: str, state: MachineState = MachineState.RUNNING, **facts: object) -> Machine:
    """A machine of group g-1; its token is the one that :func:`instance` gives to its key."""
    token = str(facts.pop("token", "t-" + machine_id.removeprefix("m-")))
    uid = str(facts.pop("uid", "g-1"))
    ordinary: dict[str, object] = {"mark": Mark("gw", uid, token), "launched_at": LONG_AGO}
    return Machine(machine_id, state, **(ordinary | facts))  # type: ignore[arg-type]


def account(machines: Sequence[Machine] = (), **facts: object) -> AccountView:
    """An account that was swept a second ago."""
    ordinary: dict[str, object] = {"traits": TRAITS, "swept_at": SWEPT, "machines": tuple(machines)}
    return AccountView(**(ordinary | facts))  # type: ignore[arg-type]


def in_vain(*machine_ids: str, denied_s: float = 100.0, asked_s: float = 100.0) -> dict[str, Any]:
    """Facts of an account that was asked for these machines by id for so long, and denied that they exist."""
    absence = Absence(True, ago(asked_s), ago(1), ago(denied_s))
    return {"absences": dict.fromkeys(machine_ids, absence), "missing": len(machine_ids)}


def held(reason: str = "hotel is full") -> Hold:
    """A back-off of half a minute."""
    return Hold(NOW + timedelta(seconds=30), reason)


def view(
    desired: int,
    instances: Sequence[Instance] = (),
    clouds: Sequence[RankedCloud | str] = ("hotel",),
    accounts: dict[str, AccountView] | None = None,
    sources: Sequence[str] | None = None,
    **facts: object,
) -> GroupView:
    """
    Group g-1 that wants *desired*.

    Without *accounts* every instance's machine is shown running by a cloud that answers.
    """
    ranked = tuple(RankedCloud(cloud) if isinstance(cloud, str) else cloud for cloud in clouds)
    names = {cloud.name for cloud in ranked} | {member.cloud for member in instances}
    if accounts is None:
        accounts = {}
    for name in names - accounts.keys():
        here = [i for i in instances if i.cloud == name and i.machine_id is not None]
        accounts[name] = account([machine(str(i.machine_id)) for i in here])
    ordinary: dict[str, object] = {"minimum": 0, "maximum": 100, "generation": 1, "user_id": 7}
    group = Group(uid="g-1", name="web", desired=desired, clouds=ranked, **(ordinary | facts))  # type: ignore[arg-type]
    names_launched = [cloud.name for cloud in ranked] if sources is None else sources
    launched = {n: LaunchSource(f"web@{n}", LaunchSpec("img", "m1.small"), LONG_AGO) for n in names_launched}
    return GroupView(GroupRecord(group, launched, tuple(instances)), accounts)


def gone_blind(why: str = "connection refused", machines: Sequence[Machine] = ()) -> AccountView:
    """An account that does not answer; it shows what it showed last."""
    return account(machines, blind=why)


def of_kind(plan: actions.Plan, kind: type[A]) -> list[A]:
    """The plan's actions of one kind."""
    return [action for action in plan.actions if isinstance(action, kind)]


def launched(plan: actions.Plan) -> dict[str, int]:
    """Launches per cloud."""
    counts: dict[str, int] = {}
    for action in plan.actions:
        if isinstance(action, actions.Launch):
            counts[action.cloud] = counts.get(action.cloud, 0) + action.count
    return counts


def retired(plan: actions.Plan) -> list[int]:
    """Keys of the instances that the plan retires, in its order."""
    return [action.instance_key for action in plan.actions if isinstance(action, actions.Retire)]


def buried(plan: actions.Plan) -> list[int]:
    """Keys of the instances that the plan buries, in its order."""
    return [action.instance_key for action in plan.actions if isinstance(action, actions.Bury)]


def dismissed(plan: actions.Plan) -> list[int]:
    """Keys of the instances whose machines the plan has terminated."""
    return [key for action in plan.actions if isinstance(action, actions.Dismiss) for key in action.instance_keys]


def plan(seen: GroupView) -> actions.Plan:
    """The plan, which always has to pass the rails."""
    made = planner.plan(seen, NOW)
    rails.check(seen, made)
    return made


def running(*keys: int) -> list[Machine]:
    """The machines of these instances."""
    return [machine(f"m-{key}") for key in keys]
