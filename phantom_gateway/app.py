"""
The wiring: builds everything top to bottom, runs it, and takes it down in the opposite order.

Owns: which part is handed to which. Does not own: any behaviour.
"""

import asyncio
import logging
import random
import secrets
import signal
import ssl
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiohttp import web

from backends.cloud import Cloud, token_for
from backends.threads import Threads
from phantom_gateway import chores, clock, memory
from phantom_gateway.accounts import GatewayAccounts
from phantom_gateway.clouds import CloudsOf, OwnCloudOf, build_clouds, build_own_cloud
from phantom_gateway.config import Config, LocalCloudSettings
from phantom_gateway.first_look import Lookout
from phantom_gateway.front.callers import Callers
from phantom_gateway.front.http_api.callers import Callers as HttpApiCallers
from phantom_gateway.front.http_api.door import ANYTHING_BELOW, HttpApiDoor
from phantom_gateway.front.http_api.streams import Streams
from phantom_gateway.front.query import QueryDoor
from phantom_gateway.front.server import listening
from phantom_gateway.front.status import StatusDoor
from phantom_gateway.installation import Installation, InstallationError, check_clouds_in_use, held, open_installation
from phantom_gateway.logins import Logins
from phantom_gateway.metrics import Figures, Meter
from phantom_gateway.operations import all_operations
from phantom_gateway.operations.ceilings import Holdings
from phantom_gateway.operations.desk import House, to_nobody
from phantom_gateway.operations.fragments import FragmentCache
from phantom_gateway.operations.http_api import all_endpoints
from phantom_gateway.operations.http_api.call import PREFIX
from phantom_gateway.probes import Probes
from phantom_gateway.records import home, tokens
from phantom_gateway.records.ledger import SqlLedger
from phantom_gateway.records.ledger_fence import open_to_all
from phantom_gateway.records.session import Connection, RecordsUnavailable
from phantom_gateway.records.users import User
from phantom_gateway.sensing import Sensing
from phantom_gateway.shards import AloneError, Shards, this_gateway
from phantom_gateway.tokens import hash_of
from protocol.paging import PageTokens
from reconciler.brakes import Brakes
from reconciler.loop import Reconciler
from reconciler.steady import SteadyClock

log = logging.getLogger(__name__)

FREEZES_FRESH_S = 5.0
"""After so long without having read what is frozen, nothing is launched or terminated."""


ODD_THREADS = 4
"""For steps that are rare and may be slow. More: idle memory. Fewer: one slow name server holds up the others."""


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that serves: where, and its parts for tests that look inside."""

    port: int
    installation: Installation
    reconciler: Reconciler
    clouds: Mapping[str, Cloud]
    """The operator's."""
    accounts: GatewayAccounts
    sensor_port: int | None = None
    """Of the receiver of samples; None without one."""


class _Wakes:
    """Wakes groups once there is a reconciler, which is made after those who wake it."""

    to: Callable[[str], None] | None = None

    def __call__(self, uid: str) -> None:
        if self.to is not None:
            self.to(uid)


