"""
A request that comes again: it is answered as before, and nothing is done twice.

Owns: whole requests through the AWS door, with a clock of the test's own. Does not own: signatures as such.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from phantom_gateway import access_keys
from phantom_gateway.config import Config
from phantom_gateway.front.callers import Callers
from phantom_gateway.front.query import QueryDoor
from phantom_gateway.metrics import Meter
from phantom_gateway.records import answers, audit, users
from phantom_gateway.records.session import Database
from phantom_gateway.records.tables import answers as answers_table
from phantom_gateway.records.tables import audit as audit_table
from phantom_gateway.secret import Secret
from protocol.wire import Request
from tests.phantom_gateway.office import NOW, SECRET, Office
from tests.protocol import signing
from tests.protocol.signing import presigned_v4, signed_v2, signed_v4

ALICE: dict[str, Any] = {"key": "AKIAALICEALICEALICE1", "secret": SECRET}
USER_DATA = "Y2FuYXJ5LTdmM2E="
KEPT_S = answers.KEPT.total_seconds()


@dataclass
class Desk:
    """The door of an office, on a real socket."""

    office: Office
    session: ClientSession
    port: int

    def signed(
        self,
        action: str,
        invocation: str | None = None,
        at_s: float = 0.0,
        signer: dict[str, Any] = ALICE,
        **params: Any,
    ) -> Request:
        """A request signed so many seconds after the beginning; the id of the call is not signed, as botocore does."""
        given = {"Action": action, "Version": "2011-01-01"} | {name: str(value) for name, value in params.items()}
        host = f"127.0.0.1:{self.port}"
        made = signed_v4(given, host=host, at=NOW + timedelta(seconds=at_s), **signer)
        extra = () if invocation is None else (("amz-sdk-invocation-id", invocation),)
        return replace(made, headers=made.headers + extra)

    async def send(self, request: Request) -> tuple[int, str, str]:
        """(status, request id, document) of the answer."""
        url = f"http://127.0.0.1:{self.port}{request.path}" + (f"?{request.query}" if request.query else "")
        headers = [(name, value) for name, value in request.headers if name != "content-length"]
        async with self.session.request(request.method, url, headers=headers, data=request.body) as response:
            return response.status, response.headers["x-amzn-RequestId"], await response.text()

    @property
    def desired(self) -> int:
        """What the group wants."""
        return int(self.office.group()["DesiredCapacity"])

    def audited(self, action: str) -> list[audit.Entry]:
        """What is on record of *action*, the oldest first."""
        rows = self.office.database.read_now(audit.rows)
        return [row.entry for row in reversed(rows) if row.entry.action == action]


@asynccontextmanager
async def door_of(office: Office, database: Database) -> AsyncIterator[Desk]:
    """A gateway's AWS door on the *database* of the office."""
    ports: list[int] = []
    door = QueryDoor(
        meter=Meter(),
        database=database,
        house=office.house,
        callers=Callers(database, office.keyring),
        wake=lambda _uid: None,
        now=lambda: office.now,
        ports=ports,
        body_bytes_max=1 << 20,
    )
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", door.__call__)
    async with TestServer(app) as server, ClientSession(auto_decompress=False) as session:
        assert server.port is not None
        ports.append(server.port)
        yield Desk(office, session, server.port)


@pytest.fixture
async def desk(office: Office) -> AsyncIterator[Desk]:
    """A door behind which a group wants two, on each kind of database."""
    office.create_launch_configuration()
    office.create_group(MaxSize=9)
    async with door_of(office, office.database) as made:
        yield made


@pytest.fixture
async def neighbour(desk: Desk) -> AsyncIterator[Desk]:
    """Another gateway on the same database; a server's, for a file serves one."""
    if not desk.office.database.is_shared:
        pytest.skip("one gateway has a file for itself")
    database = Database(desk.office.database.url)
    async with door_of(desk.office, database) as made:
        yield made
    database.close()


