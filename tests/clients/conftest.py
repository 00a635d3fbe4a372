"""
What the tests with real clients share: one gateway for each module, and names that no other test uses.

Owns: their lifetime.
"""

import itertools
from collections.abc import Iterator

import pytest

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


@pytest.fixture(scope="module")
def environ(gateway: Gateway) -> dict[str, str]:
    """What a user of the JSON API has after ``eval "$(phantom-gateway env)"``."""
    return gateway.phantom_environ


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name for a group and a launch configuration that no other test uses."""
    kind = getattr(getattr(request.node, "callspec", None), "id", "own")
    return f"{kind}-{next(_numbers)}"
