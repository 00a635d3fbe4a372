"""Sensors as part of a whole gateway: the embedded default, and the server's own port."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from phantom_gateway import clock, tokens
from phantom_gateway.app import Running, serving
from phantom_gateway.config import load
from phantom_gateway.records import users
from tests.phantom_gateway.sensors.station import until


@asynccontextmanager
async def embedded(directory: Path, sensor_port: int) -> AsyncIterator[Running]:
    """The embedded default in *directory*, on free ports but for the receiver's."""
    environ = {"HOME": str(directory)}
    config = load(None, environ)
    assert config.sensors.port == 4242
    config = replace(config, server=replace(config.server, port=0), sensors=replace(config.sensors, port=sensor_port))
    async with serving(config, environ) as running:
        yield running


async def request(port: int, method: str, path: str, body: Any = None) -> tuple[int, str]:
    """Status and text of the answer."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"http://127.0.0.1:{port}{path}", data=json.dumps(body)) as answer,
    ):
        return answer.status, await answer.text()


async def test_the_embedded_default_does_without_a_port_that_is_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Two gateways of two users on one machine, or an OpenTSDB, are no reason not to start."""
    caplog.set_level(logging.WARNING)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        async with embedded(tmp_path, other.getsockname()[1]) as running:
            assert running.sensor_port is None
            assert "sensors.no_receiver" in caplog.messages
            assert (await request(running.port, "GET", "/healthz"))[0] == 200


async def test_the_servers_own_port_takes_samples_of_those_it_knows(tmp_path: Path) -> None:
    """It is where TLS is; and no neighbour is believed there, for a proxy may stand before it."""
    point = {"metric": "load", "timestamp": 1, "value": 1, "tags": {"host": "x"}}
    async with embedded(tmp_path, 0) as running:
        assert running.sensor_port is not None
        status, text = await request(running.port, "POST", "/api/put?details", point)
        assert (status, json.loads(text)["errors"][0]["error"]) == (400, "anonymous")
        status, text = await request(running.sensor_port, "POST", "/api/put?details", point)
        assert (status, json.loads(text)["errors"][0]["error"]) == (400, "unknown host")
        assert (await request(running.port, "GET", "/q?start=1h-ago&m=avg:load&ascii"))[0] == 401
        assert (await request(running.sensor_port, "GET", "/q?start=1h-ago&m=avg:load&ascii")) == (200, "")


async def test_a_token_of_the_json_api_sends_samples(tmp_path: Path) -> None:
    """The same token, until it is revoked: nobody needs another kind of credentials for sensors."""
    async with embedded(tmp_path, 0) as running:
        database = running.installation.database
        (user,) = database.read_now(users.everyone)
        now = clock.now()
        make = partial(tokens.make, user_id=user.id, name="vms", scopes=frozenset(), now=now, valid=None)
        token = database.write_now(make).text.reveal()

        def point(**tags: str) -> dict[str, Any]:
            return {"metric": "load", "timestamp": now.timestamp(), "value": 1, "tags": {"domain": "db", **tags}}

        async def said(**tags: str) -> str:
            _, text = await request(running.port, "POST", "/api/put?details", point(**tags))
            return str(json.loads(text)["errors"][0]["error"])

        assert await said(token=token) == "unknown domain"
        assert await said(token=token, user=user.name) == "unknown domain"
        assert await said(token=token, user="another") == "bad credentials"
        assert await said(token=token[:-1] + "!") == "bad credentials"


async def test_connections_end_with_the_gateway(tmp_path: Path) -> None:
    """A sender that stays does not keep it from ending, and sees its end."""
    async with embedded(tmp_path, 0) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.sensor_port)
        writer.write(b"version\n")
        assert await reader.readline() != b""
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    await until(writer.is_closing, "the end")
