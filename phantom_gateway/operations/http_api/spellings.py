"""
Fields that have two spellings, because the original's documents and its code disagreed.

Owns: which one counts when both are given. Both are answered, and clients send back what they got with one of them
changed: so the one that was changed counts.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from phantom_gateway.operations.http_api.errors import bad_request


def as_it_is(_name: str, value: Any) -> Any:
    """*value*."""
    return value


def is_same(one: Any, other: Any) -> bool:
    """Whether two values are one in JSON: 1, 1.0 and true are three, which Python calls equal."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def chosen(
    body: Mapping[str, Any],
    shown: Mapping[str, Any] | None,
    names: Sequence[str],
    read: Callable[[str, Any], Any] = as_it_is,
) -> tuple[str, Any]:
    """
    The spelling among *names* that counts in *body*, with its value as *read* gives it; None where there is none.

    *shown* is what was answered before of the thing that *body* replaces; None: it replaces nothing. Raises
    JsonError(400) when two were changed and do not agree, or what *read* raises.
    """
    given = [(name, read(name, body[name])) for name in names if body.get(name) is not None]
    if not given:
        return names[0], None
    before = {} if shown is None else shown
    changed = [(name, value) for name, value in given if name not in before or not is_same(before[name], value)]
    candidates = changed or given
    if not all(is_same(value, candidates[0][1]) for _, value in candidates[1:]):
        raise bad_request(
            f"{candidates[0][0]} and {candidates[1][0]} mean the same and do not agree: give one of them."
        )
    return candidates[0]
