"""
CloudStack, Google Compute Engine and Azure in small: jobs and operations that are asked for until they are done.

Owns: those three APIs, as far as launching machines takes. Sources: their API references.
"""

import base64
from typing import Any

from aiohttp import web

from tests.fake_providers.shelf import Machine, Shelf
from tests.fake_providers.simple import NO_IMAGE

GOOGLE = "https://www.googleapis.com/compute/v1/projects/demo"
SUBSCRIPTION = "/management.azure.com/subscriptions/s-1"
_TEMPLATE = {
    "id": "t1",
    "name": "tiny",
    "hypervisor": "KVM",
    "format": "QCOW2",
    "ostypename": "x",
    "displaytext": "tiny",
}
GROUP = f"{SUBSCRIPTION}/resourceGroups/web"


def cloudstack(shelf: Shelf) -> web.Application:
    """A management server at ``/client/api``: everything is a GET, and what takes time is a job."""
    jobs: dict[str, dict[str, Any]] = {}

    def shown(machine: Machine) -> dict[str, Any]:
        nic = {"ipaddress": f"10.0.0.{int(machine.identity) % 250}"}
        return {"id": machine.identity, "name": machine.name, "state": "Running", "nic": [nic]}

    def job(kind: str, result: dict[str, Any], status: int = 1) -> dict[str, Any]:
        jobs[str(len(jobs))] = {"jobstatus": status, "jobresult": result}
        return {f"{kind.lower()}response": {"jobid": str(len(jobs) - 1)}}

    def deployed(asked: Any) -> dict[str, Any]:
        machine = shelf.add(asked["name"], dict(asked), base64.b64decode(asked.get("userdata", "")))
        if machine is None:
            full = {"errorcode": 533, "errortext": "Unable to create a deployment for VM[User]: insufficient capacity"}
            return job("deployVirtualMachine", full, 2)
        return job("deployVirtualMachine", {"virtualmachine": shown(machine)})

    def destroyed(asked: Any) -> dict[str, Any]:
        shelf.remove(asked["id"])
        return job("destroyVirtualMachine", {"virtualmachine": {"id": asked["id"]}})

    async def answered(request: web.Request) -> web.Response:
        asked = request.query
        lists: dict[str, Any] = {
            "listVirtualMachines": {"virtualmachine": [shown(each) for each in shelf.machines.values()]},
            "listZones": {"zone": [{"id": "z1", "name": "zone-one"}]},
            "listTemplates": {"template": [_TEMPLATE]},
            "listServiceOfferings": {
                "serviceoffering": [{"id": "o1", "name": "small", "memory": 512, "cpunumber": 1, "cpuspeed": 1}]
            },
        }
        command = asked["command"]
        if command == "deployVirtualMachine":
            return web.json_response(deployed(asked))
        if command == "destroyVirtualMachine":
            return web.json_response(destroyed(asked))
        if command == "queryAsyncJobResult":
            return web.json_response({"queryasyncjobresultresponse": jobs[asked["jobid"]]})
        return web.json_response({f"{command.lower()}response": lists.get(command, {})})

    app = web.Application()
    app.router.add_get("/client/api", answered)
    return app


