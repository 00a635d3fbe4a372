"""The configuration: where it is found, what it gives, and what a wrong one is told."""

import string
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from phantom_gateway.config import (
    CONFIG_VARIABLE,
    Config,
    ConfigError,
    LocalCloudSettings,
    LocalImageSettings,
    Problem,
    ServerSettings,
    load,
)
from phantom_gateway.config.errors import PROBLEMS_MAX
from phantom_gateway.config.keys import keys_of
from phantom_gateway.config.reader import CONFIG_BYTES_MAX
from phantom_gateway.config.schema import TABLES
from phantom_gateway.secret import Secret

HOME = {"HOME": "/home/alice"}
CLOUD = '[clouds.hotel]\nkind = "local"\n'
USER = '[[users]]\nname = "alice"\naccess_key_id = "AKIAIOSFODNN7EXAMPLE"\nsecret_access_key = "hush"\n'


def read(tmp_path: Path, text: str, **environ: str) -> Config:
    """The configuration that *text* is, in a file called phantom.toml."""
    path = tmp_path / "phantom.toml"
    path.write_text(dedent(text), encoding="utf-8")
    return load(path, HOME | environ)


def told(tmp_path: Path, text: str, **environ: str) -> list[str]:
    """What is wrong with *text*, without the file's directory."""
    with pytest.raises(ConfigError) as refusal:
        read(tmp_path, text, **environ)
    return str(refusal.value).replace(f"{tmp_path}/", "").splitlines()


# --- Where it is found ------------------------------------------------------------------------------------------------


def test_without_a_file_four_clouds_of_this_machine_are_configured() -> None:
    """The embedded default listens on loopback, has four local clouds, and leaves the user to the first start."""
    config = load(None, HOME)

    assert config.is_embedded_default
    assert list(config.clouds) == ["hotel", "sierra", "foxtrot", "alamo"]
    assert set(map(repr, config.clouds.values())) == {repr(LocalCloudSettings(kind="local"))}
    assert config.server == ServerSettings()
    assert config.users == ()


def test_the_variable_names_a_file_and_an_argument_comes_before_it(tmp_path: Path) -> None:
    """``--config`` wins over the environment, which wins over the embedded default."""
    named = tmp_path / "named.toml"
    named.write_text(CLOUD + "[server]\nport = 1\n")
    given_file = tmp_path / "given.toml"
    given_file.write_text(CLOUD + "[server]\nport = 2\n")
    environ = HOME | {CONFIG_VARIABLE: str(named)}

    assert load(None, environ).server.port == 1
    assert load(given_file, environ).server.port == 2
    assert load(given_file, environ).source == given_file
    assert load(None, HOME | {CONFIG_VARIABLE: ""}).is_embedded_default


@pytest.mark.parametrize(
    ("text", "environ", "expected"),
    [
        pytest.param("", {"HOME": "/h"}, "/h/.local/state/phantom-gateway", id="home"),
        pytest.param("", {"HOME": "/h", "XDG_STATE_HOME": "/x"}, "/x/phantom-gateway", id="XDG"),
        pytest.param("", {"HOME": "/h", "XDG_STATE_HOME": "x"}, "/h/.local/state/phantom-gateway", id="relative XDG"),
        pytest.param("", {"XDG_STATE_HOME": "/x", "PHANTOM_GATEWAY_STATE": "/s"}, "/s", id="our variable"),
        pytest.param('state_directory = "/f"', {"PHANTOM_GATEWAY_STATE": "/s"}, "/f", id="the file"),
        pytest.param('state_directory = "~/f"', {"HOME": "/h"}, "/h/f", id="home in the file"),
        pytest.param('state_directory = "f"', {}, "DIRECTORY/f", id="beside the file"),
    ],
)
def test_the_state_directory_is_the_nearest_that_is_named(
    tmp_path: Path, text: str, environ: dict[str, str], expected: str
) -> None:
    """The file names it, else our variable, else what XDG says; always absolute."""
    path = tmp_path / "phantom.toml"
    path.write_text(f"{text}\n{CLOUD}")
    config = load(path, environ)

    assert str(config.state_directory) == expected.replace("DIRECTORY", str(tmp_path))
    assert config.key_file == config.state_directory / "keys"
    assert config.database_file == config.state_directory / "phantom.db"


