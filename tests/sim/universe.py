"""
A simulated universe: several clouds, users, a ledger, and one life of the gateway after another, all from one seed.

Owns: putting it together, lives and deaths of the gateway, and the story told of it. Does not own: what goes wrong
(:mod:`tests.sim.nemesis`) or what is wrong (:mod:`tests.sim.judge`). One thread, virtual time, and no chance but the
seed's.
"""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from backends.cloud import CloudTraits
from reconciler.accounts import Account
from reconciler.brakes import Brakes
from reconciler.freezes import Freezes
from reconciler.loop import Reconciler
from reconciler.model import FailBack, RankedCloud
from reconciler.steady import SteadyClock
from tests.reconciler import virtual_time
from tests.reconciler.memory_ledger import MemoryLedger
from tests.sim.clouds import JudgedCloud, Line
from tests.sim.judge import Judge, Violation, Wish

GATEWAY_ID = "gw"
CLOUDS = ("hotel", "sierra", "foxtrot")
DESIRED_MAX = 8
USER_ID = 7
"""Whose all groups are."""

SLOW_CALL_S = 100.0
"""Of clouds that promise nothing about tokens: calls that nobody waits for any more have their effect that late."""

STORY_LINES_MAX = 4_000


async def _at_once() -> None:
    """Nothing: the gates of a life are where others come first."""


class LedgerDown(OSError):  # noqa: N818 - what happened, as elsewhere
    """The ledger cannot be used now."""


