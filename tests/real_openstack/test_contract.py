"""What an OpenStack project promises as every cloud does, over a real control plane (Nova with its fake driver)."""

import asyncio
import contextlib

import pytest

from backends.cloud import LaunchSpec
from backends.errors import NoCapacity
from backends.openstack import Login
from backends.via_libcloud import Limits
from tests.backends.contract import (
    TOKEN_A,
    TOKEN_B,
    CloudContract,
    RestartContract,
    RoomContract,
    Site,
    living,
    mark,
    sweep_until,
)
from tests.backends.openstack_project import cloud_of
from tests.real_openstack.configuration import SERVERS_MAX
from tests.real_openstack.conftest import SPEC
from tests.real_openstack.seeding import LoggedIn

PATIENCE_S = 60.0
UNHURRIED = Limits(visible_after_s=0.0)


class RealSite(Site):
    """The real thing: servers take seconds to be built and to go."""

    wait_s = PATIENCE_S

    def __init__(self, login: Login, admin: LoggedIn) -> None:
        self._login, self._admin = login, admin
        super().__init__(cloud_of(login, limits=UNHURRIED))

    async def reopen(self) -> None:
        """See the suite."""
        await self.cloud.close()
        self.cloud = cloud_of(self._login, limits=UNHURRIED)

    async def leave_room(self, count: int) -> None:
        """See the suite: by the project's quota."""
        await asyncio.to_thread(self._admin.allow, len(await asyncio.to_thread(self._admin.servers)) + count)

    async def clear(self) -> None:
        """Nothing; no server of the suite is left, and there is room."""
        await asyncio.to_thread(self._admin.allow, SERVERS_MAX)
        await self.cloud.terminate([machine.machine_id for machine in (await self.cloud.sweep()).machines])
        await sweep_until(self.cloud, lambda sweep: not sweep.machines, self.wait_s)


@pytest.mark.timeout(180)
class TestRealOpenStack(CloudContract, RestartContract, RoomContract):
    """The promises, as the small OpenStack of the other tests keeps them."""

    spec = SPEC
    bad_spec = LaunchSpec("no-such-image", "m1.tiny")
    lists_the_dead = False
    test_token_of_a_dead_machine_launches_nothing = None  # type: ignore[assignment]
    test_machines_get_addresses_of_their_own = None  # type: ignore[assignment]

    @pytest.fixture
    async def site(self, login, admin):
        """The admin's project."""
        site = RealSite(login, admin)
        await site.clear()
        yield site
        with contextlib.suppress(TimeoutError):
            await site.clear()
        await site.cloud.close()

    async def test_servers_get_addresses_of_their_own(self, cloud, site):
        """Neutron gives each server another, once it is built."""
        await cloud.launch(self.spec, 3, TOKEN_A, mark(TOKEN_A))

        sweep = await sweep_until(
            cloud, lambda sweep: all(machine.private_ip for machine in sweep.machines), site.wait_s
        )
        assert len({machine.private_ip for machine in sweep.machines}) == 3

    async def test_a_flavor_that_fits_no_host_is_no_capacity(self, cloud, site):
        """Nova takes the order, finds no host, and the wreck is removed."""
        with pytest.raises(NoCapacity, match="No valid host"):
            await cloud.launch(LaunchSpec("tiny", "m1.giant"), 1, TOKEN_B, mark(TOKEN_B))

        await sweep_until(cloud, lambda sweep: living(sweep) == set(), site.wait_s)

    async def test_probe_shows_the_quota(self, cloud):
        """In Nova's own figures."""
        probe = await cloud.probe()

        assert probe.limits[0].startswith("servers ")
        assert "m1.giant" in probe.instance_types
        assert "nova" in probe.zones
