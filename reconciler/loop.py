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
from datetime import datetime
from random import Random

from backends.cloud import Machine
from reconciler import planner, prospect, rails
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
from reconciler.model import GroupRecord, GroupView
from reconciler.orphans import Marked
from reconciler.outcome import Outcome
from reconciler.queue import WorkQueue
from reconciler.reaper import Reaper
from reconciler.scaling import Scaler, Steered
from reconciler.sensors import NoSensors, Sensors
from reconciler.stamps import Stamps
from reconciler.tally import PassOutcome, Status, Tally
from reconciler.turnstile import Turnstiles
from reconciler.verdicts import Verdicts
from reconciler.views import Views
from reconciler.watch import Watch

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

CLOSE_GRACE_S = 5.0
"""Passes under way may end this long after close(); what is cut off then is settled from its claims at next start."""


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
        self._clock = clock
        self._random = random
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
        self._watch = Watch(gateway_id, self._wake_all, clock, random, sweep_interval_s)
        self._views = Views(accounts, self._watch, self._turnstiles, self._launcher, self._backoff, self._brakes)
        self._reaper = Reaper(ledger, self._watch, self._executor, clock, is_armed=reaps_leftovers)
        self._free = asyncio.Semaphore(workers)
        self._is_running = False
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
                self._is_running = True
                self._watch.begin(tasks)
                tasks.create_task(self._resync_forever())
                tasks.create_task(self._dispatch(tasks))
                tasks.create_task(self._until_closed())
        except* _Closed:
            log.info("reconciler.closed")
        finally:
            self._is_running = False
            self._watch.end()
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

    def judge(self, verdicts: Verdicts) -> None:
        """Nothing; this is what has been said by now of machines that nothing in the ledger stands for."""
        if verdicts != self._views.verdicts:
            self._views.verdicts = verdicts
            self._wake_all(self._watch.uids())

    def marks(self) -> list[Marked]:
        """Living machines with our mark, as they are seen now."""
        return self._watch.marks()

    @property
    def has_looked(self) -> bool:
        """True when every account there is has been seen, or has been found not to answer."""
        return self._watch.has_looked(len(self._book.accounts()))

    def orphans(self) -> dict[str, list[Machine]]:
        """Machines of ours, by account key, whose group the ledger does not know: nobody takes care of them."""
        return self._reaper.orphans.by_account()

    def status(self) -> Status:
        """How things are just now, for those who watch."""
        breakers = Counter((s.account.cloud.name, self._turnstiles.of(s.account).state) for s in self._watch)
        names = {sweeper.account.key: sweeper.account.cloud.name for sweeper in self._watch}
        orphans: Counter[str] = Counter()
        for key, machines in self.orphans().items():
            orphans[names.get(key, "")] += len(machines)
        fused = Counter(fuse for fuses in self._blown.values() for fuse in fuses)
        scopes = Counter(freeze.scope.value for freeze in self._brakes.freezes)
        return Status(len(self._queue), self._watch.states(), self._watch.ages_s(), breakers, scopes, fused, orphans)

    async def close(self) -> None:
        """Nothing, once :meth:`run` has ended: calls under way get a short grace. Clouds are left open."""
        self._queue.shut()
        self._closing.set()
        if self._is_running:
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
                self._watch.over(self._book.accounts())
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
            await self._look_after(uid)
            return
        group_name.set(record.group.name)
        self._reaper.orphans.forget(uid)
        now = self._clock()
        steered = await self._steer(record, now)
        record = steered.record
        if record is None:
            self._queue.add(uid)
            return
        accounts = self._views.accounts_of(record)
        view = self._views.of(record, accounts, now)
        plan = planner.plan(view, now)
        rails.check(view, plan)
        for name, given_up in plan.given_up.items():
            self._watch.of(accounts[name]).casualties.note(uid, given_up, now)
        self._wait_for_breakers(view, plan, accounts)
        try:
            outcome = await self._executor.carry_out(view, plan, accounts)
        finally:
            self._wake_all(self._turnstiles.ended(uid))
        if outcome.removed:
            self._forget(uid)
            return
        self._line_up(view, plan, accounts)
        self._note_fuses(uid, plan)
        waiting_on = plan.waiting_on + steered.waiting_on + prospect.sentences(view, now)
        if self._noted.get(uid) != waiting_on:
            await self._ledger.note_waiting(uid, waiting_on, now)
            self._noted[uid] = waiting_on
        for name in sorted(plan.look_at | outcome.look_at):
            if name in accounts:
                self._watch.of(accounts[name]).ask(uid, plan.inquiries.get(name, ()))
        self._requeue(uid, plan, outcome, steered.again_at)

    async def _look_after(self, uid: str) -> None:
        """Nothing; what is left of a group that nobody knows is looked at, and looked at again."""
        self._forget(uid)
        again_s = await self._reaper.look(uid, self._views.verdicts)
        if again_s is not None:
            self._queue.add_later(uid, again_s)

    async def _steer(self, record: GroupRecord, now: datetime) -> Steered:
        """The group after its engine was heard, in which nothing is to come."""
        bounded = self._stamps.bounded(record, now)
        steered = await self._scaler.steer(bounded, now)
        if steered.record is None or steered.record is bounded:
            return steered
        return replace(steered, record=self._stamps.bounded(steered.record, now))

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

    def _wait_for_breakers(self, view: GroupView, plan: Plan, accounts: Mapping[str, Account]) -> None:
        """Nothing; a group that something is missing to is told as soon as a breaker's test is over."""
        for name, account in accounts.items():
            turnstile = self._turnstiles.of(account)
            if plan.waiting_on and (view.accounts[name].breaker is not None or turnstile.state == "warming"):
                turnstile.waiting.add(view.group.uid)

    def _line_up(self, view: GroupView, plan: Plan, accounts: Mapping[str, Account]) -> None:
        """Nothing; a group that waits for the rate of an account has a place in the line there, and nowhere else."""
        waits_at = [
            account.key
            for name, account in accounts.items()
            for limit in view.accounts[name].limits
            if limit.again_at is not None and limit.reason in plan.waiting_on
        ]
        self._turnstiles.line_up(view.group.uid, waits_at)

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
