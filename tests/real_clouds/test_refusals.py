"""Clouds that say no: full, over quota, throttling, with a key that is not good any more, or with another clock."""

import pytest

from tests.fake_ec2.faults import FOR_EVER, Fault, Kind
from tests.real_clouds.harness import OTHER_UID, Bounds, Scenario, Script, Stage, cases, on_each, when_settled
from tests.real_clouds.sites import AWS, EC2_API, MOTO, NEW_KEY, Dialect

ALL = (AWS, MOTO, EC2_API)
LAUNCH = "RunInstances"


def _full(**knobs: object) -> Script:
    """Hotel has room for two of five; what is missing runs on sierra at once."""

    async def script(stage: Stage) -> None:
        stage.hotel.set(**knobs)
        await stage.start()
        await stage.until(stage.is_sighted, "a look at both clouds")
        stage.add_group(5)
        await stage.until(lambda: stage.hotel.world.ledger.calls_of(LAUNCH) != [], "hotel to be asked")
        await stage.until(lambda: stage.alive()["sierra"] == 3, "sierra to take over the rest", 60)
        await stage.settled()
        assert stage.alive() == {"hotel": 2, "sierra": 3}
        assert not _failed(stage), "no activity is Failed while another cloud takes the launch"

    return script


def _failed(stage: Stage) -> list[str]:
    return [a.status_message for told in stage.ledger.told.values() for a in told if a.status_code == "Failed"]


async def _all_in_error(stage: Stage) -> None:
    """Hotel is full and says so with machines that come up broken: each is ended, and all run on sierra."""
    stage.hotel.set(capacity=2)  # the foreign machines fill it
    stage.add_group(3)
    await stage.start()
    await stage.until(lambda: stage.alive()["sierra"] == 3, "sierra to take over", 300)
    await stage.settled()


async def _full_before_the_other_is_seen(stage: Stage) -> None:
    """A gateway starts, the first rank is full, and the second has not answered its first look yet."""
    stage.hotel.set(capacity=2)
    stage.sierra.plan.add(Fault(Kind.SLOW, "DescribeInstances", slow_s=20.0))
    stage.add_group(2)
    await stage.start()
    await stage.until(lambda: stage.alive()["sierra"] == 2, "sierra to take over", 120)
    assert not _failed(stage), "no activity is Failed while another cloud will take the launch"


async def _full_then_room(stage: Stage) -> None:
    """Hotel is full for a minute: sierra serves, and growth later goes home to hotel."""
    stage.hotel.set(capacity=2)  # the foreign machines fill it
    stage.add_group(2)
    await stage.start()
    await stage.settled()
    assert stage.alive() == {"hotel": 0, "sierra": 2}
    stage.hotel.set(capacity=None)
    await stage.throughout(60.0, lambda: stage.alive()["sierra"] == 2, "what runs on sierra is left in peace")
    await stage.desire(4)
    await stage.settled()
    assert stage.alive() == {"hotel": 2, "sierra": 2}


async def _full_everywhere(stage: Stage) -> None:
    """Neither cloud has room: nothing runs, the cloud's words are told, and room that comes is used."""
    for site in stage.sites:
        site.set(quota=2)
    stage.add_group(2)
    await stage.start()
    await stage.until(lambda: bool(_failed(stage)), "an activity to fail")
    assert "quota" in _failed(stage)[0].lower() or "limit" in _failed(stage)[0].lower()
    for site in stage.sites:
        site.set(quota=None)


async def _quota_refuses(stage: Stage) -> None:
    """Hotel's quota is used up for a while."""
    stage.hotel.plan.add(Fault(Kind.QUOTA, LAUNCH, times=2))
    stage.add_group(3, clouds=("hotel",))
    await stage.start()
    await stage.struck(2)


async def _throttled_for_long(stage: Stage) -> None:
    """Hotel refuses every call for five minutes; another group on sierra is served meanwhile."""
    calls_before = len(stage.hotel.world.ledger.calls)
    stage.hotel.plan.add(Fault(Kind.REQUEST_LIMIT, times=FOR_EVER))
    stage.add_group(2, uid=OTHER_UID, clouds=("sierra",))
    await stage.desire(4)
    await stage.until(lambda: stage.in_service(OTHER_UID) == 2, "the group on sierra", 60)
    await stage.throughout(300.0, lambda: stage.alive()["hotel"] <= 4, "no machine too many on hotel")
    calls = len(stage.hotel.world.ledger.calls) - calls_before
    assert calls <= 60, f"{calls} calls to a cloud that throttles"
    assert stage.terminations() == 0


async def _buckets(stage: Stage) -> None:
    """AWS's own buckets, small: the group grows at the rate that they leave, and comes to its end."""
    stage.hotel.set(rate_limits=True, launch_bucket=(5.0, 0.1), request_bucket=(20.0, 1.0))
    stage.add_group(12, clouds=("hotel",))
    await stage.start()
    await stage.settled()


