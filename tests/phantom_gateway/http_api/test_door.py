"""The JSON door: whatever comes in, the answer is JSON, says what is wrong, and nothing has happened."""

import base64
import json

import pytest

from phantom_gateway.operations.http_api.call import PREFIX
from phantom_gateway.records.tables import chef_credentials
from tests.phantom_gateway.http_api.counter import BODY_BYTES_MAX, Counter

SITES = ["hotel", "sierra"]


async def test_a_token_lets_its_user_in(counter: Counter) -> None:
    """Basic authorization with user id and token shows the sites, as JSON."""
    reply = await counter.call("GET", "/sites")

    assert reply.status == 200
    assert [site["id"] for site in reply.json] == SITES
    assert reply.json[0] == {
        "id": "hotel",
        "uri": "/api/dev/sites/hotel",
        "credentials": "/api/dev/credentials/sites/hotel",
        "instance_types": ["m1.small", "m1.large", "m1.xlarge"],
    }
    assert len(reply.headers["X-Request-Id"]) == 36


async def test_parameters_let_in_too_and_the_header_wins(counter: Counter) -> None:
    """User and token may stand in the query; a wrong header is not helped by them."""
    good = f"?user={counter.office.user.id}&token={counter.token()}"

    assert (await counter.call("GET", f"/sites{good}", authorization="")).status == 200
    assert (await counter.call("GET", f"/sites{good}", authorization=counter.basic(token="wrong"))).status == 403
    assert (await counter.call("GET", "/sites?user=1&token=no")).status == 200


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param("", id="none"),
        pytest.param("Basic", id="scheme alone"),
        pytest.param("Basic !!!", id="not base64"),
        pytest.param("Bearer abc", id="another scheme"),
        pytest.param("Basic " + base64.b64encode("1:tökén".encode()).decode(), id="not ASCII"),
        pytest.param("Basic " + base64.b64encode(b"alice:x").decode(), id="a name for an id"),
        pytest.param("Basic " + base64.b64encode(b"9" * 30 + b":x").decode(), id="a huge id"),
        pytest.param("Basic " + base64.b64encode(b"1").decode(), id="no token"),
        pytest.param("Basic " + base64.b64encode(b"1:" + b"x" * 5000).decode(), id="a huge token"),
    ],
)
async def test_who_is_not_let_in_reads_the_originals_text(counter: Counter, authorization: str) -> None:
    """Whatever is wrong with the authorization, the answer is 403 with the text that scripts know."""
    reply = await counter.call("GET", "/sites", authorization=authorization)

    assert (reply.status, reply.json) == (403, {"error": "Forbidden", "message": "Authorization Required"})


async def test_anothers_token_lets_nobody_in(counter: Counter) -> None:
    """A token counts only with its own user's id."""
    bob = counter.office.add_user("bob", "AKIABOBBOBBOBBOBBOB1", "222222222222")

    reply = await counter.call("GET", "/sites", authorization=counter.basic(bob, counter.token()))

    assert reply.status == 403


async def test_pretty_indents_by_four(counter: Counter) -> None:
    """``?pretty=true``, in whatever case, is the original's layout."""
    plain = await counter.call("GET", "/sites/hotel")
    pretty = await counter.call("GET", "/sites/hotel?pretty=True")

    assert "\n" not in plain.text
    assert pretty.text == json.dumps(plain.json, indent=4)


@pytest.mark.parametrize(
    "path", ["", "/", "/sites/", "/nothing", "/sites/a/b/c", "/sites/h%FF", "/sites/h%2Fx", "/sites/x%0A"]
)
async def test_what_is_not_there_is_404(counter: Counter, path: str) -> None:
    """An unknown path, one with a slash at its end among them, is a 404 in JSON."""
    reply = await counter.call("GET", path)

    assert (reply.status, reply.json["error"]) == (404, "NotFound")


