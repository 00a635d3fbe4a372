"""
The judge of a simulated universe: what may never happen, held against the clouds' own books.

Owns: the invariants while faults rage (no surplus, no foreign kill, no healthy VM ended without a reason) and the
demands once they have stopped (nothing leaked, everything as desired). Asks the clouds and the users' wishes, never
the plans.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from backends.cloud import MachineState, Mark
from backends.sim import Life, SimCloud
from reconciler.freezes import Freezes
from reconciler.model import InstanceState
from tests.reconciler.memory_ledger import MemoryLedger

MEMORY = timedelta(seconds=300)
"""
How long a wish is an excuse: a launch call may take its two minutes, an answer may be lost, and the outcome is looked
for in the next sweeps.
"""

UNKNOWN_MEMORY = timedelta(seconds=900)
"""
How long a launch may have a twin on a cloud that does not know tokens: one that was cut off, and may have its effect
later, or whose answer was lost on a cloud that then hid what came of it.
"""


class Violation(AssertionError):  # noqa: N818 - what happened, as elsewhere
    """An invariant is broken; the text says which, by whom, and when."""


@dataclass(slots=True)
class Wish:
    """What users wanted of one group, over time."""

    desired: list[tuple[datetime, int]] = field(default_factory=list)
    deleted_at: datetime | None = None
    moved_at: datetime | None = None
    """When its clouds, caps or fail-back last changed: then healthy VMs may have to move."""
    is_eager: bool = False

    def span(self, now: datetime) -> tuple[int, int]:
        """The least and the most that was desired within the last :data:`MEMORY`."""
        recent = [count for at, count in self.desired if at >= now - MEMORY]
        before = [count for at, count in self.desired if at < now - MEMORY]
        counts = recent + before[-1:]
        return min(counts), max(counts)


class Judge:
    """Watches every birth and every termination of the universe's clouds."""

    def __init__(self, gateway_id: str, user_id: int, ledger: MemoryLedger) -> None:
        self.wishes: dict[str, Wish] = {}
        self.clouds: list[SimCloud] = []
        self.freezes = Freezes()
        self.forgotten: set[str] = set()
        """Machines that no life of the gateway remembers: they make no launch one too many."""
        self.births = 0
        self.kills = 0
        self._gateway_id = gateway_id
        self._user_id = user_id
        self._ledger = ledger
        self._unknown: dict[str, list[tuple[datetime, int, str | None]]] = defaultdict(list)
        self._lied_at: dict[str, datetime] = {}

    def unknown_launch(self, uid: str, count: int, now: datetime, answered_by: str | None = None) -> None:
        """
        Nothing; *count* machines of the group may have been launched, by a cloud that knows no tokens.

        With *answered_by*, the cloud whose answer was lost, the call is over: whoever waits for what that cloud shows
        in the end makes no twin, unless it lies.
        """
        self._unknown[uid].append((now, count, answered_by))

    def lied(self, cloud: str, now: datetime) -> None:
        """Nothing; the cloud said that there is nothing where there was something."""
        self._lied_at[cloud] = now

    def _twins(self, uid: str, now: datetime) -> int:
        """How many machines of the group may be there twice."""
        return sum(
            count
            for at, count, cloud in self._unknown[uid]
            if at >= now - UNKNOWN_MEMORY and (cloud is None or self._lied_at.get(cloud, at) > at)
        )

    def born(self, cloud: SimCloud, life: Life, now: datetime) -> None:
        """Nothing. Raises Violation when the machine is one too many (I1)."""
        if life.mark is None or life.mark.gateway_id != self._gateway_id or life.mark.group_uid not in self.wishes:
            return
        self.births += 1
        uid = life.mark.group_uid
        wish = self.wishes[uid]
        _, most = wish.span(now)
        retired = self._retired(uid)
        left_out = retired | self.forgotten
        counted = [other for other in self._alive(uid) if _serves(other) and other.machine_id not in left_out]
        allowed = most + self._twins(uid, now)
        if len(counted) > allowed:
            raise Violation(
                f"I1: {cloud.name} launches {life.machine_id} for {uid}: {len(counted)} serve, {most} wanted"
            )

    def retired(self, uid: str, machine_ids: Collection[str | None], now: datetime) -> None:
        """Nothing. Raises Violation when machines were retired that serve and are needed (I8)."""
        wish = self.wishes[uid]
        if wish.deleted_at is not None or self._may_move(wish, now) or self._is_over_a_cap(uid, machine_ids):
            return
        unhealthy = {i.machine_id for i in self._ledger.instances(uid) if not i.healthy}
        least, _ = wish.span(now)
        serving = {life.machine_id for life in self._alive(uid) if _serves(life)}
        taken = serving & (set(machine_ids) - unhealthy)
        # What counts is what was known: one that died in silence, or that cannot be reached, is believed to serve.
        left = sum(i.state.counts for i in self._ledger.instances(uid))
        if taken and left < least:
            raise Violation(f"I8: {', '.join(sorted(taken))} of {uid} served and are retired: {left} left of {least}")

    def terminating(self, cloud: SimCloud, life: Life) -> None:
        """Nothing. Raises Violation when the machine is not ours (I3), or nobody has retired it (I8)."""
        self.kills += 1
        if life.mark is None or life.mark.gateway_id != self._gateway_id or not self._issued(life.mark):
            raise Violation(f"I3: {cloud.name} is told to terminate {life.machine_id}, which is none of ours")
        uid = life.mark.group_uid
        kept = {i.machine_id for i in self._ledger.instances(uid) if i.state is not InstanceState.TERMINATING}
        if life.machine_id in kept:
            raise Violation(f"I8: {cloud.name} is told to terminate {life.machine_id} of {uid}, which is not retired")

    def sent(self, cloud: str, uid: str) -> None:
        """Nothing. Raises Violation when the gateway sends a change for what is frozen."""
        freeze = self.freezes.over(uid, self._user_id, cloud)
        if freeze is not None:
            raise Violation(f"G-R10: {cloud} is told to change something of {uid}, though {freeze.sentence}")

    def demands(self) -> list[str]:
        """What is still wrong, faults being over: leaks (I2) and groups that are not as desired (I5)."""
        return list(self._demands())

    def _demands(self) -> Iterator[str]:
        for uid, wish in self.wishes.items():
            alive = self._alive(uid)
            if wish.deleted_at is not None:
                # Whoever removed it by a clock that was wrong cannot tell what came before from what came after.
                alive = [life for life in alive if life.machine_id not in self.forgotten]
                if alive or uid in self._ledger.groups:
                    yield f"I5: {uid} is deleted, and {len(alive)} of its machines live"
                continue
            recorded = {
                instance.machine_id
                for instance in self._ledger.instances(uid)
                if instance.state is InstanceState.IN_SERVICE
            }
            living = {life.machine_id for life in alive}
            wanted = wish.desired[-1][1]
            if living - recorded:
                yield f"I2: {uid} has {len(living - recorded)} machines that are not on record"
            if not len(living) == len(recorded) == wanted:
                yield f"I5: {uid} wants {wanted}: {len(living)} live, {len(recorded)} are in service"

    def _alive(self, uid: str) -> list[Life]:
        return [
            life
            for cloud in self.clouds
            for life in cloud.alive()
            if life.mark is not None and (life.mark.gateway_id, life.mark.group_uid) == (self._gateway_id, uid)
        ]

    def _issued(self, mark: Mark) -> bool:
        return mark.group_uid in self.wishes and mark.token.startswith(f"{mark.group_uid}-")

    def _retired(self, uid: str) -> set[str | None]:
        instances = self._ledger.instances(uid)
        return {instance.machine_id for instance in instances if instance.state is InstanceState.TERMINATING}

    def _is_over_a_cap(self, uid: str, machine_ids: Collection[str | None]) -> bool:
        """True when the group had more on some cloud than it may: as soon as others have room, some have to move."""
        for ranked in self._ledger.groups[uid].clouds:
            here = [i for i in self._ledger.instances(uid) if i.cloud == ranked.name]
            held = sum(i.state.counts or i.machine_id in machine_ids for i in here)
            if ranked.cap is not None and held > ranked.cap:
                return True
        return False

    @staticmethod
    def _may_move(wish: Wish, now: datetime) -> bool:
        return wish.is_eager or (wish.moved_at is not None and now - wish.moved_at < 4 * MEMORY)


def _serves(life: Life) -> bool:
    """True when it is neither on its way out, nor broken, nor hidden by a lying cloud."""
    broken = life.state in (MachineState.STOPPED, MachineState.ERROR)
    return life.doomed_at is None and life.died_at is None and not broken and not life.hidden
