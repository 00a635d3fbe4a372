"""
What is configured of a cloud that Libcloud reaches: limits of calls, what machines get unasked, and who calls.

Owns: the values and their limits. Does not own: how they are configured.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from backends.via_libcloud.names import BATCH_MAX


@dataclass(frozen=True, slots=True)
class Account:
    """Who calls. *key* is the public half where a provider has one, else the token itself. Neither is ever shown."""

    key: str = field(repr=False)
    secret: str = field(default="", repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not appear in any text, longest first."""
        return tuple(sorted(filter(None, (self.key, self.secret)), key=len, reverse=True))


@dataclass(frozen=True, slots=True)
class Limits:
    """
    How calls are made. The defaults suit a provider of which nothing is known.

    Raises:
        ValueError: a number is out of its limits.

    """

    calls_at_once: int = 4
    """Threads, each with a driver of its own: Libcloud's are not made for two. Higher: the provider throttles."""
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    """Silence after which an answer is given up. OpenStack takes 0.5 to 2.9 s for a launch (measured)."""
    launch_batch_max: int = 5
    """Machines in one launch. Each is a call of its own; a position has one digit."""
    visible_after_s: float = 60.0
    """A new machine may be missing from sweeps for this long (EPU waited as long)."""
    user_data_bytes_max: int = 16_384
    reply_bytes_max: int = 64 * 1024 * 1024
    """A page of 1000 OpenStack servers is 2 MB. More is a fault, or an attack on our memory."""
    verify_tls: bool | str = True
    """A path: the bundle of authorities to trust."""

    def __post_init__(self) -> None:
        limits: tuple[tuple[str, float, float, float], ...] = (
            ("calls_at_once", self.calls_at_once, 1, 64),
            ("connect_timeout_s", self.connect_timeout_s, 0.01, 300),
            ("read_timeout_s", self.read_timeout_s, 0.01, 3600),
            ("launch_batch_max", self.launch_batch_max, 1, BATCH_MAX),
            ("visible_after_s", self.visible_after_s, 0, 3600),
            ("user_data_bytes_max", self.user_data_bytes_max, 0, 1024 * 1024),
            ("reply_bytes_max", self.reply_bytes_max, 1, 1024**3),
        )
        for name, value, least, most in limits:
            if not least <= value <= most:
                raise ValueError(f"{name} must be between {least:g} and {most:g}, not {value:g}")


@dataclass(frozen=True, slots=True)
class Wants:
    """What machines get where their launch says nothing, and what a driver needs to know to reach its provider."""

    location: str | None = None
    """The provider's region, zone or data centre."""
    endpoint_url: str | None = None
    """Where the provider is, for drivers of software that anybody may run (CloudStack)."""
    key_name: str | None = None
    security_groups: tuple[str, ...] = ()
    network: str | None = None
    options: Mapping[str, str | int | bool] = field(default_factory=dict)
    """What else the driver's constructor takes: GCE's project, Azure's tenant and resource group."""
