"""
``/token``: whether a token is good.

Owns: the original's shapes, in which failures have ``success`` and ``errors``. Does not own: passwords or tokens.
"""

from functools import partial
from http import HTTPStatus
from typing import Any

from phantom_gateway.operations.http_api.call import Answer, Call
from phantom_gateway.operations.http_api.errand import Errand
from phantom_gateway.operations.http_api.schemas import FLAG, TEXT, record
from phantom_gateway.operations.http_api.table import endpoint
from phantom_gateway.records import tokens
from phantom_gateway.tokens import hash_of

SUCCESS = record("TokenCheck", {"success": FLAG})
FAILURE = record("TokenFailure", {"success": FLAG, "errors": TEXT, "error": TEXT, "message": TEXT})


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
        return failure("Token did not match user.")
    return Answer({"success": True})


def failure(text: str) -> Answer:
    """The original's body of a failure, with a status that says so, and this API's own fields beside it."""
    body: dict[str, Any] = {"success": False, "errors": text, "error": "Unauthorized", "message": text}
    return Answer(body, HTTPStatus.UNAUTHORIZED)
