"""
The ledger port in memory: the oracle that the database's ledger is compared with.

Owns: the port's words made true in the plainest way. Every verb is atomic between two steps, where a test may crash.
"""

import itertools
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from backends.cloud import LaunchSpec, Machine, MachineState
from reconciler.model import (
    Crash,
    Group,
    GroupRecord,
    Instance,
    InstanceState,
    LaunchSource,
    Process,
    RankedCloud,
    Removed,
)
from tests.reconciler.little_cloud import no_step
from tests.reconciler.virtual_time import EPOCH


@dataclass(slots=True)
class Activity:
    """What a user sees of one change."""

    description: str
    cause: str
    status_code: str = "InProgress"
    status_message: str = ""


@dataclass(slots=True)
class _Row:
    uid: str
    instance: Instance
    activity: Activity


@dataclass
class MemoryLedger:
    """Implements :class:`reconciler.ledger.Ledger`, and :class:`tests.reconciler.ledger_contract.Seeder`."""

    step: Callable[[], Awaitable[None]] = no_step
    groups: dict[str, Group] = field(default_factory=dict)
    sources: dict[str, Mapping[str, LaunchSource]] = field(default_factory=dict)
    rows: dict[int, _Row] = field(default_factory=dict)
    _of: dict[str, dict[int, _Row]] = field(default_factory=lambda: defaultdict(dict))
    """The same rows by group, in order: groups may be many."""
    told: dict[str, list[Activity]] = field(default_factory=dict)
    waiting: dict[str, tuple[str, ...]] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    """Launches that failed in a row, by group."""
    gone: dict[str, Removed] = field(default_factory=dict)
    reaped: list[tuple[str, str, str]] = field(default_factory=list)
    """(uid, cloud, machine id), in order."""
    notes: int = 0
    broken: set[str] = field(default_factory=set)
    """Uids whose reading raises, as a corrupt row would."""
    keys: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def group_uids(self) -> list[str]:
        """See the port."""
        await self.step()
        return list(self.groups)

    async def read(self, uid: str) -> GroupRecord | None:
        """See the port."""
        await self.step()
        if uid in self.broken:
            raise ValueError(f"the row of {uid} cannot be read")
        if uid not in self.groups:
            return None
        instances = tuple(self.instances(uid))
        return GroupRecord(self.groups[uid], self.sources[uid], instances)

    async def claim(
        self,
        uid: str,
        generation: int,
        cloud: str,
        tokens: Sequence[tuple[str, int]],
        causes: Sequence[str],
        replacing: int,
        now: datetime,
        place: str | None = None,
    ) -> list[Instance]:
        """See the port."""
        await self.step()
        group = self.groups.get(uid)
        if group is None or group.generation != generation or group.deleting or cloud not in self.sources[uid]:
            return []
        source = self.sources[uid][cloud]
        claims = []
        for (token, index), cause in zip(tokens, causes, strict=True):
            claim = Instance(
                key=next(self.keys),
                cloud=cloud,
                token=token,
                index=index,
                state=InstanceState.CLAIMED,
                launch_configuration=source.launch_configuration,
                claimed_at=now,
                spec_created_at=source.created_at,
                place=place,
            )
            self._put(_Row(uid, claim, self._tell(uid, "Launching a new EC2 instance", cause)))
            claims.append(claim)
        self._owe(uid, -replacing)
        await self.step()
        return claims

    async def bind(self, key: int, machine: Machine, instance_id: str, now: datetime) -> bool:
        """See the port."""
        await self.step()
        row = self._row(key, InstanceState.CLAIMED)
        if row is None or any(
            (other.instance.cloud, other.instance.machine_id) == (row.instance.cloud, machine.machine_id)
            for other in self.rows.values()
        ):
            return False
        running = machine.state is MachineState.RUNNING
        row.instance = replace(
            row.instance,
            state=InstanceState.IN_SERVICE if running else InstanceState.PENDING,
            machine_id=machine.machine_id,
            instance_id=instance_id,
            bound_at=now,
            in_service_at=now if running else None,
        )
        row.activity.description += f": {instance_id}"
        row.activity.status_code = "Successful" if running else "PreInService"
        await self.step()
        return True

    async def promote(self, keys: Sequence[int], now: datetime) -> None:
        """See the port."""
        await self.step()
        for row in self._those(keys, InstanceState.PENDING):
            row.instance = replace(row.instance, state=InstanceState.IN_SERVICE, in_service_at=now)
            row.activity.status_code = "Successful"

    async def release(self, keys: Sequence[int], outcome: str, message: str, now: datetime) -> None:
        """See the port."""
        await self.step()
        assert now.tzinfo is not None
        for row in self._those(keys, InstanceState.CLAIMED):
            row.activity.status_code, row.activity.status_message = outcome, message
            self._drop(row.instance.key)

    async def retire(
        self, uid: str, generation: int, keys: Sequence[int], causes: Sequence[str], owe: int, now: datetime
    ) -> list[int]:
        """See the port."""
        await self.step()
        assert now.tzinfo is not None
        if uid not in self.groups or self.groups[uid].generation != generation:
            return []
        cause_of = dict(zip(keys, causes, strict=True))
        rows = self._those(keys, InstanceState.PENDING, InstanceState.IN_SERVICE)
        for row in rows:
            if row.instance.state is InstanceState.PENDING:
                row.activity.status_code = "Cancelled"
            description = f"Terminating EC2 instance: {row.instance.instance_id}"
            row.activity = self._tell(uid, description, cause_of[row.instance.key])
            row.instance = replace(row.instance, state=InstanceState.TERMINATING)
        self._owe(uid, owe)
        await self.step()
        return [row.instance.key for row in rows]

    async def note_dismissed(self, keys: Sequence[int], now: datetime) -> None:
        """See the port."""
        await self.step()
        for row in self._those(keys, InstanceState.TERMINATING):
            row.instance = replace(row.instance, terminate_sent_at=now)

    async def bury(self, keys: Sequence[int], causes: Sequence[str], owe: int, now: datetime) -> None:
        """See the port."""
        await self.step()
        assert now.tzinfo is not None
        for key, cause in zip(keys, causes, strict=True):
            row = self._drop(key)
            if row is None:
                continue
            if row.instance.state is InstanceState.TERMINATING:
                row.activity.status_code = "Successful"
            else:
                own = self._tell(row.uid, f"Terminating EC2 instance: {row.instance.instance_id}", cause)
                own.status_code = "Successful"
                if row.instance.state is not InstanceState.IN_SERVICE:
                    row.activity.status_code, row.activity.status_message = "Failed", cause
            self._owe(row.uid, owe)
            owe = 0

    async def forgive(self, uid: str, count: int, now: datetime) -> None:
        """See the port."""
        await self.step()
        assert now.tzinfo is not None
        if uid in self.groups:
            self._owe(uid, -count)

    async def scale(self, uid: str, generation: int, desired: int, cause: str, now: datetime) -> bool:
        """See the port."""
        await self.step()
        group = self.groups.get(uid)
        if group is None or group.deleting or group.generation != generation:
            return False
        beyond = group.ceiling is not None and desired > max(group.ceiling, group.desired)
        if beyond or not group.minimum <= desired <= group.maximum:
            return False
        self.change_group(
            uid, desired=desired, generation=generation + 1, causes=(*group.causes, cause), last_scaled_at=now
        )
        return True

    async def note_launch_failed(self, uid: str, now: datetime) -> tuple[datetime, int]:
        """See the port."""
        await self.step()
        if uid not in self.groups:
            return now, 1
        since = self.groups[uid].failing_since or now
        self.failures[uid] = self.failures.get(uid, 0) + 1
        self.change_group(uid, failing_since=since)
        return since, self.failures[uid]

    async def note_launched(self, uid: str, now: datetime) -> None:
        """See the port."""
        await self.step()
        assert now.tzinfo is not None
        if uid in self.groups:
            self._start_anew(uid)

    async def note_crash(self, uid: str, cloud: str, crash: Crash | None, now: datetime) -> None:
        """See the port."""
        await self.step()
        assert now.tzinfo is not None
        if uid in self.groups:
            others = {name: known for name, known in self.groups[uid].crashes.items() if name != cloud}
            self.change_group(uid, crashes=others if crash is None else {**others, cloud: crash})

    async def suspend(self, uid: str, process: str, reason: str, now: datetime) -> None:
        """See the port."""
        await self.step()
        assert now.tzinfo is not None
        group = self.groups.get(uid)
        if group is None or process in group.suspended:
            return
        self.change_group(
            uid,
            suspended=group.suspended | {process},
            suspension_reasons={**group.suspension_reasons, process: reason},
            generation=group.generation + 1,
        )

    async def resume(self, uid: str, process: str) -> None:
        """See the seeder."""
        group = self.groups[uid]
        self.change_group(
            uid,
            suspended=group.suspended - {process},
            suspension_reasons={name: why for name, why in group.suspension_reasons.items() if name != process},
            generation=group.generation + 1,
        )
        if process == Process.LAUNCH:
            self._start_anew(uid)

    async def remove_group(self, uid: str, now: datetime) -> bool:
        """See the port."""
        await self.step()
        assert now.tzinfo is not None
        if uid not in self.groups or not self.groups[uid].deleting or self.instances(uid):
            return False
        self.gone[uid] = Removed(now, self.groups[uid].user_id)
        del self.groups[uid], self.sources[uid]
        return True

    async def removed(self, uid: str) -> Removed | None:
        """See the port."""
        await self.step()
        return self.gone.get(uid)

    async def note_reaped(self, uid: str, cloud: str, machine_ids: Sequence[str], because: str, now: datetime) -> None:
        """See the port."""
        await self.step()
        assert because
        assert now.tzinfo is not None
        self.reaped += [(uid, cloud, machine_id) for machine_id in machine_ids]

    async def note_waiting(self, uid: str, waiting_on: Sequence[str], now: datetime) -> None:
        """See the port."""
        await self.step()
        assert now.tzinfo is not None
        self.notes += 1
        self.waiting[uid] = tuple(waiting_on)

    async def add_group(
        self,
        uid: str,
        name: str,
        minimum: int,
        maximum: int,
        desired: int,
        clouds: Sequence[str] = ("hotel",),
        generation: int = 1,
    ) -> None:
        """See the seeder."""
        self.put_group(uid, name, minimum, maximum, desired, tuple(RankedCloud(c) for c in clouds), generation)

    def put_group(
        self,
        uid: str,
        name: str,
        minimum: int,
        maximum: int,
        desired: int,
        clouds: tuple[RankedCloud, ...],
        generation: int = 1,
    ) -> None:
        """Nothing; the group exists, with a launch configuration for each of its clouds."""
        cause = f"At 2013-08-19T20:00:00Z a user request created an AutoScalingGroup changing ... to {desired}."
        self.groups[uid] = Group(uid, name, 7, minimum, maximum, desired, clouds, generation, causes=(cause,))
        self.sources[uid] = {
            cloud.name: LaunchSource(f"web@{cloud.name}", LaunchSpec("img", "m1.small"), EPOCH) for cloud in clouds
        }

    async def set_desired(self, uid: str, desired: int) -> None:
        """See the seeder."""
        self.groups[uid] = replace(self.groups[uid], desired=desired, generation=self.groups[uid].generation + 1)

    async def mark_deleting(self, uid: str) -> None:
        """See the seeder."""
        self.groups[uid] = replace(self.groups[uid], deleting=True, generation=self.groups[uid].generation + 1)

    async def activities(self, uid: str) -> list[tuple[str, str, str, str]]:
        """See the seeder."""
        return [(a.description, a.status_code, a.cause, a.status_message) for a in self.told.get(uid, ())]

    def change_group(self, uid: str, **changes: object) -> None:
        """Nothing; the group is different now."""
        self.groups[uid] = replace(self.groups[uid], **changes)  # type: ignore[arg-type]

    def change_instance(self, key: int, **changes: object) -> None:
        """Nothing; the instance is different now, as an API call would have made it."""
        self.rows[key].instance = replace(self.rows[key].instance, **changes)  # type: ignore[arg-type]

    def instances(self, uid: str) -> list[Instance]:
        """The instances of one group, oldest first."""
        return [row.instance for row in self._of.get(uid, {}).values()]

    def lose_instances(self) -> None:
        """Nothing; as in a backup that was made before any of them."""
        self.rows.clear()
        self._of.clear()

    def _put(self, row: _Row) -> None:
        self.rows[row.instance.key] = self._of[row.uid][row.instance.key] = row

    def _drop(self, key: int) -> _Row | None:
        row = self.rows.pop(key, None)
        if row is not None:
            del self._of[row.uid][key]
        return row

    def _row(self, key: int, state: InstanceState) -> _Row | None:
        return next(iter(self._those([key], state)), None)

    def _those(self, keys: Sequence[int], *states: InstanceState) -> list[_Row]:
        return [self.rows[key] for key in keys if key in self.rows and self.rows[key].instance.state in states]

    def _owe(self, uid: str, change: int) -> None:
        group = self.groups[uid]
        self.groups[uid] = replace(group, owed_replacements=max(0, group.owed_replacements + change))

    def _start_anew(self, uid: str) -> None:
        self.failures.pop(uid, None)
        self.change_group(uid, failing_since=None)

    def _tell(self, uid: str, description: str, cause: str) -> Activity:
        activity = Activity(description, cause)
        self.told.setdefault(uid, []).append(activity)
        return activity
