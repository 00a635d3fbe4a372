"""
What may be configured of a cloud, by its kind: every key, with its default, limits, meaning and reason.

Owns: the frozen values of ``local`` and ``ec2``, and what each dialect of EC2 presets. Does not own: what the adapters
behind them do, nor choosing one (``reader``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from phantom_gateway.config import kinds, places, shared_keys
from phantom_gateway.config.keys import about
from phantom_gateway.secret import Secret

IMAGES_MAX = 256
"""Images per cloud. Describing a cloud lists them all."""

IMAGE_NAME = kinds.Text(r"[!-~]{1,255}", "1 to 255 printable ASCII characters without spaces")
"""AWS allows 255 characters in an image id."""

DIALECTS: Mapping[str, Mapping[str, Any]] = {
    "generic": {
        "tags": "after",
        "token_is_idempotent": False,
        "filters_trusted": False,
        "partial_launches": True,
        "launch_batch_max": 5,
        "visible_after_s": 60.0,
    },
    "aws": {
        "tags": "launch",
        "token_is_idempotent": True,
        "filters_trusted": True,
        "partial_launches": True,
        "launch_batch_max": 250,
        "visible_after_s": 60.0,
    },
    "moto": {
        "tags": "launch",
        "token_is_idempotent": False,
        "filters_trusted": False,
        "partial_launches": False,
        "launch_batch_max": 100,
        "visible_after_s": 5.0,
    },
    "ec2-api": {
        "tags": "after",
        "token_is_idempotent": True,
        "filters_trusted": False,
        "partial_launches": True,
        "launch_batch_max": 5,
        "visible_after_s": 60.0,
    },
}
"""
What is known of endpoints, by the name of their family; a key in the file comes before it.

