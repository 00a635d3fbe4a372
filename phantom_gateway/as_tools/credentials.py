"""
Who signs: the key pair, from whichever place has one.

Owns: the places and their order: options, the credential file, variables, a profile of the shared file. Does not own:
signing.
"""

import configparser
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from phantom_gateway.as_tools.errors import UsedWrongly
from phantom_gateway.secret import Secret

FILE_BYTES_MAX = 1024 * 1024
"""A credential file has two lines, a shared file some hundred; whatever is larger is another file, named by mistake."""

X509_ALONE = (
    "an X.509 certificate and key alone do not sign here: the original tools spoke SOAP with them, this endpoint and "
    "these tools speak Query. Put AWSAccessKeyId=... and AWSSecretKey=... into a file, and name it in "
    "AWS_CREDENTIAL_FILE or with --aws-credential-file"
)

NOTHING_FOUND = (
    "there are no credentials: name a file with AWSAccessKeyId=... and AWSSecretKey=... in AWS_CREDENTIAL_FILE or with "
    "--aws-credential-file, give -I and -S, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
)

_PRINTABLE = re.compile(r"[!-~]+")

_PAIRS = (
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    ("EC2_ACCESS_KEY", "EC2_SECRET_KEY", ""),
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key pair; *session_token* comes with temporary ones."""

    access_key_id: str
    secret: Secret
    session_token: Secret | None = None


def find_credentials(settings: Mapping[str, str], environ: Mapping[str, str]) -> Credentials:
    """
    The credentials: of the options, else of the credential file, else of the variables, else of a profile.

    A key without a secret, or the other way round, is passed over.

    Raises:
        UsedWrongly: a file that was named cannot be read or is not what it has to be; or there are none anywhere.

    """
    key, secret = settings.get("--access-key-id"), settings.get("--secret-key")
    if key and secret:
        return _checked("-I", key, secret)
    named = settings.get("--aws-credential-file") or environ.get("AWS_CREDENTIAL_FILE")
    if named:
        return _of_credential_file(Path(named))
    for key_name, secret_name, token_name in _PAIRS:
        if environ.get(key_name) and environ.get(secret_name):
            return _checked(key_name, environ[key_name], environ[secret_name], environ.get(token_name))
    found = _of_shared_file(environ)
    if found is not None:
        return found
    has_x509 = any(
        settings.get(option) or environ.get(variable)
        for option, variable in (
            ("--ec2-cert-file-path", "EC2_CERT"),
            ("--ec2-private-key-file-path", "EC2_PRIVATE_KEY"),
        )
    )
    raise UsedWrongly(X509_ALONE if has_x509 else NOTHING_FOUND)


def _of_credential_file(path: Path) -> Credentials:
    found: dict[str, str] = {}
    for line in _read(path).splitlines():
        name, equals, value = line.partition("=")  # a secret may hold more of them
        if equals and not name.lstrip().startswith("#"):
            found[name.strip().lower()] = value.strip()
    key, secret = found.get("awsaccesskeyid"), found.get("awssecretkey")
    if not key or not secret:
        missing = "AWSSecretKey" if key else "AWSAccessKeyId"
        raise UsedWrongly(f"the credential file {path} has no line {missing}=...")
    return _checked(f"the credential file {path}", key, secret)


def _of_shared_file(environ: Mapping[str, str]) -> Credentials | None:
    """The pair of the profile. None when nobody named a file or profile, and the usual ones are not there."""
    named = environ.get("AWS_SHARED_CREDENTIALS_FILE")
    profile = environ.get("AWS_PROFILE")
    path = Path(named) if named else Path(environ.get("HOME", "/")) / ".aws" / "credentials"
    if not named and not path.is_file():
        return None
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(_read(path))
    except configparser.Error as error:
        raise UsedWrongly(f"{path} is not a file of profiles") from error
    section = profile or "default"
    if not parser.has_section(section):
        if profile:
            raise UsedWrongly(f"{path} has no profile {profile}, which AWS_PROFILE names")
        return None
    key = parser.get(section, "aws_access_key_id", fallback="").strip()
    secret = parser.get(section, "aws_secret_access_key", fallback="").strip()
    token = parser.get(section, "aws_session_token", fallback="").strip()
    if not key or not secret:
        return None
    return _checked(f"{path}, profile {section}", key, secret, token)


def _checked(source: str, key: str, secret: str, token: str | None = None) -> Credentials:
    """The credentials. Raises UsedWrongly when *key* or *token* could not stand in a header; a secret is in none."""
    if not _PRINTABLE.fullmatch(key) or not _PRINTABLE.fullmatch(token or "-"):
        raise UsedWrongly(f"{source}: a key or token is letters, digits and signs, without blanks or line ends")
    return Credentials(key, Secret(secret), Secret(token) if token else None)


def _read(path: Path) -> str:
    try:
        with path.expanduser().open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise UsedWrongly(f"the credential file {path} cannot be read: {error.strerror}") from error
    if len(content) > FILE_BYTES_MAX:
        raise UsedWrongly(f"{path} is too large to be a credential file")
    return content.decode("utf-8", "replace")
