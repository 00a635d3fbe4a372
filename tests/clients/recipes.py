"""
The pages of ``docs/recipes``, run as a reader runs them: block by block, in one shell, against a real gateway.

Owns: reading a page's blocks, the shell that runs them, an EC2 endpoint beside the gateway. Does not own: what the
world must look like after a block.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.clients import driving
from tests.support.gateway import Gateway
from tests.support.waiting import wait_for

PAGES = driving.ROOT / "docs" / "recipes"

FENCE = re.compile(r"^(?:`(?P<file>[\w.-]+)`:\n\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
"""A block, with the line before it when that names the file it belongs in."""

NOT_RUN = re.compile(r"# not run: \S+ \S+")
"""How a block says that it is not run, and why."""

RUNS_WITH_BOTO2 = "# runs with: boto2\n"

DONE = "the block is done"


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a page. *file*: the name that the page gives it; empty for what is typed."""

    language: str
    text: str
    file: str

    @property
    def is_left_out(self) -> bool:
        """Whether it says that it is not run."""
        return NOT_RUN.match(self.text) is not None


def blocks(page: str) -> list[Block]:
    """Every block of *page*, in its order."""
    text = (PAGES / page).read_text(encoding="utf-8")
    return [Block(found["language"], found["text"], found["file"] or "") for found in FENCE.finditer(text)]


class Reader:
    """Somebody who follows a page in one shell, in an empty directory of theirs. A context."""

    def __init__(self, gateway: Gateway, directory: Path, environ: Mapping[str, str] | None = None) -> None:
        self.gateway = gateway
        self.directory = directory
        gateway._write_config()  # once more, as the port that it got was not known before
        programs = [Path(sys.executable).parent, driving.INSTALLED / "cli/bin", driving.INSTALLED / "ansible/bin"]
        self._environ = {
            "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]),
            "HOME": str(directory),
            "LANG": "C.UTF-8",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "PHANTOM_GATEWAY_CONFIG": str(gateway.config),
            **(environ or {}),
        }
        self._count = 0

    def __enter__(self) -> Self:
        self._shell = subprocess.Popen(
            ["bash", "-eu", "-o", "pipefail"],
            cwd=self.directory,
            env=self._environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._shell.communicate()

    def follow(self, block: Block) -> str:
        """What *block* printed. A block with a name of its own is written into that file, and prints nothing."""
        if block.file:
            (self.directory / block.file).write_text(block.text, encoding="utf-8")
            return ""
        if block.is_left_out:
            return ""
        self._count += 1
        if block.language == "python":
            return self._type(f"{self._python(block)} {self._write('py', block.text)}\n")
        assert block.language == "sh", f"nobody knows how to run {block.language}"
        return self._type(block.text)

    def _python(self, block: Block) -> str:
        if block.text.startswith(RUNS_WITH_BOTO2):
            return driving.installed("boto2/bin/python", "boto 2")
        return sys.executable

    def _write(self, suffix: str, text: str) -> Path:
        file = self.directory / f"block-{self._count}.{suffix}"
        file.write_text(text, encoding="utf-8")
        return file

    def _type(self, text: str) -> str:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"source {self._write('sh', text)} </dev/null\necho; echo {DONE}\n")
        lines: list[str] = []
        for line in self._shell.stdout:
            if line.rstrip() == DONE:
                return "".join(lines).strip()
            lines.append(line)
        raise AssertionError(
            f"the shell ended with {self._shell.wait()} at:\n{text}\nhaving printed:\n{''.join(lines)}"
        )


def running(gateway: Gateway) -> Mapping[str, int]:
    """How many VMs really run, by cloud."""
    found = (environ_of(pid).get("PHANTOM_CLOUD") for pid in gateway.vm_pids())
    return Counter(cloud for cloud in found if cloud)


def await_running(gateway: Gateway, expected: Mapping[str, int]) -> None:
    """Nothing, once *expected*, by cloud, is what really runs."""
    wait_for(lambda: running(gateway) == expected, f"{dict(expected)} to run")


def environ_of(pid: int) -> dict[str, str]:
    """What stands in the environment of the process; empty when it has just ended."""
    try:
        text = Path(f"/proc/{pid}/environ").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    return dict(entry.split("=", 1) for entry in text.split("\0") if "=" in entry)


@contextmanager
def ec2_endpoint() -> Iterator[str]:
    """The URL of an EC2 endpoint that knows the images of the local clouds; it ends with the context."""
    knobs = '{"images": ["hello-phantom.gz", "sleeper"]}'
    with subprocess.Popen(
        [sys.executable, "-m", "tests.fake_ec2.server", "--knobs", knobs],
        cwd=driving.ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()
