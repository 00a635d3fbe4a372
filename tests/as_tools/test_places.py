"""Where a request goes and who signs it: options before files before variables, and clear words without any."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from phantom_gateway.as_tools.credentials import FILE_BYTES_MAX, find_credentials
from phantom_gateway.as_tools.endpoint import find_endpoint
from phantom_gateway.as_tools.errors import UsedWrongly

AWS = {"AWS_ACCESS_KEY_ID": "aws", "AWS_SECRET_ACCESS_KEY": "s"}
EC2 = {"EC2_ACCESS_KEY": "ec2", "EC2_SECRET_KEY": "s"}
X509 = {"EC2_CERT": "cert.pem", "EC2_PRIVATE_KEY": "pk.pem"}
PAIR = {"--access-key-id": "option", "--secret-key": "s"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a credential file, and a file of two profiles."""
    (tmp_path / "as").write_text("# mine\r\nAWSAccessKeyId = file\r\nAWSSecretKey=a/b+c==\r\n")
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = shared\naws_secret_access_key = s%p\n"
        "[other]\naws_access_key_id = other\naws_secret_access_key = s\naws_session_token = t\n[empty]\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("settings", "environ", "expected"),
    [
        pytest.param(PAIR, {"AWS_CREDENTIAL_FILE": "as", **AWS, **X509}, "option", id="options come first"),
        pytest.param(PAIR, {"AWS_CREDENTIAL_FILE": "/none"}, "option", id="a file is not even looked for then"),
        pytest.param({"--access-key-id": "x"}, {"AWS_CREDENTIAL_FILE": "as"}, "file", id="a key without a secret"),
        pytest.param({"--secret-key": "x"}, {**AWS}, "aws", id="a secret without a key"),
        pytest.param({"--aws-credential-file": "as"}, AWS, "file", id="the option's file"),
        pytest.param({}, {"AWS_CREDENTIAL_FILE": "as", **AWS, **EC2, **X509}, "file", id="the file before variables"),
        pytest.param({"--ec2-cert-file-path": "c"}, {"AWS_CREDENTIAL_FILE": "as"}, "file", id="X.509 beside a file"),
        pytest.param({}, {**AWS, **EC2, **X509}, "aws", id="variables of newer clients"),
        pytest.param({}, {**EC2, **X509}, "ec2", id="variables of euca2ools"),
        pytest.param({}, {"AWS_ACCESS_KEY_ID": "half", **EC2}, "ec2", id="half a pair is none"),
        pytest.param({}, {}, "shared", id="the default profile"),
        pytest.param({}, {"AWS_PROFILE": "other"}, "other", id="another profile"),
        pytest.param({}, {**X509}, "shared", id="a profile beside X.509"),
    ],
)
def test_the_first_place_that_has_a_pair_signs(
    home: Path, monkeypatch: pytest.MonkeyPatch, settings: Mapping[str, str], environ: Mapping[str, str], expected: str
) -> None:
    """Options, the credential file, variables, a profile; X.509 counts only when there is nothing else."""
    monkeypatch.chdir(home)

    assert find_credentials(settings, {"HOME": str(home), **environ}).access_key_id == expected


def test_a_secret_is_read_to_its_last_equals_sign_and_never_shown(home: Path) -> None:
    """Base64 ends with equals signs; a per cent sign in a profile is one; and no repr gives a secret away."""
    of_file = find_credentials({}, {"AWS_CREDENTIAL_FILE": str(home / "as")})
    of_profile = find_credentials({}, {"HOME": str(home)})

    assert of_file.secret.reveal() == "a/b+c=="
    assert of_profile.secret.reveal() == "s%p"
    assert "a/b+c" not in repr(of_file)


def test_a_session_token_comes_with_its_pair(home: Path) -> None:
    """From the variable, or from the profile."""
    of_variables = find_credentials({}, {**AWS, "AWS_SESSION_TOKEN": "v"})
    of_profile = find_credentials({}, {"HOME": str(home), "AWS_PROFILE": "other"})

    assert [found.session_token and found.session_token.reveal() for found in (of_variables, of_profile)] == ["v", "t"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(None, "No such file", id="not there"),
        pytest.param("", "no line AWSAccessKeyId=", id="empty"),
        pytest.param("AWSAccessKeyId=a\n", "no line AWSSecretKey=", id="no secret"),
        pytest.param("AWSAccessKeyId=a\nAWSSecretKey=\n", "no line AWSSecretKey=", id="empty secret"),
        pytest.param("[default]\naws_access_key_id = a\n", "no line AWSAccessKeyId=", id="another kind of file"),
        pytest.param("x" * (FILE_BYTES_MAX + 1), "too large", id="too large"),
    ],
)
def test_a_named_credential_file_has_to_be_one(tmp_path: Path, content: str | None, told: str) -> None:
    """It is never passed over for the next place: another user's keys would sign."""
    path = tmp_path / "keys"
    if content is not None:
        path.write_text(content)

    with pytest.raises(UsedWrongly) as refusal:
        find_credentials({}, {"AWS_CREDENTIAL_FILE": str(path), **AWS})
    assert str(path) in str(refusal.value)
    assert told in str(refusal.value)


