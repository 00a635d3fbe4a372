"""The JSON door: whatever comes in, the answer is JSON, says what is wrong, and nothing has happened."""

import base64
import json

import pytest

from phantom_gateway.operations.http_api.call import PREFIX
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
