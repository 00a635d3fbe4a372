"""
A user's two access keys: both sign, a limit holds, and whichever is revoked the other one stays.

Owns: the rules, on records of both kinds, and the commands. That no call fails meanwhile: ``tests/processes``.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from phantom_gateway import access_keys
from phantom_gateway.cli import app
from phantom_gateway.config import Config, UserSettings
from phantom_gateway.front.callers import Callers
from phantom_gateway.installation import InstallationError, generated_user
from phantom_gateway.records import access_keys as records
from phantom_gateway.records import users
from phantom_gateway.records.copying import copy
from phantom_gateway.records.session import Database, sqlite_url
from phantom_gateway.secret import Secret
from tests.phantom_gateway.office import SECRET, Office

FIRST = "AKIAALICEALICEALICE1"


class Keys:
    """Alice's keys, in an office whose configuration names nobody."""

    def __init__(self, office: Office, tmp_path: Path) -> None:
        self.office = office
        self.config = Config(source=None, state_directory=tmp_path)

    def add(self) -> tuple[str, Secret]:
        """A second pair."""
        office = self.office
        return office.database.write_now(
            lambda connection: access_keys.add(connection, office.keyring, self.config, office.user, office.now)
        )

    def revoke(self, access_key_id: str) -> None:
        """Nothing; it is revoked."""
        self.office.database.write_now(lambda connection: access_keys.revoke(connection, self.config, access_key_id))

    def ids(self) -> list[str]:
        """Of all of hers, the oldest first."""
        found = self.office.database.read_now(lambda connection: records.of_user(connection, self.office.user.id))
        return [key.access_key_id for key in found]

    async def secret(self, access_key_id: str) -> str | None:
        """What a gateway that was just started checks signatures of this key with; None when it lets nobody in."""
        caller = await Callers(self.office.database, self.office.keyring).find(access_key_id)
        assert caller is None or caller.user.access_key_id == access_key_id
        assert caller is None or caller.user.id == self.office.user.id
        return None if caller is None else caller.secret.reveal()


@pytest.fixture
def keys(office: Office, tmp_path: Path) -> Keys:
    """Of Alice, who has one."""
    return Keys(office, tmp_path)


async def test_both_keys_let_in_with_the_secret_of_each(keys: Keys) -> None:
    """The new key is good at once, and the old one as before."""
    second, secret = keys.add()

    assert keys.ids() == [FIRST, second]
    assert (await keys.secret(FIRST), await keys.secret(second)) == (SECRET, secret.reveal())


@pytest.mark.parametrize("revoked", [0, 1])
async def test_the_one_that_is_not_revoked_stays(keys: Keys, revoked: int) -> None:
    """Whichever of the two it is; and the user can be given another second one, again and again."""
    secrets = {FIRST: SECRET}
    for _ in range(3):
        second, secret = keys.add()
        secrets[second] = secret.reveal()
        gone, stays = keys.ids()[revoked], keys.ids()[1 - revoked]
        keys.revoke(gone)

        assert keys.ids() == [stays]
        assert (await keys.secret(gone), await keys.secret(stays)) == (None, secrets[stays])


def test_the_order_is_that_of_their_making(keys: Keys) -> None:
    """A key that took the place of a revoked one keeps its age."""
    keys.office.later(60)
    second, _ = keys.add()
    keys.revoke(FIRST)
    keys.office.later(60)
    third, _ = keys.add()
    found = keys.office.database.read_now(lambda connection: records.of_user(connection, keys.office.user.id))

    assert [(key.access_key_id, (keys.office.now - key.created_at).total_seconds()) for key in found] == [
        (second, 60.0),
        (third, 0.0),
    ]


def test_there_are_two_at_the_most_and_one_at_the_least(keys: Keys) -> None:
    """What is refused says which keys there are, or what to do first; nothing is changed by it."""
    with pytest.raises(InstallationError, match="the only access key of alice; make another one first"):
        keys.revoke(FIRST)
    second, _ = keys.add()
    with pytest.raises(InstallationError, match=f"2 access keys already, {FIRST} and {second}; revoke the one"):
        keys.add()
    with pytest.raises(InstallationError, match="There is no access key AKIANOBODY"):
        keys.revoke("AKIANOBODY")

    assert keys.ids() == [FIRST, second]


def test_a_user_of_the_configuration_keeps_the_key_that_it_says(keys: Keys) -> None:
    """Else the next start would not find what the file says. A second one from before may be revoked."""
    second, _ = keys.add()
    configured = UserSettings(name="alice", access_key_id=FIRST, secret_access_key=Secret(SECRET))
    keys.config = dataclasses.replace(keys.config, users=(configured,), source=Path("phantom.toml"))

    with pytest.raises(InstallationError, match=r"alice stands in the configuration \(phantom.toml\), and keeps"):
        keys.add()
    with pytest.raises(InstallationError, match=r"stands in the configuration \(phantom.toml\), and is good"):
        keys.revoke(FIRST)
    keys.revoke(second)
    assert keys.ids() == [FIRST]


