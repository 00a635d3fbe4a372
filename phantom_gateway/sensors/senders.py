"""
In whose name a point is sent: from credentials to a user, with a short memory.

Owns: the rules (password or token; nothing on loopback where the operator allows it), and what keeps guessing slow.
Does not own: where credentials stand in a request. Credentials are never kept: the memory knows a keyed hash of them.
"""

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from phantom_gateway.passwords import CannotCheck, fits
from phantom_gateway.records import users
from phantom_gateway.records.session import Connection, Database, RecordsUnavailable
from phantom_gateway.records.users import User
from phantom_gateway.secret import Secret
from phantom_gateway.sensors.whereabouts import NoTarget

REMEMBERED_S = 30.0
"""A changed password works on for this long. Checking one takes 50 ms of a processor, and lines come by thousands."""

REMEMBERED_MAX = 1_000
"""Credentials remembered, right and wrong ones."""

GUESSES_MAX = 10
"""Wrong passwords of one user name within ``GUESSES_S``; then none is checked any more until they are over."""

GUESSES_S = 60.0

TokenOwner = Callable[[Connection, str, datetime], User | None]
"""Who holds a token now; None: nobody."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a point says of its sender; all of it may be empty."""

    user: str = ""
    password: Secret | None = None
    token: Secret | None = None

    @property
    def is_empty(self) -> bool:
        """True when nothing proves anything: a user's name alone is no secret."""
        return self.password is None and self.token is None


NOBODY = Credentials()


def credentials_in(tags: Mapping[str, str]) -> Credentials:
    """The credentials among *tags*."""
    password, token = tags.get("password"), tags.get("token")
    return Credentials(
        tags.get("user", ""), None if password is None else Secret(password), None if token is None else Secret(token)
    )


class Senders:
    """Knows who sends. *anonymous*: on loopback, points without credentials count for the instance they come from."""

    def __init__(
        self, database: Database, now: Callable[[], datetime], owner_of: TokenOwner, *, anonymous: bool
    ) -> None:
        self._database = database
        self._now = now
        self._owner_of = owner_of
        self._anonymous = anonymous
        self._remembered: OrderedDict[bytes, tuple[float, int | None]] = OrderedDict()
        self._guesses: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._key = secrets.token_bytes(32)
        self._checking = asyncio.Lock()

    async def user_id(self, credentials: Credentials, *, on_loopback: bool) -> int | None:
        """
        Whose points these are; None: nobody's in particular, which is allowed here.

        Raises NoTarget (``anonymous``, ``bad_credentials``, ``too_many_guesses``) and RecordsUnavailable.
        """
        if credentials.is_empty:
            if self._anonymous and on_loopback:
                return None
            raise NoTarget("anonymous")
        key = self._hashed(credentials)
        known = self._known(key)
        if known is None:
            # One at a time: a hash takes 64 MiB and a processor, and a hundred VMs come back with the same password.
            async with self._checking:
                known = self._known(key) or self._remember(key, await self._found(credentials))
        if known[1] is None:
            raise NoTarget("bad_credentials")
        return known[1]

    def _known(self, key: bytes) -> tuple[float, int | None] | None:
        known = self._remembered.get(key)
        is_fresh = known is not None and asyncio.get_running_loop().time() - known[0] <= REMEMBERED_S
        return known if is_fresh else None

    def _remember(self, key: bytes, user_id: int | None) -> tuple[float, int | None]:
        known = self._remembered[key] = asyncio.get_running_loop().time(), user_id
        self._remembered.move_to_end(key)
        if len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return known

    def _hashed(self, credentials: Credentials) -> bytes:
        parts = [
            credentials.user,
            *(each.reveal() if each else "" for each in (credentials.password, credentials.token)),
        ]
        return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), key=self._key).digest()

    async def _found(self, credentials: Credentials) -> int | None:
        if credentials.token is not None:
            token, now = credentials.token.reveal(), self._now()
            owner = await self._database.read(lambda connection: self._owner_of(connection, token, now))
            if owner is None or not credentials.user:
                return None if owner is None else owner.id
            said = await self._database.read(lambda connection: _user(connection, credentials.user))
            return owner.id if said is not None and said.id == owner.id else None
        user = await self._database.read(lambda connection: _user(connection, credentials.user))
        if user is None or user.password_hash is None or credentials.password is None:
            return None
        self._check_guesses(user.name)
        loop = asyncio.get_running_loop()
        try:
            is_right = await loop.run_in_executor(None, fits, credentials.password, user.password_hash)
        except CannotCheck as error:
            raise RecordsUnavailable(f"a password cannot be checked: {error}") from error
        if not is_right:
            self._note_guess(user.name)
        return user.id if is_right else None

    def _check_guesses(self, name: str) -> None:
        began_s, guesses = self._guesses.get(name, (0.0, 0))
        if guesses >= GUESSES_MAX and asyncio.get_running_loop().time() - began_s < GUESSES_S:
            raise NoTarget("too_many_guesses")

    def _note_guess(self, name: str) -> None:
        now_s = asyncio.get_running_loop().time()
        began_s, guesses = self._guesses.get(name, (now_s, 0))
        if now_s - began_s >= GUESSES_S:
            began_s, guesses = now_s, 0
        self._guesses[name] = began_s, guesses + 1
        if len(self._guesses) > REMEMBERED_MAX:
            self._guesses.popitem(last=False)


def _user(connection: Connection, name: str) -> User | None:
    """The user with this name, access key or id."""
    found = users.by_name(connection, name) or users.by_access_key(connection, name)
    if found is None and name.isascii() and name.isdigit() and len(name) < 19:  # noqa: PLR2004 - fits every database
        found = users.by_id(connection, int(name))
    return found
