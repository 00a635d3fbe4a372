"""
The kind ``libvirt``: VMs that libvirt runs on a machine of one's own.

Owns: everything that imports libvirt. A machine here is a domain whose metadata holds our mark.
"""

from backends.libvirt.cloud import LibvirtCloud
from backends.libvirt.settings import Image, LibvirtSettings

__all__ = ["Image", "LibvirtCloud", "LibvirtSettings"]
