"""
The reconciler's memory, in the database: implements :class:`reconciler.ledger.Ledger`.

Owns: which verbs there are, and reading a group for a pass. Does not own: what the verbs write (``ledger_claims``,
``ledger_endings``, ``ledger_notes``), or decisions.
"""

from collections.abc import Callable

from phantom_gateway.config import Limits
from phantom_gateway.keyring import Keyring
from phantom_gateway.records import groups
from phantom_gateway.records.launch_sources import LaunchSources
from phantom_gateway.records.ledger_claims import Claims
from phantom_gateway.records.ledger_endings import Endings
from phantom_gateway.records.ledger_fence import Fence, open_to_all
from phantom_gateway.records.ledger_notes import Notes
from phantom_gateway.records.ledger_reading import record
from phantom_gateway.records.session import Database
from reconciler.model import GroupRecord


class SqlLedger(Claims, Endings, Notes):
    """The ledger of all groups in *database*. See ``Fenced`` for what its verbs have in common."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        new_id: Callable[[], str],
        limits: Limits | None = None,
        fence: Fence = open_to_all,
    ) -> None:
        super().__init__(database, new_id, limits or Limits(), fence)
        self._sources = LaunchSources(keyring)

    async def group_uids(self) -> list[str]:
        """See the port."""
        return await self._database.read(groups.uids)

    async def read(self, uid: str) -> GroupRecord | None:
        """See the port."""
        return await self._database.read(lambda connection: record(connection, uid, self._sources, self._limits))
