"""
What the tests with real clients share: one gateway for each module, and names that no other test uses.

Owns: their lifetime.
"""

import functools
import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.gateway import Gateway
from tests.support.records import CHOSEN, POSTGRESQL

_numbers = itertools.count(1)


Gateways = Callable[[str], Gateway]


@pytest.fixture(scope="module")
def gateways(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateways]:
    """
    By the kind of its records, a whole gateway process.

    They end with the last test of the module, and every machine with them.
    """
    with ExitStack() as exits:

        @functools.cache
        def of(kind: str) -> Gateway:
            if kind == POSTGRESQL:
                request.getfixturevalue("cluster")  # skips where no server is installed
            gateway = Gateway(tmp_path_factory.mktemp("gateway"), database=kind)
            exits.callback(gateway.stop)
            gateway.start()
            return gateway

        yield of


@pytest.fixture(scope="module")
def gateway(gateways: Gateways) -> Gateway:
    """The gateway that the module's tests share."""
    return gateways(CHOSEN)


@pytest.fixture(scope="module")
def environ(gateway: Gateway) -> dict[str, str]:
    """What a user of the JSON API has after ``eval "$(phantom-gateway env)"``."""
    return gateway.phantom_environ


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name for a group and a launch configuration that no other test uses."""
    kind = getattr(getattr(request.node, "callspec", None), "id", "own")
    return f"{kind}-{next(_numbers)}"
