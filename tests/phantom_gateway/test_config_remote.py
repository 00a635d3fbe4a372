"""Clouds of the kinds openstack, libcloud and libvirt in the configuration, and how they are built."""

from pathlib import Path

import pytest

from phantom_gateway.checking import Report
from phantom_gateway.clouds import build_clouds, build_own_cloud, operators_credentials, traits_of
from phantom_gateway.config import (
    ConfigError,
    LibcloudCloudSettings,
    LibvirtCloudSettings,
    OpenStackCloudSettings,
    RemoteCloudSettings,
    load,
)
from phantom_gateway.credentials import Credentials
from phantom_gateway.installation import InstallationError
from phantom_gateway.secret import Secret
from tests.phantom_gateway.office import NOW

HOME = {"HOME": "/home/alice"}
GATEWAY = "0" * 12
INLINE = """\
kind = "openstack"
auth_url = "https://keystone.example.org/v3"
"""
CLOUDS_YAML = """\
clouds:
  alamo:
    auth: {auth_url: "http://k/v3", username: operator, password: sesame, project_name: web}
"""


def written(tmp_path: Path, text: str) -> Path:
    """A configuration with one cloud, alamo."""
    path = tmp_path / "phantom.toml"
    path.write_text(f"[clouds.alamo]\n{text}", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(
            'kind = "openstack"', "cloud: is missing; name a cloud of clouds.yaml, or give auth_url", id="who"
        ),
        pytest.param(
            'kind = "openstack"\ncloud = "a"\nusername = "b"\npassword = "c"',
            "username: is not used with cloud, whose clouds.yaml says it; leave out one of the two",
            id="both ways",
        ),
        pytest.param(
            f'{INLINE}username = "a"\nproject_name = "p"',
            "username: needs password as well; give both, or an application credential",
            id="half a user",
        ),
        pytest.param(
            f'{INLINE}username = "a"\npassword = "b"',
            "username: needs project_name as well, which says where VMs are launched",
            id="no project",
        ),
        pytest.param(
            f'{INLINE}application_credential_id = "a"',
            "application_credential_id: needs application_credential_secret as well; give both",
            id="half an application credential",
        ),
        pytest.param(f"{INLINE}clouds_file = 'phantom.toml'", "clouds_file: needs cloud as well", id="file alone"),
        pytest.param('kind = "libcloud"\ndriver = "gce"\nkey = "a"', "key: needs secret as well", id="half a key"),
        pytest.param(
            'kind = "libcloud"\ndriver = "gce"\noptions = { project = ["a"] }',
            "options: project must be a string, a whole number or true or false, not an array",
            id="an option that is none",
        ),
        pytest.param('kind = "libvirt"\nuri = "xen:///"', "uri: 'xen:///' is not accepted; use a", id="xen"),
        pytest.param(
            'kind = "libvirt"\n[clouds.alamo.images.x]\ndescription = "y"',
            "disk: is missing; give disk, or kernel with initrd",
            id="an image of nothing",
        ),
        pytest.param(
            'kind = "libvirt"\n[clouds.alamo.images.x]\ninitrd = "phantom.toml"\ndisk = "phantom.toml"',
            "initrd: needs kernel as well; a disk brings its own",
            id="initrd alone",
        ),
    ],
)
def test_keys_that_do_not_agree_are_told(tmp_path, text, told):
    """Each mistake is one sentence with the remedy; no secret is shown."""
    with pytest.raises(ConfigError) as refusal:
        load(written(tmp_path, text), HOME)

    assert told in str(refusal.value)


async def test_clouds_yaml_is_the_operators_account(tmp_path):
    """What OpenStack's own file says is what the gateway logs in with."""
    (tmp_path / "clouds.yaml").write_text(CLOUDS_YAML)
    config = load(written(tmp_path, 'kind = "openstack"\ncloud = "alamo"\nclouds_file = "clouds.yaml"'), HOME)
    settings = config.clouds["alamo"]
    assert isinstance(settings, OpenStackCloudSettings)

    credentials = operators_credentials(settings)
    clouds = build_clouds(config, GATEWAY, lambda: NOW)

    assert credentials == Credentials("operator", Secret("sesame"), is_user=True)
    assert clouds["alamo"].traits == traits_of(settings)
    await clouds["alamo"].close()


def test_a_clouds_yaml_that_says_nothing_is_told(tmp_path):
    """The start ends with one sentence."""
    (tmp_path / "clouds.yaml").write_text("clouds: {}")
    config = load(written(tmp_path, 'kind = "openstack"\ncloud = "alamo"\nclouds_file = "clouds.yaml"'), HOME)

    with pytest.raises(InstallationError, match="has no cloud 'alamo'"):
        build_clouds(config, GATEWAY, lambda: NOW)


@pytest.mark.parametrize("text", [INLINE, 'kind = "libcloud"\ndriver = "digitalocean"\n'])
async def test_without_the_operators_key_users_have_their_own(tmp_path, text):
    """The operator has no account there; a user with credentials has one, with the same traits."""
    config = load(written(tmp_path, text), HOME)
    settings = config.clouds["alamo"]
    assert isinstance(settings, RemoteCloudSettings)

    own = build_own_cloud(config, GATEWAY, lambda: NOW, "alamo", Credentials("id", Secret("hush")))

    assert build_clouds(config, GATEWAY, lambda: NOW) == {}
    assert own.traits == traits_of(settings)
    await own.close()


def test_an_unknown_driver_is_told_before_the_start(tmp_path):
    """Libcloud's own names alone are drivers."""
    config = load(written(tmp_path, 'kind = "libcloud"\ndriver = "hetzner"\nsecret = "x"'), HOME)

    with pytest.raises(InstallationError, match="Libcloud has no driver called 'hetzner'"):
        build_clouds(config, GATEWAY, lambda: NOW)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (INLINE, "alamo: openstack"),
        ('kind = "libcloud"\ndriver = "vultr"', "alamo: libcloud (vultr)"),
        ('kind = "libvirt"', "alamo: libvirt (qemu:///session)"),
    ],
)
def test_a_report_says_which_of_its_kind_it_is(tmp_path, text, title):
    """The title of a sheet, and the limits that are configured."""
    settings = load(written(tmp_path, text), HOME).clouds["alamo"]
    report = Report("alamo", settings, None, None)

    assert report.title == title
    assert report.limits[0] == ("20 VMs" if isinstance(settings, LibvirtCloudSettings) else "1000 VMs")


def test_options_are_kept_as_they_are(tmp_path):
    """Strings, numbers and booleans reach the driver."""
    text = 'kind = "libcloud"\ndriver = "gce"\noptions = { project = "web", scopes = 3, secure = true }'
    settings = load(written(tmp_path, text), HOME).clouds["alamo"]

    assert isinstance(settings, LibcloudCloudSettings)
    assert settings.options == {"project": "web", "scopes": 3, "secure": True}
