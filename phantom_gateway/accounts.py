"""
Who launches where: a user's own credentials on a cloud, else the operator's.

Owns: the account book that the reconciler reads, kept up to date with the records, and when one account takes the
place of another: only while no VM of the user is on the cloud, so that none is looked for where it is not. Does not
own: building clouds (``clouds``), nor storing credentials (``records.accounts``).
"""

import asyncio
import functools
import hashlib
import json
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from backends.cloud import Cloud
from phantom_gateway.closed_cloud import ClosedCloud
from phantom_gateway.clouds import OwnCloudOf, build_own_cloud, traits_of
from phantom_gateway.config import RemoteCloudSettings
from phantom_gateway.credentials import Credentials
from phantom_gateway.installation import Installation
from phantom_gateway.keyring import Keyring, KeyringError
from phantom_gateway.records import accounts as records
from phantom_gateway.records.accounts import AccountState, StoredAccount
from phantom_gateway.secret import Secret
from reconciler.accounts import Account

log = logging.getLogger(__name__)

REFRESH_EVERY_S = 1.0
"""Seconds between two looks at the records (a millisecond each). Longer: new credentials are in use later."""

RETIRED_KEPT_S = 150.0
"""
Seconds for which a cloud whose credentials were changed stays open: the longest call of one with its default timeouts.

Closed earlier, a launch under way would be cut off, and what it did would have to be found out.
"""

Key = tuple[int, str]
"""A user's id and the name of a cloud."""


def seal(keyring: Keyring, credentials: Credentials) -> str:
    """One sealed text that holds both halves of the key."""
    halves = {
        "access_key_id": credentials.access_key_id,
        "secret_access_key": credentials.secret_access_key.reveal(),
    }
    return keyring.encrypt(Secret(json.dumps(halves)))


def unseal(keyring: Keyring, account: StoredAccount) -> Credentials | None:
    """The credentials of *account*; None when they were removed. Raises KeyringError when no key opens them."""
    if account.credentials_sealed is None:
        return None
    halves = json.loads(keyring.decrypt(account.credentials_sealed).reveal())
    return Credentials(halves["access_key_id"], Secret(halves["secret_access_key"]), account.key_name)


