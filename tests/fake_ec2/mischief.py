"""
Faults carried out on the wire: resets, silence, broken documents, floods. Shared by the endpoint and the proxy.

Owns: one answer's way to the client. Does not own: which fault strikes (:mod:`tests.fake_ec2.faults`).
"""

import asyncio
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import replace

from aiohttp import web

from tests.fake_ec2 import replies
from tests.fake_ec2.faults import IN_THE_WORLD, REFUSALS, Fault, Kind, When
from tests.fake_ec2.knobs import NAMESPACE
from tests.fake_ec2.replies import Reply

CHUNK_BYTES = 64 * 1024
"""Of a flood: small enough that a client that has had enough is noticed soon."""

READS = re.compile(r"Describe|Get|List")
"""Actions without effect: for them, before and after are the same."""

STATUS_WORDS = {500: "InternalError", 502: "BadGateway", 503: "ServiceUnavailable", 504: "GatewayTimeout"}

Sleep = Callable[[float], Awaitable[object]]


class Mischief:
    """Delivers answers. *sleep* waits in real or imaginary seconds."""

    def __init__(self, *, sleep: Sleep = asyncio.sleep, namespace: Callable[[], str] = lambda: NAMESPACE) -> None:
        self._sleep = sleep
        self._namespace = namespace
        self._released = asyncio.Event()

    def release(self) -> None:
        """Nothing; whatever hangs ends now, with a closed connection."""
        self._released.set()
        self._released = asyncio.Event()

    async def deliver(
        self, request: web.Request, action: str, fault: Fault | None, perform: Callable[[], Awaitable[Reply]]
    ) -> web.StreamResponse:
        """What goes back to the client when *fault* strikes the call that *perform* carries out."""
        if fault is None or fault.kind in IN_THE_WORLD:
            return _response(await perform())
        if fault.kind is Kind.SLOW:
            return await self._slowly(fault, perform)
        is_harmless = READS.match(action) is not None
        if fault.when is When.AFTER or is_harmless:
            reply = await perform()
        else:
            reply = replies.hollow(action, self._namespace())
        if fault.kind in {Kind.HANG, Kind.TIMEOUT}:
            return await self._silence(request, fault)
        if fault.kind in {Kind.RESET, Kind.RESET_MIDWAY, Kind.CLOSE}:
            return await self._break(request, fault, reply)
        if fault.kind in {Kind.OVERSIZED, Kind.DUPLICATED_REPLY}:
            return await _flood(request, fault, reply)
        return _response(spoil(fault, action, reply))

    async def _slowly(self, fault: Fault, perform: Callable[[], Awaitable[Reply]]) -> web.StreamResponse:
        if fault.when is When.BEFORE:
            await self._sleep(fault.slow_s)
            return _response(await perform())
        reply = await perform()
        await self._sleep(fault.slow_s)
        return _response(reply)

    async def _silence(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.kind is Kind.HANG:
            await self._released.wait()
        else:
            await self._sleep(fault.slow_s)
        if request.transport is not None:
            request.transport.close()
        return web.Response()

    async def _break(self, request: web.Request, fault: Fault, reply: Reply) -> web.StreamResponse:
        transport = request.transport
        if transport is None:
            return web.Response()  # the client has left
        if fault.kind is Kind.CLOSE:
            transport.close()
            return web.Response()
        if fault.kind is Kind.RESET_MIDWAY:
            wire = _wire(reply)
            transport.write(wire[: len(wire) - max(1, len(reply.body) // 2)])
            await asyncio.sleep(0.05)  # a reset discards what has not left yet; nobody waits for this but the client
        linger = struct.pack("ii", 1, 0)  # without lingering, a close is a reset
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
        return web.Response()


def spoil(fault: Fault, action: str, reply: Reply) -> Reply:
    """*reply* to *action* as *fault* makes it arrive."""
    if fault.kind in REFUSALS:
        code, status, message = REFUSALS[fault.kind]
        return replies.error(code, message, status)
    spoilers: dict[Kind, Callable[[], Reply]] = {
        Kind.REFUSED: lambda: replies.error(fault.code, fault.message, fault.status),
        Kind.HTTP_ERROR: lambda: _http_error(fault),
        Kind.EMPTY_BODY: lambda: replace(reply, body=b""),
        Kind.HTML_IN_200: lambda: replies.html(200, "Welcome to the login page of this network"),
        Kind.ERROR_IN_200: lambda: replies.error(fault.code, fault.message, 200),
        Kind.TRUNCATED: lambda: replace(reply, body=reply.body[: len(reply.body) // 2]),
        Kind.WRONG_ROOT: lambda: replace(
            reply, body=reply.body.replace(f"{action}Response".encode(), b"OtherResponse")
        ),
        Kind.WRONG_NAMESPACE: lambda: replace(reply, body=_foreign_namespace(reply.body)),
        Kind.WRONG_CHARSET: lambda: replace(reply, body=_insert(reply.body, b"<note>\xff\xfe\xe9t\xe9</note>")),
        Kind.LIST_ALL_MY_BUCKETS: replies.buckets,
        Kind.ENTITIES: lambda: replace(reply, body=_entities(reply.body, fault.size_bytes)),
        Kind.DUPLICATED_BODY: lambda: replace(reply, body=reply.body * 2),
    }
    return spoilers[fault.kind]()


def _http_error(fault: Fault) -> Reply:
    if fault.body == "html":
        return replies.html(fault.status, STATUS_WORDS.get(fault.status, "Error"))
    if fault.body == "empty":
        return Reply(b"", fault.status)
    return replies.error(STATUS_WORDS.get(fault.status, fault.code), fault.message, fault.status)


def _foreign_namespace(body: bytes) -> bytes:
    return re.sub(rb'xmlns="[^"]*"', b'xmlns="http://other.example.org/doc/1999-01-01/"', body, count=1)


def _insert(body: bytes, what: bytes) -> bytes:
    """*body* with *what* in front of the end of its root."""
    head, tail, end = body.rpartition(b"</")
    return head + what + tail + end


def _entities(body: bytes, size_bytes: int) -> bytes:
    """*body* with one long entity, used so often that it unfolds to *size_bytes*: quadratic in what was sent."""
    side = max(1, int(size_bytes**0.5))
    declared = b'<!DOCTYPE root [<!ENTITY a "' + b"a" * side + b'">]>\n'
    head, end, rest = body.partition(b"?>\n")
    return _insert(head + end + declared + rest, b"<note>" + b"&a;" * side + b"</note>")


def _response(reply: Reply) -> web.Response:
    headers = {"Content-Type": reply.content_type, **dict(reply.headers)}
    return web.Response(body=reply.body, status=reply.status, headers=headers)


def _wire(reply: Reply) -> bytes:
    head = (
        f"HTTP/1.1 {reply.status} OK\r\nContent-Type: {reply.content_type}\r\nContent-Length: {len(reply.body)}\r\n\r\n"
    )
    return head.encode() + reply.body


async def _flood(request: web.Request, fault: Fault, reply: Reply) -> web.StreamResponse:
    """The reply twice on the wire, or with *size_bytes* of reservations before its end."""
    if fault.kind is Kind.DUPLICATED_REPLY:
        if request.transport is not None:
            request.transport.write(_wire(reply))
        return _response(reply)
    response = web.StreamResponse(status=reply.status, headers={"Content-Type": reply.content_type})
    head, tail, end = reply.body.rpartition(b"</")
    item = b"<item><reservationId>r-00000000000000000</reservationId></item>"
    chunk = item * (CHUNK_BYTES // len(item))
    try:
        await response.prepare(request)
        await response.write(head + b"<floodSet>")
        for _ in range(fault.size_bytes // len(chunk) + 1):
            await response.write(chunk)
        await response.write(b"</floodSet>" + tail + end)
        await response.write_eof()
    except ConnectionError:
        return response  # the client has had enough, which is what it should do
    return response
