"""Listings that lie, lag, break off or hang: what is not seen is neither dead nor missing."""

import pytest

from tests.fake_ec2.faults import FOR_EVER, Fault, Kind
from tests.fake_ec2.world import Account as Customer
from tests.real_clouds.harness import UID, Bounds, Scenario, Script, Stage, cases, on_each, when_settled
from tests.real_clouds.sites import AWS, EC2_API, GATEWAY_ID, KEY, MOTO, Dialect

ALL = (AWS, MOTO, EC2_API)
LOOK = "DescribeInstances"

GARBAGE = (
    Kind.RESET,
    Kind.RESET_MIDWAY,
    Kind.EMPTY_BODY,
    Kind.HTML_IN_200,
    Kind.ERROR_IN_200,
    Kind.TRUNCATED,
    Kind.WRONG_ROOT,
    Kind.WRONG_CHARSET,
    Kind.LIST_ALL_MY_BUCKETS,
    Kind.DUPLICATED_BODY,
)

OTHER_CUSTOMER = Customer("AKIAHOTELHOTELHOTEL3", "secret/of+somebody=else", "222222222222")

PAGED = AWS.told(sweep_page_size=5)


def _look(kind: Kind, times: int | None = 6, **more: object) -> Fault:
    return Fault.parse({"kind": kind, "action": LOOK, "times": times, **more})


async def _nothing_happens(stage: Stage) -> None:
    """While hotel lies, nothing is launched and nothing is terminated anywhere."""
    born = _births(stage)
    await stage.struck(3)
    await stage.throughout(
        60.0, lambda: _births(stage) == born and stage.terminations() == 0, "nothing is launched or terminated"
    )


def _births(stage: Stage) -> int:
    return sum(len(site.world.ledger.calls_of("RunInstances")) for site in stage.sites)


def _lies(fault: Fault, desired: int = 3) -> Script:
    return when_settled(fault, desired=desired, then=_nothing_happens)


async def _hidden(stage: Stage) -> None:
    """New machines show in no listing for a while, less than the cloud is known to take."""
    stage.hotel.set(hidden_s=40.0)
    stage.add_group(3)
    await stage.start()
    await stage.until(lambda: len(stage.members()) == 3, "the launch")
    await stage.throughout(60.0, lambda: sum(stage.alive().values()) <= 3, "nothing is launched again")
    assert stage.terminations() == 0


async def _hidden_for_long(stage: Stage) -> None:
    """Three of three show in no listing for five minutes: that many at once is our blindness."""
    stage.hotel.set(hidden_s=300.0)
    stage.add_group(3)
    await stage.start()
    await stage.until(lambda: stage.alive()["hotel"] == 3, "the launch")
    await stage.throughout(200.0, lambda: sum(stage.alive().values()) == 3, "nothing is launched again")
    assert stage.terminations() == 0


async def _single_hidden_for_long(stage: Stage) -> None:
    """The only machine shows in no listing, five times longer than the cloud is known to take."""
    stage.hotel.set(hidden_s=300.0)
    stage.add_group(1, clouds=("hotel",))
    await stage.start()
    await stage.until(lambda: stage.alive()["hotel"] == 1, "the launch")
    await stage.throughout(290.0, lambda: stage.alive()["hotel"] == 1, "nothing is launched again")
    assert stage.terminations() == 0
    stage.hotel.set(hidden_s=0.0)


async def _hidden_and_unwanted(stage: Stage) -> None:
    """A machine that no listing has shown is not wanted any more: its end is answered NotFound, and it runs on."""
    stage.hotel.set(hidden_s=200.0)
    stage.add_group(2, clouds=("hotel",))
    await stage.start()
    await stage.until(lambda: len(stage.members()) == stage.alive()["hotel"] == 2, "the launch")
    await stage.desire(0)
    await stage.throughout(150.0, lambda: len(stage.members()) == 2, "neither is forgotten")


async def _shown_then_hidden(stage: Stage) -> None:
    """One of five that served is hidden and denied for five minutes: it is replaced, and nobody ends it meanwhile."""
    lost = stage.hotel.alive(UID)[0]
    stage.hotel.world.machines[lost].visible_at = stage.loop.timestamp() + 300.0
    await stage.until(lambda: stage.alive()["hotel"] == 6, "the replacement", 200)
    await stage.until(lambda: stage.hotel.world.machines[lost].visible_at < stage.loop.timestamp(), "it to come back")
    assert stage.terminations() == 0


async def _shown_then_hidden_while_full(stage: Stage) -> None:
    """The same where no replacement finds a place: when it comes back it serves again."""
    lost = stage.hotel.alive(UID)[0]
    for site in stage.sites:
        site.set(capacity=0)
    stage.hotel.world.machines[lost].visible_at = stage.loop.timestamp() + 300.0
    await stage.until(lambda: len(stage.members()) == 4, "it to be given up", 200)
    await stage.until(lambda: lost in {member.machine_id for member in stage.members()}, "it to serve again", 600)
    assert stage.terminations() == 0
    for site in stage.sites:
        site.set(capacity=None)