def test_without_any_home_the_state_directory_must_be_named() -> None:
    """A service without $HOME is told which variable to set."""
    with pytest.raises(ConfigError, match=r"state_directory: is not given.*PHANTOM_GATEWAY_STATE"):
        load(None, {})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("missing.toml", "cannot read it: No such file or directory", id="missing"),
        pytest.param(".", "cannot read it: Is a directory", id="directory"),
        pytest.param("a\0b", "cannot read it: embedded null byte", id="no path"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, expected: str) -> None:
    """The error names the file, the system's reason and the two places that name files."""
    with pytest.raises(ConfigError) as refusal:
        load(tmp_path / name, HOME)

    assert str(refusal.value).startswith(f"{tmp_path / name}: {expected}; correct --config or ${CONFIG_VARIABLE}")


# --- What it gives ----------------------------------------------------------------------------------------------------


def test_everything_can_be_configured(tmp_path: Path) -> None:
    """Each value arrives typed, in its place; tables keep their order."""
    (tmp_path / "password").write_text("sesame\r\n")
    (tmp_path / "cert.pem").touch()
    (tmp_path / "key.pem").touch()
    config = read(
        tmp_path,
        """
        default_cloud = "sierra"
        [server]
        host = "0.0.0.0"
        tls_certificate = "cert.pem"
        tls_key = "key.pem"
        [database]
        url = "sqlite:////var/lib/other.db"
        [reconciler]
        sweep_interval_s = 2
        [limits]
        vms_per_user_max = 7
        [[users]]
        name = "alice"
        access_key_id = "AKIAIOSFODNN7EXAMPLE"
        secret_access_key = { env = "ALICE_SECRET" }
        password = { file = "password" }
        account_id = "123456789012"
        [clouds.sierra]
        kind = "local"
        terminate_grace_s = 0
        [clouds.sierra.images."x.gz"]
        command = ["sleep", "600"]
        [clouds.hotel]
        kind = "local"
        sandbox = "bubblewrap"
        """,
        ALICE_SECRET="hush",
    )

    assert config.server.tls_key == tmp_path / "key.pem"
    assert config.database_file == Path("/var/lib/other.db")
    assert config.reconciler.sweep_interval_s == 2.0
    assert config.limits.vms_per_user_max == 7
    assert config.limits.groups_max == 500
    (alice,) = config.users
    assert (alice.name, alice.account_id) == ("alice", "123456789012")
    assert (alice.secret_access_key, alice.password) == (Secret("hush"), Secret("sesame"))
    assert list(config.clouds) == ["sierra", "hotel"]
    sierra, hotel = config.clouds["sierra"], config.clouds["hotel"]
    assert isinstance(sierra, LocalCloudSettings)
    assert isinstance(hotel, LocalCloudSettings)
    assert sierra.images == {"x.gz": LocalImageSettings(("sleep", "600"))}
    assert hotel.sandbox == "bubblewrap"
    assert not config.is_embedded_default


def test_a_configuration_shows_no_secret(tmp_path: Path) -> None:
    """Printing a configuration, as a check does, prints stars."""
    assert "hush" not in repr(read(tmp_path, CLOUD + USER))


@pytest.mark.parametrize(
    ("host", "extra"),
    [
        pytest.param("127.0.0.1", "", id="IPv4 loopback"),
        pytest.param("127.8.9.1", "", id="all of 127"),
        pytest.param("::1", "", id="IPv6 loopback"),
        pytest.param("localhost", "", id="localhost"),
        pytest.param("gw.localhost.", "", id="below localhost"),
        pytest.param("0.0.0.0", "insecure = true", id="everywhere, insecure"),
        pytest.param("gateway.example", "insecure = true", id="a name, insecure"),
    ],
)
def test_loopback_needs_no_tls(tmp_path: Path, host: str, extra: str) -> None:
    """Without TLS the gateway listens where only this machine reaches it, or where it was told to."""
    assert read(tmp_path, f'{CLOUD}[server]\nhost = "{host}"\n{extra}').server.host == host


@pytest.mark.parametrize(
    "prefix", [pytest.param(b"\xef\xbb\xbf", id="byte order mark"), pytest.param(b"# x\r\n\r\n", id="Windows lines")]
)
def test_files_of_other_systems_are_read(tmp_path: Path, prefix: bytes) -> None:
    """What Windows editors add is no error, and does not shift lines."""
    path = tmp_path / "phantom.toml"
    path.write_bytes(prefix + CLOUD.replace("\n", "\r\n").encode())
    assert list(load(path, HOME).clouds) == ["hotel"]

    path.write_bytes(prefix + b'[clouds.hotel]\r\nkind = "ec3"\r\n')
    with pytest.raises(ConfigError) as refusal:
        load(path, HOME)
    assert [problem.line for problem in refusal.value.problems] == [prefix.count(b"\n") + 2]


