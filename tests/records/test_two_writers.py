"""
A request at one gateway and an engine at another, about one group and one user, at the same time: nothing is lost.

Owns: the race itself, with a barrier before it, on PostgreSQL. SQLite has one writer.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from phantom_gateway.config import Limits
from phantom_gateway.operations.ceilings import Holdings
from phantom_gateway.records.ledger import SqlLedger
from phantom_gateway.records.session import Database, RecordsUnavailable
from protocol.errors import ApiError
from tests.phantom_gateway.office import NOW, Office
from tests.support.postgresql import Cluster

ROUNDS = 12
VMS_MAX = 6


@pytest.fixture
def office(cluster: Cluster, postgresql: str, tmp_path: Path) -> Iterator[Office]:
    """A gateway with two groups of a user who may have six VMs; it remembers no holdings, as one of several."""
    made = Office(tmp_path, Limits(vms_per_user_max=VMS_MAX), url=cluster.url(postgresql))
    object.__setattr__(made.house, "holdings", Holdings(timedelta()))
    made.create_launch_configuration()
    for name in ("one", "two"):
        made.create_group(name, MinSize=0, MaxSize=9, DesiredCapacity=0)
    yield made
    made.close()


@pytest.fixture
def owner(office: Office) -> Iterator[SqlLedger]:
    """The ledger of another gateway, which works on the groups."""
    database = Database(office.database.url)
    yield SqlLedger(database, office.keyring, office.house.new_id, Limits(vms_per_user_max=VMS_MAX))
    database.close()


def at_once(*jobs: Callable[[], bool]) -> list[bool]:
    """What each says, all begun at the same moment."""
    barrier, said = threading.Barrier(len(jobs)), [False] * len(jobs)

    def run(number: int) -> None:
        barrier.wait()
        said[number] = jobs[number]()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said


def scaled(ledger: SqlLedger, office: Office, name: str, generation: int, desired: int) -> bool:
    """Whether the engine's wish was written."""
    return asyncio.run(ledger.scale(office.uid(name), generation, desired, "because", NOW))


def resized(office: Office, name: str, desired: int) -> bool:
    """Whether the request was accepted."""
    try:
        office.call("SetDesiredCapacity", AutoScalingGroupName=name, DesiredCapacity=desired)
    except ApiError as error:
        if error.code != "LimitExceeded":
            raise
        return False
    return True


def test_what_a_user_asks_for_outlives_an_engines_older_wish(office: Office, owner: SqlLedger) -> None:
    """F77: whichever comes first, the request's capacity stands in the end, and every change has its generation."""
    for number in range(ROUNDS):
        wanted = 1 + number % 2 * 2
        before = office.record("one").group.generation
        by_engine, by_user = at_once(
            lambda generation=before: scaled(owner, office, "one", generation, 2),  # type: ignore[misc]
            lambda wanted=wanted: resized(office, "one", wanted),  # type: ignore[misc]
        )
        group = office.record("one").group

        assert by_user
        assert group.desired == wanted
        assert group.generation == before + 1 + by_engine


def test_a_ceiling_holds_over_gateways(office: Office, owner: SqlLedger) -> None:
    """What a user's groups want together was counted twice, by an engine and a request that saw each other too late."""
    for _ in range(ROUNDS):
        for name in ("one", "two"):
            resized(office, name, 0)
        generation = office.record("one").group.generation
        said = at_once(
            lambda generation=generation: scaled(owner, office, "one", generation, 4),  # type: ignore[misc]
            lambda: resized(office, "two", 4),
        )
        wanted = [office.record(name).group.desired for name in ("one", "two")]

        assert sum(wanted) <= VMS_MAX, said
        assert said.count(True) == 1


async def test_nothing_is_claimed_on_the_word_of_a_server_that_lost_claims(office: Office, owner: SqlLedger) -> None:
    """F61: the resize survived and its claims did not: launching them anew would make twice as many machines."""
    resized(office, "one", 2)
    record = await owner.read(office.uid("one"))
    assert record is not None
    group = record.group
    await owner.claim(group.uid, group.generation, "hotel", [("t-1", 0)], ["because"], 0, NOW)
    for table in ("instances", "audit"):
        office.database.write_now(lambda connection, table=table: connection.execute(sa.text(f"delete from {table}")))  # type: ignore[misc]

    with pytest.raises(RecordsUnavailable, match="lost what it had committed"):
        await owner.claim(group.uid, group.generation, "hotel", [("t-2", 0)], ["because"], 0, NOW)
    again = await owner.read(group.uid)
    assert again is not None
    assert again.instances == ()