moto 5.2.5 and ec2-api 17.0.0 (before OpenStack Zed) were measured; AWS as its documentation says. Of a generic one
nothing is believed, which costs only time. AWS counts launch calls (5 at once, 2 a second after that) before machines:
a thousand in four calls are there at once, in ten they are not.
"""

FOUND: Mapping[str, type] = {"dialect": str, "filters_trusted": bool, "token_is_idempotent": bool, "zones": list}
"""What a probe may find out of an endpoint, and how it is remembered."""


@dataclass(frozen=True, slots=True)
class LocalImageSettings:
    """An image of a local cloud: a command that each VM runs."""

    command: tuple[str, ...] = field(
        metadata=about(
            kinds.Words(),
            "Program and arguments. No shell reads them.",
            reason="Word by word, nothing needs quoting twice.",
        ),
    )
    description: str = field(default="", metadata=shared_keys.IMAGE_DESCRIPTION)


@dataclass(frozen=True, slots=True)
class LocalCloudSettings:
    """A cloud of processes on this machine."""

    kind: str = field(metadata=shared_keys.KIND)
    vms_max: int = field(
        default=50,
        metadata=about(
            kinds.Whole(1, 10_000),
            "VMs that fit; when it is full, groups go on to their next cloud.",
            reason="Each is at least a process, an address and a directory; 50 small ones burden no ordinary machine.",
        ),
    )
    sandbox: str = field(
        default="none",
        metadata=about(
            kinds.Choice("sandbox", ("none", "bubblewrap")),
            "What keeps VMs apart: `none`, or `bubblewrap`, which hides this machine's files and processes from them.",
            reason="Bubblewrap has to be installed, and needs user namespaces.",
        ),
    )
    terminate_grace_s: float = field(
        default=5.0,
        metadata=about(
            kinds.Number(0, 300),
            "Seconds between asking a VM to end and killing it.",
            reason="Servers finish what they are answering; past 300 a shrinking group seems stuck.",
        ),
    )
    launches_per_minute_max: float = field(default=120.0, metadata=shared_keys.LAUNCHES_PER_MINUTE_MAX)
    images: Mapping[str, LocalImageSettings] = field(default_factory=dict)
    """By name, in the order of the file."""


_ABSENT: Any = None
"""Stands in a field until it is made: nobody else sees it there."""


def _preset(kind: kinds.Kind, meaning: str, *, reason: str, is_found: bool = False) -> Any:
    """A key whose default the dialect gives, unless *is_found* and a probe has found it out."""
    words = "as `check` found it, else as the dialect has it" if is_found else "as the dialect has it"
    return field(default=_ABSENT, metadata=about(kind, meaning, reason=reason, default_words=words))


@dataclass(frozen=True, slots=True)
class Ec2CloudSettings:
    """
    A cloud behind an endpoint that speaks EC2. Keys that a dialect presets are never None once it is made.

    Raises KeyError: there is no such dialect.
    """

    kind: str = field(metadata=shared_keys.KIND)
    endpoint_url: str = field(
        metadata=about(
            places.EndpointUrl(),
            "Where the endpoint is, with its path where it has one.",
            reason="Users, passwords and queries in it would be shown in logs; keys are what proves who asks.",
        ),
    )
    region: str = field(
        default="us-east-1",
        metadata=about(
            kinds.Text(r"[A-Za-z0-9_.-]{1,64}", "1 to 64 letters, digits, '_', '.' and '-'"),
            "Region that requests are signed for.",
            reason="AWS refuses another than its own; compatible endpoints mostly take any.",
        ),
    )
    access_key_id: str | None = field(
        default=None,
        metadata=about(
            kinds.Text(r"[!-~]{1,128}", "1 to 128 printable ASCII characters without spaces", is_shown=False),
            "Public half of the operator's key there. Goes with `secret_access_key`.",
            reason="Without the two, only users with a key of their own (`accounts set`) can use this cloud.",
        ),
    )
    secret_access_key: Secret | None = field(
        default=None,
        metadata=about(
            places.SecretText(),
            "Secret half of the operator's key there. Goes with `access_key_id`.",
            reason="An empty key signs nothing that an endpoint would believe.",
        ),
    )
    dialect: str = field(
        default=_ABSENT,
        metadata=about(
            kinds.Choice("dialect", tuple(DIALECTS)),
            "The family of the endpoint; presets the keys below that have no other default.",
            reason="Of a generic one nothing is believed: slower, but right anywhere.",
            default_words='as `check` found it, else "generic"',
        ),
    )
    tags: str = _preset(
        kinds.Choice("way of tagging", ("launch", "after", "none")),
        "When VMs get our mark: `launch`, in the launch itself; `after`, by a second call; `none`, where the endpoint "
        "shows the token of a launch.",
        reason="A VM without a mark is known by its token alone; ec2-api refuses launches with tags.",
    )
    token_is_idempotent: bool = _preset(
        kinds.Flag(),
        "A launch repeated with its token launches nothing twice, and VMs show their token.",
        reason="If it is not so, a launch without an answer is repeated only after a look that would have shown it.",
        is_found=True,
    )
    filters_trusted: bool = _preset(
        kinds.Flag(),
        "The endpoint is asked for VMs with our tag alone. False: for all, and ours are chosen here.",
        reason="A filter that silently finds nothing would make every VM look dead.",
        is_found=True,
    )
    partial_launches: bool = _preset(
        kinds.Flag(),
        "A launch may give fewer VMs than asked for.",
        reason="The rest goes to the next cloud at once; moto then always gives the fewest.",
    )
    launch_batch_max: int = _preset(
        kinds.Whole(1, 1000),
        "VMs in one launch.",
        reason="AWS takes 1000; an endpoint that takes 2 s for each runs into `read_timeout_s` with 60.",
    )
    visible_after_s: float = _preset(
        kinds.Number(0, 3600),
        "Seconds for which a new VM may be missing from what the endpoint shows.",
        reason="Too few: VMs that are merely late are replaced. Too many: a lost VM is noticed later.",
    )
    key_name: str | None = field(default=None, metadata=shared_keys.KEY_NAME)
    security_groups: tuple[str, ...] = field(default=(), metadata=shared_keys.SECURITY_GROUPS)
    subnet_id: str | None = field(
        default=None,
        metadata=about(
            shared_keys.NAME_THERE,
            "Subnet of VMs for which no group names one.",
            reason="Where there are several, an endpoint may refuse to choose.",
        ),
    )
    zone: str | None = field(
        default=None,
        metadata=about(
            shared_keys.NAME_THERE,
            "Placement zone of VMs for which no group names one.",
            reason="Left to the endpoint, VMs are spread over zones; some charge for what goes between them.",
        ),
    )
    signature_version: str = field(
        default="v4",
        metadata=about(
            kinds.Choice("signature version", ("v4", "v2")),
            "How requests are signed.",
            reason="Version 2 is for endpoints that know no better: it is older and weaker.",
        ),
    )
    api_version: str | None = field(
        default=None,
        metadata=about(
            kinds.Text(r"\d{4}-\d\d-\d\d", 'a date like "2016-11-15", in quotes'),
            "Version of the EC2 API that requests ask for.",
            reason="Some endpoints refuse versions newer than themselves. Without it, the newest that we know.",
        ),
    )
    verify_tls: bool = field(default=True, metadata=shared_keys.VERIFY_TLS)
    ca_bundle: Path | None = field(default=None, metadata=shared_keys.CA_BUNDLE)
    connect_timeout_s: float = field(default=10.0, metadata=shared_keys.CONNECT_TIMEOUT_S)
    read_timeout_s: float = field(
        default=120.0,
        metadata=about(
            kinds.Number(1, 3600),
            "Seconds of silence until an answer is given up.",
            reason="What a launch did is unknown then, and takes a look to find out: rather wait. ec2-api launches "
            "20 VMs in over 60 s.",
        ),
    )
    user_data_bytes_max: int = field(default=16_384, metadata=shared_keys.USER_DATA_BYTES_MAX)
    calls_at_once: int = field(default=4, metadata=shared_keys.CALLS_AT_ONCE)
    sweep_page_size: int | None = field(
        default=None,
        metadata=about(
            kinds.Whole(5, 1000),
            "VMs in one page of a look.",
            reason="EC2's limits. Without it the endpoint decides: some count otherwise, and moto takes seconds for "
            "each page.",
        ),
    )
    vms_per_cloud_max: int = field(default=1000, metadata=shared_keys.VMS_PER_CLOUD_MAX)
    launches_per_minute_max: float = field(default=120.0, metadata=shared_keys.LAUNCHES_PER_MINUTE_MAX)
    found: Mapping[str, Any] = field(default_factory=dict)
    """What a probe found out, by the names in FOUND; it stands where the file says nothing."""
    silent: frozenset[str] = field(init=False, default=frozenset())
    """The dialect and what it presets, as far as the file says nothing of them."""

    def __post_init__(self) -> None:
        silent = frozenset(name for name in ("dialect", *DIALECTS["generic"]) if getattr(self, name) is None)
        dialect = self.dialect or self.found.get("dialect", "generic")
        values = {**DIALECTS[dialect], **self.found, "dialect": dialect}
        # Frozen: only so can what the dialect presets stand in the fields, where everybody looks for it.
        object.__setattr__(self, "silent", silent)
        for name in silent:
            object.__setattr__(self, name, values[name])

    @property
    def zones(self) -> tuple[str, ...]:
        """Placement zones that a probe found."""
        return tuple(self.found.get("zones", ()))

    def informed(self, found: Mapping[str, Any]) -> "Ec2CloudSettings":
        """The same, with what a probe *found*, and nothing of what an earlier one did."""
        changes: dict[str, Any] = {**dict.fromkeys(self.silent), "found": found}
        return replace(self, **changes)
