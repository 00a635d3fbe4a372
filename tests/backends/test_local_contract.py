"""The contract of a cloud, kept by real processes."""

from pathlib import Path

import pytest

from tests.backends.contract import (
    GATEWAY,
    AnnouncedContract,
    CloudContract,
    PlainContract,
    RestartContract,
    RoomContract,
    Site,
    ToldContract,
)
from tests.backends.local_world import LocalWorld


class LocalSite(Site):
    """Processes on this machine."""

    def __init__(self, world: LocalWorld, directory: Path) -> None:
        self._world = world
        self._directory = directory
        super().__init__(world.open(terminate_grace_s=1.0))

    async def reopen(self) -> None:
        """See the suite."""
        await self.cloud.close()
        self.cloud = self._world.open(terminate_grace_s=1.0)

    async def leave_room(self, count: int) -> None:
        """See the suite: by the operator's own limit."""
        await self.cloud.close()
        self.cloud = self._world.open(terminate_grace_s=1.0, vms_max=count)

    async def user_data(self, machine_id: str) -> bytes:
        """The file that the machine finds."""
        (file,) = self._directory.rglob(f"{machine_id}/user-data*")
        return file.read_bytes()


class TestLocalCloud(CloudContract, AnnouncedContract, RestartContract, RoomContract, ToldContract, PlainContract):
    """Local machines keep every promise of a cloud."""

    @pytest.fixture
    async def site(self, tmp_path):
        """A local cloud of the suite's gateway; its processes end with the test."""
        world = LocalWorld(tmp_path)
        world.gateway_id = GATEWAY
        yield LocalSite(world, tmp_path)
        await world.end()
