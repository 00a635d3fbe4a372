"""A key that is taken away lets nobody in, on any gateway, a second later; what it started lives on."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from phantom_gateway import access_keys, tokens
from phantom_gateway.config import Config
from phantom_gateway.front.callers import REMEMBERED_S
from phantom_gateway.front.callers import Callers as QueryCallers
from phantom_gateway.front.http_api.callers import Callers as JsonCallers
from phantom_gateway.front.http_api.callers import Pair
from phantom_gateway.operations.http_api.errors import JsonError
from phantom_gateway.records import tokens as records
from phantom_gateway.records import users
from phantom_gateway.records.session import Database
from phantom_gateway.secret import Secret
from phantom_gateway.tokens import hash_of
from tests.phantom_gateway.office import Office
from tests.support.canary import planted

GATEWAYS = 2


class Ahead:
    """Moves the running loop's clock: what is remembered for a second is forgotten without waiting for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        real = loop.time
        self.by_s = 0.0
        monkeypatch.setattr(loop, "time", lambda: real() + self.by_s)


@pytest.fixture
def databases(office: Office) -> list[Database]:
    """One database as several gateways have it open: each with connections of its own."""
    return [office.database, Database(office.database.url)]


def test_the_memory_of_keys_is_short() -> None:
    """F97: no gateway remembers a key for longer than a second."""
    assert REMEMBERED_S <= 1.0


@pytest.mark.parametrize("change", ["removed", "another secret", "revoked"])
async def test_a_key_that_is_taken_away_stops_working(
    office: Office, databases: list[Database], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: str
) -> None:
    """F97: a second after the key went, or has another secret, no gateway verifies with what it was."""
    ahead = Ahead(monkeypatch)
    gateways = [QueryCallers(database, office.keyring) for database in databases]
    key = office.user.access_key_id
    before = [await gateway.find(key) for gateway in gateways]
    new = Secret(planted("/after+rotation"))

    if change == "removed":
        office.database.write_now(partial(users.remove, user_id=office.user.id))
    elif change == "revoked":
        config = Config(source=None, state_directory=tmp_path)
        office.database.write_now(
            partial(access_keys.add, keyring=office.keyring, config=config, user=office.user, now=office.now)
        )
        office.database.write_now(partial(access_keys.revoke, config=config, access_key_id=key))
    else:
        values = {"secret_sealed": office.keyring.encrypt(new)}
        office.database.write_now(lambda connection: users.change(connection, office.user.id, values))
    ahead.by_s = REMEMBERED_S
    after = [await gateway.find(key) for gateway in gateways]
    databases[1].close()

    assert all(caller is not None for caller in before)
    assert [None if caller is None else caller.secret for caller in after] == [
        new if change == "another secret" else None
    ] * GATEWAYS


async def test_a_token_that_is_revoked_stops_working(
    office: Office, databases: list[Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    """F97: the same for tokens of the JSON API."""
    ahead = Ahead(monkeypatch)
    gateways = [JsonCallers(database, lambda: office.now) for database in databases]
    made = office.database.write_now(
        lambda connection: tokens.make(
            connection, office.user.id, name="script", scopes=frozenset(), now=office.now, valid=None
        )
    )
    pair = Pair(office.user.id, hash_of(made.text.reveal()))
    for gateway in gateways:
        assert (await gateway.find(pair)).user.id == office.user.id

    (row,) = office.database.read_now(partial(records.made, user_id=office.user.id))
    office.database.write_now(partial(records.revoke, token_id=row.id, now=office.now))
    ahead.by_s = REMEMBERED_S
    for gateway in gateways:
        with pytest.raises(JsonError):
            await gateway.find(pair)
    databases[1].close()


def test_machines_outlive_the_key_that_launched_them(office: Office) -> None:
    """F97: another secret changes neither group nor instances."""
    office.create_launch_configuration()
    office.create_group()
    office.fill()
    before = (office.record(), office.states())

    values = {"secret_sealed": office.keyring.encrypt(Secret(planted("/x")))}
    office.database.write_now(lambda connection: users.change(connection, office.user.id, values))

    assert (office.record(), office.states()) == before
