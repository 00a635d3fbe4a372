"""
What passes remember of a group, and what a sensor makes it want.

Owns: changes of a group that neither launch nor end an instance: failures, crashes, debts, suspended processes, what it
waits for, and a new desired capacity. Does not own: those of instances (``ledger_claims``, ``ledger_endings``).
"""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from phantom_gateway.records import audit, groups, users
from phantom_gateway.records.crashes import written
from phantom_gateway.records.ledger_fence import Fenced
from phantom_gateway.records.ledger_reading import ceiling
from reconciler import causes
from reconciler.model import Crash


class Notes(Fenced):
    """The verbs of remembering."""

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
            groups.note_crashes(connection, group.id, others if crash is None else {**others, cloud: written(crash)})

        await self._database.write(job)

    async def note_waiting(
        self,
        uid: str,
        waiting_on: Sequence[str],
        now: datetime,  # noqa: ARG002 - the port gives every write its moment
    ) -> None:
        """See the port."""
        await self._database.write(lambda connection: groups.note_waiting(connection, uid, waiting_on))

    async def suspend(self, uid: str, process: str, reason: str, now: datetime) -> None:
        """See the port."""

        def job(connection: sa.Connection) -> None:
            group = self._group(connection, uid)
            if group is not None and process not in group.suspended:
                groups.change(connection, group.id, {"suspended": {**group.suspended, process: reason}}, now)
                entry = audit.Entry(now, audit.GATEWAY, "suspend", group.name, detail=f"{process} {reason}")
                audit.add(connection, entry)

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
            beyond = desired > group.desired and desired > ceiling(connection, group, self._limits)
            if beyond or not group.minimum <= desired <= group.maximum:
                return False
            groups.set_desired(connection, group.id, desired, causes.keep(group.causes, cause), now)
            return True

        return await self._database.write(job)
