"""
The fuse against runaway: a group of which more machines live than anybody wanted gets no more.

Owns: when it blows. It mends itself: what is surplus is adopted or reaped, and then launches go on. Pure.
"""

from reconciler import settlement
from reconciler.draft import Draft

NAME = "overshoot"

SLACK = settlement.OVERSHOOT_SLACK
"""The machine controllers of Kubernetes allow as many. Less: a single stray machine holds a group up."""


def blown(draft: Draft) -> bool:
    """
    True when nothing may be launched for the group, and the plan says so.

    Machines that the ledger has retired do not count: they are on their way out. Nor do those that a scale-in must
    spare; the fuse is about machines that nothing stands for.
    """
    strays = draft.strays_total
    alive = len(draft.counting) + draft.adoptions + strays
    if draft.group.deleting or not strays or alive <= draft.desired + SLACK:
        return False
    draft.blow(NAME)
    draft.wait(
        f"{alive} machines of the group live where {draft.desired} are desired, and {strays} are not on record: "
        "nothing is launched until they are gone"
    )
    return True
