"""
What an EC2 account promises as every cloud does, over ec2-api in front of a real control plane, as configured by its
dialect; and what sets that dialect apart.
"""

import asyncio
import base64
import contextlib
import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backends.cloud import Cloud, LaunchSpec, MachineState
from backends.errors import NoCapacity, Refused
from phantom_gateway.clouds import build_clouds
from phantom_gateway.config import load
from tests.backends.contract import (
    GATEWAY,
    TOKEN_A,
    TOKEN_B,
    CloudContract,
    RestartContract,
    RoomContract,
    Site,
    ToldContract,
    living,
    mark,
    sweep_until,
)
from tests.real_openstack.configuration import SERVERS_MAX
from tests.real_openstack.conftest import SPEC
from tests.real_openstack.seeding import LoggedIn

PATIENCE_S = 120.0


class AccountSite(Site):
    """An account of ec2-api, the unmodified SDK beside us, and the administrator behind it."""

    wait_s = PATIENCE_S

    def __init__(self, config: Path, sdk: Any, admin: LoggedIn) -> None:
        self._config, self._sdk, self._admin = config, sdk, admin
        super().__init__(self._opened())

    def _opened(self) -> Cloud:
        return build_clouds(load(self._config, {"HOME": str(self._config.parent)}), GATEWAY, lambda: datetime.now(UTC))[
            "sierra"
        ]

    async def reopen(self, keys: str = "") -> None:
        """See the suite; *keys* are added to the configuration."""
        await self.cloud.close()
        self._config.write_text(self._config.read_text() + keys)
        self.cloud = self._opened()

    async def leave_room(self, count: int) -> None:
        """See the suite: by the project's quota."""
        await asyncio.to_thread(self._admin.allow, len(await asyncio.to_thread(self._admin.servers)) + count)

    async def user_data(self, machine_id: str) -> bytes:
        """What DescribeInstanceAttribute says."""
        asked = {"InstanceId": machine_id, "Attribute": "userData"}
        told = await asyncio.to_thread(self._sdk.describe_instance_attribute, **asked)
        return base64.b64decode(told["UserData"]["Value"])

    async def clear(self) -> None:
        """Nothing; no server is left, and there is room."""
        await asyncio.to_thread(self._admin.allow, SERVERS_MAX)
        left = await asyncio.to_thread(self._admin.servers)
        for server_id in left:
            await asyncio.to_thread(self._admin.delete, server_id)
        if left:
            await sweep_until(self.cloud, lambda sweep: not sweep.machines, self.wait_s)