def gce(shelf: Shelf) -> web.Application:
    """``www.googleapis.com``: names are unique in a zone, and every order is an operation."""
    zone = _thing(f"{GOOGLE}/zones/north-a", "north-a") | {"region": f"{GOOGLE}/regions/north"}
    operations: dict[str, dict[str, Any]] = {}

    def shown(machine: Machine) -> dict[str, Any]:
        return {
            "id": machine.identity,
            "name": machine.name,
            "status": "RUNNING",
            "zone": zone["selfLink"],
            "machineType": f"{GOOGLE}/zones/north-a/machineTypes/small",
            "creationTimestamp": "2026-01-02T03:04:05.000-08:00",
            "tags": {"fingerprint": "x"},
            "disks": [],
            "networkInterfaces": [{"networkIP": f"10.0.0.{int(machine.identity) % 250}"}],
            "labels": machine.order.get("labels", {}),
        }

    def operation(error: dict[str, Any] | None = None) -> web.Response:
        name = f"operation-{len(operations)}"
        started = {"name": name, "selfLink": f"{GOOGLE}/zones/north-a/operations/{name}", "status": "PENDING"}
        operations[name] = started | {"status": "DONE"} | ({"error": {"errors": [error]}} if error else {})
        return web.json_response(started)

    async def ordered(request: web.Request) -> web.Response:
        order = await request.json()
        if shelf.named(order["name"]) is not None:
            return _google(409, "alreadyExists", f"The resource '{order['name']}' already exists")
        items = order.get("metadata", {}).get("items", [])
        told = next((each["value"] for each in items if each["key"] == "user-data"), "")
        machine = shelf.add(order["name"], order, told.encode())
        full = {"code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": "The zone does not have enough resources available"}
        return operation(full if machine is None else None)

    async def deleted(request: web.Request) -> web.Response:
        machine = shelf.named(request.match_info["name"])
        if machine is None:
            return _google(404, "notFound", "The resource was not found")
        shelf.remove(machine.identity)
        return operation()

    async def listed(_: web.Request) -> web.Response:
        return web.json_response({"items": [shown(each) for each in shelf.machines.values()]})

    async def one(request: web.Request) -> web.Response:
        machine = shelf.named(request.match_info["name"])
        return _google(404, "notFound", "not found") if machine is None else web.json_response(shown(machine))

    async def polled(request: web.Request) -> web.Response:
        return web.json_response(operations[request.match_info["name"]])

    app = web.Application()
    base = "/www.googleapis.com/compute/v1/projects/demo"
    app.router.add_get(f"{base}/zones/north-a/instances", listed)
    app.router.add_post(f"{base}/zones/north-a/instances", ordered)
    app.router.add_get(f"{base}/zones/north-a/instances/{{name}}", one)
    app.router.add_delete(f"{base}/zones/north-a/instances/{{name}}", deleted)
    app.router.add_get(f"{base}/zones/north-a/operations/{{name}}", polled)
    _add_what_google_offers(app, base, zone)
    return app