def resize(desk: Desk, wanted: int, **more: Any) -> Request:
    """SetDesiredCapacity."""
    return desk.signed("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=wanted, **more)


async def test_the_same_bytes_are_done_once(desk: Desk) -> None:
    """Whoever captured a request can only hear its answer again (F49, F50); another change stays."""
    first = resize(desk, 3)
    heard = await desk.send(first)
    await desk.send(resize(desk, 5))
    desk.office.later(14 * 60)
    again = await desk.send(first)

    assert heard == again
    assert (heard[0], desk.desired) == (200, 5)
    assert [entry.detail for entry in desk.audited("SetDesiredCapacity")] == ["DesiredCapacity=3", "DesiredCapacity=5"]


async def test_a_captured_request_is_stale_after_a_quarter_of_an_hour(desk: Desk) -> None:
    """Its signature is refused then, so nothing need be kept longer (F50)."""
    first = resize(desk, 3)
    await desk.send(first)
    desk.office.later(16 * 60)
    status, _, document = await desk.send(first)

    assert status == 403
    assert "Signature expired" in document


async def test_a_later_attempt_of_a_call_is_the_same_call(desk: Desk) -> None:
    """It is signed anew, and carries the id of its call: the slow success is heard, not AlreadyExists (F48)."""
    params: dict[str, Any] = {"LaunchConfigurationName": "new@hotel", "ImageId": "hello", "InstanceType": "m1.small"}
    first = await desk.send(desk.signed("CreateLaunchConfiguration", "call-1", **params))
    desk.office.later(5)
    again = await desk.send(desk.signed("CreateLaunchConfiguration", "call-1", at_s=5, **params))
    desk.office.later(5)
    other = await desk.send(desk.signed("CreateLaunchConfiguration", "call-2", at_s=10, **params))

    assert first == again
    assert (first[0], other[0]) == (200, 400)
    assert "AlreadyExists" in other[2]


async def test_an_attempt_with_the_users_other_key_is_the_same_call(desk: Desk, tmp_path: Path) -> None:
    """An SDK that reads its credentials anew between two attempts may find another key of the same user there."""
    office, config = desk.office, Config(source=None, state_directory=tmp_path)
    key, secret = office.database.write_now(
        lambda connection: access_keys.add(connection, office.keyring, config, office.user, office.now)
    )
    other = {"key": key, "secret": secret.reveal()}
    first = await desk.send(resize(desk, 3, invocation="call-1"))
    await desk.send(resize(desk, 5, invocation="call-2"))
    again = await desk.send(resize(desk, 3, invocation="call-1", signer=other))
    stranger = office.add_user("bob", "AKIABOBBOBBOBBOBBOB1", "222222222222")
    bobs = {"key": stranger.access_key_id, "secret": SECRET}
    status, _, document = await desk.send(resize(desk, 3, invocation="call-1", signer=bobs))

    assert again == first
    assert desk.desired == 5
    assert (status, "not found" in document) == (400, True)
    assert [entry.key for entry in desk.audited("SetDesiredCapacity")] == [ALICE["key"], ALICE["key"]]


async def test_two_calls_within_a_second_are_two(desk: Desk) -> None:
    """They have the same signature when they ask the same, and different ids: a capacity may go there and back."""
    for number, wanted in enumerate((3, 5, 3)):
        await desk.send(resize(desk, wanted, invocation=f"call-{number}"))

    assert desk.desired == 3


async def test_two_calls_without_ids_are_two_when_something_came_between(desk: Desk) -> None:
    """Old clients send none: 3, 5 and 3 within a second end at 3, though the first and last are the same bytes."""
    for wanted in (3, 5, 3):
        await desk.send(resize(desk, wanted))
    there_and_back = desk.desired
    first = resize(desk, 6)
    heard = await desk.send(first)

    assert there_and_back == 3
    assert await desk.send(first) == heard
    assert len(desk.audited("SetDesiredCapacity")) == 4


async def test_the_id_of_a_call_is_good_for_what_it_asked(desk: Desk) -> None:
    """Another body under the same id is another request."""
    await desk.send(resize(desk, 3, invocation="call-1"))
    await desk.send(resize(desk, 4, invocation="call-1"))

    assert desk.desired == 4


async def test_an_answer_belongs_to_a_key(desk: Desk) -> None:
    """Another user with the same id and the same words is answered for himself."""
    desk.office.add_user("bob", "AKIABOBBOBBOBBOBBOB1", "222222222222")
    params: dict[str, Any] = {"LaunchConfigurationName": "new@hotel", "ImageId": "hello", "InstanceType": "m1.small"}
    alices = desk.signed("CreateLaunchConfiguration", "call-1", **params)
    given = {"Action": "CreateLaunchConfiguration", "Version": "2011-01-01", **params}
    bobs = signed_v4(given, host=f"127.0.0.1:{desk.port}", at=NOW, key="AKIABOBBOBBOBBOBBOB1", secret=SECRET)
    first = await desk.send(alices)
    second = await desk.send(replace(bobs, headers=(*bobs.headers, ("amz-sdk-invocation-id", "call-1"))))

    assert (first[0], second[0]) == (200, 200)
    assert first[1] != second[1]
    assert [entry.who for entry in desk.audited("CreateLaunchConfiguration")] == ["alice", "bob"]


async def test_attempts_at_the_same_time_are_one(desk: Desk) -> None:
    """Ten at once: one acts, and all hear its answer."""
    request = resize(desk, 7, invocation="call-1")
    heard = await asyncio.gather(*(desk.send(request) for _ in range(10)))

    assert len(set(heard)) == 1
    assert len(desk.audited("SetDesiredCapacity")) == 1


@pytest.mark.parametrize("round_number", range(3))
async def test_attempts_at_the_same_time_at_two_gateways_are_one(
    desk: Desk, neighbour: Desk, round_number: int
) -> None:
    """A load balancer sent a retry elsewhere while the first was under way: the loser of the race hears its answer."""
    params: dict[str, Any] = {"LaunchConfigurationName": "new@hotel", "ImageId": "hello", "InstanceType": "m1.small"}
    invocation = f"call-{round_number}"
    requests = [
        (door, door.signed("CreateLaunchConfiguration", invocation, **params)) for door in (desk, neighbour) * 5
    ]
    heard = await asyncio.gather(*(door.send(request) for door, request in requests))

    assert {status for status, _, _ in heard} == {200}
    assert len(set(heard)) == 1
    assert len(desk.audited("CreateLaunchConfiguration")) == 1


async def test_a_refusal_is_not_kept(desk: Desk) -> None:
    """What was wrong then may be right now, and nothing was done."""
    request = resize(desk, 9, invocation="call-1")
    desk.office.call("UpdateAutoScalingGroup", AutoScalingGroupName="web", MaxSize=4)
    refused = await desk.send(request)
    desk.office.call("UpdateAutoScalingGroup", AutoScalingGroupName="web", MaxSize=9)
    taken = await desk.send(request)

    assert (refused[0], taken[0], desk.desired) == (400, 200, 9)


async def test_a_reading_request_is_always_answered_anew(desk: Desk) -> None:
    """Its second answer shows what has changed."""
    request = desk.signed("DescribeAutoScalingGroups", "call-1")
    before = await desk.send(request)
    desk.office.call("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=3)
    after = await desk.send(request)

    assert "<DesiredCapacity>2<" in before[2]
    assert "<DesiredCapacity>3<" in after[2]


@pytest.mark.parametrize("scheme", ["presigned", "version 2"])
async def test_other_signatures_are_known_again_too(desk: Desk, scheme: str) -> None:
    """In the query, or of version 2."""
    given = {
        "Action": "SetDesiredCapacity",
        "Version": "2011-01-01",
        "AutoScalingGroupName": "web",
        "DesiredCapacity": "6",
    }
    host = f"127.0.0.1:{desk.port}"
    sealed = desk.office.keyring.encrypt(Secret(signing.SECRET))
    values = {"access_key_id": signing.KEY, "secret_sealed": sealed}
    desk.office.database.write_now(lambda connection: users.change(connection, desk.office.user.id, values))
    made = presigned_v4(given, host=host, at=NOW) if scheme == "presigned" else signed_v2(given, host=host, at=NOW)
    first, again = await desk.send(made), await desk.send(made)

    assert first == again
    assert (first[0], desk.desired, len(desk.audited("SetDesiredCapacity"))) == (200, 6, 1)


async def test_answers_are_forgotten(desk: Desk) -> None:
    """After the time for which a signature is good, and the oldest first when there are too many."""
    await desk.send(resize(desk, 3, invocation="call-1"))
    early = desk.office.database.write_now(lambda connection: answers.prune(connection, desk.office.now))
    desk.office.later(KEPT_S + 1)
    late = desk.office.database.write_now(lambda connection: answers.prune(connection, desk.office.now))

    assert (early, late) == (0, 1)


async def test_an_id_that_outlives_its_answer_is_a_new_call(desk: Desk) -> None:
    """Even when nobody has pruned the old answer yet."""
    await desk.send(resize(desk, 3, invocation="call-1"))
    desk.office.later(KEPT_S + 1)
    desk.office.call("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=4)
    await desk.send(resize(desk, 3, invocation="call-1", at_s=KEPT_S + 1))

    assert desk.desired == 3


def test_there_is_a_most_of_answers(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of changes fills no disk."""
    monkeypatch.setattr(answers, "ROWS_MAX", 5)

    def flood(connection: Any) -> int:
        for number in range(12):
            answers.add(connection, bytes([number]) * 16, 1, "r", "<a/>", office.now)
        return answers.prune(connection, office.now)

    dropped = office.database.write_now(flood)
    kept = office.database.read_now(lambda connection: answers.find(connection, bytes([11]) * 16, office.now))

    assert (dropped, kept) == (7, answers.Recorded("r", "<a/>"))


def on_disk(office: Office) -> bytes:
    """Every byte of the database's file, or every value of what a server keeps of requests."""
    if office.database.is_shared:
        tables = (answers_table, audit_table)
        rows = [office.database.read_now(lambda connection, t=t: connection.execute(t.select()).all()) for t in tables]  # type: ignore[misc]
        return repr(rows).encode()
    files = Path(office.database.url.removeprefix("sqlite:///")).parent.glob("office.db*")
    return b"".join(file.read_bytes() for file in files)


async def test_no_secret_is_kept(desk: Desk) -> None:
    """Neither user data nor a signature is in an answer or in the audit."""
    params: dict[str, Any] = {"LaunchConfigurationName": "new@hotel", "ImageId": "hello", "InstanceType": "m1.small"}
    request = desk.signed("CreateLaunchConfiguration", "call-1", UserData=USER_DATA, **params)
    status, _, _ = await desk.send(request)
    kept = on_disk(desk.office)
    (entry,) = desk.audited("CreateLaunchConfiguration")

    assert status == 200
    assert USER_DATA.encode() not in kept
    assert dict(request.headers)["authorization"].rpartition("=")[2].encode() not in kept
    assert (entry.target, entry.key, entry.address) == ("new@hotel", ALICE["key"], "127.0.0.1")


async def test_every_change_is_on_record(desk: Desk) -> None:
    """With the id that the client was told."""
    tags: dict[str, Any] = {
        "Tags.member.1.ResourceId": "web",
        "Tags.member.1.ResourceType": "auto-scaling-group",
        "Tags.member.1.Key": "secret",
        "Tags.member.1.Value": "canary-7f3a",
    }
    _, request_id, _ = await desk.send(desk.signed("CreateOrUpdateTags", **tags))
    (entry,) = desk.audited("CreateOrUpdateTags")

    assert (entry.who, entry.target, entry.request_id, entry.result) == ("alice", "web", request_id, "done")
    assert "canary" not in json.dumps([entry.detail, entry.target])
