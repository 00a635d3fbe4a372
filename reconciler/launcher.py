"""
Launches: what is claimed, what is called, and what each answer of a cloud means for the claims behind the call.

Owns: every call of ``launch``, and the memory of those that were cut off. Does not own: any choice of what to launch;
it launches less than planned where others came first.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from backends.cloud import LaunchSpec, Machine, MachineState, Mark
from backends.errors import CloudError, NoCapacity, Refused, Throttled, Unreachable
from reconciler import actions, causes, identity, placement, settlement
from reconciler.accounts import Account
from reconciler.backoff import Backoff
from reconciler.brakes import Brakes
from reconciler.lease import Lease
from reconciler.ledger import Ledger
from reconciler.model import Crash, Group, GroupRecord, GroupView, Hold, Instance, Process
from reconciler.outcome import CALL_RETRY_S, Outcome
from reconciler.sites import Sites
from reconciler.tally import Tally
from reconciler.turnstile import Turnstiles
from reconciler.unheard import Unheard

log = logging.getLogger(__name__)

LAUNCH_DEADLINE_S = 120.0
"""One launch call. Shorter: slow clouds leave claims undecided. Longer: a hung call holds its group up longer."""

LAUNCH_CALLS_AT_ONCE = 4
"""Per launch action. Higher: a full cloud refuses more calls before we notice. Lower: single launches queue up."""

SUSPEND_AFTER = timedelta(hours=24)
SUSPEND_ATTEMPTS_MIN = 15
"""AWS's figures: a group that launched nothing for so long, in so many attempts, needs a person."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """One launch call: the claims behind one token."""

    view: GroupView
    accounts: Mapping[str, Account]
    cloud: str
    spec: LaunchSpec
    claims: tuple[Instance, ...]
    repeated: bool

    @property
    def place(self) -> str | None:
        """The zone or subnet that the call names."""
        return self.claims[0].place

    @property
    def account(self) -> Account:
        return self.accounts[self.cloud]

    @property
    def uid(self) -> str:
        return self.view.group.uid

    @property
    def token(self) -> str:
        return self.claims[0].token

    @property
    def intent(self) -> Hashable:
        return _intent(self.view.record, self.cloud)


def _intent(record: GroupRecord, cloud: str) -> Hashable:
    """What a refusal was about; when it changes, the refusal says nothing any more."""
    source = record.sources.get(cloud)
    return (record.group.generation, None if source is None else source.spec)


