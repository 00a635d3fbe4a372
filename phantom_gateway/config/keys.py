"""
What is said of a key beside its value: kind, meaning, reason, and its default in words.

Owns: how a field of a frozen dataclass becomes a key of the configuration. Does not own any key.
"""

from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any

from phantom_gateway.config import kinds


@dataclass(frozen=True, slots=True)
class Key:
    """What is said of one key: *reason* is why its default and limits are what they are."""

    kind: kinds.Kind
    meaning: str
    reason: str
    default_words: str = ""
    """What is used when the key is absent, where that is more than a value."""


@dataclass(frozen=True, slots=True)
class KeyOfTable:
    """One key with its name and its default in words, as documentation and errors need it."""

    name: str
    about: Key
    is_required: bool
    default_words: str


def about(kind: kinds.Kind, meaning: str, *, reason: str, default_words: str = "") -> dict[str, Key]:
    """The metadata of a field that is a key."""
    return {"key": Key(kind, meaning, reason, default_words)}


def keys_of(table: type) -> Iterator[KeyOfTable]:
    """The keys of *table*, a dataclass, in their order; fields that are no keys are left out."""
    for each in fields(table):
        if "key" in each.metadata:
            said: Key = each.metadata["key"]
            is_required = each.default is MISSING and not said.default_words
            yield KeyOfTable(each.name, said, is_required, said.default_words or _default_words(each))


def _default_words(each: Field[Any]) -> str:
    """The default of a field as TOML writes it."""
    match each.default:
        case value if value is MISSING:
            return "required"
        case None:
            return "none"
        case bool(value):
            return "true" if value else "false"
        case str(value):
            return f'"{value}"'
        case ():
            return "[]"
        case value:
            return str(value)
