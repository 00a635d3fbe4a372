"""
The service model of Auto Scaling as frozen values: operations, shapes, errors, pages and XML namespaces.

Owns: reading the model that the installed botocore carries. Nothing here counts or lists operations by hand: a newer
botocore brings newer operations. Does not own: what is done with a shape (decode, validate, encode).
"""

import functools
import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

VERSION = "2011-01-01"
"""The API version that is spoken here, and assumed when a client names none or one that AWS never had."""

OLD_VERSIONS = frozenset({"2009-05-15", "2010-08-01"})
"""Versions with the same envelope under their own namespace: boto 1.9b sends the first, boto 2.0 the second."""

_NAMESPACE_ROOT = "http://autoscaling.amazonaws.com/doc"
_SURROGATE_PAIR = re.compile(r"\\u([Dd][89AaBb][0-9A-Fa-f]{2})\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True, eq=False)
class StringShape:
    """A text; *min* and *max* count characters. *pattern* is the model's own spelling, *regex* ours of the same."""

    name: str
    min: int | None
    max: int | None
    enum: tuple[str, ...]
    pattern: str | None
    regex: re.Pattern[str] | None


@dataclass(frozen=True, slots=True, eq=False)
class IntegerShape:
    """A whole number of *bits* bits, between *min* and *max* where the model names them."""

    name: str
    bits: Literal[32, 64]
    min: int | None
    max: int | None


@dataclass(frozen=True, slots=True, eq=False)
class DoubleShape:
    """A finite number, between *min* and *max* where the model names them."""

    name: str
    min: float | None
    max: float | None


@dataclass(frozen=True, slots=True, eq=False)
class BooleanShape:
    """True or false."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class TimestampShape:
    """A moment; an aware UTC datetime in Python."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class ListShape:
    """A list; on the wire each member stands under *item_name*, which is ``member`` but for one list of the model."""

    name: str
    member: "Shape"
    item_name: str
    min: int | None
    max: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One field of a structure: *name* in Python values, *wire_name* in requests and answers."""

    name: str
    wire_name: str
    required: bool
    shape: "Shape"


@dataclass(frozen=True, slots=True, eq=False)
class StructureShape:
    """A structure; *members* by their Python name, in the model's order."""

    name: str
    members: Mapping[str, Member]


Shape: TypeAlias = StringShape | IntegerShape | DoubleShape | BooleanShape | TimestampShape | ListShape | StructureShape


@dataclass(frozen=True, slots=True)
class ErrorShape:
    """An error of the service: its *code* on the wire, the HTTP *status*, and whether it names the caller as cause."""

    code: str
    status: int
    is_senders_fault: bool


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """
    One operation. *output* and *result_wrapper* are None together: such an answer has no Result element.

    *errors* are the wire codes that the model lists. *result_key* is the list that is cut into pages, or None.
    """

    name: str
    input: StructureShape | None
    output: StructureShape | None
    result_wrapper: str | None
    errors: tuple[str, ...]
    result_key: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """The whole model. *left_out* names shapes of a kind that is not understood here; fields of them are ignored."""

    version: str
    namespace: str
    operations: Mapping[str, Operation]
    errors: Mapping[str, ErrorShape]
    left_out: tuple[str, ...]


def namespace_for(version: str | None) -> str:
    """XML namespace of an answer to a request for *version*; that of 2011-01-01 for no version or an unknown one."""
    return f"{_NAMESPACE_ROOT}/{version if version in OLD_VERSIONS else VERSION}/"


@functools.cache
def service() -> Service:
    """The model of the installed botocore, read once; takes about 30 ms the first time."""
    document = _document("service-2")
    pages = _document("paginators-1")["pagination"]
    shapes = _Shapes(document["shapes"])
    errors = {name: _error(name, raw) for name, raw in document["shapes"].items() if raw.get("exception")}
    return Service(
        version=document["metadata"]["apiVersion"],
        namespace=document["metadata"]["xmlNamespace"],
        operations=MappingProxyType(
            {name: _operation(raw, shapes, errors, pages.get(name)) for name, raw in document["operations"].items()}
        ),
        errors=MappingProxyType({error.code: error for error in errors.values()}),
        left_out=tuple(sorted(shapes.left_out)),
    )


def _document(name: str) -> dict[str, Any]:
    # botocore's own Loader costs 130 ms and 15 MiB of imports, and lets ~/.aws/models change what this server speaks.
    # The tests compare what is read here with what the Loader reads.
    folder = resources.files("botocore") / "data" / "autoscaling" / VERSION
    packed = folder / f"{name}.json.gz"
    content = gzip.decompress(packed.read_bytes()) if packed.is_file() else (folder / f"{name}.json").read_bytes()
    document: dict[str, Any] = json.loads(content)
    return document


def _operation(
    raw: dict[str, Any], shapes: "_Shapes", errors: dict[str, ErrorShape], page: dict[str, Any] | None
) -> Operation:
    output = raw.get("output")
    return Operation(
        name=raw["name"],
        input=shapes.structure(raw["input"]["shape"]) if "input" in raw else None,
        output=None if output is None else shapes.structure(output["shape"]),
        result_wrapper=None if output is None else output["resultWrapper"],
        errors=tuple(errors[error["shape"]].code for error in raw.get("errors", ())),
        result_key=None if page is None else page["result_key"],
    )


def _error(name: str, raw: dict[str, Any]) -> ErrorShape:
    error = raw.get("error", {})
    return ErrorShape(error.get("code", name), error.get("httpStatusCode", 400), error.get("senderFault", True))


class _Shapes:
    """Shapes by name, each built once; a shape that is met again inside itself, or of an unknown kind, is left out."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self._raw = raw
        self._built: dict[str, Shape | None] = {}
        self.left_out: set[str] = set()

    def structure(self, name: str) -> StructureShape:
        shape = self.shape(name)
        if not isinstance(shape, StructureShape):
            raise TypeError(f"{name} is not a structure in the installed service model")
        return shape

    def shape(self, name: str) -> Shape | None:
        if name not in self._built:
            self._built[name] = None
            self._built[name] = self._build(name, self._raw[name])
        built = self._built[name]
        if built is None:
            self.left_out.add(name)
        return built

    def _build(self, name: str, raw: dict[str, Any]) -> Shape | None:
        kind = raw["type"]
        if kind == "structure":
            return StructureShape(name, MappingProxyType(self._members(raw)))
        if kind == "list" and not raw.get("flattened"):
            return self._list(name, raw)
        return _scalar(name, kind, raw)

    def _members(self, raw: dict[str, Any]) -> dict[str, Member]:
        required = raw.get("required", ())
        members: dict[str, Member] = {}
        for name, reference in raw["members"].items():
            shape = self.shape(reference["shape"])
            if shape is not None:
                members[name] = Member(name, reference.get("locationName", name), name in required, shape)
        return members

    def _list(self, name: str, raw: dict[str, Any]) -> ListShape | None:
        reference = raw["member"]
        member = self.shape(reference["shape"])
        if member is None:
            return None
        return ListShape(name, member, reference.get("locationName", "member"), raw.get("min"), raw.get("max"))


def _scalar(name: str, kind: str, raw: dict[str, Any]) -> Shape | None:
    low, high = raw.get("min"), raw.get("max")
    match kind:
        case "string":
            pattern = raw.get("pattern")
            return StringShape(name, low, high, tuple(raw.get("enum", ())), pattern, _compiled(pattern))
        case "integer":
            return IntegerShape(name, 32, low, high)
        case "long":
            return IntegerShape(name, 64, low, high)
        case "double" | "float":
            return DoubleShape(name, low, high)
        case "boolean":
            return BooleanShape(name)
        case "timestamp":
            return TimestampShape(name)
        case _:
            return None


@functools.cache
def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    # The model is written for Java, where a character beyond U+FFFF is a pair of surrogates. A pattern that means
    # nothing to Python checks nothing, so that a newer model cannot keep the server from starting.
    if pattern is None:
        return None
    try:
        return re.compile(_SURROGATE_PAIR.sub(_astral, pattern))
    except re.error:
        return None


def _astral(pair: re.Match[str]) -> str:
    high, low = (int(half, 16) for half in pair.groups())
    return f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08X}"
