"""
An endpoint that answers what a test tells it to, octet by octet, and remembers what it was asked.

Owns: HTTP as far as these tests need it, and EC2 replies in small. Does not own: how an EC2 endpoint behaves.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from backends.cloud import LaunchSpec, Mark, token_for
from backends.ec2 import Ec2Cloud, Ec2Credentials, Ec2Settings

GATEWAY = "0123456789ab"
GROUP = "11111111-2222-3333-4444-555555555555"
TOKEN = token_for(GATEWAY, GROUP, "aaaaaaaaaaaa")
MARK = Mark(GATEWAY, GROUP, TOKEN)
FOREIGN = token_for("ba9876543210", GROUP, "aaaaaaaaaaaa")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SPEC = LaunchSpec("ami-12345678", "m1.small")
NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
HANGS = b"(no answer)"
BREAKS = b"(the connection is closed)"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The parameters."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


Answers = Callable[[Asked, asyncio.StreamWriter], Awaitable[bytes] | bytes]


class Endpoint:
    """The server. *answers* makes the octets of each answer; it may be replaced at any time."""

    def __init__(self) -> None:
        self.answers: Answers = lambda _asked, _writer: http(500, "nothing was prepared")
        self.asked: list[Asked] = []
        self.url = ""
        self.hung_up = asyncio.Event()
        """Set when a client closes its connection."""

    def always(self, answer: bytes) -> None:
        """Nothing; *answer* is the answer to everything."""
        self.answers = lambda _asked, _writer: answer

    def by_action(self, **answers: bytes) -> None:
        """Nothing; each Action has its answer."""
        self.answers = lambda asked, _writer: answers[asked.form["Action"]]

    def actions(self) -> list[str]:
        """The Action of every request so far."""
        return [asked.form["Action"] for asked in self.asked]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Nothing; one connection, request by request."""
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while await self._served(reader, writer):
                    pass
        finally:
            self.hung_up.set()
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _served(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """True when another request may follow."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, target, _ = head[0].split(" ")
        pairs = (line.partition(":") for line in head[1:] if line)
        headers = tuple((name.lower(), value.strip()) for name, _, value in pairs)
        body = await reader.readexactly(int(dict(headers).get("content-length", "0")))
        asked = Asked(method, target, headers, body)
        self.asked.append(asked)
        answer = self.answers(asked, writer)
        octets = answer if isinstance(answer, bytes) else await answer
        if octets == HANGS:
            await reader.read()
        if octets in {HANGS, BREAKS}:
            return False
        writer.write(octets)
        await writer.drain()
        return True


@contextlib.asynccontextmanager
async def endpoint(tls: ssl.SSLContext | None = None) -> AsyncIterator[Endpoint]:
    """A running endpoint."""
    it = Endpoint()
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(it.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    it.url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield it
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def cloud_at(
    url: str, gateway_id: str = GATEWAY, *, clock: Callable[[], datetime] = lambda: NOW, **settings: Any
) -> AsyncIterator[Ec2Cloud]:
    """The cloud "hotel" at *url*; closed afterwards."""
    # moto lists its instance types in a second on an idle machine, and in seven on a busy one.
    chosen = Ec2Settings(url, **{"read_timeout_s": 60.0, **settings})
    cloud = Ec2Cloud("hotel", chosen, Ec2Credentials(KEY, SECRET), gateway_id, clock=clock)
    try:
        yield cloud
    finally:
        await cloud.close()


def http(status: int, body: str | bytes = "", **headers: str) -> bytes:
    """A whole HTTP answer. In names of *headers*, "_" is "-"."""
    octets = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(octets)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + octets


def error(status: int, code: str, message: str = "the cloud's words", **headers: str) -> bytes:
    """An error in EC2's form."""
    inner = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
    return http(status, f"<Response><Errors>{inner}</Errors><RequestID>r</RequestID></Response>", **headers)


def reply(action: str, inner: str, namespace: str = NAMESPACE) -> bytes:
    """The reply to *action*."""
    space = f' xmlns="{namespace}"' if namespace else ""
    text = f'<?xml version="1.0" encoding="UTF-8"?><{action}Response{space}>{inner}</{action}Response>'
    return http(200, text)


def instance(machine_id: str, **texts: str) -> str:
    """An instance: *texts* overrides or adds; ``tags`` and ``state`` are XML and a name."""
    state, tags = texts.pop("state", "running"), texts.pop("tags", "")
    found = {
        "instanceId": machine_id,
        "launchTime": "2026-01-02T03:00:00.000Z",
        "amiLaunchIndex": "0",
        "privateIpAddress": "10.0.0.7",
        **texts,
    }
    inner = "".join(f"<{name}>{text}</{name}>" for name, text in found.items())
    placement = "<placement><availabilityZone>zone-a</availabilityZone></placement>"
    name = f"<instanceState><code>0</code><name>{state}</name></instanceState>"
    return f"<item>{inner}{name}{placement}<tagSet>{tags}</tagSet></item>"


def tags(**pairs: str) -> str:
    """A tag set's items. In names, "_" is "-"."""
    return "".join(
        f"<item><key>{key.replace('_', '-')}</key><value>{value}</value></item>" for key, value in pairs.items()
    )


OUR_TAGS = tags(phantom_gateway=GATEWAY, phantom_group=GROUP, phantom_token=TOKEN)


def inventory(instances: Iterable[str], next_token: str = "", namespace: str = NAMESPACE) -> bytes:
    """A reply of DescribeInstances, each instance in a reservation of its own."""
    items = "".join(f"<item><instancesSet>{each}</instancesSet></item>" for each in instances)
    more = f"<nextToken>{next_token}</nextToken>" if next_token else ""
    return reply("DescribeInstances", f"<reservationSet>{items}</reservationSet>{more}", namespace)


def launched(*instances: str) -> bytes:
    """A reply of RunInstances."""
    return reply("RunInstances", f"<instancesSet>{''.join(instances)}</instancesSet>")
