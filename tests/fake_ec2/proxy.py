"""
A fault-injecting proxy in front of a real EC2 endpoint, so that we are not only tested against ourselves.

Owns: passing calls on, byte for byte, and striking them by the same plan as the fake endpoint. Does not own: the faults
that need to know the world (:data:`tests.fake_ec2.faults.IN_THE_WORLD`): the answers of others are not rewritten.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from yarl import URL

from tests.fake_ec2.endpoint import read_form
from tests.fake_ec2.faults import IN_THE_WORLD, FaultPlan, Kind
from tests.fake_ec2.mischief import Mischief, Sleep
from tests.fake_ec2.replies import Reply, hollow, html

UPSTREAM_S_MAX = 300.0
"""moto needs 9 s for a thousand machines; whoever takes longer than this is not a slow endpoint but a dead one."""

BODY_BYTES_MAX = 8 * 1024 * 1024
"""Of a request, as the fake endpoint takes."""

HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "upgrade"}
)
"""Headers that belong to one connection. Host is passed on: it is signed, and moto finds the service by it."""


@dataclass(frozen=True, slots=True)
class Passed:
    """One call that came by: *status* is the endpoint's, 0 when it was not asked or did not answer."""

    at: float
    action: str
    fault: str
    status: int


class Proxy:
    """The way to *upstream*, for which *plan* plots. *passed* tells every call, in the order of the answers."""

    def __init__(
        self,
        upstream: str,
        plan: FaultPlan | None = None,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.upstream = upstream
        self.plan = plan or FaultPlan(clock=clock)
        self.mischief = Mischief(sleep=sleep)
        self.passed: list[Passed] = []
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    def application(self) -> web.Application:
        """The application; a new one for each server that runs it."""
        application = web.Application(client_max_size=BODY_BYTES_MAX)
        application.router.add_route("*", "/{path:.*}", self.handle)
        application.cleanup_ctx.append(self._keep_session)
        application.on_shutdown.append(self._on_shutdown)
        return application

    def calls_of(self, action: str) -> list[Passed]:
        """The calls of *action* that came by."""
        return [call for call in self.passed if call.action == action]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The endpoint's answer to one call, as the plan lets it arrive."""
        body = await request.read()
        form = read_form(request, body)
        action = form.get("Action", "")
        fault = self.plan.pick(action, page=2 if form.get("NextToken") else 1)
        status = 0

        async def perform() -> Reply:
            nonlocal status
            if fault is not None and fault.kind in IN_THE_WORLD:
                if fault.kind in {Kind.EMPTY, Kind.NO_EFFECT}:
                    return hollow(action)
                raise ValueError(f"a proxy cannot do {fault.kind}: it does not know the machines behind it")
            reply = await self._pass_on(request, body)
            status = reply.status
            return reply

        try:
            return await self.mischief.deliver(request, action, fault, perform)
        finally:
            self.passed.append(Passed(self._clock(), action, fault.kind if fault else "", status))

    async def _pass_on(self, request: web.Request, body: bytes) -> Reply:
        assert self._session is not None
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP]
        url = URL(self.upstream + request.raw_path, encoded=True)
        try:
            async with self._session.request(
                request.method, url, data=body, headers=headers, allow_redirects=False
            ) as response:
                kept = tuple(
                    (name, value)
                    for name, value in response.headers.items()
                    if name.lower() not in HOP_BY_HOP | {"content-type", "date", "server"}
                )
                content_type = response.headers.get("Content-Type", "text/xml")
                return Reply(await response.read(), response.status, content_type, kept)
        except (aiohttp.ClientError, TimeoutError) as error:
            return html(502, f"{type(error).__name__} behind the proxy")

    async def _keep_session(self, _application: web.Application) -> AsyncIterator[None]:
        timeout = aiohttp.ClientTimeout(total=UPSTREAM_S_MAX)
        connector = aiohttp.TCPConnector(
            limit=0, force_close=True
        )  # the endpoint may be started anew between two calls
        async with aiohttp.ClientSession(
            timeout=timeout, connector=connector, auto_decompress=True, skip_auto_headers=["User-Agent", "Content-Type"]
        ) as session:
            self._session = session
            yield
        self._session = None

    async def _on_shutdown(self, _application: web.Application) -> None:
        self.mischief.release()
