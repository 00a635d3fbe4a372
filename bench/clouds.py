"""
What big EC2-compatible clouds cost: launching a thousand VMs, the way of a launch to the wire, from a refusal to the
next cloud, and looking at 10,000.

Owns: those measurements, against fake endpoints of the tests in this process (0.3 s per call) and a whole gateway in
another. Does not own: any judgement; it prints a table. Run: ``.venv/bin/python -m bench.clouds``.
"""

import argparse
import http.client
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bench import signed
from bench.servers import ROOT, Server, pause
from bench.signed import form
from tests.fake_ec2.endpoint import Endpoint
from tests.fake_ec2.knobs import AWS
from tests.fake_ec2.serving import LoopThread
from tests.fake_ec2.world import World

CALL_S = 0.3
SWEEP_INTERVAL_S = 5.0
WIRE_SAMPLES = 50
REFUSALS = 20
API_S = 25.0
"""Of requests on one connection, one after the other: five sweeps."""

REST_S = 2 * CALL_S
"""Between two launches: the look that follows a launch is over, as it mostly is when somebody changes a group."""

BEAT_S = 1.0
CHANGED_EVERY = 500
"""Machines: twice on each page of 1,000."""

API_PAUSE_S = 0.01
POLL_S = 0.05
WAIT_S_MAX = 900.0

GROUP = "big"
SMALL_GROUP = "small"
LAUNCH_CONFIGURATION = "web@hotel"
NEXT_LAUNCH_CONFIGURATION = "web@sierra"
WIDTH = 80

CONFIG = f"""\
state_directory = "{{state}}"

[server]
port = 0

[reconciler]
sweep_interval_s = {SWEEP_INTERVAL_S}

[limits]
vms_per_group_max = 10000
vms_per_user_max = 100000

[[users]]
name = "bench"
account_id = "123456789012"
access_key_id = "{signed.ACCESS_KEY_ID}"
secret_access_key = "{signed.SECRET_ACCESS_KEY}"

"""

CLOUD = """
[clouds.{name}]
kind = "ec2"
endpoint_url = "{url}"
dialect = "aws"
sweep_page_size = 1000
vms_per_cloud_max = 100000
launches_per_minute_max = 100000
access_key_id = "AKIABENCHBENCHBENCHB"
secret_access_key = "secret/of+the=cloud"
"""


@dataclass
class Table:
    """Rows of what was measured, in WIDTH columns."""

    rows: list[tuple[str, str]] = field(default_factory=list)

    def add(self, what: str, figure: str) -> None:
        """Nothing; the row is printed at once, too, because the next one may take minutes."""
        self.rows.append((what, figure))
        print(f"  {what}: {figure}", file=sys.stderr, flush=True)

    def __str__(self) -> str:
        return "\n".join(f"{what:<{WIDTH - 26}} {figure:>25}" for what, figure in self.rows)


class Bench:
    """The worlds of hotel and of sierra, the endpoints in front of them, and a gateway that is started over both."""

    def __init__(self, thread: LoopThread, directory: Path) -> None:
        self.world, self.sierra = (World(AWS.changed({"pending_s": 0.0, "shutting_down_s": 0.0})) for _ in range(2))
        urls = {
            name: thread.serve(Endpoint(world).application()).url
            for name, world in (("hotel", self.world), ("sierra", self.sierra))
        }
        self.thread = thread
        self.gateway = _start(directory, urls)

    def call(self, action: str, **parameters: object) -> str:
        """The text of the gateway's answer."""
        return signed.call(self.gateway.port, form(action, **parameters))

    def slow(self, seconds: float) -> None:
        """Nothing; each call at the cloud takes so long from now on."""
        for world in (self.world, self.sierra):
            self._change(world, launch_base_s=seconds, call_s=seconds)

    def limit(self, capacity: int | None) -> None:
        """Nothing; hotel has room for so many machines from now on."""
        self._change(self.world, capacity=capacity)

    def _change(self, world: World, **knobs: object) -> None:
        changed = world.knobs.changed(knobs)
        self.thread.call(lambda: setattr(world, "knobs", changed))

    def launches(self, world: World | None = None) -> list[float]:
        """When each RunInstances arrived, at hotel or in another *world*, in seconds since 1970."""
        asked = world or self.world
        return [heard.at for heard in self.thread.call(lambda: list(asked.ledger.calls_of("RunInstances")))]

    def alive(self) -> int:
        """Machines at the cloud."""
        return self.thread.call(lambda: len(self.world.ledger.alive()))

    def make_launch_configuration(self, name: str) -> None:
        """Nothing; it exists."""
        what = {"ImageId": "ami-00000000000000001", "InstanceType": "m1.small"}
        self.call("CreateLaunchConfiguration", LaunchConfigurationName=name, **what)

    def make(self, name: str, desired: int, **more: object) -> None:
        """Nothing; the group exists."""
        self.call(
            "CreateAutoScalingGroup",
            AutoScalingGroupName=name,
            LaunchConfigurationName=LAUNCH_CONFIGURATION,
            MinSize=0,
            MaxSize=10_000,
            DesiredCapacity=desired,
            AvailabilityZones__member__1="hotel",
            **more,
        )

    def desire(self, name: str, desired: int) -> None:
        """Nothing; SetDesiredCapacity was answered."""
        self.call("SetDesiredCapacity", AutoScalingGroupName=name, DesiredCapacity=desired)


