"""
Tokens of the JSON API: their text, their hash, their scopes.

Owns: how a token looks and what of it is kept. Does not own: storing it (``records.tokens``), or passwords.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from phantom_gateway.records import tokens
from phantom_gateway.records.session import Connection
from phantom_gateway.secret import Secret

LOGIN_VALID = timedelta(days=7)
"""How long a token lives that a password got; the original's."""

LOGINS_KEPT = 1_000
"""Living tokens that a user's password got. A script that logs in at every start makes 143 a day; older ones end."""

TOKEN_LENGTH = 24
"""Characters; the original's clients take it apart nowhere, but its address for checks has room for these."""

_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"


class Scope(StrEnum):
    """What a token may do beyond the ordinary."""

    REVEAL = "reveal"
    """Read stored secrets in clear."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token and its text, which is shown once."""

    text: Secret
    expires_at: datetime | None


def new_text(now: datetime) -> Secret:
    """
    A token of the original's form: three digits, a dash, twenty characters.

    The digits are the day in base 36, as there; the twenty are random, 103 bits, and nobody finds them by trying.
    """
    day = (now.date() - datetime(2001, 1, 1, tzinfo=now.tzinfo).date()).days
    digits = "".join(_LETTERS[day // 36**place % 36] for place in (2, 1, 0))
    return Secret(f"{digits}-" + "".join(secrets.choice(_LETTERS) for _ in range(TOKEN_LENGTH - 4)))


def hash_of(text: str) -> str:
    """What is kept of a token. A fast hash is enough for a text that is random throughout."""
    return hashlib.sha256(b"phantom-gateway token:" + text.encode("utf-8", "surrogatepass")).hexdigest()


def make(
    connection: Connection,
    user_id: int,
    *,
    name: str | None,
    scopes: frozenset[Scope],
    now: datetime,
    valid: timedelta | None,
) -> NewToken:
    """A new token of the user, stored. Without a *name* it is a login's."""
    text = new_text(now)
    expires_at = None if valid is None else now + valid
    tokens.add(
        connection,
        user_id,
        name=name,
        token_hash=hash_of(text.reveal()),
        scopes=scopes,
        now=now,
        expires_at=expires_at,
    )
    if name is None:
        tokens.trim_logins(connection, user_id, LOGINS_KEPT)
    return NewToken(text, expires_at)
