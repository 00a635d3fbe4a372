"""Credentials on sites: the same accounts that the command line sets, with secrets that do not come out."""

from typing import Any

import pytest

from phantom_gateway.accounts import unseal
from phantom_gateway.credentials import Credentials
from phantom_gateway.records import accounts
from phantom_gateway.records.accounts import AccountState, StoredAccount
from phantom_gateway.secret import Secret
from phantom_gateway.tokens import Scope
from tests.backends.ec2_endpoint import cloud_at
from tests.phantom_gateway.http_api.counter import Counter, Reply

SECRET = "wJalrXUtnFEMI/K7MDENG"
BODY: dict[str, Any] = {"id": "hotel", "access_key": "AKIAHOTEL", "secret_key": SECRET, "key_name": "phantomkey"}
BOTH = pytest.mark.parametrize("place", ["/credentials/sites", "/sites/credentials"])


async def add(counter: Counter, place: str = "/credentials/sites", **more: Any) -> Reply:
    """The reply to storing them."""
    return await counter.call("POST", place, {**BODY, **more})


def row(counter: Counter) -> StoredAccount | None:
    """What the command line would list."""
    user_id = counter.office.user.id
    return counter.office.database.read_now(lambda connection: accounts.find(connection, user_id, "hotel"))


def stored(counter: Counter) -> Credentials | None:
    """What launches would be made with."""
    found = row(counter)
    return None if found is None else unseal(counter.office.keyring, found)


@BOTH
async def test_credentials_come_and_go(counter: Counter, place: str) -> None:
    """At the place of the code and at that of the documents: 201, shown, 204, 404."""
    made = await add(counter, place)
    one = await counter.call("GET", f"{place}/hotel")
    every = await counter.call("GET", place)
    before = stored(counter)
    gone = await counter.call("DELETE", f"{place}/hotel")

    assert made.status == 201
    assert made.headers["Location"].endswith("/api/dev/credentials/sites/hotel")
    assert one.json == {
        "id": "hotel",
        "access_key": "AKIAHOTEL",
        "secret_key": made.json["secret_key"],
        "key_name": "phantomkey",
        "state": "waiting",
        "uri": "/api/dev/credentials/sites/hotel",
    }
    assert made.json == {**one.json, **dict.fromkeys(made.json.keys() - one.json.keys())}
    assert len(made.json.keys() - one.json.keys()) == 6
    assert every.json == [one.json]
    assert before == Credentials("AKIAHOTEL", Secret(SECRET), "phantomkey")
    assert (gone.status, gone.text) == (204, "")
    assert row(counter) is None
    assert (await counter.call("GET", f"{place}/hotel")).json["message"] == "Site hotel not available. Choose from []"


async def test_the_secret_does_not_come_out(counter: Counter) -> None:
    """A fingerprint is shown; the secret only over a token made for it."""
    made = await add(counter)
    revealing = counter.basic(token=counter.token(None, Scope.REVEAL))

    assert made.json["secret_key"].startswith("fingerprint:")
    for path in ("/credentials/sites", "/credentials/sites/hotel"):
        assert SECRET not in (await counter.call("GET", path)).text
        assert (await counter.call("GET", f"{path}?reveal=true")).status == 403
        assert SECRET in (await counter.call("GET", f"{path}?reveal=true", authorization=revealing)).text


async def test_put_takes_what_get_returned(counter: Counter) -> None:
    """The fingerprint keeps the secret, and what does not change opens no cloud anew."""
    await add(counter)
    shown = (await counter.call("GET", "/credentials/sites/hotel")).json
    before = row(counter)

    same = await counter.call("PUT", "/credentials/sites/hotel", shown)
    unchanged = row(counter)
    renamed = await counter.call("PUT", "/credentials/sites/hotel", {**shown, "key_name": None})

    assert (same.status, same.json) == (200, shown)
    assert unchanged == before
    assert renamed.json == {**shown, "key_name": None}
    assert stored(counter) == Credentials("AKIAHOTEL", Secret(SECRET), None)


