"""
The reconciler's memory, in the database: implements :class:`reconciler.ledger.Ledger`.

Owns: the state changes of instances and the activities that tell of them, each pair in one transaction. Does not own:
decisions. API calls that end instances use :func:`begin_termination`, so that there is one way to write it down.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from backends.cloud import SUBNET_PREFIX, Machine, MachineState
from phantom_gateway.config import Limits
from phantom_gateway.group_clouds import clouds_of, drained, is_whole_truth, places_of
from phantom_gateway.keyring import Keyring
from phantom_gateway.phantom_tags import sensor_policy
from phantom_gateway.records import (
    activities,
    audit,
    events,
    groups,
    instances,
    launch_configurations,
    ledger_instances,
    tags,
    users,
)
from phantom_gateway.records.events import Change
from phantom_gateway.records.groups import GroupRow
from phantom_gateway.records.instances import InstanceRow
from phantom_gateway.records.launch_configurations import LaunchSpecRecord
from phantom_gateway.records.launch_sources import LaunchSources
from phantom_gateway.records.session import Database, RecordsUnavailable
from phantom_gateway.records.tables import to_json
from reconciler import causes
from reconciler.model import (
    Crash,
    FailBack,
    Group,
    GroupRecord,
    Instance,
    InstanceState,
    RankedCloud,
    SensorPolicy,
)

LAUNCHING = "Launching a new EC2 instance"
TERMINATING = "Terminating EC2 instance"

OPEN_LAUNCH = ("WaitingForInstanceId", 20)
BOUND_LAUNCH = ("PreInService", 30)
OPEN_TERMINATION = ("InProgress", 50)
DONE = ("Successful", 100)


Fence = Callable[[sa.Connection, str], None]
"""Raises LeaseLost when the group of this uid is not this gateway's until the transaction ends."""


Vet = Callable[[sa.Connection, str, Collection[str], Collection[str]], None]
"""Raises when, on a cloud, one of these machines must not be terminated, or one with these tokens not taken in."""


def anything_goes(
    _connection: sa.Connection, _cloud: str, _machine_ids: Collection[str], _tokens: Collection[str]
) -> None:
    """The vet of records that nobody can have copied."""


def open_to_all(_connection: sa.Connection, _uid: str) -> None:
    """The fence of a database that one gateway has for itself."""


