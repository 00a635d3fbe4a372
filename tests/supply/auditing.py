"""
Asks the public advisories about every version in the locks, with pip-audit, and says what came of it.

Owns: telling findings, versions that nobody could judge, and an advisory service that cannot be reached from one
another: pip-audit ends with 0 for the second and with 1 for the third. Does not own: the locks.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

LOCKS = Path(__file__).parents[2] / "locks"

AUDITED = ("test", "libvirt", "tools")
"""Locks that are asked about; ``run`` is part of ``test``, version by version."""

AUDIT_S_MAX = 300.0
"""For one lock: a question for each package, of which the largest has some 120."""

UNREACHED = ("ConnectionError", "ConnectTimeout", "ReadTimeout", "ProxyError", "Could not connect")
"""What pip-audit's last lines say when there is no service; none of these is said of a finding."""


class Outcome(IntEnum):
    """What is known of a lock; the number is the exit code, and the worst of all locks counts."""

    SOUND = 0
    FINDINGS = 1
    BROKEN = 2
    UNKNOWN = 3


SEVERITY = (Outcome.FINDINGS, Outcome.BROKEN, Outcome.UNKNOWN, Outcome.SOUND)
"""Worst first."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome, and the lines that tell it."""

    outcome: Outcome
    lines: tuple[str, ...]


def verdict(report: str, complaint: str) -> Verdict:
    """What a JSON *report* of pip-audit comes to; it is empty when pip-audit failed, and *complaint* says how."""
    if not report:
        last = complaint.strip().splitlines()[-1:] or ["it said nothing"]
        if any(word in complaint for word in UNREACHED):
            return Verdict(Outcome.UNKNOWN, ("the advisory service cannot be reached from here",))
        return Verdict(Outcome.BROKEN, (f"pip-audit failed: {last[0]}",))
    packages: list[dict[str, Any]] = json.loads(report)["dependencies"]
    findings = tuple(
        f"{package['name']} {package['version']}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'none'}"
        for package in packages
        for found in package.get("vulns", ())
    )
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    notes = (f"{len(unknown)} of {len(packages)} could not be judged: {', '.join(unknown)}",) if unknown else ()
    if findings:
        return Verdict(Outcome.FINDINGS, findings + notes)
    if unknown or not packages:
        return Verdict(Outcome.UNKNOWN, notes or ("nothing was judged",))
    return Verdict(Outcome.SOUND, (f"no advisory about any of {len(packages)} packages",))


def audited(program: str, lock: Path) -> Verdict:
    """What *program*, pip-audit, says of *lock*."""
    with tempfile.TemporaryDirectory(prefix="phantom-audit-") as directory:
        report = Path(directory) / "report.json"
        done = subprocess.run(
            [
                *(program, "--vulnerability-service", "osv", "--progress-spinner", "off", "--disable-pip"),
                *("--require-hashes", "--requirement", str(lock), "--format", "json", "--output", str(report)),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=AUDIT_S_MAX,
        )
        return verdict(report.read_text(encoding="utf-8") if report.exists() else "", done.stderr)


def main() -> int:
    """The exit code: that of the worst outcome."""
    parser = argparse.ArgumentParser(description="Ask the public advisories about every locked version.")
    parser.add_argument("program", help="pip-audit")
    parser.add_argument("--or-skip", action="store_true", help="end with 0 where the advisories cannot be asked")
    arguments = parser.parse_args()
    outcomes = set()
    for name in AUDITED:
        told = audited(arguments.program, LOCKS / f"{name}.txt")
        outcomes.add(told.outcome)
        for line in told.lines:
            print(f"audit of locks/{name}.txt: {told.outcome.name}: {line}", flush=True)
    worst = next(outcome for outcome in SEVERITY if outcome in outcomes)
    if worst is Outcome.UNKNOWN and arguments.or_skip:
        print(
            "SKIPPED: locked versions were not compared with the advisories; run make audit where they can be reached"
        )
        return Outcome.SOUND
    return worst


if __name__ == "__main__":
    sys.exit(main())
