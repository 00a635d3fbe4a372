"""
A client of the event stream, over a real socket: what it was told, event by event.

Owns: reading server-sent events as HTML's EventSource does. Does not own: what should be in them.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientResponse

from phantom_gateway.records.users import User
from tests.phantom_gateway.http_api.counter import Counter

PATIENCE_S = 10.0


@dataclass(frozen=True)
class Event:
    """One event."""

    id: str
    kind: str
    data: Mapping[str, Any]

    @property
    def gist(self) -> str:
        """What it tells, in a word."""
        if self.kind == "instance":
            return str(self.data["lifecycle_state"])
        if self.kind == "activity":
            return str(self.data["status_code"])
        return "gone" if self.data.get("gone") else self.kind


class Listener:
    """One stream. *last_id* is the position that the client would come back with."""

    def __init__(self, reply: ClientResponse) -> None:
        self.reply = reply
        self.last_id = ""
        self.comments = 0

    async def next(self) -> Event | None:
        """The next event, waited for; None at the end of the stream."""
        kind, data = "message", ""
        async with asyncio.timeout(PATIENCE_S):
            while line := (await self.reply.content.readline()).decode():
                field, _, value = line.rstrip("\n").partition(": ")
                if field == "id":
                    self.last_id = value
                elif field == "event":
                    kind = value
                elif field == "data":
                    data += value
                elif line == "\n" and data:
                    return Event(self.last_id, kind, json.loads(data))
                elif line.startswith(":"):
                    self.comments += 1
        return None

    async def until(self, gist: str, count: int = 1) -> list[Event]:
        """The events up to the one that is the *count*th to tell *gist*."""
        heard: list[Event] = []
        while count:
            event = await self.next()
            assert event is not None, "the stream ended"
            heard.append(event)
            count -= event.gist == gist
        return heard

    async def begun(self) -> None:
        """Nothing, once the position at the beginning has come."""
        async with asyncio.timeout(PATIENCE_S):
            while not self.last_id:
                line = (await self.reply.content.readline()).decode()
                if line.startswith("id: "):
                    self.last_id = line[4:].rstrip("\n")


@asynccontextmanager
async def listening(
    counter: Counter, query: str = "", after: str | None = None, user: User | None = None
) -> AsyncIterator[Listener]:
    """A stream of the user's, after the event *after*; it has begun."""
    headers = {} if after is None else {"Last-Event-ID": after}
    async with counter.open_stream(f"/events{query}", user, headers) as reply:
        assert (reply.status, reply.content_type) == (200, "text/event-stream"), await reply.text()
        listener = Listener(reply)
        if after is None:
            await listener.begun()
        yield listener
