"""
Which clouds a group may use, in which order.

Owns: the rule, as a pure function; operations (is this launch configuration in use?) and the ledger (where may the
next launch go?) must never disagree on it. Does not own: health, caps in use or back-off of those clouds.
"""

from collections.abc import Collection, Sequence

from phantom_gateway.phantom_tags import ranked_clouds
from reconciler.model import RankedCloud


def clouds_of(
    clouds_tag: str | None, zones: Sequence[str], launch_cloud: str, spec_clouds: Collection[str]
) -> tuple[RankedCloud, ...]:
    """
    The clouds of a group by rank, best first; never empty.

    The ``clouds`` tag decides when the group has one: those, in that order, with those caps. Otherwise *zones*, the
    group's AvailabilityZones: those that name clouds for which the launch configuration has a spec (*spec_clouds*), in
    that order, without a cap. When none does (old scripts send ``us-east-1``), the cloud of the launch configuration's
    own name is the only one.

    Raises:
        TagRule: the tag cannot be read; it was checked when it was written.

    """
    if clouds_tag is not None:
        return ranked_clouds(clouds_tag)
    named = [zone for zone in dict.fromkeys(zones) if zone in spec_clouds]
    return tuple(RankedCloud(name) for name in named or [launch_cloud])


def places_of(zones: Sequence[str], subnets: str, spec_clouds: Collection[str]) -> tuple[str, ...]:
    """
    Where inside its clouds a group wants its machines: the *subnets* of its VPCZoneIdentifier, parted by commas.

    Without any, those of its AvailabilityZones that do not name clouds. A cloud that does not have them ignores them.
    """
    named = [name.strip() for name in subnets.split(",")]
    wanted = [name for name in named if name] or [zone for zone in zones if zone not in spec_clouds]
    return tuple(dict.fromkeys(wanted))


def drained(clouds: tuple[RankedCloud, ...], populated: Collection[str]) -> tuple[RankedCloud, ...]:
    """*clouds*, and after them, with room for nothing, those that still hold instances but were dropped."""
    allowed = {cloud.name for cloud in clouds}
    return clouds + tuple(RankedCloud(name, 0) for name in dict.fromkeys(populated) if name not in allowed)
