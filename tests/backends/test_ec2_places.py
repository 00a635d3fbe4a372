"""Which zones and subnets an endpoint has, and how seldom it is asked."""

import asyncio
from datetime import timedelta

import pytest

from backends.cloud import LaunchSpec, Placing
from tests.backends.ec2_endpoint import HANGS, NOW, SPEC, cloud_at, endpoint, error, reply

ZONES = reply(
    "DescribeAvailabilityZones",
    "<availabilityZoneInfo><item><zoneName>zone-a</zoneName></item><item><zoneName>zone-b</zoneName></item>"
    "</availabilityZoneInfo>",
)
SUBNETS = reply("DescribeSubnets", "<subnetSet><item><subnetId>subnet-1</subnetId></item></subnetSet>")


async def test_zones_and_subnets_that_are_there_are_told_in_the_order_asked():
    """Each kind is asked for with its own operation, once for all launches, even at the same time."""
    async with endpoint() as there, cloud_at(there.url) as cloud:
        assert isinstance(cloud, Placing)
        there.by_action(DescribeAvailabilityZones=ZONES, DescribeSubnets=SUBNETS)
        wanted = ["zone-b", "subnet-1", "us-east-1", "zone-a", "subnet-2"]

        answers = await asyncio.gather(*(cloud.places(wanted) for _ in range(3)))

        assert answers == [("zone-b", "subnet-1", "zone-a")] * 3
        assert sorted(there.actions()) == ["DescribeAvailabilityZones", "DescribeSubnets"]


async def test_zones_that_are_remembered_cost_no_question():
    """What a probe found is believed; another name is asked for, and again only after an hour."""
    now = [NOW]
    async with endpoint() as there, cloud_at(there.url, clock=lambda: now[0], zones=("zone-a",)) as cloud:
        there.by_action(DescribeAvailabilityZones=ZONES)
        assert await cloud.places(["zone-a"]) == ("zone-a",)
        assert there.asked == []

        assert await cloud.places(["zone-a", "us-east-1"]) == ("zone-a",)
        now[0] += timedelta(minutes=59)
        assert await cloud.places(["us-east-1"]) == ()
        assert len(there.asked) == 1
        now[0] += timedelta(minutes=2)
        await cloud.places(["us-east-1"])
        assert len(there.asked) == 2


async def test_zones_are_not_offered_beside_the_operators_subnet():
    """A subnet lies in one zone, and is the operator's word on the network; a group may still name another subnet."""
    async with endpoint() as there, cloud_at(there.url, subnet_id="subnet-9", zones=("zone-a",)) as cloud:
        there.by_action(DescribeSubnets=SUBNETS)
        assert await cloud.places(["zone-a", "subnet-1"]) == ("subnet-1",)


@pytest.mark.parametrize("answer", [error(400, "InvalidAction"), error(403, "UnauthorizedOperation"), b"HTTP/1.1 junk"])
async def test_an_endpoint_that_cannot_tell_has_no_places(answer):
    """Launches are not held up by it, and it is not asked again at once."""
    async with endpoint() as there, cloud_at(there.url) as cloud:
        there.always(answer)
        assert await cloud.places(["zone-a"]) == ()
        assert await cloud.places(["zone-a"]) == ()
        assert len(there.asked) == 1


async def test_a_silent_endpoint_holds_a_launch_up_for_no_longer_than_a_question(monkeypatch):
    """The question has a deadline of its own."""
    monkeypatch.setattr("backends.ec2.places.DEADLINE_S", 0.05)
    async with endpoint() as there, cloud_at(there.url) as cloud:
        there.always(HANGS)
        assert await cloud.places(["zone-a"]) == ()


def test_a_spec_is_put_in_its_place():
    """A subnet's id is told from a zone's name by its beginning; without a place nothing changes."""
    assert SPEC.at("zone-a") == LaunchSpec(SPEC.image_id, SPEC.instance_type, zone="zone-a")
    assert SPEC.at("subnet-1") == LaunchSpec(SPEC.image_id, SPEC.instance_type, subnet_id="subnet-1")
    assert SPEC.at(None) is SPEC
