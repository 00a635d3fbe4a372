"""
Numbers and texts as the original's clients send them.

Owns: numbers that come as texts ("4"), and texts that AWS clients can be shown. Does not own: which field takes what.
"""

import math
from typing import Any

from phantom_gateway.operations.http_api.errors import bad_request
from phantom_gateway.operations.http_api.schemas import Schema

XML_PATTERN = "^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\ufffe\\uffff]*$"
"""Text that XML can hold: whatever comes in at one door has to go out at the other."""

_NUMBER_PATTERN = r"^-?[0-9]{1,15}(\.[0-9]{1,15})?([eE][-+]?[0-9]{1,3})?$"


def whole_schema(least: int, most: int, description: str = "") -> Schema:
    """The schema of a whole number from *least* to *most*, or of a text that holds one."""
    schema = {"type": ["integer", "string"], "minimum": least, "maximum": most, "pattern": r"^-?[0-9]{1,9}$"}
    return {**schema, "description": description} if description else schema


def number_schema(description: str = "") -> Schema:
    """The schema of a number, or of a text that holds one."""
    schema = {"type": ["number", "string"], "pattern": _NUMBER_PATTERN}
    return {**schema, "description": description} if description else schema


def whole(name: str, value: Any, least: int, most: int) -> int:
    """*value*, which fits the schema, as a number. Raises JsonError(400) for a text with one out of bounds."""
    number = int(value)
    if not least <= number <= most:
        raise bad_request(f"{name} must be from {least} to {most}.")
    return number


def number(name: str, value: Any) -> float:
    """*value*, which fits the schema, as a number. Raises JsonError(400) for one that is not finite."""
    found = float(value)
    if not math.isfinite(found):
        raise bad_request(f"{name} must be a number that is not too large.")
    return found
