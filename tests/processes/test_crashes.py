"""
The gateway killed at any moment: what it answered stays true, and no VM is forgotten or made twice.

The last word is always the host's: processes that really run, not records of them.
"""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.processes.calls import Client, Lost
from tests.support.gateway import Gateway
from tests.support.records import CHOSEN
from tests.support.waiting import wait_for

pytestmark = pytest.mark.processes

KILLS = 20
RUN_S_MAX = 0.4
"""A gateway lives this long at the most before it is killed: some 100 calls, and several passes over the group."""

CLOUDS = ("hotel", "sierra")
SIZE_MAX = 6


@contextmanager
def serving(directory: Path, kind: str) -> Iterator[Gateway]:
    """A gateway with two clouds and a launch configuration for each, and records of this kind; it is killed often."""
    made = Gateway(directory, clouds=CLOUDS, password="", database=kind)
    made.start()
    try:
        for cloud in CLOUDS:
            Client(made.port).make_launch_configuration(f"web@{cloud}", "sleeper")
        yield made
    finally:
        made.stop()


@contextmanager
def calling(gateway: Gateway) -> Iterator[Client]:
    """A client, and a world without groups and VMs after it."""
    made = Client(gateway.port)
    yield made
    if made.group() is not None:
        made.delete()
    wait_for(lambda: made.group() is None and not gateway.vm_pids(), "the group and its VMs to be gone")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The gateway that most tests share; they leave it running, without groups."""
    with serving(tmp_path_factory.mktemp("crashes"), CHOSEN) as made:
        yield made


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    """A client of it."""
    with calling(gateway) as made:
        yield made


def machine_ids(gateway: Gateway) -> list[str]:
    """Ids of the VMs that really run, by the environment of their processes; twice when there are two."""
    environs = [Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") for pid in gateway.vm_pids()]
    prefix = b"PHANTOM_INSTANCE_ID="
    return sorted(
        entry.removeprefix(prefix).decode() for environ in environs for entry in environ if entry.startswith(prefix)
    )


def described_ids(client: Client) -> list[str]:
    """Ids of the group's instances, once it has exactly what it wants."""
    group = wait_for(client.settled, "the group to have what it wants")
    assert group is not None
    return sorted(instance_id for instance_id, _, _ in group.instances)


def agree(gateway: Gateway, client: Client) -> bool:
    """Whether the group has what it wants, and its instances are exactly the VMs that run."""
    group = client.settled()
    return group is not None and sorted(each[0] for each in group.instances) == machine_ids(gateway)


def until_lost(step: Callable[[], object]) -> None:
    """Nothing, once the gateway has gone away under the repeated *step*."""
    try:
        while True:
            step()
    except Lost:
        return


class Scaler:
    """Scales a group up and down, and knows what it must be: *answered*, or *asked* when no answer came."""

    def __init__(self, client: Client, chance: random.Random) -> None:
        self.client = client
        self.chance = chance
        self.answered = 0
        self.asked = 0

    def step(self) -> None:
        """Nothing; the group has another size, or one look more at whether it got there."""
        if self.chance.random() < 0.5:
            self.client.group()  # gives the reconciler a moment, so that kills hit every stage of its work
            return
        self.asked = self.chance.randint(0, SIZE_MAX)
        self.client.resize(self.asked)
        self.answered = self.asked

    def check(self) -> None:
        """Nothing. Raises AssertionError when an answered resize was lost."""
        group = self.client.group()
        assert group is not None
        assert group.desired in {self.answered, self.asked}
        self.answered = self.asked = group.desired


@pytest.mark.timeout(300)  # twenty starts of the interpreter, on machines that may be busy
def test_twenty_kills_lose_no_answer_and_no_vm(tmp_path: Path, kept: str) -> None:
    """However often it is killed while it scales, the group ends with the VMs it desires, each known (F8, F9, F11)."""
    seed = random.randrange(2**32)
    print(f"seed: {seed}")  # noqa: T201 - shown when the test fails, to repeat it
    with serving(tmp_path, kept) as gateway, calling(gateway) as client:
        kill_twenty_times(gateway, client, random.Random(seed))