class SqlLedger:
    """
    The ledger of all groups in *database*. *new_id* makes activity ids; *limits* are the operator's ceilings.

    Every verb that writes asks the *fence* in its transaction, and has the group's row while it does: so nothing is
    written for a group that is another gateway's. Such verbs raise :class:`reconciler.lease.LeaseLost`. *vet* has a
    word before a machine for which no instance stands is terminated, or taken in.
    """

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        new_id: Callable[[], str],
        limits: Limits | None = None,
        fence: Fence = open_to_all,
    ) -> None:
        self.vet: Vet = anything_goes
        self._database = database
        self._fence = fence
        self._sources = LaunchSources(keyring)
        self._new_id = new_id
        self._limits = limits or Limits()

    async def group_uids(self) -> list[str]:
        """See the port."""
        return await self._database.read(groups.uids)

    async def read(self, uid: str) -> GroupRecord | None:
        """See the port."""
        return await self._database.read(lambda connection: self._record(connection, uid))

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
        heads = dict(self._database.heads)

        def job(connection: sa.Connection) -> list[Instance]:
            group = self._group(connection, uid)
            if group is None or group.generation != generation or group.deleting:
                return []
            if audit.has_gone_back(connection, heads):
                raise RecordsUnavailable("the database has lost what it had committed: nothing is launched on its word")
            specs = {spec.cloud: spec for spec in _specs_of(connection, group)}
            if cloud not in specs:
                return []
            # A group of one cloud that asked for real zones is told of them; elsewhere clouds are the zones.
            is_zone = place is not None and not place.startswith(SUBNET_PREFIX)
            zone = place if is_zone and len(_clouds_of(group, list(specs.values()))) == 1 else None
            placed = {"place": place, "zone": zone}
            told = self._write_claims(connection, group, specs[cloud], tokens, causes, now, placed)
            groups.owe(connection, group.id, -replacing)
            names = list(dict.fromkeys(token for token, _ in tokens))
            self.vet(connection, cloud, (), names)
            because = causes[0] if causes else ""
            for entry in audit.launches(now, group.name, cloud, names, len(tokens), because):
                audit.add(connection, entry)
            rows = instances.of_tokens(connection, {token for token, _ in tokens})
            events.add(connection, group.id, told + [events.instance(row) for row in rows], now)
            return [ledger_instances.of_row(row) for row in rows]

        return await self._database.write(job)

    async def bind(self, key: int, machine: Machine, instance_id: str, now: datetime) -> bool:
        """See the port."""

        def job(connection: sa.Connection) -> bool:
            rows = self._in_state(connection, [key], InstanceState.CLAIMED)
            if not rows or instances.is_machine_bound(connection, rows[0].cloud, machine.machine_id):
                return False
            running = machine.state is MachineState.RUNNING
            state = InstanceState.IN_SERVICE if running else InstanceState.PENDING
            values = {
                "machine_id": machine.machine_id,
                "instance_id": instance_id,
                "private_ip": machine.private_ip,
                "public_ip": machine.public_ip,
                "bound_at": now,
                "state": state,
            }
            instances.change(connection, [key], values | ({"in_service_at": now} if running else {}))
            status, progress = DONE if running else BOUND_LAUNCH
            told = activities.advance(
                connection,
                rows[0].activity_id,
                status,
                progress,
                description=f"{LAUNCHING}: {instance_id}",
                ended_at=now if running else None,
            )
            groups.touch(connection, rows[0].group_id)
            events.add(connection, rows[0].group_id, [events.instance(rows[0], **values), told], now)
            return True

        return await self._database.write(job)

    async def promote(self, keys: Sequence[int], now: datetime) -> None:
        """See the port."""

        def job(connection: sa.Connection) -> None:
            rows = self._in_state(connection, keys, InstanceState.PENDING)
            values = {"state": InstanceState.IN_SERVICE, "in_service_at": now}
            instances.change(connection, [row.id for row in rows], values)
            told: list[tuple[int, Change]] = []
            for row in rows:
                done = activities.advance(connection, row.activity_id, *DONE, ended_at=now)
                told += [(row.group_id, events.instance(row, state=InstanceState.IN_SERVICE)), (row.group_id, done)]
            _touch_groups(connection, rows)
            events.add_all(connection, told, now)

        await self._database.write(job)

    async def release(self, keys: Sequence[int], outcome: str, message: str, now: datetime) -> None:
        """See the port."""

        def job(connection: sa.Connection) -> None:
            rows = self._in_state(connection, keys, InstanceState.CLAIMED)
            told: list[tuple[int, Change]] = []
            for row in rows:
                done = activities.advance(connection, row.activity_id, outcome, 100, message=message, ended_at=now)
                told += [(row.group_id, events.instance(row, state=events.FAILED)), (row.group_id, done)]
            instances.remove(connection, [row.id for row in rows])
            _touch_groups(connection, rows)
            events.add_all(connection, told, now)

        await self._database.write(job)

    async def retire(
        self, uid: str, generation: int, keys: Sequence[int], causes: Sequence[str], owe: int, now: datetime
    ) -> list[int]:
        """See the port."""

        def job(connection: sa.Connection) -> list[int]:
            group = self._group(connection, uid)
            if group is None or group.generation != generation:
                return []
            cause_of = dict(zip(keys, causes, strict=True))
            rows = self._in_state(connection, keys, InstanceState.PENDING, InstanceState.IN_SERVICE)
            for row in rows:
                begin_termination(connection, group, row, cause_of[row.id], self._new_id(), now)
            for row in rows:
                detail = f"cloud={row.cloud} machine={row.machine_id} token={row.token} {cause_of[row.id]}"
                target = f"{group.name} {row.instance_id}"
                audit.add(connection, audit.Entry(now, audit.GATEWAY, "terminate", target, detail=detail))
            if owe:
                groups.owe(connection, group.id, owe)
            return [row.id for row in rows]

        return await self._database.write(job)

    async def note_dismissed(self, keys: Sequence[int], now: datetime) -> None:
        """See the port."""

        def job(connection: sa.Connection) -> None:
            rows = self._in_state(connection, keys, InstanceState.TERMINATING)
            instances.change(connection, [row.id for row in rows], {"terminate_sent_at": now})

        await self._database.write(job)

    async def bury(self, keys: Sequence[int], causes: Sequence[str], owe: int, now: datetime) -> None:
        """See the port."""

        def job(connection: sa.Connection) -> None:
            cause_of = dict(zip(keys, causes, strict=True))
            rows = self._rows(connection, keys)
            told: list[tuple[int, Change]] = []
            for row in rows:
                told.append((row.group_id, events.instance(row, state=events.TERMINATED)))
                told += [(row.group_id, step) for step in self._end(connection, row, cause_of[row.id], now)]
            instances.remove(connection, [row.id for row in rows])
            _touch_groups(connection, rows)
            events.add_all(connection, told, now)
            if owe and rows:
                groups.owe(connection, rows[0].group_id, owe)

        await self._database.write(job)

    async def forgive(self, uid: str, count: int, now: datetime) -> None:  # noqa: ARG002 - every write has its moment
        """See the port."""

        def job(connection: sa.Connection) -> None:
            group = self._group(connection, uid)
            if group is not None:
                groups.owe(connection, group.id, -count)

        await self._database.write(job)

    async def scale(self, uid: str, generation: int, desired: int, cause: str, now: datetime) -> bool:
        """See the port."""

        def job(connection: sa.Connection) -> bool:
            # What the user's groups want together is counted: as in requests, the lock of the user comes first.
            user_id = groups.owner_of(connection, uid)
            if user_id is not None:
                users.hold(connection, user_id)
            group = self._group(connection, uid)
            if group is None or group.deleting or group.generation != generation:
                return False
            beyond = desired > group.desired and desired > self._ceiling(connection, group)
            if beyond or not group.minimum <= desired <= group.maximum:
                return False
            groups.set_desired(connection, group.id, desired, causes.keep(group.causes, cause), now)
            return True

        return await self._database.write(job)

    async def note_launch_failed(self, uid: str, now: datetime) -> tuple[datetime, int]:
        """See the port."""

        def job(connection: sa.Connection) -> tuple[datetime, int]:
            group = self._group(connection, uid)
            if group is None:
                return now, 1
            since, failures = group.failing_since or now, group.launch_failures + 1
            groups.note_launches(connection, group.id, since, failures)
            return since, failures

        return await self._database.write(job)

    async def note_launched(self, uid: str, now: datetime) -> None:  # noqa: ARG002 - every write has its moment
        """See the port."""

        def job(connection: sa.Connection) -> None:
            group = self._group(connection, uid)
            if group is not None:
                groups.note_launches(connection, group.id, None, 0)

        await self._database.write(job)

    async def note_crash(self, uid: str, cloud: str, crash: Crash | None, now: datetime) -> None:  # noqa: ARG002 - as above
        """See the port."""

        def job(connection: sa.Connection) -> None:
            group = self._group(connection, uid)
            if group is None:
                return
            others = {name: known for name, known in group.crashes.items() if name != cloud}
            groups.note_crashes(connection, group.id, others if crash is None else {**others, cloud: _written(crash)})

        await self._database.write(job)

    async def suspend(self, uid: str, process: str, reason: str, now: datetime) -> None:
        """See the port."""

        def job(connection: sa.Connection) -> None:
            group = self._group(connection, uid)
            if group is not None and process not in group.suspended:
                groups.change(connection, group.id, {"suspended": {**group.suspended, process: reason}}, now)
                entry = audit.Entry(now, audit.GATEWAY, "suspend", group.name, detail=f"{process} {reason}")
                audit.add(connection, entry)

        await self._database.write(job)

    async def remove_group(self, uid: str, now: datetime) -> bool:
        """See the port."""

        def job(connection: sa.Connection) -> bool:
            group = self._group(connection, uid)
            if group is None or not group.deleting or instances.of_group(connection, group.id):
                return False
            forget_group(connection, group, now)
            audit.add(connection, audit.Entry(now, audit.GATEWAY, "remove group", group.name))
            return True

        return await self._database.write(job)

    async def removed_at(self, uid: str) -> datetime | None:
        """See the port. Activities remember it, for six weeks."""
        return await self._database.read(lambda connection: activities.removed_at(connection, uid))

    async def note_reaped(self, uid: str, cloud: str, machine_ids: Sequence[str], because: str, now: datetime) -> None:
        """See the port."""

        def job(connection: sa.Connection) -> None:
            self.vet(connection, cloud, machine_ids, ())
            group = groups.by_uid(connection, uid)
            target = f"{uid if group is None else group.name} {' '.join(machine_ids)}"
            detail = f"cloud={cloud} {because}"
            audit.add(connection, audit.Entry(now, audit.GATEWAY, "reap", target, detail=detail))

        await self._database.write(job)

    async def note_waiting(
        self,
        uid: str,
        waiting_on: Sequence[str],
        now: datetime,  # noqa: ARG002 - the port gives every write its moment
    ) -> None:
        """See the port."""
        await self._database.write(lambda connection: groups.note_waiting(connection, uid, waiting_on))

    def _group(self, connection: sa.Connection, uid: str) -> GroupRow | None:
        """The group, to be changed by this transaction alone. Raises LeaseLost."""
        group = groups.by_uid(connection, uid)
        self._fence(connection, uid)
        return group

    def _rows(self, connection: sa.Connection, keys: Sequence[int]) -> list[InstanceRow]:
        """The instances, with their groups to be changed by this transaction alone. Raises LeaseLost."""
        if self._fence is not open_to_all:
            for uid in sorted(instances.hold_groups(connection, keys)):
                self._fence(connection, uid)
        return instances.by_keys(connection, keys)

    def _in_state(self, connection: sa.Connection, keys: Sequence[int], *states: InstanceState) -> list[InstanceRow]:
        return [row for row in self._rows(connection, keys) if row.state in states]

    def _record(self, connection: sa.Connection, uid: str) -> GroupRecord | None:
        row = groups.by_uid(connection, uid)
        if row is None:
            return None
        specs = _specs_of(connection, row)
        members = ledger_instances.of_group(connection, row.id)
        clouds = _clouds_of(row, specs)
        if is_whole_truth(row.clouds, row.definition):
            clouds = drained(clouds, [member.cloud for member in members])
        policy = None if row.definition is None else _policy(connection, row)
        group = Group(
            uid=row.uid,
            name=row.name,
            user_id=row.user_id,
            minimum=row.minimum,
            maximum=row.maximum,
            desired=row.desired,
            clouds=clouds,
            generation=row.generation,
            deleting=row.deleting,
            termination_policies=tuple(row.termination_policies),
            causes=tuple(row.causes),
            owed_replacements=row.owed_replacements,
            fail_back=FailBack(row.fail_back or FailBack.ON_REPLACEMENT),
            suspended=frozenset(row.suspended),
            suspension_reasons=row.suspended,
            failing_since=row.failing_since,
            crashes={cloud: _crash(written) for cloud, written in row.crashes.items()} if row.crashes else {},
            places=places_of(row.zones, row.settings.get("VPCZoneIdentifier", ""), {spec.cloud for spec in specs}),
            policy=policy,
            last_scaled_at=row.last_scaled_at,
            ceiling=None if policy is None else self._ceiling(connection, row),
        )
        sources, obstacles = self._sources.of(connection, row, specs)
        return GroupRecord(group, sources, members, obstacles)

    def _ceiling(self, connection: sa.Connection, group: GroupRow) -> int:
        """The most that the operator lets the group want, given what the user's other groups want."""
        others = groups.desired_total(connection, group.user_id) - group.desired
        return min(self._limits.vms_per_group_max, self._limits.vms_per_user_max - others)

    def _write_claims(
        self,
        connection: sa.Connection,
        group: GroupRow,
        spec: LaunchSpecRecord,
        tokens: Sequence[tuple[str, int]],
        causes: Sequence[str],
        now: datetime,
        placed: Mapping[str, str | None],
    ) -> list[Change]:
        activity_ids = [self._new_id() for _ in tokens]
        told = activities.add(
            connection,
            [
                _opened(group, activity_id, LAUNCHING, cause, OPEN_LAUNCH, placed["zone"] or spec.cloud, now)
                for activity_id, cause in zip(activity_ids, causes, strict=True)
            ],
        )
        shared = {
            "group_id": group.id,
            "user_id": group.user_id,
            "cloud": spec.cloud,
            "state": InstanceState.CLAIMED,
            "launch_configuration": spec.name,
            "instance_type": spec.instance_type,
            "image_id": spec.image_id,
            "key_name": spec.key_name,
            "spec_created_at": spec.created_at,
            "claimed_at": now,
            "protected": group.new_instances_protected,
            "healthy": True,
            **placed,
        }
        instances.add(
            connection,
            [
                {**shared, "token": token, "token_index": index, "activity_id": activity_id}
                for (token, index), activity_id in zip(tokens, activity_ids, strict=True)
            ],
        )
        return told

    def _end(self, connection: sa.Connection, row: InstanceRow, cause: str, now: datetime) -> list[Change]:
        """What to tell of the activities that say that this instance is gone: the open one, or one of its own."""
        if row.state == InstanceState.TERMINATING:
            return [activities.advance(connection, row.activity_id, *DONE, ended_at=now)]
        group = groups.by_ids(connection, [row.group_id])[0]
        told = []
        if row.state != InstanceState.IN_SERVICE:
            told.append(activities.advance(connection, row.activity_id, "Failed", 100, message=cause, ended_at=now))
        if row.instance_id is not None:
            description = f"{TERMINATING}: {row.instance_id}"
            opened = _opened(group, self._new_id(), description, cause, DONE, row.shown_zone, now)
            told += activities.add(connection, [opened | {"ended_at": now}])
        return told


