"""An audit that could not be made is never taken for one that found nothing."""

import json
import sys
from pathlib import Path

import pytest

from tests.supply import auditing
from tests.supply.auditing import Outcome, audited, verdict

SOUND = {"name": "lxml", "version": "6.1", "vulns": []}
FOUND = {"name": "lxml", "version": "6.1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["6.2"], "description": ""}]}
SKIPPED = {"name": "lxml", "skip_reason": "Dependency not found"}


def report(*packages: object) -> str:
    """What pip-audit writes of *packages*."""
    return json.dumps({"dependencies": packages, "fixes": []})


@pytest.mark.parametrize(
    ("text", "complaint", "outcome", "told"),
    [
        pytest.param(report(SOUND), "", Outcome.SOUND, "no advisory about any of 1 packages", id="sound"),
        pytest.param(report(SOUND, FOUND), "", Outcome.FINDINGS, "PYSEC-1, mended in 6.2", id="a finding"),
        pytest.param(report(SKIPPED, FOUND), "", Outcome.FINDINGS, "PYSEC-1", id="a finding beside unknowns"),
        pytest.param(report(SOUND, SKIPPED), "", Outcome.UNKNOWN, "1 of 2 could not be judged", id="unknown to it"),
        pytest.param(report(), "", Outcome.UNKNOWN, "nothing was judged", id="an empty lock"),
        pytest.param("", "requests.exceptions.ConnectionError: x", Outcome.UNKNOWN, "be reached", id="no network"),
        pytest.param("", "line\nERROR: bad lock", Outcome.BROKEN, "ERROR: bad lock", id="pip-audit fails"),
    ],
)
def test_only_what_was_judged_is_sound(text: str, complaint: str, outcome: Outcome, told: str) -> None:
    """Findings, versions that nobody could judge, and a service that is away are three outcomes."""
    found = verdict(text, complaint)

    assert found.outcome is outcome
    assert told in " ".join(found.lines)


@pytest.mark.parametrize(
    ("complaint", "words", "code"),
    [
        pytest.param("ReadTimeout", [], Outcome.UNKNOWN, id="asked by a person"),
        pytest.param("ReadTimeout", ["--or-skip"], Outcome.SOUND, id="in CI"),
        pytest.param("broken", ["--or-skip"], Outcome.BROKEN, id="broken in CI"),
    ],
)
def test_an_audit_that_is_skipped_says_so(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    complaint: str,
    words: list[str],
    code: Outcome,
) -> None:
    """Without the network CI goes on with a line that nobody can take for an audit; every other failure fails it."""
    program = tmp_path / "pip-audit"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.exit({complaint!r})\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "argv", ["auditing", str(program), *words])

    assert auditing.main() == code
    assert ("SKIPPED: locked versions were not compared" in capsys.readouterr().out) == (code is Outcome.SOUND)


def test_findings_are_read_from_the_programs_report(tmp_path: Path) -> None:
    """The report is the file that pip-audit was told to write."""
    program = tmp_path / "pip-audit"
    program.write_text(
        f"#!{sys.executable}\nimport pathlib, sys\n"
        f"pathlib.Path(sys.argv[sys.argv.index('--output') + 1]).write_text({report(FOUND)!r})\nsys.exit(1)\n"
    )
    program.chmod(0o755)

    assert audited(str(program), tmp_path / "lock.txt").outcome is Outcome.FINDINGS