async def test_a_wrong_method_says_which_are_right(counter: Counter) -> None:
    """405 has the Allow header and a JSON body; OPTIONS asks for the same, and HEAD is GET without a body."""
    wrong = await counter.call("PATCH", "/sites")
    options = await counter.call("OPTIONS", "/sites", authorization="")
    head = await counter.call("HEAD", "/sites")
    get = await counter.call("GET", "/sites")

    assert (wrong.status, wrong.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
    assert wrong.json["error"] == "MethodNotAllowed"
    assert (options.status, options.headers["Allow"], options.text) == (204, "GET, HEAD, OPTIONS", "")
    assert (head.status, head.text) == (200, "")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


async def test_another_site_is_not_there(counter: Counter) -> None:
    """A site that is not configured is a 404 in the original's words."""
    reply = await counter.call("GET", "/sites/mars")

    assert (reply.status, reply.json["message"]) == (404, "Site mars not found")


async def test_a_token_can_be_checked(counter: Counter) -> None:
    """The check form of the original: success, or 401 with its body."""
    token, user_id = counter.token(), counter.office.user.id

    good = await counter.call("GET", f"/token/{token}/{user_id}.json", authorization="")
    bad = await counter.call("GET", f"/token/{token}/{user_id + 1}.json", authorization="")

    assert len(token) == 24
    assert (good.status, good.json) == (200, {"success": True})
    assert (bad.status, bad.json["success"], bad.json["errors"]) == (401, False, "Token did not match user.")


async def test_a_body_has_the_limit_of_the_other_door(counter: Counter) -> None:
    """A body that is too long is refused with 413, whatever it is for."""
    reply = await counter.call("GET", "/sites", b"x" * (BODY_BYTES_MAX + 1))

    assert (reply.status, reply.json["error"]) == (413, "RequestTooLarge")


def test_every_uri_is_below_the_prefix() -> None:
    """The prefix is the one that clients have in their scripts."""
    assert PREFIX == "/api/dev"


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", "application/json", "!"])
async def test_a_body_is_json_whatever_it_is_called(counter: Counter, content_type: str) -> None:
    """The original's scripts name no type, or curl's: the body is read as JSON all the same."""
    body = json.dumps({"id": "mars", "access_key": "a", "secret_key": "b", "key_name": None}).encode()

    reply = await counter.call("POST", "/credentials/sites", body, headers={"Content-Type": content_type})

    assert (reply.status, reply.json["message"]) == (
        400,
        "mars doesn't seem to exist. I know about ['hotel', 'sierra']",
    )


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param(b'{"id": "a", "id": "b"}', 'the key "id" twice', id="duplicate key"),
        pytest.param(b'{"id": NaN}', "NaN, which is no JSON number", id="NaN"),
        pytest.param(b'{"id": 1e999}', "too large", id="infinite"),
        pytest.param(b'{"id": 1' + b"0" * 5_000 + b"}", "whole number beyond", id="endless number"),
        pytest.param(b'{"id": ' * 17 + b"1" + b"}" * 17, "deeper than 16", id="deep"),
        pytest.param(b"[" * 60_000 + b"]" * 60_000, "deeper than 16", id="very deep"),
        pytest.param(b'{"id": "\xff"}', "not UTF-8", id="not UTF-8"),
        pytest.param(b'{"id": "\\ud800"}', "half a surrogate pair", id="half a pair"),
        pytest.param(b'{"id": "a\\u0000"}', "NUL", id="NUL"),
        pytest.param(b'{"id": "a"', "No JSON", id="cut off"),
        pytest.param(b" ", "the body is empty", id="empty"),
    ],
)
async def test_a_body_that_means_nothing_is_refused(counter: Counter, body: bytes, told: str) -> None:
    """What JSON leaves open, or readers disagree about, is a 400 that says what is wrong."""
    reply = await counter.call("POST", "/credentials/sites", body)

    assert (reply.status, reply.json["error"]) == (400, "BadRequest")
    assert told in reply.json["message"]


@pytest.mark.parametrize("query", ["?a=%ff", "?" + "&".join(f"a{number}=1" for number in range(100))])
async def test_a_query_that_means_nothing_is_refused(counter: Counter, query: str) -> None:
    """A query that is not UTF-8, or has no end, is a 400."""
    assert (await counter.call("GET", f"/sites{query}")).status == 400


async def test_records_that_cannot_be_used_are_not_the_clients_fault(counter: Counter) -> None:
    """While nothing can be written the answer is 503 in JSON, and says to try again."""
    authorization = counter.basic()
    counter.office.database.close()

    reply = await counter.call("DELETE", "/credentials/chef/x", authorization=authorization)

    assert (reply.status, reply.json["error"]) == (503, "ServiceUnavailable")


async def test_a_mistake_of_ours_tells_nothing_of_the_inside(
    counter: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    """A secret that no key opens is the operator's trouble: 500 with a request id, and the story in the log alone."""
    server = {
        "id": "x",
        "server_url": "https://x",
        "client_name": "a",
        "client_key": "-----",
        "validator_key": "-----",
    }
    assert (await counter.call("POST", "/credentials/chef", server)).status == 201
    counter.office.database.write_now(
        lambda connection: connection.execute(chef_credentials.update().values(keys_sealed="sealed with a lost key"))
    )

    reply = await counter.call("GET", "/credentials/chef")

    message = "The gateway made a mistake; its log has the request id."
    assert (reply.status, reply.json) == (500, {"error": "Error", "message": message})
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["request.failed"]
