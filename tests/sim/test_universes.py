"""
Simulated universes: whatever goes wrong, nothing is leaked, nothing runs away, and no VM that serves is ended in vain.

They are played in processes of their own, whose hash seed is fixed: a seed tells the same story every time.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sim.mutants import HOME, MUTANTS

UNIVERSES = 2_000
BATCH = 250
"""Universes to a test: several tests may be played beside each other."""
GROUP_HOURS_MIN = 10
"""To a universe. Together with the universes themselves it is what fits in six minutes of a processor."""


def told(*arguments: str) -> tuple[int, str]:
    """Exit code and output of ``python -m`` with *arguments*."""
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=HOME, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("first", range(0, UNIVERSES, BATCH))
def test_every_universe_ends_well(first: int) -> None:
    """No surplus, no leak, no healthy VM ended in vain, and in the end all is as desired (F4, F68, I1, I2, I3, I5)."""
    # Where there is a worker to each processor already, one process is enough for each test.
    processes = "1" if os.environ.get("PYTEST_XDIST_WORKER") else "2"
    code, output = told("tests.sim.playing", "--seeds", f"{first}:{first + BATCH}", "--processes", processes)
    print(output)  # noqa: T201 - the figures, and the stories of those that ended badly

    assert code == 0, output[-8_000:]
    found = re.search(r"(\d+) universes, (\d+) group-hours", output.splitlines()[-1])
    assert found is not None
    assert int(found[1]) == BATCH
    assert int(found[2]) >= GROUP_HOURS_MIN * BATCH


def test_a_seed_tells_the_same_story_every_time() -> None:
    """Otherwise nothing that went wrong could be looked at."""
    first, second = (told("tests.sim.playing", "--seeds", "7") for _ in range(2))

    assert first == second
    assert "gateway: is killed" in first[1]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [mutant.name for mutant in MUTANTS])
def test_a_deliberate_mistake_is_caught(name: str) -> None:
    """A simulation that lets it live would prove nothing."""
    code, output = told("tests.sim.mutants", name)

    assert code == 0, output
    assert "caught by universe" in output


def test_there_is_a_mistake_in_each_part() -> None:
    """In what decides and in what acts."""
    modules = {Path(mutant.path).stem for mutant in MUTANTS}
    assert modules >= {"planner", "settlement", "launcher", "health", "deaths", "sweeper", "loop", "steady", "stamps"}


def test_there_are_twenty_mistakes() -> None:
    """Fewer would say less."""
    assert len({mutant.name for mutant in MUTANTS}) >= 20
