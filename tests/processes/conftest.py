"""Fixtures of tests with whole gateways: records of both kinds."""

import pytest

from tests.support.records import KINDS, POSTGRESQL


@pytest.fixture(scope="module", params=KINDS)
def kept(request: pytest.FixtureRequest) -> str:
    """What kind of records a gateway has: the module's tests run on each."""
    if request.param == POSTGRESQL:
        request.getfixturevalue("cluster")  # skips where no server is installed
    return str(request.param)
