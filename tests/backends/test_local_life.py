"""Life and death of local machines: real processes, killed in every way."""

import asyncio
import os
import shutil
import signal
import stat
from datetime import timedelta

import pytest

from backends.cloud import LaunchSpec, MachineState
from backends.errors import NoCapacity, Refused, Unreachable
from backends.local import Image, LocalCloud
from backends.local.cloud import RECORD_KEPT_S
from tests.backends.contract import all_in, sweep_until
from tests.backends.local_world import SLEEPER, Clock, descriptors, local_world, until, zombies


@pytest.fixture
async def world(tmp_path):
    """A state directory whose processes end with the test."""
    async with local_world(tmp_path) as world:
        yield world


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        pytest.param(signal.SIGKILL, "Its process was killed by signal 9 (SIGKILL)", id="KILL"),
        pytest.param(signal.SIGSEGV, "Its process was killed by signal 11 (SIGSEGV)", id="SEGV"),
    ],
)
async def test_death_by_a_signal_from_outside_is_announced(world, number, reason):
    """Whoever waits for a change hears of a killed machine, and the sweep says how it died."""
    cloud = world.open()
    [machine] = await world.launch(cloud)
    await cloud.sweep()

    os.kill(world.first_process(machine.machine_id), number)

    async with asyncio.timeout(2):
        await cloud.wait_for_change()
    [dead] = (await cloud.sweep()).machines
    assert (dead.state, dead.state_reason) == (MachineState.TERMINATED, reason)


async def test_sweep_sees_a_death_before_the_watch_does(world):
    """A sweep looks at the processes themselves: a machine killed a moment ago is shown dead."""
    cloud = world.open()
    [machine] = await world.launch(cloud)
    pid = world.first_process(machine.machine_id)

    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222 - the event loop must not see the death first

    assert [m.state for m in (await cloud.sweep()).machines] == [MachineState.TERMINATED]


async def test_death_is_seen_by_polling_without_pidfd(world, monkeypatch):
    """On a kernel without pidfd, deaths are announced a little later."""
    monkeypatch.setattr("backends.local.watch.POLL_S", 0.01)
    cloud = world.open()
    cloud._watch._pidfd_open = None
    [machine] = await world.launch(cloud)
    await cloud.sweep()

    os.kill(world.first_process(machine.machine_id), signal.SIGKILL)

    async with asyncio.timeout(2):
        await cloud.wait_for_change()
    assert [m.state for m in (await cloud.sweep()).machines] == [MachineState.TERMINATED]


async def test_machine_that_ends_by_itself_says_how(world):
    """The exit status and the last line of the console log are the reason."""
    cloud = world.open()
    await world.launch(cloud, "quitter")

    [dead] = (await sweep_until(cloud, all_in(MachineState.TERMINATED))).machines

    assert dead.state_reason == "Its process ended with status 3; console: goodbye"


async def test_program_that_cannot_be_executed_says_so(world, tmp_path):
    """A script without its interpreter dies at once, with the shell's own words as the reason."""
    script = tmp_path / "script"
    script.write_text("#!/nonexistent/interpreter\n")
    script.chmod(0o755)
    cloud = LocalCloud("hotel", tmp_path / "s", world.gateway_id, {"bad": Image((str(script),))}, clock=Clock())
    await world.launch(cloud, "bad")

    [dead] = (await sweep_until(cloud, all_in(MachineState.TERMINATED))).machines
    await cloud.close()

    assert dead.state_reason.startswith("Its process ended with status 127 (not found); console: ")


@pytest.mark.parametrize("how", ["terminate", "kill"])
async def test_nothing_is_left_of_a_dead_machine(world, how):
    """Children go with the machine, also those that left its session or dropped their environment."""
    cloud = world.open(terminate_grace_s=5.0)
    [machine] = await world.launch(cloud, "tree")
    await until((world.folder(machine.machine_id) / "home" / "ready").exists)
    tree = await until(lambda: len(found := world.processes(machine.machine_id)) >= 4 and found)

    if how == "terminate":
        await cloud.terminate([machine.machine_id])
    else:
        os.kill(world.first_process(machine.machine_id), signal.SIGKILL)
    await sweep_until(cloud, all_in(MachineState.TERMINATED))

    assert not {process.pid for process in tree} & {process.pid for process in world.processes()}
    assert world.processes() == []
    assert zombies() == []


