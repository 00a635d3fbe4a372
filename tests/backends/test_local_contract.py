"""The contract of a cloud, kept by real processes."""

import pytest

from tests.backends.contract import GATEWAY, CloudContract
from tests.backends.local_world import LocalWorld


class TestLocalCloud(CloudContract):
    """Local machines keep every promise of a cloud."""

    @pytest.fixture
    async def cloud(self, tmp_path):
        """A local cloud of the suite's gateway; its processes end with the test."""
        world = LocalWorld(tmp_path)
        world.gateway_id = GATEWAY
        yield world.open(terminate_grace_s=1.0)
        await world.end()