def _start(directory: Path, urls: Mapping[str, str]) -> Server:
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "phantom.toml"
    clouds = "".join(CLOUD.format(name=name, url=url) for name, url in urls.items())
    config.write_text(CONFIG.format(state=directory / "state") + clouds, encoding="utf-8")
    with (directory / "gateway.log").open("ab") as log:
        command = [sys.executable, "-m", "phantom_gateway", "serve", "--config", str(config)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=ROOT, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    if " serves on " not in line:
        raise AssertionError(f"the gateway did not start: {line!r}\n{(directory / 'gateway.log').read_text()}")
    return Server("ours", int(line.rsplit(":", 1)[1]), process)


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S_MAX
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {WAIT_S_MAX:.0f} s for {what}")
        pause(POLL_S)


def a_thousand(bench: Bench, table: Table) -> None:
    """Calls and time until 1,000 VMs were launched."""
    before, others = len(bench.launches()), bench.alive()
    began = time.monotonic()
    bench.desire(GROUP, 1_000)
    _until(lambda: bench.alive() >= others + 1_000, "a thousand VMs")
    took_s = time.monotonic() - began
    table.add("1,000 VMs: RunInstances calls (goal: 20 at most)", f"{len(bench.launches()) - before}")
    table.add(f"1,000 VMs: wall time (goal: 3 calls, {3 * CALL_S:.1f} s)", f"{took_s:.1f} s")


def to_the_wire(bench: Bench, table: Table) -> None:
    """Milliseconds from the client's sending of SetDesiredCapacity to the arrival of RunInstances."""
    delays_ms = []
    for number in range(1, WIRE_SAMPLES + 1):
        before, sent_at = len(bench.launches()), time.time()
        bench.desire(SMALL_GROUP, number)
        _until(partial(_has, bench, number), "the VM")
        pause(REST_S)
        delays_ms.append((bench.launches()[before] - sent_at) * 1_000)
    delays_ms.sort()
    table.add(
        "SetDesiredCapacity to RunInstances: median, p99 (100 ms)",
        f"{delays_ms[len(delays_ms) // 2]:.0f} ms, {delays_ms[-1]:.0f} ms",
    )


def to_the_next_cloud(bench: Bench, table: Table) -> None:
    """Seconds from hotel's refusal to the arrival of RunInstances at sierra, each of a group of its own."""
    delays_s = []
    for number in range(REFUSALS):
        bench.limit(0)
        refused, elsewhere = len(bench.launches()), len(bench.launches(bench.sierra))
        group, member = f"{GROUP}-{number}", "Tags__member__1__"
        tag = {f"{member}Key": "clouds", f"{member}Value": "hotel:-1,sierra:-1", f"{member}PropagateAtLaunch": "false"}
        bench.make(group, 1, **tag)
        _until(partial(_has_launched, bench, bench.sierra, elsewhere), "the launch at sierra")
        # The world notes when a call arrives; its answer leaves CALL_S later.
        refused_at = bench.launches()[refused] + CALL_S
        delays_s.append(bench.launches(bench.sierra)[elsewhere] - refused_at)
        bench.limit(None)  # a launch that succeeds keeps hotel's breaker closed
        before = len(bench.launches())
        bench.desire(SMALL_GROUP, WIRE_SAMPLES + number + 1)
        _until(partial(_has_launched, bench, bench.world, before), "a launch at hotel")
        pause(REST_S)
    delays_s.sort()
    table.add(
        "refusal on rank 1 to launch on rank 2: median, longest (1 s)",
        f"{delays_s[len(delays_s) // 2] * 1_000:.0f} ms, {delays_s[-1] * 1_000:.0f} ms",
    )


def _has_launched(bench: Bench, world: World, before: int) -> bool:
    return len(bench.launches(world)) > before


def _has(bench: Bench, count: int) -> bool:
    """Whether the small group has so many VMs, running or coming up."""
    text = bench.call("DescribeAutoScalingGroups", AutoScalingGroupNames__member__1=SMALL_GROUP)
    return text.count("<InstanceId>") == count and bench.alive() == count


def api_ms(bench: Bench) -> tuple[float, float]:
    """(median, p99) of a small Describe over API_S, on one connection."""
    body = form("DescribeAutoScalingGroups", AutoScalingGroupNames__member__1=SMALL_GROUP)
    port = bench.gateway.port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    took_ms = []
    ends_at = time.monotonic() + API_S
    while time.monotonic() < ends_at:
        headers = signed.headers(body, port, datetime.now(UTC))
        began = time.perf_counter()
        connection.request("POST", "/", body, headers)
        connection.getresponse().read()
        took_ms.append((time.perf_counter() - began) * 1_000)
        pause(API_PAUSE_S)
    connection.close()
    took_ms.sort()
    return took_ms[len(took_ms) // 2], took_ms[int(len(took_ms) * 0.99)]


def cpu_share(bench: Bench, seconds: float, between: Callable[[], None] = lambda: None) -> float:
    """Of one core, while nobody asks anything; *between* is called about every second."""
    before, began = bench.gateway.cpu_s(), time.monotonic()
    while time.monotonic() < began + seconds:
        pause(BEAT_S)
        between()
    return (bench.gateway.cpu_s() - before) / (time.monotonic() - began)


def change_every_page(bench: Bench) -> None:
    """Nothing; some machine on each page of a listing looks different from now on, so that none can be recognised."""
    machines = list(bench.world.machines.values())
    for machine in machines[::CHANGED_EVERY]:
        machine.tags["beat"] = str(time.monotonic())


def ten_thousand(bench: Bench, table: Table, machines: int) -> None:
    """What sweeps of that many cost, and what the API feels of them."""
    idle_p50_ms, idle_p99_ms = api_ms(bench)
    bench.slow(0.0)
    began = time.monotonic()
    bench.desire(GROUP, machines)
    _until(lambda: bench.alive() >= machines, f"{machines:,} VMs")
    table.add(f"{machines:,} VMs launched with calls of 0 s, in", f"{time.monotonic() - began:.0f} s")
    bench.slow(CALL_S)
    pause(6 * SWEEP_INTERVAL_S)
    before = _sweep_calls(bench)
    share = cpu_share(bench, 6 * SWEEP_INTERVAL_S)
    pages = _sweep_calls(bench) - before
    table.add(f"{machines:,} machines: CPU of sweeps every 5 s (goal: 20 %)", f"{share:.0%} of a core")
    table.add("  pages read meanwhile (30 s)", f"{pages}")
    restless = cpu_share(bench, 6 * SWEEP_INTERVAL_S, partial(bench.thread.call, partial(change_every_page, bench)))
    table.add("  the same when every page changes between sweeps", f"{restless:.0%} of a core")
    p50_ms, p99_ms = api_ms(bench)
    table.add("API before: median, p99", f"{idle_p50_ms:.1f} ms, {idle_p99_ms:.1f} ms")
    table.add("API during sweeps: median, p99", f"{p50_ms:.1f} ms, {p99_ms:.1f} ms")
    table.add("  p99 against before (goal: 8 times)", f"{p99_ms / idle_p99_ms:.1f} times")
    table.add("  resident memory of the gateway", f"{bench.gateway.rss_mib():.0f} MiB")


def _sweep_calls(bench: Bench) -> int:
    return bench.thread.call(lambda: len(bench.world.ledger.calls_of("DescribeInstances")))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="bench.clouds")
    parser.add_argument("--machines", type=int, default=10_000)
    machines = parser.parse_args().machines
    table = Table()
    with tempfile.TemporaryDirectory() as directory, LoopThread() as thread:
        bench = Bench(thread, Path(directory))
        try:
            bench.make_launch_configuration(LAUNCH_CONFIGURATION)
            bench.make_launch_configuration(NEXT_LAUNCH_CONFIGURATION)
            bench.make(SMALL_GROUP, 0)
            bench.make(GROUP, 0)
            bench.slow(CALL_S)
            pause(SWEEP_INTERVAL_S)
            to_the_wire(bench, table)
            to_the_next_cloud(bench, table)
            a_thousand(bench, table)
            ten_thousand(bench, table, machines)
        finally:
            bench.gateway.stop()
    print(table)


if __name__ == "__main__":
    main()
