"""The database's ledger keeps the contract that the oracle in memory keeps."""

import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from phantom_gateway.config import UserSettings
from phantom_gateway.installation import add_user
from phantom_gateway.keyring import Keyring, new_key
from phantom_gateway.records import activities, groups, launch_configurations
from phantom_gateway.records.ledger import SqlLedger
from phantom_gateway.records.session import Connection, Database
from phantom_gateway.secret import Secret
from tests.reconciler.ledger_contract import NOW, LedgerContract


class SqlSeeder:
    """Makes groups as the operations do, without their rules."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self.database = database
        settings = UserSettings(
            name="alice", access_key_id="AKIAALICEALICEALICE1", secret_access_key=Secret("s"), account_id="1" * 12
        )
        self.user = database.write_now(lambda connection: add_user(connection, keyring, settings, NOW))

    async def add_group(
        self,
        uid: str,
        name: str,
        minimum: int,
        maximum: int,
        desired: int,
        clouds: Sequence[str] = ("hotel",),
        generation: int = 1,
    ) -> None:
        """A group with a launch configuration of its own on each cloud."""

        def job(connection: Connection) -> None:
            for cloud in clouds:
                launch_configurations.add(
                    connection,
                    self.user.id,
                    name=f"{name}@{cloud}",
                    base_name=name,
                    cloud=cloud,
                    uid=f"{uid}-{cloud}",
                    image_id="hello",
                    instance_type="m1.small",
                    key_name=None,
                    user_data_sealed=None,
                    settings={},
                    created_at=NOW,
                )
            values: dict[str, Any] = {
                "uid": uid,
                "user_id": self.user.id,
                "name": name,
                "launch_configuration": f"{name}@{clouds[0]}",
                "minimum": minimum,
                "maximum": maximum,
                "desired": desired,
                "cooldown_s": 300,
                "zones": list(clouds),
                "termination_policies": ["Default"],
                "new_instances_protected": False,
                "settings": {},
                "causes": [],
                "created_at": NOW,
                "generation": generation,
            }
            groups.add(connection, values)

        await self.database.write(job)

    async def set_desired(self, uid: str, desired: int) -> None:
        """Another desired capacity."""
        await self._change(uid, {"desired": desired})

    async def mark_deleting(self, uid: str) -> None:
        """The group is being deleted."""
        await self._change(uid, {"deleting": True})

    async def resume(self, uid: str, process: str) -> None:
        """As ResumeProcesses does it."""

        def job(connection: Connection) -> None:
            group = groups.by_uid(connection, uid)
            assert group is not None
            suspended = {name: reason for name, reason in group.suspended.items() if name != process}
            groups.change(connection, group.id, {"suspended": suspended}, NOW)
            groups.note_launches(connection, group.id, None, 0)

        await self.database.write(job)

    async def activities(self, uid: str) -> list[tuple[str, str, str, str | None]]:
        """(description, status code, cause, status message), oldest first."""

        def job(connection: Connection) -> list[tuple[str, str, str, str | None]]:
            rows = activities.page(
                connection,
                self.user.id,
                group_name=None,
                activity_ids=None,
                include_deleted=True,
                after=None,
                size=1000,
            )
            rows.sort(key=lambda row: row.id)
            return [
                (row.description, row.status_code, row.cause, row.status_message)
                for row in rows
                if row.group_uid == uid
            ]

        return await self.database.read(job)

    async def _change(self, uid: str, values: dict[str, Any]) -> None:
        def job(connection: Connection) -> None:
            group = groups.by_uid(connection, uid)
            assert group is not None
            groups.change(connection, group.id, values, NOW)

        await self.database.write(job)


@pytest.fixture
def keyring() -> Keyring:
    """A keyring of the test's own."""
    return Keyring([new_key()], "the test")


@pytest.fixture
def seed(database: Database, keyring: Keyring) -> SqlSeeder:
    """The words that make groups."""
    return SqlSeeder(database, keyring)


@pytest.fixture
def ledger(database: Database, keyring: Keyring) -> SqlLedger:
    """The ledger under test."""
    numbers = itertools.count(1)
    return SqlLedger(database, keyring, lambda: f"activity-{next(numbers)}")


class TestSqlLedger(LedgerContract):
    """Runs the contract."""
