"""
Policies of domains: the original's two, as fields of the JSON API and as tags of a group.

Owns: which field is which tag, and when a tag says the same as a field. Pure functions. Does not own: the keys of tags
(``phantom_tags``), writing them, or what a policy does (the reconciler).
"""

from collections.abc import Mapping
from typing import Any

from phantom_gateway.operations.http_api.errors import bad_request
from phantom_gateway.operations.http_api.schemas import NAME_LENGTH_MAX, Schema
from phantom_gateway.operations.http_api.values import XML_PATTERN, number, number_schema, whole, whole_schema
from phantom_gateway.phantom_tags import CHEF_CREDENTIAL, DE_NAME, METRIC, VMS_MAX

MULTICLOUD = "multicloud"
SENSOR = "sensor"

TAG_LENGTH_MAX = 256
"""AWS's limit for the value of a tag."""


def _or_null(schema: Schema, rule: str) -> Schema:
    return {**schema, "type": [*schema["type"], "null"], "description": rule}


_TEXT: Schema = {"type": ["string"], "maxLength": TAG_LENGTH_MAX, "pattern": XML_PATTERN}

SENSOR_FIELDS: Mapping[str, tuple[str, Schema]] = {
    "sensor_cooldown": ("cooldown_period", whole_schema(0, VMS_MAX, "seconds")),
    "sensor_metric": (METRIC, _or_null(_TEXT, "null: no scaling")),
    "sensor_scale_down_vms": (
        "scale_down_n_vms",
        _or_null(whole_schema(-VMS_MAX, VMS_MAX), "its sign does not count; null: 1"),
    ),
    "sensor_scale_down_threshold": ("scale_down_threshold", _or_null(number_schema(), "null: never down")),
    "sensor_scale_up_vms": ("scale_up_n_vms", _or_null(whole_schema(0, VMS_MAX), "null: 1")),
    "sensor_scale_up_threshold": ("scale_up_threshold", _or_null(number_schema(), "null: never up")),
}
"""Field -> the tag that holds it, and its schema. In the order in which the original missed them."""

BOUNDS_FIELDS: Mapping[str, Schema] = {
    "sensor_maximum_vms": whole_schema(0, VMS_MAX),
    "sensor_minimum_vms": whole_schema(0, VMS_MAX),
}

WATCHED_FIELDS: Mapping[str, Schema] = {
    "monitor_sensors": {"type": ["string", "null"], "maxLength": TAG_LENGTH_MAX, "pattern": XML_PATTERN},
    "monitor_domain_sensors": {"type": ["string", "null"], "maxLength": TAG_LENGTH_MAX, "pattern": XML_PATTERN},
    CHEF_CREDENTIAL: {"type": ["string", "null"], "maxLength": NAME_LENGTH_MAX, "pattern": XML_PATTERN},
}
"""Fields of every domain that are tags of the same name. "" and null are no tag."""

_KEYS = (*WATCHED_FIELDS, *(key for key, _ in SENSOR_FIELDS.values()))


def de_name(tags: Mapping[str, str]) -> str:
    """Which of the two a group with these *tags* has; one that AWS clients gave a metric is driven by a sensor."""
    return SENSOR if METRIC in tags or tags.get(DE_NAME) == SENSOR else MULTICLOUD


def view(tags: Mapping[str, str]) -> dict[str, Any]:
    """The fields that these *tags* of a group hold."""
    shown: dict[str, Any] = {"de_name": de_name(tags)}
    shown |= {name: tags.get(name, "") for name in ("monitor_sensors", "monitor_domain_sensors")}
    if CHEF_CREDENTIAL in tags:
        shown[CHEF_CREDENTIAL] = tags[CHEF_CREDENTIAL]
    if shown["de_name"] == SENSOR:
        shown |= {field: _shown(key, tags.get(key)) for field, (key, _) in SENSOR_FIELDS.items()}
    return shown


def wanted_tags(body: Mapping[str, Any]) -> dict[str, str]:
    """The tags that hold what *body* says. Raises JsonError(400) for a field that is missing or out of bounds."""
    tags = {name: body[name] for name in WATCHED_FIELDS if body.get(name)}
    if body["de_name"] == SENSOR:
        for field, (key, _) in SENSOR_FIELDS.items():
            require(body, field)
            if body[field] not in (None, ""):
                tags[key] = _text(field, key, body[field])
    return tags


def require(body: Mapping[str, Any], field: str) -> Any:
    """What *body* has as *field*. Raises JsonError(400) in the original's words."""
    if field not in body:
        raise bad_request(f"Mandatory parameter '{field}' is missing.")
    return body[field]


def changes(tags: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str | None]:
    """Tags to write, and to remove (None), until *tags* say what *wanted* do; empty when they do already."""
    found: dict[str, str | None] = {}
    for key in _KEYS:
        if not _says_same(key, tags.get(key), wanted.get(key)):
            found[key] = wanted.get(key)
    return found


def _text(field: str, key: str, value: Any) -> str:
    """The tag's text. Raises JsonError(400)."""
    if key in _NUMBERS:
        return _plain(number(field, value))
    if key in _WHOLES:
        return str(abs(whole(field, value, -VMS_MAX, VMS_MAX)))
    return str(value)


def _plain(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)  # noqa: PLR2004 - exact below


def _shown(key: str, text: str | None) -> Any:
    if text is None:
        return 0 if key == "cooldown_period" else None
    if key in _WHOLES:
        return abs(int(text))
    if key in _NUMBERS:
        found = float(text)
        return int(found) if found.is_integer() and abs(found) < 1e15 else found  # noqa: PLR2004 - as above
    return text


def _says_same(key: str, one: str | None, other: str | None) -> bool:
    """Whether two texts of a tag mean the same: the engine reads 2 and 2.0 alike."""
    if key in _WHOLES or key in _NUMBERS:
        return bool(_shown(key, one) == _shown(key, other))
    return (one or "") == (other or "")


_NUMBERS = frozenset({"scale_up_threshold", "scale_down_threshold"})
_WHOLES = frozenset({"cooldown_period", "scale_up_n_vms", "scale_down_n_vms"})
