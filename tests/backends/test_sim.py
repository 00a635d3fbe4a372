"""The simulated cloud keeps the contract when all is well, and breaks it in named ways when told to."""

import asyncio
import random
from datetime import timedelta

import pytest

from backends.cloud import CloudTraits, LaunchSpec, MachineState, Mark
from backends.errors import Ambiguous, NoCapacity, Refused, Throttled, Unreachable
from backends.sim import Habits, SimCloud
from backends.sim_faults import POSSIBLE, Fault, Faults, Verb
from tests.backends.contract import AnnouncedContract, CloudContract, FarContract, RoomContract, Site, mark
from tests.backends.local_world import Clock

SPEC = LaunchSpec("image", "m1.small")
IMAGES = frozenset({CloudContract.spec.image_id})


def second(number: float) -> timedelta:
    """*number* seconds."""
    return timedelta(seconds=number)


class VirtualTime(Clock):
    """A clock that jumps ahead when somebody sleeps."""

    async def sleep(self, delay_s: float) -> None:
        """Nothing; *delay_s* have passed."""
        self.now += second(delay_s)
        await asyncio.sleep(0)


class SimSite(Site):
    """A simulated cloud, and its knobs."""

    cloud: SimCloud

    async def leave_room(self, count: int) -> None:
        """See the suite."""
        self.cloud.capacity = count

    async def go_dark(self) -> None:
        """See the suite."""
        self.cloud.faults.outage = True


class TestSimCloud(CloudContract, AnnouncedContract, RoomContract, FarContract):
    """The simulated cloud keeps every promise of a cloud that lives in one process, and tells its machines nothing."""

    @pytest.fixture
    def site(self):
        """A simulated cloud where nothing goes wrong."""
        return SimSite(sim(habits=Habits(images=IMAGES)))


def sim(**knobs) -> SimCloud:
    """A cloud with virtual time and the chance of seed 1."""
    time = knobs.pop("time", None) or VirtualTime()
    knobs.setdefault("random", random.Random(1))
    return SimCloud("sim", clock=time, sleep=time.sleep, **knobs)


async def launch(cloud: SimCloud, count: int = 1, token: str = "token"):
    """The machines that *cloud* launches for *token*."""
    return await cloud.launch(SPEC, count, token, mark(token))


async def states(cloud: SimCloud) -> list[MachineState]:
    """The states of all machines that a sweep shows."""
    return [machine.state for machine in (await cloud.sweep()).machines]


async def test_machine_boots_runs_shuts_down_and_leaves():
    """Each state lasts as long as the cloud's habits say."""
    time = VirtualTime()
    cloud = sim(time=time, habits=Habits(boot_delay_s=10, terminate_delay_s=5, dead_listed_s=60))
    [machine] = await launch(cloud)
    seen = [await states(cloud)]
    for wait_s in (10, 0, 5, 60):
        if wait_s == 0:
            await cloud.terminate([machine.machine_id])
        time.now += second(wait_s)
        seen.append(await states(cloud))

    assert seen == [["pending"], ["running"], ["shutting-down"], ["terminated"], []]
    assert cloud.alive() == []
    assert len(cloud.ledger) == 1


@pytest.mark.parametrize(
    ("fault", "error", "born"),
    [
        pytest.param(Fault.UNREACHABLE, Unreachable, 0, id="unreachable"),
        pytest.param(Fault.THROTTLED, Throttled, 0, id="throttled"),
        pytest.param(Fault.NO_CAPACITY, NoCapacity, 0, id="no capacity"),
        pytest.param(Fault.REFUSED, Refused, 0, id="refused"),
        pytest.param(Fault.LOST_BEFORE, Ambiguous, 0, id="request lost"),
        pytest.param(Fault.LOST_AFTER, Ambiguous, 3, id="reply lost"),
    ],
)
async def test_launch_fails_in_the_way_that_was_scripted(fault, error, born):
    """The error and the truth behind it are as the fault's name says; the call after it is unharmed."""
    cloud = sim()
    cloud.faults.script(Verb.LAUNCH, [fault])

    with pytest.raises(error):
        await launch(cloud, 3)
    assert len(cloud.ledger) == born
    assert len(await launch(cloud, 3)) == 3
    assert len(cloud.ledger) == 3


