"""Clouds of the kind ec2 in the configuration: what they give, what dialects preset, what a wrong one is told."""

from pathlib import Path
from textwrap import dedent

import pytest

from phantom_gateway.clouds import build_clouds, build_own_cloud
from phantom_gateway.config import ConfigError, Ec2CloudSettings, LocalCloudSettings, load
from phantom_gateway.config.cloud_kinds import DIALECTS
from phantom_gateway.credentials import Credentials
from phantom_gateway.secret import Secret
from tests.phantom_gateway.office import NOW

HOME = {"HOME": "/home/alice"}
SIERRA = '[clouds.sierra]\nkind = "ec2"\nendpoint_url = "http://127.0.0.1:5000"\n'


def sierra(tmp_path: Path, keys: str = "", **environ: str) -> Ec2CloudSettings:
    """The cloud sierra with these further keys."""
    path = tmp_path / "phantom.toml"
    path.write_text(SIERRA + dedent(keys), encoding="utf-8")
    cloud = load(path, HOME | environ).clouds["sierra"]
    assert isinstance(cloud, Ec2CloudSettings)
    return cloud


def test_the_least_that_an_endpoint_needs_is_its_url(tmp_path: Path) -> None:
    """All else has a default that is right, if slow, for an endpoint of which nothing is known."""
    cloud = sierra(tmp_path)

    assert (cloud.access_key_id, cloud.secret_access_key) == (None, None)
    assert {name: getattr(cloud, name) for name in DIALECTS["generic"]} == DIALECTS["generic"]
    assert (cloud.vms_per_cloud_max, cloud.launches_per_minute_max) == (1000, 120.0)
    assert (cloud.verify_tls, cloud.ca_bundle, cloud.signature_version) == (True, None, "v4")


def test_everything_written_is_read(tmp_path: Path) -> None:
    """Secrets are fetched, paths resolved, numbers and arrays kept."""
    (tmp_path / "ca.pem").touch()
    path = tmp_path / "phantom.toml"
    path.write_text(
        dedent("""\
            [clouds.sierra]
            kind = "ec2"
            endpoint_url = "https://[::1]:8773/services/Cloud"
            region = "nova"
            access_key_id = "testing"
            secret_access_key = { env = "SIERRA" }
            key_name = "phantom key"
            security_groups = ["web", "db"]
            subnet_id = "subnet-1"
            zone = "nova"
            signature_version = "v2"
            api_version = "2010-08-31"
            ca_bundle = "ca.pem"
            sweep_page_size = 5
            vms_per_cloud_max = 7
            launches_per_minute_max = 2.5
            """)
    )

    cloud = load(path, HOME | {"SIERRA": "hush"}).clouds["sierra"]

    assert isinstance(cloud, Ec2CloudSettings)
    assert cloud.secret_access_key == Secret("hush")
    assert "hush" not in repr(cloud)
    assert (cloud.security_groups, cloud.key_name) == (("web", "db"), "phantom key")
    assert (cloud.ca_bundle, cloud.sweep_page_size) == (tmp_path / "ca.pem", 5)
    assert (cloud.vms_per_cloud_max, cloud.launches_per_minute_max) == (7, 2.5)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_dialect_presets_what_is_known_of_its_family(tmp_path: Path, dialect: str) -> None:
    """Keys that are not in the file are the dialect's."""
    cloud = sierra(tmp_path, f'dialect = "{dialect}"')

    assert {name: getattr(cloud, name) for name in DIALECTS[dialect]} == DIALECTS[dialect]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("tags", '"none"', id="tags"),
        pytest.param("token_is_idempotent", "false", id="a flag switched off"),
        pytest.param("visible_after_s", "0", id="nothing, which is a value too"),
        pytest.param("launch_batch_max", "1", id="batch"),
    ],
)
def test_a_key_in_the_file_comes_before_its_dialect(tmp_path: Path, key: str, value: str) -> None:
    """One key is another, the others stay preset."""
    cloud = sierra(tmp_path, f'dialect = "aws"\n{key} = {value}')

    assert str(getattr(cloud, key)).lower() in {value.strip('"'), f"{value}.0"}
    assert [name for name, preset in DIALECTS["aws"].items() if getattr(cloud, name) != preset] == [key]


