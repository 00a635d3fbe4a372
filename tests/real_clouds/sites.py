"""
One cloud of a scenario: a fake endpoint on the loopback, and the real adapter that speaks to it.

Owns: what a dialect means on both sides (the endpoint's knobs, the adapter's settings), and the site's life: going
dark, new keys, wrong addresses. Does not own: the group, or any judgement.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from backends.cloud import CloudTraits
from backends.ec2 import Ec2Cloud, Ec2Credentials, Ec2Settings
from phantom_gateway.config.cloud_kinds import DIALECTS
from reconciler.accounts import Account
from tests.fake_ec2 import knobs as endpoints
from tests.fake_ec2.endpoint import Endpoint
from tests.fake_ec2.faults import FaultPlan
from tests.fake_ec2.knobs import Knobs
from tests.fake_ec2.serving import Served
from tests.fake_ec2.world import Account as Customer
from tests.fake_ec2.world import Machine, Order, World
from tests.real_clouds.accelerated import AcceleratedLoop
from tests.support.canary import planted

GATEWAY_ID = "0123456789ab"

KEY = Customer("AKIAHOTELHOTELHOTEL1", planted("/of+the=site"), "111111111111")
NEW_KEY = Customer("AKIAHOTELHOTELHOTEL2", planted("/of+the=site/after+rotation"), "111111111111")
"""Another key of the same customer."""

READ_TIMEOUT_S = 1.0
"""Real seconds, 50 of the scenario's: a pause that the processor makes is no silence of the cloud."""

CONNECT_TIMEOUT_S = 60.0
"""On the loopback a connection comes or is refused at once. It is a part of the deadline of a call, in the loop's
seconds, which must not come before the timeout above."""

REPLY_BYTES_MAX = 1024 * 1024
"""So that a reply beyond it is made quickly."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """An endpoint's ways and what the adapter is told of them. *traits* are changes of what the adapter says."""

    name: str
    knobs: Knobs
    settings: Mapping[str, Any] = field(default_factory=dict)
    traits: Mapping[str, Any] = field(default_factory=dict)

    def but(self, **knobs: Any) -> "Dialect":
        """The same with other knobs."""
        return dataclasses.replace(self, knobs=self.knobs.changed(knobs))

    def told(self, **settings: Any) -> "Dialect":
        """The same with other settings of the adapter."""
        return dataclasses.replace(self, settings={**self.settings, **settings})

    def seen_as(self, **traits: Any) -> "Dialect":
        """The same with other traits."""
        return dataclasses.replace(self, traits={**self.traits, **traits})


AWS = Dialect("aws", endpoints.AWS)
MOTO = Dialect("moto", endpoints.MOTO)
EC2_API = Dialect("ec2-api", endpoints.EC2_API)


class Site:
    """The cloud *name*. Its world keeps the book that judges."""

    def __init__(self, name: str, dialect: Dialect, loop: AcceleratedLoop) -> None:
        self.name = name
        self.dialect = dialect
        self.key = KEY
        self.world = World(dialect.knobs, clock=loop.timestamp, rng=Random(name), accounts=(KEY,))
        self.plan = FaultPlan(clock=loop.timestamp)
        self.endpoint = Endpoint(self.world, self.plan)
        self.served = Served(self.endpoint.application())
        self.foreign: list[Machine] = []
        self._loop = loop
        self._clouds: list[Ec2Cloud] = []

    async def start(self) -> Account:
        """The account on it, once it serves."""
        await self.served.start()
        return self.connect()

    async def stop(self) -> None:
        """Nothing; neither endpoint nor adapter has anything open."""
        self.endpoint.mischief.release()
        for cloud in self._clouds:
            await cloud.close()
        await self.served.stop()

    def connect(self, key: Customer | None = None, **settings: Any) -> Account:
        """The account as the operator configures it now: with *key*, and with other *settings*."""
        self.key = key or self.key
        preset = {**DIALECTS[self.dialect.name], **self.dialect.settings}
        made = Ec2Settings(
            **{
                "endpoint_url": self.served.url,
                "connect_timeout_s": CONNECT_TIMEOUT_S,
                "read_timeout_s": READ_TIMEOUT_S,
                "reply_bytes_max": REPLY_BYTES_MAX,
                **preset,
                **settings,
            }
        )
        credentials = Ec2Credentials(self.key.access_key_id, self.key.secret_access_key)
        cloud = Ec2Cloud(self.name, made, credentials, GATEWAY_ID, clock=self._loop.now)
        self._clouds.append(cloud)
        traits: CloudTraits = dataclasses.replace(cloud.traits, **self.dialect.traits)
        return Account(self.name, cloud, traits)

    def plant(self, *, token: str = "", **tags: str) -> None:
        """Nothing; somebody else's machine runs in the same account, with these tags (``_`` stands for ``-``)."""
        order = Order(token=token, tags={key.replace("_", "-"): value for key, value in tags.items()})
        self.foreign += self.world.plant(KEY.account_id, order)

    def set(self, **knobs: Any) -> None:
        """Nothing; the endpoint's ways are different from now on."""
        self.world.knobs = self.world.knobs.changed(knobs)

    def alive(self, uid: str) -> tuple[str, ...]:
        """Machines of the group that work."""
        return self.world.ledger.alive_of_group(uid)

    def fired(self, action: str = "") -> int:
        """Faults that struck."""
        return sum(1 for _, struck, _ in self.plan.fired if action in {"", struck})

    async def heal(self) -> None:
        """Nothing; no fault is planned any more, nothing hangs, and it can be reached."""
        self.plan.clear()
        self.endpoint.mischief.release()
        await self.served.come_back()
