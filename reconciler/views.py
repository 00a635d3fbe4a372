"""
What a pass may look at: the group as it is on record, and what is known of its accounts just now.

Owns: putting the two together. Does not own: any of it. What plans read is a value, and never changes under them.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from reconciler.accounts import Account, AccountBook
from reconciler.backoff import Backoff
from reconciler.brakes import Brakes
from reconciler.launcher import Launcher
from reconciler.model import AccountView, GroupRecord, GroupView, Hold, Process
from reconciler.turnstile import Turnstiles
from reconciler.verdicts import Verdicts
from reconciler.watch import Watch

FROZEN_AGAIN_S = 60.0
"""A frozen group looks again this often; a thaw wakes it at once."""


class Views:
    """*verdicts* are those on unrecorded machines; whoever hears of others replaces them."""

    def __init__(
        self,
        accounts: AccountBook,
        watch: Watch,
        turnstiles: Turnstiles,
        launcher: Launcher,
        backoff: Backoff,
        brakes: Brakes,
    ) -> None:
        self.verdicts = Verdicts()
        self._book = accounts
        self._watch = watch
        self._turnstiles = turnstiles
        self._launcher = launcher
        self._backoff = backoff
        self._brakes = brakes

    def accounts_of(self, record: GroupRecord) -> dict[str, Account]:
        """
        By cloud, the accounts that the group uses or has instances in, and those that show machines of it.

        A launch may come to light on a cloud that the group has left meanwhile. Clouds without an account are left out.
        """
        names = {ranked.name for ranked in record.group.clouds} | {instance.cloud for instance in record.instances}
        names |= self._watch.clouds_of(record.group.uid)
        found = {name: self._book.account(record.group.user_id, name) for name in sorted(names)}
        return {name: account for name, account in found.items() if account is not None}

    def of(self, record: GroupRecord, accounts: Mapping[str, Account], now: datetime) -> GroupView:
        """The view of the group; the accounts' censuses are told what it has."""
        uid = record.group.uid
        if record.group.suspends(Process.LAUNCH):
            # Whoever resumes it wants an attempt at once, whatever the failures before.
            self._backoff.forget(uid)
        recorded: dict[str, int] = dict.fromkeys(accounts, 0)
        for instance in record.instances:
            recorded[instance.cloud] = recorded.get(instance.cloud, 0) + 1
        for account in accounts.values():
            self._turnstiles.of(account).census.show(self._watch.of(account).picture.living)
        self._turnstiles.note(uid, {account.key: recorded[name] for name, account in accounts.items()})
        return GroupView(record, {name: self._seen(record, name, account, now) for name, account in accounts.items()})

    def _seen(self, record: GroupRecord, name: str, account: Account, now: datetime) -> AccountView:
        group, sweeper = record.group, self._watch.of(account)
        picture, verdicts = sweeper.picture, self.verdicts
        turnstile, lost = self._turnstiles.of(account), sweeper.lost
        bound = {i.machine_id for i in record.instances if i.cloud == name and i.machine_id is not None}
        machines = picture.machines(group.uid, bound)
        lacking = bound.difference(machine.machine_id for machine in machines)
        return AccountView(
            traits=account.traits,
            swept_at=picture.swept_at,
            blind=picture.blind,
            machines=machines,
            hold=self._launcher.hold(record, name, account, now),
            breaker=turnstile.hold(group.uid, now),
            limits=turnstile.limits(group.uid, now),
            calls_cut_at=self._launcher.unheard.until(group.uid, name),
            doubted=self._launcher.unheard.doubted(record, name),
            absences={machine_id: sweeper.absences.of(machine_id) for machine_id in lacking},
            living=picture.living_count,
            missing=len(sweeper.absences),
            lost=len(lost) + sweeper.casualties.count(now, lost),
            given_up=sweeper.casualties.of(group.uid, now),
            watched_since=sweeper.watched_since,
            condemned=verdicts.condemned_on(name),
            kept=verdicts.kept_on(name),
            spared=verdicts.spared_on(name),
            frozen=self._frozen(group.uid, group.user_id, name, now),
        )

    def _frozen(self, uid: str, user_id: int, cloud: str, now: datetime) -> Hold | None:
        frozen = self._brakes.hold(uid, user_id, cloud)
        return None if frozen is None else Hold(now + timedelta(seconds=FROZEN_AGAIN_S), frozen)