@pytest.mark.parametrize(
    ("fault", "alive"),
    [
        pytest.param(Fault.UNREACHABLE, 1, id="unreachable"),
        pytest.param(Fault.LOST_BEFORE, 1, id="request lost"),
        pytest.param(Fault.LOST_AFTER, 0, id="reply lost"),
    ],
)
async def test_terminate_fails_in_the_way_that_was_scripted(fault, alive):
    """A terminate that raises has or has not ended the machine, as the fault's name says."""
    cloud = sim()
    [machine] = await launch(cloud)
    cloud.faults.script(Verb.TERMINATE, [fault])

    with pytest.raises((Unreachable, Ambiguous)):
        await cloud.terminate([machine.machine_id])
    assert len(cloud.alive()) == alive


async def test_partial_launch_makes_some():
    """A partial launch makes fewer than asked, and at least one; repeated, it makes the rest."""
    cloud = sim()
    cloud.faults.script(Verb.LAUNCH, [Fault.PARTIAL])

    some = await launch(cloud, 5)
    rest = await launch(cloud, 5)

    assert 1 <= len(some) < 5
    assert [machine.index for machine in rest] == [0, 1, 2, 3, 4]
    assert len(cloud.ledger) == 5


async def test_cloud_that_ignores_tokens_launches_twice():
    """Without idempotent tokens a repeated launch makes other machines."""
    cloud = sim(traits=CloudTraits(token_is_idempotent=False, launch_batch_max=20, visible_after_s=0))

    await launch(cloud, 2)
    await launch(cloud, 2)

    assert len(cloud.alive()) == 4


async def test_token_is_forgotten_with_its_last_listing():
    """When a dead machine is not listed any more, its token launches anew."""
    time = VirtualTime()
    cloud = sim(time=time, habits=Habits(dead_listed_s=60))
    [machine] = await launch(cloud)
    cloud.kill(machine.machine_id)
    time.now += second(60)

    [other] = await launch(cloud)

    assert other.machine_id != machine.machine_id


async def test_full_cloud_gives_what_it_has_and_then_refuses():
    """Capacity counts machines in any state; fewer is an answer, none is NoCapacity."""
    cloud = sim(capacity=3)

    assert len(await launch(cloud, 5)) == 3
    with pytest.raises(NoCapacity):
        await launch(cloud, token="other")
    cloud.kill(cloud.ledger[0].machine_id)
    assert len(await launch(cloud, token="other")) == 1


async def test_new_machine_may_show_late():
    """A machine appears in sweeps within the delay that the cloud's habits allow, and lives before."""
    time = VirtualTime()
    cloud = sim(time=time, habits=Habits(visible_delay_s_max=30))
    await launch(cloud, 20)

    early = len(await states(cloud))
    time.now += second(30)

    assert early < 20
    assert len(await states(cloud)) == 20


@pytest.mark.parametrize(
    ("fault", "complete"),
    [
        pytest.param(Fault.INCOMPLETE_SWEEP, False, id="incomplete and says so"),
        pytest.param(Fault.EMPTY_SWEEP, True, id="empty and lies"),
    ],
)
async def test_broken_sweep_lacks_machines_that_live(fault, complete):
    """Machines missing from a broken sweep are alive, and the next sweep shows them."""
    cloud = sim()
    await launch(cloud, 5)
    cloud.faults.script(Verb.SWEEP, [fault])

    sweep = await cloud.sweep()

    assert len(sweep.machines) < 5
    assert sweep.complete is complete
    assert len(cloud.alive()) == len(await states(cloud)) == 5


async def test_machines_die_vanish_hide_and_break():
    """Whatever happens to a machine unasked shows in the next sweep, and the ledger keeps the truth."""
    cloud = sim()
    killed, vanished, hidden, stopped, broken = await launch(cloud, 5)
    cloud.kill(killed.machine_id, reason="Out of memory")
    cloud.kill(vanished.machine_id, listed=False)
    cloud.hide(hidden.machine_id)
    cloud.put(stopped.machine_id, MachineState.STOPPED)
    cloud.put(broken.machine_id, MachineState.ERROR, "No valid host")

    swept = {m.machine_id: (m.state, m.state_reason) for m in (await cloud.sweep()).machines}
    cloud.show(hidden.machine_id)

    assert swept == {
        killed.machine_id: ("terminated", "Out of memory"),
        stopped.machine_id: ("stopped", ""),
        broken.machine_id: ("error", "No valid host"),
    }
    assert {life.machine_id for life in cloud.alive()} == {m.machine_id for m in (hidden, stopped, broken)}
    assert len((await cloud.sweep()).machines) == 4


