"""
Takes care of machines with our mark whose group the ledger does not know.

Owns: the order: they are noted, looked at twice, and terminated where that is allowed. Does not own: the list of them
(``orphans``), the rule (``leftovers``), or the call (``executor``).
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from backends.cloud import Machine
from reconciler import leftovers
from reconciler.accounts import Account
from reconciler.executor import Executor
from reconciler.ledger import Ledger
from reconciler.model import Removed
from reconciler.orphans import Orphans
from reconciler.outcome import Outcome
from reconciler.sweeper import Sweeper
from reconciler.verdicts import Verdicts
from reconciler.watch import Watch

log = logging.getLogger(__name__)


class Reaper:
    """*is_armed* False: it tells what it would terminate, and terminates nothing."""

    def __init__(
        self, ledger: Ledger, watch: Watch, executor: Executor, clock: Callable[[], datetime], *, is_armed: bool
    ) -> None:
        self.orphans = Orphans()
        self._ledger = ledger
        self._watch = watch
        self._executor = executor
        self._clock = clock
        self._is_armed = is_armed

    async def look(self, uid: str, verdicts: Verdicts) -> float | None:
        """Seconds until the machines of *uid*, a group that nobody knows, want another look; None: there are none."""
        self.orphans.note(uid, self._watch.of_group(uid))
        showing = [sweeper for sweeper in self._watch if sweeper.picture.by_group.get(uid)]
        removed = await self._ledger.removed(uid) if showing else None
        for sweeper in showing:
            doomed = self._doomed(uid, sweeper, removed, verdicts)
            if doomed:
                await self._reap(uid, removed, sweeper.account, doomed)
        return leftovers.LOOK_AGAIN_S if self.orphans.has(uid) else None

    def _doomed(self, uid: str, sweeper: Sweeper, removed: Removed | None, verdicts: Verdicts) -> Sequence[str]:
        picture, cloud = sweeper.picture, sweeper.account.cloud.name
        if picture.blind is not None or picture.swept_at is None:
            return ()
        machines: Sequence[Machine] = picture.by_group.get(uid, ())
        ids = [machine.machine_id for machine in machines]
        first_seen = self.orphans.first_seen(uid, sweeper.account.key, ids, picture.swept_at)
        untouchable = verdicts.untouchable_on(cloud)
        machines = [machine for machine in machines if machine.machine_id not in untouchable]
        condemned = verdicts.condemned_on(cloud)
        removed_at = None if removed is None else removed.at
        return leftovers.reapable(machines, first_seen, picture.swept_at, removed_at, condemned, self._clock())

    async def _reap(self, uid: str, removed: Removed | None, account: Account, doomed: Sequence[str]) -> None:
        if self._is_armed:
            user_id = None if removed is None else removed.user_id
            await self._executor.reap_leftovers(uid, user_id, account, doomed, Outcome())
        else:
            extra = {"account": account.key, "group_uid": uid, "machine_ids": doomed}
            log.warning("machine.would_be_reaped", extra=extra)
