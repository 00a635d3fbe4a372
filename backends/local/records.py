"""
What is written down about a machine: its record before it starts, and its end.

Owns: the values and their JSON. Does not own: the files they are in (``directory``). Holds no user data.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from backends.cloud import LaunchSpec, Mark


def machine_id_of(gateway_id: str, cloud: str, token: str, index: int) -> str:
    """The id of the *index*-th machine of *token*: the same whenever it is asked for, so that none is made twice."""
    source = "\0".join((gateway_id, cloud, token, str(index)))
    return "i-" + hashlib.sha256(source.encode()).hexdigest()[:17]


@dataclass(frozen=True, slots=True)
class Record:
    """What a machine is, written before it starts and never changed."""

    machine_id: str
    cloud: str
    gateway_id: str
    group_uid: str
    token: str
    index: int
    image_id: str
    instance_type: str
    key_name: str | None
    security_groups: tuple[str, ...]
    zone: str | None
    address: str
    launched_at: datetime

    @classmethod
    def of(cls, spec: LaunchSpec, mark: Mark, *, cloud: str, token: str, index: int, launched_at: datetime) -> Self:
        """The record of a machine that is about to be made; it has no address yet."""
        return cls(
            machine_id=machine_id_of(mark.gateway_id, cloud, token, index),
            cloud=cloud,
            gateway_id=mark.gateway_id,
            group_uid=mark.group_uid,
            token=token,
            index=index,
            image_id=spec.image_id,
            instance_type=spec.instance_type,
            key_name=spec.key_name,
            security_groups=spec.security_groups,
            zone=spec.zone,
            address="",
            launched_at=launched_at,
        )

    @property
    def mark(self) -> Mark:
        """The mark it was launched with."""
        return Mark(self.gateway_id, self.group_uid, self.token)

    @property
    def owner(self) -> str:
        """Its name among the machines of all clouds of this gateway."""
        return f"{self.cloud}/{self.machine_id}"

    @property
    def marker(self) -> str:
        """What its processes carry in their environment as PHANTOM_MACHINE, and nobody else's do."""
        return f"{self.gateway_id}/{self.machine_id}"

    def to_json(self) -> str:
        """The record as the text of a file."""
        return json.dumps(asdict(self) | {"launched_at": self.launched_at.isoformat()}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """
        The record in *text*.

        Raises:
            ValueError: it is not one.

        """
        try:
            fields: dict[str, Any] = json.loads(text)
            times = {"launched_at": datetime.fromisoformat(fields["launched_at"])}
            return cls(**(fields | times | {"security_groups": tuple(fields["security_groups"])}))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a machine's record: {error!r}") from error


@dataclass(frozen=True, slots=True)
class End:
    """That a machine is dead: since when it is known, why, and its exit status (negative: a signal) where known."""

    ended_at: datetime
    reason: str
    status: int | None = None

    def to_json(self) -> str:
        """The end as the text of a file."""
        return json.dumps(asdict(self) | {"ended_at": self.ended_at.isoformat()}) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """
        The end in *text*.

        Raises:
            ValueError: it is not one.

        """
        try:
            fields: dict[str, Any] = json.loads(text)
            return cls(**(fields | {"ended_at": datetime.fromisoformat(fields["ended_at"])}))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the end of a machine: {error!r}") from error