async def test_machine_that_ignores_term_is_killed_after_the_grace(world):
    """Terminate returns at once; a sweep shows the machine shutting down, then terminated."""
    cloud = world.open(terminate_grace_s=0.2)
    [machine] = await world.launch(cloud, "stubborn")
    await until((world.folder(machine.machine_id) / "home" / "ready").exists)

    await cloud.terminate([machine.machine_id])
    during = (await cloud.sweep()).machines
    [dead] = (await sweep_until(cloud, all_in(MachineState.TERMINATED))).machines

    assert [m.state for m in during] == [MachineState.SHUTTING_DOWN]
    assert dead.state_reason == "Terminated on request"
    assert world.processes() == []


async def test_many_machines_leave_no_descriptor_and_no_zombie(world):
    """After fifty launches and terminations the gateway holds what it held before."""
    cloud = world.open(terminate_grace_s=5.0)
    await world.launch(cloud, token="warm-up")
    await cloud.sweep()
    before = descriptors()

    for batch in range(5):
        launched = await world.launch(cloud, count=10, token=f"batch-{batch}")
        await cloud.terminate([machine.machine_id for machine in launched])
        await sweep_until(cloud, lambda s: sum(m.state is not MachineState.TERMINATED for m in s.machines) == 1)

    assert descriptors() == before
    assert zombies() == []


async def test_full_cloud_gives_what_it_has_and_then_refuses(world):
    """Fewer machines is an answer; none is NoCapacity; a dead machine makes room."""
    cloud = world.open(vms_max=3)

    launched = await world.launch(cloud, count=5)
    with pytest.raises(NoCapacity, match="3 of 3 places are taken"):
        await world.launch(cloud, token="another")
    await cloud.terminate([launched[0].machine_id])
    await sweep_until(cloud, lambda sweep: MachineState.TERMINATED in {m.state for m in sweep.machines})

    assert len(launched) == 3
    assert len(await world.launch(cloud, token="another")) == 1


async def test_unknown_image_is_refused_with_those_there_are(world):
    """The refusal of an unknown image names the images of the cloud."""
    with pytest.raises(Refused, match=r"'no-such' does not exist on cloud 'hotel'.*hello-phantom.gz.*sleeper"):
        await world.launch(world.open(), "no-such")


async def test_image_without_its_program_is_refused(world):
    """An image whose command is not there is refused before anything is made."""
    with pytest.raises(Refused, match="'/nonexistent/program' is not an executable file"):
        await world.launch(world.open(), "absent")

    assert list((world.directory / "hotel").glob("i-*")) == []


async def test_launch_that_cannot_fork_leaves_nothing(world, monkeypatch):
    """A start that fails for certain is undone: no directory, no address, and the token may be tried again."""

    def cannot_fork(*_args, **_knobs):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    cloud = world.open()
    with monkeypatch.context() as patch:
        patch.setattr("backends.local.start.spawned", cannot_fork)
        with pytest.raises(NoCapacity, match="Resource temporarily unavailable"):
            await world.launch(cloud)

    assert list((world.directory / "hotel").glob("i-*")) == []
    assert list((world.directory / ".addresses").iterdir()) == []
    assert len(await world.launch(cloud)) == 1


async def test_caller_that_gives_up_does_not_stop_a_launch_halfway(world):
    """A launch cancelled in the middle finishes by itself; repeated, it returns the same machine."""
    cloud = world.open()
    await cloud.sweep()
    attempt = asyncio.ensure_future(world.launch(cloud, count=3))
    await asyncio.wait([attempt], timeout=0)
    attempt.cancel()

    launched = await world.launch(cloud, count=3)

    assert len(launched) == 3
    assert len(world.processes()) == 3


async def test_caller_that_gives_up_on_the_first_sweep_harms_nobody(world):
    """A cloud whose opening was cancelled is neither locked out nor half read."""
    cloud = world.open()
    attempt = asyncio.ensure_future(cloud.sweep())
    await asyncio.wait([attempt], timeout=0)
    attempt.cancel()
    await asyncio.wait([attempt])

    assert (await cloud.sweep()).complete
    assert len(await world.launch(cloud)) == 1