def test_both_kinds_stand_side_by_side(tmp_path: Path) -> None:
    """The example of a mixed installation loads: each cloud has the keys of its kind."""
    path = tmp_path / "phantom.toml"
    path.write_text(
        'default_cloud = "hotel"\n[clouds.hotel]\nkind = "local"\n'
        + SIERRA
        + 'region = "us-east-1"\naccess_key_id = "testing"\nsecret_access_key = "testing"\nkey_name = "phantomkey"\n'
    )

    config = load(path, HOME)

    assert [type(cloud) for cloud in config.clouds.values()] == [LocalCloudSettings, Ec2CloudSettings]
    assert list(build_clouds(config, "0" * 12, lambda: NOW)) == ["hotel", "sierra"]


async def test_a_cloud_without_the_operators_key_is_built_for_users_alone(tmp_path: Path) -> None:
    """The operator has no account there; a user with a key has one, with the traits of the dialect."""
    path = tmp_path / "phantom.toml"
    path.write_text(SIERRA + 'dialect = "ec2-api"\n')
    config = load(path, HOME)

    own = build_own_cloud(config, "0" * 12, lambda: NOW, "sierra", Credentials("AKIAALICE", Secret("hush")))

    assert build_clouds(config, "0" * 12, lambda: NOW) == {}
    assert (own.name, own.traits.token_is_idempotent, own.traits.launch_batch_max) == ("sierra", True, 5)
    await own.close()


URL = "for example https://ec2.example.org:8773/services/Cloud"
HEAD = '[clouds.sierra]\nkind = "ec2"\n'