async def test_existing_credentials_are_replaced_by_a_post(counter: Counter) -> None:
    """As in the original, a second POST is 201 too, and its credentials count."""
    await add(counter)

    again = await add(counter, secret_key="another")

    assert again.status == 201
    assert stored(counter) == Credentials("AKIAHOTEL", Secret("another"), "phantomkey")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"id": "mars"}, "mars doesn't seem to exist. I know about ['hotel', 'sierra']", id="no such site"),
        pytest.param({"id": "sierra"}, "sierra is of the kind local, which knows no credentials.", id="local cloud"),
        pytest.param({"secret_key": "a b"}, "printable ASCII characters without spaces", id="secret with a space"),
        pytest.param({"secret_key": "fingerprint:123"}, "is a fingerprint", id="fingerprint of nothing"),
        pytest.param({"access_key": "a b"}, "access_key: ", id="key id with a space"),
        pytest.param({"access_key": 7}, "access_key must be of type string", id="no text"),
        pytest.param({"openstack_password": "x"}, "openstack_password must be of type null", id="not kept here"),
    ],
)
async def test_what_cannot_be_is_refused(counter: Counter, change: dict[str, Any], told: str) -> None:
    """The field and the rule are named, and nothing is stored."""
    reply = await add(counter, **change)

    assert (reply.status, reply.json["error"]) == (400, "BadRequest")
    assert told in reply.json["message"]
    assert row(counter) is None


async def test_a_key_id_is_not_changed_without_its_secret(counter: Counter) -> None:
    """The two halves are a pair: the old secret with another key id would open nothing."""
    await add(counter)
    shown = (await counter.call("GET", "/credentials/sites/hotel")).json

    reply = await counter.call("PUT", "/credentials/sites/hotel", {**shown, "access_key": "AKIAOTHER"})

    assert reply.status == 400
    assert stored(counter) == Credentials("AKIAHOTEL", Secret(SECRET), "phantomkey")


async def test_credentials_that_vms_need_are_not_forgotten(counter: Counter) -> None:
    """409 while the user has VMs there, unless he insists; so no VM is left that nobody can end."""
    await add(counter)
    before = row(counter)
    assert before is not None
    counter.office.database.write_now(lambda connection: accounts.take_up(connection, before))
    counter.office.create_launch_configuration()
    counter.office.create_group()
    await counter.office.fill_now()

    refused = await counter.call("DELETE", "/credentials/sites/hotel")
    still = stored(counter)
    forced = await counter.call("DELETE", "/credentials/sites/hotel?force=true")

    assert (refused.status, refused.json["error"]) == (409, "Conflict")
    assert "alice has 2 VMs on hotel" in refused.json["message"]
    assert still is not None
    after = row(counter)
    assert forced.status == 204
    assert after is not None
    assert after.state is AccountState.REMOVED
    assert (await counter.call("GET", "/credentials/sites")).json == []


async def test_details_ask_for_key_pairs(counter: Counter) -> None:
    """Where the account is not in use, or its endpoint away, the list is empty and the reason is said."""
    await add(counter)
    waiting = (await counter.call("GET", "/credentials/sites/hotel?details=true")).json
    async with cloud_at("http://127.0.0.1:1") as cloud:
        counter.accounts.clouds, counter.accounts.own = {"hotel": cloud}, {"hotel"}
        (away,) = (await counter.call("GET", "/credentials/sites?details=true")).json

    assert (waiting["available_keys"], waiting["error"]) == ([], "These credentials are not in use yet.")
    assert away["available_keys"] == []
    assert "refused" in away["error"].lower()


async def test_another_users_credentials_are_not_there(counter: Counter) -> None:
    """They are neither seen, changed nor deleted."""
    await add(counter)
    bob = counter.office.add_user("bob", "AKIABOBBOBBOBBOBBOB1", "222222222222")

    assert (await counter.call("GET", "/credentials/sites", user=bob)).json == []
    for method, body in (("GET", None), ("PUT", BODY), ("DELETE", None)):
        assert (await counter.call(method, "/credentials/sites/hotel", body, user=bob)).status == 404
    assert stored(counter) is not None
