"""
How to log in to an OpenStack: given in full, or read from the operator's ``clouds.yaml`` and ``secure.yaml``.

Owns: which of OpenStack's ways to log in are understood, and where its own files are looked for. Does not own: logging
in. Source: openstacksdk's documentation, "Configuring OpenStack SDK Applications".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

FILE_BYTES_MAX = 1024 * 1024
"""A file of clouds has some lines for each. A larger one is some other file."""

_PASSWORD = frozenset({"", "password", "v3password"})
_APPLICATION = frozenset({"v3applicationcredential"})


class LoginError(ValueError):
    """The files of clouds say nothing, or what is not understood here. The text says what, without secrets."""


@dataclass(frozen=True, slots=True)
class Login:
    """
    Who logs in, and where. *user* is a name with its *secret* as password, or an application credential's id.

    Neither the user nor the secret is ever shown.
    """

    auth_url: str
    user: str = field(repr=False)
    secret: str = field(repr=False)
    is_application: bool = False
    """*user* is the id of an application credential, which knows its project."""
    project: str | None = None
    user_domain: str = "Default"
    project_domain_id: str = "default"
    region: str | None = None
    verify_tls: bool | str = True


def search_path(environ: Mapping[str, str]) -> list[Path]:
    """Where OpenStack's own tools look for clouds.yaml, in their order."""
    home = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "/")) / ".config")
    given = environ.get("OS_CLIENT_CONFIG_FILE")
    folders = [Path.cwd(), home / "openstack", Path("/etc/openstack")]
    return [*([Path(given)] if given else []), *(folder / "clouds.yaml" for folder in folders)]


def from_clouds_yaml(cloud: str, files: Sequence[Path]) -> Login:
    """
    What the first of *files* that exists, and the secure.yaml beside it, say about *cloud*.

    Raises:
        LoginError: there is no such file or cloud, or it says something that is not understood.

    """
    file = next((each for each in files if each.is_file()), None)
    if file is None:
        raise LoginError(f"there is no {' nor '.join(map(str, files))}")
    secure = file.parent / "secure.yaml"
    entry = _entry(file, cloud)
    if entry is None:
        raise LoginError(f"{file} has no cloud {cloud!r}; it has: {', '.join(_clouds(file)) or 'none'}")
    if secure.is_file():
        entry = _merged(entry, _entry(secure, cloud) or {})
    try:
        return _login(entry)
    except LoginError as error:
        raise LoginError(f"{file}, cloud {cloud!r}: {error}") from error


def _clouds(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            octets = opened.read(FILE_BYTES_MAX + 1)
        if len(octets) > FILE_BYTES_MAX:
            raise LoginError(f"{file} is longer than {FILE_BYTES_MAX} bytes; is it the right file?")
        found = yaml.safe_load(octets)
    except OSError as error:
        raise LoginError(f"cannot read {file}: {error.strerror}") from error
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        raise LoginError(f"{file} is not YAML" + (f", line {place.line + 1}" if place else "")) from error
    clouds = found.get("clouds") if isinstance(found, dict) else None
    if not isinstance(clouds, dict):
        raise LoginError(f"{file} has no table called clouds")
    return clouds


def _entry(file: Path, cloud: str) -> dict[str, Any] | None:
    entry = _clouds(file).get(cloud)
    if entry is not None and not isinstance(entry, dict):
        raise LoginError(f"{file}: cloud {cloud!r} is not a table")
    return entry


def _merged(entry: dict[str, Any], secure: dict[str, Any]) -> dict[str, Any]:
    """*entry* with what *secure* says on top, table by table."""
    merged = dict(entry)
    for key, value in secure.items():
        mine = merged.get(key)
        merged[key] = _merged(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return merged


def _login(entry: Mapping[str, Any]) -> Login:
    if "profile" in entry or "cloud" in entry:
        raise LoginError("profile is not understood here; write its auth_url into the entry")
    if str(entry.get("interface", "public")) not in {"public", "publicURL"}:
        raise LoginError("interface: only public endpoints are used here")
    auth = entry.get("auth")
    if not isinstance(auth, dict):
        raise LoginError("there is no auth")
    kind = str(entry.get("auth_type", ""))
    said = {key: str(value) for key, value in auth.items() if value is not None}
    if kind in _APPLICATION or (not kind and "application_credential_id" in said):
        user, secret = said.get("application_credential_id"), said.get("application_credential_secret")
        needed = "application_credential_id and application_credential_secret"
    elif kind in _PASSWORD:
        user, secret, needed = said.get("username"), said.get("password"), "username and password"
    else:
        raise LoginError(f"auth_type {kind!r} is not understood here; use password or v3applicationcredential")
    auth_url = said.get("auth_url")
    if not auth_url or not user or not secret:
        raise LoginError(f"auth needs auth_url, {needed}")
    if said.get("project_domain_name", "Default") != "Default" and "project_domain_id" not in said:
        raise LoginError("project_domain_name: only Default is found by its name; give project_domain_id instead")
    if said.get("user_domain_id", "default") != "default" and "user_domain_name" not in said:
        raise LoginError("user_domain_id: give user_domain_name instead")
    verify: bool | str = entry.get("cacert") or entry.get("verify", True) is not False
    return Login(
        auth_url,
        user,
        secret,
        is_application=needed.startswith("application"),
        project=said.get("project_name") or said.get("tenant_name"),
        user_domain=said.get("user_domain_name") or said.get("domain_name") or "Default",
        project_domain_id=said.get("project_domain_id") or "default",
        region=str(entry["region_name"]) if entry.get("region_name") else None,
        verify_tls=verify,
    )
