"""
A rolling upgrade: gateways of this version on a database that the next one has changed already (F75).

Owns: real gateways, and a schema with what later versions may add: columns, tables, a revision that nobody here knows.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.calls import Client
from tests.processes.sharing import Fleet, Replica, fleet
from tests.support.postgresql import Cluster
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.processes, pytest.mark.timeout(240)]

NEXT_VERSION = """
alter table groups add column later text;
alter table instances add column later integer not null default 7;
alter table launch_specs add column later text;
alter table activities add column later text;
alter table events add column later text;
alter table answers add column later text;
alter table audit add column later text;
alter table shards add column later integer not null default 0;
create table later (id integer primary key, uid text references groups (uid) on delete cascade);
create index ix_groups_later on groups (later);
update alembic_version set version_num = '9999';
"""


@pytest.fixture
def two(cluster: Cluster, tmp_path: Path) -> Iterator[Fleet]:
    """Two gateways with a group of two."""
    with fleet(tmp_path, cluster, 2) as made:
        client = Client(made.replicas[0].port)
        client.make_group("web@hotel", 2, ["hotel"])
        wait_for(client.settled, "two instances")
        wait_for(lambda: made.is_shared_out(2), "the shards to be shared out", 30)
        yield made


def test_gateways_of_this_version_run_on_the_next_ones_schema(two: Fleet, tmp_path: Path) -> None:
    """F75: they launch, terminate, take over and answer; one that would start on it says that it is too old."""
    two.cluster.run(NEXT_VERSION, two.database)
    first, second = (Client(replica.port) for replica in two.replicas)
    second.resize(4)
    wait_for(first.settled, "four instances")
    first.make_launch_configuration("api@hotel", "ami-00000000000000001")
    second.make_group("api@hotel", 1, ["hotel"], "api")
    wait_for(lambda: second.settled("api"), "another group")
    late = Replica(tmp_path / "late", two.cluster, two.database, cloud_url=two.books.url)
    with pytest.raises(AssertionError, match="did not start"):
        late.start(two.environ)
    code, said = late._reap(), late.log.read_text()
    two.replicas[0].kill()
    second.resize(1)
    wait_for(lambda: two.is_shared_out(1), "a takeover", 30)
    wait_for(second.settled, "one instance")
    second.delete("api")
    wait_for(lambda: len(two.books.alive()) == 1, "the other group's machine to be gone")

    assert code == 2
    assert "changed by a newer version" in said
    assert two.books.most_alive() == 4
    log = two.replicas[1].log.read_text()
    for event in ("pass.failed", "request.failed", "rails.breach", "records_unavailable"):
        assert event not in log
