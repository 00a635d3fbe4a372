"""Zones and subnets inside clouds: groups are spread over them, and a full one is passed over for the next."""

from collections import Counter

import pytest

from tests.fake_ec2.faults import Fault, Kind, When
from tests.real_clouds.harness import UID, Scenario, Stage, cases
from tests.real_clouds.sites import AWS, EC2_API, MOTO, Site

A, B, C = AWS.knobs.zones
SUBNETS = ("subnet-0000000000000000a", "subnet-0000000000000000b")


def _group(stage: Stage, desired: int, *places: str, clouds: tuple[str, ...] = ()) -> None:
    stage.add_group(desired, clouds=clouds)
    stage.ledger.change_group(UID, places=places)


def _zones(site: Site) -> dict[str, int]:
    alive = set(site.alive(UID))
    return dict(Counter(machine.zone for machine in site.world.machines.values() if machine.machine_id in alive))


def _failed(stage: Stage) -> list[str]:
    return [a.status_message for a in stage.ledger.told.get(UID, ()) if a.status_code == "Failed"]


async def _spread(stage: Stage) -> None:
    """Five are spread over the two zones asked for; two more go where fewest are."""
    _group(stage, 5, B, C)
    await stage.start()
    await stage.settled()
    assert _zones(stage.hotel) == {B: 3, C: 2}
    await stage.desire(7)
    await stage.settled()
    assert _zones(stage.hotel) == {B: 4, C: 3}
    assert len(stage.hotel.world.ledger.calls_of("DescribeAvailabilityZones")) == 1


async def _one_zone_is_full(stage: Stage) -> None:
    """What finds no room in one zone goes to the next zone of the cloud, and not to the next cloud."""
    stage.hotel.set(capacity_by_zone={A: 3})  # the foreign machines fill two
    _group(stage, 6, A, B)
    await stage.start()
    await stage.settled()
    assert stage.alive() == {"hotel": 6, "sierra": 0}
    assert _zones(stage.hotel) == {A: 1, B: 5}
    assert not _failed(stage)


async def _all_zones_are_full(stage: Stage) -> None:
    """The next cloud is asked when every zone asked for is full, though the cloud has room in another."""
    stage.hotel.set(capacity_by_zone={A: 2, B: 1})
    _group(stage, 4, A, B)
    await stage.start()
    await stage.settled()
    assert stage.alive() == {"hotel": 1, "sierra": 3}
    assert _zones(stage.hotel) == {B: 1}
    assert not _failed(stage)


async def _unknown_zones(stage: Stage) -> None:
    """A zone of an old script, which is none here, is ignored."""
    _group(stage, 3, "us-east-1")
    await stage.start()
    await stage.settled()
    assert stage.alive() == {"hotel": 3, "sierra": 0}


async def _repeated_in_its_place(stage: Stage) -> None:
    """A launch whose answer was lost is repeated with the zone that it had: EC2 refuses a token with another one."""
    stage.hotel.plan.add(Fault(Kind.RESET, "RunInstances", when=When.BEFORE))
    _group(stage, 3, B, clouds=("hotel",))
    await stage.start()
    await stage.struck()
    await stage.settled()
    calls = stage.hotel.world.ledger.calls_of("RunInstances")
    assert len({call.token for call in calls}) == 1
    assert _zones(stage.hotel) == {B: 3}


async def _subnets(stage: Stage) -> None:
    """Machines are spread over the subnets asked for."""
    stage.hotel.set(subnets=SUBNETS)
    _group(stage, 4, *SUBNETS)
    await stage.start()
    await stage.settled()
    orders = [machine.order.subnet_id for machine in stage.hotel.world.machines.values() if not machine.is_foreign]
    assert Counter(orders) == dict.fromkeys(SUBNETS, 2)


async def _a_wrong_subnet(stage: Stage) -> None:
    """With one cloud a subnet that it does not have is refused in its words, and nothing comes up elsewhere."""
    _group(stage, 2, SUBNETS[0], clouds=("hotel",))
    await stage.start()
    await stage.until(lambda: bool(_failed(stage)), "the refusal")
    assert f"'{SUBNETS[0]}' does not exist" in _failed(stage)[0]
    assert stage.alive() == {"hotel": 0, "sierra": 0}
    stage.hotel.set(subnets=SUBNETS)
    stage.ledger.change_group(UID, places=(SUBNETS[1],), generation=2)
    stage.wake()


async def _cannot_tell(stage: Stage) -> None:
    """A cloud that does not say what zones it has launches all the same."""
    stage.hotel.plan.add(Fault(Kind.AUTH_FAILURE, "DescribeAvailabilityZones"))
    _group(stage, 2, A)
    await stage.start()
    await stage.settled()
    assert stage.alive() == {"hotel": 2, "sierra": 0}


async def _nova(stage: Stage) -> None:
    """OpenStack's own zone is asked for beside one that is none."""
    _group(stage, 3, "nova", "us-east-1")
    await stage.start()
    await stage.settled()
    assert _zones(stage.hotel) == {"nova": 3}


SCENARIOS = cases(
    [
        Scenario("zones are filled evenly", _spread),
        Scenario("zones are filled evenly, moto", _spread, MOTO),
        Scenario("zones are filled evenly, ec2-api", _nova, EC2_API),
        Scenario("a full zone is passed over", _one_zone_is_full),
        Scenario("full zones lead to the next cloud", _all_zones_are_full),
        Scenario("zones of old scripts are ignored", _unknown_zones),
        Scenario("a lost launch is repeated in its zone", _repeated_in_its_place),
        Scenario("subnets are filled evenly", _subnets),
        Scenario("a wrong subnet of the only cloud is refused", _a_wrong_subnet),
        Scenario("zones that cannot be told are ignored", _cannot_tell),
    ]
)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_places_inside_a_cloud_are_used_as_asked(scenario: Scenario, outcomes) -> None:
    """A group is spread over the zones or subnets that its cloud has; what is full there is passed over."""
    outcomes.await_verdict(scenario)
