"""
DigitalOcean, Vultr, Linode and Scaleway in small: a path to list, order, look and destroy at, each in its own words.

Owns: those four APIs, as far as launching machines takes. Sources: their API references.
"""

import base64
from typing import Any

from aiohttp import web

from tests.fake_providers.shelf import Machine, Shelf

CREATED = "2026-01-02T03:04:05Z"
NO_IMAGE = "no-such-image"


def digitalocean(shelf: Shelf) -> web.Application:
    """``api.digitalocean.com``: 422 is its answer both to a wrong order and to a full account."""

    def shown(machine: Machine) -> dict[str, Any]:
        address = {"ip_address": f"10.0.0.{int(machine.identity) % 250}", "type": "private"}
        return {
            "id": int(machine.identity),
            "name": machine.name,
            "status": "active",
            "created_at": CREATED,
            "networks": {"v4": [address]},
            "region": {"name": "Frankfurt 1"},
            "tags": machine.order["tags"],
        }

    async def listed(request: web.Request) -> web.Response:
        size, page = shelf.page_size, int(request.query.get("page", "1"))
        everything = list(shelf.machines.values())
        part = everything[(page - 1) * size : page * size]
        answer: dict[str, Any] = {"droplets": [shown(each) for each in part], "links": {}}
        if len(everything) > size:
            last = -(-len(everything) // size)
            answer["links"] = {"pages": {"last": f"https://api.digitalocean.com/v2/droplets?page={last}"}}
        return web.json_response(answer)

    async def ordered(request: web.Request) -> web.Response:
        order = await request.json()
        if order["image"] == NO_IMAGE:
            return _said(422, f"You specified an invalid image for Droplet creation: {NO_IMAGE}")
        machine = shelf.add(order["name"], order, (order["user_data"] or "").encode())
        if machine is None:
            return _said(422, "creating this/these droplet(s) will exceed your droplet limit")
        return web.json_response({"droplet": shown(machine)}, status=202)

    app = web.Application()
    base = "/api.digitalocean.com/v2"
    app.router.add_get(f"{base}/droplets", listed)
    app.router.add_post(f"{base}/droplets", ordered)
    app.router.add_delete(f"{base}/droplets/{{id}}", _destroyed(shelf))
    app.router.add_get(f"{base}/droplets/{{id}}", _one(shelf))
    _offer(app, f"{base}/images", "images", {"links": {}})
    _offer(app, f"{base}/sizes", "sizes", {"links": {}})
    _offer(app, f"{base}/regions", "regions", {"links": {}})
    return app


def vultr(shelf: Shelf) -> web.Application:
    """``api.vultr.com``, version 2: pages by cursor."""
    texts = (
        *("main_ip", "v6_main_ip", "internal_ip", "netmask_v4", "gateway_v4", "v6_network", "os", "image_id"),
        *("firewall_group_id", "server_status"),
    )
    numbers = ("os_id", "app_id", "ram", "disk", "vcpu_count", "allowed_bandwidth", "v6_network_size")

    def shown(machine: Machine) -> dict[str, Any]:
        return {
            **dict.fromkeys(texts, ""),
            **dict.fromkeys(numbers, 0),
            "internal_ip": f"10.0.0.{int(machine.identity) % 250}",
            "id": machine.identity,
            "label": machine.name,
            "tag": machine.order["tag"],
            "plan": machine.order["plan"],
            "region": machine.order["region"],
            "features": [],
            "date_created": CREATED,
            "status": "active",
            "power_status": "running",
        }

    async def listed(request: web.Request) -> web.Response:
        start = int(request.query.get("cursor") or 0)
        everything = list(shelf.machines.values())
        end = start + shelf.page_size
        following = str(end) if end < len(everything) else ""
        part = [shown(each) for each in everything[start:end]]
        links = {"links": {"next": following, "prev": ""}, "total": len(everything)}
        return web.json_response({"instances": part, "meta": links})

    async def ordered(request: web.Request) -> web.Response:
        order = await request.json()
        if order["os_id"] == NO_IMAGE:
            return web.json_response({"error": f"Invalid os_id {NO_IMAGE}", "status": 400}, status=400)
        machine = shelf.add(order["label"], order, base64.b64decode(order.get("user_data", "")))
        if machine is None:
            words = "You have reached the maximum number of instances for this account"
            return web.json_response({"error": words, "status": 400}, status=400)
        return web.json_response({"instance": shown(machine)}, status=202)

    app = web.Application()
    base = "/api.vultr.com/v2"
    app.router.add_get(f"{base}/instances", listed)
    app.router.add_post(f"{base}/instances", ordered)
    app.router.add_delete(f"{base}/instances/{{id}}", _destroyed(shelf))
    app.router.add_get(f"{base}/instances/{{id}}", _one(shelf))
    meta = {"meta": {"total": 0, "links": {"next": "", "prev": ""}}}
    for path, key in (("os", "os"), ("plans", "plans"), ("regions", "regions")):
        _offer(app, f"{base}/{path}", key, meta)
    return app


def linode(shelf: Shelf) -> web.Application:
    """``api.linode.com``, version 4: labels are unique in an account."""

    def shown(machine: Machine) -> dict[str, Any]:
        nothing: dict[str, Any] = {"specs": {}, "alerts": {}, "backups": {}}
        return nothing | {
            "id": int(machine.identity),
            "label": machine.name,
            "status": "running",
            "tags": machine.order["tags"],
            "region": machine.order["region"],
            "type": machine.order["type"],
            "image": machine.order["image"],
            "ipv4": [f"192.168.1.{int(machine.identity) % 250}"],
            "ipv6": "::1/128",
            "hypervisor": "kvm",
            "watchdog_enabled": True,
            "created": "2026-01-02T03:04:05",
        }

    async def listed(request: web.Request) -> web.Response:
        size, page = shelf.page_size, int(request.query.get("page", "1"))
        everything = list(shelf.machines.values())
        part = [shown(each) for each in everything[(page - 1) * size : page * size]]
        return web.json_response({"data": part, "page": page, "pages": max(1, -(-len(everything) // size))})

    async def ordered(request: web.Request) -> web.Response:
        order = await request.json()
        if shelf.named(order["label"]) is not None:
            return _reasons(400, "Label must be unique among your linodes", "label")
        if order["image"] == NO_IMAGE:
            return _reasons(400, f"image is not valid: {NO_IMAGE}", "image")
        told = order.get("metadata", {}).get("user_data", "")
        machine = shelf.add(order["label"], order, base64.b64decode(told))
        if machine is None:
            return _reasons(400, "Account Limit reached. Please open a support ticket.", "")
        return web.json_response(shown(machine))

    app = web.Application()
    base = "/api.linode.com/v4"
    app.router.add_get(f"{base}/linode/instances", listed)
    app.router.add_post(f"{base}/linode/instances", ordered)
    app.router.add_delete(f"{base}/linode/instances/{{id}}", _destroyed(shelf, 200))
    app.router.add_get(f"{base}/linode/instances/{{id}}", _one(shelf))
    for path in ("images", "linode/types", "regions"):
        _offer(app, f"{base}/{path}", "data", {"page": 1, "pages": 1})
    return app


def scaleway(shelf: Shelf) -> web.Application:
    """``cp-par1.scaleway.com``: a server is created first, and switched on by a second request."""

    def shown(machine: Machine) -> dict[str, Any]:
        return {
            "id": machine.identity,
            "name": machine.name,
            "state": machine.state,
            "public_ip": None,
            "private_ip": f"10.0.0.{int(machine.identity) % 250}",
            "location": None,
            "volumes": {},
            "tags": machine.order["tags"],
            "arch": "x86_64",
            "organization": "o",
            "creation_date": "2026-01-02T03:04:05.000000+00:00",
        }

    async def listed(_: web.Request) -> web.Response:
        return web.json_response({"servers": [shown(each) for each in shelf.machines.values()]})

    async def ordered(request: web.Request) -> web.Response:
        order = await request.json()
        if order["image"] == NO_IMAGE:
            return _said(404, f'"{NO_IMAGE}" not found')
        machine = shelf.add(order["name"], order)
        if machine is None:
            return _said(403, "Quota exceeded for this resource: servers")
        machine.state = "stopped"
        return web.json_response({"server": shown(machine)}, status=201)

    async def acted(request: web.Request) -> web.Response:
        machine = shelf.machines.get(request.match_info["id"])
        action = (await request.json())["action"]
        if machine is None:
            return _said(404, "not found")
        if action == "poweron":
            machine.state = "running"
        elif machine.state == "stopped":
            return _said(400, "server should be running")
        else:
            shelf.remove(machine.identity)
        return web.json_response({"task": {"status": "pending"}}, status=202)

    app = web.Application()
    base = "/cp-par1.scaleway.com"
    app.router.add_get(f"{base}/servers", listed)
    app.router.add_post(f"{base}/servers", ordered)
    app.router.add_post(f"{base}/servers/{{id}}/action", acted)
    app.router.add_delete(f"{base}/servers/{{id}}", _destroyed(shelf))
    app.router.add_get(f"{base}/servers/{{id}}", _one(shelf))
    _offer(app, f"{base}/images", "images", {})
    for path in ("products/servers", "products/servers/availability"):
        app.router.add_get(f"{base}/{path}", _answers({"servers": {}}))
    return app


def _destroyed(shelf: Shelf, status: int = 204) -> Any:
    """Answers a DELETE."""

    async def handler(request: web.Request) -> web.Response:
        if not shelf.remove(request.match_info["id"]):
            return _said(404, "The resource you requested could not be found.")
        return web.json_response({}, status=status) if status == 200 else web.Response(status=status)

    return handler


def _one(shelf: Shelf) -> Any:
    """Answers a question for one machine."""

    async def handler(request: web.Request) -> web.Response:
        known = request.match_info["id"] in shelf.machines
        return web.json_response({}) if known else _said(404, "The resource you requested could not be found.")

    return handler


def _offer(app: web.Application, path: str, key: str, more: dict[str, Any]) -> None:
    app.router.add_get(path, _answers({key: [], **more}))


def _answers(body: dict[str, Any]) -> Any:
    async def handler(_: web.Request) -> web.Response:
        return web.json_response(body)

    return handler


def _said(status: int, message: str) -> web.Response:
    return web.json_response({"id": "error", "message": message}, status=status)


def _reasons(status: int, reason: str, field: str) -> web.Response:
    return web.json_response({"errors": [{"reason": reason, "field": field}]}, status=status)
