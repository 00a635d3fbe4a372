"""
What is configured of a cloud of VMs, and how big a VM of which instance type is.

Owns: the values. Does not own: how they are configured, nor XML.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from backends.errors import Refused

SIZES: Mapping[str, tuple[int, int]] = {
    "m1.tiny": (1, 128),
    "m1.small": (1, 512),
    "m1.medium": (1, 1024),
    "m1.large": (2, 2048),
    "m1.xlarge": (4, 4096),
}
"""Processors, and memory in MiB. The names that OpenStack and old scripts use; any other is written as "2x1536"."""

_SIZE = re.compile(r"([1-9][0-9]?)x([1-9][0-9]{1,6})")

MEMORY_MIB_MIN = 64
"""Less boots no Linux: 64 was too small for Debian's cloud kernel, 72 worked (measured)."""


@dataclass(frozen=True, slots=True)
class Image:
    """What a VM boots from: *disk*, *kernel* with *initrd*, or both."""

    disk: Path | None = None
    kernel: Path | None = None
    initrd: Path | None = None
    cmdline: str = "console=ttyS0"
    description: str = ""


@dataclass(frozen=True, slots=True)
class LibvirtSettings:
    """One libvirt, and how much of its machine is ours. The words of *accel* are ``auto``, ``kvm`` and ``tcg``."""

    uri: str = "qemu:///session"
    accel: str = "auto"
    network: str | None = None
    """A libvirt network; without one, QEMU's own, which needs no rights and lets nobody in."""
    vms_max: int = 20
    starts_at_once: int = 2

    @property
    def is_test(self) -> bool:
        """True for libvirt's test driver: domains without anything behind them."""
        return self.uri.startswith("test")


def size_of(instance_type: str) -> tuple[int, int]:
    """Processors, and memory in MiB, of that type. Raises Refused when there is no such type."""
    if instance_type in SIZES:
        return SIZES[instance_type]
    found = _SIZE.fullmatch(instance_type)
    if found is None or int(found[2]) < MEMORY_MIB_MIN:
        named = ", ".join(SIZES)
        shape = "processors and MiB of memory, as in 2x1536"
        raise Refused(f"there is no instance type {instance_type!r}; use one of {named}, or {shape}")
    return int(found[1]), int(found[2])
