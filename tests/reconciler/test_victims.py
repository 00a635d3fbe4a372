"""Whom a scale-in takes."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

import pytest

from reconciler import victims
from reconciler.model import Instance, InstanceState, RankedCloud
from tests.reconciler.views import LONG_AGO, NOW, ago, claim, instance, view

HOTEL, SIERRA = RankedCloud("hotel"), RankedCloud("sierra")


def chosen(
    instances: Sequence[Instance],
    count: int = 1,
    clouds: Sequence[RankedCloud | str] = (HOTEL, SIERRA),
    ailing: Collection[int] = (),
    **facts: Any,
) -> list[int]:
    """Keys of the victims."""
    group = view(0, clouds=clouds, **facts).group
    return [victim.key for victim in victims.choose(instances, count, group, NOW, ailing)]


@pytest.mark.parametrize(
    ("instances", "expected"),
    [
        pytest.param([instance(1), instance(2, "sierra")], 2, id="last rank"),
        pytest.param([instance(1, "sierra"), instance(2, "alamo")], 2, id="a cloud that is not the group's any more"),
        pytest.param([instance(1), instance(2, state=InstanceState.PENDING)], 2, id="pending before in service"),
        pytest.param([instance(1, protected=True), instance(2)], 2, id="never a protected one"),
        pytest.param([claim(1), instance(2)], 2, id="never a claim"),
        pytest.param([instance(2), instance(1)], 1, id="lowest key at last"),
        pytest.param([instance(1, state=InstanceState.TERMINATING), instance(2)], 2, id="not one that goes already"),
    ],
)
def test_the_default_order(instances: list[Instance], expected: int) -> None:
    """Give back the last-ranked cloud first, and what serves nobody before what serves."""
    assert chosen(instances) == [expected]


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        pytest.param(("OldestInstance",), 1, id="oldest instance"),
        pytest.param(("NewestInstance",), 3, id="newest instance"),
        pytest.param(("OldestLaunchConfiguration",), 2, id="oldest launch configuration"),
        pytest.param(("ClosestToNextInstanceHour",), 3, id="closest to the next hour"),
        pytest.param(("Default",), 2, id="default begins with the launch configuration"),
        pytest.param((), 2, id="no policy is the default"),
        pytest.param(("AllocationStrategy", "OldestLaunchTemplate", "NewestInstance"), 3, id="no-ops narrow nothing"),
        pytest.param(("arn:aws:lambda:x", "NewestInstance"), 3, id="an unknown policy narrows nothing"),
    ],
)
def test_policies_narrow_from_left_to_right(policies: tuple[str, ...], expected: int) -> None:
    """Each on what the one before it left over."""
    instances = [
        instance(1, claimed_at=ago(9000), bound_at=ago(9000), spec_created_at=ago(9500)),
        instance(2, claimed_at=ago(8000), bound_at=ago(8000), spec_created_at=ago(9900)),
        instance(3, claimed_at=ago(7100), bound_at=ago(7100), spec_created_at=ago(9500)),
    ]

    assert chosen(instances, termination_policies=policies) == [expected]


def test_the_default_settles_what_a_policy_leaves_equal() -> None:
    """Two of the same age: the one that has paid for less of its hour stays."""
    same: dict[str, Any] = {"claimed_at": LONG_AGO, "spec_created_at": LONG_AGO}
    instances = [instance(1, bound_at=ago(100), **same), instance(2, bound_at=ago(3500), **same)]

    assert chosen(instances, termination_policies=("OldestInstance",)) == [2]


def test_a_cloud_beyond_its_cap_gives_first() -> None:
    """Otherwise the same pass would have to move instances off it; only its excess goes that way."""
    clouds = (RankedCloud("hotel", 1), SIERRA)
    instances = [instance(1), instance(2), instance(3, "sierra")]

    assert chosen(instances, 2, clouds) == [1, 3]


def test_the_ailing_go_before_all_others() -> None:
    """AWS lets the unhealthy bypass the policies."""
    assert chosen([instance(1), instance(2), instance(3, "sierra")], 2, ailing={1}) == [1, 3]


def test_a_group_being_deleted_spares_nobody() -> None:
    """Protection is against scale-in, not against deletion."""
    assert chosen([instance(1, protected=True), instance(2)], 2, deleting=True) == [1, 2]


@pytest.mark.parametrize("count", [pytest.param(0, id="none"), pytest.param(-3, id="fewer than none")])
def test_nobody_goes_when_nobody_is_surplus(count: int) -> None:
    """A shortage is no scale-in."""
    assert chosen([instance(1), instance(2)], count) == []


def test_a_thousand_victims_are_chosen_in_an_instant() -> None:
    """Ten thousand instances are sorted, not searched once per victim."""
    many = [instance(key, claimed_at=LONG_AGO + timedelta(seconds=key % 97)) for key in range(1, 3001)]

    assert len(set(chosen(many, 1000))) == 1000