# --- What a wrong one is told -----------------------------------------------------------------------------------------

WRONG = [
    pytest.param(
        '[clouds.sierra]\nkind = "ec3"',
        "line 2: [clouds.sierra] kind: 'ec3' is not a kind of cloud; use one of: local, ec2, openstack, libcloud, "
        "libvirt",
        id="unknown kind",
    ),
    pytest.param(
        "[clouds.sierra]\nvms_max = 3",
        "line 1: [clouds.sierra] kind: is missing; use one of: local, ec2, openstack, libcloud, libvirt",
        id="missing kind",
    ),
    pytest.param(
        f"{CLOUD}vms_max = 0", "line 3: [clouds.hotel] vms_max: 0 is out of range; use 1 to 10000", id="too small"
    ),
    pytest.param(
        f"{CLOUD}sandbox = true",
        "line 3: [clouds.hotel] sandbox: true is not a sandbox; use one of: none, bubblewrap",
        id="not a sandbox",
    ),
    pytest.param(
        f"{CLOUD}terminate_grace_s = nan",
        "line 3: [clouds.hotel] terminate_grace_s: nan is out of range; use 0 to 300",
        id="not a number",
    ),
    pytest.param(
        '[clouds."a b"]\nkind = "local"',
        "line 1: [clouds] \"a b\": 'a b' cannot name a cloud; use 1 to 63 letters, digits, '.', '_' and '-', "
        "beginning with a letter or a digit",
        id="not a cloud's name",
    ),
    pytest.param(
        'clouds.hotel = "local"',
        "line 1: [clouds] hotel: must be a table, not a string; write [clouds.hotel]",
        id="cloud as a string",
    ),
    pytest.param(
        '[[clouds]]\nname = "hotel"',
        "line 1: clouds: must be a table, not an array; write [clouds] on a line of its own",
        id="clouds as an array",
    ),
    pytest.param(
        "[server]\nport = 1",
        'line 1: clouds: there is no cloud to launch on; add [clouds.hotel] with kind = "local"',
        id="no cloud",
    ),
    pytest.param(
        f'{CLOUD}images."x.gz".command = []',
        'line 3: [clouds.hotel.images."x.gz"] command: must hold 1 to 256 strings, the first of them a program',
        id="empty command",
    ),
    pytest.param(
        f'{CLOUD}images.x.command = "sleep 600"',
        "line 3: [clouds.hotel.images.x] command: must be an array of strings, not 'sleep 600'; "
        'for example ["python3", "-m", "http.server"]',
        id="command for a shell",
    ),
    pytest.param(
        f'{CLOUD}[clouds.hotel.images.x]\ncommand = ["sleep",\n 600]',
        "line 4: [clouds.hotel.images.x] command: must hold strings only; 600 is none, write it in quotes",
        id="number in a command",
    ),
    pytest.param(
        f'{CLOUD}images.x = "sleep"',
        'line 3: [clouds.hotel.images] x: must be a table, not a string; for example { command = ["sleep", "600"] }',
        id="image as a string",
    ),
    pytest.param(
        f'default_cloud = "hotle"\n{CLOUD}',
        "line 1: default_cloud: 'hotle' is not a configured cloud; did you mean 'hotel'?",
        id="default cloud misspelt",
    ),
    pytest.param(
        f'default_cloud = "xyz"\n{CLOUD}',
        "line 1: default_cloud: 'xyz' is not a configured cloud; use one of: hotel",
        id="default cloud unknown",
    ),
    pytest.param(
        f"{CLOUD}\n[server]\n\nprot = 8445",
        "line 6: [server] prot: is not a key that is known here; did you mean 'port'?",
        id="misspelt key",
    ),
    pytest.param(
        f"{CLOUD}[sever]\nport = 8445",
        "line 3: sever: is not a key that is known here; did you mean 'server'?",
        id="misspelt table",
    ),
    pytest.param(
        f"port = 8445\n{CLOUD}",
        "line 1: port: is not a key that is known here; it belongs in [server]",
        id="key before its table",
    ),
    pytest.param(
        f'{CLOUD}default_cloud = "hotel"',
        "line 3: [clouds.hotel] default_cloud: is not a key that is known here; it belongs before the first [table]",
        id="key after a table",
    ),
    pytest.param(
        f"{CLOUD}[reconciler]\nz = 1",
        "line 4: [reconciler] z: is not a key that is known here; use one of: sweep_interval_s, workers, reap_leftovers",  # noqa: E501 - as told
        id="unknown key",
    ),
    pytest.param(
        f'{CLOUD}[server]\nport = "8445"',
        "line 4: [server] port: must be a whole number, 0 to 65535 (0: any free port), not '8445'",
        id="number in quotes",
    ),
    pytest.param(
        f"{CLOUD}[server]\nport = true",
        "line 4: [server] port: must be a whole number, 0 to 65535 (0: any free port), not true",
        id="boolean for a number",
    ),
    pytest.param(
        f"{CLOUD}[server]\nport = 0x{'f' * 9000}",
        "line 4: [server] port: a very large number is out of range; use 0 to 65535 (0: any free port)",
        id="number of many digits",
    ),
    pytest.param(
        f'{CLOUD}[server]\ninsecure = "yes"',
        "line 4: [server] insecure: must be true or false, without quotes, not 'yes'",
        id="not a boolean",
    ),
    pytest.param(
        f'{CLOUD}[server]\nhost = "0.0.0.0"',
        "line 4: [server] host: '0.0.0.0' can be reached from other machines, and there is no TLS; "
        "give tls_certificate and tls_key, or write insecure = true",
        id="open to the world",
    ),
    pytest.param(
        f'{CLOUD}[server]\nhost = "[::1]"',
        "line 4: [server] host: '[::1]' is not an address to listen on; "
        "use an IPv4 address, an IPv6 address without brackets, or a host name",
        id="brackets",
    ),
    pytest.param(
        f'{CLOUD}[server]\ntls_key = "phantom.toml"',
        "line 4: [server] tls_key: needs tls_certificate as well; give both, or neither for no TLS",
        id="half of TLS",
    ),
    pytest.param(
        f'{CLOUD}[server]\ntls_key = "phantom.toml"\ntls_certificate = "none.pem"',
        "line 5: [server] tls_certificate: there is no file 'none.pem'; create it, or correct the path",
        id="TLS without its file",
    ),
    pytest.param(
        f'{CLOUD}[database]\nurl = "postgresql+psycopg://u:hush@h/db"',
        "line 4: [database] url: must not hold a password; give it as `password`, which can come from a file or the "
        "environment",
        id="PostgreSQL with a password in its URL",
    ),
    pytest.param(
        f'{CLOUD}[database]\nurl = "mysql://u:hush@h/db"',
        "line 4: [database] url: is not a database that this version knows; use sqlite:///phantom.db or "
        "postgresql+psycopg://phantom@db.example.org/phantom",
        id="other database",
    ),
    pytest.param(
        f'{CLOUD}[database]\nurl = "sqlite:///:memory:"',
        "line 4: [database] url: names no file, and groups must survive a restart; use sqlite:///phantom.db",
        id="database in memory",
    ),
    pytest.param(
        f"{CLOUD}[limits]\ngroups_max = 1.5",
        "line 4: [limits] groups_max: must be a whole number, 1 to 10000, not 1.5",
        id="fraction for a count",
    ),
    pytest.param(
        f"{CLOUD}[[limits]]",
        "line 3: limits: must be a table, not an array; write [limits] on a line of its own",
        id="two brackets too many",
    ),
    pytest.param(
        f'{CLOUD}[users]\nname = "alice"',
        "line 3: users: must be tables, not a table; write [[users]], with two brackets, for each",
        id="two brackets too few",
    ),
    pytest.param(
        f"{CLOUD}{USER}account_id = 123456789012",
        "line 7: [[users]] #1 account_id: is a number; write it in quotes",
        id="account without quotes",
    ),
    pytest.param(
        f'{CLOUD}{USER}account_id = "١٢٣٤٥٦٧٨٩٠١٢"',
        "line 7: [[users]] #1 account_id: '١٢٣٤٥٦٧٨٩٠١٢' is not accepted; use 12 digits in quotes",
        id="other digits",
    ),
    pytest.param(
        f"{CLOUD}{USER}{USER.replace('AKIA', 'AKIB')}",
        "line 8: [[users]] #2 name: 'alice' is that of the user on line 4 too; give each user another",
        id="two users of one name",
    ),
    pytest.param(
        f"{CLOUD}{USER}{USER.replace('alice', 'bob')}",
        "line 9: [[users]] #2 access_key_id: 'AKIAIOSFODNN7EXAMPLE' is that of the user on line 5 too; "
        "give each user another",
        id="two users of one key",
    ),
    pytest.param(
        f'{CLOUD}{USER}password = {{ env = "NOPE" }}',
        "line 7: [[users]] #1 password: environment variable 'NOPE' is not set; set it before the start",
        id="variable not set",
    ),
    pytest.param(
        f'{CLOUD}{USER}password = {{ env = "EMPTY" }}',
        "line 7: [[users]] #1 password: environment variable 'EMPTY' is empty; put the secret there",
        id="variable empty",
    ),
    pytest.param(
        f'{CLOUD}{USER}password = {{ file = "nope" }}',
        "line 7: [[users]] #1 password: there is no file 'nope'; create it, or correct the path",
        id="secret file missing",
    ),
    pytest.param(
        f'{CLOUD}{USER}[users.password]\nfile = "empty"',
        "line 7: [[users]] #1 password: the file 'empty' is empty; put the secret there",
        id="secret file empty, as a table",
    ),
    pytest.param(
        f'{CLOUD}{USER}password = {{ file = "latin1" }}',
        "line 7: [[users]] #1 password: the file 'latin1' holds bytes that are not text; put the secret there as UTF-8",
        id="secret file not UTF-8",
    ),
    pytest.param(
        f'{CLOUD}{USER}password = {{ file = "empty", env = "EMPTY" }}',
        "line 7: [[users]] #1 password: must be a secret, not this table; "
        'use a string, { env = "NAME" } or { file = "PATH" }',
        id="two places of one secret",
    ),
    pytest.param(
        f'{CLOUD}{USER}password = ""',
        "line 7: [[users]] #1 password: the string is empty; put the secret there",
        id="empty secret",
    ),
    pytest.param(
        f'{CLOUD}[[users]]\nname = "bob"\nsecret_access_key = "hush"',
        "line 3: [[users]] #1 access_key_id: is missing; use 16 to 128 letters, digits and '_'",
        id="missing key",
    ),
    pytest.param(
        f'{CLOUD}[server]\nport = 1\n\nport = "x',
        "line 6: is not TOML: Unterminated string; strings stand in quotes, one key = value a line",
        id="not TOML",
    ),
    pytest.param(
        f"{CLOUD}vms_max = ",
        "line 3: is not TOML: Invalid value; strings stand in quotes, one key = value a line",
        id="ends too early",
    ),
]


