"""
A request of the JSON API that comes again under its ``Idempotency-Key``: answered as before, and done once.

Owns: the header. Does not own: the AWS door's ways of knowing a request again (``tests/phantom_gateway/test_repeats``).
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from phantom_gateway.records import answers, audit
from phantom_gateway.records.session import Database
from phantom_gateway.records.tables import answers as answers_table
from phantom_gateway.tokens import Scope
from tests.phantom_gateway.http_api.counter import Counter, Reply

CHEF = {
    "id": "main",
    "server_url": "https://chef.example.org",
    "client_name": "alice",
    "validation_client_name": "validator",
    "client_key": "-----BEGIN CANARY-client-7f3a",
    "validator_key": "-----BEGIN CANARY-validator-7f3a",
}


async def post(counter: Counter, name: str, key: str = "k-1", **more: Any) -> Reply:
    """The answer to making the domain *name*."""
    body = {"name": name, "de_name": "multicloud", "lc_name": "web", "vm_count": 2, **more}
    return await counter.call("POST", "/domains", body, headers={"Idempotency-Key": key})


def done(counter: Counter, action: str = "POST /domains") -> int:
    """How often that was really done."""
    rows = counter.office.database.read_now(audit.rows)
    return sum(row.entry.action == action for row in rows)


@pytest.fixture
async def ready(counter: Counter) -> Counter:
    """A counter of somebody with a launch configuration."""
    counter.office.create_launch_configuration()
    return counter


async def test_it_is_done_once_and_answered_as_before(ready: Counter) -> None:
    """Status, body, Location and request id are those of the first time, whatever has changed since."""
    first = await post(ready, "web")
    await ready.call("DELETE", f"/domains/{first.json['id']}")
    ready.office.later(14 * 60)
    again = await post(ready, "web")

    assert first.status == again.status == 201
    assert first.text == again.text
    for header in ("X-Request-Id", "Location"):
        assert first.headers[header] == again.headers[header]
    assert ("Idempotent-Replayed" in first.headers, again.headers["Idempotent-Replayed"]) == (False, "true")
    assert done(ready) == 1


async def test_another_request_under_the_same_key_is_refused(ready: Counter) -> None:
    """With 422, and nothing is done; how the answer is to be written is not what is asked for."""
    await post(ready, "web")
    other = await post(ready, "web", vm_count=3)
    elsewhere = await ready.call("DELETE", "/domains/web", headers={"Idempotency-Key": "k-1"})
    pretty = await ready.call(
        "POST",
        "/domains?pretty=true",
        {"name": "web", "de_name": "multicloud", "lc_name": "web", "vm_count": 2},
        headers={"Idempotency-Key": "k-1"},
    )

    assert (other.status, other.json["error"]) == (422, "IdempotencyKeyReused")
    assert elsewhere.status == 422
    assert pretty.status == 201
    assert done(ready) == 1
    assert ready.office.group("web")["DesiredCapacity"] == 2


async def test_a_key_is_its_users(ready: Counter) -> None:
    """Another user may name a request of his the same."""
    bob = ready.office.add_user("bob", "AKIABOBBOBBOBBOBBOB1", "222222222222")
    await post(ready, "web")
    bobs = await ready.call(
        "PUT",
        "/credentials/chef/main",
        CHEF,
        authorization=ready.basic(bob),
        headers={"Idempotency-Key": "k-1"},
    )

    assert bobs.status in {200, 404}, bobs.text
    assert "Idempotent-Replayed" not in bobs.headers


async def test_a_key_ends_with_the_quarter_of_an_hour(ready: Counter) -> None:
    """Then it is a request of its own."""
    await post(ready, "web")
    ready.office.later(answers.KEPT.total_seconds() + 1)
    later = await post(ready, "other")

    assert (later.status, done(ready)) == (201, 2)


async def test_a_failure_is_not_kept(ready: Counter) -> None:
    """Nothing was done, and what was wrong may be right now."""
    refused = await post(ready, "web", lc_name="none")
    taken = await post(ready, "web")

    assert refused.status in {400, 404}
    assert taken.status == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\u00e9"])
async def test_a_name_that_is_none_is_refused(ready: Counter, key: str) -> None:
    """With the rule that it breaks."""
    reply = await post(ready, "web", key)

    assert reply.status == 400
    assert "Idempotency-Key" in reply.json["message"]
    assert done(ready) == 0


async def test_a_reading_request_takes_no_notice(ready: Counter) -> None:
    """It is answered anew."""
    before = await ready.call("GET", "/domains", headers={"Idempotency-Key": "k-1"})
    await post(ready, "web", "k-2")
    after = await ready.call("GET", "/domains", headers={"Idempotency-Key": "k-1"})

    assert (len(before.json), len(after.json)) == (0, 1)


async def test_a_secret_in_an_answer_is_kept_sealed(ready: Counter) -> None:
    """An answer that shows it is repeated word for word, and no one reads it in the database."""
    token = ready.token(None, Scope.REVEAL)
    shown = [
        await ready.call(
            "POST",
            "/credentials/chef?reveal=true",
            CHEF,
            authorization=ready.basic(token=token),
            headers={"Idempotency-Key": "k-1"},
        )
        for _ in range(2)
    ]
    rows = ready.office.database.read_now(lambda connection: connection.execute(answers_table.select()).all())

    assert [each.status for each in shown] == [201, 201], shown[0].text
    assert shown[0].text == shown[1].text
    assert len(rows) == 1
    assert "CANARY" not in repr(rows)


@pytest.fixture
async def neighbour(ready: Counter) -> AsyncIterator[Counter]:
    """Another gateway on the same database; a server's, for a file serves one."""
    office = ready.office
    if not office.database.is_shared:
        pytest.skip("one gateway has a file for itself")
    own, office.database = office.database, Database(office.database.url)
    made = Counter(office)
    second, office.database = office.database, own
    await made.open()
    yield made
    await made.close()
    second.close()


@pytest.mark.parametrize("round_number", range(3))
async def test_two_at_the_same_time_at_two_gateways_are_one(
    ready: Counter, neighbour: Counter, round_number: int
) -> None:
    """The second waits for the first, and hears its answer."""
    heard = await asyncio.gather(*(post(door, "web", f"k-{round_number}") for door in (ready, neighbour) * 5))

    assert {reply.status for reply in heard} == {201}
    assert len({reply.text for reply in heard}) == len({reply.headers["X-Request-Id"] for reply in heard}) == 1
    assert done(ready) == 1


def test_the_document_tells_of_it(ready: Counter) -> None:
    """Every endpoint that records its answers says so in OpenAPI, and no other."""
    from phantom_gateway.operations.http_api.openapi import document

    told = {
        operation["operationId"]
        for path in document()["paths"].values()
        for operation in path.values()
        if any(parameter["name"] == "idempotency-key" for parameter in operation["parameters"])
    }

    assert "post_domains" in told
    assert "422" in json.dumps(document()["paths"]["/domains"]["post"]["responses"])
    assert not told & {"post_token", "get_domains", "post_sites_site_id_sshkeys"}
