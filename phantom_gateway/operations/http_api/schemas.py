"""
Pieces of JSON Schema (2020-12), and checking a body against one.

Owns: how a value that breaks its schema is told to the caller: the field and the rule, in the original's words where
there were some. Does not own: any endpoint's schema.
"""

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jsonschema
from jsonschema.protocols import Validator

from phantom_gateway.operations.http_api.errors import bad_request
from protocol.errors import shown

Schema = Mapping[str, Any]

NAME_PATTERN = r"^[-_.0-9A-Za-z ]+$"
"""What the original allows as the name of anything that stands in a path."""

NAME_LENGTH_MAX = 255
"""Characters; as long as a group's name may be."""

TEXT: Schema = {"type": "string"}
NAME: Schema = {"type": "string", "pattern": NAME_PATTERN, "maxLength": NAME_LENGTH_MAX}
FLAG: Schema = {"type": "boolean"}
ERROR: Schema = {
    "title": "Error",
    "type": "object",
    "properties": {"error": TEXT, "message": TEXT},
    "required": ["error", "message"],
}


def record(title: str, properties: Mapping[str, Schema], *, optional: tuple[str, ...] = (), **more: Any) -> Schema:
    """The schema of an object with these *properties*, all required but the *optional* ones; others are ignored."""
    required = [name for name in properties if name not in optional]
    return {"title": title, "type": "object", "properties": dict(properties), "required": required, **more}


def list_of(schema: Schema, **more: Any) -> Schema:
    """The schema of a list of *schema*."""
    return {"type": "array", "items": schema, **more}


def nullable(schema: Schema) -> Schema:
    """The schema of *schema* or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def check(schema: Schema, value: Any) -> None:
    """Nothing, when *value* fits. Raises JsonError naming the first field that does not, and the rule it breaks."""
    errors = sorted(_validator(json.dumps(schema)).iter_errors(value), key=lambda error: list(map(str, error.path)))
    if errors:
        raise bad_request(_told(errors[0]))


@functools.lru_cache(maxsize=256)  # the schemas of all endpoints, and no more: schemas do not come from outside
def _validator(text: str) -> Validator:
    schema = json.loads(text)
    _Checker.check_schema(schema)
    return _Checker(schema)


def _pattern(_validator: Validator, pattern: str, value: Any, _schema: Any) -> Iterator[jsonschema.ValidationError]:
    # In ECMA 262, which JSON Schema follows, "$" is the end; in Python it is also what comes before a last newline.
    if isinstance(value, str) and re.search(re.sub(r"\$$", r"\\Z", pattern), value) is None:
        yield jsonschema.ValidationError(f"does not match {pattern}")


_Checker = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": _pattern})


def _missing(error: jsonschema.ValidationError) -> str:
    absent = [name for name in error.validator_value if name not in error.instance]
    return f"Mandatory parameter '{absent[0]}' is missing"


def _one_of(error: jsonschema.ValidationError) -> str:
    choices = [each.get("type", "something else") for each in error.validator_value]
    return f"{_where(error)} must be {' or '.join(str(choice) for choice in choices)}"


_RULES: Mapping[str, Callable[[jsonschema.ValidationError], str]] = {
    "required": _missing,
    "anyOf": _one_of,
    "type": lambda error: f"{_where(error)} must be of type {_types(error.validator_value)}",
    "pattern": lambda error: f"{_where(error)} isn't acceptable: it must match {error.validator_value}",
    "enum": lambda error: f"{_where(error)} must be one of {json.dumps(error.validator_value)}",
    "minimum": lambda error: f"{_where(error)} must be at least {error.validator_value}",
    "maximum": lambda error: f"{_where(error)} must be at most {error.validator_value}",
    "minLength": lambda error: f"{_where(error)} must have at least {error.validator_value} characters",
    "maxLength": lambda error: f"{_where(error)} must have at most {error.validator_value} characters",
    "minItems": lambda error: f"{_where(error)} must have at least {error.validator_value} entries",
    "maxItems": lambda error: f"{_where(error)} must have at most {error.validator_value} entries",
    "minProperties": lambda error: f"{_where(error)} must have at least {error.validator_value} entries",
    "maxProperties": lambda error: f"{_where(error)} must have at most {error.validator_value} entries",
    "propertyNames": lambda error: f"{_where(error)} has a name that isn't acceptable",
}
"""Keyword -> the sentence. None repeats the value: it may be a secret, or a megabyte."""


def _told(error: jsonschema.ValidationError) -> str:
    rule = _RULES.get(str(error.validator))
    text = f"{_where(error)} breaks the rule {error.validator}" if rule is None else rule(error)
    inside = list(error.absolute_path)
    return f"{text} in {_where(error)}." if error.validator == "required" and inside else f"{text}."


def _where(error: jsonschema.ValidationError) -> str:
    path = ".".join(str(part) for part in error.absolute_path)
    return shown(path) if path else "The body"


def _types(value: Any) -> str:
    return " or ".join(value) if isinstance(value, list) else str(value)
