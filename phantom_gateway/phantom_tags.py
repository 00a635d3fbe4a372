"""
Phantom's dialect: the tags by which scripts of the original drive a group.

Owns: which keys there are, how their values are read, and what they change about a group. Pure functions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from phantom_gateway.names import is_cloud_name
from reconciler.model import FailBack, RankedCloud, SensorPolicy, SensorSource, Statistic

DEFINITION = "PHANTOM_DEFINITION"
CLOUDS = "clouds"
FAIL_BACK = "fail_back"
METRIC = "metric"
DE_NAME = "phantom_de_name"
CHEF_CREDENTIAL = "chef_credential"
"""Names the Chef credentials of the user with which the VMs of a group register; the original kept it elsewhere."""

MONITOR_SENSORS = "monitor_sensors"
MONITOR_DOMAIN_SENSORS = "monitor_domain_sensors"
DOMAIN_SENSOR_VALUE = "domain_sensor_value"
DOMAIN_PREFIX = "domain:"
"""How the original's web form wrote a metric that is the group's own."""

OVERFLOW = "error_overflow_n_preserving"
SENSOR = "sensor_engine"
SINGLE_SITE = "single_site_n_preserving"
MULTI_SITE = "multi_site_n_preserving"
DEFINITIONS = (OVERFLOW, SENSOR, SINGLE_SITE, MULTI_SITE)
"""
The original knew a fifth, ``test``, for its own self-test. Of these four only the first two worked there; the other two
keep a number of VMs here as their names say: on the launch configuration's cloud, and like the first.
"""

FOLLOWERS = frozenset({OVERFLOW, MULTI_SITE})
"""Groups of these definitions use all clouds of their launch configuration, unless a ``clouds`` tag says which."""

CLOUDS_MAX = 64
"""As many as may be configured."""

STALE_S_MAX = 86_400
"""A value that is a day old says nothing of the present, whatever anybody sets."""

SAMPLE_PERIOD_S_MAX = 3_600
"""The samples of an hour are as many as are worth remembering for a decision."""

VMS_MAX = 32_000
"""The largest number of VMs that the original's forms let a user type."""


class TagRule(ValueError):  # noqa: N818 - it states the rule that a tag breaks
    """A tag breaks a rule of the dialect; the text is for the user who wrote it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """New bounds of a group; None leaves one as it is."""

    minimum: int | None = None
    maximum: int | None = None


def ranked_clouds(text: str) -> tuple[RankedCloud, ...]:
    """
    The clouds of a ``clouds`` tag, best first: ``hotel:2,sierra:-1``; -1, or no number, is no cap.

    A name is split from its number at the last colon, as in the original. Raises TagRule.
    """
    found: dict[str, RankedCloud] = {}
    for entry in text.split(","):
        name, colon, number = entry.strip().rpartition(":")
        if not colon:
            name, number = number, "-1"
        if not is_cloud_name(name):
            raise TagRule(_misread(CLOUDS, text, f"{name!r} cannot name a cloud; use CLOUD:MAX,CLOUD:MAX"))
        if name in found:
            raise TagRule(_misread(CLOUDS, text, f"{name} is there twice"))
        if not _is_integer(number, -1):
            raise TagRule(_misread(CLOUDS, text, f"{number!r} is no whole number from -1 to {VMS_MAX}"))
        cap = int(number)
        found[name] = RankedCloud(name, None if cap == -1 else cap)
    if len(found) > CLOUDS_MAX:
        raise TagRule(_misread(CLOUDS, text, f"it may name {CLOUDS_MAX} clouds"))
    return tuple(found.values())


def fail_back(text: str) -> FailBack:
    """The setting of a ``fail_back`` tag. Raises TagRule."""
    try:
        return FailBack(text)
    except ValueError as error:
        known = ", ".join(FailBack)
        raise TagRule(_misread(FAIL_BACK, text, f"it is one of: {known}")) from error


def check(tags: Mapping[str, str]) -> None:
    """
    Nothing when the tags of a group, all of them by key, make sense together.

    Any group may have ``clouds`` and ``fail_back``; a group with a definition takes the keys of the dialect and no
    others, so that a misspelt one is noticed. Raises TagRule.
    """
    definition = tags.get(DEFINITION)
    if definition is None:
        for key in (CLOUDS, FAIL_BACK):
            if key in tags:
                _READERS[key](key, tags[key])
        return
    if definition not in DEFINITIONS:
        raise TagRule(_misread(DEFINITION, definition, f"it is one of: {', '.join(DEFINITIONS)}"))
    for key, value in tags.items():
        if key == DEFINITION:
            continue
        reader = _READERS.get(key)
        if reader is None or key in _NOT_OF.get(definition, ()):
            raise TagRule(f"{definition} does not take a parameter of {key}")
        reader(key, value)


def bounds(tags: Mapping[str, str]) -> Bounds:
    """The bounds that these tags, checked before, ask for: ``n_preserve`` is both at once, and the others go before."""
    both = tags.get("n_preserve")
    low = tags.get("minimum_vms", both)
    high = tags.get("maximum_vms", both)
    return Bounds(None if low is None else int(low), None if high is None else int(high))


def sensor_policy(tags: Mapping[str, str]) -> SensorPolicy | None:
    """
    How a sensor moves the group that has these tags, checked before; None when none does.

    A group with a definition and a ``metric`` has such a policy; ``sensor_engine`` and the others read the same keys.
    The metric is the group's own when ``monitor_domain_sensors`` lists it (or when it is written ``domain:NAME``).
    """
    metric = tags.get(METRIC, "").strip()
    if DEFINITION not in tags or not metric:
        return None
    name = metric.removeprefix(DOMAIN_PREFIX)
    of_group = name != metric or name in sensor_names(tags.get(MONITOR_DOMAIN_SENSORS, ""))

    def number(key: str, default: float) -> float:
        return float(tags.get(key, default))

    def threshold(key: str) -> float | None:
        return float(tags[key]) if key in tags else None

    return SensorPolicy(
        metric=name,
        scale_up_threshold=threshold("scale_up_threshold"),
        scale_down_threshold=threshold("scale_down_threshold"),
        scale_up_by=int(number("scale_up_n_vms", 1)),
        scale_down_by=abs(int(number("scale_down_n_vms", 1))),
        cooldown_s=number("cooldown_period", 0),
        statistic=Statistic(tags.get("sample_function", Statistic.AVERAGE)),
        source=SensorSource(tags.get("sensor_type") or SensorSource.OPENTSDB),
        of_group=of_group,
        per_instance=tags.get(DOMAIN_SENSOR_VALUE) == PER_VM,
        sample_period_s=number("sample_period", 90),
        stale_s=number("stale_period", 900),
    )


def sensor_names(text: str) -> list[str]:
    """The metrics of a ``monitor_sensors`` or ``monitor_domain_sensors`` tag, without the web form's prefix."""
    return [name.strip().removeprefix(DOMAIN_PREFIX) for name in text.split(",") if name.strip()]


