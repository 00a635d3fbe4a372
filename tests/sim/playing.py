"""
Plays universes and says how they ended: ``python -m tests.sim.playing --seeds 0:2000``.

Owns: how long a universe is watched, how long it may take to settle, and the line that plays one again.
"""

import argparse
import asyncio
import logging
import os
import resource
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing import Pool
from zlib import crc32

from tests.reconciler import virtual_time
from tests.sim.nemesis import Nemesis
from tests.sim.operator import Operator
from tests.sim.universe import LedgerDown, Universe

HOURS = 1.26
"""Of trouble. A shorter universe has fewer faults that meet; a longer one takes longer to play again."""
GROUPS_FIRST = 7

BATCH = 100
FRESH_BATCH = 20
"""Seeds between two lines of progress."""

SETTLE_S_MAX = 2_400.0
"""From the last fault to everything as desired: the longest back-off, four times, and a launch after each."""

HUMAN_S = 700.0
"""After the last fault somebody says what is lost: by then the gateway has believed what it can believe."""

LOOK_S = 30.0
"""Between two looks at whether all is as desired."""

CALM_S = 120.0
"""Settled has to stay settled for so long."""


@dataclass(frozen=True, slots=True)
class Ending:
    """
    How one universe ended. *print_* is the same whenever the same seed is played.

    *group_hours* were watched: of trouble, and of settling afterwards.
    """

    seed: int
    complaints: tuple[str, ...]
    group_hours: float
    births: int
    kills: int
    lives: int
    print_: int
    story: tuple[str, ...] = ()


class _Alarm(logging.Handler):
    """Hears of passes that raised: every fault here is one that the gateway has to bear, but for its own."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.raised: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """See logging."""
        error = record.exc_info[1] if record.exc_info else None
        group = BaseExceptionGroup("", [error]) if error is not None else None
        if group is None or group.split(LedgerDown)[1] is not None:
            self.raised.append(f"{record.getMessage()}: {error!r}")


async def play(seed: int, hours: float = HOURS, *, keeps_story: bool = False) -> Ending:
    """The ending of the universe of *seed*, after *hours* of trouble and as long as it took to settle."""
    universe, alarm = Universe(seed), _Alarm()
    logging.getLogger("reconciler").addHandler(alarm)
    try:
        ending = await _played(universe, alarm, seed, hours)
    finally:
        logging.getLogger("reconciler").removeHandler(alarm)
    return replace(ending, story=tuple(universe.story)) if keeps_story or ending.complaints else ending


async def _played(universe: Universe, alarm: _Alarm, seed: int, hours: float) -> Ending:
    nemesis, operator = Nemesis(universe), Operator(universe, seed)
    await universe.start()
    for _ in range(GROUPS_FIRST):
        universe.create()
    loop = asyncio.get_running_loop()
    complaints: list[str] = []
    group_hours = 0.0
    while loop.time() < hours * 3600 and not complaints:
        before_s, groups = loop.time(), len(universe.living())
        await nemesis.act()
        await operator.act()
        group_hours += groups * (loop.time() - before_s) / 3600
        complaints = _wrongs(universe, alarm)
    if not complaints:
        await nemesis.calm()
        await operator.calm()
        before_s, groups = loop.time(), len(universe.living())
        complaints = await _settle(universe, alarm)
        group_hours += groups * (loop.time() - before_s) / 3600
    await universe.crash()
    return Ending(
        seed,
        tuple(complaints),
        group_hours,
        universe.judge.births,
        universe.judge.kills,
        sum("starts" in line for line in universe.story),
        crc32("\n".join(universe.story).encode()),
    )


async def _settle(universe: Universe, alarm: _Alarm) -> list[str]:
    """What is still wrong when time is up, or went wrong on the way."""
    loop = asyncio.get_running_loop()
    began_s, settled_s, declared = loop.time(), None, None
    while loop.time() - began_s < SETTLE_S_MAX:
        await asyncio.sleep(LOOK_S)
        if wrongs := _wrongs(universe, alarm):
            return wrongs
        if declared is None and loop.time() - began_s > HUMAN_S:
            declared = universe.declare_the_lost()
        if universe.judge.demands():
            settled_s = None
        elif settled_s is None:
            settled_s = loop.time()
        elif loop.time() - settled_s >= CALM_S:
            return []
    demands = universe.judge.demands()
    return [f"not settled: {demand}; {_waits(universe)}" for demand in demands] or ["it never stayed settled"]


def _wrongs(universe: Universe, alarm: _Alarm) -> list[str]:
    wrongs = universe.wrongs[:3] + alarm.raised[:3]
    if universe.life is not None and universe.life.is_broken:
        wrongs.append("the reconciler ended by itself")
    return wrongs


def _waits(universe: Universe) -> str:
    return "; ".join(f"{uid}: {', '.join(waits)}" for uid, waits in universe.ledger.waiting.items() if waits)


def ending_of(seed: int, hours: float = HOURS, *, keeps_story: bool = False) -> Ending:
    """As :func:`play`, from outside any event loop."""
    logging.getLogger("reconciler").setLevel(logging.ERROR)  # faults by the thousand, told in the story
    logging.lastResort = None
    # Where it was logged, and by whom, nobody here asks.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    return virtual_time.run(play(seed, hours, keeps_story=keeps_story))


def main(arguments: list[str] | None = None) -> int:
    """0 when every universe ended well. Failures print their story's end and the line that plays them again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0:100", help="FROM:TO, or one seed, whose whole story is told")
    parser.add_argument("--for-s", type=float, help="fresh seeds instead, until so many seconds have passed")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args(arguments)
    if ":" not in given.seeds and given.for_s is None:
        ending = ending_of(int(given.seeds), keeps_story=True)
        print("\n".join((*ending.story, *ending.complaints)))
        return bool(ending.complaints)
    began_s, done = time.monotonic(), list[Ending]()
    with Pool(given.processes) as pool:
        for seeds in _batches(given.seeds, given.for_s):
            for ending in pool.imap_unordered(ending_of, seeds, chunksize=4):
                done.append(ending)
                if ending.complaints:
                    _report(ending)
            print(f"  {len(done)} universes, {time.monotonic() - began_s:.0f} s", flush=True)
        pool.close()
        pool.join()
    _summarise(done, time.monotonic() - began_s)
    return any(ending.complaints for ending in done)


