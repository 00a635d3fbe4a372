"""The house rules that no linter knows, so that nobody has to argue about them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("phantom_gateway", "protocol", "backends", "reconciler")

FUNCTION_LINES_MAX = 70
"""One screen."""

MODULE_LINES_MAX = 600
"""Beyond it nobody has read the whole."""

BANNED = {
    r"\btime\.sleep\(": "a condition to wait for",
    r"\b(TODO|FIXME|XXX)\b": "an issue, or doing it now",
    r"\bexcept Exception\b": "the exception that is meant",
    r"\bassert_called": "an assertion on the state of the world",
    r"\bunittest\.mock\b": "a real part",
}
"""What must not be written -> what to write instead."""

BANNED_IN_ROOMS = {
    r"\bdatetime\.(utcnow|now)\(": "clock.now(), handed in as an argument",
    r"\btime\.(time|monotonic)\(": "clock.now(), handed in as an argument, or the loop's time",
    r"\bprint\(": "logging, or the command line's own printing",
}
"""The same for the product alone."""

ALLOWED = {
    ("phantom_gateway/clock.py", r"\bdatetime\.(utcnow|now)\("): "it is the reader of the clock",
    ("phantom_gateway/cli.py", r"\bprint\("): "it prints",
    ("phantom_gateway/terminal.py", r"\bprint\("): "it prints for the command line",
    ("phantom_gateway/front/query.py", r"\bexcept Exception\b"): "the last resort of a door",
    ("phantom_gateway/front/http_api/door.py", r"\bexcept Exception\b"): "the last resort of a door",
    ("phantom_gateway/records/sqlite.py", r"\bexcept Exception\b"): "handed to the caller who waits for the job",
    ("backends/via_libcloud/lanes.py", r"\bexcept Exception\b"): "drivers raise anything, and all of it is translated",
    ("reconciler/loop.py", r"\bexcept Exception\b"): "one bad group must not stop the others",
    ("reconciler/sweeper.py", r"\bexcept Exception\b"): "one broken cloud must not blind the others",
    ("backends/local/hello.py", r"\btime\.(time|monotonic)\("): "a program of its own, inside a VM",
    ("tests/protocol/signing.py", r"\bunittest\.mock\b"): "it sets botocore's clock: botocore takes no other",
    ("tests/test_tidy.py", "*"): "it names what it bans",
}
"""(file, pattern) -> why it may."""

WORDS_BANNED = re.compile(r"(^|_)(utils?|helpers?|misc|common|manager)(_|$)")
"""Names that say nothing."""


def files(*folders: str) -> list[Path]:
    """Every Python file below *folders*."""
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


def name_of(file: Path) -> str:
    """The path from the root of the project."""
    return file.relative_to(ROOT).as_posix()


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function in *tree*, nested ones included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("file", files(*ROOMS, "tests", "bench", "demo"), ids=name_of)
def test_a_file_can_be_read_in_one_go(file: Path) -> None:
    """Modules and functions stay short, and every module says what it is for."""
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(text)
    long = [f.name for f in functions(tree) if (f.end_lineno or 0) - f.lineno >= FUNCTION_LINES_MAX]
    if "migrations" in file.parts:
        long = []  # a list of tables, read from top to bottom

    assert len(text.splitlines()) <= MODULE_LINES_MAX
    assert long == []
    assert ast.get_docstring(tree) or text == ""


@pytest.mark.parametrize("file", files(*ROOMS, "tests"), ids=name_of)
def test_a_file_uses_nothing_banned(file: Path) -> None:
    """Each finding names the replacement."""
    text = file.read_text(encoding="utf-8")
    name = name_of(file)
    found = [
        f"{pattern}: use {instead}"
        for pattern, instead in (BANNED | (BANNED_IN_ROOMS if name.startswith(ROOMS) else {})).items()
        if re.search(pattern, text) and (name, pattern) not in ALLOWED and (name, "*") not in ALLOWED
    ]
    if file.parent.parts[-1] == "scripts":  # programs of their own, which print and wait
        found = []

    assert found == []
    assert not WORDS_BANNED.search(file.stem)


@pytest.mark.parametrize("file", files(*ROOMS), ids=name_of)
def test_a_room_says_what_it_owns(file: Path) -> None:
    """A module's docstring tells what it owns, so that a reader knows where to look and where not."""
    text = file.read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text)) or ""
    exempt = "migrations/" in name_of(file) or file.name == "__main__.py"

    assert exempt or "Owns:" in docstring


@pytest.mark.parametrize("file", files("tests"), ids=name_of)
def test_a_test_is_a_sentence(file: Path) -> None:
    """Every test says in a docstring which behaviour it holds."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    dumb = [f.name for f in functions(tree) if f.name.startswith("test_") and not ast.get_docstring(f)]

    assert dumb == []


def test_every_exception_is_still_needed() -> None:
    """An exemption whose reason is gone is gone, too."""
    unused = [
        (name, pattern)
        for name, pattern in ALLOWED
        if pattern != "*" and not re.search(pattern, (ROOT / name).read_text(encoding="utf-8"))
    ]

    assert unused == []
