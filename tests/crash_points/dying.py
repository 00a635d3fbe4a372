"""
The gateway as users run it, but dying at a named point: ``python -m tests.crash_points.dying CONFIG ARM``.

Owns: putting a trap before and after every step that has an effect: verbs of the ledger, verbs of a cloud, operations
of the API. ARM is a file; it names the point, and which time it is reached, as ``launch:after:2``. While it is not
there, nothing dies.
"""

import asyncio
import functools
import os
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from backends.ec2 import Ec2Cloud
from phantom_gateway import logs
from phantom_gateway.app import run
from phantom_gateway.config import load
from phantom_gateway.operations import all_operations
from phantom_gateway.operations.table import TABLE
from phantom_gateway.records.ledger import SqlLedger

LEDGER_VERBS = (
    "bind",
    "bury",
    "claim",
    "note_dismissed",
    "note_launch_failed",
    "note_launched",
    "promote",
    "release",
    "remove_group",
    "retire",
)
CLOUD_VERBS = ("launch", "sweep", "terminate")


class Trap:
    """Kills the process when the armed point is reached for the time that was asked for."""

    def __init__(self, arm: Path) -> None:
        self._arm = arm
        self._reached: Counter[str] = Counter()

    def at(self, point: str) -> None:
        """Nothing, but perhaps never."""
        try:
            name, _, nth = self._arm.read_text().rpartition(":")
        except FileNotFoundError:
            self._reached.clear()
            return
        self._reached[point] += point == name
        if point == name and self._reached[point] >= int(nth):
            self._arm.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, name: str, verb: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """*verb* between two traps."""

        @functools.wraps(verb)
        async def trapped(*arguments: Any, **named: Any) -> Any:
            self.at(f"{name}:before")
            answer = await verb(*arguments, **named)
            self.at(f"{name}:after")
            return answer

        return trapped


def set_traps(trap: Trap) -> None:
    """Nothing; every step goes through *trap*. After an operation means: after its commit, before its answer."""
    for owner, verbs in ((SqlLedger, LEDGER_VERBS), (Ec2Cloud, CLOUD_VERBS)):
        for verb in verbs:
            setattr(owner, verb, trap.around(verb, getattr(owner, verb)))
    from phantom_gateway.front.query import QueryDoor

    whole = QueryDoor._run

    async def watched(self: QueryDoor, call: Any, answer: Any) -> str:
        if not TABLE[call.operation.name].writes:
            return await whole(self, call, answer)
        trap.at(f"{call.operation.name}:before")
        document = await whole(self, call, answer)
        trap.at(f"{call.operation.name}:after")
        return document

    QueryDoor._run = watched  # type: ignore[method-assign]


if __name__ == "__main__":
    logs.configure(sys.stderr)
    all_operations()
    set_traps(Trap(Path(sys.argv[2])))
    asyncio.run(run(load(Path(sys.argv[1]), os.environ), os.environ, functools.partial(print, flush=True)))
