"""
The control surface over HTTP, for tests whose fake EC2 runs as a process of its own.

Owns: ``/_faults``, ``/_knobs``, ``/_ledger``, ``/_kill/ID``, ``/_plant``, ``/_release``; all JSON, none signed. Does
not own: what they change; in one process the objects themselves are the control surface.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from tests.fake_ec2.faults import Fault, FaultPlan
from tests.fake_ec2.knobs import DIALECTS
from tests.fake_ec2.mischief import Mischief
from tests.fake_ec2.world import Order, World

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_control(application: web.Application, world: World, plan: FaultPlan, mischief: Mischief) -> None:
    """Nothing; *application* answers below ``/_``."""
    router = application.router
    router.add_get("/_ledger", _ledger(world))
    router.add_get("/_faults", _faults(plan))
    router.add_put("/_faults", _faults(plan))
    router.add_post("/_faults", _faults(plan))
    router.add_put("/_knobs", _knobs(world))
    router.add_post("/_kill/{machine_id}", _kill(world))
    router.add_post("/_plant", _plant(world))
    router.add_post("/_release", _release(mischief))


def _ledger(world: World) -> Handler:
    async def handle(_request: web.Request) -> web.StreamResponse:
        return web.json_response(world.ledger.as_json())

    return handle


def _faults(plan: FaultPlan) -> Handler:
    """GET tells the plan, POST adds a list of faults to it, PUT replaces it by one."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.method != "GET":
            try:
                faults = [Fault.parse(values) for values in await request.json()]
            except (ValueError, TypeError) as error:
                raise web.HTTPBadRequest(text=str(error)) from error
            if request.method == "PUT":
                plan.clear()
            plan.add(*faults)
        return web.json_response(plan.as_json())

    return handle


def _knobs(world: World) -> Handler:
    """``{"dialect": "moto"}`` takes a whole preset; other names change single knobs."""

    async def handle(request: web.Request) -> web.StreamResponse:
        changes = await request.json()
        try:
            base = DIALECTS[changes["dialect"]] if "dialect" in changes else world.knobs
            world.knobs = base.changed(changes)
        except (KeyError, ValueError) as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return web.json_response({"dialect": world.knobs.dialect})

    return handle


def _kill(world: World) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        machine_id = request.match_info["machine_id"]
        if machine_id not in world.machines:
            raise web.HTTPNotFound(text=machine_id)
        world.kill(machine_id)
        return web.json_response({"killed": machine_id})

    return handle


def _plant(world: World) -> Handler:
    """``{"access_key_id", "count", "foreign", ...}`` with any field of an order, such as ``tags`` and ``token``."""

    async def handle(request: web.Request) -> web.StreamResponse:
        asked: Mapping[str, Any] = await request.json()
        own = {"access_key_id", "count", "foreign"}
        try:
            order = Order(**{name: value for name, value in asked.items() if name not in own})
        except TypeError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        account = world.account_of(asked["access_key_id"])
        machines = world.plant(
            account.account_id, order, count=asked.get("count", 1), foreign=asked.get("foreign", True)
        )
        return web.json_response({"planted": [machine.machine_id for machine in machines]})

    return handle


def _release(mischief: Mischief) -> Handler:
    async def handle(_request: web.Request) -> web.StreamResponse:
        mischief.release()
        return web.json_response({})

    return handle
