"""
The listening socket: limits of connections, headers and time, and errors that stay in the caller's format.

Owns: how aiohttp is run. Does not own: routes (``app`` names them) or answers.
"""

import asyncio
import logging
import os
import resource
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from phantom_gateway.front.query import malformed
from phantom_gateway.installation import InstallationError

log = logging.getLogger(__name__)

IDLE_S_MAX = 10.0
"""A connection without a complete request head for this long is closed; idle, half-sent and dripping alike."""

LINE_BYTES_MAX = 65_536
"""A request line. Old clients send everything in a GET, a launch configuration with 16 KB of user data too."""

HEADER_BYTES_MAX = 16_384
"""One header. Signed-header lists and user agents of real clients stay below 2 KB."""

HEADERS_MAX = 64
"""Headers in a request. Real clients send up to 16."""

LINGERING_S = 1.0
"""How long the rest of a refused body is read and dropped, so that the client sees the answer and not a reset."""

CONNECTIONS_MAX = 2_000
"""Connections at once. Each costs some 30 KB; one more is closed at once instead of starving those there are."""

BACKLOG = 512
"""Connections that wait to be accepted. Fewer: bursts are turned away by the kernel, which clients notice late."""

ACCEPTED_AT_ONCE = 16
"""
Connections accepted in one turn of the loop. One that is too many holds a file for four turns: accepted, counted, told,
closed. More: with those of four turns, a flood takes the files that are kept. Fewer: more turns for a burst.
"""

FILES_KEPT = 128
"""Open files that are not clients: the database, clouds, sensors. Where few are allowed, clients get the rest."""

CONNECTIONS_LEAST = 16
"""Connections at once, however few files are allowed."""

DRAIN_S_MAX = 1.0
"""
At shutdown, connections that are kept open are closed with their next answer; those that ask nothing for this long are
closed as they are. Shorter: a client may just be sending when its connection is closed. Longer: slower restarts.
"""

DRAIN_POLL_S = 0.02
"""Between two looks whether any connection is left."""

SHUTDOWN_S_MAX = 3.0
"""
Requests in flight at shutdown have this long to finish, and as long again to be broken off: with the drain, 7 s of the
10 that supervisors commonly give before they kill.
"""


class Door(RequestHandler):
    """
    aiohttp's connection handler, whose own error pages are AWS XML, too.

    When its server *is_leaving*, each connection ends with the answer that it waits for.
    """

    is_leaving = False

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002 - aiohttp's signature
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to something that was no request; the connection is closed after it."""
        if status >= 500:  # noqa: PLR2004 - the HTTP border between client and server
            log.error("connection.failed", exc_info=exc)
        response = malformed(status, (message or "unreadable").splitlines()[0])
        response.force_close()
        return response

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """As aiohttp's, but what it refuses by itself (``OPTIONS *``, CONNECT, an unknown Expect) is AWS XML, too."""
        if isinstance(resp, web.HTTPException):
            resp = malformed(400, resp.reason)
        if self.is_leaving:
            resp.force_close()
        return await super().finish_response(request, resp, start_time)


def connections_for(open_files: int) -> int:
    """How many connections clients may have at once, in a process that may open so many files; -1: without limit."""
    if open_files < 0:
        return CONNECTIONS_MAX
    return max(CONNECTIONS_LEAST, min(CONNECTIONS_MAX, open_files - FILES_KEPT))


@asynccontextmanager
async def listening(app: web.Application, host: str, port: int, tls: ssl.SSLContext | None) -> AsyncIterator[int]:
    """
    The port that is served; on leaving, requests in flight are finished and connections closed.

    Raises InstallationError when there is no listening on *host* and *port*.
    """
    runner = web.AppRunner(app, handle_signals=False, access_log=None)
    await runner.setup()
    doors = runner.server
    assert doors is not None
    loop = asyncio.get_running_loop()
    connections_max = connections_for(resource.getrlimit(resource.RLIMIT_NOFILE)[0])

    def answer_door() -> asyncio.Protocol:
        if len(doors.connections) >= connections_max:
            return _Full(connections_max)
        return Door(
            doors,
            loop=loop,
            keepalive_timeout=IDLE_S_MAX,
            max_line_size=LINE_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
            max_headers=HEADERS_MAX,
            lingering_time=LINGERING_S,
            auto_decompress=False,
        )

    try:
        server = await loop.create_server(answer_door, host, port, ssl=tls, backlog=ACCEPTED_AT_ONCE)
    except OSError as error:
        raise InstallationError(
            f"Cannot listen on port {port} of {host} ({error.strerror}); set host and port in [server] of the "
            "configuration, or stop what listens there."
        ) from error
    for listener in server.sockets:
        with socket.socket(fileno=os.dup(listener.fileno())) as same:
            same.listen(BACKLOG)  # asyncio has one number for both
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await _drain(doors)
        doors.pre_shutdown()
        await doors.shutdown(SHUTDOWN_S_MAX)
        await runner.cleanup()


async def _drain(doors: web.Server) -> None:
    """Nothing, as soon as every connection was told with an answer that it ends, or is idle for long enough."""
    for door in doors.connections:
        if isinstance(door, Door):
            door.is_leaving = True
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_S_MAX):
            while doors.connections:  # noqa: ASYNC110 - aiohttp tells nobody that one has ended
                await asyncio.sleep(DRAIN_POLL_S)


class _Full(asyncio.Protocol):
    """Closes a connection that is one too many."""

    def __init__(self, connections_max: int) -> None:
        self._connections_max = connections_max

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        log.warning("connection.refused", extra={"connections_max": self._connections_max})
        transport.close()
