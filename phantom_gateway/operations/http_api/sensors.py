"""
``/sensors``: the metrics by which a domain may be scaled, for people who choose one.

Owns: the list: what tcollector is known to send, and what was received for the user. Does not own: whether a metric may
be used: any name may.
"""

from collections.abc import Mapping

from phantom_gateway.operations.desk import Desk
from phantom_gateway.operations.http_api.call import PREFIX, Answer, Call
from phantom_gateway.operations.http_api.errors import not_found
from phantom_gateway.operations.http_api.schemas import TEXT, list_of, record
from phantom_gateway.operations.http_api.table import endpoint
from phantom_gateway.records import sensors

SENSOR = record("Sensor", {"id": TEXT, "uri": TEXT})

_COLLECTORS: Mapping[str, str] = {
    "df": "1kblocks.free 1kblocks.total 1kblocks.used inodes.free inodes.total inodes.used",
    "iostat.part": "ios_in_progress msec_read msec_total msec_weighted_total msec_write read_merged read_requests "
    "read_sectors write_merged write_requests write_sectors",
    "net.sockstat": "ipfragqueues memory num_orphans num_sockets num_timewait sockets_inuse",
    "net.stat.tcp": "abort abort.failed congestion.recovery delayedack failed_accept invalid_sack memory.pressure "
    "memory.prune packetloss.recovery receive.queue.full reordering retransmit syncookies",
    "proc.kernel": "entropy_avail",
    "proc.loadavg": "15min 1min 5min runnable total_threads",
    "proc.meminfo": "active anonpages buffers cached committed_as dirty inactive mapped memfree memtotal slab "
    "swapcached swapfree swaptotal",
    "proc.net": "bytes dropped errs packets",
    "proc.stat": "cpu ctxt intr processes procs_blocked",
    "tcollector": "collector.lines_invalid collector.lines_received collector.lines_sent reader.lines_collected "
    "reader.lines_dropped",
}
"""What the collectors that come with tcollector send from a Linux machine, by their common beginning."""

KNOWN = frozenset(f"{beginning}.{end}" for beginning, ends in _COLLECTORS.items() for end in ends.split())


@endpoint("GET", "/sensors", "The metrics that can be chosen", answers={200: list_of(SENSOR)})
def list_sensors(desk: Desk, _call: Call) -> Answer:
    """All of them, by name."""
    return Answer([_shown(name) for name in sorted(_known(desk))])


@endpoint("GET", "/sensors/{sensor_id}", "One metric", answers={200: SENSOR})
def get_sensor(desk: Desk, call: Call) -> Answer:
    """The metric. Raises JsonError(404)."""
    name = call.path["sensor_id"]
    if name not in _known(desk):
        raise not_found(f"Sensor '{name}' does not exist")
    return Answer(_shown(name))


def _known(desk: Desk) -> frozenset[str]:
    received = sensors.metrics_of(desk.connection, desk.user.id)
    # A name with a slash can be used like any other, but has no address of its own here.
    return KNOWN.union(name for name in received if "/" not in name)


def _shown(name: str) -> dict[str, str]:
    return {"id": name, "uri": f"{PREFIX}/sensors/{name}"}
