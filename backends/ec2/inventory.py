"""
Machines in the replies of RunInstances and DescribeInstances.

Owns: which instances are ours, and what of them is kept. Does not own: asking (``cloud``), XML (``replies``). Of an
instance's 3.4 KB a dozen texts are read, and none of an instance that is not ours: it is the costliest loop of a sweep.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backends.cloud import Machine, MachineState, Mark
from backends.ec2.errors import Unexpected
from backends.ec2.replies import answer, text_of
from backends.ec2.wire import Reply
from backends.moments import moment_of

GATEWAY_TAG = "phantom-gateway"
GROUP_TAG = "phantom-group"
TOKEN_TAG = "phantom-token"  # noqa: S105 - the name of a tag
"""No colon in any: ec2-api finds nothing for ``tag:`` filters on names that have one."""

INDEX_MAX = 10_000
"""A position beyond any batch is not one."""

_STATES = {state.value: state for state in MachineState}

_TAGGED_STATES = frozenset({MachineState.PENDING, MachineState.RUNNING})
"""Of the dead and the dying nobody needs to know."""

_REQUEST_ID = re.compile(rb"<(?:\w+:)?requestId>[^<]*<", re.IGNORECASE)
_HEAD_OCTETS = 1024

_ITEMS = "{*}reservationSet/{*}item/{*}instancesSet/{*}item"

_PAIR = ("{*}key", "{*}value")
_FACTS = tuple(
    f"{{*}}{name}"
    for name in (
        "clientToken",
        "tagSet",
        "instanceId",
        "instanceState",
        "launchTime",
        "amiLaunchIndex",
        "privateIpAddress",
        "ipAddress",
        "placement",
        "stateReason",
        "reason",
    )
)


@dataclass(frozen=True, slots=True)
class Reading:
    """By what an instance is known as ours."""

    gateway_id: str
    token_is_reliable: bool
    """The endpoint keeps tokens: an instance with another token than its tags say was launched by someone else."""
    seen_at: datetime
    """Stands in for a launch time that cannot be read."""
    known_ids: frozenset[str] = frozenset()
    """Instances that are ours whatever they show: they were asked for by id."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a sweep: our machines, those of them whose tags are missing, and where it goes on."""

    machines: tuple[Machine, ...]
    untagged: tuple[Machine, ...]
    instances_count: int
    next_token: str


def _says(tags: dict[str, str], mark: Mark) -> bool:
    """True when *tags* hold all of *mark*."""
    return (tags.get(GATEWAY_TAG), tags.get(GROUP_TAG), tags.get(TOKEN_TAG)) == (
        mark.gateway_id,
        mark.group_uid,
        mark.token,
    )


def tags_of(mark: Mark) -> list[dict[str, str]]:
    """The tags that say *mark*, as the SDK takes them."""
    pairs = ((GATEWAY_TAG, mark.gateway_id), (GROUP_TAG, mark.group_uid), (TOKEN_TAG, mark.token))
    return [{"Key": key, "Value": value} for key, value in pairs]


class Memory:
    """
    The pages of the last sweep. A page that came again, octet by octet, is not parsed again.

    Most sweeps find what the one before found: 3 ms for a page of 1000 machines instead of 60. An answer's request id
    is all that differs then; endpoints that also change their page tokens or the order merely gain nothing.
    """

    def __init__(self) -> None:
        self._pages: dict[bytes, Page] = {}
        self._fresh: dict[bytes, Page] = {}

    def described(self, reply: Reply, reading: Reading) -> Page:
        """As the function of this name."""
        found = _REQUEST_ID.search(reply.body, 0, _HEAD_OCTETS)
        digest = hashlib.blake2b(f"{reply.status}".encode())
        digest.update(reply.body[: found.start()] if found else b"")
        digest.update(memoryview(reply.body)[found.end() if found else 0 :])
        key = digest.digest()
        page = self._pages.get(key) or described(reply, reading)
        self._fresh[key] = page
        return page

    def begin(self) -> None:
        """Nothing; a sweep begins. What one before it read in part is forgotten."""
        self._fresh = {}

    def end(self) -> None:
        """Nothing; a sweep has all its pages, and those that it did not see are forgotten."""
        self._pages, self._fresh = self._fresh, {}


