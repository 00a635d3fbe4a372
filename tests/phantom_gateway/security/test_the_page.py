"""The page about security is true: its tests exist and say the same numbers, and its limits are those of the code."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")

FIRST, LAST = 78, 104
"""The numbers of abuse and attacks."""

NUMBERS = re.compile(r"\bF(\d+)(?: to F(\d+))?\b")


def numbers_in(text: str) -> set[int]:
    """The numbers of this page that *text* begins with, before its colon."""
    head = text.strip().partition(":")[0]
    if not re.fullmatch(r"(F\d+|to|,| )+", head):
        return set()
    found = {n for low, high in NUMBERS.findall(head) for n in range(int(low), int(high or low) + 1)}
    return {number for number in found if FIRST <= number <= LAST}


def named() -> dict[int, set[str]]:
    """Number -> the tests that the page names under it."""
    sections = re.split(r"^### F(\d+): .*$", PAGE, flags=re.MULTILINE)[1:]
    assert list(map(int, sections[::2])) == list(range(FIRST, LAST + 1))
    return {
        int(number): set(re.findall(r"`(tests/[\w/]+\.py::\w+)`", text.partition("\n## ")[0]))
        for number, text in zip(sections[::2], sections[1::2], strict=True)
    }


def written() -> dict[int, set[str]]:
    """Number -> the tests whose docstring begins with it."""
    found: dict[int, set[str]] = {number: set() for number in range(FIRST, LAST + 1)}
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                for number in numbers_in(ast.get_docstring(node) or ""):
                    found[number].add(f"{file.relative_to(ROOT).as_posix()}::{node.name}")
    return found


def test_every_number_is_listed_with_the_tests_that_say_it() -> None:
    """None is missing on either side; a number without a test says that it does not concern, and why."""
    on_page, in_tests = named(), written()

    assert on_page == in_tests
    for number in (number for number, tests in on_page.items() if not tests):
        assert re.search(rf"^### F{number}: .*\n\nDoes not concern: .+", PAGE, re.MULTILINE), number


@pytest.mark.parametrize(
    ("value", "place"), re.findall(r"^\| [^|]+ \| ([\d,.]+)[^|]* \| [^|]+ \| `([\w.]+)` \|$", PAGE, re.MULTILINE)
)
def test_a_limit_on_the_page_is_the_one_in_force(value: str, place: str) -> None:
    """The table of limits has the values of the code, which has the reasons, too."""
    module, _, name = place.rpartition(".")

    assert float(value.replace(",", "")) == getattr(importlib.import_module(module), name)


def test_the_table_of_limits_is_read() -> None:
    """The rows above are all rows of the table."""
    rows = PAGE.partition("## Limits")[2].partition("\n## ")[0]

    assert len(re.findall(r"^\| .* \| `[\w.]+` \|$", rows, re.MULTILINE)) >= 20
    assert len(re.findall(r"^\|", rows, re.MULTILINE)) - 2 == len(
        re.findall(r"^\| [^|]+ \| ([\d,.]+)[^|]* \| [^|]+ \| `([\w.]+)` \|$", PAGE, re.MULTILINE)
    )
