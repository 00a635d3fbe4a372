"""
Deliberate mistakes in what decides and what acts, each of which the simulation has to catch.

Owns: the mistakes, as data (``mutants.toml``), and running universes with one of them: ``python -m tests.sim.mutants
NAME``. A simulation that lets one of these live proves nothing. Mistakes that the gateway bears, because something else
stands behind, are not here: a listing that leaves machines out is believed without harm, for absence is asked about.
"""

import importlib.abc
import importlib.util
import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

HOME = Path(__file__).parents[2]

SEEDS = 120
"""Universes that a mistake may survive before it counts as not caught."""

HOURS = 1.4
"""Of trouble in each. Some mistakes show late."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake: in *module*, *before* (which stands there exactly once) becomes *after*."""

    name: str
    module: str
    before: str
    after: str
    first: int = 0
    """The seed to begin with: what takes long to be caught is not played from the beginning each time."""

    @property
    def path(self) -> Path:
        """The file of the module."""
        return HOME / (self.module.replace(".", "/") + ".py")

    def source(self) -> str:
        """The module with the mistake in it. Raises ValueError when the text to change is not there exactly once."""
        text = self.path.read_text()
        if text.count(self.before) != 1:
            raise ValueError(f"{self.name}: {self.before!r} stands {text.count(self.before)} times in {self.path.name}")
        return text.replace(self.before, self.after)


MUTANTS = tuple(Mutant(**given) for given in tomllib.loads(Path(__file__).with_suffix(".toml").read_text())["mutant"])


class _Graft(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):  # type: ignore[misc]  # typeshed quarrels
    """Hands out one module with a mistake in it."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - importlib's
        target: ModuleType | None = None,  # noqa: ARG002 - importlib's
    ) -> ModuleSpec | None:
        """See importlib."""
        if fullname != self._mutant.module:
            return None
        return importlib.util.spec_from_loader(fullname, self, origin=str(self._mutant.path))

    def get_filename(self, fullname: str) -> str:
        """See importlib."""
        assert fullname == self._mutant.module
        return str(self._mutant.path)

    def get_data(self, path: str) -> bytes:
        """See importlib."""
        assert path == str(self._mutant.path)
        return self._mutant.source().encode()


def catch(mutant: Mutant) -> tuple[int, str] | None:
    """The seed that catches *mutant*, and its complaint; None when it lives. To be run in a process of its own."""
    sys.meta_path.insert(0, _Graft(mutant))
    from tests.sim import playing

    for seed in range(mutant.first, mutant.first + SEEDS):
        ending = playing.ending_of(seed, HOURS)
        if ending.complaints:
            return seed, ending.complaints[0]
    return None


def told(*arguments: str) -> tuple[int, str]:
    """Exit code and output of ``python -m`` with *arguments*."""
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=HOME, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def main(name: str) -> int:
    """0 when the mutant called *name* was caught, 1 when it lives."""
    (mutant,) = (mutant for mutant in MUTANTS if mutant.name == name)
    caught = catch(mutant)
    print(f"{name}: " + ("it lives" if caught is None else f"caught by universe {caught[0]}: {caught[1]}"))
    return caught is None


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.sim.mutants", *sys.argv[1:]],
            os.environ | {"PYTHONHASHSEED": "0"},
        )
    sys.exit(main(sys.argv[1]))
