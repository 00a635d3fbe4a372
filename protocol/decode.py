"""
From a form to typed parameters: dotted names become one tree, the tree is walked along the operation's input shape.

Owns: the spellings that clients use for lists, numbers, booleans and moments. Does not own: whether a value is
allowed, see :mod:`protocol.validate`. Nothing here grows with a number that a client names: positions are keys.
"""

import functools
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from protocol.errors import ApiError, shown
from protocol.model import (
    BooleanShape,
    DoubleShape,
    IntegerShape,
    ListShape,
    Operation,
    Shape,
    StringShape,
    StructureShape,
    TimestampShape,
)

LIST_INDEX_MAX = 99_999
"""Highest N of ``Name.member.N``. Gaps are fine, some clients number what they delete; larger ones are nonsense."""

LIST_MEMBERS_MAX = 1_000
"""Members of one list: more than twice the largest list of the model (400 instance types)."""

INTEGER_LENGTH_MAX = 20
"""Characters of a whole number: a sign and 64 bits. Checked before int(), whose cost grows with the square."""

DOUBLE_LENGTH_MAX = 64
"""Characters of a number with a fraction: twice what any client prints for a double."""

TIMESTAMP_LENGTH_MAX = 40
"""Characters of a moment: the longest ISO 8601 spelling has 35."""

Node: TypeAlias = "dict[str, Node | str]"
Decoder: TypeAlias = "Callable[[Node | str, str], Any]"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BOOLEANS = {"true": True, "false": False}
_INTEGER = re.compile(r"[+-]?[0-9]+")
_DOUBLE = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_ISO_8601 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)


def decode(operation: Operation, form: Mapping[str, str]) -> dict[str, Any]:
    """
    Parameters of *operation* in *form*, keyed by the model's member names; what was not sent is not there.

    Values are str, int, float, bool, aware UTC datetime, list and dict. Parameters unknown to the operation are
    ignored, as AWS does. ``X=`` is an empty list or structure where X is one.

    Raises:
        ApiError: MalformedInput, naming the parameter as the client wrote it, for a value that cannot be read.

    """
    if operation.input is None:
        return {}
    parameters: dict[str, Any] = _decoder(operation.input)(_tree(operation.input, form), "")
    return parameters


def _tree(shape: StructureShape, form: Mapping[str, str]) -> Node:
    wanted = _wire_names(shape)
    tree: Node = {}
    for name, value in form.items():
        head, dot, _ = name.partition(".")
        if head in wanted:
            node, leaf = _place(tree, name) if dot else (tree, name)
            if leaf in node:
                raise _contradiction(name)
            node[leaf] = value
    return tree


def _place(tree: Node, name: str) -> tuple[Node, str]:
    """Node of *tree* to which the last part of the dotted *name* belongs, and that part."""
    *branches, leaf = name.split(".")
    node = tree
    for part in branches:
        child = node.get(part)
        if child is None:
            child = node[part] = {}
        elif isinstance(child, str):
            raise _contradiction(name)
        node = child
    return node, leaf


@functools.cache
def _wire_names(shape: StructureShape) -> frozenset[str]:
    return frozenset(member.wire_name for member in shape.members.values())


@functools.cache
def _decoder(shape: Shape) -> Decoder:
    match shape:
        case StructureShape():
            return _structure(shape)
        case ListShape():
            return _list(shape)
        case StringShape():
            return _scalar(lambda text: text, "a text")
        case IntegerShape(bits=bits):
            limit = 1 << (bits - 1)
            return _scalar(lambda text: _integer(text, limit), f"a whole number of {bits} bits")
        case DoubleShape():
            return _scalar(_double, "a finite decimal number")
        case BooleanShape():
            return _scalar(_boolean, "true or false")
        case TimestampShape():
            return _scalar(_timestamp, "a time such as 2013-08-19T20:53:29Z")


