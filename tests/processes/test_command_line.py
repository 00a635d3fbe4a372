"""
The command line as people and scripts meet it: exit codes, what is printed where, and at 80 columns.

Owns: the words of commands. Does not own: what configuration files may say (``tests/phantom_gateway/test_config``).
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from phantom_gateway.cli import app
from tests.processes.calls import Client
from tests.support.gateway import Gateway
from tests.support.waiting import wait_for

pytestmark = pytest.mark.processes

COLUMNS = 80
ENVIRON = {"COLUMNS": str(COLUMNS), "NO_COLOR": "1", "TERM": "dumb", "PHANTOM_GATEWAY_CONFIG": ""}
CONFIG = """\
state_directory = "state"
default_cloud = "hotel"

[clouds.hotel]
kind = "local"

[clouds.sierra]
kind = "local"
"""
BROKEN_IMAGE = """
[clouds.sierra.images.broken]
command = ["/no/such/program"]
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


def run(*arguments: str, config: Path) -> Outcome:
    """The outcome of a command, run in this process on a terminal of 80 columns."""
    result = CliRunner().invoke(app, [*arguments, "--config", str(config)], env=ENVIRON)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


def serve(config: Path) -> Outcome:
    """The outcome of a ``serve`` that is expected to end by itself."""
    command = [sys.executable, "-m", "phantom_gateway", "serve", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return Outcome(done.returncode, done.stdout, done.stderr)


def too_wide(text: str) -> list[str]:
    """Lines of *text* that a terminal of 80 columns would break."""
    return [line for line in text.splitlines() if len(line) > COLUMNS]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration without users, and nothing installed yet."""
    path = tmp_path / "phantom.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A running gateway with a good group, and one that asks for an image that does not exist."""
    made = Gateway(tmp_path_factory.mktemp("command-line"), clouds=("hotel", "sierra"))
    made.start()
    try:
        client = Client(made.port)
        client.make_launch_configuration("web@hotel", "sleeper")
        client.make_launch_configuration("bad@hotel", "no-such-image")
        client.make_group("web@hotel", 2, ["hotel"])
        client.make_group("bad@hotel", 1, ["hotel"], "bad")
        wait_for(client.settled, "two instances")
        wait_for(lambda: client.activities("bad"), "a failed launch")
        yield made
    finally:
        made.stop()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param('[clouds.hotel]\nkind = "ec3"\n', ["line 2", "'ec3'", "use one of: local"], id="unknown kind"),
        pytest.param("[server]\nprot = 1\n" + CONFIG, ["line 2", "prot", "did you mean 'port'?"], id="mistyped key"),
        pytest.param("[server\n", ["line 1"], id="not TOML"),
        pytest.param(
            CONFIG + "[server]\nport = 99999\n[limits]\ngroups_max = 0\n",
            ["line 10", "99999", "line 12", "groups_max"],
            id="two things at once",
        ),
    ],
)
def test_serve_with_a_wrong_configuration_says_where_and_what_to_do(config: Path, text: str, told: list[str]) -> None:
    """Nothing starts: the exit code is 2, and each problem is told with file, line and remedy."""
    config.write_text(text)

    outcome = run("serve", config=config)

    assert outcome.code == 2
    assert outcome.out == ""
    assert str(config) in outcome.err or config.name in outcome.err
    assert [word for word in told if word not in outcome.err] == []
    assert not (config.parent / "state").exists()


def test_a_configuration_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A missing file is an error of the user's, told in a line, for every command alike."""
    for command in (["serve"], ["env"], ["users", "list"], ["check"], ["explain", "web"]):
        outcome = run(*command, config=tmp_path / "none.toml")

        assert (outcome.code, outcome.out) == (2, "")
        assert "none.toml" in outcome.err
        assert len(outcome.err.splitlines()) == 1


def test_a_port_that_is_taken_is_told_in_one_line(gateway: Gateway, config: Path) -> None:
    """Serving on a port that somebody else has ends with exit code 2 and names port and remedy."""
    config.write_text(f"{CONFIG}\n[server]\nport = {gateway.port}\n")

    outcome = serve(config)

    assert (outcome.code, outcome.out) == (2, "")
    assert str(gateway.port) in outcome.err
    assert "[server]" in outcome.err
    assert "Traceback" not in outcome.err


