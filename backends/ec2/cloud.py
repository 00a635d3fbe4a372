"""
The contract's verbs over one EC2-compatible account.

Owns: which calls make up a verb, and in which order. Does not own: how a call is made (``client``), what an endpoint's
answer means (``errors``), what is read from it (``inventory``). Nothing is known between calls: the endpoint is asked.
"""

import asyncio
import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from backends.cloud import CloudTraits, Inquiry, LaunchSpec, Machine, Mark, Probe, Sweep
from backends.ec2 import inventory, key_pairs, launching, probing
from backends.ec2.client import Ec2Client
from backends.ec2.dialect import INQUIRY_BATCH_MAX, SWEEP_PAGES_MAX, TERMINATE_BATCH_MAX, Ec2Credentials, Ec2Settings
from backends.ec2.errors import NOT_FOUND, Failed, Problem, Verb, means
from backends.ec2.places import Places
from backends.ec2.replies import answer
from backends.ec2.wire import Reply
from backends.errors import CloudError, Gone, Refused, Unreachable

log = logging.getLogger(__name__)

T = TypeVar("T")

TAGGING_DEADLINE_S = 10.0
"""For CreateTags after a launch, whose answer waits for it: a machine that lacks its tags gets them after a sweep."""

TAGGING_PAUSE_S = 300.0
"""From a failed tagging after a sweep to the next: an endpoint that has no CreateTags is not asked every 5 s."""

TAGGING_CALLS_MAX = 8
"""After one sweep: one per launch that lacks its tags. The rest follows the next sweep."""