def begin_termination(
    connection: sa.Connection, group: GroupRow, row: InstanceRow, cause: str, activity_id: str, now: datetime
) -> None:
    """Nothing; the instance is Terminating, and the open activity *activity_id* says why."""
    told = [events.instance(row, state=InstanceState.TERMINATING)]
    if row.state == InstanceState.PENDING:
        message = "The instance was terminated before it was in service."
        told.append(activities.advance(connection, row.activity_id, "Cancelled", 100, message=message, ended_at=now))
    description = f"{TERMINATING}: {row.instance_id}"
    opened = _opened(group, activity_id, description, cause, OPEN_TERMINATION, row.shown_zone, now)
    told += activities.add(connection, [opened])
    instances.change(connection, [row.id], {"state": InstanceState.TERMINATING, "activity_id": activity_id})
    groups.touch(connection, group.id)
    events.add(connection, group.id, told, now)


def forget_group(connection: sa.Connection, group: GroupRow, now: datetime) -> None:
    """Nothing; the group is gone, with its tags; its activities stay, as those of a deleted group."""
    activities.mark_group_deleted(connection, group.uid)
    tags.remove_all(connection, group.id)
    groups.remove(connection, group.id, now)


def _opened(
    group: GroupRow,
    activity_id: str,
    description: str,
    cause: str,
    status: tuple[str, int],
    zone: str,
    now: datetime,
) -> dict[str, object]:
    return {
        "activity_id": activity_id,
        "user_id": group.user_id,
        "group_uid": group.uid,
        "group_name": group.name,
        "description": description,
        "cause": cause,
        "status_code": status[0],
        "progress": status[1],
        "details": to_json({"Availability Zone": zone}),
        "started_at": now,
    }


