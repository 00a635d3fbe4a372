"""
Where a request goes, and how it is signed and waited for.

Owns: which of options and variables says so. Does not own: credentials, the request, or sockets.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from phantom_gateway.as_tools.errors import UsedWrongly

REGION_DEFAULT = "us-east-1"
"""As the original tools had it."""

TIMEOUT_S_DEFAULT = 30.0
"""As the original tools had it."""

TIMEOUT_S_MAX = 3600.0
"""Longer, a script would seem to hang."""

_REGION = re.compile(r"[a-z0-9-]{1,63}")  # it becomes a part of a host name
_PLAIN = re.compile(r"[!-~]+")
_AMAZON = re.compile(r"autoscaling[.-](?:fips\.)?([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint. *host* is what the Host header says; *path* begins with a slash."""

    scheme: Literal["http", "https"]
    host: str
    hostname: str
    port: int
    path: str
    region: str
    signature_version: Literal[2, 4]
    timeout_s: float
    ca_bundle: str | None

    @property
    def url(self) -> str:
        """What people call it."""
        return f"{self.scheme}://{self.host}{self.path}"


def find_endpoint(settings: Mapping[str, str], environ: Mapping[str, str]) -> Endpoint:
    """
    The endpoint that options (*settings*) and variables name; Amazon's own of the region when they name none.

    Raises:
        UsedWrongly: what one of them says is no URL, region, version or number of seconds.

    """
    region = settings.get("--region") or _first(environ, "EC2_REGION", "AWS_REGION", "AWS_DEFAULT_REGION")
    region = region or REGION_DEFAULT
    if not _REGION.fullmatch(region):
        raise UsedWrongly(f"{region!r} is not a region: small letters, digits and hyphens")
    source, url = "--url", settings.get("--url", "")
    if not url:
        source, url = _named_url(environ)
    parts, port = _split(source, url or f"https://autoscaling.{region}.amazonaws.com")
    hostname = str(parts.hostname)
    amazon = _AMAZON.fullmatch(hostname)
    return Endpoint(
        scheme="https" if parts.scheme == "https" else "http",
        host=parts.netloc,
        hostname=hostname,
        port=port or (443 if parts.scheme == "https" else 80),
        path=parts.path or "/",
        region=amazon[1] if amazon else region,  # Amazon believes a signature for the region of its host only
        signature_version=_version(settings, environ),
        timeout_s=_timeout_s(settings),
        ca_bundle=environ.get("AWS_CA_BUNDLE") or None,
    )


def _split(source: str, url: str) -> tuple[SplitResult, int | None]:
    """The parts of *url*, and its port. Raises UsedWrongly naming *source* when it is no address of a service."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:  # a port that there is not, an address of IPv6 without its end
        raise UsedWrongly(f"{source}: {url!r} is not a URL: {error}") from error
    beyond = parts.query or parts.fragment or parts.username
    if parts.scheme not in {"http", "https"} or not parts.hostname or beyond or not _PLAIN.fullmatch(url):
        raise UsedWrongly(f"{source}: {url!r} is not a URL such as http://127.0.0.1:8445")
    return parts, port


def _named_url(environ: Mapping[str, str]) -> tuple[str, str]:
    for name in ("AWS_AUTO_SCALING_URL", "AWS_ENDPOINT_URL_AUTO_SCALING", "AWS_ENDPOINT_URL"):
        if environ.get(name):
            return name, environ[name]
    return "--region", ""


def _version(settings: Mapping[str, str], environ: Mapping[str, str]) -> Literal[2, 4]:
    text = settings.get("--signature-version") or environ.get("AWS_AUTO_SCALING_SIGNATURE_VERSION") or "4"
    if text not in {"2", "4"}:
        raise UsedWrongly(f"--signature-version: it is 2 or 4, not {text!r}")
    return 2 if text == "2" else 4


def _timeout_s(settings: Mapping[str, str]) -> float:
    text = settings.get("--connection-timeout", str(TIMEOUT_S_DEFAULT))
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= TIMEOUT_S_MAX:
        raise UsedWrongly(f"--connection-timeout: {text!r} is not a number of seconds up to {TIMEOUT_S_MAX:.0f}")
    return seconds


def _first(environ: Mapping[str, str], *names: str) -> str:
    """The first of the variables that is set and not empty, or ""."""
    return next((environ[name] for name in names if environ.get(name)), "")