class Launcher:
    """The launches of all groups of one gateway."""

    def __init__(
        self,
        ledger: Ledger,
        backoff: Backoff,
        turnstiles: Turnstiles,
        brakes: Brakes,
        tally: Tally,
        clock: Callable[[], datetime],
        new_token: Callable[[str], str],
        gateway_id: str,
        lease: Lease,
    ) -> None:
        self._ledger = ledger
        self._lease = lease
        self._backoff = backoff
        self._turnstiles = turnstiles
        self._brakes = brakes
        self._tally = tally
        self._clock = clock
        self._new_token = new_token
        self._gateway_id = gateway_id
        self.unheard = Unheard(clock, lease)
        self._sites = Sites(backoff)
        # Groups whose failures the ledger has counted since their view was made.
        self._failing: set[str] = set()

    def hold(self, record: GroupRecord, cloud: str, account: Account, now: datetime) -> Hold | None:
        """The pause of this group's launches on *cloud* that is in force at *now*, or None."""
        whole = self._backoff.hold(record.group.uid, account.key, now, _intent(record, cloud))
        return whole or self._sites.hold(record.group, account, now)

    def forget(self, uid: str) -> None:
        """Nothing; the group does not exist any more."""
        self.unheard.forget(uid)
        self._failing.discard(uid)
        self._sites.forget(uid)

    async def launch(
        self, view: GroupView, action: actions.Launch, accounts: Mapping[str, Account], outcome: Outcome
    ) -> None:
        """Nothing; claims for as many machines as the account's budgets leave are written, and launched."""
        account = accounts[action.cloud]
        await self._sites.look(view.group, account)
        turnstile, uid, now = self._turnstiles.of(account), view.group.uid, self._clock()
        granted = turnstile.take(uid, action.count, now)
        # What others have taken since the plan was made is planned again at once: it may find a place elsewhere.
        outcome.again |= granted < action.count
        if not granted:
            return
        claims: list[Instance] = []
        try:
            claims = await self._claim(view, action, granted, account)
        finally:
            if len(claims) < granted:
                turnstile.give_back(uid, granted - len(claims), self._clock())
        if not claims:
            outcome.retry(CALL_RETRY_S)
            return
        outcome.changed = True
        spec = view.record.sources[action.cloud].spec
        by_token: dict[str, list[Instance]] = defaultdict(list)
        for claim in claims:
            by_token[claim.token].append(claim)
        gate = asyncio.Semaphore(LAUNCH_CALLS_AT_ONCE)
        try:
            async with asyncio.TaskGroup() as calls:
                for batch in by_token.values():
                    here = spec.at(batch[0].place)
                    job = _Batch(view, accounts, action.cloud, here, tuple(batch), repeated=False)
                    calls.create_task(self._launch_gated(job, gate, outcome))
        finally:
            turnstile.landed(uid, len(claims))

    async def resend(
        self, view: GroupView, action: actions.Resend, accounts: Mapping[str, Account], outcome: Outcome
    ) -> None:
        """Nothing; a launch of unknown outcome is repeated with its own token."""
        outcome.again = True
        account = accounts[action.cloud]
        if not self._turnstiles.of(account).repeats(view.group.uid, self._clock()):
            return
        wanted = set(action.instance_keys)
        claims = tuple(sorted((i for i in view.instances if i.key in wanted), key=lambda claim: claim.index))
        spec = view.record.sources[action.cloud].spec.at(claims[0].place)
        batch = _Batch(view, accounts, action.cloud, spec, claims, repeated=True)
        machines = await self._call(batch, outcome)
        if machines is not None:
            await self._recorded(batch, machines)

    async def bind(self, view: GroupView, claim: Instance, machine: Machine, account: Account) -> bool:
        """True when the claim became the instance of *machine*; see the ledger."""
        instance_id = identity.instance_id(account.key, machine.machine_id)
        bound = await self._ledger.bind(claim.key, machine, instance_id, self._clock())
        if bound:
            await self._note_launched(view.group)
        return bound

    async def note_crash(self, uid: str, cloud: str, crash: Crash | None) -> None:
        """Nothing; it is remembered, and a group whose machines die young for too long launches no more."""
        now = self._clock()
        await self._ledger.note_crash(uid, cloud, crash, now)
        if crash is not None and crash.times >= SUSPEND_ATTEMPTS_MIN and now - crash.since >= SUSPEND_AFTER:
            why = causes.crashes_suspended(crash.since, crash.times)
            await self._ledger.suspend(uid, Process.LAUNCH, why, now)
            log.warning("group.suspended", extra={"group_uid": uid, "reason": why})

    async def _claim(self, view: GroupView, action: actions.Launch, count: int, account: Account) -> list[Instance]:
        group, now = view.group, self._clock()
        size = max(1, account.traits.launch_batch_max)
        replacing = min(action.replacing, count)
        claims: list[Instance] = []
        for place, share in self._sites.shares(view, action.cloud, account, count, now).items():
            tokens: list[tuple[str, int]] = []
            for start in range(0, share, size):
                token = self._new_token(group.uid)
                tokens += [(token, index) for index in range(min(size, share - start))]
            repaid = min(replacing, share)
            replacing -= repaid
            claims += await self._ledger.claim(
                group.uid, group.generation, action.cloud, tokens, [action.because] * share, repaid, now, place
            )
        return claims

    async def _launch_gated(self, batch: _Batch, gate: asyncio.Semaphore, outcome: Outcome) -> None:
        async with gate:
            now, account = self._clock(), batch.account
            held = self.hold(batch.view.record, batch.cloud, account, now)
            held = held or self._turnstiles.of(account).hold(batch.uid, now)
            held = held or self._sites.place_hold(batch.uid, account, batch.place, now)
            machines = await self._call(batch, outcome) if held is None else None
        # The next call need not wait until all that this one brought is written down.
        if machines is not None:
            outcome.again |= not await self._recorded(batch, machines)
        elif held is not None:
            outcome.again = True
            await self._give_up(batch, batch.claims, held.reason)

    async def _call(self, batch: _Batch, outcome: Outcome) -> list[Machine] | None:
        """What came up; None when that failed, and is settled already."""
        frozen = self._brakes.hold(batch.uid, batch.view.group.user_id, batch.cloud)
        if frozen is not None:  # since the plan was made
            outcome.retry(CALL_RETRY_S)
            if not batch.repeated:
                outcome.again = True
                await self._give_up(batch, batch.claims, frozen)
            return None
        if not self._lease.may_act(batch.uid):
            log.warning("lease.lost", extra={"group_uid": batch.uid, "token": batch.token})
            return None  # the claims are whoever's the group is now, and so is their launch
        mark = Mark(self._gateway_id, batch.uid, batch.token)
        try:
            async with asyncio.timeout(LAUNCH_DEADLINE_S):
                return await batch.account.cloud.launch(batch.spec, len(batch.claims), batch.token, mark)
        except (NoCapacity, Refused, Throttled, Unreachable) as error:
            await self._nothing_happened(batch, error)
        except (CloudError, TimeoutError) as error:
            reason = str(error) or f"no answer within {LAUNCH_DEADLINE_S:g} s"
            self.unheard.cut_off(batch.uid, batch.cloud, batch.account.traits)
            await self._failed(batch, reason)
            outcome.look_at.add(batch.cloud)
        except BaseException:
            # Nothing is awaited here: this task may be ending because the process is.
            self.unheard.cut_off(batch.uid, batch.cloud, batch.account.traits)
            self._hold(batch, "the call was cut off")
            raise
        outcome.again = True
        return None

    async def _recorded(self, batch: _Batch, machines: Sequence[Machine]) -> bool:
        """As :meth:`_came_up`; when the ledger fails, the launch is remembered as one of unknown outcome."""
        try:
            return await self._came_up(batch, machines)
        except BaseException:
            # The call may have taken long: sweeps that began before its effect prove nothing about its claims.
            self.unheard.not_recorded(batch.uid, batch.cloud)
            raise

    async def _came_up(self, batch: _Batch, machines: Sequence[Machine]) -> bool:
        """True when every claim is an instance in service: nothing of this call is left to look after."""
        now = self._clock()
        pairs = settlement.match(batch.claims, machines)
        async with asyncio.TaskGroup() as binding:
            bound = [
                binding.create_task(self.bind(batch.view, claim, machine, batch.account)) for claim, machine in pairs
            ]
        extra = {"group_uid": batch.uid, "cloud": batch.cloud, "token": batch.token, "asked": len(batch.claims)}
        log.info("instance.launched", extra=extra | {"got": len(machines)})
        self._tally.launched[batch.cloud] += len(machines)
        if len(machines) > len(batch.claims):
            log.warning("machine.surplus", extra=extra | {"got": len(machines)})
        came = {claim.key for claim, _ in pairs}
        rest = [claim for claim in batch.claims if claim.key not in came]
        if pairs:
            self._turnstiles.of(batch.account).succeeded(batch.uid, len(pairs))
        if not rest:
            self._backoff.succeeded(batch.uid, batch.account.key, now)
            self._sites.has_room(batch.uid, batch.account, batch.place, now)
            all_run = all(machine.state is MachineState.RUNNING for machine in machines)
            return all_run and len(machines) == len(batch.claims) and all(task.result() for task in bound)
        reason = f"{batch.cloud} launched {len(pairs)} of {len(batch.claims)}"
        if batch.repeated:
            self.unheard.doubt(batch.uid, batch.cloud, batch.token)
            self._hold(batch, reason)
            return False
        is_elsewhere = self._is_only_this_place_full(batch, reason)
        if pairs:
            if not is_elsewhere:
                self._hold(batch, reason)
            message = causes.status_message(f"Partial launch: {reason}")
            await self._ledger.release([claim.key for claim in rest], "Cancelled", message, now)
        else:
            if not is_elsewhere:
                await self._failed(batch, reason)
            await self._give_up(batch, rest, reason)
        return False

    async def _nothing_happened(self, batch: _Batch, error: NoCapacity | Refused | Throttled | Unreachable) -> None:
        reason = str(error) or type(error).__name__
        match error:
            case Refused():
                await self._failed(batch, reason, of_account=False)
            case Throttled():
                await self._failed(batch, reason, at_least_s=error.retry_after_s)
            case NoCapacity() if self._is_only_this_place_full(batch, reason):
                pass  # the account has more to offer, and is asked for it before another cloud is
            case NoCapacity() | Unreachable():
                await self._failed(batch, reason)
            case _:
                assert_never(error)
        if batch.repeated:
            # That says nothing of the first call: its claims stay. What was refused once is not asked for a third time.
            if isinstance(error, NoCapacity | Refused):
                self.unheard.doubt(batch.uid, batch.cloud, batch.token)
        elif isinstance(error, NoCapacity | Refused):
            await self._give_up(batch, batch.claims, reason)
        else:
            message = causes.status_message(reason)
            await self._ledger.release([claim.key for claim in batch.claims], "Cancelled", message, self._clock())

    async def _give_up(self, batch: _Batch, claims: Sequence[Instance], reason: str) -> None:
        """
        Nothing; the claims are released.

        No activity is called Failed while another cloud can still be tried: Terraform gives up at the first one
        (terraform-provider-aws 29753, 33665).
        """
        elsewhere = self._elsewhere(batch)
        outcome = "Cancelled" if elsewhere else "Failed"
        message = (
            causes.status_message(f"{reason.rstrip('.')}. Trying elsewhere")
            if elsewhere
            else causes.launch_failed(reason)
        )
        await self._ledger.release([claim.key for claim in claims], outcome, message, self._clock())

    def _is_only_this_place_full(self, batch: _Batch, reason: str) -> bool:
        """True when the launch named a place, which is left alone for a while now, and the account has another."""
        if batch.place is None:
            return False
        group, now = batch.view.group, self._clock()
        hold = self._sites.is_full(group, batch.account, batch.place, reason, now)
        extra = {"group_uid": batch.uid, "cloud": batch.cloud, "place": batch.place, "reason": reason}
        log.warning("place.full", extra=extra | {"until": hold.until.isoformat()})
        return bool(self._sites.free(group, batch.account, now))

    def _elsewhere(self, batch: _Batch) -> bool:
        """True when a cloud of the group would take a launch now."""
        now, view = self._clock(), batch.view
        accounts = {}
        for name, seen in view.accounts.items():
            account = batch.accounts[name]
            turnstile = self._turnstiles.of(account)
            accounts[name] = replace(
                seen,
                hold=self.hold(view.record, name, account, now),
                breaker=turnstile.hold(batch.uid, now),
                # What only has to wait for its turn there has a place there.
                limits=tuple(limit for limit in turnstile.limits(batch.uid, now) if not limit.waits),
            )
        placed = placement.place(replace(view, accounts=accounts), 1, placement.living(view))
        return placed.total > 0 or placed.keeps_places

    async def _failed(self, batch: _Batch, reason: str, *, of_account: bool = True, at_least_s: float = 0.0) -> None:
        """
        Nothing; everybody who counts failures knows of this one.

        *of_account* False: it is about what was asked for. It holds until that changes, and is no news of the account.
        """
        now = self._clock()
        # The calls of one attempt fail together and tell the same: as for the back-off they count once.
        first = self.hold(batch.view.record, batch.cloud, batch.account, now) is None
        self._hold(batch, reason, until_changed=not of_account, at_least_s=at_least_s)
        if of_account:
            turnstile = self._turnstiles.of(batch.account)
            turnstile.failed(batch.uid, reason, now, first=first, at_least_s=at_least_s)
        if not first:
            return
        self._failing.add(batch.uid)
        since, attempts = await self._ledger.note_launch_failed(batch.uid, now)
        if attempts >= SUSPEND_ATTEMPTS_MIN and now - since >= SUSPEND_AFTER:
            why = causes.launches_suspended(since, attempts, reason)
            await self._ledger.suspend(batch.uid, Process.LAUNCH, why, now)
            log.warning("group.suspended", extra={"group_uid": batch.uid, "reason": why})

    async def _note_launched(self, group: Group) -> None:
        if group.failing_since is not None or group.uid in self._failing:
            self._failing.discard(group.uid)
            await self._ledger.note_launched(group.uid, self._clock())

    def _hold(self, batch: _Batch, reason: str, *, until_changed: bool = False, at_least_s: float = 0.0) -> None:
        hold = self._backoff.failed(
            batch.uid,
            batch.account.key,
            reason,
            self._clock(),
            intent=batch.intent if until_changed else None,
            at_least_s=at_least_s,
        )
        extra = {"group_uid": batch.uid, "cloud": batch.cloud, "token": batch.token, "reason": reason}
        self._tally.launches_failed[batch.cloud] += 1
        log.warning("launch.failed", extra=extra | {"until": hold.until.isoformat()})
