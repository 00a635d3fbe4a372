"""
What the tests of the ``as-*`` commands share: one gateway for each module, and a shell beside it.

Owns: their lifetime.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.as_tools.shell import Shell
from tests.support.gateway import Gateway

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A whole gateway process; it ends with the last test of the module, and every machine with it."""
    gateway = Gateway(tmp_path_factory.mktemp("gateway"))
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.stop()


@pytest.fixture
def shell(gateway: Gateway, tmp_path: Path) -> Shell:
    """A shell of the test's own, in an empty directory, pointed at the gateway."""
    return Shell(tmp_path, gateway.endpoint)


@pytest.fixture
def name() -> str:
    """A name for a group and a launch configuration that no other test uses."""
    return f"web-{next(_numbers)}"
