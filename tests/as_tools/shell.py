"""
A user's shell, with the ``as-*`` commands on its path and nothing in its environment but what a test puts there.

Owns: running scripts in ``sh``, and the credential file. The commands are the ones that the distribution installs.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.gateway import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from tests.support.waiting import wait_for

BIN = Path(sys.executable).parent
SCRIPT_S_MAX = 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a script ended."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What it printed."""
        return self.out.splitlines()


class Shell:
    """A shell whose *environ* points at an endpoint the way scripts of the time did: by two variables."""

    def __init__(self, directory: Path, url: str) -> None:
        self.directory = directory
        self.credential_file = directory / "credentials"
        self.credential_file.write_text(f"AWSAccessKeyId={ACCESS_KEY_ID}\nAWSSecretKey={SECRET_ACCESS_KEY}\n")
        self.credential_file.chmod(0o600)
        self.path = f"{BIN}:{os.environ['PATH']}"
        self.environ = {"AWS_AUTO_SCALING_URL": url, "AWS_CREDENTIAL_FILE": str(self.credential_file)}

    def run(self, script: str, environ: dict[str, str] | None = None, given: str = "") -> Outcome:
        """How *script* ended in a shell with *environ*, or the usual one; it reads *given*."""
        done = subprocess.run(
            ["sh", "-c", script],
            input=given,
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=self.directory,
            env={"PATH": self.path, "HOME": str(self.directory), **(self.environ if environ is None else environ)},
            timeout=SCRIPT_S_MAX,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def must(self, script: str, given: str = "") -> str:
        """What *script* printed; it ends well and complains of nothing."""
        outcome = self.run(script, given=given)
        assert (outcome.status, outcome.err) == (0, "")
        return outcome.out

    def make_group(self, name: str, size: int, options: str = "") -> None:
        """Nothing; once a group of *size* sleeping VMs is in service."""
        self.must(f"as-create-launch-config {name}@hotel --image-id sleeper --instance-type m1.small")
        self.must(
            f"as-create-auto-scaling-group {name} --launch-configuration {name}@hotel --availability-zones hotel"
            f" --min-size 0 --max-size 5 --desired-capacity {size} {options}"
        )
        self.settle(name, size)

    def settle(self, name: str, size: int) -> list[str]:
        """The ids of the group's instances, once it has *size*, all in service."""

        def settled() -> tuple[list[str]] | None:
            found = self.must(f"as-describe-auto-scaling-groups {name} | grep ^INSTANCE || true").splitlines()
            are_in_service = len(found) == size and all("  InService  " in line for line in found)
            return ([line.split()[1] for line in found],) if are_in_service else None

        [ids] = wait_for(settled, f"{size} instances of {name}") or ([],)
        return ids