def test_keys_that_others_may_read_are_refused_with_the_remedy(config: Path) -> None:
    """A key file with the wrong mode stops every command, and the command that mends it is printed."""
    assert run("users", "list", config=config).code == 0
    keys = config.parent / "state" / "keys"
    keys.chmod(0o644)

    outcome = run("users", "list", config=config)

    assert outcome.code == 2
    assert f"chmod 600 {keys}" in outcome.err


def test_users_come_and_go(config: Path) -> None:
    """Added users are listed without their secrets, and removed ones are gone."""
    added = run("users", "add", "alice", "--json", config=config)
    run("users", "add", "bob@example.org", "--account-id", "123456789012", config=config)
    listed = run("users", "list", "--json", config=config)
    table = run("users", "list", config=config)
    removed = run("users", "remove", "alice", config=config)
    left = run("users", "list", "--json", config=config)

    alice = json.loads(added.out)
    assert set(alice) == {"name", "user_id", "account_id", "access_key_id", "secret_access_key"}
    assert [user["name"] for user in json.loads(listed.out)] == ["alice", "bob@example.org"]
    assert json.loads(listed.out)[1]["account_id"] == "123456789012"
    assert alice["secret_access_key"] not in listed.out + table.out
    assert alice["access_key_id"] in table.out
    assert removed.code == 0
    assert [user["name"] for user in json.loads(left.out)] == ["bob@example.org"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["add", "alice"], "There is a user called alice already", id="name taken"),
        pytest.param(["add", "bob", "--account-id", "123456789012"], "belongs to another user", id="account taken"),
        pytest.param(["add", "bob", "--account-id", "12"], "12 digits", id="account too short"),
        pytest.param(["add", "../bob"], "1 to 63 letters", id="name with a slash"),
        pytest.param(["add", "bob\x1b[2J"], "1 to 63 letters", id="name with terminal controls"),
        pytest.param(["add", ""], "1 to 63 letters", id="empty name"),
        pytest.param(["remove", "carol"], "the users are: alice", id="nobody of that name"),
    ],
)
def test_a_user_that_cannot_be_is_refused(config: Path, arguments: list[str], told: str) -> None:
    """Wrong names and accounts, and taken ones, end with exit code 2 and say why; nothing is changed."""
    run("users", "add", "alice", "--account-id", "123456789012", config=config)

    outcome = run("users", *arguments, config=config)
    left = run("users", "list", "--json", config=config)

    assert (outcome.code, outcome.out) == (2, "")
    assert told in outcome.err
    assert "\x1b" not in outcome.err
    assert [user["name"] for user in json.loads(left.out)] == ["alice"]


def test_a_user_with_groups_is_not_removed(gateway: Gateway) -> None:
    """Removing somebody who still has groups is refused, so that no VM is left without an owner."""
    outcome = run("users", "remove", "tester", config=gateway.config)

    assert outcome.code == 2
    assert "tester still has groups" in outcome.err
    assert Client(gateway.port).group() is not None


def test_env_asks_which_user_when_there_are_several(config: Path) -> None:
    """With two users it names both and prints no key; with --user it prints that user's."""
    run("users", "add", "alice", config=config)
    bob = json.loads(run("users", "add", "bob", "--json", config=config).out)

    unasked = run("env", config=config)
    asked = run("env", "--user", "bob", config=config)

    assert (unasked.code, unasked.out) == (2, "")
    assert "--user" in unasked.err
    assert "alice, bob" in unasked.err
    assert asked.code == 0
    assert f"export AWS_ACCESS_KEY_ID={bob['access_key_id']}\n" in asked.out


def test_env_without_any_user_says_how_to_add_one(config: Path) -> None:
    """An installation without users tells the command that makes one."""
    outcome = run("env", config=config)

    assert outcome.code == 2
    assert "phantom-gateway users add NAME" in outcome.err


def test_check_lists_the_clouds(config: Path) -> None:
    """When all is well it lists every cloud and its images, with exit code 0."""
    readable = run("check", config=config)
    parsed = json.loads(run("check", "--json", config=config).out)

    assert readable.code == 0
    assert all(word in readable.out for word in ("hotel", "sierra", "hello-phantom.gz", "all well"))
    assert too_wide(readable.out) == []
    assert [(report["cloud"], report["reachable"], report["findings"]) for report in parsed] == [
        ("hotel", True, []),
        ("sierra", True, []),
    ]


