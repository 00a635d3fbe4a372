"""
One libvirt, call by call. All of it blocks, and runs in threads.

Owns: the connection, and what libvirt's errors mean. Does not own: which calls make up a verb (``cloud``), XML
(``domains``). One connection serves all threads: libvirt's are made for that.
"""

import threading
from dataclasses import dataclass
from typing import Any

import libvirt

from backends.cloud import MachineState
from backends.errors import Ambiguous, CloudError, NoCapacity, Refused, Unreachable

NEVER_STARTED = libvirt.VIR_DOMAIN_SHUTOFF_UNKNOWN

_STATES = {
    libvirt.VIR_DOMAIN_NOSTATE: MachineState.UNKNOWN,
    libvirt.VIR_DOMAIN_RUNNING: MachineState.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: MachineState.RUNNING,
    libvirt.VIR_DOMAIN_PAUSED: MachineState.STOPPED,
    libvirt.VIR_DOMAIN_SHUTDOWN: MachineState.SHUTTING_DOWN,
    libvirt.VIR_DOMAIN_SHUTOFF: MachineState.TERMINATED,
    libvirt.VIR_DOMAIN_CRASHED: MachineState.TERMINATED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: MachineState.STOPPED,
}

_ENDS = {
    libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN: "It shut itself down",
    libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED: "It was destroyed",
    libvirt.VIR_DOMAIN_SHUTOFF_CRASHED: "Its QEMU process died",
    libvirt.VIR_DOMAIN_SHUTOFF_FAILED: "Its QEMU process could not be started",
}

_LOST = frozenset({
    libvirt.VIR_ERR_NO_CONNECT, libvirt.VIR_ERR_INVALID_CONN, libvirt.VIR_ERR_RPC, libvirt.VIR_ERR_SYSTEM_ERROR,
    libvirt.VIR_ERR_AUTH_FAILED, libvirt.VIR_ERR_AUTH_UNAVAILABLE,
})  # fmt: skip
"""About the way to libvirt, not about what was asked."""

_FULL = ("cannot allocate memory", "no space left", "resource temporarily unavailable", "too many open files")


@dataclass(frozen=True, slots=True)
class Seen:
    """A domain as it was found: its id, its XML, and its state in the contract's words."""

    machine_id: str
    xml: str
    state: MachineState
    is_active: bool
    reason: str = ""


def silence() -> None:
    """Nothing; libvirt writes no errors to our standard error: each is an exception already."""
    libvirt.registerErrorHandler(lambda _context, _error: None, None)


