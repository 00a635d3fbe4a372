"""
A launch in EC2's parameters.

Owns: how what a launch configuration says, and what the settings say where it says nothing, is spelled for
RunInstances. Does not own: the call, its answer.
"""

from collections.abc import Mapping
from typing import Any

from backends.cloud import BlockDevice, LaunchSpec, Mark
from backends.ec2.dialect import Ec2Settings
from backends.ec2.inventory import tags_of
from backends.errors import Refused


def parameters(spec: LaunchSpec, count: int, token: str, mark: Mark, settings: Ec2Settings) -> dict[str, Any]:
    """
    The parameters of RunInstances, as the SDK takes them, for at most *count* machines.

    Raises:
        Refused: the endpoint cannot do what *spec* asks for, and would say so less clearly.

    """
    if len(spec.user_data) > settings.user_data_bytes_max:
        raise Refused(
            f"the user data has {len(spec.user_data)} bytes, this cloud takes {settings.user_data_bytes_max} at most"
        )
    # A subnet lies in a zone: the account's own zone would contradict one that the group named.
    zone = spec.zone or (None if spec.subnet_id else settings.zone)
    found: dict[str, Any] = {
        "ImageId": spec.image_id,
        "InstanceType": spec.instance_type,
        "MinCount": 1 if settings.partial_launches else count,
        "MaxCount": count,
        "ClientToken": token,
        "KeyName": spec.key_name or settings.key_name,
        "UserData": spec.user_data or None,
        "KernelId": spec.kernel_id,
        "RamdiskId": spec.ramdisk_id,
        "EbsOptimized": spec.ebs_optimized,
        "BlockDeviceMappings": [_block_device(device) for device in spec.block_devices],
        "Placement": _given({"AvailabilityZone": zone, "Tenancy": spec.placement_tenancy}),
        "Monitoring": _given({"Enabled": spec.monitoring}),
        "IamInstanceProfile": _profile(spec.instance_profile),
        "InstanceMarketOptions": _market(spec.spot_price),
        "TagSpecifications": [],
        **_network(spec, settings),
    }
    if settings.tags == "launch":
        found["TagSpecifications"] = [{"ResourceType": "instance", "Tags": tags_of(mark)}]
    return _given(found)


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """*values* without those that say nothing. A False says something."""
    return {key: value for key, value in values.items() if value is not None and value not in ({}, [], "")}


def _network(spec: LaunchSpec, settings: Ec2Settings) -> dict[str, Any]:
    """
    Where the machine is connected, and behind which security groups.

    Source: EC2 API Reference, RunInstances: a public address is a property of a network interface, and with an
    interface the subnet and the groups are its own; there, groups have no names.
    """
    groups = spec.security_groups or settings.security_groups
    ids = [group for group in groups if group.startswith("sg-")]
    names = [group for group in groups if not group.startswith("sg-")]
    subnet_id = spec.subnet_id or settings.subnet_id
    if spec.associate_public_ip is None:
        return {"SecurityGroupIds": ids, "SecurityGroups": names, "SubnetId": subnet_id}
    if names:
        raise Refused(f"with AssociatePublicIpAddress, security groups are named by id (sg-...), not {names[0]!r}")
    interface = {
        "DeviceIndex": 0,
        "AssociatePublicIpAddress": spec.associate_public_ip,
        "SubnetId": subnet_id,
        "Groups": ids,
    }
    return {"NetworkInterfaces": [_given(interface)]}


def _block_device(device: BlockDevice) -> dict[str, Any]:
    ebs = {
        "SnapshotId": device.snapshot_id,
        "VolumeType": device.volume_type,
        "DeleteOnTermination": device.delete_on_termination,
        "Encrypted": device.encrypted,
        "Iops": device.iops,
        "VolumeSize": device.size_gib,
        "Throughput": device.throughput_mib_s,
    }
    found = {"DeviceName": device.device_name, "VirtualName": device.virtual_name, "Ebs": _given(ebs)}
    # EC2 takes any text here, and means it by its presence; the SDK leaves an empty one out of nothing.
    return _given(found) | ({"NoDevice": ""} if device.no_device else {})


def _profile(name_or_arn: str | None) -> dict[str, str]:
    if not name_or_arn:
        return {}
    return {"Arn": name_or_arn} if name_or_arn.startswith("arn:") else {"Name": name_or_arn}


def _market(spot_price: str | None) -> dict[str, Any]:
    if not spot_price:
        return {}
    # One-time, as the original's: a group replaces what the market took, a persistent request would do so as well.
    return {"MarketType": "spot", "SpotOptions": {"MaxPrice": spot_price, "SpotInstanceType": "one-time"}}
