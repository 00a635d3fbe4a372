"""
What samples of sensors cost those who call the API: ``python -m bench.ingest --help``.

Owns: a steady stream of points to the gateway, a steady stream of calls beside it, and the comparison of the calls'
latencies with and without the points, round by round. Does not own: the gateway, which is that of the other rows.
"""

import argparse
import asyncio
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench import rows, signed
from bench.load import Visit
from bench.servers import ROOT, Server, pause, start_gateway
from bench.signed import form

SECTIONS = """
[sensors]
port = 0
anonymous = true
series_per_user_max = 50000
"""

BATCH_S = 0.02
"""The sender's pause: tcollectors of many VMs together are a stream, not a burst a second."""

WARM_UP_S = 6.0
"""Longer than the gateway's pause between two writings: the first one makes the series."""


FIGURES = ("p50_ms", "p99_ms", "cpu_share")


@dataclass(frozen=True, slots=True)
class Round:
    """Latencies of one round, and the share of a processor that the gateway used."""

    p50_ms: float
    p99_ms: float
    cpu_share: float
    calls: int


class Sender:
    """A process of its own that sends *rate* points a second about *hosts*, until it is stopped."""

    def __init__(self, port: int, hosts: Sequence[str], rate: int) -> None:
        command = [sys.executable, "-m", "bench.ingest", "--send", str(rate), "--to", str(port)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self._process.stdin is not None
        self._process.stdin.write("\n".join(hosts))
        self._process.stdin.close()

    def stop(self) -> None:
        """Nothing; it sends no more."""
        self._process.terminate()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


async def send(port: int, hosts: Sequence[str], rate: int) -> None:
    """Never returns; points go to *port*: ten metrics of each host, in turn, over one connection for each 100 hosts."""
    writers = [(await asyncio.open_connection("127.0.0.1", port))[1] for _ in range(max(1, len(hosts) // 100))]
    names = [(number, host, metric) for metric in range(10) for number, host in enumerate(hosts)]
    sent, began_s = 0, time.perf_counter()
    while True:
        due = int((time.perf_counter() - began_s) * rate)
        batches: dict[int, list[str]] = {}
        now = int(time.time())
        for place in range(sent, due):
            number, host, metric = names[place % len(names)]
            line = f"put proc.stat.metric{metric} {now} {place % 977} host={host} cpu=all\n"
            batches.setdefault(number % len(writers), []).append(line)
        sent = due
        for place, lines in batches.items():
            writers[place].write("".join(lines).encode())
            await writers[place].drain()
        await asyncio.sleep(BATCH_S)


async def call(server: Server, bodies: Sequence[str], seconds: float, rate: float) -> Round:
    """Calls at a steady *rate*, one after the other over one connection."""
    _, visit = await asyncio.get_running_loop().create_connection(Visit, "127.0.0.1", server.port)
    latencies_ms: list[float] = []
    cpu_s, began_s = server.cpu_s(), time.perf_counter()
    while (passed_s := time.perf_counter() - began_s) < seconds:
        due_s = len(latencies_ms) / rate
        if due_s > passed_s:
            await asyncio.sleep(due_s - passed_s)
        request = signed.request(bodies[len(latencies_ms) % len(bodies)], server.port, datetime.now(UTC))
        asked_s = time.perf_counter()
        status = await visit.ask(request)
        latencies_ms.append(1000 * (time.perf_counter() - asked_s))
        assert status == 200, visit.head
    visit.close()
    share = (server.cpu_s() - cpu_s) / (time.perf_counter() - began_s)
    slowest = sorted(latencies_ms)
    return Round(statistics.median(slowest), slowest[int(len(slowest) * 0.99)], share, len(slowest))


def measure(options: argparse.Namespace, directory: Path) -> dict[str, list[Round]]:
    """The rounds without and with points, in turn."""
    server = start_gateway(directory, sections=SECTIONS)
    try:
        seeding = rows.seed_bodies(options.groups, options.instances)
        for body in seeding:
            signed.call(server.port, body)
        server.calm()
        hosts = _instance_ids(server)
        port = _sensor_port(directory)
        names = [rows.group_name(number) for number in range(options.groups)]
        describe = [form("DescribeAutoScalingGroups", AutoScalingGroupNames__member__1=name) for name in names]
        change = [
            form("SetDesiredCapacity", AutoScalingGroupName=name, DesiredCapacity=options.instances) for name in names
        ]
        bodies = [body for pair in zip(describe, change, strict=True) for body in pair]
        found: dict[str, list[Round]] = {"idle": [], "ingest": []}
        for _ in range(options.rounds):
            found["idle"].append(asyncio.run(call(server, bodies, options.seconds, options.calls)))
            sender = Sender(port, hosts, options.rate)
            try:
                pause(WARM_UP_S)
                before = _taken(port)
                began_s = time.perf_counter()
                found["ingest"].append(asyncio.run(call(server, bodies, options.seconds, options.calls)))
                taken = (_taken(port) - before) / (time.perf_counter() - began_s)
            finally:
                sender.stop()
            print(f"  {found['idle'][-1]}\n  {found['ingest'][-1]} {taken:,.0f} points/s", file=sys.stderr, flush=True)
            server.calm()
        return found
    finally:
        server.stop()


def _instance_ids(server: Server) -> list[str]:
    text = ""
    token: dict[str, str] = {}
    while True:
        page = signed.call(server.port, form("DescribeAutoScalingInstances", MaxRecords=50, **token))
        text += page
        more = re.search("<NextToken>(.*?)</NextToken>", page)
        if more is None:
            return re.findall("<InstanceId>(.*?)</InstanceId>", text)
        token = {"NextToken": more[1]}


def _sensor_port(directory: Path) -> int:
    lines = (json.loads(line) for line in (directory / "ours.log").read_text().splitlines())
    return next(int(line["port"]) for line in lines if line["event"] == "sensors.receiving")


def _taken(port: int) -> int:
    """Points that counted, as the receiver says."""

    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"stats\nexit\n")
        answer = await reader.read()
        writer.close()
        return answer

    found = re.search(rb"taken (\d+)", asyncio.run(ask()))
    return 0 if found is None else int(found[1])


def main() -> None:
    """Nothing; the comparison is printed."""
    parser = argparse.ArgumentParser(description="Latencies of the API without and with samples of sensors.")
    parser.add_argument("--rate", type=int, default=5_000, help="points a second")
    parser.add_argument("--calls", type=float, default=50.0, help="calls a second")
    parser.add_argument("--groups", type=int, default=100)
    parser.add_argument("--instances", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a round")
    parser.add_argument("--send", type=int, default=None, help=argparse.SUPPRESS)
    parser.add_argument("--to", type=int, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.send is not None:
        asyncio.run(send(options.to, sys.stdin.read().split(), options.send))
        return
    with tempfile.TemporaryDirectory(prefix="phantom-bench-") as name:
        found = measure(options, Path(name))
    for kind, rounds in found.items():
        p50, p99, cpu = (statistics.median(getattr(each, what) for each in rounds) for what in FIGURES)
        print(f"{kind:<8} p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   processor {100 * cpu:5.1f} %")
    pairs = zip(found["idle"], found["ingest"], strict=True)
    ratios = [with_points.p99_ms / without.p99_ms for without, with_points in pairs]
    print(f"p99 with points / without: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
