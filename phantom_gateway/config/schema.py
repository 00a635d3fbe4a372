"""
What may be configured: every table and key, with its kind, default, limits, meaning, and the reason of its limits.

Owns: the frozen values that the rest of the gateway reads. Does not own reading them (``reader``) nor their defaults
where those are whole clouds (``defaults``).
"""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from phantom_gateway.config import kinds, places
from phantom_gateway.names import CLOUD_NAME_RULE
from phantom_gateway.secret import Secret

CLOUDS_MAX = 64
"""Each has its own sweeps and connections. More places than any operator has; a template's mistake is noticed."""

IMAGES_MAX = 256
"""Images per cloud. Describing a cloud lists them all."""

USERS_MAX = 1000
"""Users in the file: each start compares them all with the records. More belong in the records alone."""

IMAGE_NAME = kinds.Text(r"[!-~]{1,255}", "1 to 255 printable ASCII characters without spaces")
"""AWS allows 255 characters in an image id."""


@dataclass(frozen=True, slots=True)
class Key:
    """What is said of one key: *reason* is why its default and limits are what they are."""

    kind: kinds.Kind
    meaning: str
    reason: str
    default_words: str = ""
    """What is used when the key is absent, where that is more than a value."""


@dataclass(frozen=True, slots=True)
class KeyOfTable:
    """One key with its name and its default in words, as documentation and errors need it."""

    name: str
    about: Key
    is_required: bool
    default_words: str


def _about(kind: kinds.Kind, meaning: str, *, reason: str, default_words: str = "") -> dict[str, Key]:
    """The metadata of a field that is a key."""
    return {"key": Key(kind, meaning, reason, default_words)}


def keys_of(table: type) -> Iterator[KeyOfTable]:
    """The keys of *table*, one of the dataclasses below, in their order; fields that are no keys are left out."""
    for each in fields(table):
        if "key" in each.metadata:
            about: Key = each.metadata["key"]
            is_required = each.default is MISSING and not about.default_words
            yield KeyOfTable(each.name, about, is_required, about.default_words or _default_words(each))


def _default_words(each: Field[Any]) -> str:
    """The default of a field as TOML writes it."""
    match each.default:
        case value if value is MISSING:
            return "required"
        case None:
            return "none"
        case bool(value):
            return "true" if value else "false"
        case str(value):
            return f'"{value}"'
        case value:
            return str(value)


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The front door: where it listens and for whom."""

    host: str = field(
        default="127.0.0.1",
        metadata=_about(
            places.Host(),
            "Address to listen on. Beyond loopback it needs TLS, or `insecure`.",
            reason="Signatures prove who asks, but requests and answers travel readable: user data holds secrets.",
        ),
    )
    port: int = field(
        default=8445,
        metadata=_about(
            kinds.Whole(0, 65535, " (0: any free port)"),
            "TCP port to listen on.",
            reason="8445 is the port that Phantom's clients expect; ports below 1024 need privileges.",
        ),
    )
    region: str = field(
        default="us-east-1",
        metadata=_about(
            kinds.Text(r"[A-Za-z0-9-]{1,64}", "1 to 64 letters, digits and '-'"),
            "Region shown in ARNs. Requests signed for any region are accepted.",
            reason="It is a part of every ARN, where ':' separates; us-east-1 is what clients assume unasked.",
        ),
    )
    tls_certificate: Path | None = field(
        default=None,
        metadata=_about(
            places.PathTo(must_exist=True),
            "Certificate chain in PEM. Goes with `tls_key`.",
            reason="A certificate without its key cannot be served.",
        ),
    )
    tls_key: Path | None = field(
        default=None,
        metadata=_about(
            places.PathTo(must_exist=True),
            "Private key in PEM. Goes with `tls_certificate`.",
            reason="A key without its certificate cannot be served.",
        ),
    )
    insecure: bool = field(
        default=False,
        metadata=_about(
            kinds.Flag(),
            "Listen beyond loopback without TLS, for example behind a proxy that ends TLS.",
            reason="Nobody should do so without having written it down.",
        ),
    )
    request_bytes_max: int = field(
        default=1024 * 1024,
        metadata=_about(
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
        metadata=_about(
            places.DatabaseUrl(),
            "The database file, from the state directory on (`sqlite:////absolute/path` for another place).",
            reason="SQLite needs no operator; PostgreSQL is not built yet.",
        ),
    )


@dataclass(frozen=True, slots=True)
class ReconcilerSettings:
    """How eagerly groups are kept at their size."""

    sweep_interval_s: float = field(
        default=5.0,
        metadata=_about(
            kinds.Number(0.5, 300),
            "Seconds between two looks at all VMs of a cloud.",
            reason="Each look is a call that the cloud counts; a dead VM stays unnoticed until the next one.",
        ),
    )
    workers: int = field(
        default=8,
        metadata=_about(
            kinds.Whole(1, 64),
            "Groups looked after at the same time.",
            reason="Each may wait for a cloud: with few, a slow cloud delays others; with many, clouds throttle.",
        ),
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """The operator's ceilings: what no request and no policy goes beyond."""

    groups_max: int = field(
        default=500,
        metadata=_about(
            kinds.Whole(1, 10_000),
            "Groups per user.",
            reason="500 is AWS's quota per region; a script that makes groups in a loop ends here.",
        ),
    )
    launch_configurations_max: int = field(
        default=200,
        metadata=_about(
            kinds.Whole(1, 10_000),
            "Launch configurations per user, each cloud's counted.",
            reason="200 is AWS's quota per region; each may hold 16 KiB of user data.",
        ),
    )
    vms_per_group_max: int = field(
        default=100,
        metadata=_about(
            kinds.Whole(1, 10_000),
            "VMs per group: a larger desired capacity is refused.",
            reason="A mistyped size must not empty a budget; raise it knowingly.",
        ),
    )
    vms_per_user_max: int = field(
        default=100,
        metadata=_about(
            kinds.Whole(1, 100_000),
            "VMs per user: what all groups may want together.",
            reason="As above, for many small groups; raise it when a user has the budget.",
        ),
    )


