"""What an OpenStack project promises as every cloud does, over the small OpenStack of these tests."""

import base64
from datetime import UTC, datetime

import pytest

from backends.cloud import LaunchSpec
from backends.openstack import Login
from tests.backends.contract import (
    TOKEN_A,
    CloudContract,
    FarContract,
    PlainContract,
    RestartContract,
    RoomContract,
    Site,
    ToldContract,
    mark,
)
from tests.backends.openstack_project import cloud_of
from tests.fake_ec2.serving import Served
from tests.fake_openstack.endpoint import PASSWORD, PROJECT, USER, Endpoint
from tests.fake_openstack.world import World


class ProjectSite(Site):
    """A project of a small OpenStack, in this loop."""

    def __init__(self, world: World, served: Served) -> None:
        self._world, self._served = world, served
        self._login = Login(f"{served.url}/identity/v3", USER, PASSWORD, project=PROJECT, region="north")
        super().__init__(cloud_of(self._login))

    async def reopen(self) -> None:
        """See the suite."""
        await self.cloud.close()
        self.cloud = cloud_of(self._login)

    async def leave_room(self, count: int) -> None:
        """See the suite: hosts are full, which Nova finds out after it took the order."""
        self._world.hosts_max = count

    async def user_data(self, machine_id: str) -> bytes:
        """What was ordered, decoded."""
        name = self._world.servers[machine_id]["name"]
        (ordered,) = (each for each in self._world.made if each["name"] == name)
        return base64.b64decode(ordered["user_data"])

    async def go_dark(self) -> None:
        """See the suite."""
        await self._served.go_dark()


class TestOpenStackContract(CloudContract, RestartContract, RoomContract, ToldContract, PlainContract, FarContract):
    """The promises. Nova's servers are gone as soon as they are deleted."""

    spec = LaunchSpec("tiny", "m1.tiny")
    bad_spec = LaunchSpec("no-such-image", "m1.tiny")
    lists_the_dead = False
    test_token_of_a_dead_machine_launches_nothing = None  # type: ignore[assignment]

    @pytest.fixture
    async def site(self):
        """A project where servers are built at the first look."""
        world = World()
        endpoint = Endpoint(world)
        async with Served(endpoint.application()) as served:
            endpoint.url = served.url
            site = ProjectSite(world, served)
            yield site
            await site.cloud.close()

    async def test_launch_time_is_the_clouds_own(self, cloud):
        """Ages are counted from when Nova took the order."""
        await cloud.launch(self.spec, 1, TOKEN_A, mark(TOKEN_A))

        (machine,) = (await cloud.sweep()).machines
        assert machine.launched_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
