"""
The port through which the reconciler knows what sensors say: implemented by ``phantom_gateway.sensors``.

Owns: what has to be answered. An answer never waits for a far side: what is not known yet is no reading.
"""

from datetime import datetime
from typing import Protocol

from reconciler.model import GroupRecord, Readings


class Sensors(Protocol):
    """Readings of the metrics that move groups."""

    async def readings(self, record: GroupRecord, now: datetime) -> Readings:
        """
        What is known at *now* of the metric of the group's policy.

        Whoever is asked for a group once wakes it when there is news, now and then.
        """
        ...


class NoSensors:
    """Implements :class:`Sensors` where nobody sends anything."""

    async def readings(self, record: GroupRecord, now: datetime) -> Readings:  # noqa: ARG002 - the port's signature
        """Nothing, and why."""
        return Readings(trouble="this gateway reads no sensors")