async def test_caller_that_gives_up_on_a_termination_does_not_stop_it(world):
    """A terminate cancelled in the middle still ends in KILL for a machine that ignores TERM."""
    cloud = world.open(terminate_grace_s=0.1)
    [machine] = await world.launch(cloud, "stubborn")
    await until((world.folder(machine.machine_id) / "home" / "ready").exists)
    attempt = asyncio.ensure_future(cloud.terminate([machine.machine_id]))
    await until((world.folder(machine.machine_id) / "terminate.json").exists)
    attempt.cancel()
    await asyncio.wait([attempt])

    await sweep_until(cloud, all_in(MachineState.TERMINATED))

    assert world.processes() == []


async def test_files_of_a_machine_are_private_and_user_data_goes_with_it(world):
    """Only the gateway's user reads a machine's files; its user data is deleted when it dies."""
    cloud = world.open()
    spec = LaunchSpec("talker", "m1.small", user_data=b"\x00secret\xff")
    [machine] = await cloud.launch(spec, 1, "token", world.mark())
    folder = world.folder(machine.machine_id)
    await until((folder / "home" / "ready").exists)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}
    console = (folder / "console.log").read_bytes()
    assert modes[folder.name] == 0o700
    assert modes["user-data"] == modes["console.log"] == modes["record.json"] == 0o600
    assert console.endswith(b"\x00secret\xff")
    assert "secret" not in (folder / "record.json").read_text()

    await cloud.terminate([machine.machine_id])
    await sweep_until(cloud, all_in(MachineState.TERMINATED))
    assert not (folder / "user-data").exists()


async def test_environment_holds_the_machine_and_nothing_of_the_gateway(world, monkeypatch):
    """A machine knows who it is, and sees none of the gateway's variables."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the gateway")
    cloud = world.open()
    [machine] = await world.launch(cloud, "talker")
    folder = world.folder(machine.machine_id)
    await until((folder / "home" / "ready").exists)

    console = (folder / "console.log").read_text()
    variables = dict(line.split("=", 1) for line in console.splitlines())
    assert variables["PHANTOM_INSTANCE_ID"] == machine.machine_id
    assert variables["PHANTOM_ADDRESS"] == machine.private_ip
    assert variables["PHANTOM_MACHINE"] == f"{world.gateway_id}/{machine.machine_id}"
    assert variables["HOME"] == str(folder / "home")
    assert {name for name in variables if not name.startswith("PHANTOM_")} == {"PATH", "HOME", "LANG", "PWD"}


async def test_dead_machine_leaves_the_sweeps_and_its_token_is_still_remembered(world):
    """After RECORD_KEPT_S a dead machine is not listed; its log is kept, and its token launches nothing."""
    clock = Clock()
    cloud = world.open(clock=clock)
    [machine] = await world.launch(cloud)
    await cloud.terminate([machine.machine_id])
    await sweep_until(cloud, all_in(MachineState.TERMINATED))

    clock.now += timedelta(seconds=RECORD_KEPT_S)
    await cloud.sweep()

    assert (await cloud.sweep()).machines == ()
    assert (world.directory / "hotel" / "dead" / machine.machine_id / "console.log").exists()
    assert [m.state for m in await world.launch(cloud)] == [MachineState.TERMINATED]
    assert world.processes() == []


async def test_only_so_many_dead_are_kept(world, monkeypatch):
    """The oldest of the dead is forgotten when there are too many, with its token."""
    monkeypatch.setattr("backends.local.directory.DEAD_KEPT_MAX", 2)
    clock = Clock()
    cloud = world.open(clock=clock)
    for token in ("a", "b", "c"):
        [machine] = await world.launch(cloud, token=token)
        await cloud.terminate([machine.machine_id])
        await sweep_until(cloud, all_in(MachineState.TERMINATED))
        clock.now += timedelta(seconds=RECORD_KEPT_S)
        await cloud.sweep()

    assert len(list((world.directory / "hotel" / "dead").iterdir())) == 2
    assert [m.state for m in await world.launch(cloud, token="a")] == [MachineState.RUNNING]
    assert [m.state for m in await world.launch(cloud, token="c")] == [MachineState.TERMINATED]


async def test_long_console_log_is_cut_and_its_end_kept(world, monkeypatch):
    """A log over its limit is emptied, its last part is kept aside, and the machine writes on."""
    monkeypatch.setattr("backends.local.directory.CONSOLE_BYTES_MAX", 100)
    monkeypatch.setattr("backends.local.directory.CONSOLE_TAIL_BYTES", 10)
    cloud = world.open()
    [machine] = await world.launch(cloud)
    log = world.folder(machine.machine_id) / "console.log"
    log.write_bytes(b"x" * 100 + b"0123456789")

    await cloud.sweep()

    assert log.read_bytes() == b""
    assert log.with_name("console.log.old").read_bytes() == b"0123456789"


async def test_closed_cloud_is_unreachable(world):
    """After close every verb says so, and machines live on."""
    cloud = world.open()
    await world.launch(cloud)
    await cloud.close()

    with pytest.raises(Unreachable, match="closed"):
        await cloud.sweep()
    assert len(world.processes()) == 1


async def test_mark_of_another_gateway_is_refused(world):
    """A machine that no sweep of ours would show is not launched."""
    mark = type(world.mark())("somebody-else", "g", "token")

    with pytest.raises(Refused, match="somebody-else"):
        await world.open().launch(SLEEPER, 1, "token", mark)


@pytest.mark.parametrize("name", ["", ".", "a/b", "..", ".hidden"])
def test_cloud_name_has_to_name_a_directory(tmp_path, name):
    """A name that would leave the state directory is refused when the cloud is made."""
    with pytest.raises(ValueError, match="cannot name a cloud"):
        LocalCloud(name, tmp_path, "gw", {}, clock=Clock())


async def test_directory_that_cannot_be_made_is_a_finding_with_a_remedy(world):
    """A state directory below a file makes the probe say what to do, and every verb Unreachable."""
    (world.directory / "file").write_text("")
    cloud = LocalCloud("hotel", world.directory / "file", world.gateway_id, {}, clock=Clock())

    probe = await cloud.probe()
    with pytest.raises(Unreachable, match="cannot be opened"):
        await cloud.sweep()
    await cloud.close()

    assert not probe.reachable
    assert any("make it writable, or choose another directory" in finding for finding in probe.findings)


async def test_full_cloud_is_a_finding(world):
    """The probe of a cloud without a free place says so."""
    cloud = world.open(vms_max=1)
    await world.launch(cloud)

    assert [f for f in (await cloud.probe()).findings if "all 1 places are taken" in f]


async def test_work_on_disk_keeps_the_event_loop_free(world, monkeypatch):
    """No step of a launch, a sweep or a termination runs on the event loop's own thread."""
    cloud = world.open()
    seen = []
    real = cloud._workers.run

    async def counted(step, *args):
        seen.append(step.__name__)
        return await real(step, *args)

    monkeypatch.setattr(cloud._workers, "run", counted)
    [machine] = await world.launch(cloud)
    await cloud.sweep()
    await cloud.terminate([machine.machine_id])
    await sweep_until(cloud, all_in(MachineState.TERMINATED))

    assert {"lock", "loaded", "prepared", "begin", "_look", "begin_to_terminate", "buried"} <= set(seen)


