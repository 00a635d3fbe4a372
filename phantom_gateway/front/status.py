"""
Whether the gateway lives, whether it can work, and how it does: for supervisors, load balancers and Prometheus.

Owns: ``/healthz``, ``/readyz`` and ``/metrics``. None needs a signature, and none says anything about anybody's groups.
"""

from dataclasses import dataclass

from aiohttp import web

from phantom_gateway.metrics import CONTENT_TYPE, Counted, Figures, Meter, exposition
from phantom_gateway.records import groups, instances
from phantom_gateway.records.session import Connection, Database, RecordsUnavailable


@dataclass(frozen=True, slots=True)
class StatusDoor:
    """Answers in one word of JSON, or in figures."""

    database: Database
    meter: Meter
    figures: Figures

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

    async def metrics(self, _request: web.Request) -> web.Response:
        """200 with all figures; those of the records are left out while they cannot be read."""
        try:
            self.figures.counted = await self.database.read(_count)
        except RecordsUnavailable:
            self.figures.counted = None
        return web.Response(body=exposition(self.meter.registry), headers={"Content-Type": CONTENT_TYPE})


def _count(connection: Connection) -> Counted:
    living, deleting, desired = groups.totals(connection)
    return Counted({"living": living, "deleting": deleting}, desired, instances.by_cloud_and_state(connection))
