"""When an account is looked at, what is believed, and who is told."""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from backends.cloud import Inquiry, Machine, Mark, Sweep
from reconciler.accounts import Account
from reconciler.sweeper import Sweeper
from tests.reconciler import virtual_time
from tests.reconciler.little_cloud import TRAITS, Life, LittleCloud

UID = "g-1"


class Watch:
    """A sweeper over a little cloud, and what it told."""

    def __init__(self, cloud: LittleCloud) -> None:
        self.cloud = cloud
        self.told: list[set[str]] = []
        account = Account("hotel", cloud, cloud.traits)
        tell = self._tell
        self.sweeper = Sweeper(account, "gw", tell, virtual_time.now, Random(1), 5.0)
        self.running = asyncio.create_task(self.sweeper.run())

    async def stop(self) -> None:
        """Nothing; it sweeps no more."""
        self.running.cancel()
        await asyncio.wait([self.running])

    def _tell(self, uids: Collection[str]) -> None:
        self.told.append(set(uids))


def a_cloud(machines: int = 2, kind: type[LittleCloud] = LittleCloud) -> LittleCloud:
    """A cloud with so many machines of one group."""
    cloud = kind("hotel", virtual_time.now)
    for number in range(machines):
        cloud.lives.append(Life(f"m-{number}", Mark("gw", UID, "t"), number, virtual_time.EPOCH))
    return cloud


async def told_of_changes_only() -> None:
    watch = Watch(a_cloud())
    await asyncio.sleep(30)
    assert watch.told == [{UID}]
    watch.cloud.kill("m-0")
    await asyncio.sleep(6)
    assert watch.told == [{UID}, {UID}]
    await watch.stop()


async def asked() -> None:
    watch = Watch(a_cloud())
    await asyncio.sleep(1)
    watch.told.clear()
    sweeps = watch.cloud.sweeps
    for uid in ("g-8", "g-9", "g-8"):
        watch.sweeper.ask(uid)
    await asyncio.sleep(1)
    assert watch.told == [{"g-8", "g-9"}]
    assert watch.cloud.sweeps == sweeps + 1
    await watch.stop()


async def asked_during_a_sweep() -> None:
    cloud = a_cloud()
    cloud.call_s = 2.0
    watch = Watch(cloud)
    await asyncio.sleep(3)
    watch.sweeper.kick()
    await asyncio.sleep(0.5)
    watch.sweeper.ask("g-9")
    watch.told.clear()
    await asyncio.sleep(2)
    assert watch.told == []
    await asyncio.sleep(3)
    assert watch.told == [{"g-9"}]
    await watch.stop()


async def hammered() -> None:
    watch = Watch(a_cloud())
    for _ in range(1000):
        watch.sweeper.kick()
        await asyncio.sleep(0.001)
    assert watch.cloud.sweeps <= 7
    await watch.stop()


async def blind() -> None:
    watch = Watch(a_cloud())
    await asyncio.sleep(1)
    watch.told.clear()
    watch.cloud.blind = "no route"
    before = watch.cloud.sweeps
    await asyncio.sleep(10)
    watch.sweeper.ask("g-8")
    for _ in range(600):
        watch.sweeper.kick()
        await asyncio.sleep(1)
    assert watch.told == [{UID}]
    assert watch.sweeper.picture.blind == "no route"
    assert len(watch.sweeper.picture.machines(UID, ())) == 2
    assert 600 / 30 <= watch.cloud.sweeps - before <= 30
    watch.cloud.blind = None
    watch.sweeper.ask("g-9")
    await asyncio.sleep(31)
    assert watch.told == [{UID}, {UID, "g-8", "g-9"}]
    assert watch.sweeper.picture.blind is None
    await watch.stop()


async def emptied() -> None:
    watch = Watch(a_cloud())
    await asyncio.sleep(1)
    watch.cloud.empty_sweeps = 2
    await asyncio.sleep(5)
    assert watch.sweeper.picture.blind == "it shows no machine where it had some; looking again"
    await asyncio.sleep(2)
    assert watch.sweeper.picture.blind is None
    assert watch.sweeper.picture.machines(UID, ()) == ()
    await watch.stop()


async def empty_from_the_start() -> None:
    watch = Watch(a_cloud(0))
    await asyncio.sleep(0.1)
    assert watch.sweeper.picture.swept_at is not None
    await watch.stop()


async def foreign() -> None:
    cloud = a_cloud(1)
    cloud.lives.append(Life("m-9", Mark("another", UID, "t"), 0, virtual_time.EPOCH))
    watch = Watch(cloud)
    await asyncio.sleep(1)
    assert [machine.machine_id for machine in watch.sweeper.picture.machines(UID, ())] == ["m-0"]
    await watch.stop()


class Unmarked(LittleCloud):
    """A cloud that cannot show marks."""

    def _machine(self, life: Life) -> Machine:
        return replace(super()._machine(life), mark=None)


