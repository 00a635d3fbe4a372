"""
An address of its own for each machine: 127.x.y.z, one of the sixteen million that Linux's loopback answers to.

Owns: reservations, one symbolic link per address in one folder that all clouds of a gateway share. A link is made in
one step and says whose the address is, so that two clouds (or two threads) never hand out the same one.
"""

import hashlib
import ipaddress
from pathlib import Path

from backends.errors import NoCapacity

FIRST = int(ipaddress.IPv4Address("127.1.0.0"))
"""Below it live localhost, Debian's 127.0.1.1 and systemd-resolved's 127.0.0.53."""

COUNT = 254 << 16
"""Up to 127.254.255.255."""

PROBES_MAX = 1000
"""Neighbours tried before giving up. Lower: fewer than this many machines may find no address."""


def candidate(owner: str, attempt: int) -> str:
    """The address that *owner* tries at its *attempt*-th go. The first is the same whenever it asks."""
    start = int.from_bytes(hashlib.sha256(owner.encode()).digest()[:8])
    # The last byte runs from 1 to 254: some tools take .0 and .255 for a network and its broadcast address.
    block, last = divmod((start + attempt) % (COUNT // 256 * 254), 254)
    return str(ipaddress.IPv4Address(FIRST + block * 256 + last + 1))


class Addresses:
    """The reservations in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def reserve(self, owner: str) -> str:
        """
        The address that belongs to *owner* ("cloud/machine") from now on; the same one when it has one already.

        Raises:
            NoCapacity: PROBES_MAX neighbours are taken.

        """
        for attempt in range(PROBES_MAX):
            address = candidate(owner, attempt)
            link = self._folder / address
            try:
                link.symlink_to(owner)
            except FileExistsError:
                if link.readlink() == Path(owner):
                    return address
            else:
                return address
        raise NoCapacity(f"No loopback address is free for {owner}: {PROBES_MAX} were tried")

    def release(self, address: str, owner: str) -> None:
        """Nothing; *address* is free again, unless it is not *owner*'s."""
        link = self._folder / address
        try:
            if link.readlink() == Path(owner):
                link.unlink()
        except FileNotFoundError:
            return

    def release_all_but(self, owners: set[str], cloud: str) -> None:
        """Nothing; frees what machines of *cloud* that are not among *owners* left behind."""
        for link in self._folder.iterdir():
            owner = str(link.readlink())
            if owner.startswith(f"{cloud}/") and owner not in owners:
                self.release(link.name, owner)
