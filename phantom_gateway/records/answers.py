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

ROWS_MAX = 200_000
"""Some 100 MB. 200 changes a second for the whole time; beyond that, the oldest answers go first."""

PRUNED_AT_ONCE = 2_000
"""Rows in one transaction: a few ms, during which requests wait."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was answered."""

    request_id: str
    document: str


_FIND = Prepared(
    sa.select(answers.c.at, answers.c.request_id, answers.c.document).where(answers.c.digest == sa.bindparam("digest"))
)
_ADD = Prepared(answers.insert())
_REMOVE = Prepared(answers.delete().where(answers.c.digest == sa.bindparam("digest")))
_NEWEST = Prepared(sa.select(sa.func.max(answers.c.id)))
_OLD = sa.select(answers.c.id).order_by(answers.c.at).limit(PRUNED_AT_ONCE)
_STALE = Prepared(_OLD.where(answers.c.at < sa.bindparam("since", type_=answers.c.at.type)))
_BEYOND = Prepared(_OLD.where(answers.c.id <= sa.bindparam("newest_of_them")))


def find(connection: sa.Connection, digest: bytes, now: datetime) -> Recorded | None:
    """The answer that this request got in the last quarter of an hour, or None."""
    row = _FIND.first(connection, {"digest": digest})
    if row is None:
        return None
    if row[0] < now - KEPT:
        _REMOVE.run(connection, {"digest": digest})
        return None
    return Recorded(row[1], row[2])


def add(connection: sa.Connection, digest: bytes, request_id: str, document: str, now: datetime) -> None:
    """
    Nothing; this is the answer to that request. It must hold no secrets.

    Raises IntegrityError when another transaction has answered it meanwhile: run again, this one finds that answer.
    """
    _ADD.run(connection, {"digest": digest, "at": now, "request_id": request_id, "document": document})


def prune(connection: sa.Connection, now: datetime) -> int:
    """How many answers were dropped; as many as ``PRUNED_AT_ONCE`` means that there may be more."""
    stale = [row[0] for row in _STALE.rows(connection, {"since": now - KEPT})]
    if not stale:
        newest = _NEWEST.scalar(connection) or 0
        stale = [row[0] for row in _BEYOND.rows(connection, {"newest_of_them": newest - ROWS_MAX})]
    if stale:
        connection.execute(answers.delete().where(answers.c.id.in_(stale)))
    return len(stale)