class Host:
    """The libvirt at *uri*; connected to when it is first needed, and again when it went away."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._opening = threading.Lock()
        self._connection: Any = None

    def domains(self) -> list[Seen]:
        """Every domain there is, ours or not. Raises Unreachable."""
        found = []
        try:
            for domain in self._opened().listAllDomains():
                seen = _seen(domain)
                if seen is not None:
                    found.append(seen)
        except libvirt.libvirtError as error:
            raise Unreachable(text_of(error)) from error
        return found

    def domain(self, machine_id: str) -> Seen | None:
        """The domain of that id; None when there is none. Raises Unreachable."""
        try:
            domain = self._lookup(machine_id)
            return None if domain is None else _seen(domain)
        except libvirt.libvirtError as error:
            raise Unreachable(text_of(error)) from error

    def define(self, xml: str) -> None:
        """Nothing; the domain exists, and does not run. Raises Refused or Unreachable."""
        try:
            self._opened().defineXML(xml)
        except libvirt.libvirtError as error:
            raise _problem(error, may_have_happened=False) from error

    def start(self, machine_id: str) -> None:
        """Nothing; the domain runs. Raises NoCapacity, Refused or Ambiguous."""
        try:
            domain = self._lookup(machine_id)
            if domain is None:
                raise Unreachable(f"the domain {machine_id} went away while it was being started")
            if not domain.isActive():
                domain.create()
        except libvirt.libvirtError as error:
            raise _problem(error, may_have_happened=True) from error

    def end(self, machine_id: str) -> None:
        """Nothing; the domain does not run. Takes some two seconds. Raises Unreachable or Refused."""
        try:
            domain = self._lookup(machine_id)
            if domain is not None and domain.isActive():
                domain.destroy()
        except libvirt.libvirtError as error:
            if error.get_error_code() not in {libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID}:
                raise _problem(error, may_have_happened=False) from error

    def forget(self, machine_id: str) -> None:
        """Nothing; the domain, which does not run, does not exist any more. Raises Unreachable or Refused."""
        try:
            domain = self._lookup(machine_id)
            if domain is not None:
                domain.undefine()
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                raise _problem(error, may_have_happened=False) from error

    def run_once(self, xml: str) -> Any:
        """A domain that runs and is forgotten when it ends. Raises NoCapacity, Refused or Unreachable."""
        try:
            return self._opened().createXML(xml, libvirt.VIR_DOMAIN_START_AUTODESTROY)
        except libvirt.libvirtError as error:
            raise _problem(error, may_have_happened=False) from error

    def address(self, machine_id: str) -> str | None:
        """What the network of the domain leased to it; None when nothing is known."""
        try:
            domain = self._lookup(machine_id)
            if domain is None or not domain.isActive():
                return None
            leases = domain.interfaceAddresses(libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE)
        except libvirt.libvirtError:
            return None  # an address is for people; without one the machine is no less alive
        return next((each["addr"] for card in leases.values() for each in card["addrs"] or ()), None)

    def facts(self) -> tuple[str, tuple[str, ...]]:
        """What it is, and its networks. Raises Unreachable."""
        try:
            connection = self._opened()
            version = connection.getVersion()
            _, memory_mib, processors, *_ = connection.getInfo()
            networks = tuple(network.name() for network in connection.listAllNetworks())
        except libvirt.libvirtError as error:
            raise Unreachable(text_of(error)) from error
        kind = f"{connection.getType()} {version // 1_000_000}.{version // 1000 % 1000}"
        return f"{kind}, {processors} processors, {memory_mib} MiB", networks

    def close(self) -> None:
        """Nothing; the connection is gone. Domains live on."""
        with self._opening:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _opened(self) -> Any:
        """The connection. Raises libvirtError."""
        with self._opening:
            if self._connection is None or not self._connection.isAlive():
                self._connection = libvirt.open(self._uri)
            return self._connection

    def _lookup(self, machine_id: str) -> Any:
        """The domain; None when there is none, or the id cannot be one's. Raises libvirtError."""
        try:
            return self._opened().lookupByUUIDString(machine_id)
        except libvirt.libvirtError as error:
            if error.get_error_code() in {libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_INVALID_ARG}:
                return None
            raise


def text_of(error: Exception) -> str:
    """What libvirt says, on one line."""
    return " ".join(str(error).split())[:500]


def _seen(domain: Any) -> Seen | None:
    """*domain* as it is now; None when it went away while it was looked at. Raises libvirtError."""
    try:
        state, reason = domain.state()
        xml = domain.XMLDesc()
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise
    known = _STATES.get(state, MachineState.UNKNOWN)
    if state == libvirt.VIR_DOMAIN_PAUSED and reason == libvirt.VIR_DOMAIN_PAUSED_STARTING_UP:
        known = MachineState.PENDING
    over = known is MachineState.TERMINATED
    return Seen(domain.UUIDString(), xml, known, not over, _ENDS.get(reason, "It does not run") if over else "")


def _problem(error: Exception, *, may_have_happened: bool) -> CloudError:
    text = text_of(error)
    if any(words in text.lower() for words in _FULL):
        return NoCapacity(text)
    code = error.get_error_code() if isinstance(error, libvirt.libvirtError) else None
    if code in _LOST:
        return Ambiguous(text) if may_have_happened else Unreachable(text)
    return Refused(text)
