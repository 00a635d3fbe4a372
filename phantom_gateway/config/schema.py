"""
What may be configured: every table and key, with its kind, default, limits, meaning, and the reason of its limits.

Owns: the frozen values that the rest of the gateway reads. Does not own those of clouds (``clouds``), reading them
(``reader``), nor their defaults where those are whole clouds (``defaults``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from phantom_gateway.config import kinds, places
from phantom_gateway.config.cloud_kinds import LocalImageSettings
from phantom_gateway.config.clouds import CLOUD_TABLES, CloudSettings
from phantom_gateway.config.keys import about
from phantom_gateway.config.libvirt_kind import LibvirtImageSettings
from phantom_gateway.config.sensor_settings import MonitorSettings, SensorsSettings
from phantom_gateway.names import CLOUD_NAME_RULE
from phantom_gateway.secret import Secret

CLOUDS_MAX = 64
"""Each has its own sweeps and connections. More places than any operator has; a template's mistake is noticed."""

USERS_MAX = 1000
"""Users in the file: each start compares them all with the records. More belong in the records alone."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The front door: where it listens and for whom."""

    host: str = field(
        default="127.0.0.1",
        metadata=about(
            places.Host(),
            "Address to listen on. Beyond loopback it needs TLS, or `insecure`.",
            reason="Signatures prove who asks, but requests and answers travel readable: user data holds secrets.",
        ),
    )
    port: int = field(
        default=8445,
        metadata=about(
            kinds.Whole(0, 65535, " (0: any free port)"),
            "TCP port to listen on.",
            reason="8445 is the port that Phantom's clients expect; ports below 1024 need privileges.",
        ),
    )
    region: str = field(
        default="us-east-1",
        metadata=about(
            kinds.Text(r"[A-Za-z0-9-]{1,64}", "1 to 64 letters, digits and '-'"),
            "Region shown in ARNs. Requests signed for any region are accepted.",
            reason="It is a part of every ARN, where ':' separates; us-east-1 is what clients assume unasked.",
        ),
    )
    tls_certificate: Path | None = field(
        default=None,
        metadata=about(
            places.PathTo(must_exist=True),
            "Certificate chain in PEM. Goes with `tls_key`.",
            reason="A certificate without its key cannot be served.",
        ),
    )
    tls_key: Path | None = field(
        default=None,
        metadata=about(
            places.PathTo(must_exist=True),
            "Private key in PEM. Goes with `tls_certificate`.",
            reason="A key without its certificate cannot be served.",
        ),
    )
    insecure: bool = field(
        default=False,
        metadata=about(
            kinds.Flag(),
            "Listen beyond loopback without TLS, for example behind a proxy that ends TLS.",
            reason="Nobody should do so without having written it down.",
        ),
    )
    request_bytes_max: int = field(
        default=1024 * 1024,
        metadata=about(
            kinds.Whole(128 * 1024, 16 * 1024 * 1024),
            "Largest request body, in bytes.",
            reason="The largest user data (21847 characters, url-encoded) takes 64 KiB; more than 16 MiB is only an "
            "attack on memory.",
        ),
    )


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Where records are kept."""

    url: str = field(
        default="sqlite:///phantom.db",
        metadata=about(
            places.DatabaseUrl(),
            "The database file, from the state directory on (`sqlite:////absolute/path` for another place); or a "
            "PostgreSQL server, which several gateways may share.",
            reason="SQLite needs no operator. A password does not belong in a URL, which is shown and copied.",
        ),
    )
    password: Secret | None = field(
        default=None,
        metadata=about(
            places.SecretText(),
            "Password of the user in `url`, for PostgreSQL.",
            reason="An empty password is never meant; without one, the server decides by other means.",
        ),
    )

    @property
    def is_shared(self) -> bool:
        """Whether other gateways may use it, too: it is a server's."""
        return not self.url.startswith("sqlite:")


