"""Clouds that are away, come and go, or crawl, alone and together with other faults: silence is not death."""

from functools import partial

import pytest

from tests.fake_ec2.faults import FOR_EVER, Fault, Kind, When
from tests.real_clouds.harness import OTHER_UID, UID, Bounds, Scenario, Stage, at_launch, cases, on_each, when_settled
from tests.real_clouds.sites import AWS, EC2_API, MOTO

ALL = (AWS, MOTO, EC2_API)
LAUNCH, LOOK, END = "RunInstances", "DescribeInstances", "TerminateInstances"


async def _dark(stage: Stage) -> None:
    """Hotel is away for ten minutes: its machines count, growth goes to sierra, nobody is terminated."""
    await stage.hotel.served.go_dark()
    await stage.throughout(60.0, lambda: stage.alive()["sierra"] == 0, "silence is not death")
    await stage.desire(5)
    await stage.until(lambda: stage.alive()["sierra"] == 2, "growth elsewhere", 60)
    await stage.throughout(540.0, lambda: stage.alive() == {"hotel": 3, "sierra": 2}, "nothing more happens")
    assert stage.terminations() == 0


async def _dark_and_shrunk(stage: Stage) -> None:
    """The group shrinks while hotel is away: what is to go there goes when it is back."""
    await stage.hotel.served.go_dark()
    await stage.desire(1)
    await stage.throughout(120.0, lambda: stage.alive()["hotel"] == 3, "nobody can be reached")


async def _dark_and_shrunk_and_grown(stage: Stage) -> None:
    """The same, and the group wants its three again before hotel is back."""
    await _dark_and_shrunk(stage)
    await stage.desire(3)
    await stage.throughout(60.0, lambda: stage.alive()["hotel"] == 3, "nobody can be reached")


async def _dark_from_the_start(stage: Stage) -> None:
    """Hotel is away when the gateway starts: sierra serves."""
    await stage.hotel.served.go_dark()
    stage.add_group(3)
    await stage.start()
    await stage.until(lambda: stage.alive()["sierra"] == 3, "sierra to serve", 120)


async def _flapping(stage: Stage) -> None:
    """Hotel is away for ten seconds and back for ten, again and again."""
    for _ in range(12):
        await stage.hotel.served.go_dark()
        await stage.elapsed(10.0)
        await stage.hotel.served.come_back()
        await stage.elapsed(10.0)
        assert stage.alive() == {"hotel": 3, "sierra": 0}
    assert stage.terminations() == 0


async def _flapping_with_a_death(stage: Stage) -> None:
    """A machine dies while hotel comes and goes: one replacement, not more."""
    stage.hotel.world.kill(stage.hotel.alive(UID)[0])
    for _ in range(8):
        await stage.hotel.served.go_dark()
        await stage.elapsed(10.0)
        await stage.hotel.served.come_back()
        await stage.elapsed(10.0)
        assert sum(stage.alive().values()) <= 3
    await stage.settled()
    born = sum(len(site.world.ledger.births_by_token()) for site in stage.sites)
    assert born <= 2 + 2, "two launches, and the tokens of the planted machines aside"


async def _slow(stage: Stage) -> None:
    """Hotel takes forty seconds for a launch and ten for a look; a group on sierra feels nothing of it."""
    stage.hotel.set(launch_base_s=40.0, call_s=10.0)
    stage.add_group(3, clouds=("hotel",))
    await stage.start()
    await stage.until(stage.is_sighted, "a look at both clouds")
    began = stage.loop.time()
    stage.add_group(3, uid=OTHER_UID, clouds=("sierra",))
    await stage.until(lambda: stage.in_service(OTHER_UID) == 3, "the group on sierra", 40)
    assert stage.loop.time() - began < 40


async def _hung(stage: Stage) -> None:
    """Hotel takes every call and answers none: a group on sierra lives on."""
    stage.hotel.plan.add(Fault(Kind.HANG, times=FOR_EVER))
    stage.add_group(3, uid=OTHER_UID, clouds=("sierra",))
    await stage.until(lambda: stage.in_service(OTHER_UID) == 3, "the group on sierra", 60)
    await stage.throughout(120.0, lambda: stage.alive() == {"hotel": 3, "sierra": 0}, "silence is not death")
    assert stage.terminations() == 0


async def _wrong_address(stage: Stage) -> None:
    """The endpoint's address is wrong for a while, so that nobody listens there."""
    stage.known["hotel"] = stage.hotel.connect(endpoint_url="http://127.0.0.1:9")
    await stage.desire(4)
    await stage.until(lambda: stage.alive()["sierra"] == 1, "growth elsewhere")
    assert stage.terminations() == 0
    stage.known["hotel"] = stage.hotel.connect()


async def _no_tls(stage: Stage) -> None:
    """The endpoint is said to speak TLS and does not."""
    stage.known["hotel"] = stage.hotel.connect(endpoint_url=stage.hotel.served.url.replace("http://", "https://"))
    await stage.desire(4)
    await stage.until(lambda: stage.alive()["sierra"] == 1, "growth elsewhere")
    assert stage.terminations() == 0
    stage.known["hotel"] = stage.hotel.connect()


# Combinations.


async def _full_and_away(stage: Stage) -> None:
    """The first rank is full and the second is away: whichever comes first serves."""
    stage.hotel.set(capacity=2)
    await stage.sierra.served.go_dark()
    stage.add_group(3)
    await stage.start()
    await stage.until(lambda: stage.hotel.world.ledger.calls_of(LAUNCH) != [], "hotel to be asked")
    await stage.throughout(30.0, lambda: stage.alive() == {"hotel": 0, "sierra": 0}, "nothing can run")


