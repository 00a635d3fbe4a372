"""Fixtures of the gateway's own tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.phantom_gateway.office import Office
from tests.support.postgresql import Cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    """An office of its own for each test, once on each kind of database."""
    url = None
    if request.param == "postgresql":
        cluster: Cluster = request.getfixturevalue("cluster")
        url = cluster.url(request.getfixturevalue("postgresql"))
    office = Office(tmp_path, url=url)
    yield office
    office.close()