WRONG = [
    pytest.param(
        HEAD,
        "line 1: [clouds.sierra] endpoint_url: is missing; use http:// or https://, a host, and where needed a port "
        "and a path",
        id="no URL",
    ),
    *(
        pytest.param(f"{HEAD}endpoint_url = {url}", f"line 3: [clouds.sierra] endpoint_url: {text}", id=name)
        for name, url, text in [
            ("URL as a number", "5000", f"must be a string, not a whole number; {URL}"),
            ("empty URL", '""', f"must be 1 to 2048 printable ASCII characters without spaces; {URL}"),
            ("no scheme", '"ec2.example.org"', f"must begin with http:// or https://; {URL}"),
            ("another scheme", '"ftp://ec2.example.org"', f"must begin with http:// or https://; {URL}"),
            ("no host", '"http:///services/Cloud"', f"'' is not a host, with or without a port; {URL}"),
            ("port of letters", '"http://host:port"', f"has a host or a port that is none; {URL}"),
            ("port too large", '"http://host:70000"', f"has a host or a port that is none; {URL}"),
            ("mistyped address", '"http://127.0.0.1.1"', f"'127.0.0.1.1' is not a host, with or without a port; {URL}"),
            (
                "password in it",
                '"http://alice:geheim@host"',
                "must not hold a user or a password; give access_key_id and secret_access_key",
            ),
            ("a query", '"http://host/?x=geheim"', "must end with its path, without '?' and '#'"),
        ]
    ),
    *(
        pytest.param(SIERRA + line, f"line 4: [clouds.sierra] {line.split()[0]}: {text}", id=name)
        for name, line, text in [
            (
                "key without its secret",
                'access_key_id = "testing"',
                "needs secret_access_key as well; give both, or neither when every user has a key of his own there",
            ),
            (
                "secret without its key",
                'secret_access_key = "geheim"',
                "needs access_key_id as well; give both, or neither when every user has a key of his own there",
            ),
            (
                "dialect unknown",
                'dialect = "azure"',
                "'azure' is not a dialect; use one of: generic, aws, moto, ec2-api",
            ),
            ("tags as a flag", "tags = true", "true is not a way of tagging; use one of: launch, after, none"),
            (
                "signature of version 3",
                'signature_version = "v3"',
                "'v3' is not a signature version; use one of: v4, v2",
            ),
            (
                "version as a date",
                "api_version = 2016-11-15",
                "must be a string, not a date or time",
            ),
            (
                "version of the API unknown",
                'api_version = "latest"',
                "'latest' is not accepted; use a date like \"2016-11-15\", in quotes",
            ),
            ("batch of none", "launch_batch_max = 0", "0 is out of range; use 1 to 1000"),
            ("batch beyond EC2's", "launch_batch_max = 1001", "1001 is out of range; use 1 to 1000"),
            (
                "flag in quotes",
                'token_is_idempotent = "yes"',
                "must be true or false, without quotes, not 'yes'",
            ),
            ("no time at all", "read_timeout_s = 0", "0 is out of range; use 1 to 3600"),
            ("endless", "connect_timeout_s = inf", "inf is out of range; use 0.1 to 300"),
            ("page too small", "sweep_page_size = 1", "1 is out of range; use 5 to 1000"),
            ("no VM at all", "vms_per_cloud_max = 0", "0 is out of range; use 1 to 100000"),
            ("no launch at all", "launches_per_minute_max = 0", "0 is out of range; use 1 to 100000"),
            (
                "groups as a string",
                'security_groups = "web"',
                "must be an array of strings, not a string; write [ ] around it",
            ),
            (
                "group that is none",
                'security_groups = ["web", ""]',
                "string 2 '' is not accepted; use 1 to 255 printable ASCII characters",
            ),
            ("group twice", 'security_groups = ["web", "web"]', "names 'web' twice; once is enough"),
            (
                "too many groups",
                f"security_groups = {[f'g{n}' for n in range(17)]}",
                "holds 17 strings; use at most 16",
            ),
            (
                "key of the other kind",
                "vms_max = 3",
                "is not a key that is known here; it belongs to clouds of the kind local",
            ),
            ("mistyped", "visible_after = 3", "is not a key that is known here; did you mean 'visible_after_s'?"),
            (
                "authorities without TLS",
                'ca_bundle = "ca.pem"',
                "is not used with http://, which has no TLS; write https://, or leave it out",
            ),
        ]
    ),
    pytest.param(
        '[clouds.hotel]\nkind = "local"\nendpoint_url = "http://host"',
        "line 3: [clouds.hotel] endpoint_url: is not a key that is known here; it belongs to clouds of the kind ec2",
        id="key of this kind elsewhere",
    ),
    pytest.param(
        '[clouds.hotel]\nkind = "local"\n[server]\nlaunch_batch_max = 3',
        'line 4: [server] launch_batch_max: is not a key that is known here; it belongs in [clouds.NAME] kind = "ec2"',
        id="key of this kind in another table",
    ),
    pytest.param(
        f'{SIERRA}[clouds.sierra.images.x]\ncommand = ["x"]',
        "line 4: [clouds.sierra] images: belongs to clouds of the kinds local and libvirt; images of this one are its "
        "own: name their ids in launches",
        id="images of the other kind",
    ),
    pytest.param(
        f'{HEAD}endpoint_url = "https://host"\nca_bundle = "ca.pem"\nverify_tls = false',
        "line 4: [clouds.sierra] ca_bundle: is not used with verify_tls = false; leave out one of the two",
        id="authorities that nobody asks",
    ),
    pytest.param(
        f'{HEAD}endpoint_url = "https://host"\nca_bundle = "no.pem"',
        "line 4: [clouds.sierra] ca_bundle: there is no file '{directory}/no.pem'; create it, or correct the path",
        id="authorities that are not there",
    ),
]


@pytest.mark.parametrize(("text", "expected"), WRONG)
def test_a_wrong_cloud_is_told_the_line_and_the_remedy(tmp_path: Path, text: str, expected: str) -> None:
    """Each mistake is answered with one sentence, and what may be secret is not repeated."""
    (tmp_path / "ca.pem").touch()
    path = tmp_path / "phantom.toml"
    path.write_text(text)

    with pytest.raises(ConfigError) as refusal:
        load(path, HOME)

    told = str(refusal.value).removeprefix(f"{tmp_path}/")
    assert told == f"phantom.toml, {expected.replace('{directory}', str(tmp_path))}"
    assert "geheim" not in told
