"""What a driver of Libcloud promises as every cloud does, kept by Libcloud's own dummy: no wire, names alone."""

from datetime import UTC, datetime

import pytest

from backends.cloud import LaunchSpec
from backends.via_libcloud import Account, DriverProvider, LibcloudCloud, Limits, Wants
from tests.backends.contract import GATEWAY, TOKEN_A, CloudContract, PlainContract, Site, mark

# A driver of the dummy is its whole cloud: one thread has one driver.
LIMITS = Limits(calls_at_once=1, visible_after_s=0.0)


def dummy() -> LibcloudCloud:
    """A dummy cloud, which begins with two machines of somebody else's."""
    account = Account("credentials")
    provider = DriverProvider("dummy", account, Wants(), lambda: datetime.now(UTC))
    return LibcloudCloud("toy", provider, account, LIMITS, GATEWAY, clock=lambda: datetime.now(UTC))


class TestDummyContract(CloudContract, PlainContract):
    """The promises. The dummy checks no image, gives public addresses only, and forgets what it destroyed."""

    spec = LaunchSpec("1", "1")
    lists_the_dead = False
    denies_by_id = False
    test_token_of_a_dead_machine_launches_nothing = None  # type: ignore[assignment]
    test_machines_get_addresses_of_their_own = None  # type: ignore[assignment]
    test_what_cannot_be_launched_is_refused_in_words = None  # type: ignore[assignment]
    test_probe_says_what_there_is = None  # type: ignore[assignment]

    @pytest.fixture
    async def site(self):
        """A dummy cloud."""
        cloud = dummy()
        yield Site(cloud)
        await cloud.close()

    async def test_what_is_there_already_is_left_alone(self, cloud):
        """Two machines were there before us: no sweep shows them, and no terminate reaches them."""
        await cloud.launch(self.spec, 1, TOKEN_A, mark(TOKEN_A))
        await cloud.terminate(["1", "2"])

        assert len((await cloud.sweep()).machines) == 1
        there = await cloud._lanes.run("look", lambda driver: len(driver.list_nodes()), deadline_s=5.0)
        assert there == 3

    async def test_probe_names_images_and_sizes(self, cloud):
        """Ids with their names, as a launch configuration may say them."""
        probe = await cloud.probe()

        assert probe.reachable
        assert probe.images == ("1 (Ubuntu 9.10)", "2 (Ubuntu 9.04)", "3 (Slackware 4)")
        assert probe.instance_types[0] == "1 (Small)"
        assert probe.findings == ()
