"""
What a gateway does beside requests and passes, for as long as it serves.

Owns: how often old records are dropped, and how soon changes by people take effect: accounts, freezes. Does not own:
what is old (``records``), what follows from a freeze (``reconciler``), or who starts these (``app``).
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from phantom_gateway import clock
from phantom_gateway.accounts import REFRESH_EVERY_S, GatewayAccounts
from phantom_gateway.first_look import Lookout
from phantom_gateway.installation import Installation
from phantom_gateway.records import activities, answers, events, freezes, sensors, tokens, unrecorded
from phantom_gateway.records.session import Connection, RecordsUnavailable
from reconciler.freezes import Freezes
from reconciler.loop import Reconciler
from reconciler.verdicts import Verdicts

log = logging.getLogger(__name__)

PRUNE_EVERY_S = 3_600.0
"""
Activities, events and tokens of long ago are dropped this often; a few hours more or less make no difference to anyone.
"""

PRUNE_PAUSE_S = 0.05
"""Between two transactions that prune sensors: nobody waits for them, and everybody else goes first."""

ANSWERS_PRUNED_EVERY_S = 10.0
"""Lower: idle writes. Higher: more rows at a time."""

FREEZES_EVERY_S = 0.5
"""A freeze is in force on every gateway within this time. Lower: idle reads. Higher: the red button is slow."""


async def prune_forever(installation: Installation) -> None:
    """Never returns; old activities and events and dead tokens are dropped now and then."""
    while True:
        try:
            while await installation.database.write(partial(events.prune, now=clock.now())):
                pass  # in parts, so that requests come in between
            for what, prune in (("activities", activities.prune), ("tokens", tokens.prune)):
                dropped = await installation.database.write(partial(prune, now=clock.now()))
                log.debug("records.pruned", extra={"what": what, "dropped": dropped})
            await _prune_sensors(installation)
        except RecordsUnavailable as unavailable:
            log.warning("records.not_pruned", extra={"reason": str(unavailable)})
        await asyncio.sleep(PRUNE_EVERY_S)


async def _prune_sensors(installation: Installation) -> None:
    """Nothing; old minutes of sensors are dropped, a few series in each transaction. Raises RecordsUnavailable."""
    after: int | None = 0
    while after is not None:
        _, after = await installation.database.write(partial(sensors.prune, now=clock.now(), after=after))
        await asyncio.sleep(PRUNE_PAUSE_S)


async def forget_answers(installation: Installation) -> None:
    """Never returns; answers that nobody can ask for again are dropped, in small portions."""
    while True:
        await asyncio.sleep(ANSWERS_PRUNED_EVERY_S)
        try:
            dropped = answers.PRUNED_AT_ONCE
            while dropped == answers.PRUNED_AT_ONCE:
                dropped = await installation.database.write(partial(answers.prune, now=clock.now()))
        except RecordsUnavailable as unavailable:
            log.warning("records.not_pruned", extra={"reason": str(unavailable)})


async def follow_accounts(accounts: GatewayAccounts, wake: Callable[[str], None]) -> None:
    """Never returns; groups whose user has another account than before get a pass."""
    while True:
        await asyncio.sleep(REFRESH_EVERY_S)
        try:
            for uid in await accounts.refresh():
                wake(uid)
        except RecordsUnavailable as unavailable:
            log.warning("accounts.not_read", extra={"reason": str(unavailable)})


async def follow_freezes(installation: Installation, reconciler: Reconciler, lookout: Lookout) -> None:
    """
    Never returns; what people freeze and thaw is in force at once, and what the lookout freezes.

    Nothing is launched or terminated before the first reading, and that waits for a look at what is there.
    """
    has_looked = False
    while True:
        try:
            if has_looked:
                await lookout.watch()
            else:
                await lookout.look_around(reconciler)
                has_looked = True
            in_force, said = await installation.database.read(_brakes_on)
            reconciler.judge(replace(said, spared=lookout.strangers))
            await reconciler.freeze(in_force)
        except RecordsUnavailable as unavailable:
            log.warning("freezes.not_read", extra={"reason": str(unavailable)})
        await asyncio.sleep(FREEZES_EVERY_S)


def _brakes_on(connection: Connection) -> tuple[Freezes, Verdicts]:
    return freezes.in_force(connection), unrecorded.verdicts(connection)
