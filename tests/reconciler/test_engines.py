"""What decision engines say: the original's rule, without the original's defects."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler import engines
from reconciler.engines import Scale, Stay
from reconciler.model import Group, Instance, InstanceState, RankedCloud, Reading, Readings, SensorPolicy
from tests.reconciler.views import NOW, ago, instance

POLICY = SensorPolicy("load", scale_up_threshold=2.0, scale_down_threshold=0.5, cooldown_s=60)
QUEUE = replace(POLICY, metric="queue", of_group=True)


def group(desired: int, policy: SensorPolicy | None = POLICY, **facts: object) -> Group:
    """A group of 1 to 10 that was last changed long ago."""
    ordinary = Group("g-1", "web", 7, 1, 10, desired, (RankedCloud("hotel"),), 1, policy=policy)
    return replace(ordinary, **facts)  # type: ignore[arg-type]


def serving(count: int) -> list[Instance]:
    """Instances 1 to *count*, in service."""
    return [instance(key) for key in range(1, count + 1)]


def loads(*values: float | None, old_s: float = 1) -> Readings:
    """Readings of instances 1, 2, ...; None: it says nothing."""
    known = {key: Reading(value, ago(old_s)) for key, value in enumerate(values, 1) if value is not None}
    return Readings(known)


def queue(value: float, old_s: float = 1) -> Readings:
    """A reading of the group itself."""
    return Readings(of_group=Reading(value, ago(old_s)))


def wanted(decision: engines.Decision, before: int) -> int:
    """The desired capacity after *decision*."""
    return decision.desired if isinstance(decision, Scale) else before


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([2.01, 2.01], 3, id="above"),
        pytest.param([2.0, 2.0], 2, id="equal to the upper threshold is not above it"),
        pytest.param([1.0, 1.0], 2, id="between"),
        pytest.param([0.5, 0.5], 2, id="equal to the lower threshold is not below it"),
        pytest.param([0.49, 0.49], 1, id="below"),
        pytest.param([4.0, 0.5], 3, id="the average decides, up"),
        pytest.param([3.9, None], 3, id="one without data is no zero"),
        pytest.param([float("nan"), 3.0], 3, id="NaN is no value"),
        pytest.param([float("inf"), 1.0], 2, id="neither is infinity"),
        pytest.param([None, None], 2, id="no data holds"),
        pytest.param([float("nan"), float("nan")], 2, id="nothing but NaN holds"),
        pytest.param([1e308, 1e308], 2, id="values that add up to no number hold"),
    ],
)
def test_the_average_of_fresh_values_is_compared_strictly(values: Sequence[float | None], expected: int) -> None:
    """One step in the direction of the threshold that is passed, and no step without data."""
    decision = engines.decide(group(2), serving(2), loads(*values), NOW)

    assert wanted(decision, 2) == expected


def test_the_cause_says_which_value_passed_which_threshold() -> None:
    """A user reads in the activity why the group grew, in words like those of AWS's alarms."""
    decision = engines.decide(group(2), serving(2), loads(3.5, 2.5), NOW)

    assert decision == Scale(
        3,
        "At 2013-08-19T21:00:00Z a sensor of load in state ALARM (Average 3 > 2) triggered policy sensor "
        "changing the desired capacity from 2 to 3.",
    )


def test_steps_are_as_long_as_the_policy_says_and_end_at_the_bounds() -> None:
    """A step beyond a bound ends at it, and from there nothing moves, which is told."""
    policy = replace(POLICY, scale_up_by=4, scale_down_by=3)

    assert wanted(engines.decide(group(3, policy), serving(3), loads(9, 9, 9), NOW), 3) == 7
    assert wanted(engines.decide(group(8, policy), serving(8), loads(*[9] * 8), NOW), 8) == 10
    assert wanted(engines.decide(group(3, policy), serving(3), loads(0, 0, 0), NOW), 3) == 1
    assert engines.decide(group(10, policy), serving(10), loads(*[9] * 10), NOW) == Stay(
        "metric load is above 2, and the group is at its maximum of 10"
    )
    assert engines.decide(group(1, policy), serving(1), loads(0), NOW) == Stay(
        "metric load is below 0.5, and the group is at its minimum of 1"
    )
    assert engines.decide(group(5, policy, ceiling=5), serving(5), loads(*[9] * 5), NOW) == Stay(
        "metric load is above 2, and the operator allows no more than 5"
    )


def test_no_data_at_all_keeps_the_group() -> None:
    """The original's average of nothing was 0, which drove every group without data down to its minimum."""
    readings = Readings(trouble="opentsdb does not answer")

    assert engines.decide(group(7), serving(7), readings, NOW) == Stay(
        "metric load: no data of any instance in service in the last 900 s (opentsdb does not answer)"
    )