async def test_full_disk_keeps_no_machine_alive(world, monkeypatch):
    """When nothing can be written any more, machines still end, and sweeps still tell."""

    def cannot_write(*_args, **_knobs):
        raise OSError(28, "No space left on device")

    cloud = world.open()
    [machine] = await world.launch(cloud)
    with monkeypatch.context() as patch:
        patch.setattr("backends.local.directory.write_whole", cannot_write)

        await cloud.terminate([machine.machine_id])
        await sweep_until(cloud, all_in(MachineState.TERMINATED))

        with pytest.raises(NoCapacity, match="No space left on device"):
            await world.launch(cloud, token="another")
    assert world.processes() == []
    assert len(await world.launch(cloud, token="another")) == 1


async def test_directory_removed_by_hand_blinds_nobody(world):
    """A machine whose files somebody deleted is shown, ends when told to, and is forgotten in time."""
    clock = Clock()
    cloud = world.open(clock=clock)
    [machine] = await world.launch(cloud)
    shutil.rmtree(world.folder(machine.machine_id))

    before = (await cloud.sweep()).machines
    await cloud.terminate([machine.machine_id])
    await sweep_until(cloud, all_in(MachineState.TERMINATED))
    clock.now += timedelta(seconds=RECORD_KEPT_S)
    await cloud.sweep()

    assert [m.state for m in before] == [MachineState.RUNNING]
    assert (await cloud.sweep()).machines == ()
    assert world.processes() == []
