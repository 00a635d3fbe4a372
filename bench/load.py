"""
The load generator: a process of its own that sends signed requests over raw sockets, as told on its standard input.

Owns: connections, and counting what came back. Does not own: the processor time of the server, which whoever asked
reads before ``go`` and after the result. Protocol, one line each: a job (JSON), ``ready``, ``go``, a result (JSON).
"""

import asyncio
import json
import random
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bench import signed

SHOWN_MAX = 500
"""Bytes of the first bad answer that are shown."""


class Visit(asyncio.Protocol):
    """One connection; ``ask`` sends a request and returns a future of the answer's status."""

    def __init__(self) -> None:
        self.closing = False
        self.head = b""
        self._left: int | None = None
        self._answer: asyncio.Future[int] | None = None
        self._status = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing; requests go there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, request: bytes) -> asyncio.Future[int]:
        """The status of the answer to *request*, once all of it is there."""
        assert self._transport is not None
        self.head, self._left = b"", None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        """Nothing; the answer is one piece nearer to its end."""
        if self._left is None:
            self.head += data
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return
            lines = self.head[:end].lower()
            self._status = int(lines[9:12])
            self.closing = b"connection: close" in lines
            length = lines.partition(b"content-length:")[2].partition(b"\r\n")[0]
            self._left = int(length) - (len(self.head) - end - 4)
        else:
            self._left -= len(data)
        if self._left <= 0 and self._answer is not None and not self._answer.done():
            self._answer.set_result(self._status)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing; whoever waits for an answer waits no longer."""
        self.closing = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the server closed the connection"))

    def close(self) -> None:
        """Nothing; the connection is closed."""
        assert self._transport is not None
        self._transport.close()


@dataclass(slots=True)
class Job:
    """Requests to *port* over *connections*: in turn until *seconds* are over or, unless *again*, none is left."""

    port: int
    requests: list[bytes]
    connections: int
    seconds: float
    again: bool
    sent: int = 0
    errors: int = 0
    first_error: str = ""
    first_call: int = field(default_factory=lambda: random.getrandbits(31))
    """Calls of one run have ids in a row from here on; runs must not repeat each other's."""
    latencies_s: list[float] = field(default_factory=list)

    async def run(self) -> dict[str, Any]:
        """The result. Requests under way when the time is over are waited for, and counted."""
        began_s = time.perf_counter()
        async with asyncio.TaskGroup() as visitors:
            for _ in range(self.connections):
                visitors.create_task(self._visit(began_s + self.seconds))
        wall_s = time.perf_counter() - began_s
        slowest = sorted(self.latencies_s)
        return {
            "sent": self.sent,
            "errors": self.errors,
            "first_error": self.first_error,
            "wall_s": wall_s,
            "p50_ms": 1000 * slowest[len(slowest) // 2] if slowest else None,
            "p99_ms": 1000 * slowest[int(len(slowest) * 0.99)] if slowest else None,
        }

    async def _visit(self, until_s: float) -> None:
        visit: Visit | None = None
        while (asked_s := time.perf_counter()) < until_s and (self.again or self.sent < len(self.requests)):
            request = self.requests[self.sent % len(self.requests)]
            self.sent += 1
            if visit is None:
                _, visit = await asyncio.get_running_loop().create_connection(Visit, "127.0.0.1", self.port)
            status = await visit.ask(signed.as_another_call(request, self.first_call + self.sent))
            self.latencies_s.append(time.perf_counter() - asked_s)
            if status != 200:
                self.errors += 1
                self.first_error = self.first_error or visit.head[:SHOWN_MAX].decode(errors="replace")
            if visit.closing:
                visit.close()
                visit = None
        if visit is not None:
            visit.close()


def main() -> None:
    """Nothing, at the end of standard input."""
    for line in sys.stdin:
        told = json.loads(line)
        now = datetime.now(UTC)
        requests = [signed.request(body, told["port"], now) for body in told["bodies"]]
        job = Job(told["port"], requests, told["connections"], told["seconds"], told["again"])
        print("ready", flush=True)
        assert sys.stdin.readline() == "go\n"
        print(json.dumps(asyncio.run(job.run())), flush=True)


if __name__ == "__main__":
    main()
