"""
From the intent to launch to an instance in service: claimed, bound to its machine, promoted, or released.

Owns: these changes, each with the activity and the events that tell of it, in one transaction. Does not own: how an
instance ends (``ledger_endings``).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from backends.cloud import SUBNET_PREFIX, Machine, MachineState
from phantom_gateway.records import activities, audit, events, groups, instances, ledger_instances
from phantom_gateway.records.events import Change
from phantom_gateway.records.groups import GroupRow
from phantom_gateway.records.launch_configurations import LaunchSpecRecord
from phantom_gateway.records.ledger_activities import BOUND_LAUNCH, DONE, LAUNCHING, OPEN_LAUNCH, opened
from phantom_gateway.records.ledger_fence import Fenced
from phantom_gateway.records.ledger_reading import specs_of, usable_clouds
from phantom_gateway.records.session import RecordsUnavailable
from reconciler.model import Instance, InstanceState


class Claims(Fenced):
    """The verbs of launching."""

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
            specs = {spec.cloud: spec for spec in specs_of(connection, group)}
            if cloud not in specs:
                return []
            # A group of one cloud that asked for real zones is told of them; elsewhere clouds are the zones.
            is_zone = place is not None and not place.startswith(SUBNET_PREFIX)
            zone = place if is_zone and len(usable_clouds(group, list(specs.values()))) == 1 else None
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
            groups.touch_all(connection, (row.group_id for row in rows))
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
            groups.touch_all(connection, (row.group_id for row in rows))
            events.add_all(connection, told, now)

        await self._database.write(job)

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
                opened(group, activity_id, LAUNCHING, cause, OPEN_LAUNCH, placed["zone"] or spec.cloud, now)
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
