"""
``/events``: what changes of the caller's domains, told as it changes.

Owns: how an event is written, where a watch begins and what it is told next. Does not own: waiting, or the connection
(``front.http_api.streams``); what is written down of a change (``records.events``).
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from phantom_gateway.operations.desk import Desk
from phantom_gateway.operations.http_api.call import Answer, Call
from phantom_gateway.operations.http_api.domain_instances import view_then
from phantom_gateway.operations.http_api.domains import find_domain, get_domain
from phantom_gateway.operations.http_api.errors import bad_request
from phantom_gateway.operations.http_api.schemas import NAME, Schema
from phantom_gateway.operations.http_api.table import endpoint
from phantom_gateway.records import events, groups
from phantom_gateway.records.events import Change, Entry, Seen, Step

LAST_EVENT_ID = "last-event-id"

RETRY_MS = 1_000
"""How soon a client that lost its stream should try again; each stream says so at its beginning."""

TOLD_AT_ONCE = 200
"""Changes after which a page ends with its entry: 150 KB to keep for one stream, and some ms of processor time."""

_PLACES_MAX = 10_000
"""More than an entry has changes: after all of them."""

_ID = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,4}))?")
_STREAM: Schema = {
    "type": "string",
    "description": "Server-sent events, as HTML's EventSource reads them. Of each: id; event, which is instance, "
    "activity, domain or gap; and data, one line of JSON.",
}
_DOMAIN: Schema = {**NAME, "minLength": 1, "description": "the id of the only domain to be told of"}
_LAST_EVENT_ID: Schema = {
    "type": "string",
    "pattern": f"^{_ID.pattern}$",
    "description": "the id of the last event that the client has; without it, the stream begins now",
}


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """After so many changes of an entry, and all that was before it."""

    entry_id: int
    places: int = _PLACES_MAX

    def __str__(self) -> str:
        """As clients know it: the id of the last event that they have."""
        return f"{self.entry_id}" if self.places == _PLACES_MAX else f"{self.entry_id}.{self.places}"


@dataclass(frozen=True, slots=True)
class Watch:
    """What a client asks for: events of one domain or of all, after *position*, or (None) from now on."""

    domain_id: str | None
    position: Position | None


@dataclass(frozen=True, slots=True)
class Page:
    """What is told next, as it goes over the wire; where the watch is after it; whether there is *more* already."""

    text: str
    position: Position
    more: bool


@endpoint(
    "GET",
    "/events",
    "Watch the caller's domains",
    answers={200: _STREAM},
    errors=(404, 429),
    streams=True,
    parameters={"domain": _DOMAIN},
    headers={LAST_EVENT_ID: _LAST_EVENT_ID},
)
def watch(desk: Desk, call: Call) -> Answer:
    """
    Changes of domains, VMs and scaling activities, in their order; each event once, and none is left out.

    A client that was cut off says the id of the last event that it has, and goes on from there. An event `gap` says
    that what came after that is not kept any more. Raises JsonError(404) for an unknown domain.
    """
    domain_id = call.query.get("domain")
    if domain_id is not None:
        find_domain(desk, Call(path={"domain_id": domain_id}))
    given = call.headers.get(LAST_EVENT_ID)
    return Answer(Watch(domain_id, None if given is None else _read(given)))


def begin(desk: Desk, wanted: Watch, newest: int) -> Page:
    """The beginning of a stream. *newest* is the id of the newest entry that may be told."""
    now = Position(newest)
    start = wanted.position
    if start is None:
        return Page(f"retry: {RETRY_MS}\nid: {now}\n\n", now, more=False)
    if start.entry_id > newest or _is_dropped(desk, start):
        return Page(f"retry: {RETRY_MS}\n{_gap(now)}", now, more=False)
    return Page(f"retry: {RETRY_MS}\nid: {start}\n\n", start, more=True)


def go_on(desk: Desk, wanted: Watch, position: Position, newest: int) -> Page:
    """What comes after *position*, up to the entry with the id *newest*: as much as is told at once."""
    if _is_dropped(desk, position):  # a client that reads slower than its domains change, for hours
        return Page(_gap(Position(newest)), Position(newest), more=False)
    partly = position.places != _PLACES_MAX
    after = position.entry_id - 1 if partly else position.entry_id
    found = events.page(desk.connection, desk.user.id, after, newest, wanted.domain_id)
    entries = list(_first(found))
    more = len(found) == events.PAGE or len(entries) < len(found)
    end = Position(entries[-1].id) if more else max(position, Position(newest))
    told = [(where, change) for where, change in _changes(entries) if where > position]
    return Page("".join(_Teller(desk, entries).tell(told)), end, more)


def heartbeat(position: Position) -> str:
    """What is sent when there is nothing to tell: no event, but the position, which the client's next try begins at."""
    return f": nothing new\nid: {position}\n\n"


