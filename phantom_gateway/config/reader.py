"""
From the text of a configuration to its values, or to the list of all that is wrong with it.

Owns: where the file is found, which keys stand where, and what must agree with what. Does not own what a key takes:
see ``schema``.
"""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from phantom_gateway.config import agreement
from phantom_gateway.config.cloud_kinds import IMAGE_NAME, IMAGES_MAX, LocalCloudSettings, LocalImageSettings
from phantom_gateway.config.clouds import CLOUD_TABLES, IMAGE_TABLES, CloudSettings, ImageSettings
from phantom_gateway.config.defaults import EMBEDDED
from phantom_gateway.config.errors import ConfigError, KeyPath, Problem, kind_of, named, shown
from phantom_gateway.config.keys import keys_of
from phantom_gateway.config.kinds import Around, Wrong
from phantom_gateway.config.libvirt_kind import LibvirtImageSettings
from phantom_gateway.config.lines import Lines
from phantom_gateway.config.places import is_loopback
from phantom_gateway.config.schema import (
    CLOUDS_MAX,
    TABLES,
    USERS_MAX,
    Config,
    DatabaseSettings,
    Limits,
    ReconcilerSettings,
    ServerSettings,
    UserSettings,
)
from phantom_gateway.config.sensor_settings import MonitorSettings, SensorsSettings
from phantom_gateway.names import CLOUD_NAME_RULE, is_cloud_name

CONFIG_VARIABLE = "PHANTOM_GATEWAY_CONFIG"
STATE_VARIABLE = "PHANTOM_GATEWAY_STATE"

CONFIG_BYTES_MAX = 1024 * 1024
"""A thousand users and all clouds take a quarter of it; a larger file is some other file."""

_SECTIONS: Mapping[str, type] = {
    "server": ServerSettings,
    "database": DatabaseSettings,
    "reconciler": ReconcilerSettings,
    "limits": Limits,
}
_MONITORS = ("opentsdb", "prometheus")
_IMAGE_EXAMPLES: Mapping[type, str] = {
    LocalImageSettings: '{ command = ["sleep", "600"] }',
    LibvirtImageSettings: '{ disk = "debian.qcow2" }',
}
_TOP_TABLES = (*_SECTIONS, "sensors", "users", "clouds")


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """
    The configuration in the file *path*, else in ``$PHANTOM_GATEWAY_CONFIG``, else the embedded default.

    Raises ConfigError: there is no such file, or anything in it is wrong; every problem is told.
    """
    if path is None and environ.get(CONFIG_VARIABLE):
        path = Path(environ[CONFIG_VARIABLE])
    if path is None:
        return _Reader("embedded default", EMBEDDED, Around(Path("/"), environ)).config(None)
    source = str(path)
    text = _text(path, source)
    absolute = path.absolute()
    return _Reader(source, text, Around(absolute.parent, environ)).config(absolute)


