"""
Streams: connections that are told what changes for as long as they last.

Owns: noticing that there is something to tell, how many streams there may be, and ending them. Does not own: what is
told (``operations.http_api.events``).

Nothing is kept for a stream but its position: what it is told next is read from the records, so that a gateway tells
what another one did as well, and a client that reads slowly costs no memory.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from http import HTTPStatus

from aiohttp import web

from phantom_gateway.front.http_api.callers import Callers, Pair
from phantom_gateway.operations.desk import Desk, House
from phantom_gateway.operations.http_api.errors import JsonError
from phantom_gateway.operations.http_api.events import Page, Position, Watch, begin, go_on, heartbeat
from phantom_gateway.records import events
from phantom_gateway.records.session import Connection, Database, RecordsUnavailable
from phantom_gateway.records.users import User

log = logging.getLogger(__name__)

STREAMS_PER_USER_MAX = 20
"""Streams of one user at once: a few engines with a stream for each of their domains. All need one anyway."""

STREAMS_MAX = 500
"""Streams at once, a quarter of the connections there may be: watching never keeps anybody from calling."""

LOOK_EVERY_S = 0.5
"""How often somebody else's changes are looked for while anybody watches. What this gateway wrote is told at once."""

REST_S = 0.02
"""Between two looks: many changes in a row are told together, and cost no more than fifty looks a second."""

CHECK_EVERY_S = 1.0
"""How often a stream that is told nothing looks whether its token still holds and its client is still there."""

MANY = 1_000
"""After more new entries than that, nobody asks whose they are: everybody reads."""

HEARTBEAT_S = 15.0
"""After so long without an event a comment is sent: proxies drop connections that are silent for a minute or less."""

READ_S_MAX = 10.0
"""A client that takes nothing of what was sent to it for so long is cut off. It may come back, and go on from there."""

FINISH_S_MAX = 1.0
"""How long a client is given to take the end of its stream: less than a shutdown waits."""

HEADERS: Mapping[str, str] = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would keep events until it has a few KB of them
}


