"""
All kinds of clouds that may be configured, by the word that chooses them.

Owns: the list. Does not own: what may be said of each (``cloud_kinds``, ``remote_kinds``, ``libvirt_kind``).
"""

from collections.abc import Mapping

from phantom_gateway.config.cloud_kinds import Ec2CloudSettings, LocalCloudSettings, LocalImageSettings
from phantom_gateway.config.libvirt_kind import LibvirtCloudSettings, LibvirtImageSettings
from phantom_gateway.config.remote_kinds import LibcloudCloudSettings, OpenStackCloudSettings

CloudSettings = (
    LocalCloudSettings | Ec2CloudSettings | OpenStackCloudSettings | LibcloudCloudSettings | LibvirtCloudSettings
)

RemoteCloudSettings = Ec2CloudSettings | OpenStackCloudSettings | LibcloudCloudSettings
"""Clouds where somebody has an account: the operator, or users with credentials of their own."""

CLOUD_TABLES: Mapping[str, type[CloudSettings]] = {
    "local": LocalCloudSettings,
    "ec2": Ec2CloudSettings,
    "openstack": OpenStackCloudSettings,
    "libcloud": LibcloudCloudSettings,
    "libvirt": LibvirtCloudSettings,
}
"""Which keys a cloud has, by its ``kind``."""

ImageSettings = LocalImageSettings | LibvirtImageSettings

IMAGE_TABLES: Mapping[type, type[ImageSettings]] = {
    LocalCloudSettings: LocalImageSettings,
    LibvirtCloudSettings: LibvirtImageSettings,
}
"""Which keys an image has, on the kinds of clouds whose images are described here."""
