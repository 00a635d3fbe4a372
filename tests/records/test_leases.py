"""Leases as PostgreSQL keeps them: when the others' end, and who may hold whom up."""

import asyncio
import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import pytest

from phantom_gateway.records import leases
from phantom_gateway.records.leases import HEARD_S_MAX, LEASE_S, Gateway, Standing
from phantom_gateway.records.session import Connection, Database, RecordsUnavailable
from reconciler.lease import SHARDS
from tests.reconciler.shared_world import SharedWorld
from tests.reconciler.virtual_time import in_virtual_time
from tests.support.postgresql import Cluster
from tests.support.waiting import wait_for

ONE, OTHER = (Gateway(f"boot-{number}", f"place-{number}", "host", is_alone=False) for number in (1, 2))

TAKEN_OVER_S_MAX = LEASE_S + 0.5
"""From the last beat of a gateway until the others have all its shards: they look when its lease ends."""


@pytest.fixture
def database(cluster: Cluster, postgresql: str) -> Iterator[Database]:
    """Records that gateways may share."""
    made = Database(cluster.url(postgresql))
    yield made
    made.close()


@pytest.fixture
def age(cluster: Cluster, postgresql: str) -> Callable[[Gateway, float], None]:
    """Makes a gateway's last beat so many seconds older."""

    def older(gateway: Gateway, by_s: float) -> None:
        change = f"update gateways set seen_at = seen_at - {round(by_s * 1_000_000)} where boot = '{gateway.boot}'"
        cluster.run(change, postgresql)

    return older


def beat(database: Database, me: Gateway) -> Standing:
    """What *me* knows after it was heard."""
    return database.write_now(partial(leases.be_heard, me=me, given=()))


def test_a_gateway_knows_when_the_first_of_the_others_leases_ends(
    database: Database, age: Callable[[Gateway, float], None]
) -> None:
    """By the server's clock; without others, never. At that moment the shards are taken."""
    alone = beat(database, ONE)
    beat(database, OTHER)
    age(ONE, 4.0)
    later = beat(database, OTHER)
    age(ONE, LEASE_S - 4.0)
    after = beat(database, OTHER)

    assert (alone.ends_in_s, len(alone.mine)) == (math.inf, SHARDS)
    assert LEASE_S - 5.0 < later.ends_in_s <= LEASE_S - 4.0
    assert (after.ends_in_s, len(after.mine)) == (math.inf, SHARDS)


def test_a_gateway_stopped_in_its_beat_holds_the_others_up_for_a_moment(database: Database) -> None:
    """It had the lock for ten seconds, as long as any statement may take: then the others' leases were over, too."""
    began, ended = threading.Event(), threading.Event()

    def stops(connection: Connection) -> None:
        leases.be_heard(connection, ONE, ())
        began.set()
        ended.wait(30)
        leases.be_heard(connection, ONE, ())

    def stopped() -> None:
        with suppress(RecordsUnavailable):
            database.write_now(stops)

    thread = threading.Thread(target=stopped)
    thread.start()
    try:
        wait_for(began.is_set, "the lock to be taken")
        began_s = time.monotonic()
        beat(database, OTHER)
        took_s = time.monotonic() - began_s
    finally:
        ended.set()
        thread.join()

    assert took_s < HEARD_S_MAX + 2.0


@pytest.mark.parametrize("seed", range(20))
@in_virtual_time
async def test_shards_are_taken_over_when_the_lease_ends_whenever_that_is(seed: int) -> None:
    """F70: the others looked every three seconds, so that a takeover took up to fifteen; two of them share the work."""
    chance, world = random.Random(seed), SharedWorld(seed, 3)
    for number in range(3):
        world.start(number)
        await asyncio.sleep(chance.uniform(0, 2))
    await asyncio.sleep(30 + chance.uniform(0, 2))
    (gone, *others) = [gateway.boot for gateway in world.gateways if gateway is not None]
    await world.kill(0)
    heard_at_s = world.board.heard_at_s[gone]
    await asyncio.sleep(heard_at_s + TAKEN_OVER_S_MAX - asyncio.get_running_loop().time())

    assert set(world.board.owners.values()) == set(others)
    for number in (1, 2):
        await world.kill(number)
