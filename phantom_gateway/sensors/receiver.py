"""
The receiver's socket: lines and HTTP on one port, as OpenTSDB has it, within limits.

Owns: who may connect, how much may be sent how slowly, and telling the two protocols apart by their first bytes. Does
not own: what lines mean (``lines``), or HTTP, for which it is given a handler.
"""

import asyncio
import ipaddress
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from phantom_gateway.records.session import RecordsUnavailable
from phantom_gateway.sensors.intake import Intake
from phantom_gateway.sensors.lines import Conversation
from phantom_gateway.sensors.senders import Senders

log = logging.getLogger(__name__)

CONNECTIONS_MAX = 1_000
"""One for each VM that has a tcollector. Each costs some 20 KB."""

LINE_BYTES_MAX = 4_096
"""OpenTSDB's own default is 1024; with a long host name, user and token a line has some 400."""

READ_BYTES = 8_192
"""Read at once: some 80 lines, which take less than a millisecond; then others have their turn."""

IDLE_S_MAX = 330.0
"""tcollector asks for the version every 60 s, and sends a value that does not change every 300 s."""

LINE_S_MAX = 30.0
"""From a line's first byte to its end. Who needs longer for 4 KB drips."""

UNREAD_BYTES_MAX = 65_536
"""Answers that a sender has not read. tcollector never reads any: beyond this, they are not given."""

FIRST_BYTES = 4
METHODS = (b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"DELE", b"PATC")
"""How a request begins; commands are in small letters."""

CLOSING_S_MAX = 5.0
"""For the last answer to be read; then the connection is cut."""

HttpHandler = Callable[[Callable[[], None]], asyncio.Protocol]
"""Makes the protocol that speaks HTTP on one connection, and calls what it is given when that has ended."""


class Receiver:
    """Accepts senders. *http* takes over connections that begin like HTTP; *now* is the clock."""

    def __init__(self, intake: Intake, senders: Senders, http: HttpHandler, now: Callable[[], datetime]) -> None:
        self._intake = intake
        self._senders = senders
        self._http = http
        self._now = now
        self._open: set[asyncio.Transport] = set()
        self._talks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[int]:
        """The port that is listened on; connections are closed on leaving. Raises OSError."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Beginning(self), host, port, backlog=256)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            talks = list(self._talks)
            for talk in talks:
                talk.cancel()
            for transport in list(self._open):
                transport.abort()
            await asyncio.gather(*talks, return_exceptions=True)

    def admits(self, transport: asyncio.Transport) -> bool:
        """True when there is room for this connection; it is counted from now on."""
        if len(self._open) >= CONNECTIONS_MAX:
            self._intake.counts["connections_refused"] += 1
            return False
        self._open.add(transport)
        return True

    def forget(self, transport: asyncio.Transport) -> None:
        """Nothing; the connection is gone."""
        self._open.discard(transport)

    def speaker(self, first: bytes, transport: asyncio.Transport) -> asyncio.Protocol:
        """The protocol for a connection that begins with *first*."""
        if first.startswith(METHODS):
            return self._http(lambda: self.forget(transport))
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=READ_BYTES, loop=loop)
        return asyncio.StreamReaderProtocol(reader, self._converse, loop=loop)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Nothing, once the sender has gone or was sent away."""
        talk = Conversation(self._intake, self._senders, on_loopback=on_loopback(writer.transport))
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        loop = asyncio.get_running_loop()
        rest, due_s = b"", loop.time() + IDLE_S_MAX
        try:
            while not talk.is_over:
                async with asyncio.timeout_at(due_s):
                    data = await reader.read(READ_BYTES)
                if not data:
                    break
                was_within_a_line = bool(rest)
                *lines, rest = (rest + data).split(b"\n")
                if lines or not was_within_a_line:  # otherwise the line has the time that is left of its own
                    due_s = loop.time() + (LINE_S_MAX if rest else IDLE_S_MAX)
                said = await talk.answers(lines, self._now().timestamp())
                if said and writer.transport.get_write_buffer_size() < UNREAD_BYTES_MAX:
                    writer.write(said)
                if len(rest) > LINE_BYTES_MAX:
                    self._intake.counts["line_too_long"] += 1
                    break
                await asyncio.sleep(0)
        except TimeoutError:
            self._intake.counts["too_slow"] += 1
        except RecordsUnavailable as unavailable:
            log.warning("sensors.sender_dropped", extra={"reason": str(unavailable)})
        except ConnectionError:
            log.debug("sensors.sender_lost")
        except asyncio.CancelledError:
            # The receiver closes, and waits for nothing but this end. Python 3.11's streams take a talk that was
            # cancelled for one that failed, and say so as an error for each sender.
            log.debug("sensors.sender_dismissed")
        finally:
            self._talks.discard(task)
            assert isinstance(writer.transport, asyncio.Transport)
            self.forget(writer.transport)
            writer.close()
            loop.call_later(CLOSING_S_MAX, writer.transport.abort)


class _Beginning(asyncio.Protocol):
    """A connection whose first bytes are still to come."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._first = b""
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        if not self._receiver.admits(transport):
            transport.close()
            return
        self._transport = transport
        self._timer = asyncio.get_running_loop().call_later(IDLE_S_MAX, transport.abort)

    def data_received(self, data: bytes) -> None:
        self._first += data
        transport = self._transport
        if len(self._first) < FIRST_BYTES or transport is None:
            return
        self._stop()
        speaker = self._receiver.speaker(self._first, transport)
        transport.set_protocol(speaker)
        speaker.connection_made(transport)
        speaker.data_received(self._first)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._stop()
        if self._transport is not None:
            self._receiver.forget(self._transport)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def on_loopback(transport: asyncio.BaseTransport | None) -> bool:
    """True when the other side is on this machine."""
    peer = transport.get_extra_info("peername") if transport is not None else None
    if not isinstance(peer, tuple):
        return False
    try:
        return ipaddress.ip_address(peer[0]).is_loopback
    except ValueError:
        return False
