"""The commands about credentials: what they keep, what they show, what they refuse; and keys changed in use."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from phantom_gateway import clock
from phantom_gateway.account_rules import SECRET_LENGTH_MAX
from phantom_gateway.accounts import unseal
from phantom_gateway.cli import app
from phantom_gateway.cli_accounts import SECRET_VARIABLE
from phantom_gateway.config import load
from phantom_gateway.installation import Installation, open_installation
from phantom_gateway.keyring import KEYS_MAX, KEYS_VARIABLE, Keyring, KeyringError, new_key
from phantom_gateway.records import accounts, sealed, users
from phantom_gateway.records.columns import Document
from phantom_gateway.records.tables import groups, instances, launch_configurations, metadata
from phantom_gateway.secret import Secret

CONFIG = """\
state_directory = "state"

[[users]]
name = "alice"
access_key_id = "AKIAALICEALICEALICE1"
secret_access_key = "alices own"

[[users]]
name = "bob"
access_key_id = "AKIABOBBOBBOBBOBBOB1"
secret_access_key = "bobs own"

[clouds.hotel]
kind = "ec2"
endpoint_url = "http://127.0.0.1:1"
dialect = "moto"

[clouds.alamo]
kind = "local"
"""
SECRET = "wJalrXUtnFEMI"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


class Line:
    """The command line of one installation."""

    def __init__(self, directory: Path) -> None:
        self.config = directory / "phantom.toml"
        self.config.write_text(CONFIG)
        self.environ: dict[str, str | None] = {KEYS_VARIABLE: None, SECRET_VARIABLE: None, "COLUMNS": "200"}

    def __call__(self, *arguments: str, stdin: str | None = None) -> Outcome:
        """The outcome of a command."""
        result = CliRunner().invoke(app, [*arguments, "--config", str(self.config)], env=self.environ, input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    def opened(self) -> Installation:
        """The installation, as a gateway has it open."""
        environ = {name: value for name, value in self.environ.items() if value is not None}
        return open_installation(load(self.config, {}), environ, clock.now())

    def set(self, user: str = "alice", key_id: str = "AKIAUSERS", secret: str = SECRET, *more: str) -> Outcome:
        """The outcome of keeping these credentials."""
        return self(
            "accounts",
            "set",
            "hotel",
            "--user",
            user,
            "--access-key-id",
            key_id,
            "--secret-stdin",
            *more,
            stdin=f"{secret}\n",
        )

    def listed(self, *more: str) -> list[dict[str, str]]:
        """What ``accounts list`` shows to programs."""
        return list(json.loads(self("accounts", "list", "--json", *more).out))


@pytest.fixture
def line(tmp_path: Path) -> Line:
    """An installation with two users, an EC2 cloud and a local one."""
    return Line(tmp_path)


def filled(table: sa.Table, **values: Any) -> dict[str, Any]:
    """A row of *table*: what has to be there and is not given is empty."""
    empty: dict[type, Any] = {int: 0, bool: False, str: "x"}
    needed = [column for column in table.columns if not column.nullable and not column.primary_key]
    blank = {c.name: [] if isinstance(c.type, Document) else empty.get(c.type.python_type, clock.now()) for c in needed}
    return blank | values


def launched(line: Line, user: str = "alice", count: int = 2) -> None:
    """Nothing; *user* has as many VMs on hotel."""
    installation = line.opened()

    def job(connection: Any) -> None:
        owner = users.by_name(connection, user)
        assert owner is not None
        group = filled(groups, user_id=owner.id, uid=f"g-{user}")
        key = connection.execute(groups.insert().values(**group)).inserted_primary_key[0]
        for index in range(count):
            ours = {"group_id": key, "user_id": owner.id, "cloud": "hotel", "token": f"t-{user}", "token_index": index}
            connection.execute(instances.insert().values(**filled(instances, **ours)))

    installation.database.write_now(job)
    installation.close()


def use(line: Line) -> None:
    """Nothing; a gateway has taken up every account."""
    installation = line.opened()
    for row in installation.database.read_now(accounts.everyone):
        installation.database.write_now(partial(accounts.take_up, account=row))
    installation.close()


def test_credentials_are_kept_sealed_and_shown_as_a_fingerprint(line: Line) -> None:
    """The list tells pairs apart without giving any away, and nothing printed holds the secret."""
    said = line.set("alice", "AKIAUSERS", SECRET, "--key-name", "mine")
    line.set("bob", "AKIAUSERS", "another")
    alice, bob = line.listed()
    installation = line.opened()
    rows = installation.database.read_now(accounts.everyone)
    credentials = unseal(installation.keyring, rows[0])
    installation.close()

    assert said.code == 0
    assert SECRET not in said.out + said.err + line("accounts", "list").out
    assert (alice["user"], alice["cloud"], alice["access_key_id"]) == ("alice", "hotel", "AKIA...")
    assert (alice["key_name"], alice["state"], alice["vms"]) == ("mine", "waiting", "0")
    assert len(alice["fingerprint"]) == 12
    assert alice["fingerprint"] != bob["fingerprint"]
    assert alice["fingerprint"] in said.out
    assert credentials is not None
    assert credentials.secret_access_key == Secret(SECRET)
    assert SECRET not in (rows[0].credentials_sealed or "")


def test_the_list_of_one_user_shows_nobody_elses(line: Line) -> None:
    """Whom it was asked for is all that it shows."""
    line.set("alice", "AKIAUSERS")
    line.set("bob", "AKIBBOBS")

    assert [row["user"] for row in line.listed("--user", "bob")] == ["bob"]
    assert "alice" not in line("accounts", "list", "--user", "bob").out
    assert [row["user"] for row in line.listed()] == ["alice", "bob"]


def test_the_secret_may_come_from_the_environment(line: Line) -> None:
    """For programs that can set a variable and nothing else."""
    line.environ[SECRET_VARIABLE] = SECRET

    assert line("accounts", "set", "hotel", "--user", "alice", "--access-key-id", "A").code == 0
    assert len(line.listed()) == 1


def test_the_command_takes_no_secret_as_an_argument(line: Line) -> None:
    """Arguments are seen by everybody on the machine, and kept in histories."""
    said = line("accounts", "set", "hotel", "--user", "alice", "--secret-access-key", SECRET)

    assert said.code == 2
    assert line.listed() == []


@pytest.mark.parametrize(
    ("arguments", "secret", "told"),
    [
        pytest.param(["nowhere", "--user", "alice"], "x", "There is no cloud called nowhere", id="no such cloud"),
        pytest.param(["alamo", "--user", "alice"], "x", "alamo is of the kind local", id="a kind without credentials"),
        pytest.param(["hotel", "--user", "carol"], "x", "There is no user called carol", id="no such user"),
        pytest.param(["hotel", "--user", "alice"], "", "must be 1 to", id="empty secret"),
        pytest.param(["hotel", "--user", "alice"], "x" * (SECRET_LENGTH_MAX + 1), "must be 1 to", id="endless secret"),
        pytest.param(["hotel", "--user", "alice"], "a b", "without spaces", id="secret with a space"),
        pytest.param(["hotel", "--user", "alice"], "geheimnüß", "printable ASCII", id="secret with an umlaut"),
        pytest.param(["hotel", "--user", "alice", "--key-name", "ü"], "x", "key_name:", id="key pair with an umlaut"),
    ],
)
def test_wrong_credentials_are_refused(line: Line, arguments: list[str], secret: str, told: str) -> None:
    """It is said what is wrong, not what was given, and nothing is kept."""
    said = line("accounts", "set", *arguments, "--access-key-id", "A", "--secret-stdin", stdin=f"{secret}\n")

    assert said.code == 2
    assert told in said.err
    assert len(secret) < 2 or secret not in said.err
    assert line.listed() == []


def test_a_key_id_that_is_none_is_refused(line: Line) -> None:
    """It is held to the rule of the configuration."""
    assert "access_key_id: this is not accepted" in line.set("alice", "A B").err


def test_without_a_secret_it_is_said_where_one_may_come_from(line: Line) -> None:
    """Nobody at the terminal, nothing piped in, no variable."""
    said = line("accounts", "set", "hotel", "--user", "alice", "--access-key-id", "A")

    assert said.code == 2
    assert "--secret-stdin" in said.err
    assert SECRET_VARIABLE in said.err


def test_setting_again_changes_the_credentials(line: Line) -> None:
    """One user has one account on a cloud."""
    line.set("alice", "AKIAUSERS")
    use(line)
    line.set("alice", "AKIBNEWER")

    assert [(row["access_key_id"], row["state"]) for row in line.listed()] == [("AKIB...", "used")]


@pytest.mark.parametrize(
    ("more", "state"),
    [
        pytest.param((), "waiting", id="another account"),
        pytest.param(("--same-account",), "used", id="one that sees the same VMs"),
    ],
)
def test_a_user_with_vms_is_told_when_the_account_is_used(line: Line, more: tuple[str, ...], state: str) -> None:
    """VMs in the operator's account would not be found in the new one, unless both are the same."""
    launched(line)
    said = line.set("alice", "AKIAUSERS", SECRET, *more)

    assert ("2 VMs of alice on hotel are in the operator's account" in said.out) == (state == "waiting")
    assert [(row["state"], row["vms"]) for row in line.listed()] == [(state, "2")]