@pytest.mark.timeout(400)
class TestEc2ApiOverRealOpenStack(CloudContract, RestartContract, RoomContract, ToldContract):
    """
    The promises. An image's id is ec2-api's own, and addresses are there once a server is built.

    A token is honoured once its machines are in ec2-api's database: two calls that overlap launch twice.
    """

    bad_spec = LaunchSpec("ami-00000000", "m1.tiny")
    lists_the_dead = False
    test_same_token_at_the_same_time_launches_nothing_twice = None  # type: ignore[assignment]
    test_same_token_launches_only_what_is_missing = None  # type: ignore[assignment]
    test_token_of_a_dead_machine_launches_nothing = None  # type: ignore[assignment]
    test_machines_get_addresses_of_their_own = None  # type: ignore[assignment]

    @pytest.fixture
    async def site(self, tmp_path, ec2_cloud, ec2_image, sdk, admin):
        """The administrator's project."""
        config = tmp_path / "phantom.toml"
        config.write_text(ec2_cloud)
        self.spec = LaunchSpec(ec2_image, SPEC.instance_type)
        site = AccountSite(config, sdk, admin)
        await site.clear()
        yield site
        with contextlib.suppress(TimeoutError):
            await site.clear()
        await site.cloud.close()

    async def test_servers_get_addresses_of_their_own(self, cloud, site):
        """Neutron gives each server another, once it is built."""
        await cloud.launch(self.spec, 2, TOKEN_A, mark(TOKEN_A))

        sweep = await sweep_until(
            cloud, lambda sweep: all(machine.private_ip for machine in sweep.machines), site.wait_s
        )
        assert len({machine.private_ip for machine in sweep.machines}) == 2

    async def test_same_token_with_a_higher_count_returns_what_there_is(self, cloud):
        """ec2-api compares no parameters: fewer than asked is the answer, and the next token gets the rest."""
        first = await cloud.launch(self.spec, 1, TOKEN_A, mark(TOKEN_A))
        again = await cloud.launch(self.spec, 2, TOKEN_A, mark(TOKEN_A))

        assert [machine.machine_id for machine in again] == [machine.machine_id for machine in first]

    async def test_an_id_is_gone_at_once(self, cloud, site):
        """A machine that was terminated is denied, with no time as a terminated one; its token launches another."""
        (first,) = await cloud.launch(self.spec, 1, TOKEN_A, mark(TOKEN_A))
        await cloud.terminate([first.machine_id])
        await sweep_until(cloud, lambda sweep: not sweep.machines, site.wait_s)

        assert (await cloud.inquire([first.machine_id])).denied == {first.machine_id}
        (second,) = await cloud.launch(self.spec, 1, TOKEN_A, mark(TOKEN_A))
        assert second.machine_id != first.machine_id

    async def test_no_host_is_an_error_state_that_has_the_code_of_pending(self, cloud, site, sdk):
        """The launch itself goes well; the wreck is known by the state's name alone, and can be terminated."""
        giant = dataclasses.replace(self.spec, instance_type="m1.giant")
        (wreck,) = await cloud.launch(giant, 1, TOKEN_B, mark(TOKEN_B))

        await sweep_until(cloud, lambda sweep: [m.state for m in sweep.machines] == [MachineState.ERROR], site.wait_s)
        (shown,) = (await asyncio.to_thread(sdk.describe_instances))["Reservations"][0]["Instances"]
        assert shown["State"] == {"Code": 0, "Name": "error"}
        await cloud.terminate([wreck.machine_id])
        await sweep_until(cloud, lambda sweep: living(sweep) == set(), site.wait_s)

    async def test_a_launch_with_tags_is_refused_and_the_remedy_named(self, site):
        """ec2-api answers HTTP 500 to a TagSpecification; nothing was launched, and the text says what to set."""
        await site.reopen('tags = "launch"\n')

        with pytest.raises(Refused, match='set tags = "after" for sierra'):
            await site.cloud.launch(self.spec, 1, TOKEN_A, mark(TOKEN_A))

        assert (await site.cloud.sweep()).machines == ()

    async def test_the_mark_is_there_as_tags_after_the_launch(self, cloud, sdk):
        """Everybody with a console sees whose a machine is."""
        (machine,) = await cloud.launch(self.spec, 1, TOKEN_A, mark(TOKEN_A))
        await cloud.sweep()

        async with asyncio.timeout(PATIENCE_S):
            while not (tags := (await asyncio.to_thread(sdk.describe_tags))["Tags"]):  # noqa: ASYNC110 - unannounced
                await asyncio.sleep(0.2)
        assert {(tag["ResourceId"], tag["Key"]): tag["Value"] for tag in tags} == {
            (machine.machine_id, "phantom-gateway"): GATEWAY,
            (machine.machine_id, "phantom-group"): mark(TOKEN_A).group_uid,
            (machine.machine_id, "phantom-token"): TOKEN_A,
        }

    async def test_quota_is_no_capacity_though_it_says_forbidden(self, cloud, site):
        """The group goes on to its next cloud."""
        await site.leave_room(0)

        with pytest.raises(NoCapacity, match="Quota exceeded"):
            await cloud.launch(self.spec, 1, TOKEN_A, mark(TOKEN_A))

    async def test_probe_says_what_there_is(self, cloud):
        """The image by its id here, Nova's zone, and the family by how requests are numbered; sizes are not listed."""
        probe = await cloud.probe()

        assert probe.reachable
        assert self.spec.image_id in probe.images
        assert probe.zones == ("nova",)
        assert [learned.value for learned in probe.learned if learned.name == "dialect"] == ["ec2-api"]
