"""Passwords for tokens: the original's shapes, with statuses that say what happened."""

from datetime import timedelta
from urllib.parse import urlencode

import pytest

from phantom_gateway.installation import change_password
from phantom_gateway.passwords import hashed
from phantom_gateway.records.tables import metadata, tokens
from phantom_gateway.secret import Secret
from tests.phantom_gateway.http_api.counter import Counter, Reply

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def set_password(counter: Counter, password: str | None) -> None:
    """Nothing; Alice has it."""
    password_hash = None if password is None else hashed(Secret(password))
    user_id = counter.office.user.id
    counter.office.database.write_now(lambda connection: change_password(connection, user_id, password_hash))


async def log_in(counter: Counter, username: str = "alice", password: str = "opensesame") -> Reply:
    """The reply to a login as the original's scripts send it."""
    body = urlencode({"username": username, "password": password}).encode()
    return await counter.call("POST", "/token", body, authorization="", headers=FORM)


async def test_a_password_gets_a_token_for_seven_days(counter: Counter) -> None:
    """The token lets its user in until seven days are over, and can be checked."""
    set_password(counter, "opensesame")

    reply = await log_in(counter)
    token, user_id = reply.json["token"], reply.json["user"]

    assert (reply.status, reply.json) == (200, {"token": token, "user": counter.office.user.id, "success": True})
    check = f"/token/{token}/{user_id}.json"
    assert (await counter.call("GET", check, authorization="")).json == {"success": True}
    assert (await counter.call("GET", "/sites", authorization=counter.basic(token=token))).status == 200
    counter.office.later(timedelta(days=7).total_seconds())
    assert (await counter.call("GET", check, authorization="")).status == 401


async def test_a_login_may_be_json(counter: Counter) -> None:
    """What is no form is read as JSON, like every other body."""
    set_password(counter, "opensesame")

    reply = await counter.call("POST", "/token", {"username": "alice", "password": "opensesame"}, authorization="")

    assert reply.json["success"] is True


@pytest.mark.parametrize(
    ("username", "password", "text"),
    [
        pytest.param("alice", "wrong", "Unable to log you in, please try again.", id="wrong password"),
        pytest.param("nobody", "opensesame", "Unable to log you in, please try again.", id="nobody of that name"),
        pytest.param("alice", "", "Must include 'username' and 'password' as POST parameters.", id="no password"),
        pytest.param("", "x", "Must include 'username' and 'password' as POST parameters.", id="no name"),
    ],
)
async def test_a_failure_is_401_with_the_originals_body(
    counter: Counter, username: str, password: str, text: str
) -> None:
    """F87: name and password are not told apart, and no token is made."""
    set_password(counter, "opensesame")

    reply = await log_in(counter, username, password)

    assert (reply.status, reply.json["success"], reply.json["errors"]) == (401, False, text)
    assert (reply.json["error"], reply.json["message"]) == ("Unauthorized", text)
    assert counter.office.database.read_now(lambda connection: connection.execute(tokens.select()).all()) == []


async def test_a_name_with_a_nul_is_refused(counter: Counter) -> None:
    """A form can hold what no database takes for text; the field is named."""
    reply = await log_in(counter, "al\0ice")

    assert (reply.status, reply.json["error"]) == (400, "BadRequest")
    assert "username" in reply.json["message"]


async def test_a_user_without_a_password_cannot_log_in(counter: Counter) -> None:
    """No password is not the empty password."""
    assert (await log_in(counter, password="x")).status == 401


async def test_guessing_is_slowed(counter: Counter) -> None:
    """F88: after ten failures even the right password has to wait as long as Retry-After says."""
    set_password(counter, "opensesame")
    for _ in range(10):
        assert (await log_in(counter, password="guess")).status == 401

    slowed = await log_in(counter)
    counter.office.later(int(slowed.headers["Retry-After"]))

    assert (slowed.status, slowed.json["success"], slowed.json["error"]) == (429, False, "TooManyRequests")
    assert (await log_in(counter)).status == 200


async def test_another_password_ends_the_tokens_of_the_old_one(counter: Counter) -> None:
    """Tokens that a password got end with it; those made by hand live on."""
    set_password(counter, "opensesame")
    by_password = (await log_in(counter)).json["token"]
    by_hand = counter.token()

    set_password(counter, "changed")

    assert (await counter.call("GET", "/sites", authorization=counter.basic(token=by_password))).status == 403
    assert (await counter.call("GET", "/sites", authorization=counter.basic(token=by_hand))).status == 200


async def test_token_texts_are_not_kept(counter: Counter) -> None:
    """The database holds no token that could be used."""
    set_password(counter, "opensesame")
    token = (await log_in(counter)).json["token"]

    dump = "\n".join(
        counter.office.database.read_now(
            lambda connection: [
                repr(row) for table in metadata.sorted_tables for row in connection.execute(table.select())
            ]
        )
    )

    assert "alice" in dump
    assert token not in dump
    assert "opensesame" not in dump
