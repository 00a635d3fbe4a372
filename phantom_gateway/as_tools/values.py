"""
From what was given to the parameters of a request, by their dotted names.

Owns: the little languages of tags, filters and block devices; numbers; user data and its base64. Does not own: the
rules of the service, which the endpoint applies and words itself.
"""

import base64
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from phantom_gateway.as_tools.arguments import Given
from phantom_gateway.as_tools.errors import UsedWrongly
from phantom_gateway.as_tools.grammar import Command, Option
from protocol.model import IntegerShape, ListShape, Operation, Shape, StructureShape

Parameters = dict[str, str]

USER_DATA_BYTES_MAX = 64 * 1024
"""Of a file: four times what AWS takes, so that it is the endpoint that says no; but never a disk image."""

TAG_MEMBERS = {"id": "ResourceId", "t": "ResourceType", "k": "Key", "v": "Value", "p": "PropagateAtLaunch"}
"""The letters of a tag -> what they set."""

RESOURCE_TYPE = "auto-scaling-group"
"""The only kind of resource that has tags here; scripts leave it out."""

_TAG_PART = re.compile(r",\s*(?=(?:id|t|k|v|p)\s*=)")  # values may hold commas: clouds=hotel:1,sierra:-1
_FILTER_PART = re.compile(r",\s*(?=(?:auto-scaling-group|key|value|propagate-at-launch)=)")
_EPHEMERAL = re.compile(r"ephemeral\d{1,2}")
_WHOLE_NUMBER = re.compile(r"[+-]?\d{1,18}", re.ASCII)


def list_paths(command: Command, operation: Operation | None) -> frozenset[str]:
    """The paths of *command*'s parameters that are lists by the model."""
    paths = {option.member for option in command.options if option.member}
    return frozenset(path for path in paths if isinstance(shape_at(operation, path), ListShape))


def shape_at(operation: Operation | None, path: str) -> Shape | None:
    """What the model says of the parameter at *path*, or None when it knows no such parameter."""
    shape: Shape | None = operation.input if operation is not None else None
    for name in path.split("."):
        if not isinstance(shape, StructureShape) or name not in shape.members:
            return None
        shape = shape.members[name].shape
    return shape


def parameters(command: Command, operation: Operation, given: Given) -> Parameters:
    """The parameters of the call. Raises UsedWrongly naming the option and the rule."""
    found: Parameters = {}
    argument = command.argument
    if argument is not None and argument.many:
        found |= _numbered(argument.member, given.names)
    elif argument is not None:
        found[argument.member] = given.names[0]
    for option, texts in given.options:
        if option.member and option.member != "MaxRecords":  # pages are the caller's
            try:
                found |= _read(option, texts, shape_at(operation, option.member))
            except ValueError as rule:
                raise UsedWrongly(f"{option.spellings[0]}: {rule}") from rule
    return found


def records_wanted(command: Command, given: Given) -> int | None:
    """How many records to show at most, None: all. Raises UsedWrongly."""
    for option, texts in given.options:
        if option.member == "MaxRecords":
            if not texts[0].isdecimal() or int(texts[0]) < 1:
                raise UsedWrongly(f"{option.spellings[0]}: {texts[0]!r} is not a number from 1 on")
            return int(texts[0])
    return command.records_default


def _read(option: Option, texts: Sequence[str], shape: Shape | None) -> Parameters:
    """The parameters that one option sets. Raises ValueError with the rule."""
    match option.reads:
        case "tag":
            return _members(option.member, [_tag(text) for text in texts])
        case "filter":
            return _members(option.member, [each for text in texts for each in _filters(text)])
        case "devices":
            return _members(option.member, [_device(text) for text in _parts(texts)])
        case "user data":
            return {option.member: _base64(texts[0].encode("utf-8", "surrogateescape"))}
        case "user data file":
            return {option.member: _base64(_content(Path(texts[0])))}
        case "model":
            return _by_model(option, texts, shape)


def _by_model(option: Option, texts: Sequence[str], shape: Shape | None) -> Parameters:
    if not option.value:
        return {option.member: option.sends}
    if isinstance(shape, ListShape):
        return _numbered(option.member, _parts(texts))
    if isinstance(shape, IntegerShape) and not _WHOLE_NUMBER.fullmatch(texts[0].strip()):
        raise ValueError(f"{texts[0]!r} is not a whole number")
    return {option.member: texts[0].strip() if isinstance(shape, IntegerShape) else texts[0]}


def _parts(texts: Sequence[str]) -> list[str]:
    """The members of a list, written ``a b c``, ``a,b,c`` or ``a, b, c``. Raises ValueError when there is none."""
    found = [part.strip() for text in texts for part in text.split(",") if part.strip()]
    if not found:
        # Dropping an empty list would mean "all" to some commands: all processes, all metrics.
        raise ValueError("it is empty; was a variable not set?")
    return found


def _numbered(member: str, values: Sequence[str]) -> Parameters:
    return {f"{member}.member.{place}": value for place, value in enumerate(values, start=1)}


def _members(member: str, values: Sequence[Parameters]) -> Parameters:
    """Structures in a list, flat."""
    return {
        f"{member}.member.{place}.{name}": value
        for place, each in enumerate(values, start=1)
        for name, value in each.items()
    }


def _tag(text: str) -> Parameters:
    found = {"ResourceType": RESOURCE_TYPE}
    for part in _TAG_PART.split(text.strip()):
        letter, equals, value = part.partition("=")
        member = TAG_MEMBERS.get(letter.strip())
        if not equals or member is None:
            raise ValueError(f"{part!r} is none of id=, t=, k=, v= and p=")
        found[member] = value.strip()
    if not found.get("Key"):
        raise ValueError(f"{text!r} has no k=, which names the tag")
    if found.get("PropagateAtLaunch", "true").lower() not in {"true", "false"}:
        raise ValueError(f"p= is true or false, not {found['PropagateAtLaunch']!r}")
    return found


def _filters(text: str) -> Iterator[Parameters]:
    for part in _FILTER_PART.split(text.strip()):
        name, equals, values = part.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"{part!r} is not NAME=VALUE[,VALUE...]")
        yield {"Name": name.strip(), **_numbered("Values", _parts([values]))}


def _device(text: str) -> Parameters:
    """One block device: ``dev=snap[:GiB[:true|false]]``, ``dev=:GiB``, ``dev=ephemeralN`` or ``dev=none``."""
    name, equals, what = text.partition("=")
    if not equals or not name or not what:
        raise ValueError(f"{text!r} is not DEVICE=WHAT")
    if what == "none":
        return {"DeviceName": name, "NoDevice": "true"}
    if _EPHEMERAL.fullmatch(what):
        return {"DeviceName": name, "VirtualName": what}
    snapshot, size, deletes = (*what.split(":"), "", "")[:3]
    if what.count(":") > 2 or (size and not size.isdecimal()) or deletes not in {"", "true", "false"}:  # noqa: PLR2004
        raise ValueError(f"{what!r} is not SNAPSHOT[:GIB[:true|false]]")
    given = {"Ebs.SnapshotId": snapshot, "Ebs.VolumeSize": size, "Ebs.DeleteOnTermination": deletes}
    return {"DeviceName": name, **{member: value for member, value in given.items() if value}}


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(USER_DATA_BYTES_MAX + 1)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > USER_DATA_BYTES_MAX:
        raise ValueError(f"{path} has more than {USER_DATA_BYTES_MAX} bytes")
    return content


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
