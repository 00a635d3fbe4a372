"""
A request off the wire, within limits of size and time.

Owns: turning aiohttp's request into the bytes that were signed. Does not own: what they say.
"""

import asyncio

from aiohttp import web

from protocol.errors import ApiError
from protocol.wire import Request

BODY_S_MAX = 10.0
"""Time for a whole body. Clients send theirs in one piece; 10 s for 1 MiB is a line of under 1 Mbit/s."""


async def read_request(request: web.BaseRequest, body_bytes_max: int) -> Request:
    """
    The request, undecoded. Raises ApiError for a body that is too long, too slow, cut off or compressed.

    Nothing beyond *body_bytes_max* is kept in memory.
    """
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        # The signature covers the compressed bytes, and no client compresses a form of 1 MiB at the most.
        raise ApiError("InvalidParameterValue", "A compressed body (Content-Encoding) is not accepted here.")
    body = b""
    if request.body_exists:
        try:
            if request.content.is_eof():
                # It came with its head, as almost always. Waiting for what is there, with a deadline, takes 8 us.
                body = _within(request.content.read_nowait(), body_bytes_max)
            else:
                async with asyncio.timeout(BODY_S_MAX):
                    body = await _read_body(request, body_bytes_max)
        except TimeoutError as error:
            raise ApiError("RequestTimeout", f"The body did not arrive within {BODY_S_MAX:.0f} s.", 408) from error
        except (web.RequestPayloadError, ConnectionResetError) as error:
            raise ApiError("MalformedQueryString", "The body ended before it was complete.") from error
    target = request.raw_path
    if not target.startswith("/"):  # a proxy may send the whole URL: what follows the host is what was signed
        scheme_and_host, slash, rest = target.partition("://")[2].partition("/")
        target = slash + rest if scheme_and_host else "/"
    path, _, query = target.partition("?")
    headers = tuple(
        [
            (name.decode("utf-8", "surrogateescape").lower(), value.decode("utf-8", "surrogateescape"))
            for name, value in request.raw_headers
        ]
    )
    return Request(request.method, path or "/", query, headers, body)


async def _read_body(request: web.BaseRequest, body_bytes_max: int) -> bytes:
    length = request.content_length
    if length is not None and length > body_bytes_max:
        raise _too_large(body_bytes_max)
    chunks = []
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > body_bytes_max:
            raise _too_large(body_bytes_max)
        chunks.append(chunk)
    return b"".join(chunks)


def _within(body: bytes, body_bytes_max: int) -> bytes:
    if len(body) > body_bytes_max:
        raise _too_large(body_bytes_max)
    return body


def _too_large(body_bytes_max: int) -> ApiError:
    return ApiError("RequestTooLarge", f"The body of a request may have {body_bytes_max} bytes.", 413)