def described(reply: Reply, reading: Reading) -> Page:
    """A page of DescribeInstances. Raises Failed or Unexpected."""
    root = answer(reply, "DescribeInstances")
    if root.find("{*}reservationSet") is None:
        raise Unexpected(reply.status, "DescribeInstances without a reservationSet")
    machines, untagged, count = [], [], 0
    for item in root.iterfind(_ITEMS):
        count += 1
        found = _children(item, _FACTS)
        tags = _tags(found.get("tagSet"))
        mark = mark_of(tags, _text(found.get("clientToken")), reading)
        if mark is None and _text(found.get("instanceId")) not in reading.known_ids:
            continue
        machine = _machine(reply, found, mark, reading.seen_at)
        machines.append(machine)
        if mark is not None and machine.state in _TAGGED_STATES and not _says(tags, mark):
            untagged.append(machine)
    return Page(tuple(machines), tuple(untagged), count, text_of(root, "nextToken"))


def launched(reply: Reply, mark: Mark, seen_at: datetime) -> list[Machine]:
    """The machines in the answer of RunInstances, all of them, by position. Raises Failed or Unexpected."""
    root = answer(reply, "RunInstances")
    if root.find("{*}instancesSet") is None:
        raise Unexpected(reply.status, "RunInstances without an instancesSet")
    machines: dict[str, Machine] = {}
    for item in root.iterfind("{*}instancesSet/{*}item"):
        found = _children(item, _FACTS)
        echo = _text(found.get("clientToken"))
        if echo != mark.token and Mark.of_token(echo) is not None:
            # A late answer on a reused connection, or a proxy that mixes them up.
            raise Unexpected(reply.status, "the machines of another launch")
        machine = _machine(reply, found, mark, seen_at)
        machines[machine.machine_id] = machine
    return sorted(machines.values(), key=lambda machine: (machine.index is None, machine.index or 0))


def mark_of(tags: dict[str, str], echo: str, reading: Reading) -> Mark | None:
    """
    The mark of an instance with *tags*, launched with the token *echo* ("" when not shown); None: it is not ours.

    Tags are copied easily, by people and by consoles ("launch more like this"); the token is the endpoint's own record.
    """
    tagged = None
    if tags.get(GATEWAY_TAG) == reading.gateway_id and tags.get(GROUP_TAG) and tags.get(TOKEN_TAG):
        tagged = Mark(reading.gateway_id, tags[GROUP_TAG], tags[TOKEN_TAG])
        if echo == tagged.token or (not echo and not reading.token_is_reliable):
            return tagged
    echoed = Mark.of_token(echo) if echo else None
    if echoed is not None and echoed.gateway_id == reading.gateway_id:
        return echoed
    return None if reading.token_is_reliable else tagged


def state_of(name: str) -> MachineState:
    """The state of that name. Never by code: ec2-api says "error" with code 0, which is pending's."""
    return _STATES.get(name.lower().replace("_", "-"), MachineState.UNKNOWN)


def _children(element: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The children of *element* with one of *names*, by name without name space: one walk, made outside Python."""
    return {child.tag.rpartition("}")[2]: child for child in element.iterchildren(*names)}


def _text(element: Any) -> str:
    return (element.text or "").strip() if element is not None else ""


def _tags(tag_set: Any) -> dict[str, str]:
    if tag_set is None:
        return {}
    pairs = (_children(item, _PAIR) for item in tag_set.iterchildren("{*}item"))
    return {_text(pair.get("key")): _text(pair.get("value")) for pair in pairs}


def _machine(reply: Reply, found: dict[str, Any], mark: Mark | None, seen_at: datetime) -> Machine:
    machine_id = _text(found.get("instanceId"))
    if not machine_id:
        raise Unexpected(reply.status, "an instance without an id")
    index = _text(found.get("amiLaunchIndex"))
    return Machine(
        machine_id,
        state_of(_below(found.get("instanceState"), "{*}name")),
        mark,
        moment_of(_text(found.get("launchTime")), seen_at),
        private_ip=_text(found.get("privateIpAddress")) or None,
        public_ip=_text(found.get("ipAddress")) or None,
        zone=_below(found.get("placement"), "{*}availabilityZone") or None,
        index=int(index) if index.isdecimal() and int(index) <= INDEX_MAX else None,
        state_reason=_below(found.get("stateReason"), "{*}message") or _text(found.get("reason")),
    )


def _below(element: Any, name: str) -> str:
    """The text of the child *name* of *element*, which may be None."""
    return "" if element is None else _text(next(element.iterchildren(name), None))
