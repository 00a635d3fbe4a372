"""
Contextualization: what a VM is told when it starts, as launch configurations of the JSON API say it.

Owns: its fields, in all the spellings that documents and code of the original have, and their rules. Does not own: what
becomes of a run list at launch (``chef``), or storage.
"""

import base64
import binascii
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from phantom_gateway.chef import LICENSES, ChefRun
from phantom_gateway.operations.http_api import strict_json
from phantom_gateway.operations.http_api.errors import JsonError, bad_request
from phantom_gateway.operations.http_api.schemas import Schema
from phantom_gateway.operations.http_api.spellings import chosen
from phantom_gateway.operations.launch_rules import USER_DATA_BYTES_MAX
from protocol.errors import shown

CHEF_BYTES_MAX = 12 * 1024
"""Run list and attributes as JSON. With the validator's key and some words they have to fit into user data."""

RUN_LIST_MAX = 256
"""Entries. Longer lists belong into a role."""

RUN_LIST_ENTRY = r"^((recipe|role)\[[-.:@0-9A-Za-z_]+\]|[-.:@0-9A-Za-z_]+)$"
"""What Chef takes: a recipe, a role, or a recipe's bare name. Source: https://docs.chef.io/run_lists/"""

_ENTRY = re.compile(RUN_LIST_ENTRY.removesuffix("$"))

_RUN_LIST: Schema = {
    "type": ["array", "string", "null"],
    "items": {"type": "string", "pattern": RUN_LIST_ENTRY, "maxLength": 255},
    "maxItems": RUN_LIST_MAX,
}
_ATTRIBUTES: Schema = {"type": ["object", "string", "null"]}
_USER_DATA: Schema = {"type": ["string", "object", "null"], "additionalProperties": {"type": ["string", "null"]}}

FIELDS: Mapping[str, Schema] = {
    "contextualization_method": {
        "type": ["string", "null"],
        "enum": ["none", "None", "user_data", "chef", None],
        "description": "absent: what the other fields say",
    },
    "user_data": {**_USER_DATA, "description": "text for all clouds, or a text for each"},
    "user_data_base64": {**_USER_DATA, "description": "the same for user data that is not UTF-8"},
    "chef_runlist": {**_RUN_LIST, "description": "a list, or its JSON as a text"},
    "run_list": {**_RUN_LIST, "description": "another spelling of chef_runlist"},
    "chef_attributes": {**_ATTRIBUTES, "description": "an object, or its JSON as a text"},
    "attributes": {**_ATTRIBUTES, "description": "another spelling of chef_attributes"},
    "chef_license": {"type": ["string", "null"], "enum": [*LICENSES, None]},
}
"""The schemas of the fields of a launch configuration that are about contextualization, all of them optional."""


@dataclass(frozen=True, slots=True)
class Contextualization:
    """*user_data* by cloud, where there is some, or *chef*. *shared*: user data given for all clouds alike."""

    user_data: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    chef: ChefRun | None = None
    shared: bytes | None = field(default=None, repr=False)


def read(
    body: Mapping[str, Any], clouds: Collection[str], before: Mapping[str, Any] | None = None
) -> Contextualization:
    """
    What *body* says for these *clouds*. *before* is what was answered before of the thing that *body* replaces.

    Raises JsonError(400) naming the field and the rule.
    """
    given = {
        "user_data": chosen(body, before, ("user_data", "user_data_base64")),
        "chef_runlist": chosen(body, before, ("chef_runlist", "run_list"), _decoded),
        "chef_attributes": chosen(body, before, ("chef_attributes", "attributes"), _decoded),
    }
    there = {name for name, (_, value) in given.items() if value not in (None, "", {}, [])}
    method = _method(body, there)
    if method == "none":
        return Contextualization()
    if method == "chef":
        return Contextualization(chef=_chef(body, given["chef_runlist"], given["chef_attributes"]))
    return _user_data(*given["user_data"], clouds)


