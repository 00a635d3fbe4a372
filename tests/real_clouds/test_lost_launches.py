"""Launches whose answer is lost, late, broken or a lie: the machines are found again, none comes twice, none leaks."""

from typing import Any

import pytest

from tests.fake_ec2.faults import Fault, Kind, When
from tests.real_clouds.harness import Bounds, Scenario, Stage, at_launch, cases, on_each
from tests.real_clouds.sites import AWS, EC2_API, MOTO

ALL = (AWS, MOTO, EC2_API)
LAUNCH = "RunInstances"


def _launch(kind: Kind, when: When = When.AFTER, **more: Any) -> Fault:
    """One launch is struck by *kind*."""
    return Fault(kind, LAUNCH, when, **more)


GARBAGE = (
    Kind.RESET_MIDWAY,
    Kind.CLOSE,
    Kind.EMPTY_BODY,
    Kind.HTML_IN_200,
    Kind.ERROR_IN_200,
    Kind.TRUNCATED,
    Kind.WRONG_ROOT,
    Kind.WRONG_CHARSET,
    Kind.LIST_ALL_MY_BUCKETS,
    Kind.DUPLICATED_BODY,
)
"""Answers to a launch that happened, of which nothing can be learnt."""

HARMLESS = (Kind.WRONG_NAMESPACE, Kind.DUPLICATED_REPLY)
"""Answers that look odd and can be read."""

LAST_WORDS = tuple(
    Fault(Kind.HTTP_ERROR, LAUNCH, When.AFTER, status=status, body=body)
    for status, body in ((500, "xml"), (500, "html"), (502, "html"), (503, "xml"), (504, "empty"))
)


async def _crash_in_the_call(stage: Stage) -> None:
    """The launch happened, its answer is late, and the process dies meanwhile and comes again."""
    stage.hotel.plan.add(_launch(Kind.SLOW, slow_s=30.0))
    stage.add_group(3)
    await stage.start()
    await stage.until(lambda: len(stage.hotel.alive(next(iter(stage.ledger.groups)))) == 3, "the machines to be born")
    await stage.crash()
    await stage.start()
    await stage.settled()


SCENARIOS = cases(
    on_each(ALL, "F15 launch times out after its effect", at_launch(_launch(Kind.TIMEOUT, slow_s=100.0))),
    on_each(ALL, "F15 connection is reset after the effect", at_launch(_launch(Kind.RESET))),
    on_each((AWS, MOTO), "F15 answer comes later than anybody waits", at_launch(_launch(Kind.SLOW, slow_s=90.0))),
    on_each(ALL, "F16 launch times out before its effect", at_launch(_launch(Kind.TIMEOUT, When.BEFORE, slow_s=100.0))),
    on_each((AWS, MOTO), "F16 connection is reset before the effect", at_launch(_launch(Kind.RESET, When.BEFORE))),
    on_each((AWS, MOTO), "F15 process dies while the answer is on its way", _crash_in_the_call),
    *(on_each((AWS,), f"F17 {kind.replace('_', ' ')} after a launch", at_launch(_launch(kind))) for kind in GARBAGE),
    *(on_each((AWS,), f"F17 {kind.replace('_', ' ')} is readable", at_launch(_launch(kind))) for kind in HARMLESS),
    on_each((MOTO,), "F17 truncated XML after a launch", at_launch(_launch(Kind.TRUNCATED))),
    on_each((EC2_API,), "F17 HTML page after a launch", at_launch(_launch(Kind.HTML_IN_200))),
    *(
        on_each((AWS,), f"F18 launch answered {fault.status} {fault.body} after its effect", at_launch(fault))
        for fault in LAST_WORDS
    ),
    on_each(
        ALL,
        "F18 launches answered 500 three times before their effect",
        at_launch(_launch(Kind.HTTP_ERROR, When.BEFORE, times=3)),
    ),
    on_each(
        (AWS,),
        "F31 token of terminated machines is refused",
        at_launch(_launch(Kind.REFUSED, When.BEFORE, code="IdempotentInstanceTerminated", status=400)),
    ),
    on_each(
        (AWS,),
        "F32 token with other parameters is refused",
        at_launch(_launch(Kind.REFUSED, When.BEFORE, code="IdempotentParameterMismatch", status=400)),
    ),
    on_each((AWS, MOTO), "F36 launch hangs for ever after its effect", at_launch(_launch(Kind.HANG))),
    on_each((AWS,), "F44 launch answered with a flood", at_launch(_launch(Kind.OVERSIZED, size_bytes=4 * 1024 * 1024))),
    on_each((AWS,), "F44 launch answered with entities", at_launch(_launch(Kind.ENTITIES, size_bytes=8 * 1024 * 1024))),
    on_each(ALL, "F23 launch gives fewer than asked", at_launch(_launch(Kind.FEWER, When.BEFORE, count=2), desired=5)),
    on_each(
        (AWS, MOTO),
        "F23 launch tells of fewer than it made",
        at_launch(_launch(Kind.FEWER, count=1), desired=5),
        Bounds(ended=1),
    ),
    on_each(
        ALL,
        "F24 launch gives more than asked",
        at_launch(_launch(Kind.MORE, When.BEFORE, count=2)),
        Bounds(ended=2),
    ),
    on_each((AWS,), "F24 launch gives more than it says", at_launch(_launch(Kind.MORE, count=2)), Bounds(ended=2)),
    on_each(
        (AWS.seen_as(boot_timeout_s=120.0),),
        "F17 launch tells of a machine that never was",
        at_launch(_launch(Kind.NO_EFFECT), desired=1),
    ),
)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_lost_launch_is_found_again(scenario: Scenario, outcomes) -> None:
    """Whatever becomes of an answer, a launch is settled by looking and by its own token."""
    outcomes.await_verdict(scenario)
