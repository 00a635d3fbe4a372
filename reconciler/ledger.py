"""
The port through which the reconciler remembers: implemented by ``phantom_gateway.records.ledger``.

Owns: what has to be remembered, and when. Every verb is one durable transaction. Intent is written before the effect it
announces. Each verb that acts on instances ignores keys that are no longer in the state it expects, because an API call
may have come first.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from backends.cloud import Machine
from reconciler.model import Crash, GroupRecord, Instance, Removed


class Ledger(Protocol):
    """Groups, instances and activities, as the reconciler needs them."""

    async def group_uids(self) -> list[str]:
        """The uid of every group, those being deleted included."""
        ...

    async def read(self, uid: str) -> GroupRecord | None:
        """All that is known of one group, in one consistent snapshot; None when it does not exist."""
        ...

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
        """
        New claims, one per (token, index) of *tokens*, each with an activity "Launching a new EC2 instance".

        *causes* has one text per claim. *place* is the zone or subnet that all of them are launched in. *replacing* is
        taken off the group's owed replacements. The launch configuration recorded is the one the group uses on *cloud*
        now. Returns [] and writes nothing when the group's generation is not *generation* any more, when it is being
        deleted, or has no spec for the cloud.
        """
        ...

    async def bind(self, key: int, machine: Machine, instance_id: str, now: datetime) -> bool:
        """
        True when the claim became an instance: InService when the machine is running, else Pending.

        False when there is no such claim. A machine already bound elsewhere is never bound twice (False).
        """
        ...

    async def promote(self, keys: Sequence[int], now: datetime) -> None:
        """Nothing; pending instances are in service and their launch activities successful."""
        ...

    async def release(self, keys: Sequence[int], outcome: str, message: str, now: datetime) -> None:
        """Nothing; claims are deleted and their activities end as *outcome* (Failed or Cancelled) with *message*."""
        ...

    async def retire(
        self,
        uid: str,
        generation: int,
        keys: Sequence[int],
        causes: Sequence[str],
        owe: int,
        now: datetime,
    ) -> list[int]:
        """
        The keys that are Terminating now, each with an activity "Terminating EC2 instance: ...".

        *owe* is added to the owed replacements. Returns [] and writes nothing when the generation has moved on.
        """
        ...

    async def note_dismissed(self, keys: Sequence[int], now: datetime) -> None:
        """Nothing; remembers that the cloud accepted the termination of these instances at *now*."""
        ...

    async def bury(self, keys: Sequence[int], causes: Sequence[str], owe: int, now: datetime) -> None:
        """
        Nothing; the instances are gone from the ledger.

        A Terminating one completes its activity; any other gets a finished activity of its own with its cause, and
        *owe* is added to the owed replacements.
        """
        ...

    async def forgive(self, uid: str, count: int, now: datetime) -> None:
        """Nothing; *count* is taken off the group's owed replacements, which never become less than none."""
        ...

    async def scale(self, uid: str, generation: int, desired: int, cause: str, now: datetime) -> bool:
        """
        True when the group wants *desired* instances from now on, because of *cause*, as if a user had said so.

        False, and nothing written, when the generation has moved on, the group is being deleted, or *desired* is out
        of its bounds or above the operator's ceiling.
        """
        ...

    async def note_launch_failed(self, uid: str, now: datetime) -> tuple[datetime, int]:
        """
        Since when launches of the group fail, and how many failed in a row, this one included.

        The first failure after a success (or ever, or after a resumption) sets ``failing_since``. (*now*, 1) and
        nothing written when the group does not exist any more.
        """
        ...

    async def note_launched(self, uid: str, now: datetime) -> None:
        """Nothing; no launch has failed since: ``failing_since`` is None and the count 0."""
        ...

    async def note_crash(self, uid: str, cloud: str, crash: Crash | None, now: datetime) -> None:
        """Nothing; this is the group's record of young deaths on *cloud*; with None there is none."""
        ...

    async def suspend(self, uid: str, process: str, reason: str, now: datetime) -> None:
        """
        Nothing; *process* is suspended for *reason* and the generation has grown, as if a user had done it.

        A process that is suspended already keeps its reason, and the generation stays. Whoever resumes it resets what
        :meth:`note_launch_failed` counts.
        """
        ...

    async def remove_group(self, uid: str, now: datetime) -> bool:
        """True when the group was being deleted, had no instances, and is gone now; its activities stay."""
        ...

    async def removed(self, uid: str) -> Removed | None:
        """When the group of this uid was removed, and whose it was, if that is remembered; None: it never was ours."""
        ...

    async def note_reaped(self, uid: str, cloud: str, machine_ids: Sequence[str], because: str, now: datetime) -> None:
        """Nothing; it is on record that these machines, for which no instance stands, are about to be terminated."""
        ...

    async def note_waiting(self, uid: str, waiting_on: Sequence[str], now: datetime) -> None:
        """Nothing; what the group waits for is kept for ``explain``. Called only when it differs from the last note."""
        ...
