"""
From results and errors to XML documents, written as text by closures that are compiled from the output shapes.

Owns: escaping, the order of elements, and what is kept from boto 2, whose parser breaks on lists that it does not know.
Does not own: which values a result has. No tree is built: text is five to twenty times faster, measured.
"""

import functools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

from protocol import model
from protocol.errors import ApiError
from protocol.form import FORBIDDEN
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

BOTO2_LISTS = frozenset({
    "Alarms", "AvailabilityZones", "BlockDeviceMappings", "ClassicLinkVPCSecurityGroups", "EnabledMetrics", "Instances",
    "LoadBalancerNames", "SecurityGroups", "SuspendedProcesses", "Tags", "TerminationPolicies",
})  # fmt: skip
"""Lists inside a record that boto 2.49 reads; in any other one it takes ``</member>`` for the end of the record."""

BOTO2_RECORDS = frozenset({
    ("DescribeAutoScalingGroups", "AutoScalingGroups"),
    ("DescribeAutoScalingInstances", "AutoScalingInstances"),
    ("DescribeLaunchConfigurations", "LaunchConfigurations"),
    ("DescribePolicies", "ScalingPolicies"),
    ("DescribeScalingActivities", "Activities"),
    ("DescribeScheduledActions", "ScheduledUpdateGroupActions"),
    ("DescribeTags", "Tags"),
})  # fmt: skip
"""The lists of records that boto 2 reads, each as (operation, list)."""

WHOLE_SECONDS = frozenset({("Activity", "EndTime")})
"""Moments that AWS writes without a fraction, as (structure, member); all others have milliseconds."""

Writer: TypeAlias = Callable[[Any], str]


class Fragment(str):
    """An encoded member of a list: it may stand in place of the value, and is written as it is."""

    __slots__ = ()


def encode_result(
    operation: Operation,
    result: Mapping[str, Any] | None,
    *,
    request_id: str,
    namespace: str,
    withhold: frozenset[str] = frozenset(),
) -> str:
    """
    Document that answers *operation* with *result*, keyed by the model's member names.

    What is absent or None is left out; a list that is given is written even when it is empty. Names that the
    installed model does not have are left out too, so that an older botocore only knows less. Members named in
    *withhold* are left out of everything in the result, see :func:`withheld_for`.
    """
    name = operation.name
    body = "" if operation.output is None else _result(operation, result or {}, withhold)
    return (
        f'<{name}Response xmlns="{namespace}">{body}'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>"
    )


def encode_member(
    operation: Operation, list_name: str, value: Mapping[str, Any], withhold: frozenset[str] = frozenset()
) -> Fragment:
    """
    One member of the list *list_name* in the result of *operation*, to be kept and used in many answers.

    It has to be kept apart for each *withhold*.
    """
    return Fragment(_member_writer(operation, list_name, withhold)(value))


