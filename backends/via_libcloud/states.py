"""
The fifteen states of Libcloud's nodes, and what each means for a machine.

Owns: that map, which is total. Does not own: what a driver makes of its provider's own words.
"""

from typing import Any

from libcloud.compute.types import NodeState

from backends.cloud import MachineState

STATES = {
    NodeState.RUNNING: MachineState.RUNNING,
    NodeState.NORMAL: MachineState.RUNNING,
    NodeState.REBOOTING: MachineState.RUNNING,
    NodeState.MIGRATING: MachineState.RUNNING,
    NodeState.RECONFIGURING: MachineState.RUNNING,
    NodeState.UPDATING: MachineState.RUNNING,
    NodeState.STARTING: MachineState.PENDING,
    NodeState.PENDING: MachineState.PENDING,
    NodeState.STOPPING: MachineState.STOPPING,
    NodeState.STOPPED: MachineState.STOPPED,
    NodeState.SUSPENDED: MachineState.STOPPED,
    NodeState.PAUSED: MachineState.STOPPED,
    NodeState.TERMINATED: MachineState.TERMINATED,
    NodeState.ERROR: MachineState.ERROR,
    NodeState.UNKNOWN: MachineState.UNKNOWN,
}
"""What reboots, moves or is resized serves again by itself; what is stopped does not."""


def state_of(node: Any) -> tuple[MachineState, str]:
    """The state of *node*, and what the provider says about it. A state that is none of Libcloud's is unknown."""
    try:
        state = STATES[NodeState(node.state)]
    except ValueError:
        state = MachineState.UNKNOWN
    reason = node.extra.get("fault") or node.extra.get("error") or "" if isinstance(node.extra, dict) else ""
    return state, str(reason.get("message", "")) if isinstance(reason, dict) else str(reason)
