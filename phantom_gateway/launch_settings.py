"""
From what a launch configuration was given to what a cloud launches.

Owns: the members of AWS's CreateLaunchConfiguration that mean something to a cloud. Does not own: what a cloud makes of
them; one that does not know a setting leaves it out.
"""

from collections.abc import Mapping
from typing import Any

from backends.cloud import BlockDevice, LaunchSpec


def launch_spec(
    *,
    image_id: str,
    instance_type: str,
    key_name: str | None,
    user_data: bytes,
    settings: Mapping[str, Any],
    zone: str | None,
) -> LaunchSpec:
    """What to launch. *settings* are by AWS's member names."""
    return LaunchSpec(
        image_id=image_id,
        instance_type=instance_type,
        key_name=key_name,
        user_data=user_data,
        security_groups=tuple(settings.get("SecurityGroups", ())),
        kernel_id=settings.get("KernelId"),
        ramdisk_id=settings.get("RamdiskId"),
        zone=zone,
        block_devices=tuple(_block_device(given) for given in settings.get("BlockDeviceMappings", ())),
        instance_profile=settings.get("IamInstanceProfile"),
        monitoring=settings.get("InstanceMonitoring", {}).get("Enabled"),
        ebs_optimized=settings.get("EbsOptimized"),
        associate_public_ip=settings.get("AssociatePublicIpAddress"),
        placement_tenancy=settings.get("PlacementTenancy"),
        spot_price=settings.get("SpotPrice"),
    )


def _block_device(given: Mapping[str, Any]) -> BlockDevice:
    disk = given.get("Ebs", {})
    return BlockDevice(
        device_name=given["DeviceName"],
        virtual_name=given.get("VirtualName"),
        no_device=bool(given.get("NoDevice", False)),
        snapshot_id=disk.get("SnapshotId"),
        volume_type=disk.get("VolumeType"),
        delete_on_termination=disk.get("DeleteOnTermination"),
        encrypted=disk.get("Encrypted"),
        iops=disk.get("Iops"),
        size_gib=disk.get("VolumeSize"),
        throughput_mib_s=disk.get("Throughput"),
    )
