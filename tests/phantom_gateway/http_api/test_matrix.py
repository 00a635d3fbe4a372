"""
Every endpoint of the table against everything that must not work: the right status, a JSON body, and nothing changed.

The cases are made from the table, so that a new endpoint is held to the same without anybody thinking of it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest

from phantom_gateway.operations.http_api import all_endpoints
from phantom_gateway.operations.http_api.schemas import Schema
from phantom_gateway.operations.http_api.table import ENDPOINTS, Endpoint
from phantom_gateway.records.tables import metadata
from phantom_gateway.records.users import User
from tests.phantom_gateway.http_api.counter import Counter, Reply
from tests.support.canary import planted

all_endpoints()

PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{planted('MIIE')}\n-----END RSA PRIVATE KEY-----\n"
CHEF = {
    "id": "alices chef",
    "server_url": "https://chef.example.org",
    "client_name": "alice",
    "client_key": PEM,
    "validator_key": PEM,
}
CREDENTIALS = {"id": "hotel", "access_key": "AKIAALICES", "secret_key": planted("/alices-own"), "key_name": "k"}
LAUNCH = {
    "name": "another",
    "cloud_params": {"hotel": {"image_id": "i", "instance_type": "t", "max_vms": -1, "common": True, "rank": 1}},
}
DOMAIN = {"name": "alices-domain", "de_name": "multicloud", "lc_name": "web", "vm_count": 1}
BODIES: Mapping[str, Mapping[str, Any]] = {
    "/token": {"username": "alice", "password": "x"},
    "/credentials/chef": {**CHEF, "id": "another"},
    "/credentials/chef/{chef_id}": CHEF,
    "/credentials/sites": CREDENTIALS,
    "/credentials/sites/{site_id}": CREDENTIALS,
    "/sites/credentials": CREDENTIALS,
    "/sites/credentials/{site_id}": CREDENTIALS,
    "/sites/{site_id}/sshkeys": {"name": "k", "key": "ssh-ed25519 AAAA"},
    "/launchconfigurations": LAUNCH,
    "/launchconfigurations/{id}": {**LAUNCH, "name": "web"},
    "/domains": {**DOMAIN, "name": "another"},
    "/domains/{domain_id}": DOMAIN,
}
"""A body that each path with one takes."""

SHARED = {"/sites/{site_id}", "/sites/{site_id}/sshkeys", "/sensors/{sensor_id}"}
"""Paths that name what belongs to nobody."""

UNKNOWN_STATUS = {"/token/{token}/{user_id}.json": 401}
"""What an unknown name is, where it is not 404."""

WRONG: tuple[Any, ...] = (7.5, "\x7f", ["\x7f"], {"\x7f": 7.5}, True, None)
"""Values of which at least one breaks any schema that is worth the name."""


class World:
    """What Alice has, and Bob, who has nothing."""

    def __init__(self, counter: Counter, bob: User, parts: Mapping[str, str]) -> None:
        self.counter = counter
        self.bob = bob
        self.parts = parts
        self.authorizations = {who.name: counter.basic(who) for who in (counter.office.user, bob)}

    def path(self, endpoint: Endpoint, **others: str) -> str:
        """The endpoint's path with Alice's names in it, or *others*."""
        names = {**self.parts, **others}
        return re.sub(r"\{(\w+)\}", lambda found: quote(names[found[1]]), endpoint.path)

    async def ask(self, endpoint: Endpoint, body: Any = ..., *, path: str = "", **more: Any) -> Reply:
        """The reply to what would work, but for what is said otherwise."""
        sent = BODIES.get(endpoint.path) if endpoint.body is not None and body is ... else body
        return await self.counter.call(
            more.pop("method", endpoint.method), path or self.path(endpoint), None if sent is ... else sent, **more
        )

    def dump(self) -> str:
        """All that is in the database."""
        return self.counter.office.database.read_now(
            lambda connection: "\n".join(
                repr(row) for table in metadata.sorted_tables for row in connection.execute(table.select()).all()
            )
        )


async def make_world(counter: Counter) -> World:
    """Alice has one of everything, made through whichever door makes it."""
    office = counter.office
    office.create_launch_configuration()
    office.create_group("alices-domain", Tags=[{"Key": "PHANTOM_DEFINITION", "Value": "error_overflow_n_preserving"}])
    await office.fill_now("alices-domain")
    for path, body in (("/credentials/chef", CHEF), ("/credentials/sites", CREDENTIALS)):
        assert (await counter.call("POST", path, body)).status == 201
    parts = {
        "site_id": "hotel",
        "chef_id": "alices chef",
        "sensor_id": "proc.loadavg.1min",
        "token": counter.token(),
        "user_id": str(office.user.id),
        "domain_id": office.uid("alices-domain"),
    }
    for name, path in (("id", "/launchconfigurations"), ("instance_id", f"/domains/{parts['domain_id']}/instances")):
        reply = await counter.call("GET", path)
        if reply.status == 200:
            parts[name] = reply.json[0]["id"]
    return World(counter, office.add_user("bob", "AKIABOBBOBBOBBOBBOB1", "222222222222"), parts)


@pytest.fixture
async def world(counter: Counter) -> World:
    """One world for each test."""
    return await make_world(counter)


def every(*, closed: bool = False, body: bool = False, named: bool = False, ending: bool = False) -> list[Any]:
    """
    The endpoints that are *closed* to strangers, take a *body*, or have a *named* part in their path.

    *ending* leaves out those whose answer has no end: their own tests read them.
    """
    return [
        pytest.param(each, id=each.id)
        for each in ENDPOINTS
        if not (ending and each.streams)
        if not (closed and each.open) and not (body and each.body is None) and not (named and not each.names)
    ]


@pytest.mark.parametrize("endpoint", every(ending=True))
async def test_what_should_work_works(world: World, endpoint: Endpoint) -> None:
    """The requests of which the others are variants are good ones: so it is the variation that is refused."""
    reply = await world.ask(endpoint)

    refused_for_reasons = {"/token": 401, "/sites/{site_id}/sshkeys": 400, "/launchconfigurations/{id}": 409}
    assert reply.status < 400 or reply.status == refused_for_reasons.get(endpoint.path), reply.text


@pytest.mark.parametrize("endpoint", every(closed=True))
async def test_strangers_are_refused(world: World, endpoint: Endpoint) -> None:
    """F86: no token, a wrong one, and another user's: 403 in the original's words, and nothing has changed."""
    before = world.dump()
    bobs_token = world.counter.token(world.bob)
    before = world.dump()
    alice = world.counter.office.user

    for authorization in ("", world.counter.basic(alice, "wrong"), world.counter.basic(alice, bobs_token)):
        reply = await world.ask(endpoint, authorization=authorization)

        assert (reply.status, reply.json) == (403, {"error": "Forbidden", "message": "Authorization Required"})
    assert world.dump() == before


@pytest.mark.parametrize("endpoint", every(closed=True, ending=True))
async def test_another_user_finds_nothing_of_alices(world: World, endpoint: Endpoint) -> None:
    """F89: with his own token, Bob reads none of her names, and what she has is not there for him."""
    before = world.dump()
    is_new = endpoint.method == "POST" and not endpoint.names

    if not is_new:
        reply = await world.ask(endpoint, user=world.bob)

        if endpoint.names and endpoint.path not in SHARED:
            assert (reply.status, reply.json["error"]) == (404, "NotFound")
        text = re.sub(r'"message": .*', "", reply.text)
        for hers in ("alices", "AKIAALICES", world.parts["domain_id"]):
            assert hers not in text
        assert world.dump() == before


@pytest.mark.parametrize("endpoint", every())
async def test_a_wrong_method_is_refused(world: World, endpoint: Endpoint) -> None:
    """405, an Allow header with the right ones, a JSON body, and nothing has changed."""
    before = world.dump()
    allowed = {each.method for each in ENDPOINTS if each.path == endpoint.path}

    for method in sorted({"PATCH", "DELETE", "POST", "PUT"} - allowed):
        reply = await world.ask(endpoint, method=method)

        assert (reply.status, reply.json["error"]) == (405, "MethodNotAllowed")
        assert allowed <= set(reply.headers["Allow"].split(", "))
    assert world.dump() == before


def wrong_values(schema: Schema) -> Iterator[tuple[str, Any]]:
    """A field of the body, and a value that it may not have; every field that has a rule at all."""
    for name, rule in schema["properties"].items():
        checker = jsonschema.Draft202012Validator(rule)
        for value in WRONG:
            if not checker.is_valid(value):
                yield name, value


@pytest.mark.parametrize("endpoint", every(body=True))
async def test_a_wrong_type_is_refused(world: World, endpoint: Endpoint) -> None:
    """Each field with each value it may not have, and bodies that are no object: 400 that names the field."""
    assert endpoint.body is not None
    before = world.dump()
    good = BODIES[endpoint.path]

    for name, value in wrong_values(endpoint.body):
        reply = await world.ask(endpoint, {**good, name: value})

        assert (reply.status, reply.json["error"]) == (400, "BadRequest"), (name, value)
        assert name in reply.json["message"]
    for body in (b"[]", b'"x"', b"null", b"7", b"{", b"", b"\xff", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"[" * 90_000):
        reply = await world.ask(endpoint, body)

        if endpoint.takes_form and not body.startswith(b"{"):
            assert reply.status in (400, 401)  # as a form it has no fields, or is none
        else:
            assert (reply.status, reply.json["error"]) == (400, "BadRequest"), body
    assert world.dump() == before


@pytest.mark.parametrize("endpoint", every(body=True))
async def test_a_missing_field_is_refused(world: World, endpoint: Endpoint) -> None:
    """Without each of the fields it must have, the answer is 400 in the original's words, naming it."""
    assert endpoint.body is not None
    before = world.dump()

    for name in endpoint.body["required"]:
        body = {key: value for key, value in BODIES[endpoint.path].items() if key != name}
        reply = await world.ask(endpoint, body)

        assert (reply.status, reply.json["error"]) == (400, "BadRequest")
        assert name in reply.json["message"]
    assert world.dump() == before


