"""Ends that are refused, ignored or hidden, and machines that die by other hands: each is replaced once, none leaks."""

import pytest

from tests.fake_ec2.faults import FOR_EVER, Fault, Kind, When
from tests.fake_ec2.knobs import MixedTerminate
from tests.real_clouds.harness import UID, Bounds, Scenario, Script, Stage, cases, on_each, when_settled
from tests.real_clouds.sites import AWS, EC2_API, MOTO

ALL = (AWS, MOTO, EC2_API)
END = "TerminateInstances"


async def _shrink(stage: Stage) -> None:
    """Two of three are to go."""
    await stage.desire(1)
    await stage.struck()


def _ends(kind: Kind, when: When = When.BEFORE, times: int | None = 2, **more: object) -> Script:
    return when_settled(Fault.parse({"kind": kind, "action": END, "when": when, "times": times, **more}), then=_shrink)


async def _never_ends(stage: Stage) -> None:
    """The cloud says yes and does nothing for three minutes: it is asked again, and not all the time."""
    await stage.desire(1)
    await stage.throughout(180.0, lambda: stage.alive()["hotel"] == 3, "the fault to hold")
    assert 2 <= stage.terminations() <= 8, f"{stage.terminations()} calls in three minutes"
    assert len(stage.members()) == 3, "what still runs is not forgotten"


def _killed(count: int, desired: int = 3) -> Script:
    """*count* machines are terminated by an operator at the cloud; they are replaced."""

    async def script(stage: Stage) -> None:
        for machine_id in stage.hotel.alive(UID)[:count]:
            stage.hotel.world.kill(machine_id)
        await stage.until(lambda: stage.in_service() < desired, "the deaths to be seen")

    return when_settled(desired=desired, then=script)


async def _forgotten(stage: Stage) -> None:
    """Two of five are terminated at a cloud that does not list the dead, and shows the other three all the time."""
    for machine_id in stage.hotel.alive(UID)[:2]:
        stage.hotel.world.kill(machine_id)
    await stage.until(lambda: sum(stage.alive().values()) == 5, "the replacements", 400)


async def _forgotten_and_away(stage: Stage) -> None:
    """The same, and the cloud is away for ten minutes in the midst of it: what it denied before counts no more."""
    for machine_id in stage.hotel.alive(UID)[:2]:
        stage.hotel.world.kill(machine_id)
    await stage.elapsed(200.0)
    await stage.hotel.served.go_dark()
    await stage.throughout(600.0, lambda: sum(stage.alive().values()) == 3, "silence is not death")
    await stage.hotel.served.come_back()
    await stage.throughout(200.0, lambda: sum(stage.alive().values()) == 3, "nothing is believed at once")
    await stage.until(lambda: sum(stage.alive().values()) == 5, "the replacements", 300)


async def _boot_loop_beside_a_veteran(stage: Stage) -> None:
    """One of two dies at every boot; the other, which lived long, is killed: it is replaced at once."""
    stage.add_group(1, clouds=("hotel",))
    await stage.start()
    await stage.settled()
    await stage.elapsed(310.0)
    [veteran] = stage.hotel.alive(UID)
    stage.hotel.set(dies_after_s=35.0)
    await stage.desire(2)
    await stage.until(lambda: "died young" in " ".join(stage.ledger.waiting.get(UID, ())), "the back-off", 600)
    stage.hotel.set(dies_after_s=None)
    stage.hotel.world.kill(veteran)
    launches = len(stage.hotel.world.ledger.calls_of("RunInstances"))
    await stage.until(
        lambda: len(stage.hotel.world.ledger.calls_of("RunInstances")) > launches,
        "the replacement of what lived long",
        15,
    )


async def _forgotten_until_said(stage: Stage) -> None:
    """All are terminated at a cloud that does not list the dead: nobody believes it until a user says so."""
    for machine_id in stage.hotel.alive(UID):
        stage.hotel.world.kill(machine_id)
    await stage.throughout(60.0, lambda: stage.alive() == {"hotel": 0, "sierra": 0}, "nobody is replaced")
    for member in stage.members():
        stage.ledger.change_instance(member.key, healthy=False)
    stage.wake()


async def _killed_and_grown(stage: Stage) -> None:
    """Machines die while the group is told to grow, to shrink, and to grow again."""
    stage.hotel.world.kill(stage.hotel.alive(UID)[0])
    await stage.desire(5)
    await stage.until(lambda: sum(stage.alive().values()) == 5, "growth")
    stage.hotel.world.kill(stage.hotel.alive(UID)[0])
    await stage.desire(2)
    await stage.settled()
    await stage.desire(4)


async def _killed_unseen(stage: Stage) -> None:
    """An operator ends machines that a scale-in is about to end, some known to the cloud and some not."""
    stage.hotel.set(terminated_listed_s=0.0, shutting_down_s=0.0)
    for machine_id in stage.hotel.alive(UID)[:2]:
        stage.hotel.world.kill(machine_id)
    await stage.desire(1)


async def _stuck_pending(stage: Stage) -> None:
    """A machine never comes up: it is given up after the boot timeout, and replaced."""
    stage.hotel.set(pending_s=100_000.0)
    stage.add_group(1)
    await stage.start()
    await stage.until(lambda: stage.alive()["hotel"] == 1, "the launch")
    stage.hotel.set(pending_s=5.0)


