"""Big groups: a thousand machines take few calls, whatever else is going on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from random import Random
from uuid import uuid4

import pytest

from backends.cloud import token_for
from backends.ec2 import Ec2Cloud, Ec2Credentials, Ec2Settings
from phantom_gateway.config.cloud_kinds import DIALECTS
from reconciler.accounts import Account
from reconciler.loop import Reconciler
from reconciler.model import InstanceState, RankedCloud
from tests.fake_ec2 import knobs as endpoints
from tests.fake_ec2.endpoint import Endpoint
from tests.fake_ec2.knobs import Knobs
from tests.fake_ec2.serving import Served
from tests.fake_ec2.world import World
from tests.real_clouds.harness import UID
from tests.real_clouds.sites import GATEWAY_ID, KEY
from tests.reconciler.memory_ledger import MemoryLedger

MACHINES = 1000
LAUNCHES_MAX = 20
"""AWS lets an account launch five times at once and twice a second after that; in fives it would take 200 calls."""

WITHIN_S = 60.0
POLL_S = 0.02


class Book:
    """The account book: everybody launches in the one account there is."""

    def __init__(self, account: Account) -> None:
        self.only = account

    def account(self, user_id: int, cloud_name: str) -> Account | None:
        """See the port."""
        return self.only if (user_id, cloud_name) == (7, self.only.key) else None

    def accounts(self) -> list[Account]:
        """See the port."""
        return [self.only]


@asynccontextmanager
async def account_at(world: World, dialect: str) -> AsyncIterator[Account]:
    """The account on hotel, an endpoint over *world*, with all that *dialect* presets."""
    async with Served(Endpoint(world).application()) as served:
        settings = Ec2Settings(served.url, **DIALECTS[dialect])
        credentials = Ec2Credentials(KEY.access_key_id, KEY.secret_access_key)
        cloud = Ec2Cloud("hotel", settings, credentials, GATEWAY_ID, clock=lambda: datetime.now(UTC))
        try:
            yield Account("hotel", cloud, cloud.traits)
        finally:
            await cloud.close()


async def until(condition: Callable[[], bool]) -> None:
    """Nothing, as soon as *condition* holds. Raises AssertionError."""
    ends_at = asyncio.get_running_loop().time() + WITHIN_S
    while not condition():
        assert asyncio.get_running_loop().time() < ends_at, "not in time"
        await asyncio.sleep(POLL_S)


@pytest.mark.parametrize(
    ("knobs", "places"),
    [
        pytest.param(endpoints.AWS, (), id="aws"),
        pytest.param(endpoints.AWS, endpoints.AWS.zones, id="aws, three zones"),
        pytest.param(endpoints.MOTO, (), id="moto"),
    ],
)
async def test_a_thousand_machines_take_few_launches(knobs: Knobs, places: tuple[str, ...]) -> None:
    """20 RunInstances at most bring a thousand machines into service, and not one more."""
    world = World(knobs.changed({"pending_s": 0.0}), rng=Random(0), accounts=(KEY,))
    ledger = MemoryLedger()
    ledger.put_group(UID, "big", 0, MACHINES, MACHINES, (RankedCloud("hotel"),))
    ledger.change_group(UID, places=places)
    async with account_at(world, knobs.dialect) as account:
        reconciler = Reconciler(
            ledger,
            Book(account),
            gateway_id=GATEWAY_ID,
            clock=lambda: datetime.now(UTC),
            random=Random(0),
            new_token=lambda uid: token_for(GATEWAY_ID, uid, uuid4().hex[:12]),
            sweep_interval_s=1.0,
        )
        running = asyncio.create_task(reconciler.run())
        await until(lambda: [i.state for i in ledger.instances(UID)] == [InstanceState.IN_SERVICE] * MACHINES)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    calls = world.ledger.calls_of("RunInstances")
    assert len(calls) <= LAUNCHES_MAX
    assert sum(call.asked for call in calls) == len(world.ledger.alive_of_group(UID)) == MACHINES
