"""
What may be configured of VMs that libvirt runs on a machine of one's own.

Owns: the keys of the kind ``libvirt`` and of its images. Does not own: how such a VM is put together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from phantom_gateway.config import kinds, places, shared_keys
from phantom_gateway.config.keys import about


@dataclass(frozen=True, slots=True, kw_only=True)
class LibvirtImageSettings:
    """What a VM boots from: a disk, or a kernel with its first file system."""

    disk: Path | None = field(
        default=None,
        metadata=about(
            places.PathTo(must_exist=True),
            "Disk image, in qcow2 or raw. Each VM writes to a layer of its own over it.",
            reason="The image is shared, and never changed; do not change it while VMs use it.",
        ),
    )
    kernel: Path | None = field(
        default=None,
        metadata=about(
            places.PathTo(must_exist=True),
            "Kernel that is booted directly, instead of what is on a disk.",
            reason="The fastest way to a VM, and the only one without a boot loader.",
        ),
    )
    initrd: Path | None = field(
        default=None,
        metadata=about(
            places.PathTo(must_exist=True),
            "First file system. Goes with `kernel`.",
            reason="A kernel of a distribution finds no disk without it.",
        ),
    )
    cmdline: str = field(
        default="console=ttyS0",
        metadata=about(
            shared_keys.LINE,
            "Command line of the kernel.",
            reason="The first serial line is the VM's console log.",
        ),
    )
    description: str = field(default="", metadata=shared_keys.IMAGE_DESCRIPTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class LibvirtCloudSettings:
    """VMs of libvirt, on this machine or on one that its URI names."""

    kind: str = field(metadata=shared_keys.KIND)
    uri: str = field(
        default="qemu:///session",
        metadata=about(
            kinds.Text(r"(qemu|test)(\+[a-z]+)?://[!-~]{1,255}", "a libvirt URI of QEMU or of the test driver"),
            "Which libvirt: `qemu:///session` needs no privileges, `qemu:///system` has bridged networks.",
            reason="Other hypervisors of libvirt put machines together in other ways, which nobody here has tried.",
        ),
    )
    accel: str = field(
        default="auto",
        metadata=about(
            kinds.Choice("acceleration", ("auto", "kvm", "tcg")),
            "`kvm`: the processor runs the VM; `tcg`: it is emulated, some ten times slower; `auto`: KVM, once an "
            "image was seen to boot with it.",
            reason="A machine may have /dev/kvm and still hang every kernel: inside some VMs it does.",
        ),
    )
    network: str | None = field(
        default=None,
        metadata=about(
            kinds.Text(r"[!-~]{1,255}", "1 to 255 printable ASCII characters without spaces"),
            "libvirt network of the VMs. Without one, QEMU's own, which lets VMs out and nobody in.",
            reason="A network has to be set up by root; QEMU's own works for everybody.",
        ),
    )
    vms_max: int = field(
        default=20,
        metadata=about(
            kinds.Whole(1, 1000),
            "VMs that fit; when it is full, groups go on to their next cloud.",
            reason="An emulated VM takes 174 MB beyond nothing, and seconds of a processor to boot.",
        ),
    )
    starts_at_once: int = field(
        default=2,
        metadata=about(
            kinds.Whole(1, 64),
            "VMs that are started, or ended, at the same time.",
            reason="An emulated boot takes 3 to 5 s of a processor; forty at once made all of them slow.",
        ),
    )
    launches_per_minute_max: float = field(default=120.0, metadata=shared_keys.LAUNCHES_PER_MINUTE_MAX)
    images: Mapping[str, LibvirtImageSettings] = field(default_factory=dict)
    """By name, in the order of the file."""
