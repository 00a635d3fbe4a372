"""
Which groups this gateway works on, when several share one ledger: the port, and how work is divided.

Owns: shards, the arithmetic of sharing them out, and ``Sole`` for a gateway that has the ledger to itself. Does not
own: where leases are kept; ``phantom_gateway.shards`` keeps them in the database.
"""

import zlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

SHARDS = 64
"""Portions of the groups, each worked on by one gateway. More: longer to look over. Fewer: uneven between gateways."""


class LeaseLost(Exception):  # noqa: N818 - a condition, which ends a pass; the group's next owner goes on
    """Another gateway works on this group now, or may do so. Nothing was written."""


def shard_of(uid: str) -> int:
    """The shard of the group *uid*, the same on every gateway and in every version."""
    return zlib.crc32(uid.encode()) % SHARDS


@dataclass(frozen=True, slots=True)
class Share:
    """What one gateway should do about its shards: *take* these, and *give* those back as soon as it is done there."""

    take: frozenset[int] = frozenset()
    give: frozenset[int] = frozenset()


def share(mine: Collection[int], free: Collection[int], gateways: int) -> Share:
    """
    The change that brings a gateway with the shards *mine* nearest to a fair share, *free* being nobody's.

    All shards are taken sooner or later, and none is taken from a gateway that lives: it gives them.
    """
    fair = -(-SHARDS // max(1, gateways))
    if len(mine) >= fair:
        return Share(give=frozenset(sorted(mine)[fair:]))
    return Share(take=frozenset(sorted(free)[: fair - len(mine)]))


class Lease(Protocol):
    """What a reconciler asks before it works on a group, and again just before it touches a cloud."""

    @property
    def gateways(self) -> int:
        """How many gateways share the work and the budgets of accounts, this one included."""
        ...

    @property
    def place(self) -> int:
        """Which of them this one is, from 0 on; no two agree on a number."""
        ...

    def owns(self, uid: str) -> bool:
        """True when passes over the group are this gateway's."""
        ...

    def may_act(self, uid: str) -> bool:
        """True when no other gateway can have taken the group over yet, however long this one was stopped before."""
        ...

    def since(self, uid: str) -> datetime | None:
        """When the group became this gateway's: calls of another may have ended as late. None: at the start."""
        ...


class Sole:
    """The lease of a gateway whose ledger nobody else can open: everything is its own, for ever."""

    gateways = 1
    place = 0

    def owns(self, uid: str) -> bool:  # noqa: ARG002 - see the port
        """True."""
        return True

    def may_act(self, uid: str) -> bool:  # noqa: ARG002 - see the port
        """True."""
        return True

    def since(self, uid: str) -> datetime | None:  # noqa: ARG002 - see the port
        """None."""
        return None


def portion(left: int, lease: Lease, now: datetime) -> int:
    """
    How many of the *left* machines that an account may still have are this gateway's to launch.

    All gateways' portions together are *left*. Who gets what does not divide evenly changes every minute, so that the
    last free place is not kept for ever by a gateway that has no use for it.
    """
    turn = (lease.place + int(now.timestamp()) // 60) % lease.gateways
    return left // lease.gateways + (turn < left % lease.gateways)