async def test_planted_machine_is_shown_with_the_mark_it_has():
    """Machines that nobody here launched are swept too: of another gateway, or without a readable mark."""
    cloud = sim()
    foreign = Mark("another", "group", "token")
    cloud.plant(SPEC, foreign)
    cloud.plant(SPEC, None)

    assert [machine.mark for machine in (await cloud.sweep()).machines] == [foreign, None]


@pytest.mark.parametrize(
    ("fault", "born"),
    [
        pytest.param(Fault.SLOW_BEFORE, 0, id="before the effect"),
        pytest.param(Fault.SLOW_AFTER, 1, id="after the effect"),
    ],
)
async def test_caller_that_gives_up_on_a_slow_call_prevents_only_what_was_not_done(fault, born):
    """A cancelled slow launch has made its machine, or not, as the fault's name says."""
    forever = asyncio.Event()

    async def sleep(_delay_s):
        await forever.wait()

    cloud = SimCloud("sim", clock=Clock(), random=random.Random(1), sleep=sleep)
    cloud.faults.script(Verb.LAUNCH, [fault])

    call = asyncio.ensure_future(launch(cloud))
    await asyncio.wait([call], timeout=0.01)
    call.cancel()
    await asyncio.wait([call])

    assert len(cloud.ledger) == born


async def test_outage_stops_every_verb_until_it_ends():
    """During an outage nothing is seen and nothing happens; machines live on."""
    cloud = sim()
    [machine] = await launch(cloud)
    cloud.faults.outage = True

    for call in (cloud.sweep(), launch(cloud, token="other"), cloud.terminate([machine.machine_id])):
        with pytest.raises(Unreachable):
            await call
    assert not (await cloud.probe()).reachable
    cloud.faults.calm()
    assert await states(cloud) == ["running"]


async def test_time_alone_is_announced_too():
    """A machine that finishes booting is a change, though nobody did anything."""
    time = VirtualTime()
    cloud = sim(time=time, habits=Habits(boot_delay_s=10))
    await launch(cloud)
    await cloud.sweep()

    async with asyncio.timeout(5):
        await cloud.wait_for_change()

    assert await states(cloud) == ["running"]


async def test_death_is_announced_to_who_waits():
    """A kill ends a wait that began before it."""
    cloud = sim()
    [machine] = await launch(cloud)
    await cloud.sweep()
    waiting = asyncio.ensure_future(cloud.wait_for_change())
    await asyncio.wait([waiting], timeout=0)

    cloud.kill(machine.machine_id)

    async with asyncio.timeout(5):
        await waiting


async def history(seed: int) -> list[object]:
    """What a hundred calls to a bad cloud answer, and the truth behind it."""
    time = VirtualTime()
    chances = {(verb, fault): 0.05 for verb in Verb for fault in POSSIBLE[verb]}
    cloud = sim(
        time=time,
        random=random.Random(seed),
        faults=Faults(chances=chances),
        habits=Habits(boot_delay_s=3, terminate_delay_s=3, visible_delay_s_max=5, call_s=0.1),
        capacity=30,
    )
    seen: list[object] = []
    for number in range(100):
        try:
            if number % 3 == 0:
                seen.append(await launch(cloud, 2, f"token-{number}"))
            elif number % 3 == 1:
                seen.append(await cloud.sweep())
            else:
                await cloud.terminate([life.machine_id for life in cloud.alive()[:1]])
        except (Unreachable, Throttled, Refused, NoCapacity, Ambiguous) as error:
            seen.append(f"{type(error).__name__}: {error}")
    return [*seen, [(life.machine_id, life.born_at, life.died_at) for life in cloud.ledger]]


async def test_seed_repeats_everything():
    """The same seed gives the same answers and the same truth; another seed gives others."""
    assert await history(1) == await history(1)
    assert await history(1) != await history(2)


def test_fault_that_a_verb_cannot_suffer_is_refused():
    """A sweep cannot lack capacity."""
    with pytest.raises(ValueError, match="sweep cannot suffer"):
        Faults().script(Verb.SWEEP, [Fault.NO_CAPACITY])
