"""
A plan while it is being made: what is left of the view after the actions chosen so far.

Owns: the bookkeeping that the planner's steps share within one call. Lives no longer than that call.
"""

from collections import defaultdict
from datetime import datetime

from backends.cloud import OVER, Machine
from reconciler import actions, health
from reconciler.model import AccountView, Crash, GroupView, Instance, InstanceState, Process

RECHECK_S_MIN = 0.01
"""A timer may fire a hair before the wall clock agrees; without a floor the pass would spin until it does."""


class Draft:
    """*counting* and *terminating* are the instances as they will be once the plan is carried out."""

    def __init__(self, view: GroupView, now: datetime) -> None:
        self.view = view
        self.now = now
        self.group = view.group
        self.desired = 0 if view.group.deleting else view.group.desired
        self.machines: dict[str, dict[str, Machine]] = {
            name: {machine.machine_id: machine for machine in account.machines}
            for name, account in view.accounts.items()
        }
        self.counting: dict[int, Instance] = {}
        self.terminating: dict[int, Instance] = {}
        self.bound: dict[str, set[str]] = defaultdict(set)
        """Machine ids by cloud, those that this plan binds included."""
        self.serving: set[int] = set()
        """Instances in service once the plan is carried out, those that leave it not taken off."""
        for instance in view.instances:
            (self.counting if instance.state.counts else self.terminating)[instance.key] = instance
            if instance.machine_id is not None:
                self.bound[instance.cloud].add(instance.machine_id)
            if instance.state is InstanceState.IN_SERVICE:
                self.serving.add(instance.key)
        self.lost: dict[tuple[str, str], list[Instance]] = {}
        """Claims by (cloud, token) that a believed picture shows no machine for."""
        self.ailing: set[int] = set()
        self.owed = view.group.owed_replacements
        self.moving: tuple[str, str] | None = None
        """From which cloud to which this plan brings an instance home."""
        self.adopted: dict[str, set[str]] = defaultdict(set)
        """Machine ids by cloud that take a place in the group by this plan."""
        self.adoptions = 0
        self.indices: dict[tuple[str, str], set[int]] = defaultdict(set)
        """Places in launches, by cloud and token, that adopted machines take."""
        self.crashes: dict[str, Crash] = dict(view.group.crashes)
        self._strays: dict[str, list[Machine]] | None = None
        """By cloud, as long as no action changes them: nearly every step asks."""
        self._inquiries: dict[str, set[str]] = defaultdict(set)
        self._born: set[int] = set()
        self._actions: list[actions.Action] = []
        self._waiting_on: dict[str, None] = {}
        self._look_at: set[str] = set()
        self._blown: set[str] = set()
        self._given_up: dict[str, set[str]] = defaultdict(set)
        self._again_at: list[datetime] = []

    def sighted(self, cloud: str) -> AccountView | None:
        """The account whose picture can be believed now; otherwise None, and the plan says what it waits for."""
        account = self.view.accounts.get(cloud)
        blind = health.blindness(cloud, account)
        if blind is None:
            return account
        self.wait(blind)
        if account is not None:
            self.look_at(cloud)
        return None

    def frozen(self, cloud: str) -> bool:
        """True when nothing may be done on *cloud* for this group; the plan says that it waits for that."""
        account = self.view.accounts.get(cloud)
        if account is None or account.frozen is None:
            return False
        self.wait(account.frozen.reason)
        self.again_at(account.frozen.until)
        return True

    def machine(self, instance: Instance) -> Machine | None:
        """What the picture shows under the instance's machine id."""
        shown = self.machines.get(instance.cloud)
        return None if shown is None or instance.machine_id is None else shown.get(instance.machine_id)

    def claims(self) -> list[Instance]:
        """Claims that this plan has neither bound nor given up, in the order of their batches."""
        left = [i for i in self.counting.values() if i.state is InstanceState.CLAIMED and i.key not in self._born]
        return sorted(left, key=lambda claim: (claim.cloud, claim.token, claim.index)) if left else left

    def strays(self, cloud: str) -> list[Machine]:
        """Living machines with the group's mark that are neither bound nor awaited by a claim."""
        return self._all_strays().get(cloud, [])

    @property
    def strays_total(self) -> int:
        """How many strays there are, on all clouds."""
        found = self._all_strays()
        return sum(len(machines) for machines in found.values()) if found else 0

    def _all_strays(self) -> dict[str, list[Machine]]:
        if self._strays is None:
            on_each = {cloud: self._strays_on(cloud) for cloud in self.machines}
            self._strays = {cloud: found for cloud, found in on_each.items() if found}
        return self._strays

    def _strays_on(self, cloud: str) -> list[Machine]:
        bound, adopted = self.bound[cloud], self.adopted[cloud]
        unbound = [
            machine
            for machine_id, machine in self.machines[cloud].items()
            if machine_id not in bound
            and machine_id not in adopted
            and machine.state not in OVER
            and machine.mark is not None
            and machine.mark.group_uid == self.group.uid
        ]
        if not unbound:
            return unbound
        awaited = {claim.token for claim in self.claims() if claim.cloud == cloud}
        return [machine for machine in unbound if machine.mark is None or machine.mark.token not in awaited]

    def per_cloud(self) -> defaultdict[str, int]:
        """Counting instances per cloud, and machines that this plan adopts."""
        counts: defaultdict[str, int] = defaultdict(int)
        for instance in self.counting.values():
            counts[instance.cloud] += 1
        for cloud, machine_ids in self.adopted.items() if self.adoptions else ():
            counts[cloud] += len(machine_ids)
        return counts

    def do(self, action: actions.Action) -> None:
        """Nothing; the action is part of the plan and the sets follow it."""
        self._actions.append(action)
        self._strays = None
        match action:
            case actions.Bind():
                self._born.add(action.instance_key)
                self.bound[self.counting[action.instance_key].cloud].add(action.machine.machine_id)
            case actions.Bury():
                self.counting.pop(action.instance_key, None)
                self.terminating.pop(action.instance_key, None)
                self.owed += action.replace
            case actions.Abandon():
                for key in action.instance_keys:
                    del self.counting[key]
            case actions.Retire():
                self.terminating[action.instance_key] = self.counting.pop(action.instance_key)
                self.owed += action.replace
            case actions.Forgive():
                self.owed -= action.count
            case actions.Promote():
                self.serving.add(action.instance_key)
            case actions.Adopt():
                self.adopted[action.cloud].add(action.machine_id)
                self.adoptions += 1
                self.indices[action.cloud, action.token].add(action.index)
            case actions.NoteCrash():
                self._note_crash(action)
            case _:
                pass

    def _note_crash(self, action: actions.NoteCrash) -> None:
        if action.crash is None:
            del self.crashes[action.cloud]
        else:
            self.crashes[action.cloud] = action.crash

    @property
    def missing(self) -> int:
        """Empty places of the group, without those that machines are adopted for; negative: a surplus."""
        return self.desired - len(self.counting) - self.adoptions

    def wait(self, sentence: str) -> None:
        """Nothing; the plan says that it waits for this, once."""
        self._waiting_on[sentence] = None

    def halted(self, process: Process) -> bool:
        """True when *process* is suspended; the plan says that it waits for that."""
        if not self.group.suspends(process):
            return False
        reason = self.group.suspension_reasons.get(process)
        self.wait(f"{process} is suspended: {reason}" if reason else f"{process} is suspended")
        return True

    def blow(self, fuse: str) -> None:
        """Nothing; the plan says that this fuse holds the group up."""
        self._blown.add(fuse)

    def give_up(self, instance: Instance) -> None:
        """Nothing; the plan takes this instance out by our own conclusion."""
        self._given_up[instance.cloud].add(str(instance.machine_id))

    def look_at(self, cloud: str) -> None:
        """Nothing; the next sweep of *cloud* decides something here."""
        self._look_at.add(cloud)

    def inquire(self, cloud: str, machine_id: str) -> None:
        """Nothing; the next sweep of *cloud* asks for this machine by its id, should it lack it."""
        self._inquiries[cloud].add(machine_id)
        self.look_at(cloud)

    def again_at(self, when: datetime | None) -> None:
        """Nothing; the same view would mean something else at *when*."""
        if when is not None:
            self._again_at.append(when)

    def sweep_from(self, cloud: str, due: datetime) -> None:
        """Nothing; a sweep of *cloud* that begins after *due* decides something here."""
        if self.now > due:
            self.look_at(cloud)
        else:
            self.again_at(due)

    def plan(self) -> actions.Plan:
        """The finished plan."""
        soonest = min(self._again_at, default=None)
        recheck_s = None if soonest is None else max(RECHECK_S_MIN, (soonest - self.now).total_seconds())
        inquiries = {cloud: frozenset(wanted) for cloud, wanted in self._inquiries.items()}
        return actions.Plan(
            tuple(self._actions),
            recheck_s,
            tuple(self._waiting_on),
            frozenset(self._look_at),
            inquiries,
            frozenset(self._blown),
            {cloud: frozenset(given_up) for cloud, given_up in self._given_up.items()},
        )
