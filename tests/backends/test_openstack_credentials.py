"""clouds.yaml and secure.yaml: what is understood of them, and what a wrong one is told."""

from pathlib import Path

import pytest

from backends.openstack import Login, LoginError, from_clouds_yaml
from backends.openstack.credentials import search_path

PASSWORD = """\
clouds:
  alamo:
    region_name: north
    auth:
      auth_url: https://keystone.example.org/v3
      username: operator
      project_name: web
      project_domain_id: d-1
      user_domain_name: staff
"""


def files(tmp_path: Path, clouds: str, secure: str | None = None) -> list[Path]:
    """A clouds.yaml, and a secure.yaml beside it."""
    (tmp_path / "clouds.yaml").write_text(clouds)
    if secure is not None:
        (tmp_path / "secure.yaml").write_text(secure)
    return [tmp_path / "absent.yaml", tmp_path / "clouds.yaml"]


def test_the_secret_comes_from_the_file_beside(tmp_path):
    """The first file that exists is read, and secure.yaml is laid over it, table by table."""
    secure = "clouds:\n  alamo:\n    auth:\n      password: sesame\n"

    login = from_clouds_yaml("alamo", files(tmp_path, PASSWORD, secure))

    assert login == Login(
        "https://keystone.example.org/v3",
        "operator",
        "sesame",
        project="web",
        user_domain="staff",
        project_domain_id="d-1",
        region="north",
    )
    assert "sesame" not in repr(login)


def test_an_application_credential_needs_no_project(tmp_path):
    """It is known by its type, or by its id."""
    text = """\
clouds:
  alamo:
    auth_type: v3applicationcredential
    verify: false
    auth: {auth_url: "http://k/v3", application_credential_id: abc, application_credential_secret: hush}
"""

    login = from_clouds_yaml("alamo", files(tmp_path, text))

    assert (login.user, login.secret, login.is_application, login.verify_tls) == ("abc", "hush", True, False)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(PASSWORD, "auth needs auth_url, username and password", id="no password"),
        pytest.param("clouds: {sierra: {}}", "has no cloud 'alamo'; it has: sierra", id="another cloud"),
        pytest.param("clouds: {alamo: {}}", "there is no auth", id="nothing in it"),
        pytest.param("clouds: {alamo: {profile: vexxhost}}", "profile is not understood here", id="profile"),
        pytest.param("clouds: {alamo: {interface: internal}}", "only public endpoints", id="interface"),
        pytest.param("clouds: {alamo: {auth_type: token, auth: {}}}", "auth_type 'token' is not", id="token"),
        pytest.param("clouds: {alamo: 3}", "is not a table", id="a number"),
        pytest.param("x: [", "is not YAML, line", id="not YAML"),
        pytest.param("[]", "has no table called clouds", id="a list"),
        pytest.param(
            PASSWORD.replace("project_domain_id: d-1", "password: p\n      project_domain_name: other"),
            "give project_domain_id instead",
            id="a domain by name",
        ),
    ],
)
def test_what_is_not_understood_is_told(tmp_path, text, told):
    """The sentence names the file and the key."""
    with pytest.raises(LoginError) as raised:
        from_clouds_yaml("alamo", files(tmp_path, text))

    assert told in str(raised.value)
    assert "clouds.yaml" in str(raised.value)


def test_no_file_at_all_names_every_place(tmp_path):
    """Whoever forgot it sees where it could be."""
    with pytest.raises(LoginError, match=r"there is no .*a\.yaml nor .*b\.yaml"):
        from_clouds_yaml("alamo", [tmp_path / "a.yaml", tmp_path / "b.yaml"])


def test_files_are_sought_where_openstacks_tools_look():
    """The variable first, then the working directory, the user's, the system's."""
    found = search_path({"OS_CLIENT_CONFIG_FILE": "/x/y.yaml", "HOME": "/home/alice"})

    assert [str(each) for each in found] == [
        "/x/y.yaml",
        str(Path.cwd() / "clouds.yaml"),
        "/home/alice/.config/openstack/clouds.yaml",
        "/etc/openstack/clouds.yaml",
    ]
