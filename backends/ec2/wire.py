"""
One HTTP exchange with an endpoint, bounded in size and time, and exact about how far it went.

Owns: sockets, TLS, caps and cutting off. Does not own: what is said (``client``), what an answer means (``errors``).
urllib3 is used directly, as the SDK uses it, because the SDK's session reads replies whole and cannot be cut off.
"""

import contextlib
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import urllib3
from botocore.httpsession import get_cert_path
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from backends.ec2.dialect import Ec2Settings
from backends.ec2.errors import Lost, NotSent

CHUNK_OCTETS = 128 * 1024
"""Read at once, so that a reply over its cap costs at most this much more than the cap."""

SOCKETS_IDLE_S = 60
"""Seconds of silence until TCP asks whether the other side is still there: middleboxes forget sooner than they tell."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. Header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Call:
    """One exchange as two threads share it: the one that waits for it, and the one that may cut it off."""

    def __init__(self) -> None:
        self.sent = False
        self.is_cut = False
        self.reply: Reply | None = None
        self._connection: _Connection | None = None

    def cut_off(self) -> None:
        """Nothing; the thread that waits for an answer fails now. May be called at any time, and again."""
        self.is_cut = True
        connection = self._connection
        sock = connection.sock if connection is not None and connection.call is self else None
        if sock is not None:
            with contextlib.suppress(OSError):
                # Not SSLSocket's own, which takes away its state from under the thread that reads.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def goes_by(self, connection: "_Connection") -> None:
        """Nothing; *connection* is now the one to cut. Raises NotSent when the call was cut before it began."""
        self._connection = connection
        connection.call = self
        if self.is_cut:
            raise OSError("the call was given up")

    def is_over(self) -> None:
        """Nothing; its connection may serve another call."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.call is self:
            connection.call = None


class _Current(threading.local):
    """The call that this thread is making."""

    call: Call | None = None


_current = _Current()


class _Connection(HTTPConnection):
    """A connection that tells its call when the first octet of a request leaves."""

    call: Call | None = None

    def connect(self) -> None:
        if _current.call is not None:
            _current.call.goes_by(self)
        super().connect()

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        if _current.call is not None:
            _current.call.goes_by(self)
            _current.call.sent = True
        super().send(data)


class _TlsConnection(_Connection, HTTPSConnection):
    """The same inside TLS."""


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class Wire:
    """The sockets to one endpoint."""

    def __init__(self, settings: Ec2Settings) -> None:
        self._reply_bytes_max = settings.reply_bytes_max
        trust: dict[str, Any] = {"cert_reqs": "CERT_REQUIRED", "ca_certs": get_cert_path(settings.verify_tls)}
        if settings.verify_tls is False:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # it was configured, on purpose
            trust = {"cert_reqs": "CERT_NONE"}
        options = [*HTTPConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
        if hasattr(socket, "TCP_KEEPIDLE"):
            options.append((socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, SOCKETS_IDLE_S))
        self._pools = urllib3.PoolManager(
            num_pools=1,
            maxsize=settings.calls_at_once,
            retries=False,
            timeout=urllib3.Timeout(connect=settings.connect_timeout_s, read=settings.read_timeout_s),
            socket_options=options,
            **trust,
        )
        self._pools.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def exchange(
        self, call: Call, method: str, url: str, headers: Mapping[str, Any], body: bytes | str | None
    ) -> Reply:
        """
        The whole answer. Blocks.

        Raises:
            NotSent: no connection, or none that can be trusted.
            Lost: no answer in time, a broken one, or one longer than is taken.

        """
        _current.call = call
        response: urllib3.BaseHTTPResponse | None = None
        try:
            response = self._pools.urlopen(
                method,
                url,
                redirect=False,
                headers=dict(headers),
                body=body,
                preload_content=False,
                decode_content=False,
            )
            # By name, which joins what was sent twice (moto says Server twice); by item, the last would win.
            headers = {name.lower(): response.headers[name] for name in response.headers}
            return Reply(response.status, headers, self._read(response))
        except (HTTPError, OSError, ValueError) as error:
            raise _problem(call, error) from error
        finally:
            call.is_over()
            _current.call = None
            if response is not None:
                response.close()  # an answer that was read to its end has given its socket back already

    def close(self) -> None:
        """Nothing; idle connections are closed."""
        self._pools.clear()

    def _read(self, response: urllib3.BaseHTTPResponse) -> bytes:
        limit = self._reply_bytes_max
        announced = response.headers.get("content-length", "0")
        chunks: list[bytes] = []
        size = int(announced) if announced.isdecimal() and int(announced) > limit else 0
        if not size:
            for chunk in response.stream(CHUNK_OCTETS, decode_content=False):
                chunks.append(chunk)
                size += len(chunk)
                if size > limit:
                    break
        if size > limit:
            raise Lost(f"answered more than {limit} octets")
        return b"".join(chunks)


def _problem(call: Call, error: Exception) -> NotSent | Lost:
    """*error* by whether anything was sent."""
    cause = error.__cause__ or (error.args[-1] if error.args and isinstance(error.args[-1], Exception) else error)
    if not call.sent:
        return NotSent(f"cannot be reached: {cause}")
    if call.is_cut:
        return Lost("gave no whole answer in time")
    return Lost(f"gave no whole answer: {cause}")