class Universe:
    """Everything outlives the gateway's lives but what a life holds in memory. Also the account book of all lives."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = virtual_time.calendar()
        """The time, which nobody can set."""
        self.ledger = MemoryLedger(step=_at_once)
        self.judge = Judge(GATEWAY_ID, USER_ID, self.ledger)
        self.wrongs: list[str] = []
        self.story: list[str] = []
        self.clouds = [self._cloud(name) for name in CLOUDS[: self.random.choice((1, 2, 2, 3))]]
        self.judge.clouds.extend(self.clouds)
        self.sweep_interval_s = self.random.choice((10.0, 30.0, 30.0, 60.0, 60.0, 60.0))
        self.resync_s = self.random.choice((120.0, 600.0, 600.0))
        """Seldom: what only a resync would set right is felt."""
        self.clock_error_s = 0.0
        self.clock_stands_at: datetime | None = None
        self.ledger_chance = 0.0
        """Of each verb of the ledger to fail, before or after its effect."""
        self.ceilings: dict[str, dict[str, Any]] = {cloud.name: {} for cloud in self.clouds}
        """Of the accounts, by cloud."""
        self.life: Life | None = None
        self.tokens = itertools.count(1)
        self.uids = itertools.count(1)

    def clock(self) -> datetime:
        """The gateway's wall clock, which anybody may set."""
        now = self.clock_stands_at or self.now()
        return now if self.clock_stands_at or not self.clock_error_s else now + timedelta(seconds=self.clock_error_s)

    def tell(self, line: str) -> None:
        """Nothing; *line* is part of the story."""
        if len(self.story) < STORY_LINES_MAX:
            self.story.append(f"{(self.now() - virtual_time.EPOCH).total_seconds():9.1f} s  {line}")

    def judged(self, look: Callable[[], None]) -> None:
        """Nothing; what the judge says is kept, because the gateway would take it for a fault of its surroundings."""
        try:
            look()
        except Violation as wrong:
            self.tell(str(wrong))
            self.wrongs.append(str(wrong))

    # What users do.

    def create(self) -> str:
        """The uid of a new group."""
        uid = f"g-{next(self.uids)}"
        desired = self.random.randrange(DESIRED_MAX + 1)
        self.judge.wishes[uid] = Wish([(self.now(), desired)])
        self.ledger.put_group(uid, f"name-{uid}", 0, 100, desired, self._ranks())
        fail_back = self.random.choice(list(FailBack))
        self.ledger.change_group(uid, fail_back=fail_back)
        self.judge.wishes[uid].is_eager = fail_back is FailBack.EAGER
        self.tell(f"user: {uid} is made, {desired} wanted, {fail_back}, {self._where(uid)}")
        self.wake(uid)
        return uid

    async def want(self, uid: str, desired: int) -> None:
        """Nothing; as SetDesiredCapacity does it."""
        self.judge.wishes[uid].desired.append((self.now(), desired))
        await self.ledger.set_desired(uid, desired)
        self.tell(f"user: {uid} wants {desired}")
        self.wake(uid)

    async def delete(self, uid: str) -> None:
        """Nothing; as DeleteAutoScalingGroup does it."""
        self.judge.wishes[uid].deleted_at = self.now()
        await self.ledger.mark_deleting(uid)
        self.tell(f"user: {uid} is deleted")
        self.wake(uid)

    def rearrange(self, uid: str) -> None:
        """Nothing; the group's clouds are others, in another order, with other caps."""
        self.judge.wishes[uid].moved_at = self.now()
        generation = self.ledger.groups[uid].generation + 1
        self.ledger.change_group(uid, clouds=self._ranks(), generation=generation)
        self.tell(f"user: {uid} moves to {self._where(uid)}")
        self.wake(uid)

    def roomy(self, uid: str) -> None:
        """Nothing; the group may use all clouds without a cap, and has nothing suspended."""
        self.judge.wishes[uid].moved_at = self.now()
        group = self.ledger.groups[uid]
        clouds = tuple(RankedCloud(cloud.name) for cloud in self.clouds)
        self.ledger.change_group(uid, clouds=clouds, generation=group.generation + 1)

    def declare_the_lost(self) -> int:
        """
        How many instances a person has just called unhealthy: those whose machines ended, stopped or broke.

        A cloud that lost most of what it had, without a word, is not believed; somebody who knows has to say so.
        """
        now, declared = self.now(), 0
        lives = [life for cloud in self.clouds for life in cloud.ledger]
        gone = {life.machine_id for life in lives if not life.alive(now) or life.state is not None}
        for uid in self.living():
            for instance in self.ledger.instances(uid):
                if instance.machine_id in gone and instance.healthy and instance.state.counts:
                    self.ledger.change_instance(instance.key, healthy=False)
                    declared += 1
            self.wake(uid)
        self.tell(f"user: {declared} instances that are lost are unhealthy")
        return declared

    def limit(self, cloud: str, **ceilings: Any) -> None:
        """Nothing; the account on *cloud* has these ceilings from now on."""
        self.ceilings[cloud] |= ceilings
        if self.life is not None:
            self.life.hears_of_ceilings()

    async def freeze(self, freezes: Freezes) -> None:
        """Nothing; these are in force from now on, and no others. They outlive the gateway."""
        self.judge.freezes = freezes
        if self.life is not None:
            await self.life.freeze(freezes)

    def living(self) -> list[str]:
        """The groups that are not deleted."""
        return [uid for uid, wish in self.judge.wishes.items() if wish.deleted_at is None]

    def wake(self, uid: str) -> None:
        """Nothing; what every API call does after its commit."""
        if self.life is not None:
            self.life.wake(uid)

    # The lives of the gateway.

    async def start(self) -> None:
        """Nothing; a new process takes over."""
        assert self.life is None
        self.life = Life(self)
        self.tell("gateway: starts")
        await asyncio.sleep(0)

    async def crash(self) -> None:
        """Nothing; the process is gone, between two steps of whatever it did."""
        if self.life is not None:
            life, self.life = self.life, None
            self.tell("gateway: is killed")
            await life.end()

    def _cloud(self, name: str) -> JudgedCloud:
        random = self.random
        visible_after_s = random.choice((0.0, 2.0, 20.0))
        traits = CloudTraits(
            token_is_idempotent=random.random() < 0.5,
            launch_batch_max=random.choice((1, 3, 20)),
            visible_after_s=visible_after_s,
            announces_changes=random.random() < 0.15,
        )
        cloud = JudgedCloud(name, self.now, Random(random.getrandbits(32)), traits, self)
        if not traits.token_is_idempotent:
            cloud.faults.slow_call_s = SLOW_CALL_S
        cloud.habits.call_s = random.choice((0.01, 0.3, 3.0))
        cloud.habits.boot_delay_s = random.choice((0.0, 5.0, 60.0))
        cloud.habits.terminate_delay_s = random.choice((0.0, 10.0))
        cloud.habits.visible_delay_s_max = 0.8 * visible_after_s
        cloud.habits.dead_listed_s = random.choice((0.0, 60.0, 600.0))
        return cloud

    def _ranks(self) -> tuple[RankedCloud, ...]:
        names = [cloud.name for cloud in self.clouds]
        chosen = self.random.sample(names, self.random.randrange(1, len(names) + 1))
        return tuple(RankedCloud(name, self.random.choice((None, None, 1, 3))) for name in chosen)

    def _where(self, uid: str) -> str:
        return ",".join(f"{ranked.name}:{ranked.cap or -1}" for ranked in self.ledger.groups[uid].clouds)


