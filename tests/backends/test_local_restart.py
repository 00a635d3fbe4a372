"""Gateways that die at any moment: local machines outlive them, and none is started twice."""

import asyncio
import json
import os
import select
import signal
from datetime import timedelta

import pytest

from backends.cloud import MachineState
from backends.errors import Unreachable
from backends.local.cloud import UNSTARTED_KEPT_S
from backends.local.directory import MachineDirectory
from backends.local.records import machine_id_of
from tests.backends.contract import all_in, sweep_until
from tests.backends.local_world import Clock, local_world, now, until

DIE = "os.kill(os.getpid(), signal.SIGKILL)"

AFTER_MKDIR = f"""
from backends.local.directory import MachineDirectory
MachineDirectory.fill = lambda self, record, user_data: {DIE}
"""

AFTER_RECORD = f"""
from backends.local import machines
machines.started = lambda *_: {DIE}
"""

AFTER_FORK = f"""
from backends.local import start
start.closed_in_time = lambda *_: {DIE}
"""

AFTER_FORK_BEFORE_PID = (
    """
from backends.local import start
start.PROLOGUE = "read _ < " + directory + "/held\\n" + start.PROLOGUE
"""
    + AFTER_FORK
)


@pytest.fixture
async def world(tmp_path):
    """A state directory whose processes end with the test."""
    async with local_world(tmp_path) as world:
        yield world


async def test_machines_outlive_their_gateway_and_are_adopted(world):
    """A new gateway's first sweep shows what the killed one launched, and its tokens launch nothing anew."""
    launched = await world.other_gateway(count=3)
    cloud = world.open()

    sweep = await cloud.sweep()
    again = await world.launch(cloud, count=3)

    assert sweep.complete
    assert {(m.machine_id, m.state, m.mark) for m in sweep.machines} == {
        (machine_id, MachineState.RUNNING, world.mark()) for machine_id in launched
    }
    assert {machine.machine_id for machine in again} == set(launched)
    assert len(world.processes()) == 3


async def test_death_of_an_adopted_machine_is_announced(world):
    """The watch covers machines that another gateway started."""
    [machine_id] = await world.other_gateway()
    cloud = world.open()
    await cloud.sweep()

    os.kill(world.first_process(machine_id), signal.SIGKILL)

    async with asyncio.timeout(2):
        await cloud.wait_for_change()
    [dead] = (await cloud.sweep()).machines
    assert (dead.state, dead.state_reason) == (
        MachineState.TERMINATED,
        "Its process ended while no gateway could see how",
    )


async def test_death_while_no_gateway_ran_is_found_and_cleaned_up(world):
    """A machine killed between two gateways is shown dead by the first sweep, and its children are gone."""
    [machine_id] = await world.other_gateway("tree")
    await until(lambda: len(world.processes(machine_id)) >= 4)
    first = world.first_process(machine_id)
    os.kill(first, signal.SIGKILL)
    # On a busy machine the process may not have got its signal yet.
    await until(lambda: first not in {stat.pid for stat in world.processes(machine_id)})

    [dead] = (await world.open().sweep()).machines

    assert dead.state is MachineState.TERMINATED
    assert world.processes() == []


@pytest.mark.parametrize(
    "sabotage",
    [
        pytest.param(AFTER_MKDIR, id="after mkdir"),
        pytest.param(AFTER_RECORD, id="after the record"),
        pytest.param(AFTER_FORK, id="after fork"),
    ],
)
async def test_launch_repeated_after_a_crash_makes_one_machine_each(world, sabotage):
    """Wherever KILL hits a launching gateway, the same token ends in exactly one process per machine."""
    assert await world.other_gateway(count=2, sabotage=sabotage) == []
    cloud = world.open()

    launched = await world.launch(cloud, count=2)

    assert [machine.state for machine in launched] == [MachineState.RUNNING] * 2
    await until(lambda: len(world.processes()) == 2)
    assert {m.machine_id for m in (await cloud.sweep()).machines} == {m.machine_id for m in launched}
    assert list((world.directory / "hotel").glob(".new-*")) == []


@pytest.mark.parametrize("moment_ms", [0, 1, 2, 4, 6, 9, 13, 18, 24, 31])
async def test_launch_killed_at_any_moment_can_be_repeated(world, moment_ms):
    """Twenty machines, a gateway killed somewhere in between, the same token again: twenty processes, all known."""
    timer = f"import threading; threading.Timer({moment_ms / 1000}, os.kill, (os.getpid(), signal.SIGKILL)).start()"
    await world.other_gateway(count=20, sabotage=timer)
    cloud = world.open()

    launched = await world.launch(cloud, count=20)

    first = {world.first_process(machine.machine_id) for machine in launched}
    assert len(first) == 20
    await until(lambda: {process.pid for process in world.processes()} == first)
    assert {m.machine_id for m in (await cloud.sweep()).machines} == {m.machine_id for m in launched}
    assert len({machine.private_ip for machine in launched}) == 20