def test_a_value_of_the_group_is_not_divided() -> None:
    """The original stopped at 5 instances with a queue of 9 and a threshold of 2, because 9/5 is 1.8."""
    decision = engines.decide(group(6, QUEUE), serving(6), queue(9.0), NOW)

    assert wanted(decision, 6) == 7


def test_a_share_per_instance_is_divided_when_the_policy_says_so() -> None:
    """With the option, a queue of 9 is 1.5 for each of six, and 9 for a group without any."""
    policy = replace(QUEUE, per_instance=True)

    assert wanted(engines.decide(group(6, policy), serving(6), queue(9.0), NOW), 6) == 6
    assert wanted(engines.decide(group(4, policy), serving(4), queue(9.0), NOW), 4) == 5
    assert wanted(engines.decide(group(0, policy, minimum=0), [], queue(9.0), NOW), 0) == 1


def test_values_of_instances_and_of_the_group_are_never_mixed() -> None:
    """The original averaged them together where both were known."""
    both = Readings({1: Reading(100.0, ago(1))}, Reading(1.0, ago(1)))

    assert wanted(engines.decide(group(1, QUEUE), serving(1), both, NOW), 1) == 1
    assert wanted(engines.decide(group(1), serving(1), both, NOW), 1) == 2


def test_stale_values_are_none() -> None:
    """F102: the original used the last value of the silent for ever; tcollector's pauses of 300 s are no silence."""
    assert wanted(engines.decide(group(2), serving(2), loads(9, 9, old_s=899), NOW), 2) == 3
    assert wanted(engines.decide(group(2), serving(2), loads(9, 9, old_s=901), NOW), 2) == 2
    assert wanted(engines.decide(group(2, QUEUE), serving(2), queue(9, old_s=901), NOW), 2) == 2


def test_instances_that_are_not_in_service_say_nothing() -> None:
    """A claim, a pending one, one on its way out and an unhealthy one have no say in the average."""
    others = [
        instance(2, state=InstanceState.PENDING),
        instance(3, state=InstanceState.TERMINATING),
        instance(4, healthy=False),
    ]

    decision = engines.decide(group(4), [instance(1), *others], loads(1.0, 50, 50, 50), NOW)

    assert decision == Stay()


def test_the_few_that_report_do_not_shrink_a_group() -> None:
    """Instances too busy to report are silent; more than half have to say that there is little to do."""
    assert engines.decide(group(4), serving(4), loads(0, 0), NOW) == Stay(
        "metric load is below 0.5, but only 2 of 4 instances report it"
    )
    assert wanted(engines.decide(group(4), serving(4), loads(0, 0, 0), NOW), 4) == 3
    assert wanted(engines.decide(group(4), serving(4), loads(9, 9), NOW), 4) == 5


def test_a_group_does_not_grow_while_what_it_asked_for_is_missing() -> None:
    """On a cloud that is full the load stays high; asking for more and more would end in a flood of launches."""
    decision = engines.decide(group(6), serving(4), loads(9, 9, 9, 9), NOW)

    assert decision == Stay("metric load is above 2, and 2 instances asked for before are still missing")


def test_the_cooldown_is_waited_for() -> None:
    """Its end is told, and then the step is made."""
    recent = group(2, last_scaled_at=ago(59))

    hold = engines.decide(recent, serving(2), loads(9, 9), NOW)
    assert hold == Stay("metric load is above 2; the cooldown ends at 2013-08-19T21:00:01Z", NOW + timedelta(seconds=1))
    assert wanted(engines.decide(recent, serving(2), loads(9, 9), NOW + timedelta(seconds=1)), 2) == 3


def test_without_a_cooldown_steps_are_still_apart() -> None:
    """Passes come whenever anything happens; each of them must not be a step."""
    policy = replace(POLICY, cooldown_s=0)

    assert engines.decide(group(2, policy, last_scaled_at=ago(1)), serving(2), loads(9, 9), NOW) == Stay(
        "metric load is above 2; the cooldown ends at 2013-08-19T21:00:04Z", NOW + timedelta(seconds=4)
    )


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"policy": None}, id="no policy"),
        pytest.param({"deleting": True}, id="being deleted"),
        pytest.param({"policy": replace(POLICY, scale_up_threshold=None)}, id="no upper threshold"),
        pytest.param({"policy": replace(POLICY, scale_up_by=0)}, id="a step of nothing"),
    ],
)
def test_a_group_without_a_rule_keeps_what_users_asked_for(facts: dict[str, Any]) -> None:
    """Multicloud is the engine of every group that has no other, and it never waits for anything."""
    assert engines.decide(group(2, **facts), serving(2), loads(9, 9), NOW) == Stay()


