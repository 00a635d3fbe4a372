"""
What the service model demands of parameters: presence, length, range, enumeration, pattern.

Owns: AWS's wording of all violations in one ValidationError, and the waivers, each with its reason. Does not own:
rules between parameters or against the records; those belong to the operations.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from protocol.errors import ApiError, shown
from protocol.model import (
    BooleanShape,
    DoubleShape,
    IntegerShape,
    ListShape,
    Member,
    Operation,
    Shape,
    StringShape,
    StructureShape,
    TimestampShape,
)

VIOLATIONS_SHOWN_MAX = 20
"""Violations spelled out in one message: a person mends a few at a time, and a thousand bad tags need no megabyte."""

NEVER_SHOWN = frozenset({"UserData"})
"""Members whose value no message repeats: user data often carries passwords and keys."""


@dataclass(frozen=True, slots=True)
class Waiver:
    """What of a string shape is not enforced: its *pattern*, and its longest and shortest length replaced."""

    reason: str
    max: int
    min: int = 1


WAIVERS: Mapping[str, Waiver] = {
    "ImageId": Waiver("other clouds name images by UUID, file or words: hello-phantom.gz is no ami-...", max=255),
    "XmlStringMaxLen19": Waiver(
        "instance ids of other clouds are longer than EC2's: an OpenStack UUID has 36", max=255
    ),
    "AllowedInstanceType": Waiver("flavours of other clouds contain underscores and are longer than EC2's", max=255),
    "ExcludedInstance": Waiver("flavours of other clouds contain underscores and are longer than EC2's", max=255),
}
"""String shapes whose limits hold on AWS alone, by shape name; their patterns are not enforced either."""

Check: TypeAlias = Callable[[Any, str, list[str]], None]


def validate(operation: Operation, params: Mapping[str, Any]) -> None:
    """
    Nothing, when *params* (as :func:`protocol.decode.decode` returns them) satisfy the model of *operation*.

    Raises:
        ApiError: ValidationError with every violation, worded as AWS words them; paths in camel case, 1-based.

    """
    if operation.input is None:
        return
    violations: list[str] = []
    _structure(operation.input)(params, "", violations)
    if violations:
        raise ApiError("ValidationError", _worded(violations))


def _worded(violations: list[str]) -> str:
    count = len(violations)
    text = "; ".join(violations[:VIOLATIONS_SHOWN_MAX])
    if count > VIOLATIONS_SHOWN_MAX:
        text += f"; and {count - VIOLATIONS_SHOWN_MAX} more"
    return f"{count} validation error{'' if count == 1 else 's'} detected: {text}"


def violation(value: str | None, path: str, rule: str) -> str:
    """One violation in AWS's words; *value* None stands for a member that is not there."""
    quoted = "null" if value is None else f"'{shown(value)}'"
    return f"Value {quoted} at '{path}' failed to satisfy constraint: Member must {rule}"


@functools.cache
def _structure(shape: StructureShape) -> Check:
    rows = tuple(
        (member.name, member.name[:1].lower() + member.name[1:], member.required, _check(member))
        for member in shape.members.values()
    )

    def check_structure(value: Mapping[str, Any], path: str, violations: list[str]) -> None:
        for name, camel, is_required, check in rows:
            item = value.get(name)
            if item is None:
                if is_required:
                    violations.append(violation(None, path + camel, "not be null"))
            elif check is not None:
                check(item, path + camel, violations)

    return check_structure


def _check(member: Member) -> Check | None:
    return _check_of(member.shape, _hidden if member.name in NEVER_SHOWN else str)


def _check_of(shape: Shape, show: Callable[[Any], str] = str) -> Check | None:
    match shape:
        case StructureShape():
            return _nested(_structure(shape))
        case ListShape():
            return _list(shape)
        case StringShape():
            return _string(shape, show)
        case IntegerShape() | DoubleShape():
            return _number(shape)
        case BooleanShape() | TimestampShape():
            return None


def _nested(check: Check) -> Check:
    return lambda value, path, violations: check(value, f"{path}.", violations)


def _list(shape: ListShape) -> Check:
    check = _check_of(shape.member)
    # AWS puts a "member" between the number of a structure and its own member: tags.1.member.key.
    suffix = ".member"

    def check_list(value: list[Any], path: str, violations: list[str]) -> None:
        low, high = shape.min, shape.max
        if low is not None and len(value) < low:
            violations.append(violation(_list_text(value), path, f"have length greater than or equal to {low}"))
        if high is not None and len(value) > high:
            violations.append(violation(_list_text(value), path, f"have length less than or equal to {high}"))
        if check is not None:
            for position, item in enumerate(value, 1):
                check(item, f"{path}.{position}{suffix}", violations)

    return check_list


def _string(shape: StringShape, show: Callable[[Any], str]) -> Check | None:
    waiver = WAIVERS.get(shape.name)
    low, high = (shape.min, shape.max) if waiver is None else (waiver.min, waiver.max)
    matches = None if waiver is not None or shape.regex is None else shape.regex.fullmatch
    choices = frozenset(shape.enum)
    if low is None and high is None and matches is None and not choices:
        return None
    low = low or 0

    def check_string(value: str, path: str, violations: list[str]) -> None:
        if len(value) < low:
            violations.append(violation(show(value), path, f"have length greater than or equal to {low}"))
        if high is not None and len(value) > high:
            violations.append(violation(show(value), path, f"have length less than or equal to {high}"))
        if choices and value not in choices:
            violations.append(violation(show(value), path, f"satisfy enum value set: [{', '.join(shape.enum)}]"))
        if matches is not None and matches(value) is None:
            violations.append(violation(show(value), path, f"satisfy regular expression pattern: {shape.pattern}"))

    return check_string


def _number(shape: IntegerShape | DoubleShape) -> Check | None:
    low, high = shape.min, shape.max
    if low is None and high is None:
        return None

    def check_number(value: float, path: str, violations: list[str]) -> None:
        if low is not None and value < low:
            violations.append(violation(str(value), path, f"have value greater than or equal to {low}"))
        if high is not None and value > high:
            violations.append(violation(str(value), path, f"have value less than or equal to {high}"))

    return check_number


def _hidden(_value: object) -> str:
    return "***"


def _list_text(value: list[Any]) -> str:
    # Members of structures are not shown: the list may be of anything, and its path says which one it is.
    texts = [str(item) if isinstance(item, str | int | float | datetime) else "{...}" for item in value]
    return f"[{', '.join(texts)}]"
