"""
Which gateway works on which shard: rows of a PostgreSQL database that several gateways share.

Owns: the queries on ``gateways``, ``shards`` and ``wakes``. Only the server's clock counts. An owner's *epoch* grows
whenever a shard changes hands, and every change of a group is made in a transaction that has seen the epoch unchanged.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from phantom_gateway.records.prepared import Prepared
from phantom_gateway.records.tables import gateways, shards, wakes
from reconciler.lease import SHARDS, LeaseLost, share

LEASE_S = 10.0
"""A gateway not heard of for this long has lost its shards. Longer: slow takeovers. Shorter: pauses end leases."""

HEARD_S_MAX = 2.0
"""
Between two statements of one that holds the lock below. Longer: one that is stopped there keeps all others from being
heard, until their leases end, too. Shorter: a busy processor ends transactions that were about to go on.
"""

_LEASES_LOCK = sa.literal_column("1886153843", sa.Integer)
"""Names the lock under which gateways change leases, one at a time ("pls3")."""

_NOW_US = sa.literal_column("(extract(epoch from clock_timestamp()) * 1000000)::bigint", sa.BigInteger)
_STALE_US = _NOW_US - sa.literal_column(str(round(LEASE_S * 1_000_000)), sa.BigInteger)

_LOCK = Prepared(
    sa.select(
        sa.func.set_config(
            sa.literal_column("'idle_in_transaction_session_timeout'", sa.Text),
            sa.literal_column(f"'{round(HEARD_S_MAX * 1_000)}'", sa.Text),
            sa.true(),
        ),
        sa.func.pg_advisory_xact_lock(_LEASES_LOCK, sa.literal_column("0", sa.Integer)),
    )
)
_FENCE = Prepared(
    sa.select(shards.c.owner, shards.c.epoch).where(shards.c.number == sa.bindparam("shard")).with_for_update(read=True)
)
_HEARD = Prepared(
    wakes.delete().where(wakes.c.shard.in_(sa.bindparam("shards", expanding=True))).returning(wakes.c.uid)
)
_WAKE = Prepared(wakes.insert())


@dataclass(frozen=True, slots=True)
class Gateway:
    """
    One running gateway. *boot* names this run of it, *place* its state directory, *host* its machine, for people.

    *is_alone*: it has clouds that belong to its machine, and must not share the database.
    """

    boot: str
    place: str
    host: str
    is_alone: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """
    What a gateway knows after it was heard: its shards with their epochs, what to *give*, and who else lives.

    In *ends_in_s* the first of the others' leases ends, if none of them is heard until then; infinity without others.
    """

    mine: Mapping[int, int]
    give: frozenset[int]
    living: Sequence[Gateway]
    ends_in_s: float = math.inf


def be_heard(connection: sa.Connection, me: Gateway, given: Collection[int]) -> Standing:
    """
    The standing of *me*, which lives, and has done with the shards *given*.

    Whoever was not heard of for LEASE_S is forgotten, and so is an earlier run from the same place: the lock on its
    state directory is ours, so it is dead. What is nobody's is taken, up to a fair share.
    """
    _LOCK.rows(connection)
    _note(connection, me)
    connection.execute(
        gateways.delete().where(
            gateways.c.boot != me.boot, sa.or_(gateways.c.seen_at < _STALE_US, gateways.c.place == me.place)
        )
    )
    seen = list(connection.execute(_LIVING))
    living = [Gateway(row.boot, row.place, row.host, row.is_alone) for row in seen]
    ends_in_s = min((LEASE_S - row.ago_us / 1_000_000 for row in seen if row.boot != me.boot), default=math.inf)
    if given:
        is_given = (shards.c.owner == me.boot) & shards.c.number.in_(sorted(given))
        connection.execute(shards.update().where(is_given).values(owner=None))
    owners = {row.number: row.owner for row in connection.execute(sa.select(shards.c.number, shards.c.owner))}
    alive = {gateway.boot for gateway in living}
    mine = {number for number, owner in owners.items() if owner == me.boot}
    free = {number for number, owner in owners.items() if owner not in alive} - set(given)
    wanted = share(mine, free, len(living))
    if wanted.take:
        taken = shards.c.number.in_(sorted(wanted.take))
        connection.execute(shards.update().where(taken).values(owner=me.boot, epoch=shards.c.epoch + 1))
    epochs = sa.select(shards.c.number, shards.c.epoch).where(shards.c.owner == me.boot)
    mine_now = {row.number: row.epoch for row in connection.execute(epochs)}
    return Standing(mine_now, wanted.give, living, max(0.0, ends_in_s))


_LIVING = sa.select(
    gateways.c.boot,
    gateways.c.place,
    gateways.c.host,
    gateways.c.is_alone,
    (_NOW_US - gateways.c.seen_at).label("ago_us"),
).order_by(gateways.c.boot)


def leave(connection: sa.Connection, me: Gateway) -> None:
    """Nothing; *me* has ended, and others need not wait for its leases to run out."""
    _LOCK.rows(connection)
    connection.execute(shards.update().where(shards.c.owner == me.boot).values(owner=None))
    connection.execute(gateways.delete().where(gateways.c.boot == me.boot))


def check(connection: sa.Connection, shard: int, boot: str, epoch: int) -> None:
    """Nothing; until this transaction ends, *shard* belongs to *boot* as it did at *epoch*. Raises LeaseLost."""
    found = _FENCE.first(connection, {"shard": shard})
    if found is None or tuple(found) != (boot, epoch):
        raise LeaseLost(f"shard {shard} has another owner")


def wake(connection: sa.Connection, shard: int, uid: str) -> None:
    """Nothing; the owner of *shard* hears of the group *uid* when this transaction is committed."""
    _WAKE.run(connection, {"shard": shard, "uid": uid})


def heard(connection: sa.Connection, mine: Collection[int]) -> set[str]:
    """The uids of groups of the shards *mine* that somebody wants to be looked at; each is told once."""
    return {row[0] for row in _HEARD.rows(connection, {"shards": sorted(mine)})}


def _note(connection: sa.Connection, me: Gateway) -> None:
    seen = gateways.update().where(gateways.c.boot == me.boot).values(seen_at=_NOW_US)
    if connection.execute(seen).rowcount:
        return
    values: dict[str, Any] = {"boot": me.boot, "place": me.place, "host": me.host, "is_alone": me.is_alone}
    connection.execute(gateways.insert().values(**values, seen_at=_NOW_US))
    there = set(connection.execute(sa.select(shards.c.number)).scalars())
    missing = [{"number": number, "owner": None, "epoch": 0} for number in range(SHARDS) if number not in there]
    if missing:
        connection.execute(shards.insert(), missing)