def view(user_data: Mapping[str, bytes], clouds: Collection[str], chef: ChefRun | None) -> dict[str, Any]:
    """The fields that tell of it: what *user_data* these *clouds* have, or *chef*."""
    if chef is not None:
        runs = {"chef_runlist": list(chef.run_list), "run_list": list(chef.run_list)}
        attributes = {"chef_attributes": dict(chef.attributes), "attributes": dict(chef.attributes)}
        accepted = {} if chef.license is None else {"chef_license": chef.license}
        return {"contextualization_method": "chef", **runs, **attributes, **accepted}
    if not user_data:
        return {"contextualization_method": "none"}
    try:
        name, texts = "user_data", {cloud: data.decode() for cloud, data in user_data.items()}
    except UnicodeDecodeError:
        name, texts = (
            "user_data_base64",
            {cloud: base64.b64encode(data).decode() for cloud, data in user_data.items()},
        )
    is_one = len(set(texts.values())) == 1 and len(texts) == len(clouds)
    return {"contextualization_method": "user_data", name: next(iter(texts.values())) if is_one else texts}


def _method(body: Mapping[str, Any], there: Collection[str]) -> str:
    said = body.get("contextualization_method")
    has_chef = bool({"chef_runlist", "chef_attributes"} & set(there))
    if said is None:
        said = "chef" if has_chef else "user_data" if there else "none"
    method = str(said).lower()
    allowed: Mapping[str, set[str]] = {
        "none": set(),
        "user_data": {"user_data"},
        "chef": {"chef_runlist", "chef_attributes"},
    }
    stray = sorted(set(there) - allowed[method])
    if stray:
        raise bad_request(f"Your contextualization_method is '{method}', but you have provided {', '.join(stray)}.")
    missing = {"user_data": "user_data", "chef": "chef_runlist"}.get(method)
    if missing is not None and missing not in there:
        raise bad_request(f"Your contextualization_method is '{method}', but {missing} is missing.")
    return method


def _chef(body: Mapping[str, Any], runs: tuple[str, Any], attributes: tuple[str, Any]) -> ChefRun:
    run_list, values = runs[1], attributes[1] or {}
    if not isinstance(run_list, list):
        raise bad_request(f"{runs[0]} must be a list.")
    if not isinstance(values, dict):
        raise bad_request(f"{attributes[0]} must be an object.")
    _check_run_list(runs[0], run_list)
    size = len(json.dumps([run_list, values]))
    if size > CHEF_BYTES_MAX:
        raise bad_request(
            f"{runs[0]} and {attributes[0]} have {size} bytes of JSON, and may have {CHEF_BYTES_MAX}: they become user "
            "data."
        )
    return ChefRun(tuple(run_list), values, body.get("chef_license"))


def _check_run_list(name: str, run_list: list[Any]) -> None:
    """Nothing. The schema has seen a list, but not one inside a text. Raises JsonError(400)."""
    if len(run_list) > RUN_LIST_MAX:
        raise bad_request(f"{name} may have {RUN_LIST_MAX} entries.")
    for place, entry in enumerate(run_list):
        if not isinstance(entry, str) or not _ENTRY.fullmatch(entry):
            raise bad_request(f"{name}.{place} must be recipe[NAME], role[NAME] or NAME.")


def _decoded(name: str, value: Any) -> Any:
    """*value*; what a text is the JSON of. Raises JsonError(400)."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return strict_json.loads(value)
    except JsonError as error:
        raise bad_request(f"{name} is a text that is no JSON: {error.message}") from error


def _user_data(name: str, given: Any, clouds: Collection[str]) -> Contextualization:
    if isinstance(given, str):
        data = _bytes(name, given)
        return Contextualization(dict.fromkeys(clouds, data), shared=data)
    stray = [cloud for cloud in given if cloud not in clouds]
    if stray:
        raise bad_request(f"{name} names {shown(stray[0])}, for which cloud_params has nothing.")
    return Contextualization({cloud: _bytes(f"{name}.{cloud}", text) for cloud, text in given.items() if text})


def _bytes(name: str, text: str) -> bytes:
    """The user data itself. Raises JsonError(400)."""
    try:
        data = base64.b64decode(text, validate=True) if name.startswith("user_data_base64") else text.encode()
    except binascii.Error as error:
        raise bad_request(f"{name} is not base64.") from error
    if len(data) > USER_DATA_BYTES_MAX:
        raise bad_request(f"{name} has {len(data)} bytes and may have {USER_DATA_BYTES_MAX}.")
    return data
