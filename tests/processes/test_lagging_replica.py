"""
A database that goes back under gateways that run: a replica took over that had lagged (F61).

Owns: a PostgreSQL server of its own, whose data is put back to what it was a moment ago. The gateways notice that what
they were told was committed is not there, freeze everything, and say so; the cloud's books show that nothing was done.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.calls import Client, Lost, Refusal
from tests.processes.sharing import Fleet, fleet
from tests.support.postgresql import Cluster, binaries
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.processes, pytest.mark.timeout(240)]


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    """A server that may be put back."""
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    made = Cluster()
    try:
        made.create()
        yield made
    finally:
        made.remove()


@pytest.fixture
def two(own_cluster: Cluster, tmp_path: Path) -> Iterator[Fleet]:
    """Two gateways with a group of two."""
    with fleet(tmp_path, own_cluster, 2) as made:
        client = Client(made.replicas[0].port)
        client.make_group("web@hotel", 2, ["hotel"])
        wait_for(client.settled, "two instances")
        yield made


def take_back_a_backup(two: Fleet) -> None:
    """Nothing; the group grew to four, and the database knows nothing of it."""
    server, client = two.cluster, Client(two.replicas[0].port)
    backup = server.directory / "backup"
    server.stop()
    shutil.copytree(server.data, backup)
    for file in (backup, *backup.rglob("*")):
        shutil.chown(file, server.data.owner(), server.data.group())
    server.start()
    wait_for(lambda: answers(client), "the gateways to go on", 20)
    client.resize(4)
    wait_for(client.settled, "four instances")
    server.kill()
    shutil.rmtree(server.data)
    backup.rename(server.data)
    server.start()


def lose_the_last_claims(two: Fleet) -> None:
    """Nothing; the group grew to four, which the database knows, and its claims and instances are not there."""
    server, client = two.cluster, Client(two.replicas[0].port)
    kept = server.run("select max(id) from instances", two.database)[0][0]
    audited = server.run("select max(id) from audit", two.database)[0][0]
    client.resize(4)
    wait_for(client.settled, "four instances")
    server.run(
        f"begin; delete from instances where id > {kept}; delete from audit where id > {audited}; "
        f"update groups set generation = generation + 1, version = version + 1; commit; "
        f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{two.database}' and "
        "pid <> pg_backend_pid()",
        two.database,
    )


def answers(client: Client) -> bool:
    """Whether a gateway can read its records."""
    try:
        return client.group() is not None
    except (Refusal, Lost, OSError):
        return False


@pytest.mark.parametrize("how", [take_back_a_backup, lose_the_last_claims])
def test_a_database_that_lags_behind_is_noticed(two: Fleet, how: object) -> None:
    """F61: all is frozen with the reason, and no machine comes or goes, whatever the old records want."""
    assert callable(how)
    how(two)
    before = {name: two.books.calls(name) for name in ("RunInstances", "TerminateInstances")}
    logs = [replica.log for replica in two.replicas]
    wait_for(lambda: any("records.gone_back" in log.read_text() for log in logs), "the loss to be noticed")
    wait_for(lambda: two.cluster.run("select reason from freezes", two.database), "everything to be frozen")
    looks = two.books.calls("DescribeInstances")
    wait_for(lambda: two.books.calls("DescribeInstances") >= looks + 6, "more looks at the cloud")
    (reason,) = two.cluster.run("select reason from freezes", two.database)

    assert "lost changes that it had committed" in reason[0]
    assert {name: two.books.calls(name) for name in before} == before
    assert len(two.books.alive()) == 4
    assert before["RunInstances"] <= 4
    assert answers(Client(two.replicas[1].port))