async def _one_left_out(stage: Stage) -> None:
    """A listing lacks one of five for ten minutes; asked for it by its id, the cloud shows it."""
    born = _births(stage)
    stage.hotel.plan.add(_look(Kind.FEWER, FOR_EVER, count=1))
    await stage.throughout(600.0, lambda: _births(stage) == born and stage.terminations() == 0, "nobody is replaced")


async def _other_customer(stage: Stage) -> None:
    """The key is exchanged for another customer's: he has no machines, and the cloud denies each of ours."""
    born = _births(stage)
    stage.hotel.world.set_accounts(stage.hotel.key, OTHER_CUSTOMER)
    stage.known["hotel"] = stage.hotel.connect(OTHER_CUSTOMER)
    await stage.throughout(
        700.0, lambda: _births(stage) == born and stage.terminations() == 0, "nothing is launched or terminated"
    )
    assert len(stage.members()) == 5, "nobody is forgotten"
    stage.known["hotel"] = stage.hotel.connect(KEY)


async def _hidden_and_lost(stage: Stage) -> None:
    """The answer of a launch is lost, and its machines show late."""
    stage.hotel.set(hidden_s=40.0)
    stage.hotel.plan.add(Fault.parse({"kind": Kind.RESET, "action": "RunInstances", "when": "after"}))
    stage.add_group(3)
    await stage.start()
    await stage.struck()


async def _stale(stage: Stage) -> None:
    """Terminated machines still show as running for minutes: they are not ended for ever, nor counted."""
    stage.hotel.set(stale_s=120.0)
    await stage.desire(1)
    await stage.until(lambda: stage.alive() == {"hotel": 1, "sierra": 0}, "the scale-in")
    await stage.throughout(100.0, lambda: stage.alive()["hotel"] == 1, "one machine stays")
    assert stage.terminations() <= 6, f"{stage.terminations()} calls to end two machines"
    await stage.desire(2)


async def _listed_for_an_hour(stage: Stage) -> None:
    """Terminated machines stay in the listing as such: they are ended once."""
    await stage.desire(1)
    await stage.settled()
    sent = stage.terminations()
    await stage.throughout(120.0, lambda: stage.terminations() == sent, "nobody is ended twice")


async def _all_impaired(stage: Stage) -> None:
    """Every machine shows as stopped at once: nobody believes it."""
    await stage.struck(3)
    await stage.throughout(60.0, lambda: stage.terminations() == 0, "nobody is terminated")


async def _copied_tags(stage: Stage) -> None:
    """Somebody launches one more like ours, tags and all, with a token of his own; it is his."""
    member = stage.members()[0]
    copied = {"phantom_gateway": GATEWAY_ID, "phantom_group": UID, "phantom_token": member.token}
    stage.hotel.plant(token="4f7b2c1e-0000-4000-8000-001122334455", **copied)
    await stage.throughout(200.0, lambda: stage.terminations() == 0, "a copy is left alone")
    await stage.desire(1)


async def _copied_tags_without_token(stage: Stage) -> None:
    """The same by a client that sends no token at all."""
    member = stage.members()[0]
    stage.hotel.plant(phantom_gateway=GATEWAY_ID, phantom_group=UID, phantom_token=member.token)
    await stage.throughout(200.0, lambda: stage.terminations() == 0, "a copy is left alone")


async def _copied_names(stage: Stage) -> None:
    """Somebody's machine has our group's names, and a mark that is not complete."""
    stage.hotel.plant(Name=f"name-{UID}", phantom_group=UID, phantom_gateway=GATEWAY_ID)
    stage.hotel.plant(Name="web", phantom_gateway=GATEWAY_ID)
    await stage.throughout(200.0, lambda: stage.terminations() == 0, "a copy is left alone")
    await stage.desire(1)


async def _other_gateway(stage: Stage) -> None:
    """Another gateway's group of the very same uid runs in the same account."""
    token = f"pg-{'f' * 12}-{UID.replace('-', '')}-{'0' * 12}"
    stage.hotel.plant(token=token, phantom_gateway="f" * 12, phantom_group=UID, phantom_token=token)
    await stage.throughout(200.0, lambda: stage.terminations() == 0, "it is left alone")
    await stage.desire(1)


async def _name_overridden(stage: Stage) -> None:
    """A user gives every machine other names and tags: each is still ours."""
    for machine_id in stage.hotel.alive(UID):
        stage.hotel.world.machines[machine_id].tags.update({"Name": "mine", "phantom-group": "mine"})
    await stage.throughout(60.0, lambda: stage.alive()["hotel"] == 3, "nothing is launched again")
    await stage.desire(2)


