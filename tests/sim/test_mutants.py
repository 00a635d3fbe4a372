"""A simulation that lets a deliberate mistake live would prove nothing."""

from pathlib import Path

import pytest

from tests.sim.mutants import MUTANTS, told


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
