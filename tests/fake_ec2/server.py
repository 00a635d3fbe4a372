"""
The fake EC2 as a process: ``python -m tests.fake_ec2.server --port 0``. It prints where it serves, and ends on SIGTERM.

Owns: the command line. Does not own: anything it starts.
"""

import argparse
import asyncio
import json
import signal
import sys
from random import Random

from tests.fake_ec2.endpoint import Endpoint
from tests.fake_ec2.faults import FaultPlan
from tests.fake_ec2.knobs import DIALECTS
from tests.fake_ec2.serving import Served
from tests.fake_ec2.world import Account, World


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    """The command line, read."""
    parser = argparse.ArgumentParser(prog="tests.fake_ec2.server")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--dialect", choices=sorted(DIALECTS), default="aws")
    parser.add_argument("--knobs", type=json.loads, default={}, help="JSON, over the dialect's")
    parser.add_argument(
        "--account", action="append", default=[], help="KEY:SECRET:ACCOUNT_ID; without, any key is good"
    )
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


async def serve(chosen: argparse.Namespace) -> None:
    """Nothing, when SIGTERM or SIGINT has come."""
    knobs = DIALECTS[chosen.dialect].changed(chosen.knobs)
    accounts = tuple(Account(*text.split(":")) for text in chosen.account)
    world = World(knobs, rng=Random(chosen.seed), accounts=accounts)
    plan = FaultPlan(rng=Random(chosen.seed + 1), clock=world.clock)
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    async with Served(Endpoint(world, plan).application(), chosen.port) as served:
        sys.stdout.write(f"fake EC2 serves on {served.url}\n")
        sys.stdout.flush()
        await told.wait()


if __name__ == "__main__":
    asyncio.run(serve(read_arguments(sys.argv[1:])))
