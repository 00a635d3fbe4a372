"""
What an endpoint is given that has to wait for something outside the records: a cloud, or a password's hash.

Owns: running the parts that do touch the records, each as a transaction of its own, with a desk. Does not own: the
accounts it looks up.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from phantom_gateway.logins import Logins
from phantom_gateway.operations.desk import Desk, House
from phantom_gateway.probes import Probes
from phantom_gateway.records.session import Connection, Database
from phantom_gateway.records.users import User
from reconciler.accounts import Account, AccountBook

T = TypeVar("T")


def _nothing(_connection: Connection) -> None:
    """Nothing; what an errand without a request does."""


@dataclass(slots=True)
class Errand:
    """One request that waits. *woken* collects the groups to wake, as they become durable."""

    house: House
    caller: User | None
    """None at an open endpoint alone."""
    now: Callable[[], datetime]
    database: Database
    accounts: AccountBook
    probes: Probes
    logins: Logins
    note: Callable[[Connection], None] = _nothing
    """Puts the request on record, in the transaction of what it changed."""
    woken: list[str] = field(default_factory=list)

    @property
    def user(self) -> User:
        """Who asks, at an endpoint that is not open."""
        assert self.caller is not None, "an open endpoint knows no user"
        return self.caller

    async def read(self, job: Callable[[Desk], T]) -> T:
        """What *job* returns, from one snapshot of the records. Raises RecordsUnavailable."""
        return await self.database.read(lambda connection: job(self._desk(connection)))

    async def write(self, job: Callable[[Desk], T]) -> T:
        """What *job* returns; what it wrote is durable. Raises RecordsUnavailable."""

        def transact(connection: Connection) -> tuple[T, list[str]]:
            desk = self._desk(connection)
            result = job(desk)
            self.note(connection)
            return result, desk.woken

        result, woken = await self.database.write(transact)
        self.woken.extend(woken)
        return result

    def account(self, cloud: str) -> Account | None:
        """What the user's VMs on *cloud* are launched with: his own account, else the operator's, if there is one."""
        return self.accounts.account(self.user.id, cloud)

    def _desk(self, connection: Connection) -> Desk:
        return Desk(self.house, self.user, self.now(), connection)
