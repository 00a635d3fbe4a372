"""
Sensors, put together: the receiver, the regular jobs, and what the reconciler asks.

Owns: which part is handed to which, as ``app`` does for the whole. Does not own: any behaviour of theirs.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial

from aiohttp import web

from phantom_gateway.config import Config
from phantom_gateway.front.opentsdb import OpenTsdbDoor, http_on
from phantom_gateway.installation import Installation, InstallationError
from phantom_gateway.operations.desk import to_nobody
from phantom_gateway.records.session import Connection
from phantom_gateway.sensors.intake import Intake
from phantom_gateway.sensors.monitors import Monitor, OpenTsdb, Prometheus
from phantom_gateway.sensors.polling import Poller
from phantom_gateway.sensors.readings import GatewaySensors, Subjects
from phantom_gateway.sensors.receiver import Receiver
from phantom_gateway.sensors.senders import Senders, TokenOwner
from reconciler.model import SensorSource

log = logging.getLogger(__name__)


class Sensing:
    """
    Everything about sensors of one gateway. *wake* asks for a pass of a group; *owner_of* knows tokens; *pass_on* tells
    the gateway that works on a group.
    """

    def __init__(
        self,
        config: Config,
        installation: Installation,
        now: Callable[[], datetime],
        wake: Callable[[str], None],
        owner_of: TokenOwner,
        pass_on: Callable[[Connection, str], None] = to_nobody,
    ) -> None:
        settings, database = config.sensors, installation.database
        self._config = config
        self._now = now
        self.intake = Intake(database, now, wake, settings.series_per_user_max, pass_on)
        self._senders = Senders(database, now, owner_of, anonymous=settings.anonymous)
        self.door = OpenTsdbDoor(self.intake, self._senders, database, now, knows_neighbours=False)
        """For the server that everybody reaches."""
        subjects = Subjects(database, self.intake)
        monitors: dict[SensorSource, Monitor] = {}
        if settings.opentsdb is not None:
            monitors[SensorSource.OPENTSDB] = OpenTsdb(settings.opentsdb.url, settings.opentsdb.timeout_s)
        if settings.prometheus is not None:
            monitors[SensorSource.PROMETHEUS] = Prometheus(settings.prometheus.url, settings.prometheus.timeout_s)
        self._pollers = {
            source: Poller(monitor, subjects, now, wake, settings.poll_interval_s)
            for source, monitor in monitors.items()
        }
        self.sensors = GatewaySensors(database, self.intake, self._pollers)

    def start(self, tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """The regular jobs, begun."""
        return [tasks.create_task(job) for job in (self.intake.run(), *(each.run() for each in self._pollers.values()))]

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[int | None]:
        """
        The port of the receiver; None without one. What came in is written on leaving.

        Raises InstallationError when a port was configured that cannot be had; the embedded default does without.
        """
        settings = self._config.sensors
        app = web.Application()
        replace(self.door, knows_neighbours=True).routes(app)
        async with AsyncExitStack() as closing:
            closing.push_async_callback(self.intake.write)
            runner = web.AppRunner(app, handle_signals=False, access_log=None)
            closing.push_async_callback(runner.cleanup)
            await runner.setup()
            server = runner.server
            assert server is not None
            receiver = Receiver(self.intake, self._senders, partial(http_on, server), self._now)
            port = None
            if settings.port is not None:
                try:
                    port = await closing.enter_async_context(receiver.listening(settings.host, settings.port))
                except OSError as error:
                    self._without_receiver(settings.host, settings.port, error)
            log.info("sensors.receiving", extra={"port": port})
            yield port

    def _without_receiver(self, host: str, port: int, error: OSError) -> None:
        if not self._config.is_embedded_default:
            raise InstallationError(
                f"Cannot listen on port {port} of {host} ({error.strerror}); set port in [sensors] of the "
                "configuration, or stop what listens there."
            ) from error
        log.warning("sensors.no_receiver", extra={"port": port, "reason": error.strerror})
