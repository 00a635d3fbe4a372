"""
Who calls the JSON API: from a user id and a token to the user and what the token may.

Owns: where the two stand in a request, and a short memory of tokens. Does not own: tokens themselves.
"""

import asyncio
import base64
import binascii
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from phantom_gateway.front.callers import REMEMBERED_MAX, REMEMBERED_S
from phantom_gateway.operations.http_api.errors import JsonError, forbidden
from phantom_gateway.records import tokens
from phantom_gateway.records.session import Database
from phantom_gateway.records.tokens import Bearer
from phantom_gateway.tokens import hash_of

PAIR_LENGTH_MAX = 1_024
"""Characters of a user id and a token: they have 40; more is no attempt that deserves a look-up."""


def refused() -> JsonError:
    """The original's answer to anybody who is not let in; scripts print its text."""
    return forbidden("Authorization Required")


@dataclass(frozen=True, slots=True)
class Pair:
    """What a request says of its sender. Never logged."""

    user_id: int
    token_hash: str


def read_pair(authorization: str | None, query: Mapping[str, str]) -> Pair:
    """
    The user id and token of a request: of its header, else of its parameters ``user`` and ``token``.

    Raises JsonError(403) when there are none, or the header is not Basic.
    """
    if authorization is None:
        return _pair(query.get("user", ""), query.get("token", ""))
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > PAIR_LENGTH_MAX:
        raise refused()
    try:
        user, _, token = base64.b64decode(encoded.strip(), validate=True).decode("ascii").partition(":")
    except (binascii.Error, ValueError):  # not base64, or not ASCII
        raise refused() from None
    return _pair(user, token)


def _pair(user: str, token: str) -> Pair:
    # Nineteen digits: more than any id has, and no more than the database takes.
    if not (user.isascii() and user.isdigit() and len(user) < 19) or not 1 <= len(token) <= PAIR_LENGTH_MAX:  # noqa: PLR2004
        raise refused()
    return Pair(int(user), hash_of(token))


class Callers:
    """Looks up who holds a token. A token that is revoked stops working within ``REMEMBERED_S``."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._remembered: OrderedDict[str, tuple[float, Bearer]] = OrderedDict()

    async def find(self, pair: Pair) -> Bearer:
        """Who sent this pair. Raises JsonError(403) when the token is not that user's; RecordsUnavailable."""
        bearer = await self._bearer(pair.token_hash)
        if bearer is None or bearer.user.id != pair.user_id:
            raise refused()
        return bearer

    async def _bearer(self, token_hash: str) -> Bearer | None:
        moment = asyncio.get_running_loop().time()
        known = self._remembered.get(token_hash)
        if known is not None and moment - known[0] < REMEMBERED_S:
            return known[1]
        bearer = await self._database.read(partial(tokens.bearer, token_hash=token_hash, now=self._now()))
        if bearer is None:
            self._remembered.pop(token_hash, None)
            return None
        self._remembered[token_hash] = (moment, bearer)
        self._remembered.move_to_end(token_hash)
        if len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return bearer
