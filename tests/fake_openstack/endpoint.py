"""
Keystone, Nova, Glance and Neutron in small, over HTTP: as much as launching servers takes.

Owns: paths, tokens, status codes and error bodies, as OpenStack's API references give them. Does not own: what is true
(``world``).
"""

import asyncio
import base64
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.fake_openstack.world import World
from tests.support.canary import planted

USER = "alice"
PASSWORD = planted("/p4ss/word")
APPLICATION_ID = "0123456789abcdef0123456789abcdef"
APPLICATION_SECRET = planted("-of-an-application")
PROJECT = "demo"

_CATALOGUE = (
    ("compute", "Compute Service", "/compute/v2.1"),
    ("image", "pictures", "/image"),
    ("network", "n", "/net"),
)


@asynccontextmanager
async def serving(world: World) -> AsyncIterator[str]:
    """Keystone's URL, with its version, of a running endpoint."""
    endpoint = Endpoint(world)
    runner = web.AppRunner(endpoint.application(), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert runner.addresses
    endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield f"{endpoint.url}/identity/v3"
    finally:
        await runner.cleanup()


class Endpoint:
    """The server."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.url = ""
        self._tokens: set[str] = set()

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application(middlewares=[self._middleware])
        app.router.add_post("/identity/v3/auth/tokens", self._log_in)
        app.router.add_get("/compute/v2.1/servers/detail", self._list_servers)
        app.router.add_post("/compute/v2.1/servers", self._order)
        app.router.add_get("/compute/v2.1/servers/{id}", self._show)
        app.router.add_delete("/compute/v2.1/servers/{id}", self._delete)
        app.router.add_get("/compute/v2.1/flavors/detail", self._flavors)
        app.router.add_get("/compute/v2.1/limits", self._limits)
        app.router.add_get("/compute/v2.1/os-availability-zone", self._zones)
        app.router.add_get("/image/v2/images", self._images)
        app.router.add_get("/net/v2.0/networks", self._networks)
        return app

    @web.middleware
    async def _middleware(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self.world.requests.append((request.method, request.path))
        fault = self.world.fault_for(request.method, request.path)
        if fault is not None and not fault.after:
            return await self._struck(fault)
        logging_in = request.path.endswith("/auth/tokens")
        if not logging_in and request.headers.get("X-Auth-Token") not in self._tokens:
            return _error(401, "The request you have made requires authentication.")
        answer = await handler(request)
        return answer if fault is None else await self._struck(fault)

    async def _struck(self, fault: Any) -> web.Response:
        if fault.hangs:
            await asyncio.get_running_loop().create_future()
        return _error(fault.status, fault.message, fault.headers)

    # Keystone.

    async def _log_in(self, request: web.Request) -> web.Response:
        identity = (await request.json())["auth"]["identity"]
        application = identity.get("application_credential", {})
        user = identity.get("password", {}).get("user", {})
        if (application.get("id"), application.get("secret")) != (APPLICATION_ID, APPLICATION_SECRET) and (
            user.get("name"),
            user.get("password"),
        ) != (USER, PASSWORD):
            return _error(401, "The request you have made requires authentication.")
        token = secrets.token_hex(8)
        self._tokens.add(token)
        catalogue = [
            {
                "type": kind,
                "name": name,
                "endpoints": [
                    {"interface": "public", "region": "north", "region_id": "north", "url": f"{self.url}{path}"},
                    {"interface": "internal", "region": "north", "region_id": "north", "url": "http://192.0.2.1/"},
                ],
            }
            for kind, name, path in _CATALOGUE
        ]
        facts = {
            "expires_at": self.world.token_expires,
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "user": {"id": "u", "name": USER, "domain": {"id": "default", "name": "Default"}},
            "roles": [{"id": "r", "name": "member"}],
            "catalog": catalogue,
        }
        return web.json_response({"token": facts}, status=201, headers={"X-Subject-Token": token})

    def expire_tokens(self) -> None:
        """Nothing; nobody is logged in any more."""
        self._tokens.clear()

    # Nova.

    async def _list_servers(self, request: web.Request) -> web.Response:
        everything = list(self.world.servers.values())
        marker = request.query.get("marker")
        start = 1 + [each["id"] for each in everything].index(marker) if marker else 0
        page = everything[start : start + self.world.page_size]
        answer: dict[str, Any] = {"servers": [self.world.look(each) for each in page]}
        if start + self.world.page_size < len(everything):
            href = f"{self.url}/compute/v2.1/servers/detail?marker={page[-1]['id']}"
            answer["servers_links"] = [{"rel": "next", "href": href}]
        return web.json_response(answer)

    async def _order(self, request: web.Request) -> web.Response:
        server = (await request.json())["server"]
        world = self.world
        if server["imageRef"] not in {image["id"] for image in world.images}:
            return _error(400, "Can not find requested image")
        if server["flavorRef"] not in {flavor["id"] for flavor in world.flavors}:
            return _error(400, "Flavor could not be found.")
        if len(world.servers) >= world.instances_max:
            return _error(
                403, f"Quota exceeded for instances: Requested 1, but already used {world.instances_max} of it"
            )
        if "user_data" in server:
            base64.b64decode(server["user_data"], validate=True)
        record = world.order(server)
        made = {"id": record["id"], "links": [], "OS-DCF:diskConfig": "MANUAL", "adminPass": "x"}
        return web.json_response({"server": made}, status=202)

    async def _show(self, request: web.Request) -> web.Response:
        record = self.world.servers.get(request.match_info["id"])
        return _gone() if record is None else web.json_response({"server": self.world.look(record)})

    async def _delete(self, request: web.Request) -> web.Response:
        found = self.world.servers.pop(request.match_info["id"], None)
        return _gone() if found is None else web.Response(status=204)

    async def _flavors(self, _: web.Request) -> web.Response:
        return web.json_response({"flavors": self.world.flavors})

    async def _limits(self, _: web.Request) -> web.Response:
        absolute = {
            "maxTotalInstances": self.world.instances_max,
            "totalInstancesUsed": len(self.world.servers),
            "maxTotalCores": -1,
            "totalCoresUsed": len(self.world.servers),
            "maxTotalRAMSize": 51200,
            "totalRAMUsed": 0,
        }
        return web.json_response({"limits": {"rate": [], "absolute": absolute}})

    async def _zones(self, _: web.Request) -> web.Response:
        zone = {"zoneName": "nova", "zoneState": {"available": True}, "hosts": None}
        return web.json_response({"availabilityZoneInfo": [zone]})

    # Glance, Neutron.

    async def _images(self, _: web.Request) -> web.Response:
        return web.json_response({"images": self.world.images, "first": "/v2/images"})

    async def _networks(self, _: web.Request) -> web.Response:
        return web.json_response({"networks": self.world.networks})


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    body = {"someFault": {"code": status, "message": message}}
    return web.Response(status=status, text=json.dumps(body), content_type="application/json", headers=headers)


def _gone() -> web.Response:
    return _error(404, "Instance could not be found.")
