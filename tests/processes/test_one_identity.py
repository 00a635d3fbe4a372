"""
Two gateways with one identity and two databases, started by mistake: neither touches what the other launched (F14).

Owns: real processes over one cloud, whose own books are the judge. Its clock is five minutes slow, so that every
machine looks old enough to be a leak as soon as it is there: nothing but the rule under test keeps it alive.
"""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from phantom_gateway.keyring import new_key
from tests.fake_ec2.serving import LoopThread
from tests.processes.calls import Client
from tests.processes.sharing import IMAGE, Books, Replica, cloud_at
from tests.processes.test_command_line import run
from tests.support.gateway import Gateway
from tests.support.postgresql import PASSWORD, Cluster
from tests.support.waiting import wait_for

pytestmark = pytest.mark.processes

OLD_S = 300.0
"""More than the age at which a machine that nobody claims is a leak."""


@pytest.fixture
def books() -> Iterator[Books]:
    """A cloud whose machines look old."""
    with LoopThread() as thread:
        made = Books(thread)
        made.world.clock = lambda: time.time() - OLD_S
        yield made
        made.close()


def gateway_on(books: Books, directory: Path) -> Gateway:
    """A gateway with records of its own."""
    return Gateway(directory, clouds=(), sections=cloud_at(books.url))


@pytest.fixture
def first(books: Books, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway with a group of two, at rest."""
    made = gateway_on(books, tmp_path / "first")
    made.start()
    try:
        Client(made.port).make_launch_configuration("web@hotel", IMAGE)
        Client(made.port).make_group("web@hotel", 2, ["hotel"])
        wait_for(Client(made.port).settled, "two instances")
        made.terminate()
        yield made
    finally:
        made.stop()


@pytest.fixture
def second(first: Gateway, books: Books, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway on a copy of the first one's state directory; both are at rest."""
    made = gateway_on(books, tmp_path / "second")
    shutil.copytree(first.state, made.state)
    made.records = first.records.copy(made.state)
    yield made
    made.stop()


def frozen(gateway: Gateway) -> str:
    """Why everything is frozen there; "" when it is not."""
    return "".join(str(row[0]) for row in gateway.records.rows("select reason from freezes"))


def looks(books: Books, count: int = 4) -> None:
    """Nothing, once the cloud was looked at so many times more."""
    before = books.calls("DescribeInstances")
    wait_for(lambda: books.calls("DescribeInstances") >= before + count, "more looks at the cloud")


def test_a_copy_of_the_records_starts_frozen(first: Gateway, second: Gateway, books: Books) -> None:
    """F14: the second gateway says so and does nothing, whatever is asked of it; the first one goes on as ever."""
    first.start()
    second.start()
    wait_for(lambda: frozen(second), "the second to be frozen")
    Client(second.port).resize(1)
    Client(first.port).resize(4)
    wait_for(Client(first.port).settled, "four instances")
    looks(books)

    assert "moved or copied" in frozen(second)
    assert frozen(first) == ""
    assert len(books.alive()) == 4
    assert books.calls("TerminateInstances") == 0


def test_gateways_that_cannot_tell_copy_from_original_stop_at_each_others_machines(
    first: Gateway, second: Gateway, books: Books
) -> None:
    """F14: a whole disk was cloned. Each freezes at the first machine that it never launched; none is terminated."""
    second.records.change("delete from gateway where name = 'home'")
    first.start()
    second.start()
    wait_for(lambda: first.is_ready() and second.is_ready(), "both to be ready")
    looks(books)
    both_ran = (frozen(first), frozen(second)) == ("", "")
    Client(first.port).resize(3)
    wait_for(lambda: frozen(second), "the second to be frozen")
    run("thaw", "--all", config=second.config)  # a person who does not know better
    Client(second.port).resize(4)
    wait_for(lambda: frozen(first), "the first to be frozen")
    looks(books)

    assert both_ran
    assert "never launched by these records" in frozen(first)
    assert books.calls("TerminateInstances") == 0
    assert len(books.alive()) == 3 + 2  # the second does not count the first one's third


def test_a_group_that_a_copy_deletes_takes_only_its_own_machines_along(
    first: Gateway, second: Gateway, books: Books
) -> None:
    """F14: of a group that is being deleted nothing would be spared; what the other launched is."""
    first.start()
    Client(first.port).resize(4)
    wait_for(Client(first.port).settled, "four instances")
    first.terminate()
    shared = len(books.alive()) - 2
    second.start()
    wait_for(lambda: "records.older_than_machines" in second.log.read_text(), "the second to have looked around")
    Client(second.port).delete()
    run("thaw", "--all", config=second.config)
    wait_for(lambda: len(books.alive()) == shared, "the copied instances to be gone")
    looks(books)

    assert len(books.alive()) == shared == 2


def test_what_db_copy_left_behind_starts_frozen(
    first: Gateway, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F14: somebody starts the old file again, while a gateway may run on the new database."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    database = cluster.make_database(empty=True)
    copied = run("db", "copy", "--to", cluster.url(database, with_password=False), config=first.config)
    first.start()
    laid = cluster.run("select count(*) from freezes", database)
    cluster.drop_database(database)

    assert copied.code == 0, copied.err
    assert laid == [(0,)]
    assert "were copied to postgresql" in frozen(first)


def test_a_database_that_was_copied_on_its_server_is_a_copy(books: Books, cluster: Cluster, tmp_path: Path) -> None:
    """F14: a gateway with the configuration of a test, and a dump of the real records, starts frozen."""
    environ = {"PHANTOM_GATEWAY_KEYS": new_key().reveal(), "DATABASE_PASSWORD": PASSWORD}
    original, copy = cluster.make_database(), "copied_by_mistake"
    first = Replica(tmp_path / "first", cluster, original, cloud_url=books.url)
    second = Replica(tmp_path / "second", cluster, copy, cloud_url=books.url)
    try:
        first.start(environ)
        Client(first.port).make_launch_configuration("web@hotel", IMAGE)
        Client(first.port).make_group("web@hotel", 2, ["hotel"])
        wait_for(Client(first.port).settled, "two instances")
        first.terminate()
        cluster.run(f"create database {copy} template {original}")
        first.start(environ)
        second.start(environ)
        frozen_there = wait_for(lambda: cluster.run("select reason from freezes", copy), "the second to be frozen")
        Client(second.port).resize(0)
        Client(first.port).resize(3)
        wait_for(Client(first.port).settled, "three instances")
        looks(books)
        frozen_here = cluster.run("select reason from freezes", original)
        serving = (first.serves(), second.serves())
    finally:
        first.stop()
        second.stop()
        cluster.drop_database(original)
        cluster.drop_database(copy)

    assert serving == (True, True), second.log.read_text()
    assert "moved or copied" in frozen_there[0][0]
    assert frozen_here == []
    assert len(books.alive()) == 3
    assert books.calls("TerminateInstances") == 0
