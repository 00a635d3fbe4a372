"""
Where inside a cloud the next machines go: zones or subnets that the group named, the emptiest first.

Owns: the spread, as a pure function. Does not own: which cloud (``placement``), nor whether a cloud has a place.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from backends.cloud import SUBNET_PREFIX
from reconciler.model import Group, Instance


def usable(group: Group, known: Collection[str]) -> tuple[str, ...]:
    """
    Those places of the group that a cloud with the places *known* is asked for; none leaves the choice to the cloud.

    A group with one cloud means that cloud by its subnets: an unknown one is handed on, and refused by the cloud in its
    own words. Machines that were meant for one network must not come up in another.
    """
    here = tuple(place for place in group.places if place in known)
    if here or len(group.clouds) > 1:
        return here
    return tuple(place for place in group.places if place.startswith(SUBNET_PREFIX))


def taken(instances: Iterable[Instance], cloud: str) -> Counter[str]:
    """How many instances that count are in each place of *cloud*."""
    return Counter(i.place for i in instances if i.cloud == cloud and i.place is not None and i.state.counts)


def spread(count: int, places: Sequence[str], held: Mapping[str, int]) -> dict[str, int]:
    """
    *count* machines over *places*, so that they become as even as they can: each goes where the fewest are.

    *held* is what is in each already. Among equals the place that the group named first gets the next.
    """
    shares = dict.fromkeys(places, 0)
    for _ in range(count if places else 0):
        emptiest = min(places, key=lambda place: held.get(place, 0) + shares[place])
        shares[emptiest] += 1
    return {place: share for place, share in shares.items() if share}
