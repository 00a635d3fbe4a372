"""
The watch over all accounts: one sweeper for each, and none for an account that is gone.

Owns: which sweepers there are, and what all their pictures together show. Does not own: when one looks, or what it
believes (``sweeper``).
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from random import Random

from backends.cloud import OVER, Machine
from reconciler.accounts import Account
from reconciler.orphans import Marked
from reconciler.sweeper import Sweeper


class Watch:
    """*tell* gets the uids of groups whose picture changed. Sweepers are tasks of the group given to :meth:`begin`."""

    def __init__(
        self,
        gateway_id: str,
        tell: Callable[[Collection[str]], None],
        clock: Callable[[], datetime],
        random: Random,
        interval_s: float,
    ) -> None:
        self._gateway_id = gateway_id
        self._tell = tell
        self._clock = clock
        self._random = random
        self._interval_s = interval_s
        self._sweepers: dict[str, tuple[Sweeper, asyncio.Task[None]]] = {}
        self._tasks: asyncio.TaskGroup | None = None

    def __iter__(self) -> Iterator[Sweeper]:
        """Every sweeper there is."""
        return (sweeper for sweeper, _ in self._sweepers.values())

    def begin(self, tasks: asyncio.TaskGroup) -> None:
        """Nothing; from now on there may be sweepers."""
        self._tasks = tasks

    def end(self) -> None:
        """Nothing; whoever ends the tasks has ended the sweepers."""
        self._tasks = None
        self._sweepers.clear()

    def over(self, accounts: Iterable[Account]) -> None:
        """Nothing; there are sweepers for these accounts and no others."""
        wanted = {account.key: account for account in accounts}
        for key in [key for key in self._sweepers if key not in wanted]:
            self._sweepers.pop(key)[1].cancel()
        for account in wanted.values():
            self.of(account)

    def of(self, account: Account) -> Sweeper:
        """The sweeper of *account*, by way of the cloud that the account has now."""
        known = self._sweepers.get(account.key)
        if known is not None and known[0].account.cloud is account.cloud:
            return known[0]
        if known is not None:
            known[1].cancel()
        assert self._tasks is not None, "a pass runs only while the reconciler does"
        sweeper = Sweeper(account, self._gateway_id, self._tell, self._clock, self._random, self._interval_s)
        self._sweepers[account.key] = (sweeper, self._tasks.create_task(sweeper.run()))
        return sweeper

    def of_group(self, uid: str) -> dict[str, tuple[Machine, ...]]:
        """By account key, the machines with the mark of the group *uid* that are shown now, or were last."""
        return {sweeper.account.key: sweeper.picture.by_group.get(uid, ()) for sweeper in self}

    def clouds_of(self, uid: str) -> set[str]:
        """The clouds that show machines with the mark of the group *uid*, whether or not it may use them."""
        return {each.account.cloud.name for each, _ in self._sweepers.values() if uid in each.picture.by_group}

    def uids(self) -> set[str]:
        """The groups whose marks are seen on any machine."""
        return {uid for sweeper in self for uid in sweeper.picture.by_group}

    def marks(self) -> list[Marked]:
        """Living machines with our mark, as they are seen now."""
        return [
            Marked(sweeper.account.cloud.name, uid, machine, sweeper.account.key)
            for sweeper in self
            for uid, machines in sweeper.picture.by_group.items()
            for machine in machines
            if machine.state not in OVER
        ]

    def has_looked(self, accounts: int) -> bool:
        """True when as many *accounts* have been seen, or have been found not to answer, and no other is awaited."""
        pictures = [sweeper.picture for sweeper in self]
        return len(pictures) >= accounts and all(
            picture.swept_at is not None or picture.blind is not None for picture in pictures
        )

    def states(self) -> Counter[tuple[str, str]]:
        """How many accounts are ``seen``, ``blind`` or ``new``, by cloud and that."""
        found: Counter[tuple[str, str]] = Counter()
        for sweeper in self:
            picture = sweeper.picture
            state = "blind" if picture.blind else "seen" if picture.swept_at else "new"
            found[sweeper.account.cloud.name, state] += 1
        return found

    def ages_s(self) -> dict[str, float]:
        """By cloud, the age of the oldest picture of it that there is."""
        now, ages = self._clock(), dict[str, float]()
        for sweeper in self:
            name, swept_at = sweeper.account.cloud.name, sweeper.picture.swept_at
            if swept_at is not None:
                ages[name] = max(ages.get(name, 0.0), (now - swept_at).total_seconds())
        return ages
