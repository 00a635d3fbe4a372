"""
The red button, pressed on a gateway that runs: what it stops, who learns of it, and what outlives a kill.

Owns: real processes. Does not own: what a freeze covers (``tests/reconciler/test_freezes``).
"""

import json
import re
import time
from collections.abc import Iterator

import pytest

from tests.processes.calls import Client
from tests.processes.test_command_line import run
from tests.support.gateway import Gateway
from tests.support.waiting import wait_for

pytestmark = pytest.mark.processes

EFFECTIVE_S_MAX = 2.0


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, kept: str) -> Iterator[Gateway]:
    """A running gateway with a group of two."""
    made = Gateway(tmp_path_factory.mktemp("freezes"), clouds=("hotel", "sierra"), database=kept)
    made.start()
    try:
        client = Client(made.port)
        client.make_launch_configuration("web@hotel", "sleeper")
        client.make_group("web@hotel", 2, ["hotel"])
        wait_for(client.settled, "two instances")
        yield made
    finally:
        made.stop()


def waits(gateway: Gateway) -> str:
    """What ``explain`` says that the group waits for."""
    parsed = json.loads(run("explain", "web", "--json", config=gateway.config).out)
    return " ".join(parsed[0]["waiting_on"])


def test_the_red_button_stops_a_running_gateway_and_outlives_it(gateway: Gateway) -> None:
    """Frozen, killed and started again, it launches nothing, says why, and goes on after the thaw."""
    client = Client(gateway.port)
    pressed = run("freeze", "--group", "web", "--reason", "a bad release", config=gateway.config)
    began = time.monotonic()
    wait_for(lambda: re.search(r'"freezes": ?1\b', gateway.log.read_text()), "the freeze")
    took_s = time.monotonic() - began
    idle = run("explain", "web", config=gateway.config).out
    client.resize(4)
    gateway.kill()
    gateway.start()
    wait_for(lambda: "once thawed" in waits(gateway), "the plan of a frozen group after a restart")
    frozen = client.group()
    would = json.loads(run("plan", "web", "--json", config=gateway.config).out)[0]
    listed = run("freeze", config=gateway.config).out
    thawed = run("thaw", "--group", "web", config=gateway.config)
    wait_for(client.settled, "four instances")
    told = [activity.description for activity in client.activities()]

    assert (pressed.code, thawed.code) == (0, 0), pressed.err + thawed.err
    assert took_s < EFFECTIVE_S_MAX
    assert frozen is not None
    assert (len(frozen.instances), frozen.desired) == (2, 4)
    assert "frozen: group web of tester is frozen by" in " ".join(idle.split())
    assert would["would"] == ["2 launched on hotel"]
    assert "a bad release" in would["frozen"][0]
    assert "a bad release" in listed
    assert [text for text in told if text.startswith(("Freezing", "Thawing"))] == [
        "Thawing",
        "Freezing: nothing is launched or terminated",
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["freeze", "--cloud", "paris"], "the clouds are: hotel, sierra", id="unknown cloud"),
        pytest.param(["freeze", "--user", "carol"], "the users are: tester", id="unknown user"),
        pytest.param(["freeze", "--group", "nothing"], "no group called nothing", id="unknown group"),
        pytest.param(["freeze", "--all", "--cloud", "hotel"], "Give one of", id="two at once"),
        pytest.param(["freeze", "--all", "--reason", "x" * 501], "500 are allowed", id="a novel"),
        pytest.param(["thaw"], "Say what to thaw", id="thaw of nothing"),
        pytest.param(["thaw", "--all"], "not frozen by itself", id="thaw of what is not frozen"),
        pytest.param(["plan", "nothing"], "no group called nothing", id="plan of nothing"),
    ],
)
def test_a_button_that_means_nothing_is_refused(gateway: Gateway, arguments: list[str], told: str) -> None:
    """With exit code 2 and the remedy, and nothing is frozen."""
    outcome = run(*arguments, config=gateway.config)

    assert (outcome.code, outcome.out) == (2, "")
    assert told in outcome.err
    assert run("freeze", config=gateway.config).out == "Nothing is frozen.\n"


def test_the_first_freeze_stands(gateway: Gateway) -> None:
    """Pressing twice changes nothing: whoever came first said why."""
    run("freeze", "--all", "--reason", "first", config=gateway.config)
    again = run("freeze", "--all", "--reason", "second", config=gateway.config)
    listed = run("freeze", config=gateway.config).out
    run("thaw", "--all", config=gateway.config)

    assert "was frozen before" in again.out
    assert "first" in listed
    assert "second" not in listed


def test_a_plan_of_a_group_that_is_not_frozen_says_so(gateway: Gateway) -> None:
    """And it leaves VMs and the running gateway alone."""
    before = sorted(gateway.vm_pids())

    outcome = run("plan", "web", config=gateway.config)

    assert (outcome.code, outcome.out.splitlines()[1]) == (0, "  it is not frozen: what there is to do is being done")
    assert sorted(gateway.vm_pids()) == before
    assert gateway.is_ready()
