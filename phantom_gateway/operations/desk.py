"""
What an operation has on its desk: who asks, when, the open transaction, and the house it works in.

Owns: nothing that outlives a request, except :class:`House`, which is built once at start.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from phantom_gateway.config import Limits
from phantom_gateway.keyring import Keyring
from phantom_gateway.operations.ceilings import Holdings
from phantom_gateway.operations.fragments import FragmentCache
from phantom_gateway.records import users
from phantom_gateway.records.session import Connection
from phantom_gateway.records.users import User
from protocol.errors import ApiError
from protocol.paging import PageTokens


def to_nobody(_connection: Connection, _group_uid: str) -> None:
    """Nothing; there is no other gateway that would have to hear of a change."""


@dataclass(frozen=True, slots=True)
class House:
    """What is the same for every request of this process."""

    region: str
    clouds: Collection[str]
    default_cloud: str | None
    limits: Limits
    keyring: Keyring
    page_tokens: PageTokens
    fragments: FragmentCache
    holdings: Holdings
    new_id: Callable[[], str]
    cloud_kinds: Mapping[str, str] = field(default_factory=dict)
    """The kind of each cloud, by name."""
    pass_on: Callable[[Connection, str], None] = to_nobody
    """Called in the transaction that changes the group of this uid: another gateway may have to hear of it."""


@dataclass(slots=True)
class Desk:
    """One request being worked on. *woken* collects the groups to wake once the transaction is committed."""

    house: House
    user: User
    now: datetime
    connection: Connection
    withhold: frozenset[str] = frozenset()
    """Output members that this client cannot read."""
    woken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        users.hold(self.connection, self.user.id)

    def wake(self, group_uid: str) -> None:
        """Nothing; the reconciler looks at this group as soon as the transaction is committed, on whatever gateway."""
        self.house.pass_on(self.connection, group_uid)
        self.woken.append(group_uid)

    def holding_after(self, what: str, more: int, ceiling: int, count: Callable[[Connection, int], int]) -> int:
        """How much of *what* the user has with *more* granted; see :class:`Holdings`. *count* asks the records."""
        return self.house.holdings.after(
            what, self.user.id, more, ceiling, self.now, lambda: count(self.connection, self.user.id)
        )

    def page_scope(self, operation: str, *filters: object) -> str:
        """The scope of a page token: a token is good for the same user, operation and filters only."""
        return repr((operation, self.user.id, filters))

    def page_start(self, token: str | None, scope: str) -> str:
        """The position after which the page begins: "" without a token. Raises ApiError(InvalidNextToken)."""
        return "" if token is None else self.house.page_tokens.read(token, scope)


def invalid(message: str) -> ApiError:
    """A ValidationError with this *message*, to be raised."""
    return ApiError("ValidationError", message)