@dataclass(frozen=True, slots=True)
class UserSettings:
    """A user, created at the start when missing."""

    name: str = field(
        metadata=_about(
            kinds.Text(
                r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,62}",
                "1 to 63 letters, digits, '.', '_', '@', '+' and '-', beginning with a letter or a digit",
            ),
            "Name to log in with. Must be unique.",
            reason="It is written into URLs, logs and shell scripts; a mail address fits.",
        ),
    )
    access_key_id: str = field(
        metadata=_about(
            kinds.Text(r"[A-Za-z0-9_]{16,128}", "16 to 128 letters, digits and '_'", is_shown=False),
            "Public half of the key that signs requests. Must be unique.",
            reason="AWS's own rule, which clients check.",
        ),
    )
    secret_access_key: Secret = field(
        metadata=_about(
            places.SecretText(),
            "Secret half of the key that signs requests.",
            reason="An empty key would sign anything.",
        ),
    )
    account_id: str | None = field(
        default=None,
        metadata=_about(
            kinds.Text(r"[0-9]{12}", "12 digits in quotes"),
            "Account number shown in ARNs. Must be unique.",
            reason="AWS's own rule; 12 digits.",
            default_words="generated",
        ),
    )
    password: Secret | None = field(
        default=None,
        metadata=_about(
            places.SecretText(),
            "Password for the JSON API. Without one, the user cannot log in there.",
            reason="An empty password would let anybody in.",
        ),
    )


@dataclass(frozen=True, slots=True)
class LocalImageSettings:
    """An image of a local cloud: a command that each VM runs."""

    command: tuple[str, ...] = field(
        metadata=_about(
            kinds.Words(),
            "Program and arguments. No shell reads them.",
            reason="Word by word, nothing needs quoting twice.",
        ),
    )
    description: str = field(
        default="",
        metadata=_about(
            kinds.Text(r"[^\x00-\x1f\x7f]{0,1024}", "up to 1024 characters on one line"),
            "What it is, for people who choose an image.",
            reason="It is shown in one line of a table.",
        ),
    )


@dataclass(frozen=True, slots=True)
class LocalCloudSettings:
    """A cloud of processes on this machine."""

    kind: str = field(
        metadata=_about(
            kinds.Choice("kind of cloud", ("local",), later=("ec2", "openstack", "libcloud", "libvirt")),
            "What the cloud is made of: `local` runs each VM as processes on this machine.",
            reason="Other kinds are not built yet.",
        ),
    )
    vms_max: int = field(
        default=50,
        metadata=_about(
            kinds.Whole(1, 10_000),
            "VMs that fit; when it is full, groups go on to their next cloud.",
            reason="Each is at least a process, an address and a directory; 50 small ones burden no ordinary machine.",
        ),
    )
    sandbox: str = field(
        default="none",
        metadata=_about(
            kinds.Choice("sandbox", ("none", "bubblewrap")),
            "What keeps VMs apart: `none`, or `bubblewrap`, which hides this machine's files and processes from them.",
            reason="Bubblewrap has to be installed, and needs user namespaces.",
        ),
    )
    terminate_grace_s: float = field(
        default=5.0,
        metadata=_about(
            kinds.Number(0, 300),
            "Seconds between asking a VM to end and killing it.",
            reason="Servers finish what they are answering; past 300 a shrinking group seems stuck.",
        ),
    )
    images: Mapping[str, LocalImageSettings] = field(default_factory=dict)
    """By name, in the order of the file."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that is configured. Paths are absolute, secrets are fetched."""

    source: Path | None
    """The file it was read from; None for the embedded default."""
    state_directory: Path = field(
        metadata=_about(
            places.PathTo(must_exist=False),
            "Where the database, the keys and the VMs of local clouds live.",
            reason="One directory to back up; relative to the configuration file.",
            default_words="`$PHANTOM_GATEWAY_STATE`, else `$XDG_STATE_HOME/phantom-gateway`, "
            "else `~/.local/state/phantom-gateway`",
        ),
    )
    default_cloud: str | None = field(
        default=None,
        metadata=_about(
            kinds.Text(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", CLOUD_NAME_RULE),
            "Cloud of launch configurations whose name has no `@`. Must be configured below.",
            reason="Without it such names are refused: a guess could launch in the wrong place.",
        ),
    )
    server: ServerSettings = field(default_factory=ServerSettings)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    reconciler: ReconcilerSettings = field(default_factory=ReconcilerSettings)
    limits: Limits = field(default_factory=Limits)
    users: tuple[UserSettings, ...] = ()
    clouds: Mapping[str, LocalCloudSettings] = field(default_factory=dict)
    """By name, in the order of the file."""

    @property
    def is_embedded_default(self) -> bool:
        """Whether no file was given: the first start then creates a user with generated keys."""
        return self.source is None

    @property
    def database_file(self) -> Path:
        """The SQLite file, absolute."""
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
    "[[users]]": UserSettings,
    "[clouds.NAME]": LocalCloudSettings,
    '[clouds.NAME.images."IMAGE"]': LocalImageSettings,
}
"""Every table by the header that opens it; "" is what stands before the first header."""
