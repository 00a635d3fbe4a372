"""
Servers inside a test: an application on a free port that can go dark and come back, in the test's loop or in a thread.

Owns: listening, and breaking every open connection. Does not own: what is served.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Self, TypeVar

from aiohttp import web

T = TypeVar("T")

WAIT_S_MAX = 30.0
"""For a server in a thread to start or stop: busy machines need time."""


class Served:
    """*application* on 127.0.0.1; the port stays the same while it goes dark and comes back. An async context."""

    def __init__(self, application: web.Application, port: int = 0) -> None:
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        self._site: web.TCPSite | None = None
        self.port = port

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Nothing; it serves."""
        await self._runner.setup()
        await self.come_back()

    async def stop(self) -> None:
        """Nothing; it is gone, and so is everything that hung in it."""
        await self._runner.cleanup()

    async def go_dark(self) -> None:
        """Nothing; new connections are refused and open ones cut, though what they asked for goes on."""
        if self._site is not None:
            await self._site.stop()
            self._site = None
        server = self._runner.server
        for handler in list(server.connections) if server is not None else []:
            if handler.transport is not None:
                handler.transport.abort()

    async def come_back(self) -> None:
        """Nothing; it listens again, on the port it had."""
        if self._site is None:
            self._site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
            await self._site.start()
            self.port = int(self._runner.addresses[0][1])

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


class LoopThread:
    """An event loop in a thread of its own, so that tests that block can have servers. A context."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="servers of a test", daemon=True)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """What *main* returns, run in the thread."""
        return asyncio.run_coroutine_threadsafe(main, self.loop).result(WAIT_S_MAX)

    def call(self, what: Callable[[], T]) -> T:
        """What *what* returns, called in the thread: for everything that several steps must not interrupt."""

        async def main() -> T:
            return what()

        return self.run(main())

    def serve(self, application: web.Application, port: int = 0) -> Served:
        """*application*, served by the thread; ``run(served.stop())`` ends it."""
        served = Served(application, port)
        self.run(served.start())
        return served

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(WAIT_S_MAX)
        self.loop.close()