def _text(path: Path, source: str) -> str:
    """The text of the file. Raises ConfigError when it cannot be read as text."""
    try:
        with path.open("rb") as file:
            octets = file.read(CONFIG_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise _refused(
            source, None, f"cannot read it: {reason}; correct --config or ${CONFIG_VARIABLE}, or leave both out"
        ) from error
    if len(octets) > CONFIG_BYTES_MAX:
        raise _refused(source, None, f"is larger than {CONFIG_BYTES_MAX} bytes; is it the right file?")
    try:
        # Some editors begin a file with a byte order mark, which TOML's grammar does not know.
        return octets.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise _refused(source, line, "is not UTF-8; save the file as UTF-8") from error


def _parsed(source: str, text: str) -> tuple[dict[str, Any], Lines]:
    """What TOML makes of *text*, and where its keys stand. Raises ConfigError."""
    try:
        return tomllib.loads(text), Lines(text)
    except RecursionError as error:
        raise _refused(source, None, "arrays are nested too deeply; nothing here needs more than one") from error
    except ValueError as error:  # TOMLDecodeError, and what Python says to a number of 5000 digits
        told, _, place = str(error).partition(" (at ")
        line = int(place.split()[1].rstrip(",")) if place.startswith("line ") else None
        line = text.count("\n") + 1 if place.startswith("end ") else line
        remedy = "strings stand in quotes, one key = value a line"
        raise _refused(source, line, f"is not TOML: {told}; {remedy}") from error


def _refused(source: str, line: int | None, text: str) -> ConfigError:
    """The error of a file that cannot even be read."""
    return ConfigError(source, [Problem(line, "", text)])


class _Reader:
    """One reading of one text: collects values and problems side by side, so that all are told at once."""

    def __init__(self, source: str, text: str, around: Around) -> None:
        self._source = source
        self._around = around
        self._problems: list[Problem] = []
        self._raw, self._lines = _parsed(source, text)

    def config(self, path: Path | None) -> Config:
        """The whole configuration. Raises ConfigError with every problem."""
        top = self._values(Config, {k: v for k, v in self._raw.items() if k not in _TOP_TABLES}, (), also=_TOP_TABLES)
        sections = {name: self._values(table, self._table((name,)), (name,)) for name, table in _SECTIONS.items()}
        sensors = self._sensors()
        users = self._users()
        clouds = {name: self._cloud(raw, ("clouds", name)) for name, raw in self._clouds().items()}
        self._check_server(sections["server"])
        self._check_users(users)
        self._check_default_cloud(top.get("default_cloud"), clouds)
        if "state_directory" not in self._raw:
            top["state_directory"] = self._state_directory()
        if self._problems:
            raise ConfigError(self._source, self._problems)
        return Config(
            source=path,
            **top,
            **{name: table(**sections[name]) for name, table in _SECTIONS.items()},
            sensors=SensorsSettings(**sensors),
            users=tuple(UserSettings(**user) for user in users),
            clouds={name: cloud for name, cloud in clouds.items() if cloud is not None},
        )

    def _wrong(self, path: KeyPath, text: str) -> None:
        """Nothing; the problem is kept."""
        self._problems.append(Problem(self._lines.of(path), named(path), text))

    def _values(
        self, table: type, raw: Mapping[str, Any] | None, path: KeyPath, also: Iterable[str] = ()
    ) -> dict[str, Any]:
        """The good values of one table; the bad, the missing and the unknown become problems. *also* are no keys."""
        if raw is None:
            return {}
        values: dict[str, Any] = {}
        known = {key.name: key for key in keys_of(table)}
        for name in raw:
            if name not in known:
                self._unknown((*path, name), [*known, *also])
        for name, key in known.items():
            if name in raw:
                try:
                    values[name] = key.about.kind.read(raw[name], self._around)
                except Wrong as wrong:
                    self._wrong((*path, name), str(wrong))
            elif key.is_required:
                self._wrong((*path, name), f"is missing; use {key.about.kind.limits}")
        return values

    def _unknown(self, path: KeyPath, known: list[str]) -> None:
        """Nothing; a key that nobody knows is told, with what was probably meant. Its value may be a secret."""
        name = str(path[-1])
        close = difflib.get_close_matches(name, known, n=1)
        homes = [header for header, table in TABLES.items() if name in {key.name for key in keys_of(table)}]
        kinds_with = [kind for kind, table in CLOUD_TABLES.items() if name in {key.name for key in keys_of(table)}]
        if kinds_with and path[0] == "clouds":
            remedy = f"it belongs to clouds of the kind {kinds_with[0]}"
        elif homes:
            remedy = f"it belongs {f'in {homes[0]}' if homes[0] else 'before the first [table]'}"
        elif close:
            remedy = f"did you mean {close[0]!r}?"
        else:
            remedy = f"use one of: {', '.join(known)}"
        self._wrong(path, f"is not a key that is known here; {remedy}")

    def _table(self, path: KeyPath) -> Mapping[str, Any] | None:
        """The table at *path*, empty when there is none; None, and a problem, when something else stands there."""
        found: Any = self._raw
        for part in path:
            found = found.get(part, {})
        if isinstance(found, dict):
            return found
        header = ".".join(str(part) for part in path)
        self._wrong(path, f"must be a table, not {kind_of(found)}; write [{header}] on a line of its own")
        return None

    def _sensors(self) -> dict[str, Any]:
        """What the tables of sensors say, as far as it is right."""
        raw = self._table(("sensors",)) or {}
        own = {key: value for key, value in raw.items() if key not in _MONITORS}
        values = self._values(SensorsSettings, own, ("sensors",), _MONITORS)
        host = values.get("host", SensorsSettings().host)
        if not (values.get("insecure", False) or is_loopback(host)):
            self._wrong(
                ("sensors", "host"),
                f"{shown(host)} can be reached from other machines, and passwords travel readable; "
                "write insecure = true, or keep to loopback",
            )
        for name in _MONITORS:
            before = len(self._problems)
            if name in raw:
                monitor = self._values(MonitorSettings, self._table(("sensors", name)), ("sensors", name))
                values[name] = MonitorSettings(**monitor) if len(self._problems) == before else None
        return values

    def _users(self) -> list[dict[str, Any]]:
        """What the users' tables say, each as far as it is right."""
        raw = self._raw.get("users", [])
        if not isinstance(raw, list) or not all(isinstance(each, dict) for each in raw):
            self._wrong(("users",), f"must be tables, not {kind_of(raw)}; write [[users]], with two brackets, for each")
            return []
        if len(raw) > USERS_MAX:
            self._wrong(("users",), f"are {len(raw)}, at most {USERS_MAX} are read; add the others with `users add`")
            return []
        return [self._values(UserSettings, each, ("users", place)) for place, each in enumerate(raw)]

    def _clouds(self) -> Mapping[str, Any]:
        """The clouds' tables by name, as TOML gave them."""
        raw = self._table(("clouds",))
        if raw is None:
            return {}
        if not raw:
            self._wrong(("clouds",), 'there is no cloud to launch on; add [clouds.hotel] with kind = "local"')
        if len(raw) > CLOUDS_MAX:
            self._wrong(("clouds",), f"are {len(raw)}; at most {CLOUDS_MAX} can be looked after")
            return {}
        for name in raw:
            if not is_cloud_name(name):
                self._wrong(("clouds", name), f"{shown(name)} cannot name a cloud; use {CLOUD_NAME_RULE}")
        return raw

    def _cloud(self, raw: Any, path: KeyPath) -> CloudSettings | None:
        """One cloud; None, and a problem, when anything in its table is wrong."""
        before = len(self._problems)
        if not isinstance(raw, dict):
            self._wrong(path, f"must be a table, not {kind_of(raw)}; write [{'.'.join(map(str, path))}]")
            return None
        kind = next(key for key in keys_of(LocalCloudSettings) if key.name == "kind").about.kind
        if "kind" not in raw:
            self._wrong((*path, "kind"), f"is missing; use one of: {kind.limits}")
            return None
        try:
            table = CLOUD_TABLES[kind.read(raw["kind"], self._around)]
        except Wrong as wrong:
            # The other keys are those of another kind of cloud: nothing can be said of them.
            self._wrong((*path, "kind"), str(wrong))
            return None
        if table in IMAGE_TABLES:
            values = self._values(table, {k: v for k, v in raw.items() if k != "images"}, path, ["images"])
            values["images"] = self._images(IMAGE_TABLES[table], raw.get("images", {}), (*path, "images"))
        else:
            values = self._values(table, self._without_images(raw, path), path)
            for key, text in agreement.disagreements(table, raw, values):
                self._wrong((*path, key), text)
        return table(**values) if len(self._problems) == before else None

    def _without_images(self, raw: Mapping[str, Any], path: KeyPath) -> Mapping[str, Any]:
        """The keys of a cloud whose images are not ours to describe."""
        if "images" in raw:
            text = (
                "belongs to clouds of the kinds local and libvirt; images of this one are its own: name their ids in "
                "launches"
            )
            self._wrong((*path, "images"), text)
        return {key: value for key, value in raw.items() if key != "images"}

    def _images(self, table: type[ImageSettings], raw: Any, path: KeyPath) -> dict[str, ImageSettings]:
        """The images of one cloud that are right."""
        if not isinstance(raw, dict):
            self._wrong(
                path, f'must be tables, not {kind_of(raw)}; write [{".".join(map(str, path))}."IMAGE"] for each'
            )
            return {}
        if len(raw) > IMAGES_MAX:
            self._wrong(path, f"are {len(raw)}; at most {IMAGES_MAX} can be offered")
            return {}
        images: dict[str, ImageSettings] = {}
        for name, each in raw.items():
            before = len(self._problems)
            values = self._image(table, name, each, (*path, name))
            if len(self._problems) == before:
                images[name] = table(**values)
        return images

    def _image(self, table: type[ImageSettings], name: str, raw: Any, path: KeyPath) -> dict[str, Any]:
        """What one image's table says, as far as it is right."""
        try:
            IMAGE_NAME.read(name, self._around)
        except Wrong as wrong:
            self._wrong(path, f"as the name of an image {wrong}")
        if not isinstance(raw, dict):
            self._wrong(path, f"must be a table, not {kind_of(raw)}; for example {_IMAGE_EXAMPLES[table]}")
            return {}
        values = self._values(table, raw, path)
        for key, text in agreement.disagreements(table, raw, values):
            self._wrong((*path, key), text)
        return values

    def _check_server(self, server: Mapping[str, Any]) -> None:
        """Nothing; a door that is half secured, or open by accident, is a problem."""
        raw = self._raw.get("server", {})
        if not isinstance(raw, dict):
            return
        certificate, key = "tls_certificate" in raw, "tls_key" in raw
        if certificate != key:
            present, missing = ("tls_certificate", "tls_key") if certificate else ("tls_key", "tls_certificate")
            self._wrong(("server", present), f"needs {missing} as well; give both, or neither for no TLS")
        host = server.get("host", ServerSettings().host)
        if not (certificate or key or server.get("insecure", False) or is_loopback(host)):
            self._wrong(
                ("server", "host"),
                f"{shown(host)} can be reached from other machines, and there is no TLS; "
                "give tls_certificate and tls_key, or write insecure = true",
            )

    def _check_users(self, users: list[dict[str, Any]]) -> None:
        """Nothing; what two users share though it must tell them apart is a problem of the second."""
        for name in ("name", "account_id", "access_key_id"):
            first: dict[str, int] = {}
            for place, user in enumerate(users):
                value = user.get(name)
                if value is None:
                    continue
                if value in first:
                    line = self._lines.of(("users", first[value], name))
                    self._wrong(
                        ("users", place, name),
                        f"{shown(value)} is that of the user on line {line} too; give each user another",
                    )
                first.setdefault(value, place)

    def _check_default_cloud(self, default_cloud: str | None, clouds: Iterable[str]) -> None:
        """Nothing; a default that does not exist is a problem."""
        names = list(clouds)
        if default_cloud is not None and default_cloud not in names:
            close = difflib.get_close_matches(default_cloud, names, n=1)
            remedy = f"did you mean {close[0]!r}?" if close else f"use one of: {', '.join(names) or 'none yet'}"
            self._wrong(("default_cloud",), f"{shown(default_cloud)} is not a configured cloud; {remedy}")

    def _state_directory(self) -> Path | None:
        """The state directory that the environment gives; None, and a problem, when it gives none."""
        environ = self._around.environ
        if environ.get(STATE_VARIABLE):
            return Path(environ[STATE_VARIABLE]).absolute()
        xdg, home = environ.get("XDG_STATE_HOME", ""), environ.get("HOME", "")
        # The XDG specification: a relative path there is invalid and ignored.
        if Path(xdg).is_absolute():
            return Path(xdg) / "phantom-gateway"
        if Path(home).is_absolute():
            return Path(home) / ".local" / "state" / "phantom-gateway"
        text = f"is not given, and neither ${STATE_VARIABLE} nor $HOME is set; set one of them"
        self._problems.append(Problem(None, "state_directory", text))
        return None