async def _both_away(stage: Stage) -> None:
    """Both clouds are away, the gateway dies and comes again, and the group is changed meanwhile."""
    for site in stage.sites:
        await site.served.go_dark()
    await stage.crash()
    await stage.desire(5)
    await stage.start()
    await stage.throughout(60.0, lambda: stage.alive() == {"hotel": 3, "sierra": 0}, "nothing can be done")


async def _lost_then_dark(stage: Stage) -> None:
    """The answer of a launch is lost, and then hotel is away: the claims wait for it, sierra does not take over."""
    stage.hotel.plan.add(Fault(Kind.RESET, LAUNCH, When.AFTER))
    stage.add_group(3)
    await stage.start()
    await stage.struck()
    await stage.hotel.served.go_dark()
    await stage.throughout(120.0, lambda: sum(stage.alive().values()) == 3, "three, and not six")


async def _crash_loop(stage: Stage) -> None:
    """The process dies in every launch, five times over."""
    stage.hotel.plan.add(Fault(Kind.SLOW, LAUNCH, When.AFTER, times=5, slow_s=20.0))
    stage.add_group(3)
    calls = stage.hotel.world.ledger.calls_of
    for _ in range(5):
        after = len(calls(LAUNCH))
        await stage.start()
        await stage.until(partial(_has_launched, stage, after), "a launch")
        await stage.elapsed(1.0)
        await stage.crash()
    await stage.start()


def _has_launched(stage: Stage, after: int) -> bool:
    return len(stage.hotel.world.ledger.calls_of(LAUNCH)) > after or stage.in_service() == 3


async def _everything_at_random(stage: Stage) -> None:
    """For three minutes nearly half of all calls fail in one of six ways, while the group grows and shrinks."""
    kinds = (Kind.RESET, Kind.TRUNCATED, Kind.HTTP_ERROR, Kind.REQUEST_LIMIT, Kind.CLOSE, Kind.EMPTY_BODY)
    for site in stage.sites:
        site.plan.add(*(Fault(kind, when=when, times=FOR_EVER, probability=0.05) for kind in kinds for when in When))
    stage.add_group(4)
    await stage.start()
    for desired in (6, 2, 5, 1, 7, 4):
        await stage.elapsed(30.0)
        await stage.desire(desired)


SCENARIOS = cases(
    on_each(ALL, "F33 cloud is away for long", when_settled(then=_dark)),
    on_each(
        (AWS, EC2_API),
        "F33 group shrinks while its cloud is away",
        when_settled(then=_dark_and_shrunk),
        Bounds(ended=2),
    ),
    on_each(
        (AWS, EC2_API),
        "F33 group shrinks and grows while its cloud is away",
        when_settled(then=_dark_and_shrunk_and_grown),
        Bounds(ended=2, surplus=2),
    ),
    on_each(
        (AWS,),
        "F33 group shrinks and grows while its cloud is away, and never has more than it wants",
        when_settled(then=_dark_and_shrunk_and_grown),
        Bounds(ended=2),
    ),
    on_each((AWS, MOTO), "F33 cloud is away from the start", _dark_from_the_start),
    on_each((AWS, MOTO), "F34 cloud comes and goes", when_settled(then=_flapping)),
    on_each((AWS,), "F34 F39 machine dies while its cloud comes and goes", when_settled(then=_flapping_with_a_death)),
    on_each((AWS, EC2_API), "F35 cloud crawls", _slow),
    on_each((AWS, MOTO), "F36 cloud takes every call and answers none", when_settled(then=_hung)),
    on_each((AWS,), "F45 nobody listens at the address", when_settled(then=_wrong_address)),
    on_each((AWS,), "F45 endpoint speaks no TLS", when_settled(then=_no_tls)),
    on_each((AWS, MOTO), "F20 F33 first rank full, second away", _full_and_away, Bounds(launches=15)),
    on_each((AWS,), "F33 both clouds away over a restart", when_settled(then=_both_away)),
    on_each((AWS, MOTO), "F15 F33 lost launch, then an outage", _lost_then_dark),
    on_each(
        ALL,
        "F15 F19 lost launch, then throttling",
        at_launch(Fault(Kind.RESET, LAUNCH, When.AFTER), Fault(Kind.REQUEST_LIMIT, times=4)),
    ),
    on_each(
        (AWS, EC2_API),
        "F17 F28 truncated launch, then broken listings",
        at_launch(Fault(Kind.TRUNCATED, LAUNCH, When.AFTER), Fault(Kind.TRUNCATED, LOOK, times=4)),
    ),
    on_each(
        (AWS, MOTO),
        "F23 F15 partial launch with a lost answer",
        at_launch(
            Fault(Kind.FEWER, LAUNCH, count=2), Fault(Kind.CLOSE, LAUNCH, When.AFTER), desired=5, clouds=("hotel",)
        ),
    ),
    on_each((AWS, MOTO), "F8 F15 process dies in every launch", _crash_loop),
    on_each(ALL, "F15 to F29 at random", _everything_at_random, Bounds(ended=40, launches=60)),
)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_silence_is_not_death(scenario: Scenario, outcomes) -> None:
    """What runs on a silent cloud counts, what is missing runs elsewhere, and all is one again afterwards."""
    outcomes.await_verdict(scenario)