def kill_twenty_times(gateway: Gateway, client: Client, chance: random.Random) -> None:
    """Nothing; it lost nothing by it. Raises AssertionError."""
    client.make_group("web@hotel", 0, CLOUDS)
    scaler = Scaler(client, chance)

    for _ in range(KILLS):
        killer = threading.Timer(chance.uniform(0, RUN_S_MAX), gateway.kill)
        killer.start()
        until_lost(scaler.step)
        killer.join()
        gateway.start()
        scaler.check()

    for desired in (scaler.answered, SIZE_MAX, chance.randint(0, SIZE_MAX)):
        client.resize(desired)
        wait_for(lambda: agree(gateway, client), f"{desired} instances that are exactly the VMs that run")
        assert len(gateway.vm_pids()) == desired
    assert "rails.breach" not in gateway.log.read_text()
    assert "pass.failed" not in gateway.log.read_text()


@pytest.mark.parametrize(
    "delay_s", [pytest.param(delay_s, id=f"after {delay_s} s") for delay_s in (0.0, 0.02, 0.1, 0.5)]
)
def test_a_kill_in_the_middle_of_a_deletion_is_made_up_for(gateway: Gateway, client: Client, delay_s: float) -> None:
    """F7: a forced deletion that was answered goes on after a crash, until neither VMs nor the group are left."""
    client.make_group("web@hotel", SIZE_MAX, CLOUDS)
    wait_for(client.settled, "six instances")

    client.delete()
    killer = threading.Timer(delay_s, gateway.kill)
    killer.start()
    killer.join()
    gateway.start()

    wait_for(lambda: client.group() is None, "the group to be gone")
    assert gateway.vm_pids() == []


def test_vms_live_on_through_kill_and_termination(gateway: Gateway, client: Client) -> None:
    """Neither kill -9 nor SIGTERM of the gateway ends a VM: the same processes are found again and stay in service."""
    client.make_group("web@hotel", 3, CLOUDS)
    before = described_ids(client)
    pids = sorted(gateway.vm_pids())

    gateway.kill()
    after_kill = sorted(gateway.vm_pids())
    gateway.start()
    after_restart = described_ids(client)
    code = gateway.terminate()
    after_term = sorted(gateway.vm_pids())
    gateway.start()

    assert after_kill == after_term == pids
    assert code == 0
    assert after_restart == before == described_ids(client) == machine_ids(gateway)


def test_a_vm_that_dies_while_nobody_looks_is_replaced(gateway: Gateway, client: Client) -> None:
    """A VM killed while the gateway was down is found dead at the next start, and replaced."""
    client.make_group("web@hotel", 2, CLOUDS)
    before = described_ids(client)

    gateway.kill()
    dead = gateway.vm_pids()[0]
    os.killpg(dead, signal.SIGKILL)
    gateway.start()

    wait_for(lambda: agree(gateway, client) and dead not in gateway.vm_pids(), "a replacement")
    assert len(set(described_ids(client)) & set(before)) == 1
    causes = [activity.cause for activity in client.activities()]
    assert any("was taken out of service" in cause for cause in causes), causes


def test_sigterm_finishes_the_call_that_is_being_answered(gateway: Gateway, client: Client) -> None:
    """F10: terminated under load, it ends within 10 s with exit code 0, and no answered call is lost."""
    client.make_group("web@hotel", 0, CLOUDS)
    scaler = Scaler(client, random.Random(7))
    codes: list[int] = []
    ender = threading.Timer(0.3, lambda: codes.append(gateway.terminate()))

    ender.start()
    until_lost(scaler.step)
    ender.join(timeout=10)
    gateway.start()

    assert codes == [0]
    scaler.check()


def test_a_second_gateway_on_the_same_state_is_refused(gateway: Gateway, client: Client, tmp_path: Path) -> None:
    """Two gateways cannot share a state directory: the second says who has it and ends, and the first goes on."""
    client.make_group("web@hotel", 2, CLOUDS)
    before = described_ids(client)
    config = tmp_path / "second.toml"
    text = gateway.config.read_text().replace(f"port = {gateway.port}", "port = 0")
    config.write_text(text)

    second = subprocess.run(
        [sys.executable, "-m", "phantom_gateway", "serve", "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert second.returncode == 2
    assert second.stdout == ""
    assert str(gateway.state) in second.stderr
    assert str(gateway.pid) in second.stderr
    assert "Traceback" not in second.stderr
    assert described_ids(client) == before == machine_ids(gateway)
