"""
The small world over simulated clouds: several clouds of one group, and every launch call on record.

Owns: the clouds, what they were asked, and the questions about them. How the reconciler starts and ends is ``world``'s.
"""

from datetime import datetime
from random import Random

from backends.cloud import LaunchSpec, Machine, Mark
from backends.sim import Life, SimCloud
from reconciler.accounts import Account
from tests.reconciler import virtual_time
from tests.reconciler.world import SWEEP_INTERVAL_S, World


class RecordingCloud(SimCloud):
    """A simulated cloud that remembers when it was asked to launch how many, and for whom."""

    def __init__(self, name: str, random: Random) -> None:
        super().__init__(name, clock=virtual_time.now, random=random)
        self.asked: list[tuple[datetime, int, str]] = []

    async def launch(self, spec: LaunchSpec, count: int, token: str, mark: Mark) -> list[Machine]:
        """See the contract."""
        self.asked.append((virtual_time.now(), count, mark.group_uid))
        return await super().launch(spec, count, token, mark)

    def asked_in(self, from_s: float, to_s: float) -> int:
        """Launch calls between these two times, in seconds since the beginning of the world."""
        return sum(from_s <= at_s < to_s for at_s, _ in self.asked_at())

    def asked_at(self) -> list[tuple[float, int]]:
        """When it was asked to launch, in seconds since the beginning of the world, and how many machines."""
        return [((at - virtual_time.EPOCH).total_seconds(), count) for at, count, _ in self.asked]

    def of_group(self, uid: str) -> list[Life]:
        """Its machines that exist now."""
        return [life for life in self.alive() if life.mark is not None and life.mark.group_uid == uid]


class SimWorld(World):
    """Two simulated clouds, hotel before sierra."""

    hotel: RecordingCloud  # type: ignore[assignment]  # the same questions, asked below
    sierra: RecordingCloud  # type: ignore[assignment]

    def __init__(self, seed: int = 0, sweep_interval_s: float = SWEEP_INTERVAL_S, **ceilings: float) -> None:
        """*ceilings* are those of hotel's account."""
        super().__init__(seed, sweep_interval_s=sweep_interval_s)
        self.hotel = RecordingCloud("hotel", self.random)
        self.sierra = RecordingCloud("sierra", self.random)
        self.known = {
            "hotel": Account("hotel", self.hotel, self.hotel.traits, **ceilings),  # type: ignore[arg-type]
            "sierra": Account("sierra", self.sierra, self.sierra.traits),
        }

    def alive(self, uid: str = "g-1") -> list[str]:
        """Machine ids of the group on all clouds."""
        return [life.machine_id for cloud in (self.hotel, self.sierra) for life in cloud.of_group(uid)]

    def spread(self, uid: str = "g-1") -> dict[str, int]:
        """Living machines of the group per cloud, clouds with none left out."""
        counts = {cloud.name: len(cloud.of_group(uid)) for cloud in (self.hotel, self.sierra)}
        return {name: count for name, count in counts.items() if count}

    def born(self) -> int:
        """Every machine that ever lived."""
        return len(self.hotel.ledger) + len(self.sierra.ledger)
