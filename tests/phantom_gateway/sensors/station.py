"""
A station for tests of sensors: an office with a group in service, and the real receiver on a real socket.

Owns: putting the parts together, talking to the socket, and looking at what was kept.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from phantom_gateway.config import Config, MonitorSettings, SensorsSettings
from phantom_gateway.installation import Installation
from phantom_gateway.records import instances, sensors, users
from phantom_gateway.records.session import Connection
from phantom_gateway.records.tables import sensor_series
from phantom_gateway.records.users import User
from phantom_gateway.sensing import Sensing
from tests.phantom_gateway.office import Office

TOKEN = "5q1-abcdefghij0123456789"


@dataclass(slots=True)
class Station:
    """One gateway's sensors, and the office they belong to. *woken* has the groups that got a pass."""

    office: Office
    sensing: Sensing
    port: int
    woken: list[str]
    ids: list[str]
    """Of the instances of the group web."""

    @property
    def counts(self) -> dict[str, int]:
        """What was counted so far."""
        return dict(self.sensing.intake.counts)

    def put(self, value: float = 1.5, metric: str = "load", ago_s: float = 0, **tags: str) -> str:
        """A line that counts for the first instance, unless the tags say otherwise."""
        tags = tags or {"host": self.ids[0]}
        at = self.office.now - timedelta(seconds=ago_s)
        return f"put {metric} {at.timestamp():.0f} {value} " + " ".join(f"{k}={v}" for k, v in tags.items()) + "\n"

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection to the receiver, closed on leaving."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def say(self, *lines: str | bytes) -> bytes:
        """What was answered to *lines* until the receiver had read all of them and closed."""
        async with self.connection() as (reader, writer):
            writer.write(b"".join(line if isinstance(line, bytes) else line.encode() for line in lines))
            writer.write(b"exit\n")
            return await reader.read()

    async def http(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and body, decoded where it is JSON."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        head = {"Host": "x", "Content-Length": str(len(data)), "Connection": "close", **(headers or {})}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        async with self.connection() as (reader, writer):
            writer.write(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + data)
            answer = await reader.read()
        top, _, rest = answer.partition(b"\r\n\r\n")
        text = rest.decode()
        return int(top.split()[1]), json.loads(text) if b"application/json" in top else text

    async def kept(self) -> dict[tuple[str, int, str], float]:
        """The latest value of every series in the records, after they were written: (group uid, key, metric)."""
        await self.sensing.intake.write()

        def job(connection: Connection) -> list[Any]:
            columns = sensor_series.c
            return list(
                connection.execute(
                    sa.select(columns.group_uid, columns.instance_key, columns.metric, columns.last_value)
                )
            )

        return {(row[0], row[1], row[2]): row[3] for row in await self.office.database.read(job)}

    def key(self, number: int = 0, user: User | None = None, instance_id: str | None = None) -> int:
        """The ledger's key of an instance of the group web, or of a user's instance with this id."""
        user_id = (user or self.office.user).id
        ids = [instance_id or self.ids[number]]
        (row,) = self.office.database.read_now(lambda connection: instances.by_instance_ids(connection, user_id, ids))
        return row.id

    def series(self, metric: str = "load", number: int = 0) -> tuple[str, int, str]:
        """The name of a series of an instance, as ``kept`` has it."""
        return self.office.uid(), self.key(number), metric

    def of_group(self, metric: str) -> tuple[str, int, str]:
        """The name of a series of the group itself."""
        return self.office.uid(), sensors.GROUP_ITSELF, metric

    def set_address(
        self, number: int, user: User | None = None, instance_id: str | None = None, **columns: str
    ) -> None:
        """Nothing; an instance has these addresses."""
        key = self.key(number, user, instance_id)
        self.office.database.write_now(lambda connection: instances.change(connection, [key], columns))


@asynccontextmanager
async def opened(
    directory: Path,
    *,
    anonymous: bool = True,
    series_per_user_max: int = 1_000,
    opentsdb: str | None = None,
    prometheus: str | None = None,
    tags: dict[str, str] | None = None,
    url: str | None = None,
) -> AsyncIterator[Station]:
    """A station whose group web has two instances in service, and whose user alice has the token ``TOKEN``."""
    office = Office(directory, url=url)
    office.create_launch_configuration()
    shown = [
        {"Key": k, "Value": v, "ResourceId": "web", "ResourceType": "auto-scaling-group"}
        for k, v in (tags or {}).items()
    ]
    office.create_group("web", **({"Tags": shown} if shown else {}))
    ids = await office.fill_now()
    settings = SensorsSettings(
        port=0,
        anonymous=anonymous,
        series_per_user_max=series_per_user_max,
        poll_interval_s=1,
        opentsdb=None if opentsdb is None else MonitorSettings(opentsdb, 1.0),
        prometheus=None if prometheus is None else MonitorSettings(prometheus, 2.0),
    )
    config = Config(source=directory / "phantom.toml", state_directory=directory, sensors=settings)
    installation = Installation(config, office.database, office.keyring, "gw", b"")
    woken: list[str] = []

    def owner_of(connection: Connection, token: str, _now: datetime) -> User | None:
        return users.by_name(connection, "alice") if token == TOKEN else None

    sensing = Sensing(config, installation, lambda: office.now, woken.append, owner_of)
    async with sensing.receiving() as port:
        assert port is not None
        try:
            yield Station(office, sensing, port, woken, ids)
        finally:
            for timer in sensing.intake._waking.values():
                timer.cancel()
    office.close()


async def until(condition: Any, what: str, wait_s_max: float = 20.0) -> None:
    """Nothing, as soon as *condition* is true. Raises AssertionError that names *what* did not happen."""
    loop = asyncio.get_running_loop()
    due_s = loop.time() + wait_s_max
    while not condition():
        if loop.time() > due_s:
            raise AssertionError(f"waited {wait_s_max:.0f} s for {what}")
        await asyncio.sleep(0.01)
