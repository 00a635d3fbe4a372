"""What an EC2 account promises as every cloud does, over an endpoint that honours tokens."""

import base64
from datetime import UTC, datetime

import pytest

from backends.cloud import LaunchSpec
from backends.ec2 import Ec2Cloud, Ec2Credentials, Ec2Settings, Tagging
from backends.errors import Refused
from tests.backends.contract import (
    GATEWAY,
    TOKEN_A,
    CloudContract,
    FarContract,
    RestartContract,
    RoomContract,
    Site,
    ToldContract,
    mark,
)
from tests.backends.ec2_endpoint import KEY, SECRET
from tests.fake_ec2.endpoint import Endpoint
from tests.fake_ec2.faults import FaultPlan
from tests.fake_ec2.knobs import DIALECTS
from tests.fake_ec2.serving import Served
from tests.fake_ec2.world import World


class EndpointSite(Site):
    """A fake endpoint that honours tokens, in this loop."""

    def __init__(self, world: World, served: Served, tags: Tagging) -> None:
        self._world, self._served, self._tags = world, served, tags
        super().__init__(self._opened())

    def _opened(self) -> Ec2Cloud:
        settings = Ec2Settings(
            self._served.url, tags=self._tags, token_is_idempotent=True, sweep_page_size=5, read_timeout_s=5.0
        )
        return Ec2Cloud("hotel", settings, Ec2Credentials(KEY, SECRET), GATEWAY, clock=lambda: datetime.now(UTC))

    async def reopen(self) -> None:
        """See the suite."""
        await self.cloud.close()
        self.cloud = self._opened()

    async def leave_room(self, count: int) -> None:
        """See the suite."""
        self._world.knobs = self._world.knobs.changed({"capacity": count})

    async def user_data(self, machine_id: str) -> bytes:
        """What was sent, decoded."""
        return base64.b64decode(self._world.machines[machine_id].order.user_data)

    async def go_dark(self) -> None:
        """See the suite."""
        await self._served.go_dark()


@pytest.fixture
async def site(request):
    """An account at a fake EC2 whose machines run and end at once."""
    world = World(DIALECTS["aws"].changed({"pending_s": 0.0, "shutting_down_s": 0.0, "images_are_checked": True}))
    async with Served(Endpoint(world, FaultPlan()).application()) as served:
        site = EndpointSite(world, served, request.param)
        yield site
        await site.cloud.close()


@pytest.mark.parametrize("site", ["launch", "after"], indirect=True)
class TestEc2Contract(CloudContract, RestartContract, RoomContract, ToldContract, FarContract):
    """The promises. EC2 refuses a token with another count or of the dead: see below."""

    spec = LaunchSpec("ami-00000000000000001", "m1.small")
    bad_spec = LaunchSpec("ami-0badbadbadbadbad0", "m1.small")
    test_same_token_launches_only_what_is_missing = None  # type: ignore[assignment]
    test_token_of_a_dead_machine_launches_nothing = None  # type: ignore[assignment]

    async def test_token_of_the_dead_is_refused_in_words(self, cloud):
        """The reconciler reads that it needs a new token; nothing is launched."""
        launched = await cloud.launch(self.spec, 1, TOKEN_A, mark(TOKEN_A))
        await cloud.terminate([launched[0].machine_id])

        with pytest.raises(Refused, match=r"IdempotentInstanceTerminated: .* a new token is needed"):
            await cloud.launch(self.spec, 1, TOKEN_A, mark(TOKEN_A))

    async def test_token_with_other_parameters_is_refused_in_words(self, cloud):
        """A launch configuration that changed in between does not change what the token launched."""
        await cloud.launch(self.spec, 1, TOKEN_A, mark(TOKEN_A))

        with pytest.raises(Refused, match=r"IdempotentParameterMismatch: .* a new token is needed"):
            await cloud.launch(LaunchSpec("ami-00000000000000002", "m1.small"), 1, TOKEN_A, mark(TOKEN_A))