class Streams:
    """The streams of this gateway. ``run`` has to run for them to be told anything."""

    def __init__(
        self,
        database: Database,
        house: House,
        callers: Callers,
        now: Callable[[], datetime],
        *,
        heartbeat_s: float = HEARTBEAT_S,
        read_s_max: float = READ_S_MAX,
        streams_max: int = STREAMS_MAX,
    ) -> None:
        self._database = database
        self._house = house
        self._callers = callers
        self._now = now
        self._heartbeat_s = heartbeat_s
        self._read_s_max = read_s_max
        self._streams_max = streams_max
        self._newest = 0
        """The id of the newest entry that is known here."""
        self._open: dict[int, set[_Stream]] = {}
        self._watched = asyncio.Event()
        self._written = asyncio.Event()
        self._closed = False
        database.on_write = self._written.set

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(map(len, self._open.values()))

    async def run(self) -> None:
        """Never returns; streams hear that there is something to read. Nothing is asked while nobody watches."""
        while True:
            if not self._open:
                self._watched.clear()
                await self._watched.wait()
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._written.wait()
            except TimeoutError:
                pass  # time to look for what others wrote
            self._written.clear()
            try:
                await self._look()
            except RecordsUnavailable as unavailable:
                log.warning("streams.records_unavailable", extra={"reason": str(unavailable)})
            await asyncio.sleep(REST_S)

    def close(self) -> None:
        """Nothing; every stream ends at once, and no other begins."""
        self._closed = True
        for stream in [each for streams in self._open.values() for each in streams]:
            stream.end()

    def check_room(self, user: User) -> None:
        """Nothing. Raises JsonError when there are streams enough: 429 of this user, 503 of all together."""
        if len(self._open.get(user.id, ())) >= STREAMS_PER_USER_MAX:
            message = f"A user may have {STREAMS_PER_USER_MAX} streams of events at once; one tells of all domains."
            raise JsonError(HTTPStatus.TOO_MANY_REQUESTS, "TooManyStreams", message)
        if self._closed or self.count >= self._streams_max:
            message = "There are as many streams of events as this gateway has room for; try again."
            raise JsonError(HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailable", message)

    async def serve(
        self, request: web.Request, headers: Mapping[str, str], wanted: Watch, user: User, pair: Pair
    ) -> web.StreamResponse:
        """The response, once the stream has ended. Raises JsonError and RecordsUnavailable before it began."""
        self.check_room(user)
        stream = _Stream(request, web.StreamResponse(headers={**HEADERS, **headers}), self._read_s_max)
        mine = self._open.setdefault(user.id, set())
        mine.add(stream)
        self._watched.set()
        try:
            await self._look()
            page = await self._begin(user, wanted)
            await stream.begin()
            await self._tell(stream, wanted, user, pair, page)
        finally:
            mine.discard(stream)
            if not mine:
                self._open.pop(user.id, None)
        return stream.response

    async def _tell(self, stream: "_Stream", wanted: Watch, user: User, pair: Pair, page: Page) -> None:
        """Nothing, when the stream has ended, whoever ended it."""
        try:
            await self._tell_while_allowed(stream, wanted, user, pair, page)
            await stream.finish()
        except TimeoutError:
            log.info("stream.too_slow", extra={"user": user.name})
        except ConnectionError:
            log.debug("stream.gone")
        finally:
            stream.drop()

    async def _tell_while_allowed(self, stream: "_Stream", wanted: Watch, user: User, pair: Pair, page: Page) -> None:
        try:
            while not stream.has_ended:
                if page.text or stream.silent_s >= self._heartbeat_s:
                    await stream.send(page.text or heartbeat(page.position))
                is_news = page.more or await stream.wait()
                if stream.checked_s >= CHECK_EVERY_S:
                    await self._callers.find(pair)
                    stream.check()
                page = await self._go_on(user, wanted, page.position) if is_news else replace(page, text="")
        except (RecordsUnavailable, JsonError) as reason:  # the response has begun: there is no other way to say it
            log.info("stream.ended", extra={"reason": str(reason)})

    async def _begin(self, user: User, wanted: Watch) -> Page:
        return await self._database.read(lambda it: begin(self._desk(it, user), wanted, self._newest))

    async def _go_on(self, user: User, wanted: Watch, position: Position) -> Page:
        return await self._database.read(lambda it: go_on(self._desk(it, user), wanted, position, self._newest))

    def _desk(self, connection: Connection, user: User) -> Desk:
        return Desk(self._house, user, self._now(), connection)

    async def _look(self) -> None:
        """Nothing; the newest entry is known, and the streams of those who have new ones are awake."""
        newest, users = await self._database.read(partial(_news, after=self._newest))
        self._newest = max(self._newest, newest)
        for user_id, streams in self._open.items():
            if users is None or user_id in users:
                for stream in streams:
                    stream.wake()


class _Stream:
    """One connection. Raises ConnectionError when it has gone, TimeoutError when its client does not read."""

    def __init__(self, request: web.Request, response: web.StreamResponse, read_s_max: float) -> None:
        self.response = response
        self.has_ended = False
        self._request = request
        self._read_s_max = read_s_max
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._sent_at_s = self._checked_at_s = self._loop.time()
        self._is_sending = False
        self._is_finished = False

    @property
    def silent_s(self) -> float:
        """How long nothing has been sent."""
        return self._loop.time() - self._sent_at_s

    @property
    def checked_s(self) -> float:
        """How long ago it was found that it may go on."""
        return self._loop.time() - self._checked_at_s

    def check(self) -> None:
        """Nothing; its token holds, and its client was there a moment ago."""
        self._checked_at_s = self._loop.time()
        transport = self._request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError

    def wake(self) -> None:
        """Nothing; there is something to read."""
        self._news.set()

    def end(self) -> None:
        """Nothing; it ends now, in the middle of what a client does not read, too."""
        self.has_ended = True
        self._news.set()
        if self._is_sending:
            self._abort()

    async def wait(self) -> bool:
        """Whether there is something to read; False when it is time to look after the connection itself."""
        try:
            async with asyncio.timeout(CHECK_EVERY_S):
                await self._news.wait()
        except TimeoutError:
            return False
        self._news.clear()
        return True

    async def begin(self) -> None:
        """Nothing; its head is sent."""
        await self.response.prepare(self._request)

    async def send(self, text: str) -> None:
        """Nothing; *text* is on its way, and the client has taken most of what was before it."""
        self._is_sending = True
        async with asyncio.timeout(self._read_s_max):
            await self.response.write(text.encode())
            await asyncio.sleep(0)  # a client that reads fast does not keep the others waiting
        self._is_sending = False
        self._sent_at_s = self._loop.time()

    async def finish(self) -> None:
        """Nothing; the client is told that this was all."""
        self._is_sending = True
        async with asyncio.timeout(FINISH_S_MAX):
            await self.response.write_eof()
        self._is_finished = True

    def drop(self) -> None:
        """Nothing; the connection is closed, unless it came to a good end."""
        if not self._is_finished:
            self._abort()

    def _abort(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()


def _news(connection: Connection, after: int) -> tuple[int, set[int] | None]:
    """The id of the newest entry, and whose there are after the one with the id *after*; None: of anybody."""
    newest = events.newest(connection)
    if newest - after > MANY:
        return newest, None
    return newest, events.users_after(connection, after) if newest > after else set()
