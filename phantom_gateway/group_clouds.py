"""
Which clouds a group may use, in which order.

Owns: the rule, as a pure function; operations (is this launch configuration in use?) and the ledger (where may the
next launch go?) must never disagree on it. Does not own: health, caps in use or back-off of those clouds.
"""

from collections.abc import Collection, Sequence

from phantom_gateway.phantom_tags import FOLLOWERS, ranked_clouds
from reconciler.model import RankedCloud


def clouds_of(
    clouds_tag: str | None,
    definition: str | None,
    zones: Sequence[str],
    launch_cloud: str,
    cloud_params: Sequence[RankedCloud],
) -> tuple[RankedCloud, ...]:
    """
    The clouds of a group by rank, best first; empty only when the launch configuration has none.

    The ``clouds`` tag decides when the group has one: those, in that order, with those caps. Otherwise a group that
    follows its launch configuration (see :func:`follows`) uses *cloud_params*, the clouds of that by rank. For all
    others *zones* decide, the group's AvailabilityZones: those that name clouds of the launch configuration, in that
    order, without a cap. When none does (old scripts send ``us-east-1``), *launch_cloud*, the cloud of the launch
    configuration's own name, is the only one.

    Raises:
        TagRule: the tag cannot be read; it was checked when it was written.

    """
    if clouds_tag is not None:
        return ranked_clouds(clouds_tag)
    if follows(clouds_tag, definition):
        return tuple(cloud_params)
    there = {cloud.name for cloud in cloud_params}
    named = [zone for zone in dict.fromkeys(zones) if zone in there]
    return tuple(RankedCloud(name) for name in named or [launch_cloud])


def places_of(zones: Sequence[str], subnets: str, spec_clouds: Collection[str]) -> tuple[str, ...]:
    """
    Where inside its clouds a group wants its machines: the *subnets* of its VPCZoneIdentifier, parted by commas.

    Without any, those of its AvailabilityZones that do not name clouds. A cloud that does not have them ignores them.
    """
    named = [name.strip() for name in subnets.split(",")]
    wanted = [name for name in named if name] or [zone for zone in zones if zone not in spec_clouds]
    return tuple(dict.fromkeys(wanted))


def follows(clouds_tag: str | None, definition: str | None) -> bool:
    """Whether the launch configuration alone says which clouds a group uses, with rank and cap, whenever it changes."""
    return clouds_tag is None and definition in FOLLOWERS


def is_whole_truth(clouds_tag: str | None, definition: str | None) -> bool:
    """Whether whoever drops a cloud wants to leave it: where no tag and no rank is meant, instances stay."""
    return clouds_tag is not None or definition in FOLLOWERS


def drained(clouds: tuple[RankedCloud, ...], populated: Collection[str]) -> tuple[RankedCloud, ...]:
    """*clouds*, and after them, with room for nothing, those that still hold instances but were dropped."""
    allowed = {cloud.name for cloud in clouds}
    return clouds + tuple(RankedCloud(name, 0) for name in dict.fromkeys(populated) if name not in allowed)
