"""Chef servers: keys go in and stay in; everything else comes and goes as the original's clients expect."""

import re
from typing import Any

import pytest

from phantom_gateway import chef_keys
from phantom_gateway.records import chef_credentials
from phantom_gateway.tokens import Scope
from tests.phantom_gateway.http_api.counter import Counter, Reply
from tests.support.canary import planted

PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{planted('MIIE')}\n-----END RSA PRIVATE KEY-----\n"
OTHER = PEM.replace("MIIE", "MIIF")
SERVER: dict[str, Any] = {
    "id": "my chef",
    "server_url": "https://chef.example.org/organizations/x",
    "client_name": "alice",
    "client_key": PEM,
    "validator_key": OTHER,
}
PATH = "/credentials/chef/my%20chef"


async def add(counter: Counter, **more: Any) -> Reply:
    """The reply to storing it."""
    return await counter.call("POST", "/credentials/chef", {**SERVER, **more})


def keys(counter: Counter) -> chef_keys.ChefKeys:
    """What is really stored."""
    row = counter.office.database.read_now(
        lambda connection: chef_credentials.find(connection, counter.office.user.id, "my chef")
    )
    assert row is not None
    return chef_keys.unseal(counter.office.keyring, row)


async def test_a_chef_server_comes_and_goes(counter: Counter) -> None:
    """201 with a Location, then GET of one and of all, then 204, then 404."""
    made = await add(counter)
    one = await counter.call("GET", PATH)
    every = await counter.call("GET", "/credentials/chef")
    gone = await counter.call("DELETE", PATH)
    again = await counter.call("DELETE", PATH)

    assert made.status == 201
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/api/dev/credentials/chef/my%20chef", made.headers["Location"])
    assert made.json["validation_client_name"] == "chef-validator"
    assert made.json["uri"] == "/api/dev/credentials/chef/my chef"
    assert (one.json, every.json) == (made.json, [made.json])
    assert (gone.status, gone.text) == (204, "")
    assert (again.status, again.json["error"]) == (404, "NotFound")
    assert (await counter.call("GET", PATH)).status == 404


async def test_keys_do_not_come_out(counter: Counter) -> None:
    """Answers show fingerprints that tell keys apart; the keys only over a token made for it."""
    made = await add(counter)
    revealing = counter.basic(token=counter.token(None, Scope.REVEAL))

    plain = await counter.call("GET", PATH)
    refused = await counter.call("GET", f"{PATH}?reveal=true")
    revealed = await counter.call("GET", f"{PATH}?reveal=true", authorization=revealing)

    assert made.json["client_key"].startswith("fingerprint:")
    assert made.json["client_key"] != made.json["validator_key"]
    assert "MII" not in made.text + plain.text
    assert (refused.status, refused.json["error"]) == (403, "Forbidden")
    assert "--scope reveal" in refused.json["message"]
    assert (revealed.json["client_key"], revealed.json["validator_key"]) == (PEM, OTHER)


async def test_put_takes_what_get_returned(counter: Counter) -> None:
    """A fingerprint sent back keeps its key; what is changed is changed, the other key too."""
    await add(counter)
    shown = (await counter.call("GET", PATH)).json

    same = await counter.call("PUT", PATH, shown)
    changed = await counter.call("PUT", PATH, {**shown, "client_name": "bob", "client_key": OTHER})

    assert (same.status, same.json) == (200, shown)
    assert changed.json == {**shown, "client_name": "bob", "client_key": shown["validator_key"]}
    assert keys(counter).client_key.reveal() == OTHER
    assert keys(counter).validator_key.reveal() == OTHER


async def test_another_secrets_fingerprint_is_refused(counter: Counter) -> None:
    """A fingerprint stands for its own secret alone, and never becomes one."""
    await add(counter)
    shown = (await counter.call("GET", PATH)).json

    swapped = await counter.call("PUT", PATH, {**shown, "client_key": shown["validator_key"]})
    fresh = await add(counter, id="new", client_key="fingerprint:000000000000")

    assert (swapped.status, fresh.status) == (400, 400)
    assert "client_key is a fingerprint" in swapped.json["message"]
    assert keys(counter).client_key.reveal() == PEM


async def test_one_that_is_there_is_redirected_to(counter: Counter) -> None:
    """POST of a name that is taken is the original's 302, and changes nothing."""
    await add(counter)

    again = await add(counter, client_key=OTHER)

    assert (again.status, again.text) == (302, "")
    assert again.headers["Location"].endswith("/api/dev/credentials/chef/my%20chef")
    assert keys(counter).client_key.reveal() == PEM


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"id": "a/b"}, "id isn't acceptable: it must match ^[-_.0-9A-Za-z ]+$", id="name with a slash"),
        pytest.param({"id": "a\n"}, "id isn't acceptable", id="name with a line break at its end"),
        pytest.param({"server_url": "ftp://x"}, "server_url isn't acceptable", id="no web address"),
        pytest.param({"client_key": "secret!"}, "client_key isn't acceptable", id="no PEM"),
        pytest.param({"client_key": 7}, "client_key must be of type string", id="no text"),
        pytest.param({"client_key": "-----" + "x" * 16_384}, "at most 16384 characters", id="too long"),
    ],
)
async def test_what_cannot_be_is_refused(counter: Counter, change: dict[str, Any], told: str) -> None:
    """The message names the field and the rule, and never repeats what may be a secret."""
    reply = await add(counter, **change)

    assert (reply.status, reply.json["error"]) == (400, "BadRequest")
    assert told in reply.json["message"]
    assert "secret!" not in reply.text


async def test_another_users_chef_server_is_not_there(counter: Counter) -> None:
    """Names are per user; another's are neither seen, changed nor deleted."""
    await add(counter)
    bob = counter.office.add_user("bob", "AKIABOBBOBBOBBOBBOB1", "222222222222")

    assert (await counter.call("GET", "/credentials/chef", user=bob)).json == []
    assert (await counter.call("GET", PATH, user=bob)).status == 404
    assert (await counter.call("PUT", PATH, SERVER, user=bob)).status == 404
    assert (await counter.call("DELETE", PATH, user=bob)).status == 404
    assert (await counter.call("POST", "/credentials/chef", SERVER, user=bob)).status == 201
    assert keys(counter).client_key.reveal() == PEM
