"""Fixtures of tests with whole gateways: records of both kinds."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.postgresql import PASSWORD, Cluster


def _kept(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    if request.param == "sqlite":
        yield {}
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    database = cluster.make_database()

    def identity() -> str:
        rows = cluster.run("select value from gateway where name = 'gateway_id'", database)
        return str(rows[0][0]) if rows else "none"

    url = cluster.url(database, with_password=False)
    yield {"top": f'[database]\nurl = "{url}"\npassword = "{PASSWORD}"\n', "identity": identity}
    cluster.drop_database(database)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def kept(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """What a gateway of the module is made with so that its records are of this kind."""
    yield from _kept(request)


@pytest.fixture(params=["sqlite", "postgresql"])
def kept_apart(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """The same for each test."""
    yield from _kept(request)
