"""
Phantom's dialect: the tags by which scripts of the original drive a group.

Owns: which keys there are, how their values are read, and what they change about a group. Pure functions. Keys about
sensors are read and kept; nothing acts on them yet.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from phantom_gateway.names import is_cloud_name
from reconciler.model import FailBack, RankedCloud

DEFINITION = "PHANTOM_DEFINITION"
CLOUDS = "clouds"
FAIL_BACK = "fail_back"
METRIC = "metric"
DE_NAME = "phantom_de_name"
CHEF_CREDENTIAL = "chef_credential"
"""Names the Chef credentials of the user with which the VMs of a group register; the original kept it elsewhere."""

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


def _is_integer(value: str, least: int) -> bool:
    digits = value.removeprefix("-")
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= len(str(VMS_MAX))
    return is_number and least <= int(value) <= VMS_MAX


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


def _statistic(key: str, value: str) -> str:
    if value not in _STATISTICS:
        raise TagRule(_misread(key, value, f"it is one of: {', '.join(_STATISTICS)}"))
    return value


def _misread(key: str, value: str, rule: str) -> str:
    return f"The tag {key} has a value {value} that could not be understood: {rule}."


_STATISTICS = ("Average", "Sum", "SampleCount", "Maximum", "Minimum")

_READERS: Mapping[str, Callable[[str, str], object]] = {
    CLOUDS: lambda _key, value: ranked_clouds(value),
    FAIL_BACK: lambda _key, value: fail_back(value),
    "minimum_vms": _integer,
    "maximum_vms": _integer,
    "n_preserve": _integer,
    "monitor_sensors": _text,
    "monitor_domain_sensors": _text,
    "sensor_type": _text,
    METRIC: _text,
    "sample_function": _statistic,
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
    SENSOR: (CLOUDS, "monitor_domain_sensors"),
}
"""Keys that the original refused for a definition."""
