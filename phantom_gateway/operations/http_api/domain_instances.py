"""
``/domains/ID/instances``: the VMs of a domain.

Owns: their shape, with the original's numbered states, and ending one. Does not own: what ending means for the ledger,
or which VM replaces it.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from phantom_gateway.operations.capacity import move, rebound
from phantom_gateway.operations.desk import Desk
from phantom_gateway.operations.http_api.call import NO_CONTENT, PREFIX, Answer, Call
from phantom_gateway.operations.http_api.domains import find_domain
from phantom_gateway.operations.http_api.errors import conflict, not_found
from phantom_gateway.operations.http_api.schemas import TEXT, Schema, list_of, nullable, record
from phantom_gateway.operations.http_api.sites import site_uri
from phantom_gateway.operations.http_api.table import endpoint
from phantom_gateway.operations.instances import end_members
from phantom_gateway.phantom_tags import DE_NAME, METRIC
from phantom_gateway.records import groups, instances, sensors, tags
from phantom_gateway.records.events import FAILED, TERMINATED, Seen
from phantom_gateway.records.groups import GroupRow
from phantom_gateway.records.instances import InstanceRow
from reconciler import causes
from reconciler.model import InstanceState

STATES: Mapping[str, str] = {
    InstanceState.CLAIMED: "100-REQUESTING",
    InstanceState.PENDING: "400-PENDING",
    InstanceState.IN_SERVICE: "600-RUNNING",
    InstanceState.TERMINATING: "700-TERMINATING",
}
"""
AWS's word -> the original's. Of the rest, 200 and 500 were stages of its own machinery, 300, 650, 900 and 950 are told
by scaling activities, and what has come to 800 is not in the domain any more.
"""

STATES_THEN: Mapping[str, str] = {**STATES, TERMINATED: "800-TERMINATED", FAILED: "900-FAILED"}
"""The states that events tell of: those of VMs that are not in their domain any more, too."""

_IDS = uuid.UUID("0b5a8c1e-7d0f-4f6e-9a57-1f2f0c5d9c11")
"""The name space of ids that VMs have before any cloud has given them one."""

SHOWN = record(
    "Instance",
    {
        "id": TEXT,
        "iaas_instance_id": {**nullable(TEXT), "description": "the cloud's own id; null until it has given one"},
        "instance_id": {**nullable(TEXT), "description": "InstanceId in the AWS API"},
        "lifecycle_state": {"type": "string", "enum": list(STATES.values())},
        "hostname": nullable(TEXT),
        "public_ip": nullable(TEXT),
        "private_ip": nullable(TEXT),
        "cloud": TEXT,
        "image_id": nullable(TEXT),
        "instance_type": TEXT,
        "keyname": nullable(TEXT),
        "sensor_data": {"type": "object"},
        "owner": TEXT,
        "uri": TEXT,
    },
)
Sensed = Mapping[tuple[str, int], Mapping[str, Any]]
"""What sensors say, by the uid of the group and the key of the instance."""

_NO_BODY: Mapping[int, Schema | None] = {204: None}


@endpoint("GET", "/domains/{domain_id}/instances", "The VMs of a domain", answers={200: list_of(SHOWN)})
def list_instances(desk: Desk, call: Call) -> Answer:
    """The VMs that live, are coming, or are on their way out; oldest first. Raises JsonError(404)."""
    group = find_domain(desk, call)
    sensed = _sensed(desk, group)
    return Answer([view(desk, group, row, sensed) for row in instances.of_group(desk.connection, group.id)])


@endpoint("GET", "/domains/{domain_id}/instances/{instance_id}", "One VM of a domain", answers={200: SHOWN})
def get_instance(desk: Desk, call: Call) -> Answer:
    """The VM. Raises JsonError(404)."""
    group = find_domain(desk, call)
    return Answer(view(desk, group, _find(desk, group, call), _sensed(desk, group)))


@endpoint(
    "DELETE",
    "/domains/{domain_id}/instances/{instance_id}",
    "End a VM of a domain",
    answers=_NO_BODY,
    writes=True,
    query={"adjust_policy": "the domain shrinks by it; otherwise it is replaced"},
)
def end_instance(desk: Desk, call: Call) -> Answer:
    """Nothing; the VM is on its way out. Raises JsonError(404), and JsonError(409) before it has a machine."""
    group = find_domain(desk, call)
    row = _find(desk, group, call)
    if row.state == InstanceState.TERMINATING:
        return NO_CONTENT
    if row.state == InstanceState.CLAIMED:
        raise conflict(f"instance {id_of(row)} has no machine yet; end it once it is {STATES[InstanceState.PENDING]}.")
    shrinks = call.flag("adjust_policy") and group.desired > 0 and not group.deleting
    end_members(desk, group, [row], shrinks=shrinks)
    if shrinks:
        _shrink(desk, group)
    elif not group.deleting:
        groups.owe(desk.connection, group.id, 1)
    desk.wake(group.uid)
    return NO_CONTENT


def id_of(row: InstanceRow | Seen) -> str:
    """What names the VM from the moment it is intended until it is gone, whatever its cloud calls it meanwhile."""
    return str(uuid.uuid5(_IDS, f"{row.token}/{row.token_index}"))


def view(desk: Desk, group: GroupRow, row: InstanceRow, sensed: Sensed) -> dict[str, Any]:
    """The VM as clients see it."""
    return {**view_then(desk, group.uid, row), "sensor_data": sensed.get((group.uid, row.id), {})}


def view_then(desk: Desk, domain_id: str, row: InstanceRow | Seen) -> dict[str, Any]:
    """The VM as clients saw it, or would have: as it was once, without what its sensors say."""
    return {
        "id": id_of(row),
        "iaas_instance_id": row.machine_id,
        "instance_id": row.instance_id,
        "lifecycle_state": STATES_THEN[row.state],
        "hostname": row.public_ip or row.private_ip,
        "public_ip": row.public_ip,
        "private_ip": row.private_ip,
        "cloud": site_uri(row.cloud),
        "image_id": row.image_id,
        "instance_type": row.instance_type,
        "keyname": row.key_name,
        "sensor_data": {},
        "owner": desk.user.name,
        "uri": f"{PREFIX}/domains/{domain_id}/instances/{id_of(row)}",
    }


def _sensed(desk: Desk, group: GroupRow) -> Sensed:
    return sensors.data_of(desk.connection, desk.user.id, [group.uid], desk.now)


def _find(desk: Desk, group: GroupRow, call: Call) -> InstanceRow:
    """The VM by its id here, in the AWS API, or at its cloud. Raises JsonError(404)."""
    wanted = call.path["instance_id"]
    for row in instances.of_group(desk.connection, group.id):
        if wanted in (id_of(row), row.instance_id, row.machine_id):
            return row
    raise not_found(f"instance {wanted} not found")


def _shrink(desk: Desk, group: GroupRow) -> None:
    """Nothing; the group wants one VM less. In a domain of a fixed number of VMs, that is all its bounds at once."""
    wanted = group.desired - 1
    tagged = {tag.key for tag in tags.of_groups(desk.connection, [group.id]).get(group.id, [])}
    if DE_NAME in tagged and METRIC not in tagged:
        groups.change(desk.connection, group.id, rebound(desk, group, wanted, wanted, wanted), desk.now)
    else:
        move(desk, group, wanted, causes.desired_set(desk.now, group.desired, wanted))
