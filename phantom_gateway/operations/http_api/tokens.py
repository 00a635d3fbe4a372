"""
``/token``: a password for a token, and whether a token is good.

Owns: the original's shapes, in which failures have ``success`` and ``errors``. Does not own: passwords, how often one
may guess one (``logins``), or tokens.
"""

import logging
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

from phantom_gateway import tokens as making
from phantom_gateway.logins import TooManyLogins
from phantom_gateway.operations.http_api.call import Answer, Call
from phantom_gateway.operations.http_api.errand import Errand
from phantom_gateway.operations.http_api.schemas import FLAG, TEXT, record
from phantom_gateway.operations.http_api.table import endpoint
from phantom_gateway.passwords import PASSWORD_LENGTH_MAX, CannotCheck
from phantom_gateway.records import tokens, users
from phantom_gateway.records.session import Connection
from phantom_gateway.records.users import User
from phantom_gateway.secret import Secret
from phantom_gateway.tokens import LOGIN_VALID, NewToken, hash_of

log = logging.getLogger(__name__)

_NO_NUL = {"type": "string", "pattern": "^[^\\u0000]*$"}  # a form may hold one, and PostgreSQL's text may not

CREDENTIALS = record(
    "Login",
    {
        "username": {**_NO_NUL, "maxLength": 255},
        "password": {**_NO_NUL, "maxLength": PASSWORD_LENGTH_MAX},
    },
    optional=("username", "password"),  # without them: the original's answer, and not a complaint about the schema
)
LOGGED_IN = record("Token", {"token": TEXT, "user": {"type": "integer"}, "success": FLAG})
SUCCESS = record("TokenCheck", {"success": FLAG})
FAILURE = record("TokenFailure", {"success": FLAG, "errors": TEXT, "error": TEXT, "message": TEXT})


@endpoint(
    "POST",
    "/token",
    "A token for a password, good for seven days",
    answers={200: LOGGED_IN, 401: FAILURE, 429: FAILURE, 503: FAILURE},
    open=True,
    body=CREDENTIALS,
    takes_form=True,
)
async def log_in(errand: Errand, call: Call) -> Answer:
    """The token; 401 when name or password is wrong, which is not told; 429 after too many failures; 503 for now."""
    name, password = call.body.get("username"), call.body.get("password")
    if not name or not password:
        return _failure("Must include 'username' and 'password' as POST parameters.")
    user = await errand.database.read(partial(users.by_name, name=name))
    password_hash = None if user is None else user.password_hash
    try:
        is_right = await errand.logins.check(name, Secret(password), password_hash, call.address, errand.now())
    except TooManyLogins as wait:
        log.warning("login.slowed", extra={"address": call.address, "retry_after_s": wait.retry_after_s})
        text = f"Too many failed logins; try again in {wait.retry_after_s} s."
        headers = {"Retry-After": str(wait.retry_after_s)}
        return _failure(text, HTTPStatus.TOO_MANY_REQUESTS, "TooManyRequests", headers)
    except CannotCheck as error:
        log.warning("login.not_checked", extra={"reason": str(error)})
        text, headers = "Passwords cannot be checked now; try again.", {"Retry-After": "1"}
        return _failure(text, HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailable", headers)
    new = None
    if is_right and user is not None:
        new = await errand.database.write(partial(_make, user=user, errand=errand))
    if new is None or user is None:
        # A name that nobody has is not logged: it may be a password, typed into the wrong field.
        log.warning("login.failed", extra={"address": call.address, "user": "" if user is None else user.name})
        return _failure("Unable to log you in, please try again.")
    return Answer({"token": new.text.reveal(), "user": user.id, "success": True})


@endpoint(
    "GET",
    "/token/{token}/{user_id}.json",
    "Whether a token is that user's",
    answers={200: SUCCESS, 401: FAILURE},
    open=True,
)
async def check_token(errand: Errand, call: Call) -> Answer:
    """Success, or 401 and why not."""
    token_hash = hash_of(call.path["token"])
    bearer = await errand.database.read(partial(tokens.bearer, token_hash=token_hash, now=errand.now()))
    # That there is no such user is not told: it would say which ids there are.
    if bearer is None or str(bearer.user.id) != call.path["user_id"]:
        return _failure("Token did not match user.")
    return Answer({"success": True})


def _make(connection: Connection, user: User, errand: Errand) -> NewToken | None:
    """A new token; None when the password was changed while its hash was computed: the old one is worth nothing."""
    known = users.by_name(connection, user.name)
    if known is None or known.password_hash != user.password_hash:
        return None
    return making.make(connection, user.id, name=None, scopes=frozenset(), now=errand.now(), valid=LOGIN_VALID)


def _failure(
    text: str,
    status: int = HTTPStatus.UNAUTHORIZED,
    error: str = "Unauthorized",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """The original's body of a failure, with a status that says so, and this API's own fields beside it."""
    body: dict[str, Any] = {"success": False, "errors": text, "error": error, "message": text}
    return Answer(body, status, headers=headers or {})