async def run(config: Config, environ: Mapping[str, str], announce: Callable[[str], None]) -> None:
    """Nothing, once SIGTERM or SIGINT asked for the end. *announce* is told where the gateway serves."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(memory.Shortage())
    _settle_threads(loop)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with held(config):
        await _serve_until(stop, config, environ, announce)


async def _serve_until(
    stop: asyncio.Event, config: Config, environ: Mapping[str, str], announce: Callable[[str], None]
) -> None:
    async with serving(config, environ) as running:
        memory.settle()
        scheme = "https" if config.server.tls_certificate else "http"
        announce(f"Phantom Gateway serves on {scheme}://{config.server.host}:{running.port}")
        announce(f"state: {config.state_directory}   clouds: {', '.join(config.clouds)}")
        if running.sensor_port is not None:
            announce(f"sensors: {config.sensors.host}:{running.sensor_port}")
        await stop.wait()
        log.info("gateway.stopping")


@asynccontextmanager
async def serving(
    config: Config,
    environ: Mapping[str, str],
    clouds_of: CloudsOf = build_clouds,
    own_cloud_of: OwnCloudOf = build_own_cloud,
) -> AsyncIterator[Running]:
    """
    A gateway that serves until the block is left. When one of its loops dies, the block is cancelled with it.

    *clouds_of* makes the operator's clouds, *own_cloud_of* a user's; measurements pass their own.
    """
    all_operations()
    all_endpoints()
    installation = open_installation(config, environ, clock.now())
    config = installation.config
    check_clouds_in_use(installation)
    steady = SteadyClock(clock.now, clock.elapsed_s)
    clouds = clouds_of(config, installation.gateway_id, steady.now)
    accounts = GatewayAccounts(installation, clouds, steady.now, own_cloud_of)
    wakes = _Wakes()
    shards = _shards(config, installation, steady)
    pass_on = to_nobody if shards is None else shards.pass_on
    sensing = Sensing(config, installation, clock.now, wakes, _owner_of, pass_on)
    ledger = _ledger(config, installation, shards)
    lookout = Lookout(installation.database, home.of_directory(config.state_directory), clock.now, _new_id)
    ledger.vet = lookout.vet
    reconciler = Reconciler(
        ledger=ledger,
        accounts=accounts,
        clock=steady.now,
        wall=clock.now,
        random=random.Random(),  # noqa: S311 - jitter, not a secret
        new_token=lambda uid: lookout.fresh(token_for(installation.gateway_id, uid, secrets.token_hex(6))),
        gateway_id=installation.gateway_id,
        sweep_interval_s=config.reconciler.sweep_interval_s,
        workers=config.reconciler.workers,
        sensors=sensing.sensors,
        lease=shards,
        reaps_leftovers=config.reconciler.reap_leftovers,
        brakes=Brakes(FREEZES_FRESH_S, asyncio.get_running_loop().time),
    )
    wakes.to = reconciler.wake
    logins = Logins()
    ports: list[int] = []
    app, streams = _application(config, installation, reconciler, accounts, logins, ports, sensing, shards)
    try:
        await accounts.refresh()
        await _join(shards, reconciler)
        async with asyncio.TaskGroup() as loops:
            tasks = _start(loops, installation, reconciler, accounts, sensing, streams, shards, lookout)
            async with (
                sensing.receiving() as sensor_port,
                listening(app, config.server.host, config.server.port, _tls(config)) as port,
            ):
                ports.append(port)
                log.info("gateway.serving", extra={"port": port, "clouds": list(clouds)})
                try:
                    yield Running(port, installation, reconciler, clouds, accounts, sensor_port)
                finally:
                    streams.close()  # they would last for ever, and requests in flight are waited for
            await reconciler.close()
            for task in tasks:
                task.cancel()
    finally:
        logins.close()
        await _leave(shards)
        await accounts.close()
        for cloud in clouds.values():
            await cloud.close()
        installation.close()


def _settle_threads(loop: asyncio.AbstractEventLoop) -> None:
    """Nothing; what has no threads of its own (names of hosts, ends of clouds) has some, and never needs the first."""
    threads = Threads(ODD_THREADS, "odd")
    threads.fill()
    loop.set_default_executor(threads)


def _start(
    loops: asyncio.TaskGroup,
    installation: Installation,
    reconciler: Reconciler,
    accounts: GatewayAccounts,
    sensing: Sensing,
    streams: Streams,
    shards: Shards | None,
    lookout: Lookout,
) -> list[asyncio.Task[None]]:
    """Everything that goes on for as long as the gateway serves."""
    return [
        loops.create_task(reconciler.run()),
        loops.create_task(chores.prune_forever(installation)),
        loops.create_task(chores.forget_answers(installation)),
        loops.create_task(chores.follow_accounts(accounts, reconciler.wake)),
        *sensing.start(loops),
        loops.create_task(streams.run()),
        loops.create_task(chores.follow_freezes(installation, reconciler, lookout)),
        *_keep(shards, reconciler, loops),
    ]


def _application(
    config: Config,
    installation: Installation,
    reconciler: Reconciler,
    accounts: GatewayAccounts,
    logins: Logins,
    ports: list[int],
    sensing: Sensing,
    shards: Shards | None,
) -> tuple[web.Application, Streams]:
    """The routes (status, samples, the JSON door below its prefix, the AWS door for the rest), and the streams."""
    house = House(
        region=config.server.region,
        clouds=tuple(config.clouds),
        default_cloud=config.default_cloud,
        limits=config.limits,
        keyring=installation.keyring,
        page_tokens=PageTokens(installation.page_secret),
        fragments=FragmentCache(),
        holdings=Holdings() if shards is None else Holdings(timedelta()),
        new_id=_new_id,
        cloud_kinds=config.cloud_kinds,
        pass_on=to_nobody if shards is None else shards.pass_on,
    )
    meter = Meter()
    query = QueryDoor(
        meter=meter,
        database=installation.database,
        house=house,
        callers=Callers(installation.database, installation.keyring),
        wake=reconciler.wake,
        now=clock.now,
        ports=ports,
        body_bytes_max=config.server.request_bytes_max,
    )
    callers = HttpApiCallers(installation.database, clock.now)
    streams = Streams(installation.database, house, callers, clock.now)
    http_api = HttpApiDoor(
        meter=meter,
        database=installation.database,
        house=house,
        callers=callers,
        accounts=accounts,
        probes=Probes(),
        logins=logins,
        streams=streams,
        wake=reconciler.wake,
        now=clock.now,
        body_bytes_max=config.server.request_bytes_max,
    )
    figures = Figures(reconciler)
    meter.registry.register(figures)
    status = StatusDoor(installation.database, meter, figures)
    app = web.Application()
    app.router.add_get("/healthz", status.healthz)
    app.router.add_get("/readyz", status.readyz)
    app.router.add_get("/metrics", status.metrics)
    app.router.add_route("*", PREFIX + ANYTHING_BELOW, http_api.__call__)
    sensing.door.routes(app)
    app.router.add_route("*", "/{tail:.*}", query.__call__)
    return app, streams


def _shards(config: Config, installation: Installation, steady: SteadyClock) -> Shards | None:
    """The leases of this gateway; None when it has its database for itself."""
    if not installation.database.is_shared:
        return None
    is_alone = any(isinstance(settings, LocalCloudSettings) for settings in config.clouds.values())
    me = this_gateway(config.state_directory, is_alone=is_alone)
    return Shards(installation.database, me, clock.elapsed_s, steady.now)


def _ledger(config: Config, installation: Installation, shards: Shards | None) -> SqlLedger:
    fence = open_to_all if shards is None else shards.fence
    return SqlLedger(installation.database, installation.keyring, _new_id, config.limits, fence)


async def _join(shards: Shards | None, reconciler: Reconciler) -> None:
    """Nothing; this gateway takes part, if there is anything to share. Raises InstallationError."""
    if shards is None:
        return
    shards.changed = reconciler.share_out
    try:
        await shards.join()
    except AloneError as error:
        raise InstallationError(str(error)) from error
    except RecordsUnavailable as error:
        raise InstallationError(f"The database cannot be used: {error}.") from error


async def _leave(shards: Shards | None) -> None:
    if shards is not None:
        await shards.leave()


def _keep(shards: Shards | None, reconciler: Reconciler, loops: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
    """The loops that keep leases up, and hear of changes that other gateways took."""
    if shards is None:
        return []
    return [loops.create_task(shards.keep()), loops.create_task(shards.listen(reconciler.wake))]


def _tls(config: Config) -> ssl.SSLContext | None:
    if config.server.tls_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(config.server.tls_certificate, config.server.tls_key)
    return context


def _owner_of(connection: Connection, token: str, now: datetime) -> User | None:
    """Who holds the token; None when nobody does."""
    bearer = tokens.bearer(connection, hash_of(token), now)
    return None if bearer is None else bearer.user


def _new_id() -> str:
    return str(uuid.uuid4())
