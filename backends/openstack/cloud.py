"""
A project of an OpenStack as a cloud: what Libcloud's have in common, and availability zones.

Owns: which zones of a group are this cloud's. Does not own: anything else (``backends.via_libcloud.cloud``).
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from backends.errors import CloudError
from backends.openstack.provider import OpenStackProvider
from backends.via_libcloud import Account, LibcloudCloud, Limits
from backends.via_libcloud.errors import Verb

PLACES_DEADLINE_S = 30.0
"""A launch waits for the answer."""


class OpenStackCloud(LibcloudCloud):
    """The cloud *name*: one project. Made without contact."""

    def __init__(
        self,
        name: str,
        provider: OpenStackProvider,
        account: Account,
        limits: Limits,
        gateway_id: str,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        super().__init__(name, provider, account, limits, gateway_id, clock=clock)
        self._zones: frozenset[str] | None = None
        self._project = provider

    async def places(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """Those zones of *wanted* that the cloud has. A group's subnets are networks here, and no places."""
        if self._zones is None and wanted:
            try:
                found = await self._lanes.run(Verb.LOOK, self._project.zones, deadline_s=PLACES_DEADLINE_S)
            except CloudError:
                return ()
            self._zones = frozenset(found)
        return tuple(place for place in wanted if place in (self._zones or ()))