@pytest.mark.parametrize(
    ("settings", "environ", "told"),
    [
        pytest.param({"--access-key-id": "a\r", "--secret-key": "s"}, {}, "-I: ", id="option"),
        pytest.param({}, AWS | {"AWS_ACCESS_KEY_ID": "a\nb: c"}, "AWS_ACCESS_KEY_ID: ", id="variable"),
        pytest.param({}, AWS | {"AWS_SESSION_TOKEN": "tök"}, "AWS_ACCESS_KEY_ID: ", id="token"),
    ],
)
def test_a_key_that_cannot_stand_in_a_header_is_refused(
    settings: Mapping[str, str], environ: Mapping[str, str], told: str
) -> None:
    """A line end that a file from elsewhere left behind is told as such; it would end the header."""
    with pytest.raises(UsedWrongly, match="without blanks or line ends") as refusal:
        find_credentials(settings, environ)
    assert str(refusal.value).startswith(told)


@pytest.mark.parametrize("content", ["no section\n", "[default\n", "[a]\n[a]\n"])
def test_a_file_of_profiles_has_to_be_one(tmp_path: Path, content: str) -> None:
    """What cannot be read is told by its name, without what is in it."""
    path = tmp_path / "profiles"
    path.write_text(content)

    with pytest.raises(UsedWrongly, match="is not a file of profiles"):
        find_credentials({}, {"AWS_SHARED_CREDENTIALS_FILE": str(path)})


@pytest.mark.parametrize(
    ("settings", "environ", "told"),
    [
        pytest.param({}, {}, "there are no credentials", id="nothing"),
        pytest.param({}, X509, "X.509", id="X.509 in variables"),
        pytest.param(
            {"--ec2-private-key-file-path": "k", "--ec2-cert-file-path": "c"}, {}, "X.509", id="X.509 options"
        ),
        pytest.param({}, {"AWS_PROFILE": "none"}, "no profile none", id="unknown profile"),
        pytest.param({}, {"AWS_PROFILE": "empty"}, "there are no credentials", id="empty profile"),
    ],
)
def test_nothing_to_sign_with_is_told_with_what_to_do(
    home: Path, settings: Mapping[str, str], environ: Mapping[str, str], told: str
) -> None:
    """The text names the variable to set; X.509 alone has a text of its own."""
    where = home if "AWS_PROFILE" in environ else home / "empty"

    with pytest.raises(UsedWrongly) as refusal:
        find_credentials(settings, {"HOME": str(where), **environ})
    assert told in str(refusal.value)
    assert "AWS_PROFILE" in str(refusal.value) or "AWS_CREDENTIAL_FILE" in str(refusal.value)


@pytest.mark.parametrize(
    ("settings", "environ", "url", "region"),
    [
        pytest.param({}, {}, "https://autoscaling.us-east-1.amazonaws.com/", "us-east-1", id="Amazon's, by default"),
        pytest.param(
            {"--region": "eu-west-1"},
            {"EC2_REGION": "x", "AWS_REGION": "y"},
            "https://autoscaling.eu-west-1.amazonaws.com/",
            "eu-west-1",
            id="the option's region",
        ),
        pytest.param(
            {},
            {"EC2_REGION": "eu-west-1", "AWS_REGION": "y"},
            "https://autoscaling.eu-west-1.amazonaws.com/",
            "eu-west-1",
            id="EC2_REGION",
        ),
        pytest.param(
            {},
            {"AWS_AUTO_SCALING_URL": "http://h:8773/services/AutoScaling", "AWS_ENDPOINT_URL": "http://other"},
            "http://h:8773/services/AutoScaling",
            "us-east-1",
            id="a URL with a path",
        ),
        pytest.param(
            {"--url": "https://[::1]:8445"},
            {"AWS_AUTO_SCALING_URL": "http://other", "EC2_REGION": "here"},
            "https://[::1]:8445/",
            "here",
            id="the option's URL, and a region to sign with",
        ),
        pytest.param(
            {},
            {"AWS_ENDPOINT_URL_AUTO_SCALING": "http://one", "AWS_ENDPOINT_URL": "http://two"},
            "http://one/",
            "us-east-1",
            id="newer variables",
        ),
        pytest.param(
            {},
            {"AWS_AUTO_SCALING_URL": "https://autoscaling.eu-west-1.amazonaws.com", "EC2_REGION": "us-east-1"},
            "https://autoscaling.eu-west-1.amazonaws.com/",
            "eu-west-1",
            id="Amazon's host says the region",
        ),
    ],
)
def test_the_endpoint_is_the_one_that_is_named(
    settings: Mapping[str, str], environ: Mapping[str, str], url: str, region: str
) -> None:
    """The option before the variables, a URL before a region."""
    found = find_endpoint(settings, environ)

    assert (found.url, found.region) == (url, region)


def test_an_empty_variable_is_none() -> None:
    """AWS_AUTO_SCALING_URL= is what a script leaves behind that unsets it the old way."""
    assert (
        find_endpoint({}, {"AWS_AUTO_SCALING_URL": "", "EC2_REGION": ""}).hostname
        == "autoscaling.us-east-1.amazonaws.com"
    )


@pytest.mark.parametrize(
    ("settings", "environ", "version"),
    [
        ({}, {}, 4),
        ({"--signature-version": "2"}, {}, 2),
        ({}, {"AWS_AUTO_SCALING_SIGNATURE_VERSION": "2"}, 2),
        ({"--signature-version": "4"}, {"AWS_AUTO_SCALING_SIGNATURE_VERSION": "2"}, 4),
    ],
)
def test_the_signature_is_version_4_unless_asked(
    settings: Mapping[str, str], environ: Mapping[str, str], version: int
) -> None:
    """The option comes before the variable."""
    assert find_endpoint(settings, environ).signature_version == version