def _is_integer(value: str, least: int) -> bool:
    return _whole(value) and least <= int(value) <= VMS_MAX


def _whole(value: str) -> bool:
    digits = value.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) <= len(str(VMS_MAX))


def _integer(key: str, value: str) -> int:
    if not _is_integer(value, 0):
        raise TagRule(_misread(key, value, f"it has to be a whole number from 0 to {VMS_MAX}"))
    return int(value)


def _float(key: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if number != number or abs(number) == float("inf"):  # noqa: PLR0124 - NaN is the one number unlike itself
        raise TagRule(_misread(key, value, "it has to be a number"))
    return number


def _text(key: str, value: str) -> str:  # noqa: ARG001 - every reader is asked alike
    return value


def _one_of(*options: str) -> Callable[[str, str], str]:
    def read(key: str, value: str) -> str:
        if value not in options:
            raise TagRule(_misread(key, value, f"it is one of: {', '.join(options)}"))
        return value

    return read


def _seconds(most: int) -> Callable[[str, str], int]:
    def read(key: str, value: str) -> int:
        if not _whole(value) or not 1 <= int(value) <= most:
            raise TagRule(_misread(key, value, f"it has to be a whole number of seconds from 1 to {most}"))
        return int(value)

    return read


def _misread(key: str, value: str, rule: str) -> str:
    return f"The tag {key} has a value {value} that could not be understood: {rule}."


TOTAL, PER_VM = "total", "per_vm"

_READERS: Mapping[str, Callable[[str, str], object]] = {
    CLOUDS: lambda _key, value: ranked_clouds(value),
    FAIL_BACK: lambda _key, value: fail_back(value),
    "minimum_vms": _integer,
    "maximum_vms": _integer,
    "n_preserve": _integer,
    MONITOR_SENSORS: _text,
    MONITOR_DOMAIN_SENSORS: _text,
    DOMAIN_SENSOR_VALUE: _one_of(TOTAL, PER_VM),
    "sensor_type": lambda key, value: _one_of(*SensorSource)(key, value) if value else value,
    METRIC: _text,
    "sample_function": _one_of(*Statistic),
    "sample_period": _seconds(SAMPLE_PERIOD_S_MAX),
    "stale_period": _seconds(STALE_S_MAX),
    "cooldown_period": _integer,
    "scale_up_threshold": _float,
    "scale_down_threshold": _float,
    "scale_up_n_vms": _integer,
    "scale_down_n_vms": lambda key, value: _integer(key, value.removeprefix("-")),
    DE_NAME: _text,
    CHEF_CREDENTIAL: _text,
    "iaas_allocation": _text,
}
"""Every key of the dialect, and how its value is read."""

_NOT_OF: Mapping[str, tuple[str, ...]] = {
    OVERFLOW: ("iaas_allocation",),
    MULTI_SITE: ("iaas_allocation",),
    SENSOR: (CLOUDS, MONITOR_DOMAIN_SENSORS, DOMAIN_SENSOR_VALUE),
}
"""Keys that the original refused for a definition."""