class _Teller:
    """Writes events of *entries*."""

    def __init__(self, desk: Desk, entries: list[Entry]) -> None:
        self._desk = desk
        self._entries = {entry.id: entry for entry in entries}
        self._steps = events.steps(desk.connection, entries)

    def tell(self, told: list[tuple[Position, tuple[int, Change]]]) -> Iterator[str]:
        """The events, as they go over the wire. A domain that changed several times is told of once, the last time."""
        last_of = {
            self._entries[where.entry_id].group_uid: where
            for where, (_, change) in told
            if change == events.GROUP_CHANGED
        }
        for where, (place, change) in told:
            entry = self._entries[where.entry_id]
            if change != events.GROUP_CHANGED or last_of[entry.group_uid] == where:
                found = self._event(entry, place, change)
                if found is not None:
                    kind, data = found
                    data |= {"domain_id": entry.group_uid, "domain_name": entry.group_name}
                    yield _event(where, kind, data | {"at": _moment(entry.created_at)})

    def _event(self, entry: Entry, place: int, change: Change) -> tuple[str, dict[str, Any]] | None:
        """Kind and data; None when what it tells of is not known any more."""
        if change[0] == events.INSTANCE:
            return "instance", view_then(self._desk, entry.group_uid, Seen(*change[1:]))
        if change[0] == events.ACTIVITY:
            step = self._steps.get((entry.id, place))
            return None if step is None else ("activity", _activity(step))
        if change == events.GROUP_GONE:
            return "domain", {"gone": True}
        if groups.by_uid(self._desk.connection, entry.group_uid) is None:
            return None  # that it is gone is told later
        shown = get_domain(self._desk, Call(path={"domain_id": entry.group_uid})).body
        return "domain", {**shown, "gone": False}


def _activity(step: Step) -> dict[str, Any]:
    return {
        "activity_id": step.activity_id,
        "description": step.description,
        "cause": step.cause,
        "status_code": step.status_code,
        "status_message": step.status_message,
        "progress": step.progress,
        "start_time": _moment(step.started_at),
        "end_time": None if step.ended_at is None else _moment(step.ended_at),
    }


def _changes(entries: list[Entry]) -> Iterator[tuple[Position, tuple[int, Change]]]:
    """Each change with its place in its entry, and the position after it."""
    for entry in entries:
        for place, change in enumerate(entry.changes):
            is_last = place + 1 == len(entry.changes)
            yield Position(entry.id, _PLACES_MAX if is_last else place + 1), (place, change)


def _first(entries: list[Entry]) -> Iterator[Entry]:
    """As many of *entries* as are told at once."""
    count = 0
    for entry in entries:
        if count >= TOLD_AT_ONCE:
            return
        count += len(entry.changes)
        yield entry


def _is_dropped(desk: Desk, position: Position) -> bool:
    """Whether something after *position* is not kept any more."""
    return position < Position(events.dropped_up_to(desk.connection, desk.user.id))


def _read(text: str) -> Position:
    found = _ID.fullmatch(text)
    if found is None:
        raise bad_request("Last-Event-ID must be the id of an event of this stream, such as 41 or 41.2.")
    return Position(int(found[1]), _PLACES_MAX if found[2] is None else int(found[2]))


def _gap(now: Position) -> str:
    message = "What changed before this is not kept, or is of other records: read the lists anew."
    return _event(now, "gap", {"message": message})


def _event(where: Position, kind: str, data: Mapping[str, Any]) -> str:
    return f"id: {where}\nevent: {kind}\ndata: {json.dumps(data, allow_nan=False)}\n\n"


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
