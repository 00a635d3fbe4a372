"""
The JSON door, really served on a free port, with an office behind it: real records, no reconciler.

Owns: calling it as a user, and reading what comes back. Does not own: what the office has.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientResponse, ClientSession, TCPConnector, web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDict
from yarl import URL

from backends.cloud import Cloud
from phantom_gateway import tokens
from phantom_gateway.front.http_api.callers import Callers
from phantom_gateway.front.http_api.door import ANYTHING_BELOW, HttpApiDoor
from phantom_gateway.front.http_api.streams import Streams
from phantom_gateway.logins import Logins
from phantom_gateway.metrics import Meter
from phantom_gateway.operations.http_api import all_endpoints
from phantom_gateway.operations.http_api.call import PREFIX
from phantom_gateway.probes import Probes
from phantom_gateway.records.users import User
from reconciler.accounts import Account
from tests.phantom_gateway.office import Office

BODY_BYTES_MAX = 128 * 1024


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The document."""
        assert self.headers["Content-Type"] == "application/json"
        return json.loads(self.text)


class Accounts:
    """The same clouds for everybody; those in *own* are reached with a user's own credentials."""

    def __init__(self) -> None:
        self.clouds: dict[str, Cloud] = {}
        self.own: set[str] = set()

    def account(self, _user_id: int, cloud_name: str) -> Account | None:
        """The account on that cloud, if a test has put one there."""
        cloud = self.clouds.get(cloud_name)
        key = f"{cloud_name}/alice" if cloud_name in self.own else cloud_name
        return None if cloud is None else Account(key, cloud, cloud.traits)

    def accounts(self) -> list[Account]:
        """All of them."""
        return [Account(name, cloud, cloud.traits) for name, cloud in self.clouds.items()]


class Counter:
    """Calls endpoints over real HTTP, as Alice unless told otherwise."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.accounts = Accounts()
        self.logins = Logins()
        self.woken: list[str] = []
        self._tokens: dict[int, str] = {}
        all_endpoints()
        callers = Callers(office.database, lambda: office.now)
        self.streams = Streams(office.database, office.house, callers, lambda: office.now)
        self.door = HttpApiDoor(
            meter=Meter(),
            database=office.database,
            house=office.house,
            callers=callers,
            accounts=self.accounts,
            probes=Probes(),
            logins=self.logins,
            streams=self.streams,
            wake=self.woken.append,
            now=lambda: office.now,
            body_bytes_max=BODY_BYTES_MAX,
        )

    async def open(self) -> None:
        """Nothing; it serves."""
        app = web.Application()
        app.router.add_route("*", PREFIX + ANYTHING_BELOW, self.door.__call__)
        self._server = TestServer(app)
        await self._server.start_server()
        self._session = ClientSession()
        self._running = asyncio.create_task(self.streams.run())

    @property
    def port(self) -> int:
        """Where it serves."""
        assert self._server.port is not None
        return self._server.port

    async def close(self) -> None:
        """Nothing; it is closed."""
        self.streams.close()
        self._running.cancel()
        await self._session.close()
        await self._server.close()
        self.logins.close()

    def token(self, user: User | None = None, *scopes: tokens.Scope) -> str:
        """A new token of the user."""
        owner = user or self.office.user
        made = self.office.database.write_now(
            lambda connection: tokens.make(
                connection, owner.id, name="test", scopes=frozenset(scopes), now=self.office.now, valid=None
            )
        )
        return made.text.reveal()

    def basic(self, user: User | None = None, token: str | None = None) -> str:
        """The header that lets the user in."""
        owner = user or self.office.user
        if token is None:
            token = self._tokens.get(owner.id) or self._tokens.setdefault(owner.id, self.token(owner))
        return "Basic " + base64.b64encode(f"{owner.id}:{token}".encode()).decode()

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        user: User | None = None,
        authorization: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """
        The reply to *method* on *path* (below the prefix, with its query; already quoted).

        *body* is sent as it is when it is bytes, else as JSON. *authorization* "" sends no such header.
        """
        sent = dict(headers or {})
        who = self.basic(user) if authorization is None else authorization
        if who:
            sent["Authorization"] = who
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        url = URL(f"http://127.0.0.1:{self._server.port}{PREFIX}{path}", encoded=True)
        async with self._session.request(method, url, data=data, headers=sent, allow_redirects=False) as reply:
            return Reply(reply.status, CIMultiDict(reply.headers), await reply.text())

    @asynccontextmanager
    async def open_stream(
        self, path: str, user: User | None = None, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[ClientResponse]:
        """The response to a GET of *path* while it comes in, on a connection of its own."""
        sent = {"Authorization": self.basic(user), **(headers or {})}
        url = URL(f"http://127.0.0.1:{self._server.port}{PREFIX}{path}", encoded=True)
        async with (
            ClientSession(read_bufsize=2**16, connector=TCPConnector(limit=0)) as session,
            session.get(url, headers=sent) as reply,
        ):
            yield reply