@pytest.mark.parametrize(("text", "expected"), WRONG)
def test_a_wrong_file_is_told_the_line_and_the_remedy(tmp_path: Path, text: str, expected: str) -> None:
    """Each mistake is answered with one sentence: file, line, key, what is wrong, what is right."""
    (tmp_path / "empty").touch()
    (tmp_path / "latin1").write_bytes(b"geheim\xfc")

    assert told(tmp_path, text, EMPTY="") == [f"phantom.toml, {expected}"]


def test_all_problems_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    """One run of the gateway shows everything there is to mend."""
    lines = told(
        tmp_path,
        """\
        prot = 1
        [clouds.hotel]
        kind = "ec3"
        [clouds.sierra]
        kind = "local"
        vms_max = -1
        [[users]]
        name = "a b"
        [[users]]
        name = "bob"
        """,
    )

    assert [int(line.removeprefix("phantom.toml, line ").split(":")[0]) for line in lines] == [1, 3, 6, 7, 7, 8, 9, 9]


def test_a_file_with_very_many_problems_is_told_the_first_ones(tmp_path: Path) -> None:
    """The list ends somewhere, and says how many more there are."""
    lines = told(tmp_path, "".join(f"wrong{n} = 1\n" for n in range(PROBLEMS_MAX + 20)) + CLOUD)

    assert len(lines) == PROBLEMS_MAX + 1
    assert lines[-1] == "phantom.toml: and 20 problems more"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{CLOUD}{USER}secret_acess_key = 'canary'", id="misspelt key"),
        pytest.param(f"{CLOUD}{USER}password = ['canary']", id="array"),
        pytest.param(f"{CLOUD}{USER}password = {{ text = 'canary' }}", id="table"),
        pytest.param(f'{CLOUD}{USER}password = "canary\\u0000"', id="control character"),
        pytest.param(f"{CLOUD}[database]\nurl = 'postgresql://u:canary@h/d'", id="password in a URL"),
        pytest.param(f"{CLOUD}[database]\nurl = 'oracle://u:canary@h/d'", id="password in another URL"),
        pytest.param(f"{CLOUD}{USER.replace('AKIA', 'canary/')}", id="secret in place of the key id"),
        pytest.param(f'{CLOUD}{USER}password = "canary', id="unfinished string"),
    ],
)
def test_an_error_repeats_no_secret(tmp_path: Path, text: str) -> None:
    """Errors go to terminals and logs: what may be a secret is never shown back."""
    assert "canary" not in "\n".join(told(tmp_path, text))


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        pytest.param(b"# a\n# \xff\n", "line 2: is not UTF-8; save the file as UTF-8", id="not UTF-8"),
        pytest.param(b"x = " + b"[" * 50_000, "too deeply", id="nested without end"),
        pytest.param(b"x = " + b"9" * 5000, "is not TOML", id="too many digits"),
        pytest.param(b"#" * (CONFIG_BYTES_MAX + 1), "is it the right file?", id="too large"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, octets: bytes, expected: str) -> None:
    """Whatever file is named, the answer is a sentence and no traceback."""
    path = tmp_path / "phantom.toml"
    path.write_bytes(octets)

    with pytest.raises(ConfigError) as refusal:
        load(path, HOME)
    assert expected in str(refusal.value)


