"""
Kinds of values that point at something outside the configuration: addresses, files, secrets.

Owns: finding what they point at, reading secrets, and saying so when nothing is there. Does not own using it.
"""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from phantom_gateway.config.errors import kind_of, shown, shown_path
from phantom_gateway.config.kinds import Around, Wrong
from phantom_gateway.secret import Secret

SECRET_FILE_BYTES_MAX = 64 * 1024
"""Longer than any password; short enough to notice that the wrong file was named."""

_HOST_NAME = r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?"


@dataclass(frozen=True, slots=True)
class Host:
    """An address to listen on: IPv4, IPv6 or a name."""

    words: str = "string"
    limits: str = "an IPv4 address, an IPv6 address without brackets, or a host name"

    def read(self, value: object, _around: Around) -> str:
        """The address as written."""
        if not isinstance(value, str):
            raise Wrong(f"must be a string, not {shown(value)}; use {self.limits}")
        if not value:
            raise Wrong("is empty; write 0.0.0.0 to listen on every address")
        try:
            ipaddress.ip_address(value)
        except ValueError:
            # Digits and dots alone are a mistyped address; as a name they would be looked up, to nobody's use.
            if re.fullmatch(_HOST_NAME, value) is None or re.fullmatch(r"[0-9.]+", value):
                raise Wrong(f"{shown(value)} is not an address to listen on; use {self.limits}") from None
        return value


def is_loopback(host: str) -> bool:
    """Whether *host* reaches this machine only. A name other than localhost is not believed: it may change."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        name = host.lower().rstrip(".")
        return name == "localhost" or name.endswith(".localhost")


@dataclass(frozen=True, slots=True)
class EndpointUrl:
    """
    Where a cloud, or another system, is asked. Shown back only in parts: a URL may hold a password.

    *instead* is what to do in the place of writing a password into it.
    """

    instead: str = "give access_key_id and secret_access_key"
    words: str = "string"
    limits: str = "http:// or https://, a host, and where needed a port and a path"

    def read(self, value: object, _around: Around) -> str:
        """The URL as written."""
        if not isinstance(value, str):
            raise Wrong(f"must be a string, not {kind_of(value)}; for example {_EXAMPLE_URL}")
        if re.fullmatch(r"[!-~]{1,2048}", value) is None:
            raise Wrong(f"must be 1 to 2048 printable ASCII characters without spaces; for example {_EXAMPLE_URL}")
        try:
            url = urlsplit(value)
            host, port = url.hostname or "", url.port
        except ValueError:
            raise Wrong(f"has a host or a port that is none; for example {_EXAMPLE_URL}") from None
        if url.scheme not in {"http", "https"}:
            raise Wrong(f"must begin with http:// or https://; for example {_EXAMPLE_URL}")
        if url.username is not None or url.password is not None:
            raise Wrong(f"must not hold a user or a password; {self.instead}")
        if url.query or url.fragment or "?" in value or "#" in value:
            raise Wrong("must end with its path, without '?' and '#'")
        if port == 0 or not _is_host(host):
            raise Wrong(f"{shown(url.netloc)} is not a host, with or without a port; for example {_EXAMPLE_URL}")
        return value


_EXAMPLE_URL = "https://ec2.example.org:8773/services/Cloud"


def _is_host(host: str) -> bool:
    """Whether *host*, without brackets, can be an address or a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return re.fullmatch(_HOST_NAME, host) is not None and re.fullmatch(r"[0-9.]+", host) is None
    return True


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """Where records are kept. Never shown back: a URL may hold a password."""

    words: str = "string"
    limits: str = "sqlite:///FILE, postgresql+psycopg://USER@HOST/NAME"

    def read(self, value: object, _around: Around) -> str:
        """The URL as written."""
        if not isinstance(value, str):
            raise Wrong(f"must be a string, not {kind_of(value)}; use sqlite:///phantom.db")
        if value.startswith(("postgresql:", "postgresql+", "postgres:")):
            return _postgresql(value)
        if not value.startswith("sqlite:///"):
            raise Wrong(f"is not a database that this version knows; use sqlite:///phantom.db or {_EXAMPLE_DATABASE}")
        file = value.removeprefix("sqlite:///")
        if file in {"", ":memory:"}:
            raise Wrong("names no file, and groups must survive a restart; use sqlite:///phantom.db")
        if re.search(r"[?#\x00-\x1f]", file) or file.endswith("/"):
            raise Wrong("must name a file, without '?' and '#'; use sqlite:///phantom.db")
        return value


_EXAMPLE_DATABASE = "postgresql+psycopg://phantom@db.example.org/phantom"

_DATABASE_OPTIONS = frozenset({"host", "port", "sslmode", "sslrootcert", "sslcert", "sslkey", "target_session_attrs"})
"""What may follow a "?": where the server is and how it is recognised. Others would change what transactions do."""


