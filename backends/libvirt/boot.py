"""
Whether an image boots with KVM: found out by booting it.

Owns: the trial. A device node proves nothing: inside some VMs it is there, a domain of type "kvm" can be made, and
every kernel hangs in it, at full load and without a word (measured). What a kernel or a boot loader writes to the first
serial line is the proof; an image that writes nothing there is emulated.
"""

import threading
import uuid
from pathlib import Path

from lxml import etree

from backends.errors import CloudError
from backends.libvirt.files import Files
from backends.libvirt.host import Host
from backends.libvirt.settings import Image

TRIAL_S = 20.0
"""An image that has said nothing by then is emulated. With KVM the first line comes within two seconds."""

LOOK_EVERY_S = 0.1

MEMORY_MIB = 256

DEVICE = Path("/dev/kvm")


def boots_with_kvm(host: Host, image: Image, directory: Path) -> bool:
    """True when *image* was seen to boot with KVM. Takes TRIAL_S at most; leaves nothing in *directory*."""
    if not DEVICE.exists():
        return False
    name = f"phantom-trial-{uuid.uuid4().hex[:8]}"
    files = Files(directory / name)
    try:
        files.fill(image, name, b"")
        domain = host.run_once(_trial(name, image, files))
    except CloudError:
        files.remove()
        return False
    never = threading.Event()
    looks = int(TRIAL_S / LOOK_EVERY_S)
    try:
        return any(files.console.stat().st_size > 0 or never.wait(LOOK_EVERY_S) for _ in range(looks))
    finally:
        domain.destroy()
        files.remove()


def _trial(name: str, image: Image, files: Files) -> str:
    """The domain of the trial: as little as boots. It bears no mark, and ends with our connection."""
    root = etree.Element("domain", type="kvm")
    etree.SubElement(root, "name").text = name
    memory = etree.SubElement(root, "memory", unit="MiB")
    memory.text = str(MEMORY_MIB)
    etree.SubElement(root, "vcpu").text = "1"
    system = etree.SubElement(root, "os")
    etree.SubElement(system, "type", arch="x86_64").text = "hvm"
    if image.kernel is not None:
        etree.SubElement(system, "kernel").text = str(image.kernel)
        if image.initrd is not None:
            etree.SubElement(system, "initrd").text = str(files.initrd)
        etree.SubElement(system, "cmdline").text = image.cmdline
    devices = etree.SubElement(root, "devices")
    if image.disk is not None:
        disk = etree.SubElement(devices, "disk", type="file", device="disk")
        etree.SubElement(disk, "driver", name="qemu", type="qcow2")
        etree.SubElement(disk, "source", file=str(files.disk))
        etree.SubElement(disk, "target", dev="vda", bus="virtio")
    serial = etree.SubElement(devices, "serial", type="file")
    etree.SubElement(serial, "source", path=str(files.console))
    etree.SubElement(devices, "memballoon", model="none")
    return str(etree.tostring(root, encoding="unicode"))
