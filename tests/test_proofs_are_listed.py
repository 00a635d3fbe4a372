"""The page that tells which test plays which fault is true."""

import ast
import re
from pathlib import Path

import pytest

HOME = Path(__file__).parents[1]
ROWS = re.findall(r"^\| F(\d+) \| (.*) \| (.*) \|$", (HOME / "docs" / "proofs.md").read_text(), re.MULTILINE)
LAST = 77
OF_CLOUDS = range(15, 48)
"""Each of these has a list of scenarios of its own, which another test holds true."""

UNPROVEN = ("*not built:* ", "*open:* ")


def told_of(path: Path, name: str) -> str:
    """Name and docstring of the test *name* in *path*; without a name, all of the file. Fails where there is none."""
    text = path.read_text()
    if not name:
        return text
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return f"{name} {ast.get_docstring(node)}"
    raise AssertionError(f"there is no {name} in {path}")


def test_every_number_has_its_row() -> None:
    """None is missing, and none is there twice."""
    assert [int(number) for number, _, _ in ROWS] == list(range(1, LAST + 1))


@pytest.mark.parametrize(("number", "outcome", "tests"), ROWS, ids=[f"F{number}" for number, _, _ in ROWS])
def test_a_row_is_true(number: str, outcome: str, tests: str) -> None:
    """Its tests exist and name the number; where there is none, the row says why."""
    cited = re.findall(r"`([^`:]+\.py)(?:::(\w+))?`", tests)
    for file, name in cited:
        assert re.search(rf"\bF{number}\b", told_of(HOME / "tests" / file, name)), f"{file} {name} does not name it"
    is_listed = "(faults.md)" in tests

    assert is_listed == (int(number) in OF_CLOUDS)
    assert bool(cited or is_listed) != outcome.startswith(UNPROVEN)
