"""The hunt for the planted secret finds it wherever it is left, and says where: a run of pytest inside this one."""

import base64
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.canary import CANARY, SPELLINGS, VARIABLE, leaks, planted

ROOT = Path(__file__).parents[2]

LEAKS = """
import base64, gzip, shutil, sqlite3
from tests.support.canary import CANARY, look_at, planted

def test_log(tmp_path):
    (tmp_path / "gateway.log").write_text("a line\\n" * 100_000 + planted("/of+mine"))

def test_database(tmp_path):
    with sqlite3.connect(tmp_path / "phantom.db") as database:
        database.execute("create table users (secret text)")
        database.execute("insert into users values (?)", (planted("=x"),))

def test_answer(tmp_path):
    (tmp_path / "answer").write_bytes(base64.b64encode(b"user:" + CANARY.encode() + b":x"))

def test_removed(tmp_path):
    (tmp_path / "server" / "data").mkdir(parents=True)
    (tmp_path / "server" / "data" / "wal").write_text(CANARY.encode().hex())
    look_at(tmp_path / "server")
    shutil.rmtree(tmp_path / "server")

def test_printed():
    print("I was told", CANARY)
"""

CLEAN = """
from tests.support.canary import planted

def test_configuration(tmp_path):
    (tmp_path / "phantom.toml").write_text(planted("/x"))
    (tmp_path / "empty").touch()
    (tmp_path / "link").symlink_to(tmp_path / "phantom.toml")
"""


def run_of(directory: Path, tests: str, *more: str) -> tuple[int, str]:
    """Exit code and output of a run of *tests* with a canary of its own: whatever it leaks is not this run's."""
    file = directory / "test_leaks.py"
    file.write_text(tests)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    words = ["-q", "-c", "/dev/null", "-p", "tests.support.canary", "--rootdir", str(directory)]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            *words,
            "-p",
            "no:cacheprovider",
            "--basetemp",
            str(directory / "run"),
            *more,
            file,
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**environ, VARIABLE: f"canary{secrets.token_hex(8)}"},
        timeout=100,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("more", [pytest.param((), id="alone"), pytest.param(("-n", "2"), id="divided")])
def test_a_run_that_leaks_fails_and_says_where(tmp_path: Path, more: tuple[str, ...]) -> None:
    """F96: each place is named, though every test passed: log, database, base64, what was removed, what was printed."""
    code, told = run_of(tmp_path, LEAKS, *more)

    assert code == pytest.ExitCode.TESTS_FAILED
    assert "5 passed" in told
    named = told.partition("a planted secret was found")[2]
    for place in ("gateway.log (plain)", "phantom.db (plain)", "answer (base64", "wal (hexadecimal)", "test_printed"):
        assert place in named


def test_a_run_that_leaks_nothing_passes(tmp_path: Path) -> None:
    """A secret in the configuration is where it belongs."""
    code, told = run_of(tmp_path, CLEAN)

    assert (code, "planted secret" in told) == (0, False)


@pytest.mark.parametrize("before", [pytest.param(b"x" * n, id=f"{n} before") for n in range(7)])
@pytest.mark.parametrize("after", [pytest.param(b"y" * n, id=f"{n} after") for n in range(4)])
def test_base64_hides_nothing_whatever_stands_around(before: bytes, after: bytes) -> None:
    """One of the spellings is in the base64 of any text that holds the secret."""
    octets = base64.b64encode(before + planted("").encode() + after)

    assert any(spelling in octets for spelling in SPELLINGS.values())


def test_a_search_that_takes_too_long_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not searched is not called clean."""
    (tmp_path / "file").write_text("x")
    monkeypatch.setattr("tests.support.canary.SEARCH_S_MAX", -1.0)

    assert list(leaks(tmp_path)) == [f"{tmp_path}: not searched to its end within -1 s"]
    assert CANARY.isalnum()