class Ec2Cloud:
    """The cloud *name*: one account at one endpoint. Made without contact."""

    def __init__(
        self,
        name: str,
        settings: Ec2Settings,
        credentials: Ec2Credentials,
        gateway_id: str,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self.name = name
        self.traits = CloudTraits(
            token_is_idempotent=settings.token_is_idempotent,
            launch_batch_max=settings.launch_batch_max,
            visible_after_s=settings.visible_after_s,
            repeat_after_s=0.0 if settings.tags == "launch" else settings.visible_after_s,
        )
        self._settings = settings
        self._gateway_id = gateway_id
        self._clock = clock
        self._client = Ec2Client(name, settings, credentials)
        self._credentials = credentials
        self._memory = inventory.Memory()
        self._places = Places(name, self._client, settings, credentials.secrets, clock)
        self._tagging: asyncio.Task[None] | None = None
        self._tagging_rests_until: datetime | None = None

    # The contract's verbs.

    async def sweep(self) -> Sweep:
        """
        Every machine of ours, from all pages. Raises Unreachable, Throttled or Refused.

        A failed page fails the sweep: what the others showed would make the rest look dead.
        """
        started_at = self._clock()
        reading = inventory.Reading(self._gateway_id, self._settings.token_is_idempotent, started_at)
        machines: dict[str, Machine] = {}
        untagged: list[Machine] = []
        parameters = self._sweep_parameters()
        seen: set[str] = set()
        self._memory.begin()
        for _ in range(SWEEP_PAGES_MAX):
            page = await self._ask(
                Verb.LOOK, "DescribeInstances", parameters, lambda reply: self._memory.described(reply, reading)
            )
            # A machine that moved between two pages while they were read is shown twice; the later one is newer.
            machines.update((machine.machine_id, machine) for machine in page.machines)
            untagged += page.untagged
            if not page.next_token:
                self._memory.end()
                self._tag_soon(untagged)
                return Sweep(tuple(machines.values()), complete=True, started_at=started_at)
            if page.next_token in seen:
                break
            seen.add(page.next_token)
            parameters = {**parameters, "NextToken": page.next_token}
        raise Unreachable(f"{self.name} lists its machines without end: {len(seen)} pages, then one of them again")

    async def inquire(self, machine_ids: Sequence[str]) -> Inquiry:
        """What DescribeInstances says of these ids. Raises Unreachable, Throttled or Refused."""
        ids = list(dict.fromkeys(machine_ids))
        machines: dict[str, Machine] = {}
        denied: set[str] = set()
        for start in range(0, len(ids), INQUIRY_BATCH_MAX):
            await self._inquire_batch(ids[start : start + INQUIRY_BATCH_MAX], machines, denied)
        return Inquiry(tuple(machines.values()), frozenset(denied))

    async def launch(self, spec: LaunchSpec, count: int, token: str, mark: Mark) -> list[Machine]:
        """
        The machines launched for *token*, by position: as many as the endpoint gave, fewer than *count* or even more.

        Raises NoCapacity, Refused, Throttled or Unreachable (nothing happened), or Ambiguous (it may have).
        """
        if count < 1:
            return []
        count = min(count, self._settings.launch_batch_max)
        try:
            parameters = launching.parameters(spec, count, token, mark, self._settings)
        except Refused as error:
            raise Refused(f"{self.name}: {error}") from error
        seen_at = self._clock()
        machines = await self._ask(
            Verb.LAUNCH, "RunInstances", parameters, lambda reply: inventory.launched(reply, mark, seen_at)
        )
        if machines and self._settings.tags == "after":
            await self._tag(mark, machines)
        return machines

    async def terminate(self, machine_ids: Sequence[str]) -> None:
        """Nothing; all are on their way out, or gone. Raises Unreachable, Throttled or Refused, after trying all."""
        ids = list(dict.fromkeys(machine_ids))
        batches = [ids[start : start + TERMINATE_BATCH_MAX] for start in range(0, len(ids), TERMINATE_BATCH_MAX)]
        await self._all(self._terminate_batch(batch) for batch in batches)

    async def places(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """Those zones and subnets of *wanted* that the endpoint has. Never raises CloudError."""
        return await self._places.among(wanted)

    async def probe(self) -> Probe:
        """What the endpoint offers, and what stands in the way, without launching anything. Never raises CloudError."""
        return await probing.probe(
            self.name, self._client, self._settings, self._credentials.secrets, self._gateway_id, self._clock
        )

    async def key_pairs(self) -> tuple[str, ...]:
        """The names of the key pairs in this account. Raises Unreachable, Throttled or Refused."""
        return await key_pairs.names(self._client, self.name, self._credentials.secrets)

    async def import_key_pair(self, name: str, public_key: str) -> None:
        """Nothing; machines can be launched with *public_key*. Raises Unreachable, Throttled or Refused."""
        await key_pairs.add(self._client, self.name, self._credentials.secrets, name, public_key)

    async def wait_for_change(self) -> None:
        """Nothing, ever: EC2 announces no changes, and the traits say so."""
        await asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        """Nothing; calls under way are cut off, threads and sockets are gone. Machines live on."""
        if self._tagging is not None:
            self._tagging.cancel()
            await asyncio.wait([self._tagging])
        await self._client.close()

    # Calls.

    async def _ask(
        self,
        verb: Verb,
        operation: str,
        parameters: Mapping[str, Any],
        read: Callable[[Reply], T],
        deadline_s: float | None = None,
    ) -> T:
        """What *read* makes of the answer. Raises the CloudError that a problem means to *verb*."""
        try:
            return await self._client.call(operation, parameters, read, deadline_s=deadline_s)
        except Problem as problem:
            tags_sent = "TagSpecifications" in parameters
            raise means(problem, verb, self.name, self._credentials.secrets, tags_sent=tags_sent) from problem

    def _sweep_parameters(self) -> dict[str, Any]:
        parameters: dict[str, Any] = {}
        if self._settings.sweep_page_size is not None:
            parameters["MaxResults"] = self._settings.sweep_page_size
        # Where tags come after the launch, a machine between the two must be seen: its token tells whose it is.
        if self._settings.filters_trusted and self._settings.tags == "launch":
            parameters["Filters"] = [{"Name": f"tag:{inventory.GATEWAY_TAG}", "Values": [self._gateway_id]}]
        return parameters

    async def _inquire_batch(self, ids: Sequence[str], machines: dict[str, Machine], denied: set[str]) -> None:
        """
        Nothing; *machines* and *denied* have grown by what is known of *ids*.

        EC2 fails a whole call for one unknown id and names it; the others are asked for without it.
        """
        reading = inventory.Reading(
            self._gateway_id, self._settings.token_is_idempotent, self._clock(), known_ids=frozenset(ids)
        )
        try:
            page = await self._ask(
                Verb.LOOK,
                "DescribeInstances",
                {"InstanceIds": list(ids)},
                lambda reply: inventory.described(reply, reading),
            )
        except CloudError as error:
            problem = error.__cause__
            if not isinstance(problem, Failed) or problem.code not in NOT_FOUND:
                raise
            named = set(ids) & set(re.findall(r"[\w-]+", problem.message)) or (set(ids) if len(ids) == 1 else set())
            denied |= named
            rest = [each for each in ids if each not in named]
            for batch in [rest] if named else [[each] for each in rest]:
                if batch:
                    await self._inquire_batch(batch, machines, denied)
        else:
            machines.update((machine.machine_id, machine) for machine in page.machines)

    async def _terminate_batch(self, ids: Sequence[str]) -> None:
        """Nothing; EC2 fails a whole call for one unknown id, and then the others are asked for without it."""
        try:
            await self._ask(
                Verb.END, "TerminateInstances", {"InstanceIds": list(ids)}, lambda r: answer(r, "TerminateInstances")
            )
        except Gone as gone:
            if len(ids) == 1:
                return
            problem = gone.__cause__
            named = [each for each in ids if isinstance(problem, Failed) and each in problem.message]
            rest = [each for each in ids if each not in named]
            if named and rest:
                await self._terminate_batch(rest)
            else:
                await self._all(self._terminate_batch([each]) for each in ids)

    async def _all(self, calls: Iterable[Any]) -> None:
        """Nothing, when all *calls* came to their end. Raises the first one's error."""
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    # Tags, where they are not a part of the launch.

    async def _tag(self, mark: Mark, machines: Sequence[Machine]) -> bool:
        """True when *machines* have the tags of *mark* now. Failing loses no machine: its token tells whose it is."""
        ids = [machine.machine_id for machine in machines]
        parameters = {"Resources": ids, "Tags": inventory.tags_of(mark)}
        try:
            await self._ask(
                Verb.END, "CreateTags", parameters, lambda reply: answer(reply, "CreateTags"), TAGGING_DEADLINE_S
            )
        except CloudError as error:
            log.warning("machine.not_tagged", extra={"cloud": self.name, "machine_ids": ids, "reason": str(error)})
            return False
        return True

    def _tag_soon(self, untagged: Sequence[Machine]) -> None:
        """Nothing; machines that a sweep knew by their token alone get their tags, while others go on."""
        rests = self._tagging_rests_until is not None and self._clock() < self._tagging_rests_until
        is_busy = self._tagging is not None and not self._tagging.done()
        if untagged and self._settings.tags != "none" and not rests and not is_busy:
            self._tagging = asyncio.create_task(self._tag_all(untagged))

    async def _tag_all(self, untagged: Sequence[Machine]) -> None:
        by_mark: dict[Mark, list[Machine]] = defaultdict(list)
        for machine in untagged:
            if machine.mark is not None:
                by_mark[machine.mark].append(machine)
        for mark, machines in list(by_mark.items())[:TAGGING_CALLS_MAX]:
            if not await self._tag(mark, machines):
                self._tagging_rests_until = self._clock() + timedelta(seconds=TAGGING_PAUSE_S)
                return