async def _key_rotated(stage: Stage) -> None:
    """The key is changed at the cloud: nothing is done to the machines, and the new key finds them all."""
    stage.hotel.world.set_accounts(NEW_KEY)
    await stage.until(
        lambda: "hotel" in " ".join(stage.ledger.waiting.get(_uid(stage), ())) or _refused(stage) > 2, "the refusals"
    )
    await stage.throughout(120.0, lambda: len(stage.members()) == 3, "no instance is forgotten")
    assert stage.terminations() == 0
    stage.known["hotel"] = stage.hotel.connect(NEW_KEY)
    await stage.desire(4)


def _uid(stage: Stage) -> str:
    return next(iter(stage.ledger.groups))


def _refused(stage: Stage) -> int:
    return sum(1 for call in stage.hotel.world.ledger.calls if call.fault == "AuthFailure")


async def _auth_failure_for_launches(stage: Stage) -> None:
    """The key may look and not launch: the group grows on sierra, and hotel's machines live on."""
    await stage.desire(5)
    await stage.until(lambda: stage.alive()["sierra"] == 2, "sierra to take over", 60)
    assert stage.terminations() == 0


async def _key_removed(stage: Stage) -> None:
    """The user takes his key away: his machines there are kept in the ledger, and growth goes elsewhere."""
    del stage.known["hotel"]
    await stage.desire(4)
    await stage.until(lambda: stage.alive()["sierra"] == 1, "growth elsewhere")
    await stage.throughout(120.0, lambda: len(stage.members()) == 4, "no instance is forgotten")
    assert stage.terminations() == 0
    assert any("hotel" in line for line in stage.ledger.waiting[_uid(stage)]) or stage.in_service() == 4
    stage.known["hotel"] = stage.hotel.connect()


async def _other_clock(stage: Stage) -> None:
    """The cloud's clock goes wrong by an hour and is set right again."""
    stage.hotel.set(signatures_are_checked=True, clock_skew_s=3600.0)
    await stage.desire(4)
    await stage.until(lambda: stage.alive()["sierra"] == 1, "growth elsewhere")
    assert stage.terminations() == 0
    stage.hotel.set(clock_skew_s=0.0)


async def _image_unknown(stage: Stage) -> None:
    """Hotel does not know the image: sierra has it."""
    stage.hotel.set(images_are_checked=True)
    stage.add_group(2)
    await stage.start()
    await stage.until(lambda: stage.alive()["sierra"] == 2, "sierra to serve", 60)


ROOM_FOR_TWO = 4
"""Machines that fit where two foreign ones run already."""

SINGLY = {"launch_batch_max": 1, "partial_launches": True}


def _in_ones(dialect: Dialect) -> Dialect:
    return dialect.told(**SINGLY)


SCENARIOS = cases(
    on_each(
        (AWS, EC2_API.seen_as(boot_timeout_s=60.0), _in_ones(MOTO)),
        "F20 no capacity on the first rank",
        _full(capacity=ROOM_FOR_TWO),
        Bounds(ended=5, surplus=0, launches=20),
    ),
    on_each((EC2_API,), "F20 no room at all, told by machines in error", _all_in_error, Bounds(ended=12, launches=12)),
    on_each(
        (AWS,),
        "F20 no capacity before the second rank was seen",
        _full_before_the_other_is_seen,
    ),
    on_each((AWS,), "F20 capacity comes back", _full_then_room),
    on_each((_in_ones(EC2_API), AWS), "F21 quota on the first rank", _full(quota=ROOM_FOR_TWO), Bounds(launches=20)),
    on_each((AWS, EC2_API), "F21 quota used up everywhere, then raised", _full_everywhere),
    on_each(ALL, "F21 quota refuses twice", _quota_refuses),
    on_each(ALL, "F19 every call is throttled for long", when_settled(then=_throttled_for_long)),
    on_each((AWS.told(launch_batch_max=5),), "F19 small buckets", _buckets, Bounds(launches=40)),
    on_each(ALL, "F22 key is rotated at the cloud", when_settled(then=_key_rotated)),
    on_each(
        (AWS, EC2_API),
        "F22 key may not launch any more",
        when_settled(Fault(Kind.AUTH_FAILURE, LAUNCH, times=FOR_EVER), then=_auth_failure_for_launches),
    ),
    on_each((AWS, MOTO), "F45 clock at the cloud is wrong", when_settled(then=_other_clock)),
    on_each(ALL, "F46 key is removed while machines run", when_settled(then=_key_removed)),
    on_each((AWS,), "F21 image is unknown on the first rank", _image_unknown),
)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_refusal_costs_only_time(scenario: Scenario, outcomes) -> None:
    """A cloud that says no is spared for a while, others take over, and nothing that runs is harmed."""
    outcomes.await_verdict(scenario)
