"""
Who calls: from an access key to a user and the secret to check a signature with.

Owns: a short memory of keys, so that a busy client does not cost a look-up per call. Does not own: the check itself.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial

from phantom_gateway.keyring import Keyring
from phantom_gateway.records import users
from phantom_gateway.records.session import Database
from phantom_gateway.records.users import User
from phantom_gateway.secret import Secret

REMEMBERED_S = 1.0
"""A key that is removed or changed stops working within this time, on every gateway."""

REMEMBERED_MAX = 1_000
"""Keys remembered: more users than that call within one second only under attack."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A user, with the secret its requests are signed with."""

    user: User
    secret: Secret


class Callers:
    """Looks up callers by access key."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring
        self._remembered: OrderedDict[str, tuple[float, Caller]] = OrderedDict()

    async def find(self, access_key_id: str) -> Caller | None:
        """The caller whose key this is, or None. Raises RecordsUnavailable."""
        now = asyncio.get_running_loop().time()
        known = self._remembered.get(access_key_id)
        if known is not None and now - known[0] < REMEMBERED_S:
            return known[1]
        user = await self._database.read(partial(users.by_access_key, access_key_id=access_key_id))
        if user is None:
            self._remembered.pop(access_key_id, None)
            return None
        caller = Caller(user, self._keyring.decrypt(user.secret_sealed))
        self._remembered[access_key_id] = (now, caller)
        self._remembered.move_to_end(access_key_id)
        if len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return caller