def encode_error(error: ApiError, *, request_id: str, namespace: str) -> str:
    """Document that tells a client of *error*; fog needs Code before Message, VM::EC2 a plain xmlns first."""
    return (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>{error.type}</Type><Code>{escape(error.code)}</Code>'
        f"<Message>{escape(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )


def withheld_for(user_agent: str | None) -> frozenset[str]:
    """Members that the client behind *user_agent* cannot bear: lists unknown to boto up to 2.49, none for others."""
    # boto3 and botocore call themselves Boto3/... and Botocore/...
    if user_agent is not None and user_agent.startswith("Boto/"):
        return _unknown_to_boto2()
    return frozenset()


def escape(text: str) -> str:
    """*text* as the content of an element; a character that XML cannot carry becomes U+FFFD."""
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text:
        text = text.replace("<", "&lt;")
    if ">" in text:
        text = text.replace(">", "&gt;")
    if not text.isprintable():
        # A bare carriage return would be read back as a line feed.
        text = FORBIDDEN.sub("\ufffd", text).replace("\r", "&#13;")
    return text


def _result(operation: Operation, result: Mapping[str, Any], withhold: frozenset[str]) -> str:
    assert operation.output is not None
    # boto 2 knows the lists of results, also where one is called like a list that it does not know inside a record.
    content = _structure(operation.output, withhold, keep_all=True)(result)
    wrapper = operation.result_wrapper
    return f"<{wrapper}>{content}</{wrapper}>" if content else f"<{wrapper}/>"


@functools.cache
def _member_writer(operation: Operation, list_name: str, withhold: frozenset[str]) -> Writer:
    assert operation.output is not None
    shape = operation.output.members[list_name].shape
    if not isinstance(shape, ListShape) or not isinstance(shape.member, StructureShape):
        raise TypeError(f"{list_name} of {operation.name} is not a list of structures")
    return _structure(shape.member, withhold)


@functools.cache
def _structure(shape: StructureShape, withhold: frozenset[str], keep_all: bool = False) -> Writer:
    """Writer of what stands between the tags of a structure; lists unknown to boto 2 stand behind all others."""
    early: dict[str, Writer] = {}
    late: dict[str, Writer] = {}
    for member in shape.members.values():
        if keep_all or member.name not in withhold:
            place = early if _is_read_by_boto2(member) else late
            place[member.name] = _element(member, (shape.name, member.name) in WHOLE_SECONDS, withhold)

    def write_early(value: Mapping[str, Any]) -> str:
        return "".join([early[name](item) for name, item in value.items() if item is not None and name in early])

    def write_all(value: Mapping[str, Any]) -> str:
        last = [late[name](item) for name, item in value.items() if item is not None and name in late]
        return write_early(value) + "".join(last)

    return write_all if late else write_early


def _is_read_by_boto2(member: Member) -> bool:
    if isinstance(member.shape, ListShape):
        return member.name in BOTO2_LISTS
    return _list_names(member.shape) <= BOTO2_LISTS


def _element(member: Member, is_in_seconds: bool, withhold: frozenset[str]) -> Writer:
    """Writer of a whole element, tags included."""
    name = member.wire_name
    opening, closing = f"<{name}>", f"</{name}>"
    match member.shape:
        case StructureShape() as shape:
            write = _structure(shape, withhold)
            return lambda value: f"{opening}{content}{closing}" if (content := write(value)) else f"<{name}/>"
        case ListShape() as shape:
            return _list(name, shape, withhold)
        case StringShape():
            return _text(opening, closing)
        case TimestampShape():
            timespec = "seconds" if is_in_seconds else "milliseconds"
            return lambda value: f"{opening}{_moment(value, timespec)}{closing}"
        case scalar:
            write = _content(scalar, withhold)
            return lambda value: f"{opening}{write(value)}{closing}"


def _text(opening: str, closing: str) -> Writer:
    def write_text(value: str) -> str:
        # Nine of ten elements are texts, and nearly all texts are plain: asking here saves a call for each.
        if "&" in value or "<" in value or ">" in value or not value.isprintable():
            value = escape(value)
        return f"{opening}{value}{closing}"

    return write_text


def _list(name: str, shape: ListShape, withhold: frozenset[str]) -> Writer:
    item = shape.item_name
    write = _content(shape.member, withhold)
    opening, between, closing = f"<{name}><{item}>", f"</{item}><{item}>", f"</{item}></{name}>"

    def write_list(value: list[Any]) -> str:
        if not value:
            return f"<{name}/>"
        members = [member if isinstance(member, Fragment) else write(member) for member in value]
        return f"{opening}{between.join(members)}{closing}"

    return write_list


def _content(shape: Shape, withhold: frozenset[str]) -> Writer:
    """Writer of what stands between the tags of a list's member, or of a number or truth value anywhere."""
    match shape:
        case StructureShape():
            return _structure(shape, withhold)
        case ListShape():
            raise TypeError(f"{shape.name} is a list inside a list, which the Query protocol does not have")
        case StringShape():
            return escape
        case IntegerShape():
            return str
        case DoubleShape():
            return lambda value: repr(float(value))
        case BooleanShape():
            return lambda value: "true" if value else "false"
        case TimestampShape():
            return lambda value: _moment(value, "milliseconds")


def _moment(moment: datetime, timespec: str) -> str:
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=timespec) + "Z"


@functools.cache
def _unknown_to_boto2() -> frozenset[str]:
    found: set[str] = set()
    for operation_name, list_name in BOTO2_RECORDS:
        operation = model.service().operations[operation_name]
        assert operation.output is not None
        found.update(_list_names(operation.output.members[list_name].shape))
    return frozenset(found - BOTO2_LISTS)


def _list_names(shape: Shape) -> set[str]:
    """Names of all members that are lists, at any depth below *shape*."""
    if isinstance(shape, ListShape):
        return _list_names(shape.member)
    if not isinstance(shape, StructureShape):
        return set()
    names = {member.name for member in shape.members.values() if isinstance(member.shape, ListShape)}
    return names.union(*(_list_names(member.shape) for member in shape.members.values()))
