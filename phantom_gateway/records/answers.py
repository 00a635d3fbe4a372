"""
Recorded answers: a request that comes again gets the answer that it got before, and nothing is done twice.

Owns: the queries on ``answers``, how long one is kept, and how many. Does not own: which requests are the same
(``front.repeats``). Answers are written in the transaction of what they tell of, so that both are kept or neither is.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from phantom_gateway.records.prepared import Prepared
from phantom_gateway.records.tables import answers

KEPT = timedelta(minutes=15)
"""As long as a signature is good for: what comes later is refused as stale, or was signed anew."""

SAME_SIGNATURE = timedelta(seconds=3)
"""Signatures name seconds: a call that has another's signature comes so soon after it, or was captured."""

ROWS_MAX = 200_000
"""Some 100 MB. 200 changes a second for the whole time; beyond that, the oldest answers go first."""

PRUNED_AT_ONCE = 2_000
"""Rows in one transaction: a few ms, during which requests wait."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was answered."""

    request_id: str
    document: str


_FOUND = (answers.c.at, answers.c.request_id, answers.c.document, answers.c.id, answers.c.user_id)
_FIND = Prepared(sa.select(*_FOUND).where(answers.c.digest == sa.bindparam("digest")))
_LATER = Prepared(
    sa.select(answers.c.id)
    .where(answers.c.id > sa.bindparam("after"), answers.c.user_id == sa.bindparam("user_id"))
    .limit(1)
)
_ADD = Prepared(answers.insert())
_REMOVE = Prepared(answers.delete().where(answers.c.digest == sa.bindparam("digest")))
_NEWEST = Prepared(sa.select(sa.func.max(answers.c.id)))
_OLD = sa.select(answers.c.id).order_by(answers.c.at).limit(PRUNED_AT_ONCE)
_STALE = Prepared(_OLD.where(answers.c.at < sa.bindparam("since", type_=answers.c.at.type)))
_BEYOND = Prepared(_OLD.where(answers.c.id <= sa.bindparam("newest_of_them")))


def find(connection: sa.Connection, digest: bytes, now: datetime, *, is_named: bool = True) -> Recorded | None:
    """
    The answer that this request got in the last quarter of an hour, or None.

    Without a name of its own (*is_named* False) a request is known by its signature, which two calls share that ask the
    same within a second. When the user has changed something else in between, the second is a call of its own: 3, 5, 3.
    """
    row = _FIND.first(connection, {"digest": digest})
    if row is None:
        return None
    is_recent = now - row[0] < SAME_SIGNATURE
    is_new = not is_named and is_recent and _LATER.first(connection, {"after": row[3], "user_id": row[4]}) is not None
    if is_new or row[0] < now - KEPT:
        _REMOVE.run(connection, {"digest": digest})
        return None
    return Recorded(row[1], row[2])


def add(connection: sa.Connection, digest: bytes, user_id: int, request_id: str, document: str, now: datetime) -> None:
    """
    Nothing; this is the answer to that request. It must hold no secrets.

    Raises IntegrityError when another transaction has answered it meanwhile: run again, this one finds that answer.
    """
    values = {"digest": digest, "user_id": user_id, "at": now, "request_id": request_id, "document": document}
    _ADD.run(connection, values)


def prune(connection: sa.Connection, now: datetime) -> int:
    """How many answers were dropped; as many as ``PRUNED_AT_ONCE`` means that there may be more."""
    stale = [row[0] for row in _STALE.rows(connection, {"since": now - KEPT})]
    if not stale:
        newest = _NEWEST.scalar(connection) or 0
        stale = [row[0] for row in _BEYOND.rows(connection, {"newest_of_them": newest - ROWS_MAX})]
    if stale:
        connection.execute(answers.delete().where(answers.c.id.in_(stale)))
    return len(stale)
