"""
Nova's servers as machines: states by name, faults, marks in metadata.

Owns: what is read from a server's record. Does not own: asking for it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from backends.cloud import Machine, MachineState, Mark
from backends.moments import moment_of
from backends.via_libcloud.names import claim_of

GATEWAY_KEY = "phantom-gateway"
GROUP_KEY = "phantom-group"
TOKEN_KEY = "phantom-token"  # noqa: S105 - the name of a key

STATES: Mapping[str, MachineState] = {
    "ACTIVE": MachineState.RUNNING,
    "BUILD": MachineState.PENDING,
    "DELETED": MachineState.TERMINATED,
    "ERROR": MachineState.ERROR,
    "HARD_REBOOT": MachineState.RUNNING,
    "MIGRATING": MachineState.RUNNING,
    "PASSWORD": MachineState.RUNNING,
    "PAUSED": MachineState.STOPPED,
    "REBOOT": MachineState.RUNNING,
    "REBUILD": MachineState.RUNNING,
    "RESCUE": MachineState.RUNNING,
    "RESIZE": MachineState.RUNNING,
    "REVERT_RESIZE": MachineState.RUNNING,
    "SHELVED": MachineState.STOPPED,
    "SHELVED_OFFLOADED": MachineState.STOPPED,
    "SHUTOFF": MachineState.STOPPED,
    "SOFT_DELETED": MachineState.TERMINATED,
    "SUSPENDED": MachineState.STOPPED,
    "UNKNOWN": MachineState.UNKNOWN,
    "VERIFY_RESIZE": MachineState.RUNNING,
}
"""Source: OpenStack Compute API, "Server statuses". UNKNOWN: the compute host does not answer, which is not death."""

_PLACED = frozenset({"networking", "block_device_mapping", "spawning"})
"""Tasks of a server that is being built which come after a host was found."""


def metadata_of(mark: Mark) -> dict[str, str]:
    """The metadata that says *mark*."""
    return {GATEWAY_KEY: mark.gateway_id, GROUP_KEY: mark.group_uid, TOKEN_KEY: mark.token}


def mark_of(server: Mapping[str, Any]) -> Mark | None:
    """
    Whose *server* is, by its metadata, or by its name where that is gone; None when it is not ours.

    A server made from a copy of our metadata has a name that does not agree with it, and is left alone.
    """
    metadata = server.get("metadata") or {}
    claim = claim_of(str(server.get("name", "")))
    named = None if claim is None else claim[0]
    if GATEWAY_KEY not in metadata:
        return named
    said = Mark(metadata[GATEWAY_KEY], metadata.get(GROUP_KEY, ""), metadata.get(TOKEN_KEY, ""))
    # Renamed by its user it is still ours, as long as the token it was launched with says the same.
    return said if said == named or (named is None and Mark.of_token(said.token) == said) else None


def machine_of(server: Mapping[str, Any], mark: Mark, seen_at: datetime) -> Machine:
    """*server* as a machine. *seen_at* stands in for a launch time that cannot be read."""
    claim = claim_of(str(server.get("name", "")))
    private_ip, public_ip = _addresses(server.get("addresses") or {})
    return Machine(
        str(server["id"]),
        _state(server),
        mark,
        moment_of(str(server.get("created", "")), seen_at),
        private_ip=private_ip,
        public_ip=public_ip,
        zone=server.get("OS-EXT-AZ:availability_zone") or None,
        index=None if claim is None else claim[1],
        state_reason=str((server.get("fault") or {}).get("message", "")),
    )


def is_decided(server: Mapping[str, Any]) -> bool:
    """True when a host was found for *server*, or none was."""
    return server.get("status") != "BUILD" or server.get("OS-EXT-STS:task_state") in _PLACED


def _state(server: Mapping[str, Any]) -> MachineState:
    if server.get("OS-EXT-STS:task_state") == "deleting":
        return MachineState.SHUTTING_DOWN
    return STATES.get(str(server.get("status", "")).upper(), MachineState.UNKNOWN)


def _addresses(networks: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The first fixed and the first floating address; those of version 4 before others."""
    found: dict[str, list[tuple[int, str]]] = {"fixed": [], "floating": []}
    for each in (address for addresses in networks.values() for address in addresses):
        kind = "floating" if each.get("OS-EXT-IPS:type") == "floating" else "fixed"
        found[kind].append((int(each.get("version", 4)), str(each["addr"])))
    fixed, floating = (min(found[kind])[1] if found[kind] else None for kind in ("fixed", "floating"))
    return fixed, floating
