"""
What was found out of clouds, and when.

Owns: the queries on ``probes``. Does not own: what facts mean, nor whether they are used (``remembered``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from phantom_gateway.records.tables import probes


@dataclass(frozen=True, slots=True)
class StoredProbe:
    """What was found out of *cloud* at *probed_at*, when its endpoint was *endpoint_url*."""

    cloud: str
    endpoint_url: str
    facts: Mapping[str, Any]
    probed_at: datetime


_ALL = sa.select(probes.c.cloud, probes.c.endpoint_url, probes.c.facts, probes.c.probed_at)


def everything(connection: sa.Connection) -> dict[str, StoredProbe]:
    """All that was found out, by cloud."""
    return {row.cloud: StoredProbe(*row) for row in connection.execute(_ALL.order_by(probes.c.cloud))}


def put(connection: sa.Connection, probe: StoredProbe) -> None:
    """Nothing; this is what is known of the cloud, and nothing else."""
    forget(connection, probe.cloud)
    connection.execute(
        probes.insert().values(
            cloud=probe.cloud,
            endpoint_url=probe.endpoint_url,
            facts=dict(probe.facts),
            probed_at=probe.probed_at,
        )
    )


def forget(connection: sa.Connection, cloud: str) -> None:
    """Nothing; nothing is known of the cloud."""
    connection.execute(probes.delete().where(probes.c.cloud == cloud))
