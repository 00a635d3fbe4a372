"""
Whether the gateway lives, and whether it can work: for supervisors and load balancers.

Owns: ``/healthz`` and ``/readyz``. Neither needs a signature, and neither says anything about anybody's groups.
"""

from dataclasses import dataclass

from aiohttp import web

from phantom_gateway.records import groups
from phantom_gateway.records.session import Database, RecordsUnavailable


@dataclass(frozen=True, slots=True)
class StatusDoor:
    """Answers in one word of JSON."""

    database: Database

    async def healthz(self, _request: web.Request) -> web.Response:
        """200 while the process answers at all."""
        return web.json_response({"status": "ok"})

    async def readyz(self, _request: web.Request) -> web.Response:
        """200 when the records can be read, 503 when they cannot."""
        try:
            await self.database.read(groups.uids)
        except RecordsUnavailable:
            return web.json_response({"status": "records unavailable"}, status=503)
        return web.json_response({"status": "ready"})
