"""What an EC2 account promises as every cloud does, over an endpoint that honours tokens."""

import asyncio
from datetime import UTC, datetime

import pytest

from backends.cloud import LaunchSpec
from backends.errors import Refused
from tests.backends.contract import GATEWAY, CloudContract, mark
from tests.backends.ec2_endpoint import cloud_at
from tests.fake_ec2.endpoint import Endpoint
from tests.fake_ec2.faults import FaultPlan
from tests.fake_ec2.knobs import DIALECTS
from tests.fake_ec2.serving import Served
from tests.fake_ec2.world import World


@pytest.fixture
async def cloud(request):
    """An account at a fake EC2 whose machines run and end at once."""
    world = World(DIALECTS["aws"].changed({"pending_s": 0.0, "shutting_down_s": 0.0}))
    async with (
        Served(Endpoint(world, FaultPlan()).application()) as served,
        cloud_at(
            served.url,
            GATEWAY,
            clock=lambda: datetime.now(UTC),
            tags=request.param,
            token_is_idempotent=True,
            sweep_page_size=5,
        ) as cloud,
    ):
        yield cloud


@pytest.mark.parametrize("cloud", ["launch", "after"], indirect=True)
class TestEc2Contract(CloudContract):
    """The promises. EC2 announces nothing, and refuses a token with another count or of the dead: see below."""

    spec = LaunchSpec("ami-00000000000000001", "m1.small")
    test_same_token_launches_only_what_is_missing = None  # type: ignore[assignment]
    test_token_of_a_dead_machine_launches_nothing = None  # type: ignore[assignment]
    test_change_between_two_waits_is_not_lost = None  # type: ignore[assignment]

    async def test_nothing_is_announced_while_nothing_changes(self, cloud):
        """A wait for a change lasts, whatever changes."""
        waiting = asyncio.ensure_future(cloud.wait_for_change())
        await cloud.launch(self.spec, 1, "token-a", mark("token-a"))
        waiting.cancel()

        assert not waiting.done()

    async def test_token_of_the_dead_is_refused_in_words(self, cloud):
        """The reconciler reads that it needs a new token; nothing is launched."""
        launched = await cloud.launch(self.spec, 1, "token-a", mark("token-a"))
        await cloud.terminate([launched[0].machine_id])

        with pytest.raises(Refused, match=r"IdempotentInstanceTerminated: .* a new token is needed"):
            await cloud.launch(self.spec, 1, "token-a", mark("token-a"))

    async def test_token_with_other_parameters_is_refused_in_words(self, cloud):
        """A launch configuration that changed in between does not change what the token launched."""
        await cloud.launch(self.spec, 1, "token-a", mark("token-a"))

        with pytest.raises(Refused, match=r"IdempotentParameterMismatch: .* a new token is needed"):
            await cloud.launch(LaunchSpec("ami-00000000000000002", "m1.small"), 1, "token-a", mark("token-a"))
