"""
Launch configurations, as AWS clients see them: each ``base@cloud`` is one.

Owns: their rules and their view. Immutable; what they name (image, key pair) is looked at by the cloud at launch, and a
refusal is told in scaling activities, because each cloud has names of its own.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from phantom_gateway.names import LaunchName, NameRule, launch_configuration_arn
from phantom_gateway.operations.desk import Desk, invalid
from phantom_gateway.operations.launch_rules import check_cloud, check_room, check_unused, follow
from phantom_gateway.operations.table import operation
from phantom_gateway.records import launch_configurations
from phantom_gateway.records.launch_configurations import LaunchSpecRecord
from phantom_gateway.secret import Secret
from protocol.encode import Fragment, encode_member
from protocol.errors import ApiError
from protocol.model import service
from protocol.paging import page_size

PAGE_DEFAULT = 50
PAGE_MAX = 100
"""AWS's page sizes for launch configurations and groups."""


NOTHING_TO_LAUNCH = (
    "Valid requests must contain either the InstanceID parameter or both the ImageId and InstanceType parameters."
)


@dataclass(frozen=True, slots=True)
class CreateLaunchConfigurationParams:
    """Input of CreateLaunchConfiguration. InstanceId (copy a running instance) is not supported."""

    launch_configuration_name: str
    image_id: str | None = None
    instance_type: str | None = None
    key_name: str | None = None
    user_data: str | None = None
    security_groups: list[str] | None = None
    kernel_id: str | None = None
    ramdisk_id: str | None = None
    block_device_mappings: list[dict[str, Any]] | None = None
    instance_monitoring: dict[str, Any] | None = None
    spot_price: str | None = None
    iam_instance_profile: str | None = None
    ebs_optimized: bool | None = None
    associate_public_ip_address: bool | None = None
    placement_tenancy: str | None = None
    metadata_options: dict[str, Any] | None = None
    classic_link_vpc_id: str | None = None
    classic_link_vpc_security_groups: list[str] | None = None


@dataclass(frozen=True, slots=True)
class LaunchConfigurationNameParams:
    """Input of DeleteLaunchConfiguration."""

    launch_configuration_name: str


@dataclass(frozen=True, slots=True)
class DescribeLaunchConfigurationsParams:
    """Input of DescribeLaunchConfigurations."""

    launch_configuration_names: list[str] | None = None
    next_token: str | None = None
    max_records: int | None = None


@operation("CreateLaunchConfiguration", writes=True)
def create_launch_configuration(desk: Desk, p: CreateLaunchConfigurationParams) -> None:
    """Nothing; the launch configuration exists. Raises ValidationError, AlreadyExists, LimitExceeded."""
    if not p.image_id or not p.instance_type:
        raise invalid(NOTHING_TO_LAUNCH)
    name = _parse_name(desk, p.launch_configuration_name)
    siblings = launch_configurations.of_base(desk.connection, desk.user.id, name.base)
    if any(spec.cloud == name.cloud for spec in siblings):
        raise ApiError(
            "AlreadyExists",
            "Launch Configuration by this name already exists - A launch configuration already exists with the name "
            f"{p.launch_configuration_name}",
        )
    check_room(desk, 1)
    user_data = _user_data(p.user_data)
    if user_data and any(spec.chef_sealed for spec in siblings):
        raise invalid(f"UserData: {name.base} is contextualized by Chef on all its clouds; leave UserData out.")
    launch_configurations.add(
        desk.connection,
        desk.user.id,
        name=p.launch_configuration_name,
        base_name=name.base,
        cloud=name.cloud,
        uid=desk.house.new_id(),
        image_id=p.image_id,
        instance_type=p.instance_type,
        key_name=p.key_name or None,
        user_data_sealed=desk.house.keyring.encrypt(Secret(user_data)) if user_data else None,
        settings=_settings(p),
        created_at=desk.now,
        is_first=not siblings,
    )
    if siblings:
        follow(desk, siblings, launch_configurations.of_base(desk.connection, desk.user.id, name.base))


@operation("DeleteLaunchConfiguration", writes=True)
def delete_launch_configuration(desk: Desk, p: LaunchConfigurationNameParams) -> None:
    """Nothing; it is gone. Raises ValidationError when there is none, ResourceInUse while a group uses it."""
    spec = find_spec(desk, p.launch_configuration_name)
    siblings = launch_configurations.of_base(desk.connection, desk.user.id, spec.base_name)
    check_unused(desk, siblings, {spec.cloud}, may_be_left=False)
    launch_configurations.remove(desk.connection, spec, desk.user.id)


