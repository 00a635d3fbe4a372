"""
Looks at one account again and again, and keeps the latest picture of it that can be believed.

Owns: when to look, what to believe, whom to tell. Does not own: what a change means for a group.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from backends.cloud import OVER, Inquiry, Machine, MachineState, Sweep
from backends.errors import CloudError, Throttled
from reconciler.absences import Absences
from reconciler.accounts import Account
from reconciler.casualties import Casualties
from reconciler.stamps import Births

log = logging.getLogger(__name__)

SWEEP_DEADLINE_S = 60.0
"""One look at an account. Longer: deaths are noticed later. Shorter: big accounts on slow clouds are never seen."""

SWEEP_GAP_S = 0.2
"""Least pause between two sweeps, however many ask. Lower: a busy group makes us hammer its cloud."""

SWEEP_RETRY_S_MAX = 30.0
"""Longest pause after failed sweeps. Higher: a cloud that is back stays unseen longer. Lower: more vain calls."""

CONFIRM_S = 2.0
"""Pause before a suspicious empty answer is checked. Shorter: the same hiccup is seen twice. Longer: blind longer."""

INQUIRIES_MAX = 500
"""Machines asked for by id after one sweep; more wait for the next. Higher: a sweep of a lost account takes longer."""

LISTEN_RETRY_S = 5.0
"""Pause after a cloud failed to announce changes; sweeps go on meanwhile, so nothing is missed, only later."""

STALL_S = 60.0
"""
A sweep that begins so much later than it should: this process was stopped, or had no time at all. What it measured over
that gap says nothing about machines. Longer: a freeze is taken for silence of clouds. Shorter: a busy machine is.
"""

_IMPAIRED = (MachineState.STOPPING, MachineState.STOPPED, MachineState.ERROR)


@dataclass(frozen=True, slots=True)
class Picture:
    """
    What is believed of an account. *swept_at* is the start of the sweep it comes from; None before the first.

    *unmarked* machines are ours by other evidence; they belong to the group whose ledger knows their id.
    """

    swept_at: datetime | None = None
    blind: str | None = None
    by_group: Mapping[str, tuple[Machine, ...]] = field(default_factory=dict)
    unmarked: tuple[Machine, ...] = ()
    living: Mapping[str, int] = field(default_factory=dict)
    """Machines by group that are not on their way out; the unmarked under the empty name."""
    living_count: int = 0
    """Of all groups."""
    impaired: frozenset[str] = frozenset()
    """Ids of machines that are there and do not run."""

    def machines(self, uid: str, bound: Collection[str]) -> tuple[Machine, ...]:
        """The machines of one group; *bound* are the machine ids that its ledger knows."""
        return self.by_group.get(uid, ()) + tuple(m for m in self.unmarked if m.machine_id in bound)

    @property
    def has_living(self) -> bool:
        """True when it shows any machine that is not on its way out."""
        return bool(self.living)


class Sweeper:
    """Sweeps one account, never twice at a time. *tell* gets the uids of groups whose picture changed."""

    def __init__(
        self,
        account: Account,
        gateway_id: str,
        tell: Callable[[Collection[str]], None],
        clock: Callable[[], datetime],
        random: Random,
        interval_s: float,
    ) -> None:
        self.account = account
        self.picture = Picture()
        self.absences = Absences()
        self.casualties = Casualties()
        self.watched_since: datetime | None = None
        """From then on it was looked at without a break of ours; None: it never was."""
        self._gateway_id = gateway_id
        self._tell = tell
        self._clock = clock
        self._random = random
        self._interval_s = interval_s
        self._asking: set[str] = set()
        self._wanted: set[str] = set()
        self._unlisted: set[str] = set()
        """Machines that sweeps lack and inquiries show: they are asked for after every sweep, until it shows them."""
        self._bell = asyncio.Event()
        self._looked = asyncio.Event()
        self._failures = 0
        self._empty_once = False
        self._births = Births()
        self._due: datetime | None = None

    @property
    def lost(self) -> Collection[str]:
        """Ids of machines, of all groups, that do not run or were asked for in vain."""
        missing = self.absences.missing
        return self.picture.impaired | missing if missing else self.picture.impaired

    def kick(self) -> None:
        """Nothing; the next sweep begins as soon as it may. A blind account keeps to its pace: kicks do not heal."""
        self._bell.set()

    def ask(self, uid: str, machine_ids: Collection[str] = ()) -> None:
        """
        Nothing; the group *uid* is told of the next sweep that begins from now on, whatever it shows.

        Should it lack some of *machine_ids*, the cloud is asked for them by id.
        """
        self._asking.add(uid)
        self._wanted.update(machine_ids)
        self.kick()

    async def run(self) -> None:
        """Never returns; sweeps until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sweep_forever())
            if self.account.traits.announces_changes:
                tasks.create_task(self._listen())

    async def _sweep_forever(self) -> None:
        while True:
            self._bell.clear()
            asked, self._asking = self._asking, set()
            self._notice_stall()
            pause_s = await self._sweep_once(asked)
            self._due = self._clock() + timedelta(seconds=pause_s)
            self._looked.set()
            if self.picture.blind is not None:
                await asyncio.sleep(pause_s)
                continue
            await asyncio.sleep(SWEEP_GAP_S)
            timer = asyncio.get_running_loop().call_later(max(0.0, pause_s - SWEEP_GAP_S), self._bell.set)
            try:
                await self._bell.wait()
            finally:
                timer.cancel()

    async def _listen(self) -> None:
        while True:
            try:
                await self.account.cloud.wait_for_change()
            except Exception as error:  # noqa: BLE001 - whatever an adapter raises, the sweeps at intervals remain
                log.warning("sweep.deaf", extra={"account": self.account.key, "reason": repr(error)})
                await asyncio.sleep(LISTEN_RETRY_S)
            else:
                self._looked.clear()
                self.kick()
                # Until a sweep has looked, a cloud may announce the same change over and over, without ever waiting.
                await self._looked.wait()

    def _notice_stall(self) -> None:
        """Nothing; after a gap that is ours, all that is measured over time begins anew."""
        now = self._clock()
        if self._due is not None and now <= self._due + timedelta(seconds=STALL_S):
            return
        if self._due is not None:
            log.warning("sweep.stalled", extra={"account": self.account.key, "since": self._due.isoformat()})
        self.watched_since = now
        self.absences = Absences()

    async def _sweep_once(self, asked: set[str]) -> float:
        """Seconds until the next sweep is due."""
        try:
            async with asyncio.timeout(SWEEP_DEADLINE_S):
                sweep = await self.account.cloud.sweep()
        except Throttled as error:
            return self._lose_sight(str(error), asked, error.retry_after_s)
        except TimeoutError:
            return self._lose_sight(f"no answer within {SWEEP_DEADLINE_S:g} s", asked)
        except CloudError as error:
            return self._lose_sight(str(error) or type(error).__name__, asked)
        except Exception as error:  # one broken adapter must not end the watch over the other accounts
            log.exception("sweep.broken", extra={"account": self.account.key})
            return self._lose_sight(f"its adapter failed: {type(error).__name__}", asked)
        if not sweep.complete:
            return self._lose_sight("its answer was incomplete", asked)
        if not sweep.machines and self.picture.has_living and not self._empty_once and not self._unlisted:
            # Clouds answer an empty list when they lose their database or their mind; all dead at once is rarer.
            self._lose_sight("it shows no machine where it had some; looking again", asked)
            self._empty_once = True
            return CONFIRM_S
        self._believe(await self._completed(sweep), asked)
        return self._interval_s

    async def _completed(self, sweep: Sweep) -> Sweep:
        """*sweep* with the machines that it lacks and that the cloud shows when it is asked for them by id."""
        before, shown = self.picture, {machine.machine_id for machine in sweep.machines}
        wanted = sorted((self._wanted | self._unlisted) - shown)[:INQUIRIES_MAX]
        self._wanted = set()
        at = self._clock()
        inquiry = await self._inquire(wanted) if wanted else Inquiry()
        found = () if inquiry is None else tuple(m for m in inquiry.machines if m.machine_id in wanted)
        self._unlisted = {machine.machine_id for machine in found if machine.state not in OVER}
        shown |= {machine.machine_id for machine in found}
        was_seen = before.blind is None or before.swept_at is None
        out_of_sight = timedelta() if was_seen else sweep.started_at - (before.swept_at or sweep.started_at)
        self.absences.swept(shown, sweep.started_at, out_of_sight)
        absent = [machine_id for machine_id in wanted if machine_id not in shown]
        if inquiry is None:
            self.absences.failed(absent, at)
        else:
            self.absences.answered(absent, inquiry.denied, at)
        return replace(sweep, machines=sweep.machines + found) if found else sweep

    async def _inquire(self, machine_ids: Collection[str]) -> Inquiry | None:
        """The cloud's answer, or None when there was none: that says nothing, and blinds nobody."""
        extra = {"account": self.account.key}
        try:
            async with asyncio.timeout(SWEEP_DEADLINE_S):
                return await self.account.cloud.inquire(list(machine_ids))
        except (CloudError, TimeoutError) as error:
            log.warning("sweep.not_answered", extra=extra | {"reason": str(error) or type(error).__name__})
        except Exception:  # one broken adapter must not end the watch over the other accounts
            log.exception("sweep.broken", extra=extra)
        return None

    def _believe(self, sweep: Sweep, asked: set[str]) -> None:
        before = self.picture
        by_group: dict[str, list[Machine]] = defaultdict(list)
        unmarked: list[Machine] = []
        shown = self._births.bounded(sweep.machines, sweep.started_at)
        for machine in shown:
            if machine.mark is None:
                unmarked.append(machine)
            elif machine.mark.gateway_id == self._gateway_id:
                by_group[machine.mark.group_uid].append(machine)
        groups = {uid: tuple(machines) for uid, machines in by_group.items()}
        counts = {uid: sum(m.state not in OVER for m in found) for uid, found in (*groups.items(), ("", unmarked))}
        living = {uid: count for uid, count in counts.items() if count}
        impaired = frozenset(
            m.machine_id for found in (*groups.values(), unmarked) for m in found if m.state in _IMPAIRED
        )
        self.picture = Picture(sweep.started_at, None, groups, tuple(unmarked), living, sum(living.values()), impaired)
        self._failures, self._empty_once = 0, False
        concerned = asked | {
            uid for uid in groups.keys() | before.by_group.keys() if groups.get(uid) != before.by_group.get(uid)
        }
        if before.blind is not None or before.swept_at is None:
            log.info("sweep.sighted", extra={"account": self.account.key, "machines": len(sweep.machines)})
            concerned |= groups.keys() | before.by_group.keys() | self._asking
        if before.unmarked != self.picture.unmarked:
            concerned |= groups.keys()
        if concerned:
            self._tell(concerned)

    def _lose_sight(self, why: str, asked: set[str], at_least_s: float = 0.0) -> float:
        """Seconds until the next attempt; the machines last seen stay in the picture, as what they were."""
        self._failures += 1
        self._empty_once = False
        was_blind = self.picture.blind is not None
        self.picture = replace(self.picture, blind=why)
        if was_blind:
            self._asking |= asked
        else:
            log.warning("sweep.blind", extra={"account": self.account.key, "reason": why})
            self._tell(asked | self._asking | self.picture.by_group.keys())
        pause_s = min(SWEEP_RETRY_S_MAX, self._interval_s * 2.0 ** min(self._failures - 1, 16))
        return max(at_least_s, SWEEP_GAP_S, pause_s * self._random.uniform(0.8, 1.0))
