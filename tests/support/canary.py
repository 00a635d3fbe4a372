"""
A secret that is planted before the run, wherever tests configure one, and searched for after it in all that was left.

Owns: the secret of this run, the search, and failing a run that finds it, as a pytest plug-in. Searched are files below
pytest's temporary directory (databases, logs, backups, states of clouds, what gateways last told of themselves), the
directories of servers before they are removed (:func:`look_at`), and what tests printed and logged. Does not own: using
it, which whoever configures a gateway does with :func:`planted`.
"""

import base64
import contextlib
import fnmatch
import mmap
import os
import secrets
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

VARIABLE = "CANARY_OF_THE_TESTS"
"""Hands the canary on to processes that import this module, too."""

CANARY = os.environ.setdefault(VARIABLE, f"canary{secrets.token_hex(8)}")
"""Lower-case letters and digits: no encoding but base64 and hexadecimal changes them."""

ALLOWED = {
    "*.toml": "the configuration: the test wrote the secret into it",
    "*/credentials": "the file that the as-* commands read: the test wrote it",
    "*/users.txt": "PgBouncer's list of who may log in: the test wrote it",
    "*/user-data": "what a VM of a local cloud is told at its start: it is meant for the VM",
}
"""Pattern of a path below the searched directory -> why the canary may be in it."""

SEARCH_S_MAX = 120.0
"""For all files; a whole run leaves some gigabytes, which take seconds. Beyond it the run fails."""

FOUND = Path(tempfile.gettempdir()) / f"{CANARY}.found"
"""What every process of this run found: workers of a divided run, too. There is none when nothing was found."""


def planted(words: str) -> str:
    """A secret with the canary in it; *words* give it the characters that a test needs, and tell secrets apart."""
    return f"{CANARY}{words}"


def spellings(text: str) -> dict[str, bytes]:
    """Name -> *text* as it might be written down: plain, in hexadecimal, and inside of anything that is in base64."""
    octets = text.encode()
    found = {"plain": octets, "hexadecimal": octets.hex().encode()}
    for offset, (skipped, encode) in enumerate(
        (skipped, encode) for encode in (base64.b64encode, base64.urlsafe_b64encode) for skipped in range(3)
    ):
        # Letters at both ends depend on neighbours: those of the bytes before, and an incomplete group at the end.
        letters = encode(b"\0" * skipped + octets)
        first = -(-skipped * 4 // 3)
        last = (skipped + len(octets)) * 8 // 6
        found[f"base64, {offset}"] = letters[first:last]
    return found


SPELLINGS = spellings(CANARY)


def look_at(directory: Path) -> None:
    """Nothing; what leaked below *directory* fails the run in the end. For what is removed before it."""
    _tell(leaks(directory))


def leaks(directory: Path) -> Iterator[str]:
    """Where the canary is below *directory*, outside of ALLOWED; and what could not be searched."""
    deadline_s = time.monotonic() + SEARCH_S_MAX
    for file in _files(directory):
        if time.monotonic() > deadline_s:
            yield f"{directory}: not searched to its end within {SEARCH_S_MAX:.0f} s"
            return
        if not any(fnmatch.fnmatch(file.as_posix(), pattern) for pattern in ALLOWED):
            for name in _found_in(file):
                yield f"{file} ({name})"


def _files(directory: Path) -> Iterator[Path]:
    """Every file below *directory*; no link is followed, and what vanishes meanwhile is left out."""
    with contextlib.suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                yield Path(entry.path)


def _found_in(file: Path) -> list[str]:
    with contextlib.suppress(FileNotFoundError), file.open("rb") as opened:
        if os.fstat(opened.fileno()).st_size:
            with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as octets:
                return [name for name, spelling in SPELLINGS.items() if octets.find(spelling) >= 0]
    return []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Nothing; what a test printed or logged, and nobody read, is searched."""
    for title, text in report.sections:
        octets = text.encode(errors="surrogateescape")
        _tell(f"{report.nodeid}, {title} ({name})" for name, spelling in SPELLINGS.items() if spelling in octets)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Nothing; a run that left the canary anywhere has failed. Workers leave the search to whoever divided the run."""
    if _is_worker(session.config):
        return
    factory: pytest.TempPathFactory | None = getattr(session.config, "_tmp_path_factory", None)
    if factory is not None and factory._basetemp is not None:
        look_at(factory.getbasetemp())
    if FOUND.exists():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Nothing; every place is told."""
    if FOUND.exists() and not _is_worker(terminalreporter.config):
        terminalreporter.section("a planted secret was found", red=True, bold=True)
        for leak in dict.fromkeys(FOUND.read_text(encoding="utf-8").splitlines()):
            terminalreporter.write_line(leak)
        FOUND.unlink()


def _is_worker(config: pytest.Config) -> bool:
    """Whether this process runs a part of the tests for another one."""
    return hasattr(config, "workerinput")


def _tell(found: Iterable[str]) -> None:
    for leak in found:
        with FOUND.open("a", encoding="utf-8") as told:
            told.write(f"{leak}\n")
