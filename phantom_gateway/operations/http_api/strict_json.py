"""
JSON that means the same in every language: what the grammar leaves open is refused.

Owns: that strictness (duplicate keys, NaN, depth, text that is none). Does not own: where the text comes from, or what
an endpoint wants to find in it.
"""

import json
from collections.abc import Iterator
from typing import Any

from phantom_gateway.operations.http_api.errors import JsonError, bad_request
from protocol.errors import shown

DEPTH_MAX = 16
"""Objects in objects. Chef attributes nest five or six deep; parsers and people both suffer from more."""

NUMBER_MAX = 2**53
"""Whole numbers beyond it are not the same in every language (RFC 8259, 6)."""


def loads(text: str) -> Any:
    """The value that *text* is the JSON of: a body, or a text inside a body. Raises JsonError(400)."""
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float, parse_int=_whole
        )
    except RecursionError as error:
        raise _too_deep() from error
    except json.JSONDecodeError as error:
        raise bad_request(f"Bad request. No JSON: {error.msg} at character {error.pos} of the body.") from error
    _check(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise bad_request(f"The body has the key {json.dumps(shown(twice))} twice in one object.")
    return found


def _constant(text: str) -> Any:
    raise bad_request(f"The body holds {text}, which is no JSON number.")


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise bad_request("The body holds a number that is too large.")
    return value


def _whole(text: str) -> int:
    if len(text) > len(str(NUMBER_MAX)) + 1 or abs(int(text)) > NUMBER_MAX:
        raise bad_request(f"The body holds a whole number beyond {NUMBER_MAX}.")
    return int(text)


def _check(value: Any) -> None:
    """Nothing, when no text in *value* is broken and nothing nests too deep. Raises JsonError(400)."""
    level = [value]
    for _ in range(DEPTH_MAX + 1):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return
    raise _too_deep()


def _inside(value: Any) -> Iterator[Any]:
    """The values in *value*, keys among them."""
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, list):
        yield from value
    elif isinstance(value, dict):
        yield from value
        yield from value.values()


def _check_text(text: str) -> None:
    # Half a surrogate pair is no character, and PostgreSQL stores no NUL.
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text if not character.isascii()):
        raise bad_request("The body holds text with a NUL or half a surrogate pair in it.")


def _too_deep() -> JsonError:
    return bad_request(f"The body nests deeper than {DEPTH_MAX} levels.")