# --- Nothing but ConfigError ------------------------------------------------------------------------------------------

KEYS = [(header, key.name) for header, table in TABLES.items() for key in keys_of(table)] + [
    ("", "server"), ("", "users"), ("", "clouds"), ("[clouds.NAME]", "images"), ("[clouds]", "NAME"), ("[server]", "x"),
]  # fmt: skip

SCALARS = st.one_of(
    st.integers().map(str),
    st.integers(0, 2**70).map(hex),
    st.floats().map(lambda x: str(x) if x == x else "nan"),  # noqa: PLR0124 - "nan" is the one that differs
    st.booleans().map(lambda flag: "true" if flag else "false"),
    st.datetimes().map(lambda time: time.isoformat()),
    st.dates().map(str),
    st.times().map(str),
    st.text(st.characters(codec="utf-8")).map(lambda text: '"' + "".join(f"\\U{ord(char):08x}" for char in text) + '"'),
    st.text(string.printable).filter(lambda text: "'" not in text and text.isprintable()).map("'{}'".format),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(st.sampled_from(["env", "file", "x"]), inner, max_size=2).map(
            lambda table: f"{{{', '.join(f'{key} = {item}' for key, item in table.items())}}}"
        ),
    ),
    max_leaves=4,
)


def problems_of(path: Path) -> tuple[Problem, ...]:
    """What is wrong with the file, if anything; whatever else is raised fails the test."""
    try:
        load(path, HOME)
    except ConfigError as error:
        return error.problems
    return ()


@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(("[server]", "tls_key"), '"a\\u0000b"')
@example(("", "state_directory"), '"~nobody/x"')
@example(("", "state_directory"), '"~"')
@example(("[[users]]", "password"), '{ file = "a\\u0000b" }')
@example(("[[users]]", "password"), f'{{ file = "{"x" * 5000}" }}')
@example(("[reconciler]", "sweep_interval_s"), "0x" + "f" * 9000)
@example(("[server]", "host"), '"::1%lo"')
@given(st.sampled_from(KEYS), VALUES)
def test_any_value_under_any_key_is_read_or_refused_in_words(tmp_path: Path, key: tuple[str, str], value: str) -> None:
    """No value raises anything but ConfigError, and what is refused is refused on its line."""
    header, name = key
    # A cloud, so that values that are good make a configuration; not where it would be defined twice.
    cloud = "" if "clouds" in f"{header}{name}" else CLOUD
    path = tmp_path / "phantom.toml"
    path.write_text(f"{header}\n{name} = {value}\n{cloud}", encoding="utf-8")
    problems = problems_of(path)

    assert {problem.line for problem in problems} <= {1, 2}
    assert len("\n".join(problem.told("phantom.toml") for problem in problems)) < 5000
