"""Processes are told apart for certain, and addresses are handed out once."""

import os
import signal
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.errors import NoCapacity
from backends.local import addresses, processes
from backends.local.processes import Identity


@pytest.fixture
def child():
    """A child of this process in a session of its own, and its identity."""
    child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    stat = processes.stat_of(child.pid)
    assert stat is not None
    yield child, Identity(child.pid, stat.start_ticks, processes.current_boot_id())
    child.kill()
    child.wait()


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=15))
def test_program_name_cannot_forge_a_stat_line(name):
    """Brackets, blanks and digits in a program's name do not move the other fields."""
    fields = " ".join(["S", "1", "7", "7", *["0"] * 15, "424242", "0", "0"])

    stat = processes.parsed_stat(f"7 ({name}) {fields}")

    assert (stat.pid, stat.state, stat.parent, stat.session, stat.start_ticks) == (7, "S", 1, 7, 424242)


@pytest.mark.parametrize("line", ["", "7", "7 (sh) S 1", "seven (sh) S 1 1 1"])
def test_anything_else_is_no_stat_line(line):
    """A line cut short is an error, not a process."""
    with pytest.raises(ValueError, match=r"stat line|invalid literal"):
        processes.parsed_stat(line)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"start_ticks": 1}, id="another start time"),
        pytest.param({"boot_id": "another"}, id="another boot"),
        pytest.param({"pid": 2**22 + 1}, id="no such pid"),
    ],
)
def test_only_the_very_process_is_living(child, change):
    """A process is alive only as itself."""
    _, identity = child

    assert processes.living(identity) is not None
    assert processes.living(replace(identity, **change)) is None


def test_zombie_is_dead_and_reaped_once(child):
    """A killed child that waits to be reaped is not living; reaping tells its signal, once."""
    process, identity = child
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    assert processes.living(identity) is None
    assert processes.reaped(replace(identity, start_ticks=1)) is None
    assert processes.reaped(identity) == -signal.SIGKILL
    assert processes.reaped(identity) is None


def test_signal_does_not_hit_a_stranger_with_the_same_pid(child):
    """A process that started at another time than expected gets nothing."""
    process, _ = child
    stat = processes.stat_of(process.pid)
    assert stat is not None

    processes.strike(replace(stat, start_ticks=stat.start_ticks + 1), signal.SIGKILL, 0.05)

    assert process.poll() is None


def test_tree_of_a_reused_pid_spares_the_session_that_has_it_now(child):
    """When a younger process has the pid of a dead machine, its session is not the machine's."""
    process, identity = child
    dead = replace(identity, start_ticks=identity.start_ticks - 1)

    assert process.pid in {stat.pid for stat in processes.tree_of(identity, "no/such-machine")}
    assert processes.tree_of(dead, "no/such-machine") == []


def test_kill_works_without_pidfd(child, monkeypatch):
    """On a kernel without pidfd a tree is killed all the same."""
    process, identity = child
    monkeypatch.delattr(os, "pidfd_open")

    assert processes.kill_tree(identity, "no/such-machine") == 0
    assert process.wait() == -signal.SIGKILL


@given(st.text(max_size=20), st.integers(0, addresses.PROBES_MAX))
def test_addresses_keep_clear_of_what_others_use(owner, attempt):
    """Every address is in 127.1.0.0 to 127.254.255.254 and ends neither in 0 nor in 255."""
    numbers = [int(part) for part in addresses.candidate(owner, attempt).split(".")]

    assert numbers[0] == 127
    assert 1 <= numbers[1] <= 254
    assert 1 <= numbers[3] <= 254


def test_address_is_its_owners_until_it_is_released(tmp_path):
    """The same owner gets the same address; another one's release does not free it."""
    pool = addresses.Addresses(tmp_path)
    address = pool.reserve("hotel/i-1")

    pool.release(address, "hotel/i-2")
    assert pool.reserve("hotel/i-1") == address
    assert (tmp_path / address).is_symlink()
    pool.release(address, "hotel/i-1")
    pool.release(address, "hotel/i-1")
    assert not (tmp_path / address).is_symlink()


def test_pool_without_a_free_address_has_no_capacity(tmp_path, monkeypatch):
    """When every neighbour is taken, there is no address."""
    monkeypatch.setattr(addresses, "COUNT", 256)
    pool = addresses.Addresses(tmp_path)
    for number in range(254):
        pool.reserve(f"hotel/i-{number}")

    with pytest.raises(NoCapacity, match="No loopback address is free"):
        pool.reserve("hotel/one-more")
