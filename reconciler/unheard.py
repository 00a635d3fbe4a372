"""
Launch calls whose answer nobody heard: until when they may have had their effect, and which answers settle nothing.

Owns: that memory, which a restart empties; then every call may have been cut off as late as the restart. Does not own:
what sweeps prove (``settlement``).
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from backends.cloud import CloudTraits
from reconciler.lease import Lease
from reconciler.model import GroupRecord, InstanceState

LATE_EFFECT_S = 60.0
"""
A call that was cut off may have its effect so much later, where a token is all that keeps a second launch away. Lower:
a slow cloud makes a surplus. Higher: what came to nothing after all is launched elsewhere later.
"""


class Unheard:
    """By group and cloud, and of those the tokens whose repeated call says nothing of the first one."""

    def __init__(self, clock: Callable[[], datetime], lease: Lease) -> None:
        self._clock = clock
        self._lease = lease
        self._started_at = clock()
        self._until: dict[tuple[str, str], datetime] = {}
        self._doubted: dict[tuple[str, str], frozenset[str]] = {}

    def until(self, uid: str, cloud: str) -> datetime:
        """Until when a launch of this group on *cloud*, whose answer nobody heard, may have had its effect."""
        known = self._until.get((uid, cloud), self._started_at)
        taken_over = self._lease.since(uid)
        return known if taken_over is None else max(known, taken_over)

    def doubted(self, record: GroupRecord, cloud: str) -> frozenset[str]:
        """Tokens of the group's claims there that were repeated, and the answer says nothing of the first call."""
        place = record.group.uid, cloud
        known = self._doubted.pop(place, None)
        if known is None:
            return frozenset()
        known &= {i.token for i in record.instances if i.cloud == cloud and i.state is InstanceState.CLAIMED}
        if known:
            self._doubted[place] = known
        return known

    def cut_off(self, uid: str, cloud: str, traits: CloudTraits) -> None:
        """Nothing; no answer to a call came, and none will."""
        late_s = LATE_EFFECT_S if traits.token_is_idempotent else 0.0
        self._until[uid, cloud] = self._clock() + timedelta(seconds=late_s)

    def not_recorded(self, uid: str, cloud: str) -> None:
        """Nothing; the answer came just now, and is lost: sweeps that began before it prove nothing."""
        self._until[uid, cloud] = max(self._clock(), self.until(uid, cloud))

    def doubt(self, uid: str, cloud: str, token: str) -> None:
        """Nothing; a call was repeated, and refused or answered with too few machines."""
        self._doubted[uid, cloud] = self._doubted.get((uid, cloud), frozenset()) | {token}

    def forget(self, uid: str) -> None:
        """Nothing; the group does not exist any more."""
        for key in [key for key in self._until if key[0] == uid]:
            del self._until[key]
        for key in [key for key in self._doubted if key[0] == uid]:
            del self._doubted[key]
