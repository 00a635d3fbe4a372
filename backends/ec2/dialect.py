"""
What differs between endpoints that all say they speak EC2, as settings; and who calls.

Owns: the values and their limits. Does not own: how they are configured, nor how they are found out (``probing``).
"""

from dataclasses import dataclass, field
from typing import Literal

SignatureVersion = Literal["v4", "v2"]

Tagging = Literal["launch", "after", "none"]
"""When our mark is written: in RunInstances itself, by CreateTags after it, or never (the token has to do)."""

LAUNCH_BATCH_MAX = 1000
"""EC2's own limit for one RunInstances."""

TERMINATE_BATCH_MAX = 100
"""Machines in one TerminateInstances. EC2 takes 1000; one unknown id fails a whole call."""

INQUIRY_BATCH_MAX = 100
"""Machines asked for by id in one DescribeInstances. One unknown id fails a whole call."""

SWEEP_PAGES_MAX = 1000
"""Pages of one sweep: a million machines at 1000 a page. An endpoint that gives more is going round in circles."""

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Ec2Credentials:
    """An account's key. Neither half is ever shown."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)

    @property
    def secrets(self) -> tuple[str, str]:
        """What must not appear in any text."""
        return self.secret_access_key, self.access_key_id


@dataclass(frozen=True, slots=True)
class Ec2Settings:
    """
    One endpoint and its dialect. The defaults suit an endpoint of which nothing is known.

    Raises:
        ValueError: a number or a word is out of its limits.

    """

    endpoint_url: str
    """With a path where the endpoint has one (``/services/Cloud``)."""
    region: str = "us-east-1"
    """What a signature of version 4 is made for; EC2-compatible endpoints mostly take any."""
    signature_version: SignatureVersion = "v4"
    api_version: str | None = None
    """The Version sent; None: the SDK's."""
    verify_tls: bool | str = True
    """A path: the bundle of authorities to trust."""
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 120.0
    """Silence after which an answer is given up. ec2-api launches one machine in 1.8 s, 20 in more than 60 s."""
    launch_batch_max: int = 5
    """Machines in one launch. EC2 takes 1000; a slow cloud runs into the timeout with more than a few."""
    partial_launches: bool = True
    """Fewer machines than asked for are welcome (MinCount 1). False for moto, which launches MinCount and no more."""
    tags: Tagging = "after"
    """"launch" is safest where it works; ec2-api answers it with HTTP 500."""
    token_is_idempotent: bool = False
    """A repeated token launches nothing twice, and the token is echoed by DescribeInstances. moto only echoes it."""
    filters_trusted: bool = False
    """Sweeps may ask for our tag alone. ec2-api silently finds nothing for tags whose name has a colon."""
    visible_after_s: float = 60.0
    """A new machine may be missing from sweeps for this long (EPU waited as long)."""
    user_data_bytes_max: int = 16384
    """EC2's limit."""
    key_name: str | None = None
    """This and the three below: used where a launch names none."""
    security_groups: tuple[str, ...] = ()
    subnet_id: str | None = None
    zone: str | None = None
    zones: tuple[str, ...] = ()
    """Placement zones that are known to be there; others are asked for when a launch names them."""
    calls_at_once: int = 4
    """Threads. Higher: the endpoint throttles the account. Lower: launches wait for sweeps."""
    reply_bytes_max: int = 64 * 1024 * 1024
    """A page of 1000 machines is 3.4 MB. More than this is a fault, or an attack on our memory."""
    sweep_page_size: int | None = None
    """MaxResults of a sweep's pages (EC2: 5 to 1000); None: not sent, the endpoint decides."""

    def __post_init__(self) -> None:
        limits: tuple[tuple[str, float, float, float], ...] = (
            ("connect_timeout_s", self.connect_timeout_s, 0.01, 300),
            ("read_timeout_s", self.read_timeout_s, 0.01, 3600),
            ("launch_batch_max", self.launch_batch_max, 1, LAUNCH_BATCH_MAX),
            ("visible_after_s", self.visible_after_s, 0, 3600),
            ("user_data_bytes_max", self.user_data_bytes_max, 0, 1024 * 1024),
            ("calls_at_once", self.calls_at_once, 1, 64),
            ("reply_bytes_max", self.reply_bytes_max, 1, GIB),
            ("sweep_page_size", 5 if self.sweep_page_size is None else self.sweep_page_size, 1, 1000),
        )
        for name, value, least, most in limits:
            if not least <= value <= most:
                raise ValueError(f"{name} must be between {least:g} and {most:g}, not {value:g}")
        if not self.endpoint_url.startswith(("http://", "https://")):
            raise ValueError("endpoint_url must begin with http:// or https://")
        if self.signature_version not in {"v4", "v2"}:
            raise ValueError(f"signature_version must be v4 or v2, not {self.signature_version}")
        if self.tags not in {"launch", "after", "none"}:
            raise ValueError(f"tags must be launch, after or none, not {self.tags}")

    @property
    def call_deadline_s(self) -> float:
        """Seconds after which one call is cut off, however busily it drips."""
        return self.connect_timeout_s + self.read_timeout_s
