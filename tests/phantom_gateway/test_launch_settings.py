"""What a launch configuration says, as clouds are told."""

import asyncio
import base64

from backends.cloud import BlockDevice, LaunchSpec
from tests.phantom_gateway.office import Office


def launched(office: Office) -> LaunchSpec:
    """What the group "web" would launch on hotel now."""
    record = asyncio.run(office.ledger.read(office.uid()))
    assert record is not None
    return record.sources["hotel"].spec


def test_clouds_are_asked_for_what_was_given(office: Office) -> None:
    """Key pair, security groups, disks and the rest reach the cloud; the original dropped most of them."""
    office.create_launch_configuration(
        KeyName="phantomkey",
        SecurityGroups=["web"],
        UserData=base64.b64encode(b"#!/bin/sh\n\xff").decode(),
        BlockDeviceMappings=[
            {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 20, "VolumeType": "gp3", "DeleteOnTermination": True}},
            {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
            {"DeviceName": "/dev/sdc", "NoDevice": True},
        ],
        IamInstanceProfile="web",
        InstanceMonitoring={"Enabled": False},
        AssociatePublicIpAddress=True,
        SpotPrice="0.05",
    )
    office.create_group()

    assert launched(office) == LaunchSpec(
        image_id="hello",
        instance_type="m1.small",
        key_name="phantomkey",
        user_data=b"#!/bin/sh\n\xff",
        security_groups=("web",),
        block_devices=(
            BlockDevice("/dev/sda1", size_gib=20, volume_type="gp3", delete_on_termination=True),
            BlockDevice("/dev/sdb", virtual_name="ephemeral0"),
            BlockDevice("/dev/sdc", no_device=True),
        ),
        instance_profile="web",
        monitoring=False,
        associate_public_ip=True,
        spot_price="0.05",
    )


def test_clouds_are_asked_for_nothing_more(office: Office) -> None:
    """AWS's defaults are shown to AWS clients, but no cloud is bothered with them: not each knows them all."""
    office.create_launch_configuration()
    office.create_group()

    assert launched(office) == LaunchSpec(image_id="hello", instance_type="m1.small")
    (shown,) = office.call("DescribeLaunchConfigurations")["LaunchConfigurations"]
    assert (shown["InstanceMonitoring"], shown["EbsOptimized"]) == ({"Enabled": True}, False)