def _add_what_google_offers(app: web.Application, base: str, zone: dict[str, Any]) -> None:
    """Nothing; log-in, one zone of one region, one machine type, one image, one network."""

    async def imaged(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name == NO_IMAGE:
            return _google(404, "notFound", f"The resource '{name}' was not found")
        return web.json_response(_thing(f"{GOOGLE}/global/images/{name}", name))

    app.router.add_post("/accounts.google.com/o/oauth2/token", _token)
    app.router.add_post("/oauth2.googleapis.com/token", _token)
    app.router.add_get(f"{base}/zones/north-a", _says(zone))
    app.router.add_get(f"{base}/zones", _says({"items": [zone]}))
    region = _thing(f"{GOOGLE}/regions/north", "north") | {"zones": [zone["selfLink"]]}
    app.router.add_get(f"{base}/regions/north", _says(region))
    app.router.add_get(f"{base}/regions", _says({"items": [region]}))
    kind = _thing(f"{GOOGLE}/zones/north-a/machineTypes/small", "small") | {"guestCpus": 1, "memoryMb": 512}
    app.router.add_get(f"{base}/zones/north-a/machineTypes/small", _says(kind | {"zone": zone["selfLink"]}))
    app.router.add_get(f"{base}/zones/north-a/machineTypes", _says({"items": []}))
    disk = _thing(f"{GOOGLE}/zones/north-a/diskTypes/pd-standard", "pd-standard") | {"zone": zone["selfLink"]}
    app.router.add_get(f"{base}/zones/north-a/diskTypes/pd-standard", _says(disk))
    network = _thing(f"{GOOGLE}/global/networks/default", "default") | {"autoCreateSubnetworks": True}
    app.router.add_get(f"{base}/global/networks/default", _says(network))
    app.router.add_get(f"{base}/aggregated/disks", _says({"items": {}}))
    app.router.add_get(f"{base}/aggregated/{{what}}", _says({"items": {}}))
    image = _thing(f"{GOOGLE}/global/images/debian-12", "debian-12")
    app.router.add_get(f"{base}/global/images", _says({"items": [image]}))
    app.router.add_get(f"{base}/global/images/{{name}}", imaged)
    app.router.add_get("/www.googleapis.com/compute/v1/projects/{other}/global/images/{name}", imaged)
    app.router.add_get("/www.googleapis.com/compute/v1/projects/{other}/global/images", _says({"items": []}))


def azure(shelf: Shelf) -> web.Application:
    """``management.azure.com``: a VM is put under its name, after its network card."""

    def shown(machine: Machine) -> dict[str, Any]:
        order = machine.order
        return {**order, "properties": {**order["properties"], "provisioningState": "Succeeded"}}

    async def logged_in(_: web.Request) -> web.Response:
        return web.json_response({"access_token": "t", "expires_on": "4102444800"})

    async def listed(_: web.Request) -> web.Response:
        return web.json_response({"value": [shown(each) for each in shelf.machines.values()]})

    async def put(request: web.Request) -> web.Response:
        order, name = await request.json(), request.match_info["name"]
        known = shelf.named(name)
        if known is not None:
            return web.json_response(shown(known))
        if order["properties"]["storageProfile"]["imageReference"]["offer"] == NO_IMAGE:
            return _azure(404, "PlatformImageNotFound", f"There is no image 'Debian:{NO_IMAGE}:12:latest'")
        machine = shelf.add(name, order, base64.b64decode(order["properties"]["osProfile"].get("customData", "")))
        if machine is None:
            return _azure(409, "SkuNotAvailable", "The requested size is currently not available: no capacity")
        shelf.machines[order["id"]] = shelf.machines.pop(machine.identity)
        machine.identity = order["id"]
        return web.json_response(shown(machine), status=201)

    async def one(request: web.Request) -> web.Response:
        machine = shelf.named(request.match_info["name"])
        return _azure(404, "ResourceNotFound", "gone") if machine is None else web.json_response(shown(machine))

    async def viewed(request: web.Request) -> web.Response:
        if shelf.named(request.match_info["name"]) is None:
            return _azure(404, "ResourceNotFound", "gone")
        codes = ("ProvisioningState/succeeded", "PowerState/running")
        return web.json_response({"statuses": [{"code": code} for code in codes]})

    async def deleted(request: web.Request) -> web.Response:
        machine = shelf.named(request.match_info["name"])
        return web.Response(status=204) if machine is None else _gone(shelf, machine)

    app = web.Application()
    machines = f"{GROUP}/providers/Microsoft.Compute/virtualMachines"
    app.router.add_post("/login.microsoftonline.com/t-1/oauth2/token", logged_in)
    app.router.add_get(machines, listed)
    app.router.add_put(f"{machines}/{{name}}", put)
    app.router.add_get(f"{machines}/{{name}}", one)
    app.router.add_get(f"{machines}/{{name}}/InstanceView", viewed)
    app.router.add_delete(f"{machines}/{{name}}", deleted)
    _add_network_cards(app)
    sizes = f"{SUBSCRIPTION}/providers/Microsoft.Compute/locations/north/vmSizes"
    app.router.add_get(sizes, _says({"value": []}))
    app.router.add_get(f"{SUBSCRIPTION}/providers/Microsoft.Compute", _says({"resourceTypes": []}))
    return app


def _add_network_cards(app: web.Application) -> None:
    """Nothing; network cards can be made, shown and removed."""
    cards: dict[str, Any] = {}

    async def carded(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        identity = request.path.removeprefix("/management.azure.com")
        cards[name] = {"id": identity, "name": name, **(await request.json())}
        return web.json_response(cards[name], status=201)

    async def card(request: web.Request) -> web.Response:
        return web.json_response(cards[request.match_info["name"]])

    async def uncarded(request: web.Request) -> web.Response:
        cards.pop(request.match_info["name"], None)
        return web.json_response({}, status=200)

    nic = f"{GROUP}/providers/Microsoft.Network/networkInterfaces/{{name}}"
    app.router.add_put(nic, carded)
    app.router.add_get(nic, card)
    app.router.add_delete(nic, uncarded)


def _gone(shelf: Shelf, machine: Machine) -> web.Response:
    shelf.remove(machine.identity)
    return web.json_response({}, status=202)


def _thing(link: str, name: str) -> dict[str, Any]:
    return {"id": "1", "name": name, "selfLink": link, "status": "READY", "creationTimestamp": "2026-01-02T03:04:05Z"}


async def _token(_: web.Request) -> web.Response:
    return web.json_response({"access_token": "t", "expires_in": 3600, "token_type": "Bearer"})


def _says(body: dict[str, Any]) -> Any:
    async def handler(_: web.Request) -> web.Response:
        return web.json_response(body)

    return handler


def _google(status: int, reason: str, message: str) -> web.Response:
    error = {"code": status, "message": message, "errors": [{"reason": reason, "message": message}]}
    return web.json_response({"error": error}, status=status)


def _azure(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status)
