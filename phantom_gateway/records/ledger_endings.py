"""
How instances and groups end: retired, dismissed, buried, and the group that is removed after them.

Owns: these changes, each with the activity and the events that tell of it, in one transaction. API calls that end
instances use :func:`begin_termination`, so that there is one way to write it down. Does not own: launches
(``ledger_claims``).
"""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from phantom_gateway.records import activities, audit, events, groups, instances, tags
from phantom_gateway.records.events import Change
from phantom_gateway.records.groups import GroupRow
from phantom_gateway.records.instances import InstanceRow
from phantom_gateway.records.ledger_activities import DONE, OPEN_TERMINATION, TERMINATING, opened
from phantom_gateway.records.ledger_fence import Fenced
from reconciler.model import InstanceState, Removed


class Endings(Fenced):
    """The verbs of ending."""

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
            groups.touch_all(connection, (row.group_id for row in rows))
            events.add_all(connection, told, now)
            if owe and rows:
                groups.owe(connection, rows[0].group_id, owe)

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

    async def removed(self, uid: str) -> Removed | None:
        """See the port. Activities remember it, for six weeks."""
        return await self._database.read(lambda connection: activities.removed(connection, uid))

    async def note_reaped(self, uid: str, cloud: str, machine_ids: Sequence[str], because: str, now: datetime) -> None:
        """See the port."""

        def job(connection: sa.Connection) -> None:
            self.vet(connection, cloud, machine_ids, ())
            group = groups.by_uid(connection, uid)
            target = f"{uid if group is None else group.name} {' '.join(machine_ids)}"
            detail = f"cloud={cloud} {because}"
            audit.add(connection, audit.Entry(now, audit.GATEWAY, "reap", target, detail=detail))

        await self._database.write(job)

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
            ended = opened(group, self._new_id(), description, cause, DONE, row.shown_zone, now)
            told += activities.add(connection, [ended | {"ended_at": now}])
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
    begun = opened(group, activity_id, description, cause, OPEN_TERMINATION, row.shown_zone, now)
    told += activities.add(connection, [begun])
    instances.change(connection, [row.id], {"state": InstanceState.TERMINATING, "activity_id": activity_id})
    groups.touch(connection, group.id)
    events.add(connection, group.id, told, now)


def forget_group(connection: sa.Connection, group: GroupRow, now: datetime) -> None:
    """Nothing; the group is gone, with its tags; its activities stay, as those of a deleted group."""
    activities.mark_group_deleted(connection, group.uid)
    tags.remove_all(connection, group.id)
    groups.remove(connection, group.id, now)
