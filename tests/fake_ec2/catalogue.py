"""
What the fake EC2 offers and never changes: images, types, zones, regions, security groups, key pairs, networks.

Owns: those answers, as clients that manage groups ask for them on the way. Does not own: machines.
"""

from collections.abc import Callable, Mapping
from xml.sax.saxutils import escape

from tests.fake_ec2 import replies
from tests.fake_ec2.operations import OPERATIONS, Call
from tests.fake_ec2.world import Refusal, World

VPC = "vpc-0123456789abcdef0"
SUBNET = "subnet-0123456789abcdef0"


def _wanted(call: Call, filter_name: str, numbered: str) -> list[str]:
    """The names that *call* asks for by list or by filter; none means all."""
    found = call.numbered(numbered)
    for group in call.groups("Filter"):
        if group.get("Name") == filter_name:
            found += [value for key, value in group.items() if key.startswith("Value")]
    return found


def _chosen(offered: tuple[str, ...], wanted: list[str], code: str, *, strict: bool = True) -> list[str]:
    """What of *offered* is *wanted*. Raises Refusal (*code*) for something that is not offered."""
    missing = [name for name in wanted if name not in offered]
    if missing and strict:
        raise Refusal(code, f"The id '{missing[0]}' does not exist")
    return [name for name in offered if not wanted or name in wanted]


def _images(world: World, call: Call) -> str:
    ids = _chosen(world.knobs.images, _wanted(call, "image-id", "ImageId"), "InvalidAMIID.NotFound")
    return replies.items(
        "imagesSet",
        (
            f"<imageId>{image_id}</imageId><imageLocation>fake/{image_id}</imageLocation>"
            f"<imageState>available</imageState><imageOwnerId>{replies.OWNER}</imageOwnerId><isPublic>true</isPublic>"
            f"<architecture>x86_64</architecture><imageType>machine</imageType><name>{image_id}</name>"
            "<rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/xvda</rootDeviceName><blockDeviceMapping><item>"
            "<deviceName>/dev/xvda</deviceName><ebs><snapshotId>snap-0123456789abcdef0</snapshotId>"
            "<volumeSize>8</volumeSize><deleteOnTermination>true</deleteOnTermination><volumeType>gp2</volumeType>"
            "</ebs></item></blockDeviceMapping><virtualizationType>hvm</virtualizationType>"
            "<hypervisor>xen</hypervisor><creationDate>2013-08-19T20:00:00.000Z</creationDate>"
            for image_id in ids
        ),
    )


def _instance_types(world: World, call: Call) -> str:
    wanted = _wanted(call, "instance-type", "InstanceType")
    return replies.items(
        "instanceTypeSet",
        (
            f"<instanceType>{name}</instanceType><currentGeneration>true</currentGeneration>"
            "<vCpuInfo><defaultVCpus>2</defaultVCpus></vCpuInfo><memoryInfo><sizeInMiB>1024</sizeInMiB></memoryInfo>"
            for name in _chosen(world.knobs.instance_types, wanted, "InvalidInstanceType")
        ),
    )


def _zones(world: World, call: Call) -> str:
    region = world.knobs.region
    return replies.items(
        "availabilityZoneInfo",
        (
            f"<zoneName>{zone}</zoneName><zoneId>{zone}-id</zoneId><zoneState>available</zoneState>"
            f"<regionName>{region}</regionName><messageSet/><zoneType>availability-zone</zoneType>"
            "<optInStatus>opt-in-not-required</optInStatus>"
            for zone in _chosen(world.knobs.zones, _wanted(call, "zone-name", "ZoneName"), "InvalidParameterValue")
        ),
    )


def _regions(world: World, _call: Call) -> str:
    region = world.knobs.region
    entry = (
        f"<regionName>{region}</regionName><regionEndpoint>ec2.{region}.example.org</regionEndpoint>"
        "<optInStatus>opt-in-not-required</optInStatus>"
    )
    return replies.items("regionInfo", [entry])


def _security_groups(world: World, call: Call) -> str:
    by_id = {f"sg-{index:017x}": name for index, name in enumerate(world.knobs.security_groups, 1)}
    ids = set(_chosen(tuple(by_id), _wanted(call, "group-id", "GroupId"), "InvalidGroup.NotFound"))
    names = _wanted(call, "group-name", "GroupName")
    _chosen(world.knobs.security_groups, call.numbered("GroupName"), "InvalidGroup.NotFound")
    return replies.items(
        "securityGroupInfo",
        (
            f"<ownerId>{replies.OWNER}</ownerId><groupId>{group_id}</groupId><groupName>{escape(name)}</groupName>"
            f"<groupDescription>{escape(name)}</groupDescription><vpcId>{VPC}</vpcId><ipPermissions/>"
            "<ipPermissionsEgress/>"
            for group_id, name in by_id.items()
            if group_id in ids and (not names or name in names)
        ),
    )


def _key_pairs(world: World, call: Call) -> str:
    names = _chosen(world.knobs.key_names, _wanted(call, "key-name", "KeyName"), "InvalidKeyPair.NotFound")
    return replies.items(
        "keySet",
        (
            f"<keyPairId>key-0123456789abcdef0</keyPairId><keyName>{escape(name)}</keyName>"
            "<keyFingerprint>00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00</keyFingerprint>"
            for name in names
        ),
    )


def _vpcs(_world: World, _call: Call) -> str:
    entry = f"<vpcId>{VPC}</vpcId><state>available</state><cidrBlock>10.0.0.0/8</cidrBlock><isDefault>true</isDefault>"
    return replies.items("vpcSet", [entry])


def _subnets(world: World, _call: Call) -> str:
    return replies.items(
        "subnetSet",
        (
            f"<subnetId>{subnet}</subnetId><state>available</state><vpcId>{VPC}</vpcId>"
            f"<cidrBlock>10.0.0.0/8</cidrBlock><availabilityZone>{world.knobs.zones[0]}</availabilityZone>"
            "<defaultForAz>true</defaultForAz>"
            for subnet in world.knobs.subnets
        ),
    )


def _account_attributes(_world: World, _call: Call) -> str:
    value = "<item><attributeValue>VPC</attributeValue></item>"
    entry = f"<attributeName>supported-platforms</attributeName><attributeValueSet>{value}</attributeValueSet>"
    return replies.items("accountAttributeSet", [entry])


ACTIONS: Mapping[str, Callable[[World, Call], str]] = {
    **OPERATIONS,
    "DescribeImages": _images,
    "DescribeInstanceTypes": _instance_types,
    "DescribeAvailabilityZones": _zones,
    "DescribeRegions": _regions,
    "DescribeSecurityGroups": _security_groups,
    "DescribeKeyPairs": _key_pairs,
    "DescribeVpcs": _vpcs,
    "DescribeSubnets": _subnets,
    "DescribeAccountAttributes": _account_attributes,
}
"""Everything the endpoint can do."""