def _postgresql(value: str) -> str:
    """*value*, a PostgreSQL server's URL. Raises Wrong."""
    example = f"for example {_EXAMPLE_DATABASE}"
    if re.fullmatch(r"[!-~]{1,2048}", value) is None:
        raise Wrong(f"must be 1 to 2048 printable ASCII characters without spaces; {example}")
    try:
        url = urlsplit(value)
        _ = url.port
        options = parse_qs(url.query, keep_blank_values=True, strict_parsing=bool(url.query))
    except ValueError:
        raise Wrong(f"has a host, a port or an option that is none; {example}") from None
    if url.scheme not in {"postgresql", "postgresql+psycopg"}:
        raise Wrong(f"must begin with postgresql+psycopg://; {example}")
    if url.password is not None:
        raise Wrong("must not hold a password; give it as `password`, which can come from a file or the environment")
    if re.fullmatch(r"/[^/]+", url.path) is None or url.fragment or "#" in value:
        raise Wrong(f"must name a database after the host; {example}")
    unknown = sorted(options.keys() - _DATABASE_OPTIONS)
    if unknown:
        raise Wrong(f"option {shown(unknown[0])} is not accepted; use {', '.join(sorted(_DATABASE_OPTIONS))}")
    return value


@dataclass(frozen=True, slots=True)
class PathTo:
    """A path, from the directory of the configuration on; with *must_exist*, of a file that can be found."""

    must_exist: bool
    words: str = "path"

    @property
    def limits(self) -> str:
        """What must be there."""
        return "a file that exists" if self.must_exist else "a directory, created when missing"

    def read(self, value: object, around: Around) -> Path:
        """The path, absolute, with a leading "~" resolved."""
        if not isinstance(value, str):
            raise Wrong(f"must be a path in quotes, not {shown(value)}")
        path = resolved(value, around)
        if self.must_exist and not _is_file(path):
            raise Wrong(f"there is no file {shown_path(path)}; create it, or correct the path")
        return path


def resolved(value: str, around: Around) -> Path:
    """*value* as an absolute path. Raises Wrong when it cannot be one."""
    if not value or "\0" in value:
        raise Wrong(f"{shown(value)} is not a path")
    if value == "~" or value.startswith("~/"):
        home = around.environ.get("HOME")
        if not home:
            raise Wrong(f"{shown(value)} needs $HOME, which is not set; write an absolute path")
        value = home + value[1:]
    return around.directory.absolute() / value


@dataclass(frozen=True, slots=True)
class SecretText:
    """A secret: a string, or where to find one. Never shown back, whatever is wrong with it."""

    words: str = "secret"
    limits: str = 'a string, { env = "NAME" } or { file = "PATH" }; not empty'

    def read(self, value: object, around: Around) -> Secret:
        """The secret, from wherever it is."""
        match value:
            case str():
                text, origin = value, "the string"
            case {"env": str(name), **others} if not others:
                text, origin = _from_environ(name, around), f"environment variable {shown(name)}"
            case {"file": str(name), **others} if not others:
                text, origin = _from_file(name, around), f"the file {shown(name)}"
            case _:
                raise Wrong(
                    f"must be a secret, not {'this table' if isinstance(value, dict) else kind_of(value)}; "
                    'use a string, { env = "NAME" } or { file = "PATH" }'
                )
        if not text:
            raise Wrong(f"{origin} is empty; put the secret there")
        if "\0" in text or not _is_unicode(text):
            raise Wrong(f"{origin} holds bytes that are not text; put the secret there as UTF-8")
        return Secret(text)


def _from_environ(name: str, around: Around) -> str:
    """The value of the environment variable *name*."""
    if name not in around.environ:
        raise Wrong(f"environment variable {shown(name)} is not set; set it before the start")
    return around.environ[name]


def _from_file(name: str, around: Around) -> str:
    """The content of the file *name* without the line end that editors add."""
    path = resolved(name, around)
    if not _is_file(path):
        raise Wrong(f"there is no file {shown_path(path)}; create it, or correct the path")
    try:
        with path.open("rb") as file:
            octets = file.read(SECRET_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise Wrong(f"cannot read {shown_path(path)}: {error.strerror}; make it readable for this user") from error
    if len(octets) > SECRET_FILE_BYTES_MAX:
        raise Wrong(f"{shown_path(path)} is longer than {SECRET_FILE_BYTES_MAX} bytes; is it the right file?")
    text = octets.decode("utf-8", "surrogateescape")
    return text.removesuffix("\n").removesuffix("\r")


def _is_file(path: Path) -> bool:
    """Whether *path* is a file, followed through links; false where nobody can tell (name too long, no permission)."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _is_unicode(text: str) -> bool:
    """Whether *text* can be written as UTF-8: what came from bytes that were not UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