def test_removing_is_refused_while_the_user_has_vms_there(line: Line) -> None:
    """The reason is told; by force the VMs stay in the list, unreachable, and the secret is gone."""
    line.set()
    use(line)
    launched(line)
    refused = line("accounts", "remove", "hotel", "--user", "alice")
    kept = line.listed()
    forced = line("accounts", "remove", "hotel", "--user", "alice", "--force")

    assert (refused.code, forced.code) == (2, 0)
    assert "alice has 2 VMs on hotel" in refused.err
    assert kept[0]["state"] == "used"
    assert "2 VMs there are unreachable" in forced.out
    assert [(row["state"], row["vms"], row["fingerprint"]) for row in line.listed()] == [("removed", "2", "")]
    assert line("accounts", "remove", "hotel", "--user", "alice").code == 2


def test_other_users_vms_do_not_keep_an_account(line: Line) -> None:
    """Whoever has VMs there has them in an account of his own."""
    line.set("bob")
    launched(line, "alice")

    assert line("accounts", "remove", "hotel", "--user", "bob").code == 0
    assert line.listed() == []


def test_removing_what_is_not_there_says_what_is(line: Line) -> None:
    """Another user's account is not among it."""
    line.set("bob")
    said = line("accounts", "remove", "hotel", "--user", "alice")

    assert said.code == 2
    assert "alice has no credentials on hotel; there are some on: no cloud" in said.err


