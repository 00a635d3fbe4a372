"""
A group that real sensors in its own VMs move: up with the load, down with it, and nowhere without data.

Owns: the sensor, a program that every VM runs and that talks to the receiver as tcollector does; and the load they
share, as behind a load balancer.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.processes.calls import Client
from tests.support.gateway import Gateway
from tests.support.waiting import wait_for

pytestmark = pytest.mark.processes

SENSOR = Path(__file__).parent / "scripts" / "load_sensor.py"

IMAGE = """
[sensors]
port = 0
anonymous = true

[clouds.hotel.images.worker]
command = ["{python}", "{sensor}", "{share}", "{port}"]
"""

TAGS = {
    "PHANTOM_DEFINITION": "error_overflow_n_preserving",
    "clouds": "hotel:-1",
    "metric": "load",
    "scale_up_threshold": "2.0",
    "scale_down_threshold": "0.5",
    "scale_up_n_vms": "3",
    "scale_down_n_vms": "3",
    "cooldown_period": "5",
    "sample_period": "2",
    "stale_period": "4",
}
"""Up by three above 2.0 for each VM, down by three below 0.5, five seconds apart."""


class LoadBalancer:
    """Gives every VM its share of *total*, as long as there is any; None: sensors say nothing."""

    def __init__(self, client: Client, share: Path) -> None:
        self.total: float | None = 1.0
        self._client = client
        self._share = share
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._balance, daemon=True)
        self.history: list[tuple[float, int]] = []
        """(seconds, desired) whenever it was another."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._over.set()
        self._thread.join()

    def _balance(self) -> None:
        while not self._over.wait(0.1):
            group = self._client.group()
            assert group is not None
            if not self.history or self.history[-1][1] != group.desired:
                self.history.append((time.monotonic(), group.desired))
            text = "" if self.total is None else f"{self.total / max(1, group.in_service):.3f}"
            new = self._share.with_suffix(".new")
            new.write_text(text)
            new.replace(self._share)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway whose cloud runs the sensor as an image, on a port that the sensor finds in a file."""
    share, port = tmp_path / "share", tmp_path / "port"
    share.write_text("1.0")
    sections = IMAGE.format(python=sys.executable, sensor=SENSOR, share=share, port=port)
    made = Gateway(tmp_path / "gateway", clouds=("hotel",), sections=sections)
    made.start()
    try:
        port.write_text(str(sensor_port(made)))
        yield made
    finally:
        made.stop()


def sensor_port(gateway: Gateway) -> int:
    """The port of the receiver, as the gateway's log has it."""
    lines = (json.loads(line) for line in gateway.log.read_text().splitlines())
    return next(int(line["port"]) for line in lines if line["event"] == "sensors.receiving")


def waits(gateway: Gateway) -> list[str]:
    """What the group waits for, as ``explain`` says it."""
    told = subprocess.run(
        [sys.executable, "-m", "phantom_gateway", "explain", "web", "--json", "--config", str(gateway.config)],
        check=True,
        capture_output=True,
        text=True,
    )
    (story,) = json.loads(told.stdout)
    return list(story["waiting_on"])


def test_a_group_follows_the_load_of_its_vms(gateway: Gateway, tmp_path: Path) -> None:
    """One, ten and one again, by sensors over TCP alone; while they are silent at ten, nothing changes."""
    client = Client(gateway.port)
    client.make_launch_configuration("web@hotel", "worker")
    tags = {
        f"Tags.member.{number}.{name}": value
        for number, (key, text) in enumerate(TAGS.items(), 1)
        for name, value in (("Key", key), ("Value", text), ("ResourceId", "web"))
    }
    zones = {"AvailabilityZones.member.1": "hotel"}
    client.call(
        "CreateAutoScalingGroup",
        AutoScalingGroupName="web",
        LaunchConfigurationName="web@hotel",
        MinSize=1,
        MaxSize=10,
        **tags,
        **zones,
    )
    with LoadBalancer(client, tmp_path / "share") as balancer:
        wait_for(client.settled, "the first VM")
        balancer.total = 19.0
        wait_for(lambda: (group := client.settled()) and group.desired == 10, "ten VMs")

        balancer.total = None
        wait_for(lambda: any("no data of any instance" in text for text in waits(gateway)), "the silence to be noticed")
        assert [desired for _, desired in balancer.history] == [1, 4, 7, 10]

        balancer.total = 0.1
        wait_for(lambda: (group := client.settled()) and group.desired == 1, "one VM")

    pauses = [
        after - before for (before, _), (after, _) in zip(balancer.history[1:], balancer.history[2:], strict=False)
    ]
    causes = [activity.cause for activity in client.activities()]
    assert [desired for _, desired in balancer.history] == [1, 4, 7, 10, 7, 4, 1]
    assert min(pauses) > 4.0
    assert any("> 2) triggered policy sensor changing the desired capacity from 1 to 4" in cause for cause in causes)
    assert len(gateway.vm_pids()) == 1
