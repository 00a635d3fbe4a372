"""
The verdict over a played scenario, from the clouds' own books, with the whole story in every complaint.

Owns: the invariants as assertions (I1, I2, I3, I5, I8, I9), and the story. I2 (nothing leaks) and I5 (desired is
reached) are one condition: every group settles, which compares the clouds' books with the ledger, and stays so. I4
(what was acknowledged is durable) is not this stage's: its ledger is in memory; ``tests/processes`` kills gateways.
Does not own: playing (:mod:`tests.real_clouds.harness`).
"""

from collections import Counter
from collections.abc import Iterator

from tests.fake_ec2.faults import REFUSALS, Kind, When
from tests.fake_ec2.ledger import Cause, What
from tests.real_clouds.accelerated import AcceleratedLoop
from tests.real_clouds.harness import Scenario, Stage
from tests.real_clouds.sites import Site

CALM_S = 20.0
"""Four sweeps in which a group that is said to be settled stays so."""

LOOKS_FREE = 60
"""DescribeInstances calls in a burst: pages, and the looks that launches and terminations ask for."""

STORY_LINES_MAX = 160

CERTAIN = frozenset({*REFUSALS, Kind.REFUSED})
"""Faults that say themselves that nothing happened."""


async def play(scenario: Scenario, loop: AcceleratedLoop) -> None:
    """Nothing, when *scenario* ends well. Raises AssertionError with the story."""
    stage = Stage(loop, scenario.hotel, scenario.sierra)
    try:
        await stage.set_up()
        await scenario.script(stage)
        for site in stage.sites:
            await site.heal()
        await stage.settled(scenario.settle_s)
        await stage.throughout(CALM_S, stage.is_settled, "I2, I5: a settled group stays settled")
        complaints = list(_complaints(stage, scenario))
        assert not complaints, "\n".join(complaints)
    except AssertionError as error:
        raise AssertionError(f"{scenario.name}: {error}\n\n{story(stage)}") from None
    finally:
        await stage.tear_down()


def _complaints(stage: Stage, scenario: Scenario) -> Iterator[str]:
    bounds = scenario.bounds
    for uid, desired_max in stage.desired_max.items():
        allowed = desired_max + bounds.surplus + sum(_unknown(site) for site in stage.sites)
        highest = _highest(stage, uid)
        if highest > allowed:
            yield f"I1: {highest} machines alive at once where {allowed} were allowed"
    for site in stage.sites:
        touched = [entry for entry in site.world.ledger.foreign_touched() if entry.cause is not Cause.TAGS]
        if touched:
            yield f"I3: foreign machines were touched on {site.name}: {touched}"
        dead = [machine.machine_id for machine in site.foreign if machine.machine_id not in site.world.ledger.alive()]
        if dead:
            yield f"I3: foreign machines are gone from {site.name}: {dead}"
        tagged = [entry.machine_id for entry in site.world.ledger.foreign_touched() if entry.cause is Cause.TAGS]
        if tagged:
            yield f"I3: foreign machines were tagged on {site.name}: {tagged}"
    ended = sum(len(site.world.ledger.ended_by(Cause.TERMINATE)) for site in stage.sites)
    if ended > bounds.ended:
        yield f"I8: {ended} machines were terminated where {bounds.ended} had a reason"
    yield from _pressure(stage, scenario)


def _pressure(stage: Stage, scenario: Scenario) -> Iterator[str]:
    seconds = stage.loop.timestamp() - stage.began_at
    for site in stage.sites:
        launches = len(site.world.ledger.calls_of("RunInstances"))
        looks = len(site.world.ledger.calls_of("DescribeInstances"))
        if launches > scenario.bounds.launches:
            yield f"I9: {launches} RunInstances on {site.name}, at most {scenario.bounds.launches} have a reason"
        if looks > LOOKS_FREE + scenario.bounds.looks_per_s * seconds:
            yield f"I9: {looks} DescribeInstances on {site.name} in {seconds:.0f} s"


def _highest(stage: Stage, uid: str) -> int:
    """The most machines of the group that were alive at once on all clouds together."""
    changes = []
    for site in stage.sites:
        before = 0
        for at, count in site.world.ledger.alive_over_time(uid):
            changes.append((at, count - before))
            before = count
    total = highest = 0
    for _, change in sorted(changes):
        total += change
        highest = max(highest, total)
    return highest


def _unknown(site: Site) -> int:
    """
    Machines that may come twice without fault of ours.

    Where a token launches nothing twice, none; elsewhere those of launches whose outcome stayed unknown. Besides: what
    the endpoint launched and nobody asked for, or did not tell of.
    """
    extra = sum(
        fault.count
        for _, _, fault in site.plan.fired
        if fault.kind is Kind.MORE or (fault.kind is Kind.FEWER and fault.when is When.AFTER)
    )
    if site.world.knobs.token_is_idempotent:
        return extra
    return extra + sum(call.asked for call in site.world.ledger.calls_of("RunInstances") if _is_uncertain(call.fault))


def _is_uncertain(fault: str) -> bool:
    return fault != "" and fault not in CERTAIN


def story(stage: Stage) -> str:
    """Who called what, who was born and who died, when, where; and what the ledger says in the end."""
    lines: list[tuple[float, str]] = []
    for site in stage.sites:
        for call in site.world.ledger.calls:
            if call.action != "DescribeInstances" or call.fault:
                detail = f"{call.asked or ''} {call.token[-12:]} {call.fault and '! ' + call.fault}"
                lines.append((call.at, f"{site.name:6} {call.action} {detail}"))
        for entry in site.world.ledger.entries:
            if entry.what is not What.TOUCHED or entry.is_foreign:
                whose = "foreign " if entry.is_foreign else "broken " if entry.is_broken else ""
                lines.append((entry.at, f"{site.name:6}    {whose}{entry.machine_id} {entry.what} by {entry.cause}"))
    told = [f"{at - stage.began_at:8.1f} s  {line.rstrip()}" for at, line in sorted(lines)]
    if len(told) > STORY_LINES_MAX:
        half = STORY_LINES_MAX // 2
        told = [*told[:half], f"... {len(told) - STORY_LINES_MAX} lines ...", *told[-half:]]
    return "\n".join([*told, *_end_of_story(stage)])


def _end_of_story(stage: Stage) -> Iterator[str]:
    yield f"after {stage.loop.timestamp() - stage.began_at:.0f} s:"
    for site in stage.sites:
        yield f"  {site.name}: {dict(Counter(call.action for call in site.world.ledger.calls))}"
    for uid, group in stage.ledger.groups.items():
        yield f"  group {uid}: desired {group.desired}, alive {stage.alive(uid)}"
        yield f"  waiting on {stage.ledger.waiting.get(uid)}"
        for member in stage.members(uid):
            yield f"    {member.cloud} {member.machine_id} {member.state} token {member.token[-12:]}/{member.index}"
        for activity in stage.ledger.told.get(uid, ())[-12:]:
            yield f"    {activity.status_code}: {activity.description}: {activity.status_message}"