def _batches(seeds: str, for_s: float | None) -> Iterator[Sequence[int]]:
    """The seeds of *seeds*, or fresh ones until *for_s* seconds have passed, some at a time."""
    if for_s is None:
        first, _, last = seeds.partition(":")
        every = range(int(first), int(last))
        yield from (every[start : start + BATCH] for start in range(0, len(every), BATCH))
        return
    until_s = time.monotonic() + for_s
    while time.monotonic() < until_s:
        yield [secrets.randbelow(2**32) for _ in range(FRESH_BATCH)]


def _summarise(done: Sequence[Ending], wall_s: float) -> None:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    failed = sorted(ending.seed for ending in done if ending.complaints)
    print(
        f"{len(done)} universes, {sum(ending.group_hours for ending in done):.0f} group-hours, "
        f"{sum(ending.births for ending in done)} VMs launched, {sum(ending.kills for ending in done)} ended, "
        f"{sum(ending.lives for ending in done)} lives of the gateway, {wall_s:.0f} s "
        f"({used.ru_utime + used.ru_stime:.0f} s of processor): "
        + (f"{len(failed)} ended badly: {failed[:20]}" if failed else "all ended well")
    )


def _report(ending: Ending) -> None:
    print(f"universe {ending.seed} ended badly; once more: make replay SEED={ending.seed}")
    for line in (*ending.story[-40:], *ending.complaints):
        print(f"    {line}")


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # sets of names are walked through in an order that hashes decide
        again = [sys.executable, "-m", "tests.sim.playing", *sys.argv[1:]]
        os.execve(sys.executable, again, os.environ | {"PYTHONHASHSEED": "0"})
    sys.exit(main())
