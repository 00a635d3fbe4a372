"""
Several gateways on one PostgreSQL, and one cloud whose own books are the judge: all of them processes or threads.

Owns: starting and stopping them, and what the cloud saw. Does not own: what is done to them.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from phantom_gateway.keyring import new_key
from reconciler.lease import shard_of
from tests.fake_ec2.endpoint import Endpoint
from tests.fake_ec2.faults import FaultPlan
from tests.fake_ec2.knobs import AWS, Knobs
from tests.fake_ec2.ledger import Cause, Heard, plain_uid
from tests.fake_ec2.serving import LoopThread, Served
from tests.fake_ec2.world import World
from tests.processes.calls import Client, Lost, Refusal
from tests.support.gateway import SECRET_ACCESS_KEY, Gateway
from tests.support.postgresql import PASSWORD, Cluster
from tests.support.records import POSTGRESQL, OnServer

IMAGE = "ami-00000000000000001"

QUICK = replace(AWS, pending_s=0.5, shutting_down_s=0.5)
"""A cloud whose machines run at once: for tests that look at gateways, not at how long a group takes to be whole."""

CLOUD = """
[clouds.hotel]
kind = "ec2"
endpoint_url = "{url}"
access_key_id = "AKIATESTTESTTESTTEST"
secret_access_key = "{secret}"
launch_batch_max = 2
"""


def cloud_at(url: str) -> str:
    """The section of a configuration that names the cloud at *url*."""
    return CLOUD.format(url=url, secret=SECRET_ACCESS_KEY)


class Replica(Gateway):
    """A gateway on a PostgreSQL database. *port_of_database* may be a pooler's; *more* is any gateway's."""

    def __init__(
        self,
        directory: Path,
        cluster: Cluster,
        database: str,
        *,
        cloud_url: str = "",
        port_of_database: int | None = None,
        **more: Any,
    ) -> None:
        super().__init__(directory, clouds=(), database=POSTGRESQL, **more)
        password = '{ env = "DATABASE_PASSWORD" }'
        self.records = OnServer(cluster, database, port=port_of_database, password=password)
        self._cloud = cloud_at(cloud_url) if cloud_url else ""

    def serves(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def place(self) -> str:
        """How the place of it, on record, ends: its lock file."""
        lock = (self.state / "lock").stat()
        return f":{lock.st_dev}:{lock.st_ino}"

    def unlimit(self) -> None:
        """Nothing; its next start is an ordinary one, whatever script it was made with."""
        self._module = ("phantom_gateway", "serve", "--config")

    def freeze(self) -> None:
        """Nothing; it is stopped in whatever it does, and answers nobody."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Nothing; it goes on as if no time had passed."""
        os.kill(self.pid, signal.SIGCONT)

    def _write_config(self) -> None:
        super()._write_config()
        with self.config.open("a", encoding="utf-8") as file:
            file.write(self._cloud)


class Books:
    """The cloud, and what it saw of its clients. Its methods may be called from any thread."""

    def __init__(self, thread: LoopThread, seed: int = 0, knobs: Knobs = AWS) -> None:
        self._thread = thread
        self.world = World(knobs, rng=Random(seed))
        self.plan = FaultPlan(rng=Random(seed + 1), clock=self.world.clock)
        self._served: Served = thread.serve(Endpoint(self.world, self.plan).application())
        self.url = self._served.url

    def close(self) -> None:
        """Nothing; it is gone."""
        self._thread.run(self._served.stop())

    def kill_one(self) -> None:
        """Nothing; the machine that lived longest is gone."""
        self._thread.call(lambda: self.world.kill(self.world.ledger.alive()[0]))

    def alive(self) -> list[str]:
        """Machines that live."""
        return self._thread.call(lambda: list(self.world.ledger.alive()))

    def tokens_alive(self) -> set[str]:
        """The tokens that machines that live were launched with."""
        ledger = self.world.ledger
        return self._thread.call(lambda: {born.token for born in ledger.entries if born.machine_id in ledger.alive()})

    def most_alive(self) -> int:
        """The most machines of any group that ever lived at once."""
        groups = self.report()["groups"].values()
        return max((group["max_alive"] for group in groups), default=0)

    def calls(self, action: str) -> int:
        """How many calls of *action* came."""
        return int(self.report()["calls"].get(action, 0))

    def heard(self, action: str) -> list[Heard]:
        """The calls of *action*, in the order of arrival."""
        return self._thread.call(lambda: self.world.ledger.calls_of(action))

    def changes_of(self, uid: str) -> list[float]:
        """When machines of the group *uid* were launched or terminated on request, by the cloud's clock."""
        asked = {Cause.LAUNCH, Cause.TERMINATE}
        entries = self._thread.call(lambda: list(self.world.ledger.entries))
        return [each.at for each in entries if each.group_uid == plain_uid(uid) and each.cause in asked]

    def report(self) -> Any:
        """All of it."""
        return self._thread.call(self.world.ledger.as_json)