def fingerprint(credentials: Credentials) -> tuple[str, str]:
    """The beginning of the key id, and a hash that tells pairs apart: what may be shown of credentials."""
    shown = credentials.access_key_id[: min(4, len(credentials.access_key_id) // 2)] + "..."
    pair = f"{credentials.access_key_id}\n{credentials.secret_access_key.reveal()}"
    return shown, hashlib.sha256(b"phantom-gateway account:" + pair.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class _Own:
    """A user's own account as it is used now, made from the row with this id and version."""

    row: tuple[int, int, AccountState]
    account: Account
    is_whole: bool = True
    """False: its credentials could not be opened; it is tried again."""


class GatewayAccounts:
    """
    The account book. *operators* are the operator's clouds by name; *own_cloud_of* makes a user's.

    Its answers change in :meth:`refresh` alone, which has to be awaited once before the reconciler asks.
    """

    def __init__(
        self,
        installation: Installation,
        operators: Mapping[str, Cloud],
        clock: Callable[[], datetime],
        own_cloud_of: OwnCloudOf = build_own_cloud,
    ) -> None:
        self._settings = installation.config.clouds
        self._database = installation.database
        self._keyring = installation.keyring
        self._clock = clock
        self._build = functools.partial(own_cloud_of, installation.config, installation.gateway_id, clock)
        self._operators = {name: self._account(name, name, cloud) for name, cloud in operators.items()}
        self._own: dict[Key, _Own] = {}
        self._retired: list[tuple[datetime, Cloud]] = []
        self._told: set[tuple[int, int, AccountState]] = set()
        self._refreshing = asyncio.Lock()
        self._is_new = True

    # What the reconciler asks.

    def account(self, user_id: int, cloud_name: str) -> Account | None:
        """The user's own account on that cloud, else the operator's; None when there is neither."""
        own = self._own.get((user_id, cloud_name))
        return self._operators.get(cloud_name) if own is None else own.account

    def accounts(self) -> list[Account]:
        """The operator's accounts, and every user's own."""
        return [*self._operators.values(), *(own.account for own in self._own.values())]

    # Following the records.

    async def refresh(self) -> list[str]:
        """
        The uids of groups whose accounts are others than before: they want a pass.

        Raises RecordsUnavailable: then all stays as it was.
        """
        async with self._refreshing:
            rows = await self._database.read(records.everyone)
            before = {key: own.account for key, own in self._own.items()}
            for key in self._own.keys() - {(row.user_id, row.cloud) for row in rows}:
                self._retire(self._own.pop(key).account.cloud)
            for row in rows:
                if isinstance(self._settings.get(row.cloud), RemoteCloudSettings):
                    await self._settle(row)
                else:
                    self._tell("account.without_cloud", row)
            self._is_new = False
            self._told &= {_row_of(row) for row in rows}
            await self._close_retired()
            after = {key: own.account for key, own in self._own.items()}
            users = {key[0] for key in before.keys() | after.keys() if before.get(key) is not after.get(key)}
            return await self._database.read(lambda connection: records.groups_of(connection, users)) if users else []

    async def close(self) -> None:
        """Nothing; users' clouds let go of everything. The operator's belong to who made them."""
        for _, cloud in self._retired:
            await cloud.close()
        for own in self._own.values():
            await own.account.cloud.close()
        self._retired.clear()
        self._own.clear()

    async def _settle(self, row: StoredAccount) -> None:
        """Nothing; the book says of this user and cloud what the row asks for."""
        match row.state:
            case AccountState.USED:
                self._use(row)
            case AccountState.WAITING:
                await self._hand_over(row)
            case AccountState.REMOVED:
                await self._let_go(row)

    def _use(self, row: StoredAccount) -> None:
        known = self._own.get((row.user_id, row.cloud))
        if known is not None and known.row == _row_of(row) and known.is_whole:
            return
        try:
            credentials = unseal(self._keyring, row)
            assert credentials is not None, "only removed accounts have none"
        except KeyringError as error:
            self._tell("account.not_opened", row, str(error))
            if known is None or known.row != _row_of(row):
                self._put_closed(row, f"the credentials of {row.user_name} cannot be opened", is_whole=False)
            return
        self._put(row, self._build(row.cloud, credentials))
        log.info("account.used", extra={"cloud": row.cloud, "user": row.user_name, "version": row.version})

    async def _hand_over(self, row: StoredAccount) -> None:
        """
        Nothing; the account is used when no VM of the user is on the cloud, the operator's as long as there is one.

        A pass under way may still claim VMs in the operator's account: so the cloud is closed first, for one round.
        At the start there are no passes.
        """
        key = (row.user_id, row.cloud)
        known = self._own.get(key)
        if row.vms:
            self._tell("account.waits", row)
            if known is not None:
                del self._own[key]
        elif self._is_new or (known is not None and known.row[0] == row.id):
            await self._database.write(lambda connection: records.take_up(connection, row))
            fresh = await self._database.read(lambda connection: records.find(connection, *key))
            if fresh is not None and fresh.state is AccountState.USED:
                self._use(fresh)
        else:
            self._put_closed(row, f"the account of {row.user_name} is about to be used", opens_soon=True)

    async def _let_go(self, row: StoredAccount) -> None:
        """Nothing; nobody uses the account, and it is forgotten once no VM of the user is on the cloud."""
        key = (row.user_id, row.cloud)
        known = self._own.get(key)
        if known is None or known.row != _row_of(row):
            self._put_closed(row, f"the credentials of {row.user_name} were removed")
        elif not row.vms:
            await self._database.write(lambda connection: records.drop(connection, row))
            del self._own[key]
        if row.vms:
            self._tell("account.unreachable", row, "VMs are there, and the credentials were removed: set them again")

    # Parts.

    def _put(self, row: StoredAccount, cloud: Cloud, *, is_whole: bool = True) -> None:
        key = (row.user_id, row.cloud)
        if key in self._own:
            self._retire(self._own[key].account.cloud)
        account = self._account(f"{row.cloud}/{row.user_name}", row.cloud, cloud)
        self._own[key] = _Own(_row_of(row), account, is_whole)

    def _put_closed(self, row: StoredAccount, reason: str, *, opens_soon: bool = False, is_whole: bool = True) -> None:
        settings = self._settings[row.cloud]
        assert isinstance(settings, RemoteCloudSettings), "others have no accounts"
        traits = traits_of(settings)
        self._put(row, ClosedCloud(row.cloud, traits, reason, opens_soon=opens_soon), is_whole=is_whole)

    def _account(self, key: str, cloud_name: str, cloud: Cloud) -> Account:
        """An account with the budget that is configured for its cloud."""
        settings = self._settings.get(cloud_name)
        vms_max = settings.vms_per_cloud_max if isinstance(settings, RemoteCloudSettings) else None
        rate = math.inf if settings is None else settings.launches_per_minute_max
        return Account(key, cloud, cloud.traits, vms_max=vms_max, launches_per_minute_max=rate)

    def _retire(self, cloud: Cloud) -> None:
        self._retired.append((self._clock() + timedelta(seconds=RETIRED_KEPT_S), cloud))

    async def _close_retired(self) -> None:
        now = self._clock()
        due = [each for each in self._retired if each[0] <= now]
        self._retired = [each for each in self._retired if each[0] > now]
        for _, cloud in due:
            await cloud.close()

    def _tell(self, event: str, row: StoredAccount, reason: str = "") -> None:
        """Nothing; a warning is logged, once for each state of the row."""
        if _row_of(row) not in self._told:
            self._told.add(_row_of(row))
            extra = {"cloud": row.cloud, "user": row.user_name, "vms": row.vms, "reason": reason}
            log.warning(event, extra=extra)


def _row_of(row: StoredAccount) -> tuple[int, int, AccountState]:
    return row.id, row.version, row.state