@operation("DescribeLaunchConfigurations")
def describe_launch_configurations(desk: Desk, p: DescribeLaunchConfigurationsParams) -> dict[str, Any]:
    """One page of launch configurations by name; unknown names in the filter are left out silently, as AWS does."""
    size = page_size(p.max_records, PAGE_DEFAULT, PAGE_MAX)
    names = p.launch_configuration_names or None
    scope = desk.page_scope("DescribeLaunchConfigurations", names)
    after = desk.page_start(p.next_token, scope)
    rows = launch_configurations.page(desk.connection, desk.user.id, names, after, size + 1)
    answer: dict[str, Any] = {"LaunchConfigurations": _fragments(desk, rows[:size])}
    if len(rows) > size:
        answer["NextToken"] = desk.house.page_tokens.issue(scope, rows[size - 1][0])
    return answer


def find_spec(desk: Desk, name: str) -> LaunchSpecRecord:
    """The user's launch configuration called *name*. Raises ValidationError with AWS's words when there is none."""
    spec = launch_configurations.find(desk.connection, desk.user.id, name)
    if spec is None:
        raise invalid(f"Launch configuration name not found - Launch configuration {name} not found")
    return spec


def _parse_name(desk: Desk, text: str) -> LaunchName:
    """The name's two halves. Raises ValidationError that states the rule."""
    try:
        name = LaunchName.parse(text, desk.house.default_cloud)
    except NameRule as rule:
        raise invalid(f"LaunchConfigurationName: {rule}") from rule
    check_cloud(desk, name.cloud, "LaunchConfigurationName")
    return name


def _user_data(given: str | None) -> str | None:
    """*given*, checked, without the line ends that Ruby clients put into base64. Raises ValidationError."""
    if not given:
        return None
    text = "".join(given.split())
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise invalid("Invalid base64 encoding of user data.") from error
    return text


def _settings(p: CreateLaunchConfigurationParams) -> dict[str, Any]:
    """What was given, by AWS member name: clouds are asked for no more than the user asked for."""
    values = {
        "SecurityGroups": p.security_groups,
        "KernelId": p.kernel_id,
        "RamdiskId": p.ramdisk_id,
        "BlockDeviceMappings": p.block_device_mappings,
        "InstanceMonitoring": p.instance_monitoring,
        "SpotPrice": p.spot_price,
        "IamInstanceProfile": p.iam_instance_profile,
        "EbsOptimized": p.ebs_optimized,
        "AssociatePublicIpAddress": p.associate_public_ip_address,
        "PlacementTenancy": p.placement_tenancy,
        "MetadataOptions": p.metadata_options,
        "ClassicLinkVPCId": p.classic_link_vpc_id,
        "ClassicLinkVPCSecurityGroups": p.classic_link_vpc_security_groups,
    }
    return {member: value for member, value in values.items() if value not in (None, "", [], {})}


def _fragments(desk: Desk, rows: list[tuple[str, int, int]]) -> list[Fragment]:
    """The encoded members of one page, from the cache where nothing changed."""
    keys = {spec_id: ("launch", spec_id, version, desk.withhold) for _, spec_id, version in rows}
    found = {spec_id: desk.house.fragments.get(key) for spec_id, key in keys.items()}
    missing = [spec_id for spec_id, fragment in found.items() if fragment is None]
    if missing:
        describe = service().operations["DescribeLaunchConfigurations"]
        for spec in launch_configurations.by_ids(desk.connection, missing):
            fragment = encode_member(describe, "LaunchConfigurations", _view(desk, spec), desk.withhold)
            desk.house.fragments.put(keys[spec.id], fragment)
            found[spec.id] = fragment
    return [fragment for fragment in found.values() if fragment is not None]


def _view(desk: Desk, spec: LaunchSpecRecord) -> dict[str, Any]:
    sealed = spec.user_data_sealed
    return {
        "LaunchConfigurationName": spec.name,
        "LaunchConfigurationARN": launch_configuration_arn(
            desk.house.region, desk.user.account_id, spec.uid, spec.name
        ),
        "ImageId": spec.image_id,
        "InstanceType": spec.instance_type,
        "KeyName": spec.key_name or "",
        "UserData": desk.house.keyring.decrypt(sealed).reveal() if sealed else "",
        "KernelId": "",
        "RamdiskId": "",
        "SecurityGroups": [],
        "ClassicLinkVPCSecurityGroups": [],
        "BlockDeviceMappings": [],
        "InstanceMonitoring": {"Enabled": True},
        "EbsOptimized": False,
        "CreatedTime": spec.created_at,
        **spec.settings,
    }
