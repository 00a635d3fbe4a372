"""
Carries out plans: the ledger first, then the clouds, side by side and each call with a deadline.

Owns: the only effects of a pass, launches by the hand of ``launcher``. Does not own: any choice of what to do. There is
no recovery code: what a crash cuts off, the next plan settles from the claims.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from backends.errors import CloudError, Gone, Throttled
from reconciler import actions, causes
from reconciler.accounts import Account
from reconciler.brakes import Brakes
from reconciler.launcher import Launcher
from reconciler.lease import Lease
from reconciler.ledger import Ledger
from reconciler.model import GroupView, InstanceState
from reconciler.outcome import CALL_RETRY_S, Outcome
from reconciler.tally import Tally

log = logging.getLogger(__name__)

TERMINATE_DEADLINE_S = 60.0
"""One terminate call, which may be repeated at will; shorter than a launch because nothing is left undecided."""


class Executor:
    """Effects of all groups of one gateway; it remembers only which terminations failed, and that for a short while."""

    def __init__(
        self,
        ledger: Ledger,
        launcher: Launcher,
        brakes: Brakes,
        tally: Tally,
        clock: Callable[[], datetime],
        lease: Lease,
    ) -> None:
        self._ledger = ledger
        self._tally = tally
        self._brakes = brakes
        self._lease = lease
        self._launcher = launcher
        self._clock = clock
        # Terminations that failed, by group and cloud: other reasons for a pass must not hammer the cloud.
        self._spared_until: dict[tuple[str, str], datetime] = {}

    def forget(self, uid: str) -> None:
        """Nothing; the group does not exist any more."""
        for key in [key for key in self._spared_until if key[0] == uid]:
            del self._spared_until[key]

    async def carry_out(self, view: GroupView, plan: actions.Plan, accounts: Mapping[str, Account]) -> Outcome:
        """
        What came of it. *accounts* are those that the view was made from.

        Raises whatever the ledger raises; claims and retirements committed until then stand, and the next pass goes on
        from them.
        """
        outcome = Outcome()
        if not plan.actions:
            return outcome
        retiring = {i.key for i in view.instances if i.state is InstanceState.TERMINATING}
        for note in (action for action in plan.actions if isinstance(action, actions.NoteCrash)):
            # First, because a death that is on record is not seen again: its launch would count as a good one.
            await self._launcher.note_crash(view.group.uid, note.cloud, note.crash)
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
                        calls.create_task(self._launcher.resend(view, action, accounts, outcome))
                    case actions.Launch():
                        calls.create_task(self._launcher.launch(view, action, accounts, outcome))
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
                outcome.again |= await self._launcher.bind(view, claim, bind.machine, accounts[claim.cloud])
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
            outcome.changed |= bool(done)
        elif kind is actions.Adopt:
            await self._adopt(view, [a for a in batch if isinstance(a, actions.Adopt)], outcome)
        elif kind is actions.Forgive:
            await self._ledger.forgive(uid, sum(a.count for a in batch if isinstance(a, actions.Forgive)), now)

    async def _adopt(self, view: GroupView, adoptions: Sequence[actions.Adopt], outcome: Outcome) -> None:
        """Nothing; a claim waits for each machine, which the picture shows: the next plan binds the two."""
        group = view.group
        for adoption in adoptions:
            place, now = (adoption.token, adoption.index), self._clock()
            await self._ledger.claim(group.uid, group.generation, adoption.cloud, [place], [adoption.because], 0, now)
            extra = {"group_uid": group.uid, "cloud": adoption.cloud, "machine_ids": [adoption.machine_id]}
            log.warning("machine.adopted", extra=extra | {"because": adoption.because})
            self._tally.adopted[adoption.cloud] += 1
        outcome.again = True

    async def _dismiss(
        self, view: GroupView, account: Account, cloud: str, keys: Sequence[int], outcome: Outcome
    ) -> None:
        wanted = set(keys)
        leaving = [i for i in view.instances if i.key in wanted and i.machine_id is not None]
        machine_ids = [instance.machine_id for instance in leaving if instance.machine_id is not None]
        if machine_ids and await self._terminate(
            view.group.uid, view.group.user_id, account, cloud, machine_ids, outcome
        ):
            await self._ledger.note_dismissed([instance.key for instance in leaving], self._clock())
            outcome.changed = True

    async def _reap(self, view: GroupView, action: actions.Reap, account: Account, outcome: Outcome) -> None:
        extra = {"group_uid": view.group.uid, "cloud": action.cloud, "machine_ids": action.machine_ids}
        log.warning("machine.reaped", extra=extra | {"because": action.because})
        now = self._clock()
        await self._ledger.note_reaped(view.group.uid, action.cloud, action.machine_ids, action.because, now)
        if await self._terminate(
            view.group.uid, view.group.user_id, account, action.cloud, action.machine_ids, outcome
        ):
            self._tally.reaped[action.cloud] += len(action.machine_ids)
        outcome.retry(TERMINATE_DEADLINE_S)

    async def reap_leftovers(
        self, uid: str, user_id: int | None, account: Account, machine_ids: Sequence[str], outcome: Outcome
    ) -> bool:
        """True when the cloud accepted that these machines end, whose group is no more; *user_id*: whose it was."""
        cloud, because = account.cloud.name, "nobody knows their group any more"
        frozen = self._brakes.hold(uid, user_id, cloud)
        if frozen is not None:
            log.warning("machine.not_terminated", extra={"group_uid": uid, "cloud": cloud, "reason": frozen})
            return False
        extra = {"group_uid": uid, "cloud": cloud, "machine_ids": list(machine_ids), "because": because}
        log.warning("machine.reaped", extra=extra)
        await self._ledger.note_reaped(uid, cloud, machine_ids, because, self._clock())
        accepted = await self._terminate(uid, user_id, account, cloud, machine_ids, outcome)
        if accepted:
            self._tally.reaped[cloud] += len(machine_ids)
        return accepted

    async def _terminate(
        self,
        uid: str,
        user_id: int | None,
        account: Account,
        cloud: str,
        machine_ids: Sequence[str],
        outcome: Outcome,
    ) -> bool:
        """True when the cloud accepted; otherwise the pass is due again, and until then the cloud is not asked."""
        now, place = self._clock(), (uid, cloud)
        spared_until = self._spared_until.get(place, now)
        if now < spared_until:
            outcome.retry((spared_until - now).total_seconds())
            return False
        extra = {"group_uid": uid, "cloud": cloud, "machine_ids": list(machine_ids)}
        frozen = self._brakes.hold(uid, user_id, cloud)
        if frozen is not None:  # since the plan was made
            log.warning("machine.not_terminated", extra=extra | {"reason": frozen})
            outcome.retry(CALL_RETRY_S)
            return False
        if not self._lease.may_act(uid):
            log.warning("lease.lost", extra=extra)
            return False
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
            self._tally.terminated[cloud] += len(machine_ids)
        self._spared_until.pop(place, None)
        outcome.look_at.add(cloud)
        return True