@dataclass(frozen=True, slots=True)
class ReconcilerSettings:
    """How eagerly groups are kept at their size."""

    sweep_interval_s: float = field(
        default=5.0,
        metadata=about(
            kinds.Number(0.5, 300),
            "Seconds between two looks at all VMs of a cloud.",
            reason="Each look is a call that the cloud counts; a dead VM stays unnoticed until the next one.",
        ),
    )
    workers: int = field(
        default=128,
        metadata=about(
            kinds.Whole(1, 1024),
            "Groups looked after at the same time.",
            reason="Each may wait for a cloud: with few, a slow cloud delays others; with many, clouds throttle.",
        ),
    )
    reap_leftovers: bool = field(
        default=True,
        metadata=about(
            kinds.Flag(),
            "Terminate machines of groups that this gateway has removed, should any come to light; else only log them.",
            reason="A late launch costs money for ever. With `false` the log says `machine.would_be_reaped`.",
        ),
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """The operator's ceilings: what no request and no policy goes beyond."""

    groups_max: int = field(
        default=500,
        metadata=about(
            kinds.Whole(1, 10_000),
            "Groups per user.",
            reason="500 is AWS's quota per region; a script that makes groups in a loop ends here.",
        ),
    )
    launch_configurations_max: int = field(
        default=200,
        metadata=about(
            kinds.Whole(1, 10_000),
            "Launch configurations per user, each cloud's counted.",
            reason="200 is AWS's quota per region; each may hold 16 KiB of user data.",
        ),
    )
    vms_per_group_max: int = field(
        default=100,
        metadata=about(
            kinds.Whole(1, 10_000),
            "VMs per group: a larger desired capacity is refused.",
            reason="A mistyped size must not empty a budget; raise it knowingly.",
        ),
    )
    vms_per_user_max: int = field(
        default=100,
        metadata=about(
            kinds.Whole(1, 100_000),
            "VMs per user: what all groups may want together.",
            reason="As above, for many small groups; raise it when a user has the budget.",
        ),
    )


@dataclass(frozen=True, slots=True)
class UserSettings:
    """A user, created at the start when missing."""

    name: str = field(
        metadata=about(
            kinds.Text(
                r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,62}",
                "1 to 63 letters, digits, '.', '_', '@', '+' and '-', beginning with a letter or a digit",
            ),
            "Name to log in with. Must be unique.",
            reason="It is written into URLs, logs and shell scripts; a mail address fits.",
        ),
    )
    access_key_id: str = field(
        metadata=about(
            kinds.Text(r"[A-Za-z0-9_]{16,128}", "16 to 128 letters, digits and '_'", is_shown=False),
            "Public half of the key that signs requests. Must be unique.",
            reason="AWS's own rule, which clients check.",
        ),
    )
    secret_access_key: Secret = field(
        metadata=about(
            places.SecretText(),
            "Secret half of the key that signs requests.",
            reason="An empty key would sign anything.",
        ),
    )
    account_id: str | None = field(
        default=None,
        metadata=about(
            kinds.Text(r"[0-9]{12}", "12 digits in quotes"),
            "Account number shown in ARNs. Must be unique.",
            reason="AWS's own rule; 12 digits.",
            default_words="generated",
        ),
    )
    password: Secret | None = field(
        default=None,
        metadata=about(
            places.SecretText(),
            "Password for the JSON API. Without one, the user cannot log in there; tokens work all the same.",
            reason="An empty password would let anybody in.",
        ),
    )


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that is configured. Paths are absolute, secrets are fetched."""

    source: Path | None
    """The file it was read from; None for the embedded default."""
    state_directory: Path = field(
        metadata=about(
            places.PathTo(must_exist=False),
            "Where the database, the keys and the VMs of local clouds live.",
            reason="One directory to back up; relative to the configuration file.",
            default_words="`$PHANTOM_GATEWAY_STATE`, else `$XDG_STATE_HOME/phantom-gateway`, "
            "else `~/.local/state/phantom-gateway`",
        ),
    )
    default_cloud: str | None = field(
        default=None,
        metadata=about(
            kinds.Text(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", CLOUD_NAME_RULE),
            "Cloud of launch configurations whose name has no `@`. Must be configured below.",
            reason="Without it such names are refused: a guess could launch in the wrong place.",
        ),
    )
    server: ServerSettings = field(default_factory=ServerSettings)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    reconciler: ReconcilerSettings = field(default_factory=ReconcilerSettings)
    limits: Limits = field(default_factory=Limits)
    sensors: SensorsSettings = field(default_factory=SensorsSettings)
    users: tuple[UserSettings, ...] = ()
    clouds: Mapping[str, CloudSettings] = field(default_factory=dict)
    """By name, in the order of the file."""

    @property
    def is_embedded_default(self) -> bool:
        """Whether no file was given: the first start then creates a user with generated keys."""
        return self.source is None

    @property
    def cloud_kinds(self) -> dict[str, str]:
        """The kind of each cloud, by name, in the order of the file."""
        return {name: settings.kind for name, settings in self.clouds.items()}

    @property
    def database_file(self) -> Path | None:
        """The SQLite file, absolute; None for PostgreSQL."""
        if self.database.is_shared:
            return None
        return self.state_directory / self.database.url.removeprefix("sqlite:///")

    @property
    def key_file(self) -> Path:
        """The keys of the secrets in the database. Beside it: whoever copies the directory has both."""
        return self.state_directory / "keys"


TABLES: Mapping[str, type] = {
    "": Config,
    "[server]": ServerSettings,
    "[database]": DatabaseSettings,
    "[reconciler]": ReconcilerSettings,
    "[limits]": Limits,
    "[sensors]": SensorsSettings,
    "[sensors.opentsdb]": MonitorSettings,
    "[sensors.prometheus]": MonitorSettings,
    "[[users]]": UserSettings,
    **{f'[clouds.NAME] kind = "{kind}"': table for kind, table in CLOUD_TABLES.items()},
    '[clouds.NAME.images."IMAGE"]': LocalImageSettings,
    '[clouds.NAME.images."IMAGE"] of libvirt': LibvirtImageSettings,
}
"""Every table by the header that opens it; "" is what stands before the first header."""
