"""
Carries out plans: the ledger first, then the clouds, side by side and each call with a deadline.

Owns: the only effects of a pass, and what each answer of a cloud means for the claims behind it. Does not own: any
choice of what to do. There is no recovery code: what a crash cuts off, the next plan settles from the claims.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import assert_never

from backends.cloud import LaunchSpec, Machine, Mark
from backends.errors import CloudError, Gone, NoCapacity, Refused, Throttled, Unreachable
from reconciler import actions, causes, identity, placement, settlement
from reconciler.accounts import Account
from reconciler.backoff import Backoff
from reconciler.ledger import Ledger
from reconciler.model import GroupRecord, GroupView, Hold, Instance, InstanceState

log = logging.getLogger(__name__)

LAUNCH_DEADLINE_S = 120.0
"""One launch call. Shorter: slow clouds leave claims undecided. Longer: a hung call holds its group up longer."""

TERMINATE_DEADLINE_S = 60.0
"""One terminate call, which may be repeated at will; shorter than a launch because nothing is left undecided."""

LAUNCH_CALLS_AT_ONCE = 4
"""Per launch action. Higher: a full cloud refuses more calls before we notice. Lower: single launches queue up."""

CALL_RETRY_S = 10.0
"""Pause after a cloud did not accept a termination, or a claim found the group changed. Lower: vain calls."""


@dataclass(slots=True)
class Outcome:
    """
    What carrying out a plan led to.

    *again*: something changed, so another pass may find more to do. *retry_s*: something failed and is due again then.
    """

    again: bool = False
    removed: bool = False
    retry_s: float | None = None
    look_at: set[str] = field(default_factory=set)

    def retry(self, after_s: float) -> None:
        """Nothing; the pass is due again after *after_s* at the latest."""
        self.retry_s = after_s if self.retry_s is None else min(self.retry_s, after_s)


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


class Executor:
    """Effects of all groups of one gateway; it remembers only which calls were cut off, and that for a short while."""

    def __init__(
        self,
        ledger: Ledger,
        backoff: Backoff,
        clock: Callable[[], datetime],
        new_token: Callable[[], str],
        gateway_id: str,
    ) -> None:
        self._ledger = ledger
        self._backoff = backoff
        self._clock = clock
        self._new_token = new_token
        self._gateway_id = gateway_id
        # Calls of an earlier process may have been cut off as late as the moment this one started.
        self._started_at = clock()
        self._cut_at: dict[tuple[str, str], datetime] = {}
        # Terminations that failed, by group and cloud: other reasons for a pass must not hammer the cloud.
        self._spared_until: dict[tuple[str, str], datetime] = {}

    def calls_cut_at(self, uid: str, cloud: str) -> datetime:
        """When a launch of this group on *cloud* last ended without an answer, or could have."""
        return self._cut_at.get((uid, cloud), self._started_at)

    def hold(self, record: GroupRecord, cloud: str, account: Account, now: datetime) -> Hold | None:
        """The pause of this group's launches on *cloud* that is in force at *now*, or None."""
        return self._backoff.hold(record.group.uid, account.key, now, _intent(record, cloud))

    def forget(self, uid: str) -> None:
        """Nothing; the group does not exist any more."""
        for memory in (self._cut_at, self._spared_until):
            for key in [key for key in memory if key[0] == uid]:
                del memory[key]

    async def carry_out(self, view: GroupView, plan: actions.Plan, accounts: Mapping[str, Account]) -> Outcome:
        """
        What came of it. *accounts* are those that the view was made from.

        Raises whatever the ledger raises; claims and retirements committed until then stand, and the next pass goes on
        from them.
        """
        outcome = Outcome()
        retiring = {i.key for i in view.instances if i.state is InstanceState.TERMINATING}
        for kind, group in groupby(plan.actions, key=type):
            await self._record(view, kind, list(group), accounts, retiring, outcome)
        async with asyncio.TaskGroup() as calls:
            for action in plan.actions:
                match action:
                    case actions.Dismiss():
                        keys = [key for key in action.instance_keys if key in retiring]
                        calls.create_task(self._dismiss(view, accounts[action.cloud], action.cloud, keys, outcome))
                    case actions.Reap():
                        calls.create_task(self._reap(view, action, accounts[action.cloud], outcome))
                    case actions.Resend():
                        calls.create_task(self._resend(view, action, accounts, outcome))
                    case actions.Launch():
                        calls.create_task(self._launch(view, action, accounts, outcome))
                    case _:
                        pass
        if any(isinstance(action, actions.RemoveGroup) for action in plan.actions):
            outcome.removed = await self._ledger.remove_group(view.group.uid, self._clock())
        return outcome

    async def _record(
        self,
        view: GroupView,
        kind: type[actions.Action],
        batch: Sequence[actions.Action],
        accounts: Mapping[str, Account],
        retiring: set[int],
        outcome: Outcome,
    ) -> None:
        """What the plan says of *kind*, written to the ledger; *retiring* grows by what is Terminating from now on."""
        now = self._clock()
        uid = view.group.uid
        if kind is actions.Bind:
            instances = {instance.key: instance for instance in view.instances}
            for bind in (a for a in batch if isinstance(a, actions.Bind)):
                claim = instances[bind.instance_key]
                outcome.again |= await self._bind(claim, bind.machine, accounts[claim.cloud])
        elif kind is actions.Promote:
            await self._ledger.promote([a.instance_key for a in batch if isinstance(a, actions.Promote)], now)
        elif kind is actions.Bury:
            buried = [a for a in batch if isinstance(a, actions.Bury)]
            keys, owed = [a.instance_key for a in buried], sum(a.replace for a in buried)
            await self._ledger.bury(keys, [a.because for a in buried], owed, now)
            log.info("instance.buried", extra={"group_uid": uid, "instance_keys": keys, "because": buried[0].because})
            outcome.again = True
        elif kind is actions.Abandon:
            for abandon in (a for a in batch if isinstance(a, actions.Abandon)):
                message = causes.status_message(abandon.because)
                await self._ledger.release(abandon.instance_keys, "Cancelled", message, now)
            outcome.again = True
        elif kind is actions.Retire:
            retired = [a for a in batch if isinstance(a, actions.Retire)]
            keys, owed = [a.instance_key for a in retired], sum(a.replace for a in retired)
            because = [a.because for a in retired]
            done = await self._ledger.retire(uid, view.group.generation, keys, because, owed, now)
            log.info("instance.retired", extra={"group_uid": uid, "instance_keys": done, "because": because[0]})
            retiring.update(done)
            outcome.again |= bool(done)

    async def _dismiss(
        self, view: GroupView, account: Account, cloud: str, keys: Sequence[int], outcome: Outcome
    ) -> None:
        wanted = set(keys)
        leaving = [i for i in view.instances if i.key in wanted and i.machine_id is not None]
        machine_ids = [instance.machine_id for instance in leaving if instance.machine_id is not None]
        if machine_ids and await self._terminate(view, account, cloud, machine_ids, outcome):
            await self._ledger.note_dismissed([instance.key for instance in leaving], self._clock())
            outcome.again = True

    async def _reap(self, view: GroupView, action: actions.Reap, account: Account, outcome: Outcome) -> None:
        extra = {"group_uid": view.group.uid, "cloud": action.cloud, "machine_ids": action.machine_ids}
        log.warning("machine.reaped", extra=extra | {"because": action.because})
        await self._terminate(view, account, action.cloud, action.machine_ids, outcome)
        outcome.retry(TERMINATE_DEADLINE_S)

    async def _terminate(
        self, view: GroupView, account: Account, cloud: str, machine_ids: Sequence[str], outcome: Outcome
    ) -> bool:
        """True when the cloud accepted; otherwise the pass is due again, and until then the cloud is not asked."""
        now, place = self._clock(), (view.group.uid, cloud)
        spared_until = self._spared_until.get(place, now)
        if now < spared_until:
            outcome.retry((spared_until - now).total_seconds())
            return False
        extra = {"group_uid": view.group.uid, "cloud": cloud, "machine_ids": list(machine_ids)}
        try:
            async with asyncio.timeout(TERMINATE_DEADLINE_S):
                await account.cloud.terminate(machine_ids)
        except Gone:
            log.info("machine.gone", extra=extra)
        except (CloudError, TimeoutError) as error:
            log.warning("machine.not_terminated", extra=extra | {"reason": str(error) or type(error).__name__})
            pause_s = max(CALL_RETRY_S, error.retry_after_s) if isinstance(error, Throttled) else CALL_RETRY_S
            self._spared_until[place] = self._clock() + timedelta(seconds=pause_s)
            outcome.retry(pause_s)
            return False
        else:
            log.info("machine.terminated", extra=extra)
        self._spared_until.pop(place, None)
        outcome.look_at.add(cloud)
        return True

    async def _launch(
        self, view: GroupView, action: actions.Launch, accounts: Mapping[str, Account], outcome: Outcome
    ) -> None:
        group = view.group
        size = max(1, accounts[action.cloud].traits.launch_batch_max)
        places: list[tuple[str, int]] = []
        for start in range(0, action.count, size):
            token = self._new_token()
            places += [(token, index) for index in range(min(size, action.count - start))]
        claims = await self._ledger.claim(
            group.uid,
            group.generation,
            action.cloud,
            places,
            [action.because] * action.count,
            action.replacing,
            self._clock(),
        )
        if not claims:
            outcome.retry(CALL_RETRY_S)
            return
        outcome.again = True
        spec = view.record.sources[action.cloud].spec
        by_token: dict[str, list[Instance]] = defaultdict(list)
        for claim in claims:
            by_token[claim.token].append(claim)
        gate = asyncio.Semaphore(LAUNCH_CALLS_AT_ONCE)
        async with asyncio.TaskGroup() as calls:
            for batch in by_token.values():
                job = _Batch(view, accounts, action.cloud, spec, tuple(batch), repeated=False)
                calls.create_task(self._launch_gated(job, gate, outcome))

    async def _resend(
        self, view: GroupView, action: actions.Resend, accounts: Mapping[str, Account], outcome: Outcome
    ) -> None:
        wanted = set(action.instance_keys)
        claims = tuple(sorted((i for i in view.instances if i.key in wanted), key=lambda claim: claim.index))
        source = view.record.sources[action.cloud]
        await self._call(_Batch(view, accounts, action.cloud, source.spec, claims, repeated=True), outcome)
        outcome.again = True

    async def _launch_gated(self, batch: _Batch, gate: asyncio.Semaphore, outcome: Outcome) -> None:
        async with gate:
            held = self._backoff.hold(batch.uid, batch.account.key, self._clock(), batch.intent)
            if held is None:
                await self._call(batch, outcome)
            else:
                await self._give_up(batch, batch.claims, held.reason)

    async def _call(self, batch: _Batch, outcome: Outcome) -> None:
        mark = Mark(self._gateway_id, batch.uid, batch.token)
        try:
            async with asyncio.timeout(LAUNCH_DEADLINE_S):
                machines = await batch.account.cloud.launch(batch.spec, len(batch.claims), batch.token, mark)
        except (NoCapacity, Refused, Throttled, Unreachable) as error:
            await self._nothing_happened(batch, error)
        except (CloudError, TimeoutError) as error:
            reason = str(error) or f"no answer within {LAUNCH_DEADLINE_S:g} s"
            self._may_have_happened(batch, reason)
            outcome.look_at.add(batch.cloud)
        except BaseException:
            self._may_have_happened(batch, "the call was cut off")
            raise
        else:
            await self._came_up(batch, machines)

    async def _came_up(self, batch: _Batch, machines: Sequence[Machine]) -> None:
        now = self._clock()
        pairs = settlement.match(batch.claims, machines)
        async with asyncio.TaskGroup() as binding:
            for claim, machine in pairs:
                binding.create_task(self._bind(claim, machine, batch.account))
        extra = {"group_uid": batch.uid, "cloud": batch.cloud, "token": batch.token, "asked": len(batch.claims)}
        log.info("instance.launched", extra=extra | {"got": len(machines)})
        if len(machines) > len(batch.claims):
            log.warning("machine.surplus", extra=extra | {"got": len(machines)})
        came = {claim.key for claim, _ in pairs}
        rest = [claim for claim in batch.claims if claim.key not in came]
        if not rest:
            self._backoff.succeeded(batch.uid, batch.account.key, now)
            return
        reason = f"{batch.cloud} launched {len(pairs)} of {len(batch.claims)}"
        self._hold(batch, reason)
        if pairs:
            message = causes.status_message(f"Partial launch: {reason}")
            await self._ledger.release([claim.key for claim in rest], "Cancelled", message, now)
        else:
            await self._give_up(batch, rest, reason)

    async def _nothing_happened(self, batch: _Batch, error: NoCapacity | Refused | Throttled | Unreachable) -> None:
        reason = str(error) or type(error).__name__
        match error:
            case Refused():
                self._hold(batch, reason, until_changed=True)
            case Throttled():
                self._hold(batch, reason, at_least_s=error.retry_after_s)
            case NoCapacity() | Unreachable():
                self._hold(batch, reason)
            case _:
                assert_never(error)
        if isinstance(error, NoCapacity | Refused):
            await self._give_up(batch, batch.claims, reason)
        elif not batch.repeated:
            message = causes.status_message(reason)
            await self._ledger.release([claim.key for claim in batch.claims], "Cancelled", message, self._clock())
        # A repeated call that did not get through says nothing of the first one: its claims stay.

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

    def _elsewhere(self, batch: _Batch) -> bool:
        """True when another cloud of the group would take a launch now."""
        now, view = self._clock(), batch.view
        accounts = {
            name: replace(seen, hold=self.hold(view.record, name, batch.accounts[name], now))
            for name, seen in view.accounts.items()
        }
        return placement.place(replace(view, accounts=accounts), 1, placement.living(view)).total > 0

    def _may_have_happened(self, batch: _Batch, reason: str) -> None:
        self._cut_at[batch.uid, batch.cloud] = self._clock()
        self._hold(batch, reason)

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
        log.warning("launch.failed", extra=extra | {"until": hold.until.isoformat()})

    async def _bind(self, claim: Instance, machine: Machine, account: Account) -> bool:
        instance_id = identity.instance_id(account.key, machine.machine_id)
        return await self._ledger.bind(claim.key, machine, instance_id, self._clock())
