"""
An OpenStack project under test: the adapter over the small OpenStack of these tests.

Owns: how the two are put together. Does not own: either.
"""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from backends.openstack import Login, OpenStackCloud, OpenStackProvider, ServerWants
from backends.via_libcloud import Account, Limits
from tests.backends.contract import GATEWAY
from tests.fake_openstack.endpoint import PASSWORD, PROJECT, USER, serving
from tests.fake_openstack.world import World

QUICK = Limits(visible_after_s=0.0, read_timeout_s=1.0, connect_timeout_s=1.0, user_data_bytes_max=49_149)


def cloud_of(login: Login, wants: ServerWants | None = None, limits: Limits = QUICK) -> OpenStackCloud:
    """The cloud "stack" behind *login*."""
    provider = OpenStackProvider(login, wants or ServerWants(), lambda: datetime.now(UTC))
    account = Account(login.user, login.secret)
    return OpenStackCloud("stack", provider, account, limits, GATEWAY, clock=lambda: datetime.now(UTC))


@contextlib.asynccontextmanager
async def project(
    world: World, wants: ServerWants | None = None, limits: Limits = QUICK, **login: Any
) -> AsyncIterator[OpenStackCloud]:
    """The cloud over *world*; closed afterwards."""
    async with serving(world) as url:
        facts = {"auth_url": url, "user": USER, "secret": PASSWORD, "project": PROJECT, "region": "north", **login}
        cloud = cloud_of(Login(**facts), wants, limits)
        try:
            yield cloud
        finally:
            await cloud.close()
