"""
Records restored from an old backup: the gateway kills and launches nothing before a person has said what is what (F13).

Owns: real processes, and a database that is older than they are.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.calls import Client
from tests.processes.test_command_line import run
from tests.support.gateway import Gateway
from tests.support.waiting import wait_for

pytestmark = pytest.mark.processes


@pytest.fixture
def gateway(tmp_path: Path, kept: str) -> Iterator[Gateway]:
    """A gateway whose group has six instances, and whose records are of the time when it had two."""
    made = Gateway(tmp_path, clouds=("hotel",), database=kept)
    made.start()
    try:
        client = Client(made.port)
        client.make_launch_configuration("web@hotel", "sleeper")
        client.make_group("web@hotel", 2, ["hotel"])
        wait_for(client.settled, "two instances")
        made.terminate()
        made.records.back_up()
        made.start()
        client.resize(6)
        wait_for(client.settled, "six instances")
        made.terminate()
        made.records.restore()
        made.start()
        wait_for(lambda: "records.older_than_machines" in made.log.read_text(), "the first look")
        yield made
    finally:
        made.stop()


def listed(gateway: Gateway) -> list[dict[str, str]]:
    """What ``unrecorded`` lists."""
    found: list[dict[str, str]] = json.loads(run("unrecorded", "--json", config=gateway.config).out)
    return found


def test_it_starts_frozen_and_keeps_what_is_adopted(gateway: Gateway) -> None:
    """All six run on, and all six are on record again after the thaw; nothing was launched or ended for that."""
    before, client = sorted(gateway.vm_pids()), Client(gateway.port)
    frozen = run("freeze", config=gateway.config).out
    found = listed(gateway)
    client.resize(3)
    adopted = run("adopt", "web", config=gateway.config)
    thawed = run("thaw", "--all", config=gateway.config)
    wait_for(client.settled, "six instances on record")
    group = client.group()

    assert "the gateway" in frozen
    assert [(each["cloud"], each["group"]) for each in found] == [("hotel", "web")] * 4
    assert (adopted.code, thawed.code) == (0, 0), adopted.err + thawed.err
    assert group is not None
    assert (group.desired, sorted(gateway.vm_pids())) == (6, before)


def test_what_is_given_up_is_ended_after_the_thaw(gateway: Gateway) -> None:
    """Not before, and not what is on record."""
    before, client = gateway.vm_pids(), Client(gateway.port)
    dry = run("reap", "--dry-run", config=gateway.config)
    given_up = run("reap", "--group", "web", config=gateway.config)
    untouched = sorted(gateway.vm_pids())
    run("thaw", "--all", config=gateway.config)
    wait_for(lambda: len(gateway.vm_pids()) == 2, "the end of four machines")

    assert "4 machines would be given up" in dry.out
    assert "4 machines are given up" in given_up.out
    assert untouched == sorted(before)
    assert client.settled() is not None


def test_a_thaw_is_not_forgotten_at_the_next_start(gateway: Gateway) -> None:
    """What a person has seen and thawed freezes nothing again."""
    run("thaw", "--all", config=gateway.config)
    gateway.kill()
    gateway.start()
    wait_for(gateway.is_ready, "the gateway")
    Client(gateway.port).resize(3)
    wait_for(lambda: Client(gateway.port).group() is not None, "an answer")

    assert run("freeze", config=gateway.config).out == "Nothing is frozen.\n"
