"""The commands about users and tokens: what they make, what they show, what they refuse."""

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from phantom_gateway import clock
from phantom_gateway.cli import app
from phantom_gateway.config import load
from phantom_gateway.installation import Installation, open_installation
from phantom_gateway.passwords import fits
from phantom_gateway.records import tokens, users
from phantom_gateway.records.tokens import Bearer
from phantom_gateway.secret import Secret
from phantom_gateway.tokens import hash_of

CONFIG = """\
state_directory = "state"

[clouds.alamo]
kind = "local"
"""


class Line:
    """The command line of one installation, with Alice in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = directory / "phantom.toml"
        self.config.write_text(CONFIG)
        assert self("users", "add", "alice")[0] == 0

    def __call__(self, *arguments: str, stdin: str | None = None) -> tuple[int, str, str]:
        """Exit code, output and errors of a command."""
        result = CliRunner().invoke(
            app, [*arguments, "--config", str(self.config)], env={"COLUMNS": "200"}, input=stdin
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    def opened(self) -> Installation:
        """The installation, as a gateway has it open."""
        return open_installation(load(self.config, {}), {}, clock.now())

    def bearer(self, token: str) -> Bearer | None:
        """Who gets in with this token now."""
        installation = self.opened()
        try:
            return installation.database.read_now(
                lambda connection: tokens.bearer(connection, hash_of(token), clock.now())
            )
        finally:
            installation.close()

    def password_hash(self) -> str | None:
        """Alice's."""
        installation = self.opened()
        try:
            (alice,) = installation.database.read_now(users.everyone)
            return alice.password_hash
        finally:
            installation.close()


@pytest.fixture
def line(tmp_path: Path) -> Line:
    """A command line of its own."""
    return Line(tmp_path)


def test_a_token_is_shown_once_and_can_be_revoked(line: Line) -> None:
    """What ``tokens add`` prints lets in until it is revoked; the list never shows it."""
    code, out, _ = line("tokens", "add", "laptop", "--scope", "reveal", "--valid-days", "30", "--json")
    token = json.loads(out)["token"]
    bearer = line.bearer(token)
    listed = line("tokens", "list", "--json")[1]
    revoked = line("tokens", "revoke", "laptop")

    assert code == 0
    assert bearer is not None
    assert (bearer.user.name, bearer.scopes) == ("alice", ["reveal"])
    assert token not in listed
    assert [(row["name"], row["scopes"], row["state"]) for row in json.loads(listed)] == [("laptop", "reveal", "good")]
    assert revoked[0] == 0
    assert line.bearer(token) is None
    assert json.loads(line("tokens", "list", "--json")[1])[0]["state"] == "revoked"


def test_what_cannot_be_is_refused_in_a_line(line: Line) -> None:
    """A name that is taken, one that is not there, and a wrong one: exit code 2, and what to do."""
    line("tokens", "add", "laptop")

    for arguments, told in (
        (["tokens", "add", "laptop"], "revoke that one first"),
        (["tokens", "revoke", "phone"], "there are: laptop"),
        (["tokens", "add", "a\nb"], "printable"),
        (["tokens", "add", "x", "--user", "bob"], "the users are: alice"),
    ):
        code, out, err = line(*arguments)

        assert (code, out) == (2, "")
        assert told in err


def test_a_revoked_name_can_be_used_again(line: Line) -> None:
    """Revoking frees the name; the old token stays dead."""
    first = json.loads(line("tokens", "add", "laptop", "--json")[1])["token"]
    line("tokens", "revoke", "laptop")
    second = json.loads(line("tokens", "add", "laptop", "--json")[1])["token"]

    assert line.bearer(first) is None
    assert line.bearer(second) is not None


def test_a_password_comes_from_a_file_or_standard_input(line: Line) -> None:
    """The first line is the password; it is never an argument, which everybody on the machine could read."""
    file = line.directory / "password"
    file.write_text("from a file\nnot this\n")

    assert line("users", "password", "alice", "--password-file", str(file))[0] == 0
    assert fits(Secret("from a file"), line.password_hash())
    assert line("users", "password", "alice", "--password-file", "-", stdin="from a pipe\n")[0] == 0
    assert fits(Secret("from a pipe"), line.password_hash())
    assert line("users", "password", "alice", "--remove")[0] == 0
    assert line.password_hash() is None


def test_a_user_can_be_added_with_a_password(line: Line) -> None:
    """``users add`` takes a password file too, and the list says who has a password."""
    file = line.directory / "password"
    file.write_text("secret")

    added = json.loads(line("users", "add", "bob", "--password-file", str(file), "--json")[1])
    listed = json.loads(line("users", "list", "--json")[1])

    assert [(user["name"], user["password"]) for user in listed] == [("alice", "no"), ("bob", "yes")]
    assert listed[1]["id"] == added["user_id"]


@pytest.mark.parametrize(
    ("stdin", "told"),
    [("", "1 to 1024"), ("\n", "1 to 1024"), ("x" * 1025, "1 to 1024")],
    ids=["none", "empty", "long"],
)
def test_a_password_that_is_none_is_refused(line: Line, stdin: str, told: str) -> None:
    """An empty or endless password changes nothing."""
    code, _, err = line("users", "password", "alice", "--password-file", "-", stdin=stdin)

    assert code == 2
    assert told in err
    assert line.password_hash() is None


def test_without_a_terminal_a_file_must_be_named(line: Line) -> None:
    """A script that forgets the file is told so, instead of waiting for ever."""
    code, _, err = line("users", "password", "alice", stdin="ignored\n")

    assert code == 2
    assert "--password-file" in err


def exports(line: Line) -> dict[str, str]:
    """What ``env`` exports."""
    code, out, err = line("env")
    assert code == 0, err
    return dict(text.removeprefix("export ").split("=", 1) for text in out.splitlines() if text.startswith("export "))


def test_env_prints_what_the_json_scripts_read(line: Line) -> None:
    """URL, user id and a token that lets in; the same one each time, in a file for its owner alone."""
    first, second = exports(line), exports(line)
    bearer = line.bearer(first["TOKEN"])
    file = line.directory / "state" / "tokens" / first["USER_ID"]

    assert first["PHANTOM_URL"] == "http://127.0.0.1:8445/api/dev"
    assert bearer is not None
    assert str(bearer.user.id) == first["USER_ID"]
    assert first == second
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_env_makes_another_token_when_its_own_is_gone(line: Line) -> None:
    """A revoked token, or a lost file, is replaced; what was lost with the file lets nobody in any more."""
    first = exports(line)["TOKEN"]
    line("tokens", "revoke", "env")
    second = exports(line)["TOKEN"]
    (line.directory / "state" / "tokens" / exports(line)["USER_ID"]).unlink()
    third = exports(line)["TOKEN"]

    assert len({first, second, third}) == 3
    assert line.bearer(first) is None
    assert line.bearer(second) is None
    assert line.bearer(third) is not None


def test_a_user_goes_with_tokens_and_all(line: Line) -> None:
    """Removing a user removes the tokens too: nobody gets in with one afterwards."""
    token = exports(line)["TOKEN"]

    assert line("users", "remove", "alice")[0] == 0
    assert line.bearer(token) is None
