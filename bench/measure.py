"""
Measures the gateway, moto_server and a bare aiohttp handler side by side: ``python -m bench.measure --help``.

Owns: the order of events, the medians and the table. Does not own: what is sent (``rows``) or how (``load``). Nothing
is asserted: whatever the figures are, the exit code is 0.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench import rows, timings
from bench.rows import Row, Wave
from bench.servers import ROOT, Server, pause, start_gateway, start_hello, start_moto

SEED_CHUNK = 50
IDLE_S = 10.0

MOTO_PAGE_S = 5.0
"""moto answers a dozen pages a second: shorter rounds would come from too few of them."""

NOTES = """\
CPU: microseconds of the server's processor time for one request, with all its
threads and what it does afterwards. x moto: moto's CPU divided by ours, and our
rate divided by moto's (higher is better). x hello: ours divided by hello's.
(1) Each request launches an instance, or ends one, in memory on both sides.
(2) Each request changes the value, but the cloud is full: nothing is launched.
    moto has no such cloud, and is not asked."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One server in one round of one row."""

    sent: int
    errors: int
    cpu_us: float
    rps: float
    p50_ms: float
    p99_ms: float


@dataclass(slots=True)
class Figures:
    """One row's samples by server, round by round."""

    title: str
    samples: dict[str, list[Sample]] = field(default_factory=dict)

    def median(self, server: str, what: str) -> float:
        """The median of *what* over all rounds."""
        return float(statistics.median(getattr(sample, what) for sample in self.samples[server]))


