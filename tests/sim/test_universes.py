"""
Simulated universes: whatever goes wrong, nothing is leaked, nothing runs away, and no VM that serves is ended in vain.

They are played in processes of their own, whose hash seed is fixed: a seed tells the same story every time.
"""

import os
import re

import pytest

from tests.sim.mutants import told

UNIVERSES = 2_000
BATCH = 250
"""Universes to a test: several tests may be played beside each other."""
GROUP_HOURS_MIN = 10
"""To a universe, on the average of a batch."""


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