@pytest.mark.parametrize("endpoint", every(named=True))
async def test_an_unknown_id_is_refused(world: World, endpoint: Endpoint) -> None:
    """Each name in the path, when nothing is called so, is a 404; one that cannot be a name, too."""
    before = world.dump()
    expected = UNKNOWN_STATUS.get(endpoint.path, 404)

    for name in endpoint.names:
        for nobodys in ("nothing", "00000000-0000-4000-8000-000000000000", "9" * 255):
            reply = await world.ask(endpoint, path=world.path(endpoint, **{name: nobodys}))

            assert reply.status == expected, (name, nobodys)
            assert {"error", "message"} <= set(reply.json)
        for impossible in ("", "a/b", "ü", "%00", "x" * 256, "a\n"):
            reply = await world.ask(endpoint, path=world.path(endpoint, **{name: impossible}))

            assert (reply.status, reply.json["error"]) in ((404, "NotFound"), (405, "MethodNotAllowed"))
    assert world.dump() == before


def test_every_body_is_tried() -> None:
    """An endpoint that takes a body has an example of it here, and its schema says what it must be."""
    for endpoint in ENDPOINTS:
        if endpoint.body is not None:
            jsonschema.validate(BODIES[endpoint.path], json.loads(json.dumps(endpoint.body)))
            assert list(wrong_values(endpoint.body)), endpoint.id
