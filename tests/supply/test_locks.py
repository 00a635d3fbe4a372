"""The locks pin what is asked for in pyproject.toml, by hash, and the tests run on what they pin."""

import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUN = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
ASKED = {
    "run": RUN,
    "test": [*RUN, *PROJECT["project"]["optional-dependencies"]["test"]],
    "libvirt": PROJECT["project"]["optional-dependencies"]["libvirt"],
    "tools": PROJECT["dependency-groups"]["tools"],
}
"""Lock -> what it has to satisfy."""


def pinned(lock: str) -> dict[str, set[str]]:
    """Name -> versions that *lock* has of it; more than one where Pythons or systems differ."""
    found: dict[str, set[str]] = {}
    for line in entries(lock):
        requirement = Requirement(line.partition(" \\")[0])
        (specifier,) = requirement.specifier
        assert specifier.operator == "=="
        found.setdefault(canonicalize_name(requirement.name), set()).add(specifier.version)
    return found


def entries(lock: str) -> list[str]:
    """Each entry of *lock*, with its hashes."""
    text = (ROOT / "locks" / f"{lock}.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return re.split(r"\n(?=\S)", "\n".join(lines))


@pytest.mark.parametrize("lock", sorted(ASKED))
def test_a_lock_has_what_is_asked_for(lock: str) -> None:
    """Whoever changes a range in pyproject.toml runs ``make lock``, or is told here."""
    versions = pinned(lock)

    for text in ASKED[lock]:
        requirement = Requirement(text)
        found = versions.get(canonicalize_name(requirement.name), set())
        assert found, text
        assert all(requirement.specifier.contains(version) for version in found), (text, found)


@pytest.mark.parametrize("lock", sorted(ASKED))
def test_every_entry_has_hashes_and_none_says_where_it_came_from(lock: str) -> None:
    """A lock is true of every registry: it holds names, versions and SHA-256, and no address."""
    assert [entry for entry in entries(lock) if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry)] == []
    assert not re.search(r"://|--(extra-)?index|--find-links|--trusted", "\n".join(entries(lock)))


def test_the_product_is_tested_on_what_is_locked_for_it() -> None:
    """What both locks have, they have in the same version."""
    run, test = pinned("run"), pinned("test")

    assert {name: test.get(name) for name in run} == run


def test_the_tests_run_on_what_is_locked() -> None:
    """Every package is installed here in the version of the lock: ``make setup`` saw to it."""
    wrong = {}
    for entry in entries("test"):
        requirement = Requirement(entry.partition(" \\")[0])
        if requirement.marker is None or requirement.marker.evaluate():
            installed = metadata.version(requirement.name)
            if not requirement.specifier.contains(installed):
                wrong[requirement.name] = installed

    assert wrong == {}, f"run make setup (this is {sys.prefix})"