class Life:
    """One process: what it knows dies with it, and what it was about to do is never done."""

    def __init__(self, universe: Universe) -> None:
        self._universe = universe
        self._is_over = False
        self.steps_left: int | None = None
        """The process is killed after so many more steps; None: not by this."""
        self._clock = SteadyClock(universe.clock, asyncio.get_running_loop().time)
        self._lines = {
            cloud.name: Account(cloud.name, Line(cloud, self, universe.judge, self._clock.now), cloud.traits)
            for cloud in universe.clouds
        }
        self.hears_of_ceilings()
        seed = universe.random.getrandbits(32)
        brakes = Brakes()
        brakes.tell(universe.judge.freezes)
        self._reconciler = Reconciler(
            _Ledger(universe, self),  # every verb of the port, each through the gate
            self,
            gateway_id=GATEWAY_ID,
            clock=self._clock.now,
            wall=universe.clock,
            random=Random(seed),
            new_token=lambda uid: f"{uid}-{next(universe.tokens)}",
            sweep_interval_s=universe.sweep_interval_s,
            resync_s=universe.resync_s,
            brakes=brakes,
        )
        self._running = asyncio.ensure_future(self._reconciler.run())

    def account(self, user_id: int, cloud_name: str) -> Account | None:
        """See the account book."""
        assert user_id == USER_ID
        return self._accounts.get(cloud_name)

    def accounts(self) -> list[Account]:
        """See the account book."""
        return list(self._accounts.values())

    def wake(self, uid: str) -> None:
        """See the reconciler."""
        self._reconciler.wake(uid)

    def hears_of_ceilings(self) -> None:
        """Nothing; accounts have those of the universe from now on."""
        ceilings = self._universe.ceilings
        self._accounts = {name: replace(line, **ceilings[name]) for name, line in self._lines.items()}

    async def freeze(self, freezes: Freezes) -> None:
        """See the reconciler."""
        with suppress(LedgerDown):  # groups that are not waked now look again by themselves
            await self._reconciler.freeze(freezes)

    @property
    def is_broken(self) -> bool:
        """True when the process ended by itself, which none ever should."""
        return self._running.done()

    async def passes(self) -> None:
        """See the gate."""
        await virtual_time.turn()
        self.reaches()

    def reaches(self) -> None:
        """As the gate, where nobody else can come first."""
        if self.steps_left is not None:
            self.steps_left -= 1
            self._is_over = self._is_over or self.steps_left <= 0
        if self._is_over:
            raise asyncio.CancelledError

    @property
    def is_over(self) -> bool:
        """True when it was killed at a step."""
        return self._is_over

    async def end(self) -> None:
        """Nothing; no step of it is ever made again."""
        self._is_over = True
        self._running.cancel()
        with suppress(asyncio.CancelledError):
            await self._running


class _Ledger:
    """The ledger as one life reaches it: through the gate, and not always."""

    def __init__(self, universe: Universe, life: Life) -> None:
        self._universe = universe
        self._life = life

    async def retire(
        self, uid: str, generation: int, keys: Sequence[int], causes: Sequence[str], owe: int, now: datetime
    ) -> list[int]:
        """See the port; the judge hears of it."""
        universe, ledger = self._universe, self._universe.ledger
        machines = {instance.key: instance.machine_id for instance in ledger.instances(uid)}
        await self._life.passes()
        self._may_fail("before")
        retired = await ledger.retire(uid, generation, keys, causes, owe, now)
        universe.judged(lambda: universe.judge.retired(uid, [machines[key] for key in retired], universe.now()))
        if retired:
            universe.tell(f"gateway: retires {', '.join(str(machines[key]) for key in retired)} of {uid}: {causes[0]}")
        self._may_fail("after")
        self._life.reaches()
        return retired

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        method = getattr(self._universe.ledger, verb)

        async def reached(*arguments: Any, **named: Any) -> Any:
            await self._life.passes()
            self._may_fail("before")
            answer = await method(*arguments, **named)
            self._may_fail("after")
            self._life.reaches()
            return answer

        setattr(self, verb, reached)  # once for each life and verb
        return reached

    def _may_fail(self, when: str) -> None:
        universe = self._universe
        if universe.ledger_chance and universe.random.random() < universe.ledger_chance:
            raise LedgerDown(f"the database failed {when} the commit")
