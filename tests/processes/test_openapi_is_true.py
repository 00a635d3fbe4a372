"""The OpenAPI document, believed by a program that does not know us: what it says of a live gateway holds."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway import Gateway

SEED = "20120130"
"""One run is as good as another; a failure that comes and goes is worth less than one that stays."""

NOT_CHECKED = "positive_data_acceptance"
"""
That whatever fits the schemas is accepted. It is not: names have to exist, and fingerprints to be those of a secret.
"""

ENDLESS = "get_events"
"""The operation whose answer has no end: the program would wait for it. Its own tests hold it to the document."""

RUN_S_MAX = 240
"""It takes 15 s of a processor; machines that run tests are busy."""

FAR = """
[clouds.far]
kind = "ec2"
endpoint_url = "http://127.0.0.1:1"
"""
"""A cloud for which users may store credentials, and where nothing answers."""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway of its own, because the program fills it with whatever it can."""
    gateway = Gateway(tmp_path, top=FAR, clouds=("hotel",))
    gateway.start()
    yield gateway
    gateway.stop()


def login(gateway: Gateway) -> str:
    """User id and token, as ``env`` prints them."""
    command = [sys.executable, "-m", "phantom_gateway", "env", "--config", str(gateway.config)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    exports = dict(shlex.split(line)[1].split("=", 1) for line in lines if line.startswith("export "))
    return f"{exports['USER_ID']}:{exports['TOKEN']}"


@pytest.mark.processes
@pytest.mark.timeout(RUN_S_MAX + 30)
def test_the_document_is_true(gateway: Gateway) -> None:
    """
    Hundreds of requests made from the document, good and bad, are answered as it says: statuses, types and shapes.

    Nothing is a fault of the server's, wrong data is refused, and no endpoint forgets the token.
    """
    command = [
        str(Path(sys.executable).with_name("st")),
        "run",
        f"{gateway.endpoint}/api/dev/openapi.json",
        f"--auth={login(gateway)}",
        f"--seed={SEED}",
        "--max-examples=5",
        "--phases=coverage,fuzzing",
        "--checks=all",
        f"--exclude-checks={NOT_CHECKED}",
        f"--exclude-operation-id={ENDLESS}",
        "--request-timeout=30",
        "--suppress-health-check=all",
        "--generation-database=none",
        "--no-color",
    ]

    outcome = subprocess.run(
        command,
        check=False,
        cwd=gateway.directory,
        env={**os.environ, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
    )

    assert outcome.returncode == 0, outcome.stdout[-8_000:] + outcome.stderr[-2_000:]
    assert "request.failed" not in gateway.log.read_text(encoding="utf-8")