async def test_machine_that_never_started_is_no_machine(world):
    """A record without a process is not shown by a sweep."""
    await world.other_gateway(sabotage=AFTER_RECORD)

    sweep = await world.open().sweep()

    assert sweep.machines == ()
    assert sweep.complete
    assert len(list((world.directory / "hotel").glob("i-*"))) == 1


async def test_machine_that_never_started_is_given_up_in_the_end(world):
    """After UNSTARTED_KEPT_S nothing is left of a launch that nobody repeated, its address included."""
    await world.other_gateway(sabotage=AFTER_RECORD)
    clock = Clock()
    clock.now = now()
    cloud = world.open(clock=clock)
    await cloud.sweep()

    clock.now += timedelta(seconds=UNSTARTED_KEPT_S)
    await cloud.sweep()

    assert list((world.directory / "hotel").glob("i-*")) == []
    assert list((world.directory / ".addresses").iterdir()) == []


async def test_late_prologue_loses_against_a_repeated_launch(world):
    """A process forked by the killed gateway that wakes up late finds its record taken, and goes."""
    os.mkfifo(world.directory / "held")
    await world.other_gateway(sabotage=AFTER_FORK_BEFORE_PID)
    [late] = world.processes()
    cloud = world.open()

    [machine] = await world.launch(cloud)
    with_late = {process.pid for process in world.processes()}
    pidfd = os.pidfd_open(late.pid)
    (world.directory / "held").write_text("go\n")
    ended, _, _ = await asyncio.to_thread(select.select, [pidfd], [], [], 10)
    os.close(pidfd)

    assert with_late == {late.pid, world.first_process(machine.machine_id)}
    assert ended
    assert [process.pid for process in world.processes()] == [world.first_process(machine.machine_id)]


async def test_late_prologue_that_wins_is_the_machine(world):
    """A process forked by the killed gateway that starts before the launch is repeated is the only one."""
    os.mkfifo(world.directory / "held")
    await world.other_gateway(sabotage=AFTER_FORK_BEFORE_PID)
    [late] = world.processes()
    cloud = world.open()
    before = await cloud.sweep()

    (world.directory / "held").write_text("go\n")
    machine_id = machine_id_of(world.gateway_id, "hotel", "token", 0)
    await until(lambda: (world.folder(machine_id) / "pid").exists() and world.first_process(machine_id))
    [machine] = await world.launch(cloud)

    assert before.machines == ()
    assert [m.machine_id for m in (await cloud.sweep()).machines] == [machine.machine_id]
    assert [process.pid for process in world.processes()] == [late.pid]


async def test_termination_goes_on_with_the_next_gateway(world):
    """A gateway killed between TERM and KILL leaves a wish on disk; the next one carries it out."""
    [machine_id] = await world.other_gateway("stubborn")
    await until((world.folder(machine_id) / "home" / "ready").exists)
    first = world.open(terminate_grace_s=1000)
    await first.terminate([machine_id])
    await first.close()

    second = world.open(terminate_grace_s=0.1)
    during = await second.sweep()
    await sweep_until(second, all_in(MachineState.TERMINATED))

    assert [m.state for m in during.machines] == [MachineState.SHUTTING_DOWN]
    assert world.processes() == []


async def test_terminate_of_a_machine_that_never_started_keeps_it_from_starting(world):
    """Given up before it started, a machine never starts, not even by a late prologue."""
    os.mkfifo(world.directory / "held")
    await world.other_gateway(sabotage=AFTER_FORK_BEFORE_PID)
    [late] = world.processes()
    cloud = world.open()

    await cloud.terminate([machine_id_of(world.gateway_id, "hotel", "token", 0)])
    (world.directory / "held").write_text("go\n")

    await until(lambda: not world.processes())
    assert [m.state for m in await world.launch(cloud)] == [MachineState.TERMINATED]
    assert late not in world.processes()