def test_what_cannot_be_meant_is_told() -> None:
    """Crossed thresholds would send a group up and down for ever; suspended alarms are the user's wish."""
    crossed = replace(POLICY, scale_up_threshold=0.4)
    suspended = group(2, suspended=frozenset({"AlarmNotification"}))

    assert engines.decide(group(2, crossed), serving(2), loads(9, 9), NOW) == Stay(
        "metric load: scale_up_threshold 0.4 is below scale_down_threshold 0.5"
    )
    assert engines.decide(suspended, serving(2), loads(9, 9), NOW) == Stay(
        "metric load is above 2, but AlarmNotification is suspended"
    )


VALUES = st.floats(allow_nan=True, allow_infinity=True) | st.floats(0, 4)
STEPS = st.integers(0, 5)


@st.composite
def situations(draw: st.DrawFn) -> tuple[Group, list[Instance], Readings]:
    """Any group of 1 to 10 with any policy, any instances, and any readings of some of them."""
    policy = SensorPolicy(
        "load",
        scale_up_threshold=draw(st.none() | st.floats(1, 3)),
        scale_down_threshold=draw(st.none() | st.floats(0, 1)),
        scale_up_by=draw(STEPS),
        scale_down_by=draw(STEPS),
        cooldown_s=draw(st.sampled_from([0, 60, 600])),
        of_group=draw(st.booleans()),
        per_instance=draw(st.booleans()),
    )
    minimum = draw(st.integers(0, 5))
    maximum = draw(st.integers(minimum, 10))
    states = draw(st.lists(st.sampled_from(list(InstanceState)), max_size=12))
    facts = {
        "minimum": minimum,
        "maximum": maximum,
        "last_scaled_at": draw(st.none() | st.builds(ago, st.floats(0, 1200))),
        "ceiling": draw(st.none() | st.integers(0, 12)),
    }
    readings = st.builds(Reading, VALUES, st.builds(ago, st.floats(0, 1200)))
    return (
        group(draw(st.integers(minimum, maximum)), policy, **facts),
        [instance(key, state=state) for key, state in enumerate(states)],
        Readings(draw(st.dictionaries(st.integers(0, 12), readings)), draw(st.none() | readings)),
    )


@settings(max_examples=200, deadline=None)
@given(situations())
def test_whatever_sensors_say_the_bounds_hold(situation: tuple[Group, list[Instance], Readings]) -> None:
    """F104: the result is within the group's bounds and the operator's, and is a real change."""
    before, instances, readings = situation

    decision = engines.decide(before, instances, readings, NOW)

    if isinstance(decision, Scale):
        assert before.minimum <= decision.desired <= before.maximum
        assert decision.desired != before.desired
        assert before.ceiling is None or decision.desired <= max(before.ceiling, before.desired)
        policy = before.policy
        assert policy is not None
        assert -policy.scale_down_by <= decision.desired - before.desired <= policy.scale_up_by


@settings(max_examples=200, deadline=None)
@given(situations())
def test_whatever_sensors_say_the_cooldown_holds(situation: tuple[Group, list[Instance], Readings]) -> None:
    """F55, F104: no second step, in either direction, before the cooldown of the first is over."""
    before, instances, readings = situation
    decision = engines.decide(before, instances, readings, NOW)
    if not isinstance(decision, Scale):
        return
    after = replace(before, desired=decision.desired, last_scaled_at=NOW)
    policy = before.policy
    assert policy is not None
    rest_s = max(policy.cooldown_s, engines.SCALE_EVERY_S)

    assert isinstance(engines.decide(after, instances, readings, NOW + timedelta(seconds=rest_s - 0.001)), Stay)


@settings(max_examples=200, deadline=None)
@given(situations())
def test_whatever_the_policy_no_data_holds(situation: tuple[Group, list[Instance], Readings]) -> None:
    """F103: neither nothing, nor what is stale, moves any group."""
    before, instances, readings = situation
    long_ago = ago(10_000)
    stale = Readings(
        {key: replace(reading, at=long_ago) for key, reading in readings.of_instances.items()},
        None if readings.of_group is None else replace(readings.of_group, at=long_ago),
    )

    assert isinstance(engines.decide(before, instances, Readings(), NOW), Stay)
    assert isinstance(engines.decide(before, instances, stale, NOW), Stay)


@settings(max_examples=200, deadline=None)
@given(situations(), st.floats(0, 4), st.floats(0, 4))
def test_more_load_never_means_fewer_instances(
    situation: tuple[Group, list[Instance], Readings], one: float, other: float
) -> None:
    """The decision is monotone in what the sensors say."""
    before, instances, _ = situation

    def said(value: float) -> int:
        reading = Reading(value, NOW)
        readings = Readings({each.key: reading for each in instances}, reading)
        return wanted(engines.decide(before, instances, readings, NOW), before.desired)

    assert said(min(one, other)) <= said(max(one, other))