def test_no_two_users_have_one_key(keys: Keys) -> None:
    """A second key is taken, too."""
    second, _ = keys.add()

    with pytest.raises(InstallationError, match="belongs to another user"):
        keys.office.add_user("bob", second, "222222222222")


async def test_keys_go_with_their_user(keys: Keys) -> None:
    """Whoever is removed has none."""
    second, _ = keys.add()
    keys.office.database.write_now(lambda connection: users.remove(connection, keys.office.user.id))

    assert (await keys.secret(FIRST), await keys.secret(second)) == (None, None)


async def test_second_keys_are_copied_with_all_else(keys: Keys, tmp_path: Path) -> None:
    """``db copy`` takes them along, sealed as they are."""
    second, secret = keys.add()
    target = Database(sqlite_url(tmp_path / "copy.db"))
    target.migrate()
    copy(keys.office.database, target, lambda *_: None)
    caller = await Callers(target, keys.office.keyring).find(second)
    target.close()

    assert caller is not None
    assert caller.secret == secret


def test_the_secret_is_sealed(keys: Keys) -> None:
    """What is on record does not show it."""
    _, secret = keys.add()
    found = keys.office.database.read_now(lambda connection: records.of_user(connection, keys.office.user.id))

    assert secret.reveal() not in found[1].secret_sealed
    assert keys.office.keyring.decrypt(found[1].secret_sealed) == secret


class Line:
    """The command line of an installation with Bob, and Carol of the configuration."""

    def __init__(self, directory: Path) -> None:
        carol = generated_user("carol")
        self.config = directory / "phantom.toml"
        self.config.write_text(
            'state_directory = "state"\n[clouds.alamo]\nkind = "local"\n[[users]]\nname = "carol"\n'
            f'access_key_id = "{carol.access_key_id}"\nsecret_access_key = "{carol.secret_access_key.reveal()}"\n'
        )
        self.carol = carol.access_key_id

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, output and errors of a command."""
        result = CliRunner().invoke(app, [*arguments, "--config", str(self.config)], env={"COLUMNS": "200"})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    def told(self, *arguments: str) -> Any:
        """What a command that succeeds prints as JSON."""
        code, out, err = self(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)


@pytest.fixture
def line(tmp_path: Path) -> Line:
    """A command line of its own."""
    return Line(tmp_path)


def test_a_key_is_changed_by_commands(line: Line) -> None:
    """Shown once, listed without its secret, given out by ``env`` as the newer one, revoked, and on record."""
    first = line.told("users", "add", "bob")
    second = line.told("users", "key", "add", "bob")
    listed = line("users", "key", "list", "bob", "--json")[1]
    exported = line("env", "--user", "bob")[1]
    code, said, _ = line("users", "key", "revoke", first["access_key_id"])
    on_record = [(entry["action"], entry["detail"]) for entry in line.told("audit", "list")]

    assert [row["access_key_id"] for row in json.loads(listed)] == [first["access_key_id"], second["access_key_id"]]
    assert not any(pair["secret_access_key"] in listed for pair in (first, second))
    assert f"AWS_SECRET_ACCESS_KEY={second['secret_access_key']}" in exported
    assert (code, said) == (0, f"{first['access_key_id']} of bob is revoked.\n")
    assert [row["access_key_id"] for row in line.told("users", "key", "list", "bob")] == [second["access_key_id"]]
    assert line.told("users", "list")[0]["access_key_id"] == second["access_key_id"]
    assert ("phantom-gateway users key add", second["access_key_id"]) in on_record
    assert ("phantom-gateway users key revoke", first["access_key_id"]) in on_record


def test_what_cannot_be_is_refused_in_a_line(line: Line) -> None:
    """Exit code 2, the reason, and nothing else."""
    line.told("users", "add", "bob")
    for arguments, told in (
        (["users", "key", "add", "carol"], "carol stands in the configuration"),
        (["users", "key", "add", "dave"], "the users are: bob, carol"),
        (["users", "key", "revoke", line.carol], "is good for as long as it does"),
        (["users", "key", "revoke", "AKIANOBODY"], "users key list shows those there are"),
    ):
        code, out, err = line(*arguments)

        assert (code, out) == (2, "")
        assert told in err


def test_everybodys_keys_are_listed(line: Line) -> None:
    """By the name of the user, the oldest first."""
    line.told("users", "add", "bob")
    second = line.told("users", "key", "add", "bob")["access_key_id"]
    rows = line.told("users", "key", "list")

    assert [row["user"] for row in rows] == ["bob", "bob", "carol"]
    assert [row["access_key_id"] for row in rows][1:] == [second, line.carol]
