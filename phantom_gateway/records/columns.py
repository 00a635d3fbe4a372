"""
Column types of ours: moments and small documents, the same in every database.

Owns: how both are stored and read. They are read thousands of times a second: what converts is given as it is.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

_read_json = json.JSONDecoder().raw_decode
to_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
"""Compact JSON text. Made once: ``json.dumps`` makes an encoder for every call that is not in its own style."""


class Moment(sa.types.TypeDecorator[datetime]):
    """An aware UTC datetime, stored as integer microseconds: exact, sortable, and the same in every database."""

    impl = sa.BigInteger
    cache_ok = True

    # What converts is given as it is: SQLAlchemy's wrapper around process_bind_param takes as long again.

    def bind_processor(self, dialect: sa.Dialect) -> Callable[[datetime | None], int | None]:  # noqa: ARG002 - SQLAlchemy's signature
        """Microseconds since 1970; None stays None."""
        return _microseconds

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Callable[[int | None], datetime | None]:  # noqa: ARG002 - SQLAlchemy's signature
        """The moment; None stays None."""
        return _moment


class Document(sa.types.TypeDecorator[Any]):
    """A small JSON value, stored as text; never None."""

    impl = sa.Text
    cache_ok = True

    def bind_processor(self, dialect: sa.Dialect) -> Callable[[Any], str]:  # noqa: ARG002 - SQLAlchemy's signature
        """Compact JSON text."""
        return to_json

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Callable[[str | None], Any]:  # noqa: ARG002 - SQLAlchemy's signature
        """The value."""
        return _value


def _microseconds(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - EPOCH) // MICROSECOND


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else EPOCH + timedelta(0, 0, microseconds)


def _value(text: str | None) -> Any:
    if text == "[]":  # most are empty, and decoding one takes longer than finding it
        return []
    if text == "{}":
        return {}
    return None if text is None else _read_json(text)[0]  # our own text: nothing precedes it or follows
