"""
The gateway as users run it, but dying at a named point: ``python -m tests.crash_points.dying CONFIG ARM``.

Owns: putting a trap before and after every step that has an effect: verbs of the ledger, verbs of a cloud, operations
of the API, statements of a migration. Each line of its input gives one life, a process of its own. ARM is a file; it
names the point, which time it is reached, and how many lives end there, as ``launch:after:2:1``: later lives end the
first time. While it is not there, nothing dies.
"""

import asyncio
import functools
import multiprocessing
import os
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from backends.ec2 import Ec2Cloud
from phantom_gateway import logs
from phantom_gateway.app import run
from phantom_gateway.config import load
from phantom_gateway.operations import all_operations
from phantom_gateway.operations.http_api import all_endpoints
from phantom_gateway.operations.table import TABLE
from phantom_gateway.records.ledger import SqlLedger
from phantom_gateway.records.session import Database

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

STATEMENT, COMMIT, MIGRATION = "statement", "commit", "migration"
"""Points of a start that brings the schema up to date."""


class Trap:
    """Kills the process when the armed point is reached for the time that was asked for."""

    def __init__(self, arm: Path) -> None:
        self._arm = arm
        self._reached: Counter[str] = Counter()

    def at(self, point: str) -> None:
        """Nothing, but perhaps never."""
        try:
            name, nth, lives = self._arm.read_text().rsplit(":", 2)
        except FileNotFoundError:
            self._reached.clear()
            return
        self._reached[point] += point == name
        if point == name and self._reached[point] >= int(nth):
            if int(lives) > 1:
                self._arm.write_text(f"{name}:1:{int(lives) - 1}")
            else:
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
    _set_traps_in_migrations(trap)


def _set_traps_in_migrations(trap: Trap) -> None:
    whole = Database.migrate

    def watched(self: Database) -> None:
        events = {
            "after_cursor_execute": lambda *_: trap.at(f"{STATEMENT}:after"),
            "commit": lambda *_: trap.at(f"{COMMIT}:before"),
        }
        for name, heard in events.items():
            sa.event.listen(self._engine, name, heard)
        whole(self)
        trap.at(f"{MIGRATION}:after")
        for name, heard in events.items():
            sa.event.remove(self._engine, name, heard)

    Database.migrate = watched  # type: ignore[method-assign]


def live(config: Path) -> None:
    """Nothing; one life is over."""
    from phantom_gateway.front import query

    query._random.seed()  # a fork would number its requests as its brothers did
    asyncio.run(run(load(config, os.environ), os.environ, functools.partial(print, flush=True)))


def main() -> None:
    """Nothing, once its input ends; it tells of the birth and the death of each life."""
    tell = functools.partial(print, flush=True)
    logs.configure(sys.stderr)
    all_operations()
    all_endpoints()
    set_traps(Trap(Path(sys.argv[2])))
    processes = multiprocessing.get_context("fork")
    for _ in sys.stdin:
        life = processes.Process(target=live, args=(Path(sys.argv[1]),))
        life.start()
        tell(f"born {life.pid}")
        life.join()
        tell(f"died {life.exitcode}")


if __name__ == "__main__":
    main()
