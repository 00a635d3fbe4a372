"""
How the fake EC2 behaves when nobody plots against it: the dialects of real endpoints, knob by knob.

Owns: the knobs, their presets, and reading changes of them from JSON. Does not own: faults
(:mod:`tests.fake_ec2.faults`).
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


class Filters(StrEnum):
    """What becomes of a filter."""

    HONOURED = "honoured"
    IGNORED = "ignored"
    EMPTY = "empty"
    REFUSED = "refused"
    HTTP_500 = "http_500"


class LaunchTags(StrEnum):
    """What becomes of TagSpecification in RunInstances."""

    HONOURED = "honoured"
    IGNORED = "ignored"
    HTTP_500 = "http_500"


class MixedTerminate(StrEnum):
    """What becomes of TerminateInstances with known and unknown ids."""

    REFUSED = "refused"
    KNOWN_ONLY = "known_only"
    KNOWN_THEN_REFUSED = "known_then_refused"


class Paging(StrEnum):
    """What MaxResults counts."""

    BY_INSTANCE = "by_instance"
    BY_RESERVATION = "by_reservation"


class CapacityRefusal(StrEnum):
    """How the endpoint says that it is full: with an error, or with machines that end in the state ``error``."""

    CODE = "code"
    ERROR_STATE = "error_state"


@dataclass(frozen=True, slots=True)
class Knobs:
    """One endpoint's ways. The defaults are those of AWS; seconds are those of the world's clock."""

    dialect: str = "aws"
    namespace: str = NAMESPACE
    region: str = "us-east-1"
    zones: tuple[str, ...] = ("us-east-1a", "us-east-1b", "us-east-1c")
    subnets: tuple[str, ...] = ("subnet-0123456789abcdef0",)
    """All in the first zone. Launches in others are refused."""
    id_digits: int = 17
    api_version: str = "2016-11-15"

    signatures_are_checked: bool = False
    sigv2_goes_to_s3: bool = False
    clock_skew_s: float = 0.0
    """Our clock against the client's; beyond 900 s every signature is stale."""

    token_is_idempotent: bool = True
    token_mismatch_is_refused: bool = True
    token_of_the_dead_is_refused: bool = True
    """IdempotentInstanceTerminated; otherwise the token of terminated machines launches anew."""
    token_kept_s: float = 86_400.0
    token_default: str = ""
    token_is_echoed: bool = True

    tags_at_launch: LaunchTags = LaunchTags.HONOURED
    tags_on_unknown_ids: bool = False
    filters: Filters = Filters.HONOURED
    filter_modes: Mapping[str, Filters] = field(default_factory=dict)
    """Pattern of a filter's name (``tag:*``) -> its own fate."""

    pending_s: float = 5.0
    shutting_down_s: float = 5.0
    terminated_listed_s: float = 3_600.0
    hidden_s: float = 0.0
    """How long a new machine shows in no listing."""
    stale_s: float = 0.0
    """How long a terminated machine still shows as running."""
    dies_after_s: float | None = None
    """Every new machine dies by itself after so long."""

    terminate_mixed: MixedTerminate = MixedTerminate.REFUSED
    terminate_says: str = ""
    """The current state in the answer of TerminateInstances, whatever it is."""

    capacity: int | None = None
    capacity_by_zone: Mapping[str, int] = field(default_factory=dict)
    capacity_refusal: CapacityRefusal = CapacityRefusal.CODE
    quota: int | None = None
    """Machines of one account."""
    quota_code: str = "InstanceLimitExceeded"
    quota_status: int = 400

    launch_base_s: float = 0.0
    launch_each_s: float = 0.0
    call_s: float = 0.0
    """Time of every other call."""

    paging: Paging = Paging.BY_INSTANCE
    page_size: int | None = None
    """Page size without MaxResults; None answers everything."""
    max_results_min: int = 5
    max_results_max: int = 1_000
    bad_next_token_is_500: bool = False

    rate_limits: bool = False
    request_bucket: tuple[float, float] = (100.0, 20.0)
    """Burst and refill per second, for each action by itself."""
    request_buckets: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """The same, for single actions."""
    launch_bucket: tuple[float, float] = (1_000.0, 2.0)
    """Machines, not calls: one call of 1,000 costs what 1,000 calls of one do."""

    images: tuple[str, ...] = ("ami-00000000000000001", "ami-00000000000000002")
    images_are_checked: bool = False
    instance_types: tuple[str, ...] = ("m1.small", "t3.micro", "c5.large")
    instance_types_are_checked: bool = False
    key_names: tuple[str, ...] = ("phantom",)
    security_groups: tuple[str, ...] = ("default",)
    user_data_bytes_max: int | None = 16_384

    def changed(self, changes: Mapping[str, Any]) -> "Knobs":
        """These knobs with *changes*, as JSON spells them. Raises ValueError for a knob that does not exist."""
        known = {entry.name for entry in dataclasses.fields(self)}
        unknown = sorted(set(changes) - known)
        if unknown:
            raise ValueError(f"no such knobs: {', '.join(unknown)}")
        return dataclasses.replace(self, **{name: _like(getattr(self, name), value) for name, value in changes.items()})


def _like(current: object, value: Any) -> Any:
    """*value* in the type of *current*."""
    if isinstance(current, StrEnum):
        return type(current)(value)
    if isinstance(current, tuple):
        return tuple(value)
    if isinstance(current, float) and not isinstance(value, bool) and value is not None:
        return float(value)
    return value


AWS = Knobs()
"""As AWS documents itself; rate limits by ``rate_limits``, latency by the knobs in seconds."""

MOTO = Knobs(
    dialect="moto",
    namespace=NAMESPACE.rstrip("/"),
    sigv2_goes_to_s3=True,
    token_is_idempotent=False,
    token_default="ABCDE",
    tags_on_unknown_ids=True,
    filter_modes={"client-token": Filters.HTTP_500},
    pending_s=0.0,
    shutting_down_s=0.0,
    terminated_listed_s=math.inf,
    paging=Paging.BY_RESERVATION,
    max_results_min=1,
    bad_next_token_is_500=True,
    user_data_bytes_max=None,
)
"""moto_server 5.2.5, measured."""

EC2_API = Knobs(
    dialect="ec2-api",
    region="RegionOne",
    zones=("nova",),
    id_digits=8,
    token_mismatch_is_refused=False,
    token_of_the_dead_is_refused=False,
    tags_at_launch=LaunchTags.HTTP_500,
    filter_modes={"tag:*:*": Filters.EMPTY},
    shutting_down_s=0.0,
    terminated_listed_s=0.0,
    terminate_says="running",
    capacity_refusal=CapacityRefusal.ERROR_STATE,
    quota_code="Forbidden",
    quota_status=403,
    bad_next_token_is_500=True,
)
"""ec2-api 17 in front of OpenStack, measured. Its 1.8 s for each launched machine are the knob ``launch_each_s``."""

DIALECTS = {knobs.dialect: knobs for knobs in (AWS, MOTO, EC2_API)}
