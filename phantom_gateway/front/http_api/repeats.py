"""
When two requests of the JSON API are one: who got no answer sends it again under the same ``Idempotency-Key``.

Owns: the header, and the form in which an answer is recorded: sealed, because some answers show secrets. Does not own:
the records (``records.answers``).
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from urllib.parse import parse_qsl

from phantom_gateway.keyring import Keyring
from phantom_gateway.operations.http_api.call import Answer
from phantom_gateway.operations.http_api.errors import JsonError, bad_request
from phantom_gateway.operations.http_api.table import IDEMPOTENCY_KEY, IDEMPOTENCY_KEY_LENGTH_MAX, Endpoint
from phantom_gateway.records import answers
from phantom_gateway.records.session import Connection
from phantom_gateway.secret import Secret
from protocol.wire import Request

REPLAYED = {"Idempotent-Replayed": "true"}
"""On an answer that was recorded."""

_NOT_ASKED = frozenset({"user", "token", "pretty"})
"""Parameters that say who asks, or how the answer is written; not what is asked for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that has a name: *digest* is that of the name and its user, *what* that of everything it asks for."""

    digest: bytes
    what: str


def read(endpoint: Endpoint, received: Request, user_id: int) -> Asked | None:
    """The request's name; None without the header, or where nothing is recorded. Raises JsonError for a bad name."""
    name = received.header(IDEMPOTENCY_KEY)
    if name is None or not endpoint.is_repeatable:
        return None
    if not (0 < len(name) <= IDEMPOTENCY_KEY_LENGTH_MAX and name.isascii() and name.isprintable()):
        raise bad_request(
            f"Idempotency-Key has {len(name)} characters; it takes 1 to {IDEMPOTENCY_KEY_LENGTH_MAX} that ASCII prints."
        )
    query = sorted(pair for pair in parse_qsl(received.query, keep_blank_values=True) if pair[0] not in _NOT_ASKED)
    what = hashlib.blake2b(json.dumps([received.method, received.path, query]).encode(), digest_size=16)
    what.update(received.body)
    named = f"idempotency\0{user_id}\0{name}".encode()
    return Asked(hashlib.blake2b(named, digest_size=16).digest(), what.hexdigest())


def find(connection: Connection, asked: Asked, keyring: Keyring, now: datetime) -> tuple[str, Answer] | None:
    """
    The request id and the answer that this request got in the last quarter of an hour, or None.

    Raises JsonError when the name was used for something else. Runs after the user was locked: another gateway may be
    at work on the same request, and has answered it once the lock is ours.
    """
    recorded = answers.find(connection, asked.digest, now)
    if recorded is None:
        return None
    kept = json.loads(keyring.decrypt(recorded.document).reveal())
    if kept["what"] != asked.what:
        raise JsonError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "IdempotencyKeyReused",
            "This Idempotency-Key was used for another request in the last 15 minutes; each request takes a new one.",
        )
    return recorded.request_id, Answer(kept["body"], kept["status"], kept["location"], {**kept["headers"], **REPLAYED})


def record(
    connection: Connection, asked: Asked, keyring: Keyring, user_id: int, request_id: str, answer: Answer, now: datetime
) -> None:
    """Nothing; whoever sends this request again gets this *answer*."""
    kept = {
        "what": asked.what,
        "status": int(answer.status),
        "body": answer.body,
        "location": answer.location,
        "headers": dict(answer.headers),
    }
    answers.add(connection, asked.digest, user_id, request_id, keyring.encrypt(Secret(json.dumps(kept))), now)