def test_a_check_shows_the_dialect_and_probes_the_users_account(line: Line) -> None:
    """Without the operator's key there is nothing to probe; with --user the user's own is asked and does not answer."""
    line.set()
    without = line("check", "--json")
    with_user = line("check", "--user", "alice", "--json")
    of_operator = [report for report in json.loads(without.out) if report["cloud"] == "hotel"]
    of_alice = [report for report in json.loads(with_user.out) if report["user"] == "alice"]

    assert [(r["dialect"], r["has_credentials"]) for r in of_operator] == [("moto", False)]
    assert without.code == 0
    assert [(r["cloud"], r["has_credentials"], r["reachable"]) for r in of_alice] == [("hotel", True, False)]
    assert with_user.code == 1
    assert "hotel/alice" in line("check", "--user", "alice").out
    assert "ec2 (moto)" in line("check").out
    assert SECRET not in with_user.out + with_user.err


def test_a_check_tells_of_an_account_that_cannot_be_used(line: Line) -> None:
    """Credentials that were removed while VMs were there are a finding."""
    line.set()
    use(line)
    launched(line)
    line("accounts", "remove", "hotel", "--user", "alice", "--force")
    reports = json.loads(line("check", "--user", "alice", "--json").out)

    assert any("2 VMs are there" in finding for report in reports for finding in report["findings"])


# --- Keys -------------------------------------------------------------------------------------------------------------


def columns_sealed() -> set[tuple[str, str]]:
    """Every column that is called so."""
    return {
        (table.name, column.name)
        for table in metadata.tables.values()
        for column in table.columns
        if column.name.endswith("_sealed")
    }


def test_every_sealed_column_is_sealed_again() -> None:
    """A column that was forgotten would be unreadable once the old key is deleted."""
    known = {(place.column.table.name, place.column.name) for place in sealed.PLACES}

    assert columns_sealed() <= known
    assert known - columns_sealed() == {("gateway", "value")}


def test_rotating_seals_everything_with_a_new_first_key(line: Line) -> None:
    """Afterwards the old key seals nothing, and a gateway that has only the new one can be started."""
    line.set()
    installation = line.opened()
    (old,) = installation.keyring.key_ids

    def job(connection: Any) -> None:
        for number in range(sealed.BATCH_SIZE + 1):
            sealed_text = installation.keyring.encrypt(Secret("x"))
            name = f"b-{number}"
            values = {"base_name": name, "uid": name, "user_data_sealed": sealed_text, "public": False}
            connection.execute(
                launch_configurations.insert().values(user_id=1, version=1, created_at=clock.now(), **values)
            )

    installation.database.write_now(job)
    installation.close()
    said = line("keys", "rotate")
    keys = json.loads(line("keys", "list", "--json").out)
    file = line.config.parent / "state" / "keys"
    text = file.read_text()
    file.write_text("".join(f"{row}\n" for row in text.splitlines()[:2]))
    file.chmod(0o600)

    assert said.code == 0
    assert [(row["use"], row["secrets"]) for row in keys] == [("seals", "205"), ("opens", "0")]
    assert keys[1]["key"] == old
    assert text.startswith("# Keys of Phantom Gateway")
    assert not any(key in said.out for key in text.splitlines()[1:])
    assert [row["fingerprint"] for row in line.listed()] != ["no key opens it"]
    assert len(json.loads(line("keys", "list", "--json").out)) == 1


