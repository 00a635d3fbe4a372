"""
Instances as the reconciler has them: fewer columns than a row has, in objects of its own.

Owns: reading them for a pass, and the memory that makes this cheap. Does not own: what is written of them.
"""

from typing import Any

import sqlalchemy as sa

from phantom_gateway.records.instances import InstanceRow
from phantom_gateway.records.prepared import PreparedObjects, Row
from phantom_gateway.records.tables import instances
from reconciler.model import Instance, InstanceState

KEPT_MAX = 10_000
"""Instances kept as they were read last, of some 1 KB. Where there are more, a pass takes 35 us longer to read five."""

_STATES = {state.value: state for state in InstanceState}

_COLUMNS: tuple[sa.Column[Any], ...] = (
    instances.c.id,
    instances.c.cloud,
    instances.c.token,
    instances.c.token_index,
    instances.c.state,
    instances.c.launch_configuration,
    instances.c.claimed_at,
    instances.c.machine_id,
    instances.c.instance_id,
    instances.c.bound_at,
    instances.c.in_service_at,
    instances.c.terminate_sent_at,
    instances.c.protected,
    instances.c.healthy,
    instances.c.spec_created_at,
    instances.c.place,
)
"""In the order of the fields of Instance."""


def _instance(values: Row) -> Instance:
    key, cloud, token, index, state, *others = values
    return Instance(key, cloud, token, index, _STATES[state], *others)


_OF_GROUP = PreparedObjects(
    sa.select(*_COLUMNS).where(instances.c.group_id == sa.bindparam("group_id")).order_by(instances.c.id),
    _instance,
    KEPT_MAX,
)


def of_group(connection: sa.Connection, group_id: int) -> tuple[Instance, ...]:
    """The instances of one group, oldest first."""
    return tuple(_OF_GROUP.all(connection, {"group_id": group_id}))


def of_row(row: InstanceRow) -> Instance:
    """The instance that is stored as *row*."""
    return _instance(tuple(getattr(row, column.key) for column in _COLUMNS))