class Fleet:
    """*count* gateways that share a database and a cloud; *more* is what each is made with."""

    def __init__(self, directory: Path, cluster: Cluster, count: int, *, knobs: Knobs = AWS, **more: Any) -> None:
        self.cluster = cluster
        self.database = cluster.make_database()
        self._thread = LoopThread()
        self._thread.__enter__()
        self.books = Books(self._thread, knobs=knobs)
        self.environ = {"PHANTOM_GATEWAY_KEYS": new_key().reveal(), "DATABASE_PASSWORD": PASSWORD}
        self.replicas = [
            Replica(
                directory / f"replica-{number}",
                cluster,
                self.database,
                cloud_url=self.books.url,
                **more,
            )
            for number in range(count)
        ]

    def start(self) -> None:
        """Nothing; all serve, and there is a launch configuration."""
        first, *others = self.replicas
        first.start(self.environ)  # by itself: it gives all of them their identity
        with ThreadPoolExecutor(len(self.replicas)) as at_once:
            for started in [at_once.submit(replica.start, self.environ) for replica in others]:
                started.result()
        Client(self.replicas[0].port).make_launch_configuration("web@hotel", IMAGE)

    def close(self) -> None:
        """Nothing; nothing is left of them."""
        for replica in self.replicas:
            replica.stop()
        self.books.close()
        self._thread.__exit__()
        self.cluster.drop_database(self.database)

    def told(self, replica: Replica, *words: str) -> str:
        """What ``phantom-gateway`` *words* prints for whoever sits at *replica*."""
        command = [sys.executable, "-m", "phantom_gateway", *words, "--config", str(replica.config)]
        environ = {**os.environ, **self.environ}
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=60).stdout

    def serving(self) -> list[Replica]:
        """Those that were started and not killed."""
        return [replica for replica in self.replicas if replica.serves()]

    def owners(self) -> dict[str, int]:
        """How many shards each gateway has, by its boot; those of gateways that are gone included."""
        statement = "select owner, count(*) from shards where owner is not null group by owner"
        return dict(self.cluster.run(statement, self.database))

    def owner_of(self, uid: str) -> Replica:
        """The gateway that the group *uid* belongs to."""
        owner = f"select place from gateways join shards on owner = boot where number = {shard_of(uid)}"
        ((place,),) = self.cluster.run(owner, self.database)
        return next(replica for replica in self.replicas if place.endswith(replica.place))

    def uid_of(self, name: str) -> str:
        """The uid of the group *name*."""
        return str(self.cluster.run(f"select uid from groups where name = '{name}'", self.database)[0][0])

    def is_shared_out(self, living: int) -> bool:
        """Whether *living* gateways have all shards between them, none much more than another."""
        boots = {row[0] for row in self.cluster.run("select boot from gateways", self.database)}
        owners = self.owners()
        return (
            len(boots) == living
            and owners.keys() == boots
            and sum(owners.values()) == 64
            and max(owners.values()) <= -(-64 // living)
        )


@contextmanager
def fleet(directory: Path, cluster: Cluster, count: int, **more: Any) -> Iterator[Fleet]:
    """A fleet that serves; nothing is left of it afterwards."""
    made = Fleet(directory, cluster, count, **more)
    try:
        made.start()
        yield made
    finally:
        made.close()


def answered(port: int, path: str) -> tuple[int, Any]:
    """Status and JSON of a GET."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def is_unavailable(client: Client) -> bool:
    """Whether a listing is answered with ServiceUnavailable."""
    try:
        client.group()
    except Refusal as refusal:
        return "ServiceUnavailable" in str(refusal)
    except Lost:
        return False
    return False