async def _boot_loop(stage: Stage) -> None:
    """Every machine dies half a minute after it came up: launches are bounded, and stop when the loop does."""
    stage.hotel.set(dies_after_s=35.0)
    stage.add_group(1, clouds=("hotel",))
    await stage.start()
    await stage.throughout(400.0, lambda: stage.alive()["hotel"] <= 1, "one machine at a time")
    stage.hotel.set(dies_after_s=None)
    await stage.until(lambda: not any(_is_young(stage, found) for found in stage.hotel.alive(UID)), "the last to die")


def _is_young(stage: Stage, machine_id: str) -> bool:
    return stage.loop.timestamp() < stage.hotel.world.machines[machine_id].born_at + 40.0


async def _half_stopped(stage: Stage) -> None:
    """One of six is stopped by a user: it is replaced, and what is left of it is ended."""
    machine_id = stage.hotel.alive(UID)[0]
    stage.hotel.world.machines[machine_id].shown_as = "stopped"
    await stage.until(lambda: all(member.machine_id != machine_id for member in stage.members()), "the replacement")


SCENARIOS = cases(
    on_each(
        ALL,
        "F29 termination answered NotFound",
        _ends(Kind.REFUSED, code="InvalidInstanceID.NotFound", message="The instance IDs do not exist", status=400),
        Bounds(ended=2),
    ),
    on_each(ALL, "F15 answer of a termination is lost", _ends(Kind.RESET, When.AFTER), Bounds(ended=2)),
    on_each((AWS,), "F16 termination never arrives", _ends(Kind.RESET), Bounds(ended=2)),
    on_each((AWS, EC2_API), "F18 termination answered 500", _ends(Kind.HTTP_ERROR, times=3), Bounds(ended=2)),
    on_each((AWS,), "F19 termination throttled", _ends(Kind.REQUEST_LIMIT, times=3), Bounds(ended=2)),
    on_each((AWS,), "F22 termination not allowed", _ends(Kind.AUTH_FAILURE, times=3), Bounds(ended=2)),
    on_each((AWS, MOTO), "F17 HTML page after a termination", _ends(Kind.HTML_IN_200, When.AFTER), Bounds(ended=2)),
    on_each((AWS,), "F36 termination hangs for ever", _ends(Kind.HANG, times=1), Bounds(ended=2)),
    on_each(
        ALL,
        "F30 termination accepted and not done",
        when_settled(Fault(Kind.NO_EFFECT, END, times=FOR_EVER), then=_never_ends),
        Bounds(ended=2),
    ),
    on_each(
        (AWS, MOTO), "F29 F39 termination of what an operator ended", when_settled(then=_killed_unseen), Bounds(ended=2)
    ),
    on_each(
        (AWS.but(terminate_mixed=MixedTerminate.KNOWN_THEN_REFUSED),),
        "F29 F39 termination of what an operator ended, half done",
        when_settled(then=_killed_unseen),
        Bounds(ended=2),
    ),
    on_each((AWS, MOTO), "F38 all machines ended by an operator", _killed(3)),
    on_each((AWS,), "F38 all of fifty machines ended by an operator", _killed(50, 50), Bounds(launches=40)),
    on_each(
        (EC2_API.told(visible_after_s=10.0),),
        "F38 all machines ended by an operator and forgotten, which a user says",
        when_settled(then=_forgotten_until_said),
        Bounds(ended=3),
    ),
    on_each(ALL, "F39 one machine ended by an operator", _killed(1, 4)),
    on_each((AWS, MOTO), "F39 two machines ended by an operator", _killed(2, 5)),
    on_each(
        (EC2_API.told(visible_after_s=10.0),),
        "F39 two machines ended by an operator and forgotten",
        when_settled(desired=5, then=_forgotten),
    ),
    on_each(
        (EC2_API.told(visible_after_s=10.0),),
        "F33 F39 two machines forgotten, then an outage",
        when_settled(desired=5, then=_forgotten_and_away),
    ),
    on_each((AWS, MOTO), "F39 deaths while the group changes", when_settled(then=_killed_and_grown), Bounds(ended=4)),
    on_each(
        tuple(dialect.seen_as(boot_timeout_s=60.0) for dialect in (AWS, EC2_API)),
        "F42 machine is stuck in pending",
        _stuck_pending,
        Bounds(surplus=1, ended=1),
    ),
    on_each(ALL, "F43 machines die at boot for ever", _boot_loop, Bounds(launches=9)),
    on_each(
        (AWS,),
        "F43 long-lived machine ends beside one that dies at boot",
        _boot_loop_beside_a_veteran,
        Bounds(launches=15),
    ),
    on_each(
        (AWS, MOTO),
        "F37 one of six is stopped",
        when_settled(desired=6, then=_half_stopped),
        Bounds(surplus=1, ended=1),
    ),
)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_an_end_is_an_end(scenario: Scenario, outcomes) -> None:
    """What is to end ends, what ended is replaced, and nothing is forgotten between the two."""
    outcomes.await_verdict(scenario)
