"""
Clouds of VMs that libvirt runs, built of their settings.

Owns: how their keys become the adapter, which is imported only here, when one is configured. libvirt-python is an
extra: without it, such a cloud says how to install it.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from backends.cloud import Cloud
from phantom_gateway.config import LibvirtCloudSettings
from phantom_gateway.installation import InstallationError

INSTALL = "pip install 'phantom-gateway[libvirt]' (its build needs libvirt-dev and a C compiler)"


def libvirt(
    name: str, settings: LibvirtCloudSettings, directory: Path, gateway_id: str, clock: Callable[[], datetime]
) -> Cloud:
    """The cloud. Nothing is contacted yet. Raises InstallationError: libvirt-python is not installed."""
    try:
        from backends.libvirt import Image, LibvirtCloud, LibvirtSettings
    except ModuleNotFoundError as error:
        if error.name not in {"libvirt", "libvirtmod"}:
            raise
        raise InstallationError(f"[clouds.{name}] needs libvirt-python: {INSTALL}") from error
    images = {
        image_id: Image(
            disk=image.disk,
            kernel=image.kernel,
            initrd=image.initrd,
            cmdline=image.cmdline,
            description=image.description,
        )
        for image_id, image in settings.images.items()
    }
    made = LibvirtSettings(
        uri=settings.uri,
        accel=settings.accel,
        network=settings.network,
        vms_max=settings.vms_max,
        starts_at_once=settings.starts_at_once,
    )
    return LibvirtCloud(name, made, images, directory / name, gateway_id, clock=clock)
