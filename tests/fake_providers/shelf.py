"""
What all small providers of these tests have in common: machines by id, room, and a way for real requests to reach them.

Owns: that memory, and sending what is meant for a provider's host to a server in this loop. Does not own: any API.
"""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from aiohttp import web

from tests.fake_ec2.serving import Served


@dataclass
class Machine:
    """One machine of a provider. *order* is what was asked for, as it was asked."""

    identity: str
    name: str
    order: dict[str, Any]
    user_data: bytes = b""
    state: str = "running"


@dataclass
class Shelf:
    """The machines of one provider. *room*: how many more fit."""

    first_id: int = 1001
    room: int = 100
    page_size: int = 100
    machines: dict[str, Machine] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    fails: dict[str, int] = field(default_factory=dict)
    """By method: the status that its next request is answered with, after it was carried out."""

    def __post_init__(self) -> None:
        self._ids = itertools.count(self.first_id)

    def add(self, name: str, order: dict[str, Any], user_data: bytes = b"") -> Machine | None:
        """The new machine; None when there is no room."""
        if self.room < 1:
            return None
        self.room -= 1
        machine = Machine(str(next(self._ids)), name, order, user_data)
        self.machines[machine.identity] = machine
        return machine

    def remove(self, identity: str) -> bool:
        """True when there was such a machine."""
        return self.machines.pop(identity, None) is not None

    def named(self, name: str) -> Machine | None:
        """The machine of that name."""
        return next((each for each in self.machines.values() if each.name == name), None)


@asynccontextmanager
async def reached(app: web.Application, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    """
    *app* serves every provider's host: ``https://api.example.com/x`` is asked for as ``/api.example.com/x`` there.

    Everything else is as it is in the world: sockets, timeouts, headers, octets.
    """

    @web.middleware
    async def noted(request: web.Request, handler: Any) -> web.StreamResponse:
        shelf.requests.append((request.method, request.path))
        answer: web.StreamResponse = await handler(request)
        status = shelf.fails.pop(request.method, 0)
        return web.json_response({"message": "the provider's words"}, status=status) if status else answer

    app.middlewares.append(noted)
    async with Served(app) as served:
        real = requests.Session.request

        def redirected(self: requests.Session, method: str, url: str, **more: Any) -> requests.Response:
            parts = urlsplit(url)
            if parts.hostname != "127.0.0.1":
                url = f"{served.url}/{parts.hostname}{parts.path}" + (f"?{parts.query}" if parts.query else "")
                more["headers"] = {key: value for key, value in more["headers"].items() if key != "Host"}
            return real(self, method, url, **more)

        monkeypatch.setattr(requests.Session, "request", redirected)
        yield served