def test_keys_of_the_environment_are_only_sealed_with_again(line: Line) -> None:
    """The command cannot change the environment: it says how, and seals with what is first there."""
    old, new = new_key().reveal(), new_key().reveal()
    line.environ[KEYS_VARIABLE] = old
    line.set()
    line.environ[KEYS_VARIABLE] = f"{new},{old}"
    said = line("keys", "rotate")

    assert said.code == 0
    assert KEYS_VARIABLE in said.out
    assert [row["secrets"] for row in json.loads(line("keys", "list", "--json").out)] == ["4", "0"]


def test_a_secret_that_no_key_opens_is_told(line: Line) -> None:
    """It is counted, nothing else stops, and the command does not claim success."""
    line.set()
    installation = line.opened()
    lost = Keyring([new_key()], "a lost one").encrypt(Secret("x"))
    installation.database.write_now(
        lambda connection: connection.execute(metadata.tables["accounts"].update().values(credentials_sealed=lost))
    )
    installation.close()
    said = line("keys", "rotate")
    keys = json.loads(line("keys", "list", "--json").out)

    assert said.code == 2
    assert "1 secrets cannot be opened" in said.err
    assert [(row["use"], row["secrets"]) for row in keys] == [("seals", "3"), ("opens", "0"), ("missing", "1")]
    assert [row["fingerprint"] for row in line.listed()] == ["no key opens it"]


def test_too_many_keys_are_refused_before_anything_is_changed(line: Line) -> None:
    """A file with more keys than are read would lock everybody out."""
    line.listed()
    file = line.config.parent / "state" / "keys"
    text = file.read_text() + "".join(f"{new_key().reveal()}\n" for _ in range(KEYS_MAX - 1))
    file.write_text(text)
    said = line("keys", "rotate")

    assert said.code == 2
    assert "keys list" in said.err
    assert file.read_text() == text


def test_a_gateway_that_runs_reads_and_seals_all_the_time_while_keys_are_rotated(line: Line) -> None:
    """F99: its keyring follows the file: nothing is ever unreadable, and in the end it seals with the new key."""
    line.set()
    gateway = line.opened()
    failures: list[str] = []
    rounds = Event()
    done = Event()

    def serve() -> None:
        while not done.is_set():
            try:
                for row in gateway.database.read_now(accounts.everyone):
                    credentials = unseal(gateway.keyring, row)
                    assert credentials is not None
                gateway.keyring.decrypt(gateway.keyring.encrypt(Secret("x")))
            except KeyringError as error:
                failures.append(str(error))
            rounds.set()

    serving = Thread(target=serve)
    serving.start()
    try:
        for _ in range(4):
            rounds.clear()
            assert line("keys", "rotate").code == 0
            assert rounds.wait(10)
    finally:
        done.set()
        serving.join()
    newest = json.loads(line("keys", "list", "--json").out)[0]["key"]
    opener = gateway.keyring.opener(gateway.keyring.encrypt(Secret("x")))
    gateway.close()

    assert failures == []
    assert opener == newest


def written(path: Path, text: str, mode: int = 0o600) -> None:
    """Nothing; the key file is another one."""
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").chmod(mode)
    path.with_suffix(".new").replace(path)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: path.unlink(), id="gone"),
        pytest.param(lambda path: written(path, ""), id="empty"),
        pytest.param(lambda path: written(path, "no key\n"), id="no key"),
        pytest.param(lambda path: written(path, new_key().reveal(), 0o644), id="open to others"),
    ],
)
def test_a_spoilt_key_file_does_not_stop_who_has_read_it(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """The keys of before are used until the file is one again."""
    path = tmp_path / "keys"
    keyring = Keyring.open(path, {})
    text, token = path.read_text(), keyring.encrypt(Secret("x"))
    spoil(path)
    during = keyring.decrypt(keyring.encrypt(Secret("x")))
    other = new_key()
    written(path, f"{other.reveal()}\n{text}")

    assert during == keyring.decrypt(token) == Secret("x")
    assert keyring.decrypt(Keyring([other], "another process").encrypt(Secret("y"))) == Secret("y")


def test_keys_added_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    """None is lost: something may be sealed with it already."""
    path = tmp_path / "keys"
    keyrings = [Keyring.open(path, {}) for _ in range(6)]
    threads = [Thread(target=keyring.add_key) for keyring in keyrings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(Keyring.open(path, {}).key_ids) == 7
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_cannot_be_added_to_the_environment(tmp_path: Path) -> None:
    """The error says what to do instead."""
    with pytest.raises(KeyringError, match="put the new key first there"):
        Keyring.open(tmp_path / "keys", {KEYS_VARIABLE: new_key().reveal()}).add_key()
