"""
Real, unmodified clients behind one set of words: AWS's names, and refusals as the client saw them.

Owns: which clients there are, where they are installed, how they are started and spoken to. Does not own: what is done
with them. Every client runs in a process of its own, with an environment that holds nothing of the tester's.
"""

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = ROOT / ".venv-clients"
SCRIPTS = Path(__file__).resolve().parent / "scripts"

MODELLED = frozenset({"AlreadyExists", "LimitExceeded", "ResourceInUse", "ScalingActivityInProgress"})
"""Codes for which clients made from the service model have an error class of its own."""


class Refusal(Exception):  # noqa: N818 - what the service refused, not what went wrong
    """What a client raised. *kind* is how its users catch it: the class, or the exit code."""

    def __init__(self, code: str, message: str, kind: str) -> None:
        super().__init__(f"{code}: {message} ({kind})")
        self.code = code
        self.message = message
        self.kind = kind


class Client:
    """A client in a process of its own, spoken to as ``scripts/conversation.py`` says, by AWS's names."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environ: Mapping[str, str],
        *,
        kinds: Mapping[str, str],
        other_kind: str,
        lacks: frozenset[str] = frozenset(),
    ) -> None:
        self.name = name
        self.lacks = lacks
        self._kinds = kinds
        self._other_kind = other_kind
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(environ), bufsize=1
        )

    def call(self, operation: str, /, **given: Any) -> Any:
        """What *operation* answered; an empty mapping when it answers nothing. Raises Refusal."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # then there is no line to read either
            self._process.stdin.write(json.dumps({"operation": operation, "given": given}) + "\n")
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"{self.name} broke off at {operation}; it told why on its standard error")
        answer = json.loads(line)
        if "refusal" in answer:
            raise Refusal(**answer["refusal"])
        return answer.get("result") or {}

    def kind_of(self, code: str) -> str:
        """The client's error class for *code*."""
        return self._kinds.get(code, self._other_kind)

    def close(self) -> None:
        """Nothing; the script has come to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it broke off before, and the test that saw it has failed
            self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()


@dataclass(frozen=True, slots=True)
class Boto3:
    """boto3, from our own environment. *signature*: v4, or v2 as a setting of the client asks."""

    signature: str

    def open(self, environ: Mapping[str, str]) -> Client:
        """The client, started."""
        return Client(
            f"boto3 {self.signature}",
            [sys.executable, str(SCRIPTS / "boto3_client.py"), self.signature],
            environ,
            kinds={code: f"{code}Fault" for code in MODELLED},
            other_kind="ClientError",
        )


@dataclass(frozen=True, slots=True)
class Boto2:
    """boto 2. *signature*: v4 is its own choice, v2 what it did before 2.6."""

    signature: str

    def open(self, environ: Mapping[str, str]) -> Client:
        """The client, started. Skips the test when it is not installed."""
        return Client(
            f"boto 2 {self.signature}",
            [installed("boto2/bin/python", "boto 2"), str(SCRIPTS / "boto2_client.py"), self.signature],
            environ,
            kinds={},
            other_kind="BotoServerError",
            lacks=frozenset({"DescribeAutoScalingNotificationTypes", "DescribeLifecycleHookTypes"}),
        )


@dataclass(frozen=True, slots=True)
class Cli:
    """The AWS CLI, version 1."""

    def open(self, environ: Mapping[str, str]) -> Client:
        """The client, started. Skips the test when it is not installed."""
        return Client(
            "AWS CLI",
            [installed("cli/bin/python", "the AWS CLI"), str(SCRIPTS / "cli_client.py")],
            environ,
            kinds={},
            other_kind="exit 255",  # version 1 has one exit code for everything that a service refuses
        )


@dataclass(frozen=True, slots=True)
class JavaScript:
    """The JavaScript SDK, version 3."""

    def open(self, environ: Mapping[str, str]) -> Client:
        """The client, started. Skips the test when it is not installed."""
        package = Path(installed("js/installed", "the JavaScript SDK"))
        node = shutil.which("node")
        if node is None:
            pytest.skip("the JavaScript SDK needs node, and there is none")
        return Client(
            "JavaScript",
            [node, str(SCRIPTS / "javascript_client.mjs"), str(package.parent)],
            environ,
            kinds={code: f"{code}Fault" for code in MODELLED},
            other_kind="ServiceException",
        )


Maker = Boto3 | Boto2 | Cli | JavaScript

ALL: Mapping[str, Maker] = {
    "boto3-v4": Boto3("v4"),
    "boto3-v2": Boto3("v2"),
    "cli": Cli(),
    "boto2-v4": Boto2("v4"),
    "boto2-v2": Boto2("v2"),
    "js": JavaScript(),
}
"""Every client by a word that may stand in the name of a group."""


def installed(path: str, what: str) -> str:
    """The file at *path* among the installed clients. Skips the test when it is not there."""
    file = INSTALLED / path
    if not file.exists():
        pytest.skip(f"{what} is not installed: run `make clients`, which says why when it cannot install it")
    return str(file)
