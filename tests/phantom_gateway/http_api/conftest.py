"""Fixtures of the JSON API's tests."""

from collections.abc import AsyncIterator

import pytest

from tests.phantom_gateway.http_api.counter import Counter
from tests.phantom_gateway.office import Office


@pytest.fixture
async def counter(office: Office) -> AsyncIterator[Counter]:
    """The JSON door, served, with an office of its own behind it."""
    counter = Counter(office)
    await counter.open()
    yield counter
    await counter.close()