@pytest.mark.parametrize(
    ("line", "position", "value"),
    [
        pytest.param(1, 21, "1", id="the pid is another process now"),
        pytest.param(0, 0, "00000000-0000-0000-0000-000000000000", id="the host was restarted"),
    ],
)
async def test_stranger_with_a_recorded_pid_is_not_our_machine(world, line, position, value):
    """Another start time or boot id makes a machine dead, and the process that has its pid is left alone."""
    [machine_id] = await world.other_gateway()
    folder = world.folder(machine_id)
    lines = [text.split(" ") for text in (folder / "pid").read_text().splitlines()]
    stranger = world.first_process(machine_id)
    lines[line][position] = value
    (folder / "pid").write_text("".join(" ".join(words) + "\n" for words in lines))
    record = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps(record | {"gateway_id": "another"}))
    cloud = world.open()
    cloud._gateway_id = "another"

    [dead] = (await cloud.sweep()).machines
    await cloud.terminate([machine_id])

    assert dead.state is MachineState.TERMINATED
    assert [process.pid for process in world.processes()] == [stranger]


async def test_pid_record_without_content_and_process_is_a_dead_machine(world):
    """A prologue killed between creating and writing its record used up its start: nothing starts in its place."""
    await world.other_gateway(sabotage=AFTER_RECORD)
    machine_id = machine_id_of(world.gateway_id, "hotel", "token", 0)
    (world.folder(machine_id) / "pid").touch()
    cloud = world.open()

    [dead] = (await cloud.sweep()).machines
    again = await world.launch(cloud)

    assert (dead.state, dead.state_reason) == (MachineState.TERMINATED, "Its process died while it was starting")
    assert [m.state for m in again] == [MachineState.TERMINATED]
    assert world.processes() == []


async def test_unreadable_record_of_a_living_machine_makes_sweeps_incomplete(world):
    """Absence is no evidence while a living machine cannot be read; the probe names it, and its end cures it."""
    [machine_id] = await world.other_gateway()
    (world.folder(machine_id) / "record.json").write_text("{")
    cloud = world.open()

    sweep = await cloud.sweep()

    assert not sweep.complete
    assert any(machine_id in finding for finding in (await cloud.probe()).findings)
    os.kill(world.first_process(machine_id), signal.SIGKILL)
    await until(lambda: not world.processes())
    assert (await cloud.sweep()).complete


async def test_unreadable_record_of_a_dead_machine_is_put_aside(world):
    """A broken record without a process hides nothing."""
    await world.other_gateway(sabotage=AFTER_RECORD)
    machine_id = machine_id_of(world.gateway_id, "hotel", "token", 0)
    (world.folder(machine_id) / "record.json").write_text("{")

    sweep = await world.open().sweep()

    assert sweep.complete
    assert (world.directory / "hotel" / "dead" / machine_id).exists()


async def test_machines_of_another_gateway_id_are_left_alone(world):
    """A gateway that finds machines of another one's id neither shows nor ends them."""
    [machine_id] = await world.other_gateway()
    cloud = world.open()
    cloud._gateway_id = "another"

    sweep = await cloud.sweep()
    await cloud.terminate([machine_id])

    assert sweep.machines == ()
    assert len(world.processes()) == 1


async def test_second_gateway_is_kept_out_until_the_first_lets_go(world):
    """One directory has one gateway: the second is told which process has it, and gets it after close."""
    first, second = world.open(), world.open()
    await first.sweep()

    with pytest.raises(Unreachable, match=f"in use by another gateway \\(process {os.getpid()}\\): stop that one"):
        await second.sweep()
    looked_at_beside_it = await second.probe()
    await first.close()

    assert looked_at_beside_it.reachable
    assert (await second.sweep()).complete


async def test_clouds_of_one_gateway_share_a_directory_and_its_addresses(world, monkeypatch):
    """Two clouds that would choose the same address do not."""
    monkeypatch.setattr("backends.local.addresses.COUNT", 256)
    hotel, sierra = world.open("hotel"), world.open("sierra")

    launched = [*await world.launch(hotel, count=20), *await world.launch(sierra, count=20)]

    assert len({machine.private_ip for machine in launched}) == 40


async def test_addresses_of_the_dead_are_free_again(world):
    """Reservations that a killed gateway left behind do not outlast its machines."""
    await world.other_gateway(sabotage=AFTER_MKDIR)
    left = len(list((world.directory / ".addresses").iterdir()))

    await world.open().sweep()

    assert left == 1
    assert list((world.directory / ".addresses").iterdir()) == []


def test_gate_is_shut_once(tmp_path):
    """Giving up a machine twice is no error."""
    directory = MachineDirectory(tmp_path)

    assert directory.shut()
    assert directory.shut()