async def unmarked() -> None:
    watch = Watch(a_cloud(2, Unmarked))
    await asyncio.sleep(1)
    assert [m.machine_id for m in watch.sweeper.picture.machines(UID, {"m-1"})] == ["m-1"]
    await watch.stop()


async def hanging() -> None:
    cloud = a_cloud()
    cloud.call_s = 1e6
    watch = Watch(cloud)
    await asyncio.sleep(61)
    assert watch.sweeper.picture.blind == "no answer within 60 s"
    cloud.call_s = 0.0
    await asyncio.sleep(30)
    assert watch.sweeper.picture.blind is None
    await watch.stop()


class Broken(LittleCloud):
    """A cloud whose adapter has a bug, for a while."""

    async def sweep(self) -> Sweep:
        """See the contract."""
        if virtual_time.now() < virtual_time.EPOCH.replace(minute=1):
            raise KeyError("reservationSet")
        return await super().sweep()


async def broken() -> None:
    watch = Watch(a_cloud(2, Broken))
    await asyncio.sleep(50)
    assert watch.sweeper.picture.blind == "its adapter failed: KeyError"
    await asyncio.sleep(50)
    assert watch.sweeper.picture.blind is None
    await watch.stop()


class Announcing(LittleCloud):
    """A cloud that says when something changed, now and then, and sometimes fails to."""

    failures: int = 1

    async def wait_for_change(self) -> None:
        """See the contract."""
        if self.failures:
            self.failures -= 1
            raise RuntimeError("the watch broke")
        await asyncio.sleep(2)


async def announced() -> None:
    cloud = Announcing("hotel", virtual_time.now, replace(TRAITS, announces_changes=True))
    watch = Watch(cloud)
    await asyncio.sleep(20.5)
    assert 8 <= cloud.sweeps <= 10
    await watch.stop()


async def left_out() -> None:
    watch = Watch(a_cloud())
    await asyncio.sleep(1)
    watch.cloud.hides.add("m-0")
    await asyncio.sleep(5)
    assert [m.machine_id for m in watch.sweeper.picture.by_group[UID]] == ["m-1"]
    assert watch.cloud.inquiries == 0

    watch.sweeper.ask(UID, ["m-0", "m-9"])
    await asyncio.sleep(1)
    told = len(watch.told)
    absences = watch.sweeper.absences
    assert {m.machine_id for m in watch.sweeper.picture.by_group[UID]} == {"m-0", "m-1"}
    assert absences.of("m-9").denied_since is not None

    await asyncio.sleep(30)
    assert {m.machine_id for m in watch.sweeper.picture.by_group[UID]} == {"m-0", "m-1"}
    assert len(watch.told) == told
    await watch.stop()


class Mute(LittleCloud):
    """Its adapter fails when it is asked for machines by id."""

    async def inquire(self, machine_ids: Collection[str]) -> Inquiry:
        """Never anything."""
        self.inquiries += 1
        raise RuntimeError(f"a bug in the adapter, about {len(machine_ids)}")


async def mute() -> None:
    watch = Watch(a_cloud(kind=Mute))
    watch.sweeper.ask(UID, ["m-9"])
    await asyncio.sleep(6)
    assert watch.cloud.inquiries == 1
    assert watch.sweeper.picture.blind is None
    absence = watch.sweeper.absences.of("m-9")
    assert absence.failed_at is not None
    assert absence.asked_since is None
    await watch.stop()


@pytest.mark.parametrize(
    "story",
    [
        pytest.param(told_of_changes_only, id="groups are told when their machines change"),
        pytest.param(asked, id="those who ask are told of the next sweep, which is one for all"),
        pytest.param(asked_during_a_sweep, id="a sweep that had begun before is no answer"),
        pytest.param(hammered, id="sweeps keep a distance however many ask"),
        pytest.param(blind, id="a blind account is told once, looked at gently, and told again in sight"),
        pytest.param(emptied, id="an empty list is believed when it is confirmed"),
        pytest.param(empty_from_the_start, id="an account without machines is simply empty"),
        pytest.param(foreign, id="another gateway's machines are not seen"),
        pytest.param(unmarked, id="an unmarked machine belongs to whose ledger knows it"),
        pytest.param(hanging, id="a hanging sweep is given up"),
        pytest.param(broken, id="a broken adapter blinds and does not kill"),
        pytest.param(left_out, id="what a listing leaves out is asked for, and shown from then on"),
        pytest.param(mute, id="an inquiry that fails blinds and kills nobody"),
        pytest.param(announced, id="announced changes are looked at between the intervals"),
    ],
)
def test_a_sweeper_keeps_its_promises(
    story: Callable[[], Coroutine[Any, Any, None]], caplog: pytest.LogCaptureFixture
) -> None:
    """Each story is one promise."""
    caplog.set_level(logging.CRITICAL)
    virtual_time.run(story())
