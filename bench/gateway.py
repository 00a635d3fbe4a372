"""
The gateway as users run it, but with clouds in memory: ``python -m bench.gateway CONFIG [--tell-launches]``.

Owns: that exchange, and nothing else. Front, records (SQLite, WAL, synchronous=FULL), reconciler and logging are the
product's own, wired by the product.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from backends.cloud import Cloud
from bench.cloud import MemoryCloud
from phantom_gateway import logs, memory
from phantom_gateway.app import serving
from phantom_gateway.config import Config, load

FULL = "full"
"""The cloud of this name refuses every launch."""


def clouds_in_memory(config: Config, _gateway_id: str, clock: Callable[[], datetime]) -> Mapping[str, Cloud]:
    """A cloud in memory for each one configured, whatever its kind."""
    tell = _print_launch if "--tell-launches" in sys.argv else None
    return {name: MemoryCloud(name, clock, full=name == FULL, tell=tell) for name in config.clouds}


def _print_launch(at_s: float) -> None:
    print(f"launch {at_s!r}", flush=True)


async def serve(config: Config) -> None:
    """Nothing, once SIGTERM came; prints where it serves."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with serving(config, os.environ, clouds_in_memory) as running:
        memory.settle()
        print(f"gateway serves on http://127.0.0.1:{running.port}", flush=True)
        await stop.wait()


if __name__ == "__main__":
    logs.configure(sys.stderr)
    asyncio.run(serve(load(Path(sys.argv[1]), os.environ)))
