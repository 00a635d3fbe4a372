"""
What may be configured of sensors: where samples are received, and which other systems are asked.

Owns: the tables ``[sensors]``, ``[sensors.opentsdb]`` and ``[sensors.prometheus]``. Does not own reading them.
"""

from dataclasses import dataclass, field

from phantom_gateway.config import kinds, places
from phantom_gateway.config.keys import about


@dataclass(frozen=True, slots=True)
class MonitorSettings:
    """A monitoring system that is asked for the metrics of groups."""

    url: str = field(
        metadata=about(
            places.EndpointUrl("put a proxy before it that adds them"),
            "Where it answers, with its path where it has one.",
            reason="Users, passwords and queries in it would be shown in logs.",
        ),
    )
    timeout_s: float = field(
        default=5.0,
        metadata=about(
            kinds.Number(0.1, 60),
            "Seconds until an answer is given up; then there is no data, and groups stay as they are.",
            reason="One that takes longer is overloaded, and would be asked again before it is done.",
        ),
    )


@dataclass(frozen=True, slots=True)
class SensorsSettings:
    """Samples of sensors: where they are received, from whom, and how often other systems are asked."""

    port: int | None = field(
        default=None,
        metadata=about(
            kinds.Whole(0, 65535, " (0: any free port)"),
            "TCP port of the receiver: OpenTSDB's `put` lines and HTTP. Without one, only `/api/put` of the server "
            "takes samples.",
            reason="4242 is OpenTSDB's, which tcollector expects; it may be in use.",
        ),
    )
    host: str = field(
        default="127.0.0.1",
        metadata=about(
            places.Host(),
            "Address of the receiver. Beyond loopback it needs `insecure`.",
            reason="Lines carry passwords and tokens readably, and the protocol knows no TLS.",
        ),
    )
    insecure: bool = field(
        default=False,
        metadata=about(
            kinds.Flag(),
            "Receive beyond loopback, in a network that nobody listens in, or behind a proxy that ends TLS.",
            reason="Nobody should do so without having written it down.",
        ),
    )
    anonymous: bool = field(
        default=False,
        metadata=about(
            kinds.Flag(),
            "On loopback, samples without credentials count for the instance that their `host` names, and what is "
            "stored may be read.",
            reason="Whoever can reach the port can then move other users' groups, within their bounds.",
        ),
    )
    series_per_user_max: int = field(
        default=5_000,
        metadata=about(
            kinds.Whole(1, 50_000),
            "Series per user: metrics times instances. One more takes the place of one without data for an hour.",
            reason="25 VMs with a tcollector, which sends 200 metrics each. The more there are, the shorter the "
            "minutes of all are kept.",
        ),
    )
    poll_interval_s: float = field(
        default=15.0,
        metadata=about(
            kinds.Number(1, 300),
            "Seconds between two questions to another monitoring system about a group.",
            reason="As often as such systems take samples; asking more often finds nothing new.",
        ),
    )
    opentsdb: MonitorSettings | None = None
    prometheus: MonitorSettings | None = None
