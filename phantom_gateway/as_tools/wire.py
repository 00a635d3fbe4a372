"""
One request to the endpoint, and its answer as it came.

Owns: sockets, TLS, and the limits on waiting and size. Does not own: what is asked, or what the answer means. Nothing
is sent twice: a change whose answer was lost may have been made, and only the user can look.
"""

import http.client
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from phantom_gateway.as_tools.endpoint import Endpoint
from phantom_gateway.as_tools.errors import NotDone, UsedWrongly

ANSWER_BYTES_MAX = 64 * 1024 * 1024
"""A page of 100 groups with a thousand instances each has 40 MB; more is no answer of this service."""

ANSWER_S_MAX = 300
"""For a whole answer: an endpoint that sends a byte a second would otherwise be waited for until the end of days."""

USER_AGENT = "phantom-gateway-as-tools"

_CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: *head* is its status line and headers, for people."""

    status: int
    head: str
    body: bytes


def send(endpoint: Endpoint, headers: Mapping[str, str], body: bytes, now: Callable[[], datetime]) -> Reply:
    """
    The answer to a POST of *body*.

    Raises:
        NotDone: there was none, or it passed a limit.
        UsedWrongly: the file of AWS_CA_BUNDLE holds no certificates.

    """
    connection = _connection(endpoint)
    lines = {"user-agent": USER_AGENT, "accept-encoding": "identity", "connection": "close", **headers}
    try:
        connection.request("POST", endpoint.path, body, lines)
        response = connection.getresponse()
        head = "".join(f"{name}: {value}\n" for name, value in response.getheaders())
        return Reply(
            response.status,
            f"HTTP/1.1 {response.status} {response.reason}\n{head}\n",
            _content(response, now() + timedelta(seconds=ANSWER_S_MAX), now),
        )
    except TimeoutError as error:
        raise NotDone(f"{endpoint.url} did not answer within {endpoint.timeout_s:g} seconds") from error
    except (OSError, http.client.HTTPException) as error:
        raise NotDone(f"{endpoint.url} cannot be reached: {str(error) or type(error).__name__}") from error
    finally:
        connection.close()


def _connection(endpoint: Endpoint) -> http.client.HTTPConnection:
    if endpoint.scheme == "http":
        return http.client.HTTPConnection(endpoint.hostname, endpoint.port, timeout=endpoint.timeout_s)
    try:
        context = ssl.create_default_context(cafile=endpoint.ca_bundle)
    except (OSError, ssl.SSLError) as error:
        raise UsedWrongly(f"AWS_CA_BUNDLE: {endpoint.ca_bundle} holds no certificates") from error
    return http.client.HTTPSConnection(endpoint.hostname, endpoint.port, timeout=endpoint.timeout_s, context=context)


def _content(response: http.client.HTTPResponse, deadline: datetime, now: Callable[[], datetime]) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := response.read1(_CHUNK_BYTES):
        chunks.append(chunk)
        size += len(chunk)
        if size > ANSWER_BYTES_MAX:
            raise NotDone(f"the answer has more than {ANSWER_BYTES_MAX} bytes")
        if now() > deadline:
            raise NotDone(f"the answer was not complete after {ANSWER_S_MAX} seconds")
    if response.length:
        raise NotDone("the answer ended before its end")
    return b"".join(chunks)
