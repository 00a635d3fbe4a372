"""
What honest clients feel of a crowd of slow ones: latencies without and with it, in turn.

Owns: the crowd, in a process of its own, and the comparison. Does not own: honest calls (``bench.ingest``).
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import rows, signed
from bench.ingest import Round, call
from bench.servers import ROOT, Server, pause, start_gateway
from bench.signed import form

BEGINNINGS = (
    b"",
    b"GET /?Act",
    b"GET / HTTP/1.1\r\nHost: x\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\nAction=",
)
"""How the slow begin; then each sends a byte now and then, until it is shown the door, and comes again."""

DRIP_S = 1.0
READ_BYTES = 65_536
GATHERING_S = 3.0
"""Until all are there."""

GROUPS = 50


async def stand(port: int, number: int) -> None:
    """Never returns; one slow client after the other holds a connection."""
    await asyncio.sleep(number % 100 / 100 * DRIP_S)
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(BEGINNINGS[number % len(BEGINNINGS)])
            while True:
                try:
                    async with asyncio.timeout(DRIP_S):
                        if not await reader.read(READ_BYTES):
                            break  # shown the door
                except TimeoutError:
                    writer.write(b"x")
            writer.close()
        except ConnectionError:
            continue


async def gather(port: int, size: int) -> None:
    """Never returns; the crowd is at *port*."""
    async with asyncio.TaskGroup() as crowd:
        for number in range(size):
            crowd.create_task(stand(port, number))


def measure(options: argparse.Namespace, directory: Path) -> list[tuple[Round, Round]]:
    """The rounds without and with the crowd, in pairs."""
    server: Server = start_gateway(directory)
    try:
        for body in rows.seed_bodies(GROUPS, 2):
            signed.call(server.port, body)
        server.calm()
        bodies = [
            form("DescribeAutoScalingGroups", AutoScalingGroupNames__member__1=rows.group_name(number))
            for number in range(GROUPS)
        ]
        pairs = []
        for _ in range(options.rounds):
            alone = asyncio.run(call(server, bodies, options.seconds, options.calls))
            words = ["--crowd", str(options.size), "--to", str(server.port)]
            crowd = subprocess.Popen([sys.executable, "-m", "bench.crowd", *words], cwd=ROOT)
            try:
                pause(GATHERING_S)
                pairs.append((alone, asyncio.run(call(server, bodies, options.seconds, options.calls))))
                there = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
            finally:
                crowd.kill()
                crowd.wait()
            print(
                f"  {pairs[-1][0]}\n  {pairs[-1][1]}   {there} files open, {server.rss_mib():.0f} MiB",
                file=sys.stderr,
                flush=True,
            )
            server.calm()
        return pairs
    finally:
        server.stop()


def main() -> None:
    """Nothing; the comparison is printed."""
    parser = argparse.ArgumentParser(description="Latencies of the API without and with a crowd of slow clients.")
    parser.add_argument("--size", type=int, default=1_000, help="slow connections")
    parser.add_argument("--calls", type=float, default=50.0, help="honest calls a second")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a round")
    parser.add_argument("--crowd", type=int, default=None, help=argparse.SUPPRESS)
    parser.add_argument("--to", type=int, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.crowd is not None:
        asyncio.run(gather(options.to, options.crowd))
        return
    with tempfile.TemporaryDirectory(prefix="phantom-bench-") as name:
        pairs = measure(options, Path(name))
    for kind, rounds in zip(("alone", "crowd"), zip(*pairs, strict=True), strict=True):
        p50, p99 = (statistics.median(getattr(each, what) for each in rounds) for what in ("p50_ms", "p99_ms"))
        print(f"{kind:<6} p50 {p50:6.2f} ms   p99 {p99:6.2f} ms")
    ratios = [crowd.p99_ms / alone.p99_ms for alone, crowd in pairs]
    print(
        f"p99 with {options.size} slow connections / without: {statistics.median(ratios):.2f}"
        f" ({min(ratios):.2f} to {max(ratios):.2f})"
    )


if __name__ == "__main__":
    main()
