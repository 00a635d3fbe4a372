"""
Gateways on a PostgreSQL of two servers that fails over by itself: Patroni, etcd, synchronous replication (F59, G-R13).

The last word is the surviving server's, and the cloud's own books.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import figures
from tests.processes.calls import Client
from tests.processes.sharing import Fleet, fleet
from tests.processes.writing import Writer, ok
from tests.support import patroni
from tests.support.waiting import wait_for

FAIL_OVERS = int(os.environ.get("PHANTOM_FAIL_OVERS", "1"))
"""More in ``make failover``: each takes the better part of a minute."""

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180 + 120 * FAIL_OVERS)]

GAP_S_MAX = 60.0
"""G-R13: from the death of the primary until a change is accepted again; Patroni waits for 20 of them."""


@pytest.fixture
def pair() -> Iterator[patroni.Pair]:
    """Two servers, one of which takes over when the other dies."""
    if missing := patroni.missing():
        pytest.skip(f"not installed: apt-get install {' '.join(missing)}")
    made = patroni.Pair()
    try:
        made.create()
        yield made
    finally:
        made.remove()


@pytest.fixture
def two(pair: patroni.Pair, tmp_path: Path) -> Iterator[Fleet]:
    """Two gateways with a group of two."""
    with fleet(tmp_path, pair, 2) as made:
        client = Client(made.replicas[0].port)
        client.make_group("web@hotel", 2, ["hotel"])
        wait_for(client.settled, "two instances")
        yield made


def test_a_fail_over_loses_no_acknowledged_write(two: Fleet, pair: patroni.Pair) -> None:
    """F59: the primary dies under load, the other takes over: what was answered is there, and the fleet goes on."""
    ports = [replica.port for replica in two.replicas]
    client = Client(ports[0])
    acknowledged, gaps_s = 0, []
    for round_number in range(FAIL_OVERS):
        wait_for(pair.is_synchronous, "both servers to have everything", 60, poll_s=0.25)
        writers = [Writer(port, 2 * round_number + number) for number, port in enumerate(ports)]
        for writer in writers:
            writer.start()
        wait_for(lambda ws=writers: all(len(writer.told) > 20 for writer in ws), "every writer to be answered")  # type: ignore[misc]
        size = 4 - round_number % 2

        dead = pair.primary()
        dead.kill()
        began_s = time.monotonic()
        wait_for(lambda s=size: ok(lambda: client.resize(s)), "a change to be accepted", GAP_S_MAX)  # type: ignore[misc]
        gaps_s.append(time.monotonic() - began_s)
        wait_for(lambda s=size: (g := client.group()) is not None and g.settled and g.in_service == s, "the group", 40)  # type: ignore[misc]
        for writer in writers:
            writer.ended.set()
        for writer in writers:
            writer.join()
        told = {name for writer in writers for name in writer.told}
        kept = {row[0] for row in pair.run("select name from launch_specs", two.database)}
        assert not told - kept
        acknowledged += len(told)
        pair.run("delete from launch_specs where name like 'lc-%'", two.database)
        dead.replace()

    figures.note("fail-overs of PostgreSQL", count=FAIL_OVERS, acknowledged=acknowledged, longest_gap_s=max(gaps_s))
    assert pair.run("select count(*) from freezes", two.database) == [(0,)]
    assert two.books.most_alive() <= 4
    assert max(two.books.report()["births_by_token"].values()) <= 2  # two to a call
    for replica in two.replicas:
        assert "rails.breach" not in replica.log.read_text()
