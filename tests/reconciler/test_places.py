"""Where inside a cloud machines go."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler import places
from reconciler.model import InstanceState
from tests.reconciler.views import instance, view

A, B, C = "zone-a", "zone-b", "zone-c"


@given(
    count=st.integers(0, 200),
    named=st.lists(st.sampled_from([A, B, C, "zone-d"]), min_size=1, unique=True),
    held=st.dictionaries(st.sampled_from([A, B, C, "zone-d"]), st.integers(0, 50)),
)
def test_a_spread_makes_places_even(count: int, named: list[str], held: dict[str, int]) -> None:
    """All machines find a place, only in named ones, and none goes where there are two more than elsewhere."""
    shares = places.spread(count, named, held)

    assert sum(shares.values()) == count
    assert set(shares) <= set(named)
    assert all(share > 0 for share in shares.values())
    after = {place: held.get(place, 0) + shares.get(place, 0) for place in named}
    assert all(after[place] - min(after.values()) <= 1 for place in shares)


def test_among_equals_the_first_named_gets_the_next() -> None:
    """The order of the group's zones decides where nothing else does."""
    assert places.spread(2, (B, A, C), {}) == {B: 1, A: 1}
    assert places.spread(1, (), {}) == {}


def test_instances_that_go_take_no_place() -> None:
    """What counts toward capacity counts, on the cloud in question, where it was placed."""
    members = [
        instance(1, place=A),
        instance(2, place=A, state=InstanceState.TERMINATING),
        instance(3, place=A, cloud="sierra"),
        instance(4),
        instance(5, place=B),
    ]

    assert places.taken(members, "hotel") == Counter({A: 1, B: 1})


@pytest.mark.parametrize(
    ("asked", "clouds", "known", "expected"),
    [
        pytest.param((A, B, "us-east-1"), ("hotel",), {B, C, A}, (A, B), id="those that the cloud has"),
        pytest.param(("us-east-1",), ("hotel",), {A}, (), id="an old script's zone is ignored"),
        pytest.param(("subnet-1",), ("hotel",), set(), ("subnet-1",), id="the only cloud is to refuse a wrong subnet"),
        pytest.param(("subnet-1",), ("hotel", "sierra"), set(), (), id="another cloud's subnet is ignored"),
        pytest.param(("subnet-1", "subnet-2"), ("hotel",), {"subnet-2"}, ("subnet-2",), id="one subnet of two"),
    ],
)
def test_a_cloud_is_asked_for_the_places_that_it_has(
    asked: tuple[str, ...], clouds: tuple[str, ...], known: set[str], expected: tuple[str, ...]
) -> None:
    """Unknown zones leave the choice to the cloud; unknown subnets do so only where another cloud may be meant."""
    assert places.usable(view(1, clouds=clouds, places=asked).group, known) == expected
