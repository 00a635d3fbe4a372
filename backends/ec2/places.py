"""
Which zones and subnets an endpoint has, asked only when a launch names one that is not known yet.

Owns: what is remembered of them. Does not own: choosing among them (the reconciler). Groups of old scripts name zones
that exist nowhere (``us-east-1``); those cost one question in a long while, and no launch.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from backends.cloud import SUBNET_PREFIX
from backends.ec2.client import Ec2Client
from backends.ec2.dialect import Ec2Settings
from backends.ec2.errors import Problem, Verb, means
from backends.ec2.replies import answer, text_of
from backends.ec2.wire import Reply

log = logging.getLogger(__name__)

DEADLINE_S = 10.0
"""For one question: a launch waits for it."""

ASK_AGAIN_S = 3600.0
"""From an answer to the next question for what was not in it: zones are built once a year, subnets by hand."""

RETRY_S = 300.0
"""From a question without an answer to the next. Until then launches go where the cloud likes."""


class Places:
    """The zones and the subnets of one account."""

    def __init__(
        self,
        name: str,
        client: Ec2Client,
        settings: Ec2Settings,
        secrets: Sequence[str],
        clock: Callable[[], datetime],
    ) -> None:
        zones = _Known(name, client, secrets, clock, "DescribeAvailabilityZones", "availabilityZoneInfo", "zoneName")
        subnets = _Known(name, client, secrets, clock, "DescribeSubnets", "subnetSet", "subnetId")
        zones.names = frozenset(settings.zones)
        self._is_in_a_subnet = settings.subnet_id is not None
        self._zones = zones
        self._subnets = subnets

    async def among(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """
        Those of *wanted* that are there, in the same order.

        Where the operator chose a subnet, machines stay in it unless a group names another: it has one zone only.
        """
        if self._is_in_a_subnet:
            wanted = [name for name in wanted if name.startswith(SUBNET_PREFIX)]
        found = await self._subnets.among([name for name in wanted if name.startswith(SUBNET_PREFIX)])
        found |= await self._zones.among([name for name in wanted if not name.startswith(SUBNET_PREFIX)])
        return tuple(name for name in wanted if name in found)


class _Known:
    """The names that one operation lists."""

    def __init__(
        self,
        cloud: str,
        client: Ec2Client,
        secrets: Sequence[str],
        clock: Callable[[], datetime],
        operation: str,
        items: str,
        text: str,
    ) -> None:
        self.names: frozenset[str] = frozenset()
        self._cloud = cloud
        self._client = client
        self._secrets = secrets
        self._clock = clock
        self._operation = operation
        self._items = items
        self._text = text
        self._rests_until: datetime | None = None
        self._asking = asyncio.Lock()

    async def among(self, wanted: Sequence[str]) -> set[str]:
        """Those of *wanted* that are listed."""
        async with self._asking:  # launches of several groups at once need one answer between them
            now = self._clock()
            rests = self._rests_until is not None and now < self._rests_until
            if not rests and not self.names.issuperset(wanted):
                self._rests_until = now + timedelta(seconds=RETRY_S)
                await self._ask()
        return set(self.names.intersection(wanted))

    async def _ask(self) -> None:
        try:
            self.names = await self._client.call(self._operation, {}, self._read, deadline_s=DEADLINE_S)
        except Problem as problem:
            reason = str(means(problem, Verb.LOOK, self._cloud, self._secrets))
            log.warning("places.not_known", extra={"cloud": self._cloud, "reason": reason})
            return
        self._rests_until = self._clock() + timedelta(seconds=ASK_AGAIN_S)

    def _read(self, reply: Reply) -> frozenset[str]:
        root = answer(reply, self._operation)
        found = (text_of(item, self._text) for item in root.iterfind(f"{{*}}{self._items}/{{*}}item"))
        return frozenset(filter(None, found))
