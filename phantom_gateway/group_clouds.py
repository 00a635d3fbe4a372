"""
Which clouds a group may use, in which order.

Owns: the rule, as a pure function; operations (is this launch configuration in use?) and the ledger (where may the
next launch go?) must never disagree on it. Does not own: health, caps in use or back-off of those clouds.
"""

from collections.abc import Collection, Sequence

from reconciler.model import RankedCloud


def clouds_of(zones: Sequence[str], launch_cloud: str, spec_clouds: Collection[str]) -> tuple[RankedCloud, ...]:
    """
    The clouds of a group by rank, best first; never empty.

    *zones* are the group's AvailabilityZones. Those that name clouds for which the launch configuration has a spec
    (*spec_clouds*) are its clouds, in that order, without a cap. When none does (old scripts send ``us-east-1``), the
    cloud of the launch configuration's own name is the only one.
    """
    named = [zone for zone in dict.fromkeys(zones) if zone in spec_clouds]
    return tuple(RankedCloud(name) for name in named or [launch_cloud])
