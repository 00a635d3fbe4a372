"""
Tokens of the JSON API, hashed: the seven-day ones that a password gets, and those made by hand.

Owns: the queries on ``tokens``. Does not own: making a token's text, hashing it, or what a scope allows.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from phantom_gateway.records.prepared import Prepared
from phantom_gateway.records.tables import tokens, users
from phantom_gateway.records.users import USER_COLUMNS, User

SHOWN_AFTER_END = timedelta(days=30)
"""For how long it can be looked up when a token was revoked; nobody asks later."""


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token as it is shown; its text is known to nobody but its owner. *name* is None for one that a password got."""

    id: int
    user_id: int
    user_name: str
    name: str | None
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    """None: it does not expire."""
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who holds a token that is valid now, and what it may be used for."""

    user: User
    scopes: list[str]
    expires_at: datetime | None


_SHOWN = (
    sa.select(
        tokens.c.id,
        tokens.c.user_id,
        users.c.name.label("user_name"),
        tokens.c.name,
        tokens.c.scopes,
        tokens.c.created_at,
        tokens.c.expires_at,
        tokens.c.revoked_at,
    )
    .join(users, users.c.id == tokens.c.user_id)
    .order_by(users.c.name, tokens.c.id)
)
_BEARER = Prepared(
    sa.select(*USER_COLUMNS, tokens.c.scopes, tokens.c.expires_at)
    .join(users, users.c.id == tokens.c.user_id)
    .where(tokens.c.token_hash == sa.bindparam("token_hash"), tokens.c.revoked_at.is_(None))
)


def bearer(connection: sa.Connection, token_hash: str, now: datetime) -> Bearer | None:
    """Who holds the token with this hash; None when there is none, or it is revoked or expired."""
    row = _BEARER.first(connection, {"token_hash": token_hash})
    if row is None:
        return None
    *user, scopes, expires_at = row
    return None if expires_at is not None and expires_at <= now else Bearer(User(*user), scopes, expires_at)


def add(
    connection: sa.Connection,
    user_id: int,
    *,
    name: str | None,
    token_hash: str,
    scopes: Collection[str],
    now: datetime,
    expires_at: datetime | None,
) -> None:
    """Nothing; the token exists."""
    connection.execute(
        tokens.insert().values(
            user_id=user_id,
            name=name,
            token_hash=token_hash,
            scopes=sorted(scopes),
            created_at=now,
            expires_at=expires_at,
            revoked_at=None,
        )
    )


def made(connection: sa.Connection, user_id: int | None = None) -> list[TokenRow]:
    """The tokens that were made by hand, not by a password, of this user or of all; by user and age."""
    query = _SHOWN.where(tokens.c.name.is_not(None))
    if user_id is not None:
        query = query.where(tokens.c.user_id == user_id)
    return [TokenRow(*row) for row in connection.execute(query)]


def living(connection: sa.Connection, user_id: int, name: str, now: datetime) -> TokenRow | None:
    """The user's token called *name* that is neither revoked nor expired, or None."""
    alive = sa.or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > now)
    query = _SHOWN.where(tokens.c.user_id == user_id, tokens.c.name == name, tokens.c.revoked_at.is_(None), alive)
    row = connection.execute(query).first()
    return None if row is None else TokenRow(*row)


def revoke(connection: sa.Connection, token_id: int, now: datetime) -> None:
    """Nothing; nobody gets in with this token any more."""
    connection.execute(tokens.update().where(tokens.c.id == token_id).values(revoked_at=now))


def forget_logins(connection: sa.Connection, user_id: int) -> None:
    """Nothing; every token that a password got is gone."""
    connection.execute(tokens.delete().where(tokens.c.user_id == user_id, tokens.c.name.is_(None)))


def trim_logins(connection: sa.Connection, user_id: int, kept: int) -> None:
    """Nothing; of the tokens that a password got, the user has the newest *kept*."""
    mine = (tokens.c.user_id == user_id, tokens.c.name.is_(None))
    newest = sa.select(tokens.c.id).where(*mine).order_by(tokens.c.id.desc()).limit(kept)
    connection.execute(tokens.delete().where(*mine, tokens.c.id.not_in(newest)))


def prune(connection: sa.Connection, now: datetime) -> int:
    """How many tokens are forgotten because they were revoked or expired ``SHOWN_AFTER_END`` ago."""
    before = now - SHOWN_AFTER_END
    is_past = sa.or_(tokens.c.expires_at < before, tokens.c.revoked_at < before)
    return connection.execute(tokens.delete().where(is_past)).rowcount