class Load:
    """The load generator's process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )

    def run(self, server: Server, wave: Wave, connections: int, seconds: float) -> tuple[dict[str, Any], float]:
        """What came back, and the processor time that the server used from the first request until it was calm."""
        job = {"port": server.port, "connections": connections, "seconds": seconds}
        self._say(json.dumps(job | {"bodies": list(wave.bodies), "again": wave.again}))
        assert self._hear() == "ready"
        before_s = server.cpu_s()
        self._say("go")
        result: dict[str, Any] = json.loads(self._hear())
        server.calm()
        used_s = server.cpu_s() - before_s
        if result["errors"]:
            print(f"  {server.name}: {result['errors']} errors, first: {result['first_error']}", file=sys.stderr)
        return result, used_s

    def close(self) -> None:
        """Nothing; the process has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def main() -> None:
    """Nothing; the table is printed."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="phantom-bench-") as name:
        directory = Path(name)
        given = {key: str(value) for key, value in vars(options).items()}
        report: dict[str, Any] = {"machine": _machine(), "options": given}
        figures, sizes = compared(options, directory)
        report |= {"rows": [asdict(row) for row in figures], "sizes": sizes}
        _tell("timing launches, replacements and first answers ...")
        report["timings"] = timed(directory, options.moto)
    print(table(figures))
    print(NOTES)
    print(others(sizes, report["timings"]))
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=2), encoding="utf-8")


def compared(options: argparse.Namespace, directory: Path) -> tuple[list[Figures], dict[str, float]]:
    """The rows, and how large the servers are when all is seeded and when all is measured."""
    servers: list[Server] = []
    load = Load()
    try:
        servers.append(start_hello(directory / "hello"))
        servers.append(start_gateway(directory / "ours"))
        servers.append(start_moto(directory / "moto", options.moto))
        hello, ours, moto = servers
        sizes = {f"{server.name}_rss_mib_empty": server.rss_mib() for server in servers}
        seed(load, ours, rows.seed_full_bodies())
        seed(load, ours, rows.seed_bodies(options.groups, options.instances))
        seed(load, moto, rows.seed_bodies(options.moto_groups, options.instances), connections=2)
        sizes |= {f"{server.name}_rss_mib_seeded": server.rss_mib() for server in servers}
        sizes["ours_idle_share"] = idle_share(ours)
        made = rows.rows(options.groups, options.instances, options.moto_groups, options.seconds, MOTO_PAGE_S)
        chosen = [row for row in made if options.rows in row.title]
        figures = [measure_row(load, row, [hello, ours, moto], options.rounds) for row in chosen]
        sizes |= {f"{server.name}_rss_mib_end": server.rss_mib() for server in servers}
        return figures, sizes
    finally:
        load.close()
        for server in servers:
            server.stop()


def seed(load: Load, server: Server, bodies: Sequence[str], connections: int = 8) -> None:
    """Nothing; *server* has it all, and every instance that can be launched is in service."""
    sent = 0
    for part in rows.alone(bodies, SEED_CHUNK):
        # The first makes the launch configuration that all others name.
        for wave in (part[:1], part[1:]) if sent == 0 else (part,):
            load.run(server, Wave(wave, again=False), connections, 600.0)
        sent += len(part)
        _tell(f"seeding {server.name}: {sent} of {len(bodies)}", passing=True)
    _tell(f"seeded {server.name}: {len(bodies)} requests          ")


def measure_row(load: Load, row: Row, servers: Sequence[Server], rounds: int) -> Figures:
    """The samples of *row*; who goes first changes from round to round."""
    figures = Figures(row.title)
    servers = [server for server in servers if row.moto_can or server.name != "moto"]
    for turn in range(rounds):
        _tell(f"{row.title}: round {turn + 1} of {rounds}", passing=True)
        for server in servers if turn % 2 == 0 else reversed(servers):
            sample = measure(load, row, server, turn)
            figures.samples.setdefault(server.name, []).append(sample)
    medians = ", ".join(f"{server.name} {figures.median(server.name, 'cpu_us'):.0f}" for server in servers)
    _tell(f"{row.title}: CPU us/request {medians}          ")
    return figures


def measure(load: Load, row: Row, server: Server, turn: int) -> Sample:
    """One round of *row* on *server*."""
    is_moto = server.name == "moto"
    connections = row.moto_connections if is_moto else row.connections
    seconds = row.moto_seconds if is_moto and row.moto_seconds is not None else row.seconds
    results, cpu_s = [], 0.0
    for wave in row.waves(server, turn):
        result, used_s = load.run(server, wave, connections, seconds)
        results.append(result)
        cpu_s += used_s
    sent = sum(result["sent"] for result in results)
    if row.cleanup is not None:
        load.run(server, Wave(row.cleanup(server, turn, sent), again=False), connections, 60.0)
    return Sample(
        sent=sent,
        errors=sum(result["errors"] for result in results),
        cpu_us=cpu_s / sent * 1e6,
        rps=sent / sum(result["wall_s"] for result in results),
        p50_ms=statistics.median(result["p50_ms"] for result in results),
        p99_ms=max(result["p99_ms"] for result in results),
    )


def idle_share(server: Server) -> float:
    """The share of a processor that *server* uses when nobody asks for anything."""
    server.calm()
    before_s = server.cpu_s()
    pause(IDLE_S)
    return (server.cpu_s() - before_s) / IDLE_S


def timed(directory: Path, moto: Path) -> dict[str, Any]:
    """The figures that are not per request."""
    launches = timings.accepted_to_launch_ms(directory / "launches")
    replaced, grown = timings.local_vms_s(directory / "local")
    first = timings.first_answer_cpu_s(directory / "first", moto)
    return {
        "accepted_to_launch_ms": launches,
        "local_replacement_s": replaced,
        "local_accepted_to_in_service_s": grown,
        "first_answer_cpu_s": first,
    }


def table(figures: Sequence[Figures]) -> str:
    """The rows, within 80 columns."""
    head = f"{'':<26}{'hello':>6}{'ours':>8}{'moto':>9}{'x moto':>8}{'x moto':>8}{'x hello':>8}"
    units = f"{'':<26}{'CPU us':>6}{'CPU us':>8}{'CPU us':>9}{'CPU':>8}{'rps':>8}{'CPU':>8}"
    lines = [head, units]
    for row in figures:
        hello, ours = (row.median(name, "cpu_us") for name in ("hello", "ours"))
        peer = f"{'-':>9}{'-':>8}{'-':>8}"
        if "moto" in row.samples:
            moto, rps = row.median("moto", "cpu_us"), row.median("ours", "rps") / row.median("moto", "rps")
            peer = f"{moto:>9,.0f}{moto / ours:>8.1f}{rps:>8.1f}"
        lines.append(f"{row.title:<26}{hello:>6,.0f}{ours:>8,.0f}{peer}{ours / hello:>8.1f}")
    return "\n".join(lines)


def others(sizes: dict[str, float], times: dict[str, Any]) -> str:
    """The other figures, a line each."""
    first = {name: statistics.median(found) for name, found in times["first_answer_cpu_s"].items()}
    launches = times["accepted_to_launch_ms"]
    replaced = times["local_replacement_s"]
    grown = times["local_accepted_to_in_service_s"]
    memory = "   ".join(
        f"{name} {sizes[f'{name}_rss_mib_seeded']:.0f}, {sizes[f'{name}_rss_mib_end']:.0f}"
        for name in ("hello", "ours", "moto")
    )
    starts = "   ".join(f"{name} {seconds:.2f}" for name, seconds in first.items())
    return "\n".join(
        (
            f"RSS, MiB, seeded, at end:  {memory}",
            f"CPU s to first answer:     {starts}",
            f"ours, idle:                {100 * sizes['ours_idle_share']:.1f} % of a processor",
            f"accepted -> launch call:   {_spread(launches, 'ms')}",
            f"local VM killed -> new:    {_spread([1000 * second for second in replaced], 'ms')}",
            f"accepted -> local VM runs: {_spread([1000 * second for second in grown], 'ms')}",
        )
    )


def _spread(values: Sequence[float], unit: str) -> str:
    return f"{statistics.median(values):.1f} {unit} ({min(values):.1f} to {max(values):.1f}, {len(values)} times)"


def _machine() -> dict[str, Any]:
    return {
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "load_at_start": os.getloadavg()[0],
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the gateway against moto_server and a bare aiohttp handler.")
    parser.add_argument("--moto", type=Path, default=Path(".venv-bench/bin/moto_server"), help="the program to run")
    parser.add_argument("--groups", type=int, default=1000, help="groups in the gateway")
    parser.add_argument("--moto-groups", type=int, default=None, help="groups in moto; as many when left out")
    parser.add_argument("--instances", type=int, default=5, help="instances in each group")
    parser.add_argument("--rounds", type=int, default=8, help="rounds of each row")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a round for one server")
    parser.add_argument("--rows", default="", help="only rows whose title has this text")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write everything measured to FILE")
    options = parser.parse_args()
    options.moto = options.moto.absolute()
    if options.moto_groups is None:
        options.moto_groups = options.groups
    return options


def _tell(line: str, *, passing: bool = False) -> None:
    """Nothing; *passing* lines are overwritten by the next one, and left out where that is impossible."""
    if not passing:
        print(line, file=sys.stderr, flush=True)
    elif sys.stderr.isatty():
        print(line, file=sys.stderr, end="\r", flush=True)


if __name__ == "__main__":
    main()
