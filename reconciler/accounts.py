"""
Whose credentials reach which cloud: the port by which the reconciler gets at clouds.

Owns: the values of that port. Does not own: credentials, or how a cloud is built from them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from backends.cloud import Cloud, CloudTraits


@dataclass(frozen=True, slots=True)
class Account:
    """One set of credentials on one cloud. *key* is stable over restarts: instance ids are derived from it."""

    key: str
    cloud: Cloud
    traits: CloudTraits
    vms_max: int | None = None
    """VMs of ours in it, of all groups together; None: the cloud itself says when it is full."""
    launches_per_minute_max: float = math.inf
    """VMs launched in it per minute, for all groups together."""


class AccountBook(Protocol):
    """Which account a user's groups launch in. Its answers may change while the reconciler runs."""

    def account(self, user_id: int, cloud_name: str) -> Account | None:
        """The account of this user on the cloud called *cloud_name*; None when there is none."""
        ...

    def accounts(self) -> Sequence[Account]:
        """Every account that has to be watched."""
        ...
