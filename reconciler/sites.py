"""
What is known of the places inside clouds that groups asked for: which cloud has them, and which are full now.

Owns: asking clouds, and the back-off of each place. Does not own: the spread over places (``places``), nor the back-off
of a whole cloud (``launcher``). Kept in memory: after a restart clouds are asked again, and full places once more.
"""

from collections.abc import Mapping
from datetime import datetime

from backends.cloud import Placing
from reconciler import places
from reconciler.accounts import Account
from reconciler.backoff import Backoff
from reconciler.model import Group, GroupView, Hold


class Sites:
    """The places of all groups of one gateway. *backoff* keeps those that are full beside the clouds that failed."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._usable: dict[tuple[str, str], tuple[tuple[str, ...], tuple[str, ...]]] = {}
        """By group and account: what the group asked for, and what came of it."""

    async def look(self, group: Group, account: Account) -> None:
        """Nothing; it is known which of the group's places the account has."""
        if not group.places or not isinstance(account.cloud, Placing):
            self._usable.pop((group.uid, account.key), None)
            return
        known = await account.cloud.places(group.places)
        self._usable[group.uid, account.key] = group.places, places.usable(group, known)

    def shares(
        self, view: GroupView, cloud: str, account: Account, count: int, now: datetime
    ) -> Mapping[str, int] | Mapping[None, int]:
        """*count* machines by place; None where the cloud chooses. Nothing when every place is full."""
        if not self._of(view.group, account):
            return {None: count}
        held = places.taken(view.instances, cloud)
        return places.spread(count, self.free(view.group, account, now), held)

    def free(self, group: Group, account: Account, now: datetime) -> tuple[str, ...]:
        """The group's places in the account that are not known to be full."""
        return tuple(
            each for each in self._of(group, account) if self.place_hold(group.uid, account, each, now) is None
        )

    def hold(self, group: Group, account: Account, now: datetime) -> Hold | None:
        """Why there is no place left for the group in the account, and until when; None while there is one."""
        holds = [self.place_hold(group.uid, account, each, now) for each in self._of(group, account)]
        known = [hold for hold in holds if hold is not None]
        return min(known, key=lambda hold: hold.until) if known and len(known) == len(holds) else None

    def place_hold(self, uid: str, account: Account, place: str | None, now: datetime) -> Hold | None:
        """The pause of the group's launches in this one place, or None."""
        return None if place is None else self._backoff.hold(uid, _key(account, place), now)

    def is_full(self, group: Group, account: Account, place: str, reason: str, now: datetime) -> Hold:
        """The pause of the group's launches in *place*, which has no room for *reason*."""
        return self._backoff.failed(group.uid, _key(account, place), reason, now)

    def has_room(self, uid: str, account: Account, place: str | None, now: datetime) -> None:
        """Nothing; a launch in *place* brought all that was asked for."""
        if place is not None:
            self._backoff.succeeded(uid, _key(account, place), now)

    def forget(self, uid: str) -> None:
        """Nothing; the group does not exist any more."""
        for key in [key for key in self._usable if key[0] == uid]:
            del self._usable[key]

    def _of(self, group: Group, account: Account) -> tuple[str, ...]:
        asked, usable = self._usable.get((group.uid, account.key), ((), ()))
        return usable if asked == group.places else ()


def _key(account: Account, place: str) -> str:
    """A name for the place among those of accounts, none of which has a blank."""
    return f"{account.key} {place}"