def _slow_looks(dialect: Dialect) -> Dialect:
    return dialect.but(call_s=10.0)


SCENARIOS = cases(
    *(on_each((AWS,), f"F17 {kind.replace('_', ' ')} in listings", _lies(_look(kind))) for kind in GARBAGE),
    on_each((MOTO, EC2_API), "F17 truncated in listings", _lies(_look(Kind.TRUNCATED))),
    on_each((AWS,), "F17 wrong namespace in listings", _lies(_look(Kind.WRONG_NAMESPACE))),
    on_each((AWS,), "F17 every machine twice in listings", _lies(_look(Kind.DUPLICATED_ENTRIES))),
    on_each(ALL, "F18 listings answered 503", _lies(_look(Kind.HTTP_ERROR, status=503))),
    on_each((AWS,), "F19 listings throttled", _lies(_look(Kind.REQUEST_LIMIT))),
    on_each(ALL, "F25 new machines show late", _hidden),
    on_each((AWS,), "F25 new machines show very late", _hidden_for_long),
    on_each(
        (AWS,),
        "F25 single machine shows very late",
        _single_hidden_for_long,
        Bounds(launches=1),
    ),
    on_each((AWS, EC2_API), "F25 F29 hidden machine is not wanted any more", _hidden_and_unwanted, Bounds(ended=2)),
    on_each(
        (AWS, EC2_API),
        "F25 machine that served is hidden and denied for minutes",
        when_settled(desired=5, then=_shown_then_hidden),
        Bounds(surplus=1, ended=1),
    ),
    on_each(
        (AWS,),
        "F25 machine that served is hidden and denied for minutes, and there is no room",
        when_settled(desired=5, then=_shown_then_hidden_while_full),
        Bounds(launches=20),
    ),
    on_each(ALL, "F27 listings with one machine left out", when_settled(desired=5, then=_one_left_out)),
    on_each((AWS, EC2_API), "F22 key is another customer's", when_settled(desired=5, then=_other_customer)),
    on_each(
        (AWS, MOTO.told(visible_after_s=60.0), EC2_API),
        "F15 F25 lost launch whose machines show late",
        _hidden_and_lost,
    ),
    on_each(ALL, "F26 the dead show as running", when_settled(then=_stale), Bounds(ended=2, surplus=0)),
    on_each((AWS, MOTO), "F26 the dead show for an hour", when_settled(then=_listed_for_an_hour), Bounds(ended=2)),
    on_each(ALL, "F27 empty listings", _lies(_look(Kind.EMPTY, FOR_EVER))),
    on_each(ALL, "F27 listings with machines left out", _lies(_look(Kind.FEWER, FOR_EVER, count=3), desired=5)),
    on_each((PAGED,), "F27 page of the listing is missing", _lies(_look(Kind.PAGE_MISSING, FOR_EVER), desired=12)),
    on_each(
        (PAGED,),
        "F28 second page fails",
        _lies(_look(Kind.HTTP_ERROR, FOR_EVER, page=2, status=500), desired=12),
    ),
    on_each((AWS,), "F36 listing hangs for ever", _lies(_look(Kind.HANG, 3))),
    on_each(
        (_slow_looks(AWS),), "F35 listings take their time", when_settled(then=_listed_for_an_hour), Bounds(ended=2)
    ),
    on_each(ALL, "F37 all machines show as stopped", when_settled(_look(Kind.STATES, FOR_EVER), then=_all_impaired)),
    on_each(
        (AWS,),
        "F37 all machines show in error",
        when_settled(_look(Kind.STATES, FOR_EVER, state="error"), then=_all_impaired),
    ),
    on_each(ALL, "F40 names are copied", when_settled(then=_copied_names), Bounds(ended=2)),
    on_each((AWS, EC2_API), "F40 mark is copied", when_settled(then=_copied_tags), Bounds(ended=2)),
    on_each(
        (AWS, EC2_API),
        "F40 mark is copied without a token",
        when_settled(then=_copied_tags_without_token),
    ),
    on_each(ALL, "F40 group of another gateway", when_settled(then=_other_gateway), Bounds(ended=2)),
    on_each(ALL, "F41 user overrides names", when_settled(then=_name_overridden), Bounds(ended=1)),
    on_each((AWS,), "F44 listing is a flood", _lies(_look(Kind.OVERSIZED, 3, size_bytes=4 * 1024 * 1024))),
    on_each((AWS,), "F44 listing with entities", _lies(_look(Kind.ENTITIES, 3, size_bytes=8 * 1024 * 1024))),
)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_what_is_not_seen_is_not_dead(scenario: Scenario, outcomes) -> None:
    """A listing is evidence only when it is whole, and even then against few machines at a time."""
    outcomes.await_verdict(scenario)