def _structure(shape: StructureShape) -> Decoder:
    decoders = {member.wire_name: (member.name, _decoder(member.shape)) for member in shape.members.values()}

    def decode_structure(node: "Node | str", path: str) -> dict[str, Any]:
        if isinstance(node, str):
            if node:
                raise _malformed(path, "is a structure: its members are written as Name.Member")
            return {}
        prefix = f"{path}." if path else ""
        values: dict[str, Any] = {}
        for key, child in node.items():
            known = decoders.get(key)
            if known is not None:
                name, decoder = known
                values[name] = decoder(child, prefix + key)
        return values

    return decode_structure


def _list(shape: ListShape) -> Decoder:
    decoder = _decoder(shape.member)
    is_of_scalars = not isinstance(shape.member, ListShape | StructureShape)
    wrappers = dict.fromkeys((shape.item_name, "member"))

    def decode_list(node: "Node | str", path: str) -> list[Any]:
        if isinstance(node, str):
            if not node:
                return []
            if is_of_scalars:
                # Clients of 2009 wrote LoadBalancerNames=x.
                return [decoder(node, path)]
            raise _malformed(path, "is a list: its members are written as Name.member.N")
        for wrapper in wrappers:
            if wrapper in node:
                if len(node) > 1:
                    raise _malformed(path, f"mixes Name.{wrapper}.N with another spelling of a list")
                return _decode_members(node[wrapper], f"{path}.{wrapper}", decoder)
        return _decode_members(node, path, decoder)

    return decode_list


def _decode_members(node: "Node | str", path: str, decoder: Decoder) -> list[Any]:
    if isinstance(node, str):
        raise _malformed(path, "has no number: the members of a list are written as Name.member.N")
    if len(node) > LIST_MEMBERS_MAX:
        raise _malformed(path, f"has more than {LIST_MEMBERS_MAX} members")
    positions = sorted((_position(key, path), key) for key in node)
    return [decoder(node[key], f"{path}.{key}") for _, key in positions]


def _position(key: str, path: str) -> int:
    # One spelling per position: with "01" accepted, two parameters could be the same member.
    if len(key) <= len(str(LIST_INDEX_MAX)) and key.isascii() and key.isdigit() and key[0] != "0":
        return int(key)
    raise _malformed(f"{path}.{key}", f"needs a number from 1 to {LIST_INDEX_MAX} where it says '{shown(key)}'")


def _scalar(read: Callable[[str], Any], rule: str) -> Decoder:
    """Decoder of one value; *read* gives None for a text that it cannot read."""

    def decode_scalar(node: "Node | str", path: str) -> Any:
        if not isinstance(node, str):
            raise _malformed(path, "is a single value and has no members")
        value = read(node)
        if value is None:
            raise _malformed(path, f"must be {rule}, not '{shown(node)}'")
        return value

    return decode_scalar


def _boolean(text: str) -> bool | None:
    value = _BOOLEANS.get(text)
    if value is None and text:
        # boto 2.0 sends False; boto 2.6 to 2.9 send "True" with its quotation marks.
        bare = text[1:-1] if text[0] == text[-1] == '"' else text
        return _BOOLEANS.get(bare.lower())
    return value


def _integer(text: str, limit: int) -> int | None:
    if len(text) > INTEGER_LENGTH_MAX or _INTEGER.fullmatch(text) is None:
        return None
    value = int(text)
    return value if -limit <= value < limit else None


def _double(text: str) -> float | None:
    if len(text) > DOUBLE_LENGTH_MAX or _DOUBLE.fullmatch(text) is None:
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def _timestamp(text: str) -> datetime | None:
    """The moment in *text*: ISO 8601 (UTC when it names no offset), or seconds since 1970 as some SDKs write it."""
    if len(text) > TIMESTAMP_LENGTH_MAX:
        return None
    try:
        if _ISO_8601.fullmatch(text) is not None:
            moment = datetime.fromisoformat(text)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        seconds = _double(text)
        return None if seconds is None else _EPOCH + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        # The 30th of February, or a moment outside the years 1 to 9999.
        return None


def _malformed(path: str, rule: str) -> ApiError:
    return ApiError("MalformedInput", f"The parameter '{shown(path)}' {rule}.")


def _contradiction(name: str) -> ApiError:
    return ApiError(
        "MalformedInput",
        f"The parameter '{shown(name)}' contradicts another one: one name is both a value and the start of others.",
    )
