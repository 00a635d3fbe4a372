"""
A gateway on PostgreSQL whose server dies, refuses, fills up or is not there (F59, F60, F61, F63, I4, I8).

The last word is the database's, read beside the gateway, and the cloud's own books.
"""

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import figures
from tests.processes.calls import Client, Refusal
from tests.processes.sharing import Fleet, Replica, answered, fleet, is_unavailable
from tests.processes.writing import Writer, ok
from tests.support.gateway import Gateway
from tests.support.postgresql import PASSWORD, Cluster, binaries, free_port
from tests.support.records import SQLITE, OnServer
from tests.support.waiting import wait_for

pytestmark = pytest.mark.processes

KILLS = int(os.environ.get("PHANTOM_KILLS", "5"))
"""More in ``make failover``: each takes a second or two."""

WRITERS = 4
HEALED_S_MAX = 10.0
"""F59: so long may a restarted server be answered with 503."""


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    """A server of this module's own, which may be killed."""
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    made = Cluster()
    try:
        made.create()
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="module")
def alone(own_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One gateway, its cloud, and a launch configuration."""
    with fleet(tmp_path_factory.mktemp("postgresql"), own_cluster, 1) as made:
        yield made


@pytest.fixture
def client(alone: Fleet) -> Iterator[Client]:
    """A client; after the test the database works again, and there are no groups and no machines."""
    made = Client(alone.replicas[0].port)
    yield made
    wait_for(lambda: answered(made.port, "/readyz")[0] == 200, "the gateway to be ready")
    if made.group() is not None:
        made.delete()
    wait_for(lambda: made.group() is None and not alone.books.alive(), "the group and its machines to be gone")


@pytest.mark.timeout(60 + 10 * KILLS)
def test_a_server_killed_under_load_loses_no_acknowledged_write(alone: Fleet, own_cluster: Cluster) -> None:
    """F59: however often it dies, what was answered is there, refusals are 503, and the gateway goes on by itself."""
    port = alone.replicas[0].port
    chance = random.Random()
    told: list[str] = []
    refusals: set[str] = set()
    acknowledged, healed_s = 0, []
    for round_number in range(KILLS):
        writers = [Writer(port, round_number * WRITERS + number) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        wait_for(lambda ws=writers: all(writer.told for writer in ws), "every writer to be answered")  # type: ignore[misc]
        threading.Event().wait(chance.uniform(0, 0.2))
        own_cluster.kill()
        own_cluster.start()
        began_s = time.monotonic()
        wait_for(lambda: ok(Client(port).group), "the gateway to answer again", HEALED_S_MAX)
        healed_s.append(time.monotonic() - began_s)
        for writer in writers:
            writer.ended.set()
        for writer in writers:
            writer.join()
            told += writer.told
            refusals |= writer.refusals
        kept = {row[0] for row in own_cluster.run("select name from launch_specs", alone.database)}
        assert not set(told) - kept
        own_cluster.run("delete from launch_specs where name like 'lc-%'", alone.database)
        own_cluster.run("delete from launch_configurations where base_name like 'lc-%'", alone.database)
        acknowledged += len(told)
        told.clear()

    figures.note("kills of PostgreSQL", count=KILLS, acknowledged=acknowledged, longest_healing_s=max(healed_s))
    assert refusals <= {"ServiceUnavailable", "AlreadyExists"}
    assert "request.failed" not in alone.replicas[0].log.read_text()


def test_an_absent_server_is_told_as_such_and_nothing_is_done(
    alone: Fleet, own_cluster: Cluster, client: Client
) -> None:
    """F60: without a database 503 at every door, health stays, and the cloud is not told anything."""
    client.make_group("web@hotel", 2, ["hotel"])
    wait_for(client.settled, "two instances")
    before = (alone.books.calls("RunInstances"), alone.books.calls("TerminateInstances"))
    own_cluster.stop()
    alone.books.kill_one()
    wait_for(lambda: is_unavailable(client), "a listing to be refused")
    looks = alone.books.calls("DescribeInstances")
    wait_for(lambda: alone.books.calls("DescribeInstances") >= looks + 3, "three more looks at the cloud")
    statuses = [answered(client.port, path)[0] for path in ("/healthz", "/readyz", "/api/dev/sites")]
    during = (alone.books.calls("RunInstances"), alone.books.calls("TerminateInstances"))
    own_cluster.start()

    assert statuses[:2] == [200, 503]
    assert during == before
    wait_for(lambda: ok(client.group), "the gateway to answer again", HEALED_S_MAX)
    wait_for(client.settled, "the group to be as it was")


@pytest.mark.parametrize("trouble", ["read-only", "full"])
def test_a_database_that_takes_no_writes_is_read_from(
    alone: Fleet, own_cluster: Cluster, client: Client, trouble: str
) -> None:
    """F61, F63: writes are 503, listings are served, no machine comes or goes, and it heals by itself."""
    client.make_group("web@hotel", 2, ["hotel"])
    wait_for(client.settled, "two instances")
    before = (alone.books.calls("RunInstances"), alone.books.calls("TerminateInstances"))
    database = alone.database
    if trouble == "read-only":
        make = f"alter database {database} set default_transaction_read_only = on"
        mend = f"alter database {database} reset default_transaction_read_only"
    else:
        # What a full disk says, said by a trigger: the real thing needs a file system of its own.
        own_cluster.run(
            "create function full_disk() returns trigger language plpgsql as $$ begin "
            "raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$",
            database,
        )
        tables = ("groups", "launch_specs", "instances", "activities")
        make = "; ".join(
            f"create trigger full_{table} before insert or update or delete on {table} execute function full_disk()"
            for table in tables
        )
        mend = "; ".join(f"drop trigger full_{table} on {table}" for table in tables)
        mend += "; drop function full_disk"
    own_cluster.run(make, database)
    own_cluster.run(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database}'")
    try:
        wait_for(lambda: not ok(lambda: client.resize(3)), "a write to be refused")
        with pytest.raises(Refusal, match="ServiceUnavailable"):
            client.resize(4)
        group = client.group()
        looks = alone.books.calls("DescribeInstances")
        wait_for(lambda: alone.books.calls("DescribeInstances") >= looks + 3, "three more looks at the cloud")
        during = (alone.books.calls("RunInstances"), alone.books.calls("TerminateInstances"))
    finally:
        own_cluster.run(mend, "postgres" if trouble == "read-only" else database)
        own_cluster.run(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database}'")

    assert group is not None
    assert group.desired == 2
    assert len(group.instances) == 2
    assert during == before
    wait_for(lambda: ok(lambda: client.resize(3)), "a write to be accepted", HEALED_S_MAX)
    wait_for(client.settled, "three instances")


def test_a_gateway_whose_database_cannot_be_reached_says_so(alone: Fleet, tmp_path: Path) -> None:
    """It ends with the URL, what is wrong and what to do, and without the password."""
    lost = Replica(tmp_path, alone.cluster, "nowhere", cloud_url=alone.books.url, port_of_database=free_port())

    with pytest.raises(AssertionError, match="did not start"):
        lost.start(alone.environ)
    code = lost._reap()
    said = lost.log.read_text()

    assert code == 2
    assert "cannot be used" in said
    assert "[database]" in said
    assert "nowhere" in said
    assert "Traceback" not in said
    assert PASSWORD not in said


def test_a_gateway_moves_from_sqlite_to_postgresql(own_cluster: Cluster, tmp_path: Path) -> None:
    """Stopped, copied, started on the new database: the same keys, groups and VMs; and a second copy is refused."""
    database = own_cluster.make_database(empty=True)
    gateway = Gateway(tmp_path, clouds=("hotel",), database=SQLITE)
    gateway.start()
    try:
        Client(gateway.port).make_launch_configuration("web@hotel", "sleeper", "c2VjcmV0")
        Client(gateway.port).make_group("web@hotel", 1, ["hotel"])
        wait_for(Client(gateway.port).settled, "an instance")
        before = Client(gateway.port).group()
        url = own_cluster.url(database, with_password=False)
        command = [sys.executable, "-m", "phantom_gateway", "db", "copy", "--to", url, "--config", str(gateway.config)]
        environ = {**os.environ, "PGPASSWORD": PASSWORD}

        beside = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        gateway.terminate()
        copied = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        again = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        vms = gateway.vm_pids()
        gateway.records = OnServer(own_cluster, database)
        gateway.start()
        after = wait_for(Client(gateway.port).settled, "the instance to be there")
        lives_on = gateway.vm_pids()
    finally:
        gateway.stop()
        own_cluster.drop_database(database)

    assert (beside.returncode, copied.returncode, again.returncode) == (2, 0, 2)
    assert "in use by another gateway" in beside.stderr
    assert "launch_specs: 1 of 1" in copied.stdout
    assert "records in the target already" in again.stderr
    assert after == before
    assert lives_on == vms
