"""Fixtures of the gateway's own tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.phantom_gateway.office import Office


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """An office of its own for each test."""
    office = Office(tmp_path)
    yield office
    office.close()
