"""
What every verb of the ledger begins with: the group's row, held, and the word of the fence.

Owns: whether a change may be written at all. Does not own: what is written (``ledger_claims``, ``ledger_endings``,
``ledger_notes``), or leases, which the fence knows.
"""

from collections.abc import Callable, Collection, Sequence

import sqlalchemy as sa

from phantom_gateway.config import Limits
from phantom_gateway.records import groups, instances
from phantom_gateway.records.groups import GroupRow
from phantom_gateway.records.instances import InstanceRow
from phantom_gateway.records.session import Database
from reconciler.model import InstanceState

Fence = Callable[[sa.Connection, str], None]
"""Raises LeaseLost when the group of this uid is not this gateway's until the transaction ends."""


Vet = Callable[[sa.Connection, str, Collection[str], Collection[str]], None]
"""Raises when, on a cloud, one of these machines must not be terminated, or one with these tokens not taken in."""


def anything_goes(
    _connection: sa.Connection, _cloud: str, _machine_ids: Collection[str], _tokens: Collection[str]
) -> None:
    """The vet of records that nobody can have copied."""


def open_to_all(_connection: sa.Connection, _uid: str) -> None:
    """The fence of a database that one gateway has for itself."""


class Fenced:
    """
    Verbs on groups in *database*. *new_id* makes activity ids; *limits* are the operator's ceilings.

    Every verb that writes asks the *fence* in its transaction, and has the group's row while it does: so nothing is
    written for a group that is another gateway's. Such verbs raise :class:`reconciler.lease.LeaseLost`. *vet* has a
    word before a machine for which no instance stands is terminated, or taken in.
    """

    def __init__(self, database: Database, new_id: Callable[[], str], limits: Limits, fence: Fence) -> None:
        self.vet: Vet = anything_goes
        self._database = database
        self._new_id = new_id
        self._limits = limits
        self._fence = fence

    def _group(self, connection: sa.Connection, uid: str) -> GroupRow | None:
        """The group, to be changed by this transaction alone. Raises LeaseLost."""
        group = groups.by_uid(connection, uid)
        self._fence(connection, uid)
        return group

    def _rows(self, connection: sa.Connection, keys: Sequence[int]) -> list[InstanceRow]:
        """The instances, with their groups to be changed by this transaction alone. Raises LeaseLost."""
        if self._fence is not open_to_all:
            for uid in sorted(instances.hold_groups(connection, keys)):
                self._fence(connection, uid)
        return instances.by_keys(connection, keys)

    def _in_state(self, connection: sa.Connection, keys: Sequence[int], *states: InstanceState) -> list[InstanceRow]:
        return [row for row in self._rows(connection, keys) if row.state in states]
