"""
The red button: what people have frozen, and whom it covers.

Owns: the values and the sentence that tells of one. Does not own: where they are kept, or who reads them
(``brakes``).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reconciler import causes


class Scope(StrEnum):
    """What a freeze is laid on, the widest first."""

    ALL = "all"
    CLOUD = "cloud"
    USER = "user"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Freeze:
    """
    From *at* on, nothing that changes a cloud is done for what this covers, until somebody thaws it.

    *name* is the cloud's name, the user's id in digits, or the group's uid; "" for everything. *label* is what people
    call it, *by* who froze it, *reason* why.
    """

    scope: Scope
    name: str
    label: str
    by: str
    at: datetime
    reason: str

    @property
    def sentence(self) -> str:
        """What people read where something waits because of it."""
        what = "everything" if self.scope is Scope.ALL else f"{self.scope} {self.label}"
        why = f": {self.reason}" if self.reason else ""
        return f"{what} is frozen by {self.by} since {causes.stamp(self.at)}{why}"


class Freezes:
    """All freezes in force at one time."""

    def __init__(self, freezes: Iterable[Freeze] = ()) -> None:
        self._by_place = {(freeze.scope, freeze.name): freeze for freeze in freezes}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Freezes) and self._by_place == other._by_place

    def __hash__(self) -> int:
        return hash(frozenset(self._by_place.items()))

    def __iter__(self) -> Iterator[Freeze]:
        return iter(self._by_place.values())

    def __len__(self) -> int:
        return len(self._by_place)

    def over(self, group_uid: str, user_id: int | None, cloud: str) -> Freeze | None:
        """The widest freeze that covers this group on this cloud, or None. Whose group it is may be unknown."""
        if not self._by_place:
            return None
        places = (
            (Scope.ALL, ""),
            (Scope.CLOUD, cloud),
            (Scope.USER, "" if user_id is None else str(user_id)),
            (Scope.GROUP, group_uid),
        )
        return next((self._by_place[place] for place in places if place in self._by_place), None)