def test_check_finds_a_broken_image(config: Path) -> None:
    """An image whose program is not there is a finding that names cloud, image and program, with exit code 1."""
    config.write_text(CONFIG + BROKEN_IMAGE)

    readable = run("check", config=config)
    parsed = run("check", "--json", config=config)

    assert (readable.code, parsed.code) == (1, 1)
    assert "/no/such/program" in readable.out.replace("\n", "")
    assert too_wide(readable.out) == []
    findings = {report["cloud"]: report["findings"] for report in json.loads(parsed.out)}
    assert findings["hotel"] == []
    assert [text for text in findings["sierra"] if "'broken'" in text and "/no/such/program" in text]


def test_check_beside_a_running_gateway_disturbs_nothing(gateway: Gateway) -> None:
    """Asked while the gateway serves, it finds nothing wrong with that, and touches no VM of it."""
    before = sorted(gateway.vm_pids())

    outcome = run("check", config=gateway.config)

    assert outcome.code == 0, outcome.out
    assert sorted(gateway.vm_pids()) == before
    assert gateway.is_ready()


def test_explain_tells_of_a_group_that_is_well(gateway: Gateway) -> None:
    """A group that has what it wants is told as such, in at most 80 columns and in JSON alike."""
    readable = run("explain", "web", config=gateway.config)
    parsed = json.loads(run("explain", "web", "--json", config=gateway.config).out)

    assert readable.code == 0
    assert "It has what it wants: 2 instances in service." in readable.out
    assert too_wide(readable.out) == []
    assert [(story["group"], story["user"], story["desired"]) for story in parsed] == [("web", "tester", 2)]


def test_explain_tells_why_a_group_cannot_launch(gateway: Gateway) -> None:
    """An image that the cloud refuses is told by explain and by the failed activity, in the cloud's own words."""
    refused = "Image 'no-such-image' does not exist on cloud 'hotel'"

    readable = run("explain", "bad", config=gateway.config)
    parsed = json.loads(run("explain", "bad", "--json", config=gateway.config).out)
    activity = Client(gateway.port).activities("bad")[0]

    assert "0 of 1 instances: 1 are missing" in readable.out
    assert refused in " ".join(readable.out.split())
    assert too_wide(readable.out) == []
    assert refused in " ".join(parsed[0]["waiting_on"])
    assert activity.status == "Failed"
    assert refused in activity.message


def test_explain_of_an_unknown_group_says_so(gateway: Gateway) -> None:
    """A group that does not exist ends with exit code 2 and a hint, not with an empty story."""
    outcome = run("explain", "nothing", config=gateway.config)

    assert (outcome.code, outcome.out) == (2, "")
    assert "no group called nothing" in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="all commands"),
        *(pytest.param([name], id=name) for name in ("serve", "env", "users", "tokens", "check", "explain")),
        *(pytest.param([name], id=name) for name in ("freeze", "thaw", "plan")),
        *(pytest.param(["users", name], id=f"users {name}") for name in ("add", "list", "password", "remove")),
        *(pytest.param(["tokens", name], id=f"tokens {name}") for name in ("add", "list", "revoke")),
    ],
)
def test_help_fits_80_columns(arguments: list[str]) -> None:
    """Every command explains itself without breaking lines on an ordinary terminal."""
    result = CliRunner().invoke(app, [*arguments, "--help"], env=ENVIRON)

    assert result.exit_code == 0
    assert too_wide(result.stdout) == []


def test_tables_fit_80_columns(config: Path) -> None:
    """Long names are folded, not cut and not run over the edge."""
    name = "somebody.with.quite.a.long.name+and.a.tag@an.example.org"
    run("users", "add", name, config=config)
    image = "i" * 100
    config.write_text(f'{CONFIG}\n[clouds.sierra.images."{image}"]\ncommand = ["sleep", "1"]\n')

    users = run("users", "list", config=config)
    check = run("check", config=config)

    assert too_wide(users.out) + too_wide(check.out) == []
    assert check.out.count("i") >= 100


def test_interrupting_serve_is_not_an_error(config: Path) -> None:
    """Ctrl-C ends it as SIGTERM does: exit code 0, and nothing that looks like a failure."""
    config.write_text(f"{CONFIG}\n[server]\nport = 0\n")
    command = [sys.executable, "-m", "phantom_gateway", "serve", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        os.kill(process.pid, 2)
        code = process.wait(timeout=10)
        errors = process.stderr.read()

    assert code == 0
    assert "Traceback" not in errors