def _written(crash: Crash) -> dict[str, Any]:
    """*crash* as JSON can say it."""
    return {**asdict(crash), "since": crash.since.isoformat(), "last_at": crash.last_at.isoformat()}


def _crash(written: Mapping[str, Any]) -> Crash:
    """What :func:`_written` wrote."""
    times = {name: datetime.fromisoformat(written[name]) for name in ("since", "last_at")}
    return Crash(**{**written, **times})


def _policy(connection: sa.Connection, group: GroupRow) -> SensorPolicy | None:
    """How a sensor moves the group; only groups of Phantom's dialect have such tags."""
    return sensor_policy({tag.key: tag.value for tag in tags.of_groups(connection, [group.id]).get(group.id, [])})


def _specs_of(connection: sa.Connection, group: GroupRow) -> list[LaunchSpecRecord]:
    """All sibling specs of the launch configuration the group names."""
    return launch_configurations.siblings(connection, group.user_id, group.launch_configuration)


def _clouds_of(group: GroupRow, specs: Sequence[LaunchSpecRecord]) -> tuple[RankedCloud, ...]:
    """The clouds that the group may use; *specs* are those of its launch configuration."""
    own = next((spec for spec in specs if spec.name == group.launch_configuration), None)
    launch_cloud = own.cloud if own else group.launch_configuration.partition("@")[2]
    cloud_params = launch_configurations.ranked(specs)
    return clouds_of(group.clouds, group.definition, group.zones, launch_cloud, cloud_params)


def _touch_groups(connection: sa.Connection, rows: Sequence[InstanceRow]) -> None:
    for group_id in {row.group_id for row in rows}:
        groups.touch(connection, group_id)
