"""
Makes desired and actual meet, for every group, for as long as the process lives.

Owns: the passes (read, plan, check, carry out, note), who is waked and when. Does not own: any decision about a group,
or any effect on one.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from backends.cloud import OVER, Machine
from reconciler import leftovers, planner, prospect, rails
from reconciler.accounts import Account, AccountBook
from reconciler.actions import Plan
from reconciler.backoff import Backoff
from reconciler.brakes import Brakes
from reconciler.current import group_name
from reconciler.executor import Executor
from reconciler.freezes import Freezes
from reconciler.launcher import Launcher
from reconciler.lease import Lease, LeaseLost, Sole
from reconciler.ledger import Ledger
from reconciler.model import AccountView, GroupRecord, GroupView, Hold, Process
from reconciler.orphans import Marked, Orphans
from reconciler.outcome import Outcome
from reconciler.queue import WorkQueue
from reconciler.scaling import Scaler, Steered
from reconciler.sensors import NoSensors, Sensors
from reconciler.stamps import Stamps
from reconciler.sweeper import Sweeper
from reconciler.tally import PassOutcome, Status, Tally
from reconciler.turnstile import Turnstiles

log = logging.getLogger(__name__)

WORKERS = 128
"""Passes at once. Lower: groups on one slow cloud use them up and hold up all others. Higher: more calls at once."""

RESYNC_S = 60.0
"""Every group is looked at this often without a reason. Lower: idle work. Higher: a lost wake-up is felt longer."""

PASS_RETRY_S_MIN = 1.0
PASS_RETRY_S_MAX = 60.0
"""Pauses of a group whose pass raised, doubling. Lower: a broken record burns the processor. Higher: slow to heal."""

LEASE_RETRY_S = 1.0
"""Pause of a group while the lease on it is in doubt. Lower: idle work. Higher: it stays idle after the doubt."""

FREEZE_SPREAD_S = 1.0
"""Groups say what they wait for within this time after a freeze; what they may do is known at once."""

FROZEN_AGAIN_S = 60.0
"""A frozen group looks again this often; a thaw wakes it at once."""

CLOSE_GRACE_S = 5.0
"""Passes under way may end this long after close(); what is cut off then is settled from its claims at next start."""


Place = tuple[str, str]
"""A machine: the name of its cloud, and its id there."""


class _Closed(Exception):  # noqa: N818 - a signal inside one task group, never an error
    """The reconciler was asked to end."""


class Reconciler:
    """
    Runs passes over the groups of one ledger.

    *clock* gives aware UTC times that pass as time does (``steady``), and *wall*, where there is one, those that others
    stamp their samples with. *new_token* gives a fresh launch token for the group of a uid (at most 64 ASCII
    characters, as EC2 takes), and *gateway_id* is what marks machines as ours. All methods belong to the event loop
    that runs :meth:`run`.
    """

    def __init__(
        self,
        ledger: Ledger,
        accounts: AccountBook,
        *,
        gateway_id: str,
        clock: Callable[[], datetime],
        random: Random,
        new_token: Callable[[str], str],
        sweep_interval_s: float,
        wall: Callable[[], datetime] | None = None,
        resync_s: float = RESYNC_S,
        workers: int = WORKERS,
        sensors: Sensors | None = None,
        lease: Lease | None = None,
        brakes: Brakes | None = None,
        reaps_leftovers: bool = True,
    ) -> None:
        self._ledger = ledger
        self._lease: Lease = lease or Sole()
        self._book = accounts
        self._gateway_id = gateway_id
        self._clock = clock
        self._random = random
        self._sweep_interval_s = sweep_interval_s
        self._resync_s = resync_s
        self._queue = WorkQueue()
        self._backoff = Backoff(random)
        self._turnstiles = Turnstiles(random, self._lease)
        self._brakes = Brakes() if brakes is None else brakes
        self.tally = Tally()
        self._launcher = Launcher(
            ledger, self._backoff, self._turnstiles, self._brakes, self.tally, clock, new_token, gateway_id, self._lease
        )
        self._executor = Executor(ledger, self._launcher, self._brakes, self.tally, clock, self._lease)
        self._scaler = Scaler(ledger, sensors or NoSensors(), wall or clock)
        self._stamps = Stamps()
        self._orphans = Orphans()
        self._reaps_leftovers = reaps_leftovers
        self._condemned: frozenset[Place] = frozenset()
        self._kept: frozenset[Place] = frozenset()
        self._spared: frozenset[Place] = frozenset()
        self._free = asyncio.Semaphore(workers)
        self._sweepers: dict[str, tuple[Sweeper, asyncio.Task[None]]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._failures: dict[str, int] = {}
        self._noted: dict[str, tuple[str, ...]] = {}
        self._shared_out = asyncio.Event()
        self._blown: dict[str, frozenset[str]] = {}
        """By group, the fuses that hold it up."""
        self._closing = asyncio.Event()
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Nothing, after :meth:`close`. Raises only when the machinery itself is broken: then the process must end."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._resync_forever())
                tasks.create_task(self._dispatch(tasks))
                tasks.create_task(self._until_closed())
        except* _Closed:
            log.info("reconciler.closed")
        finally:
            self._tasks = None
            self._sweepers.clear()
            self._queue.shut()
            self._ended.set()

    def wake(self, uid: str) -> None:
        """Nothing; the group gets a pass at once. Must be called on the event loop."""
        self._queue.add(uid)

    def share_out(self) -> None:
        """Nothing; the lease is about other groups than before: they get a pass, and those that went are forgotten."""
        self._shared_out.set()

    async def freeze(self, freezes: Freezes) -> None:
        """
        Nothing; these freezes, read just now, are in force from here on, and no others.

        Every group looks again after a change; spread out, because most of them have nothing to do.
        """
        before = self._brakes.freezes
        if not self._brakes.tell(freezes):
            return
        if freezes != before:
            log.warning("freezes.changed", extra={"freezes": len(freezes)})
        uids = await self._ledger.group_uids()
        for position, uid in enumerate(uids):
            self._wake_later(uid, FREEZE_SPREAD_S * position / len(uids))

    def condemn(
        self,
        condemned: frozenset[Place],
        kept: frozenset[Place] = frozenset(),
        spared: frozenset[Place] = frozenset(),
    ) -> None:
        """
        Nothing; of machines that nothing in the ledger stands for, an operator has given up those *condemned*.

        Those *kept* take places in their groups at once, where there is room. Those *spared* are left alone until they
        are one or the other: this ledger never launched them.
        """
        if (condemned, kept, spared) != (self._condemned, self._kept, self._spared):
            self._condemned, self._kept, self._spared = condemned, kept, spared
            self._wake_all({uid for s, _ in self._sweepers.values() for uid in s.picture.by_group})

    def marks(self) -> list[Marked]:
        """Living machines with our mark, as they are seen now."""
        return [
            Marked(sweeper.account.cloud.name, uid, machine, sweeper.account.key)
            for sweeper, _ in self._sweepers.values()
            for uid, machines in sweeper.picture.by_group.items()
            for machine in machines
            if machine.state not in OVER
        ]

    @property
    def has_looked(self) -> bool:
        """True when every account there is has been seen, or has been found not to answer."""
        pictures = [sweeper.picture for sweeper, _ in self._sweepers.values()]
        return len(pictures) >= len(self._book.accounts()) and all(
            picture.swept_at is not None or picture.blind is not None for picture in pictures
        )

    def orphans(self) -> dict[str, list[Machine]]:
        """Machines of ours, by account key, whose group the ledger does not know: nobody takes care of them."""
        return self._orphans.by_account()

    def status(self) -> Status:
        """How things are just now, for those who watch."""
        now = self._clock()
        accounts: Counter[tuple[str, str]] = Counter()
        breakers: Counter[tuple[str, str]] = Counter()
        ages: dict[str, float] = {}
        for sweeper, _ in self._sweepers.values():
            name, picture = sweeper.account.cloud.name, sweeper.picture
            accounts[name, "blind" if picture.blind else "seen" if picture.swept_at else "new"] += 1
            breakers[name, self._turnstiles.of(sweeper.account).state] += 1
            if picture.swept_at is not None:
                ages[name] = max(ages.get(name, 0.0), (now - picture.swept_at).total_seconds())
        names = {key: sweeper.account.cloud.name for key, (sweeper, _) in self._sweepers.items()}
        orphans: Counter[str] = Counter()
        for key, machines in self.orphans().items():
            orphans[names.get(key, "")] += len(machines)
        fused = Counter(fuse for fuses in self._blown.values() for fuse in fuses)
        scopes = Counter(freeze.scope.value for freeze in self._brakes.freezes)
        return Status(len(self._queue), accounts, ages, breakers, scopes, fused, orphans)

    async def close(self) -> None:
        """Nothing, once :meth:`run` has ended: calls under way get a short grace. Clouds are left open."""
        self._queue.shut()
        self._closing.set()
        if self._tasks is not None:
            await self._ended.wait()

    async def _until_closed(self) -> None:
        await self._closing.wait()
        try:
            async with asyncio.timeout(CLOSE_GRACE_S):
                await self._queue.idle()
        except TimeoutError:
            log.warning("reconciler.cut_off", extra={"grace_s": CLOSE_GRACE_S})
        raise _Closed

    async def _resync_forever(self) -> None:
        """Queues every group: at once at the start, later spread out, so that a resync is no burst of load."""
        spread_s, failures = 0.0, 0
        while True:
            try:
                self._watch(self._book.accounts())
                uids = await self._ledger.group_uids()
            except Exception:  # without the ledger nothing is done, and nothing is lost: it is read again
                failures += 1
                log.exception("resync.failed")
                await asyncio.sleep(self._pause_s(failures))
                continue
            failures = 0
            mine = [uid for uid in uids if self._lease.owns(uid)]
            for position, uid in enumerate(mine):
                self._wake_later(uid, spread_s * position / len(mine))
            for uid in set(uids).difference(mine):
                self._forget(uid)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._resync_s):
                    await self._shared_out.wait()
            spread_s = 0.0 if self._shared_out.is_set() else self._resync_s / 2
            self._shared_out.clear()

    def _wake_later(self, uid: str, delay_s: float) -> None:
        if delay_s > 0:
            self._queue.add_later(uid, delay_s)
        else:
            self._queue.add(uid)

    async def _dispatch(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            await self._free.acquire()
            uid = await self._queue.take()
            tasks.create_task(self._work(uid))

    async def _work(self, uid: str) -> None:
        try:
            await self._pass(uid)
            self._failures.pop(uid, None)
            self.tally.passes[PassOutcome.DONE] += 1
        except rails.RailBreach:
            self.tally.passes[PassOutcome.BREACH] += 1
            log.exception("rails.breach", extra={"group_uid": uid})
            self._later_after_failure(uid)
        except Exception as error:  # one bad group never stops another; whoever repairs it needs the whole chain
            if _is_handed_over(error):
                log.info("pass.handed_over", extra={"group_uid": uid})
                self._forget(uid)
                return
            self.tally.passes[PassOutcome.FAILED] += 1
            log.exception("pass.failed", extra={"group_uid": uid})
            self._later_after_failure(uid)
        finally:
            self._queue.done(uid)
            self._free.release()

    async def _pass(self, uid: str) -> None:
        if not self._lease.owns(uid):
            self._forget(uid)
            return
        if not self._lease.may_act(uid):
            # Nothing could be done now. Once the lease is renewed, or lost, this is worth another look.
            self._queue.add_later(uid, LEASE_RETRY_S)
            return
        record = await self._ledger.read(uid)
        if record is None:
            self._forget(uid)
            await self._reap_leftovers(uid)
            return
        group_name.set(record.group.name)
        self._orphans.forget(uid)
        now = self._clock()
        steered = await self._steer(record, now)
        record = steered.record
        if record is None:
            self._queue.add(uid)
            return
        accounts = self._accounts_of(record)
        view = self._view(record, accounts, now)
        plan = planner.plan(view, now)
        rails.check(view, plan)
        for name, given_up in plan.given_up.items():
            self._sweeper(accounts[name]).casualties.note(uid, given_up, now)
        self._wait_for_breakers(view, plan, accounts)
        try:
            outcome = await self._executor.carry_out(view, plan, accounts)
        finally:
            self._wake_all(self._turnstiles.ended(uid))
        if outcome.removed:
            self._forget(uid)
            return
        self._note_fuses(uid, plan)
        waiting_on = plan.waiting_on + steered.waiting_on + prospect.sentences(view, now)
        if self._noted.get(uid) != waiting_on:
            await self._ledger.note_waiting(uid, waiting_on, now)
            self._noted[uid] = waiting_on
        for name in sorted(plan.look_at | outcome.look_at):
            if name in accounts:
                self._sweeper(accounts[name]).ask(uid, plan.inquiries.get(name, ()))
        self._requeue(uid, plan, outcome, steered.again_at)

    async def _steer(self, record: GroupRecord, now: datetime) -> Steered:
        """The group after its engine was heard, in which nothing is to come."""
        bounded = self._stamps.bounded(record, now)
        steered = await self._scaler.steer(bounded, now)
        if steered.record is None or steered.record is bounded:
            return steered
        return replace(steered, record=self._stamps.bounded(steered.record, now))

    async def _reap_leftovers(self, uid: str) -> None:
        """Nothing; machines of a group that nobody knows are noted, and terminated where that is allowed."""
        self._orphans.note(uid, {key: s.picture.by_group.get(uid, ()) for key, (s, _) in self._sweepers.items()})
        left = [(key, s) for key, (s, _) in self._sweepers.items() if s.picture.by_group.get(uid)]
        removed_at = await self._ledger.removed_at(uid) if left else None
        for key, sweeper in left:
            picture, machines = sweeper.picture, sweeper.picture.by_group.get(uid, ())
            if picture.blind is not None or picture.swept_at is None:
                continue
            ids = [machine.machine_id for machine in machines]
            first_seen = self._orphans.first_seen(uid, key, ids, picture.swept_at)
            now, condemned = self._clock(), _on(sweeper.account.cloud.name, self._condemned)
            spared = _on(sweeper.account.cloud.name, self._spared - self._condemned)
            machines = tuple(machine for machine in machines if machine.machine_id not in spared)
            doomed = leftovers.reapable(machines, first_seen, picture.swept_at, removed_at, condemned, now)
            if doomed and self._reaps_leftovers:
                await self._executor.reap_leftovers(uid, sweeper.account, doomed, Outcome())
            elif doomed:
                log.warning("machine.would_be_reaped", extra={"account": key, "group_uid": uid, "machine_ids": doomed})
        if self._orphans.has(uid):
            self._queue.add_later(uid, leftovers.LOOK_AGAIN_S)

    def _note_fuses(self, uid: str, plan: Plan) -> None:
        before = self._blown.get(uid, frozenset())
        if plan.blown:
            self._blown[uid] = plan.blown
        else:
            self._blown.pop(uid, None)
        for fuse in sorted(plan.blown - before):
            log.warning("fuse.blown", extra={"group_uid": uid, "fuse": fuse, "waiting_on": plan.waiting_on})
        for fuse in sorted(before - plan.blown):
            log.warning("fuse.mended", extra={"group_uid": uid, "fuse": fuse})

    def _requeue(self, uid: str, plan: Plan, outcome: Outcome, again_at: datetime | None) -> None:
        if outcome.again or (outcome.changed and plan.waiting_on):
            self._queue.add(uid)
        again_s = None if again_at is None else max(0.0, (again_at - self._clock()).total_seconds())
        for delay_s in (plan.recheck_s, outcome.retry_s, again_s):
            if delay_s is not None:
                self._queue.add_later(uid, delay_s)

    def _accounts_of(self, record: GroupRecord) -> dict[str, Account]:
        names = {ranked.name for ranked in record.group.clouds} | {instance.cloud for instance in record.instances}
        found = {name: self._book.account(record.group.user_id, name) for name in sorted(names)}
        return {name: account for name, account in found.items() if account is not None}

    def _view(self, record: GroupRecord, accounts: Mapping[str, Account], now: datetime) -> GroupView:
        uid = record.group.uid
        if record.group.suspends(Process.LAUNCH):
            # Whoever resumes it wants an attempt at once, whatever the failures before.
            self._backoff.forget(uid)
        recorded: dict[str, int] = dict.fromkeys(accounts, 0)
        for instance in record.instances:
            recorded[instance.cloud] = recorded.get(instance.cloud, 0) + 1
        for account in accounts.values():
            self._turnstiles.of(account).census.show(self._sweeper(account).picture.living)
        self._turnstiles.note(uid, {account.key: recorded[name] for name, account in accounts.items()})
        return GroupView(record, {name: self._seen(record, name, account, now) for name, account in accounts.items()})

    def _wait_for_breakers(self, view: GroupView, plan: Plan, accounts: Mapping[str, Account]) -> None:
        """Nothing; a group that something is missing to is told as soon as a breaker's test is over."""
        for name, account in accounts.items():
            turnstile = self._turnstiles.of(account)
            if plan.waiting_on and (view.accounts[name].breaker is not None or turnstile.state == "warming"):
                turnstile.waiting.add(view.group.uid)

    def _seen(self, record: GroupRecord, name: str, account: Account, now: datetime) -> AccountView:
        group, sweeper = record.group, self._sweeper(account)
        picture = sweeper.picture
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
            limits=turnstile.limits(now),
            calls_cut_at=self._launcher.calls_cut_at(group.uid, name),
            absences={machine_id: sweeper.absences.of(machine_id) for machine_id in lacking},
            living=picture.living_count,
            missing=len(sweeper.absences),
            lost=len(lost) + sweeper.casualties.count(now, lost),
            given_up=sweeper.casualties.of(group.uid, now),
            watched_since=sweeper.watched_since,
            condemned=_on(name, self._condemned),
            kept=_on(name, self._kept),
            spared=_on(name, self._spared - self._condemned - self._kept),
            frozen=self._frozen(group.uid, group.user_id, name, now),
        )

    def _frozen(self, uid: str, user_id: int, cloud: str, now: datetime) -> Hold | None:
        frozen = self._brakes.hold(uid, user_id, cloud)
        return None if frozen is None else Hold(now + timedelta(seconds=FROZEN_AGAIN_S), frozen)

    def _watch(self, accounts: Iterable[Account]) -> None:
        """Sweepers for these accounts and no others."""
        wanted = {account.key: account for account in accounts}
        for key in [key for key in self._sweepers if key not in wanted]:
            self._sweepers.pop(key)[1].cancel()
        for account in wanted.values():
            self._sweeper(account)

    def _sweeper(self, account: Account) -> Sweeper:
        known = self._sweepers.get(account.key)
        if known is not None and known[0].account.cloud is account.cloud:
            return known[0]
        if known is not None:
            known[1].cancel()
        assert self._tasks is not None, "a pass runs only inside run()"
        sweeper = Sweeper(account, self._gateway_id, self._wake_all, self._clock, self._random, self._sweep_interval_s)
        self._sweepers[account.key] = (sweeper, self._tasks.create_task(sweeper.run()))
        return sweeper

    def _wake_all(self, uids: Iterable[str]) -> None:
        for uid in uids:
            self._queue.add(uid)

    def _later_after_failure(self, uid: str) -> None:
        self._failures[uid] = self._failures.get(uid, 0) + 1
        self._queue.add_later(uid, self._pause_s(self._failures[uid]))

    def _pause_s(self, failures: int) -> float:
        pause_s = min(PASS_RETRY_S_MAX, PASS_RETRY_S_MIN * 2.0 ** min(failures - 1, 16))
        return pause_s * self._random.uniform(0.8, 1.0)

    def _forget(self, uid: str) -> None:
        self._failures.pop(uid, None)
        self._noted.pop(uid, None)
        self._blown.pop(uid, None)
        self._stamps.forget(uid)
        self._backoff.forget(uid)
        self._executor.forget(uid)
        self._launcher.forget(uid)
        self._turnstiles.forget(uid)


def _is_handed_over(error: BaseException) -> bool:
    """True when *error* says no more than that the group is another gateway's now."""
    if isinstance(error, BaseExceptionGroup):
        return all(_is_handed_over(each) for each in error.exceptions)
    return isinstance(error, LeaseLost)


def _on(cloud: str, places: frozenset[Place]) -> frozenset[str]:
    return frozenset(machine_id for name, machine_id in places if name == cloud) if places else frozenset()
