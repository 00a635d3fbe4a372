"""
The configured clouds, built: the operator's, and a user's own on one of them.

Owns: which adapter stands behind which kind, with whose credentials. An adapter is imported only when a cloud of its
kind is configured, so that nobody waits for, or needs, what he does not use. Does not own: who has which credentials.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal, assert_never

from backends.cloud import Cloud, CloudTraits
from phantom_gateway import libvirt_clouds, remote_clouds
from phantom_gateway.config import (
    Config,
    Ec2CloudSettings,
    LibcloudCloudSettings,
    LibvirtCloudSettings,
    LocalCloudSettings,
    OpenStackCloudSettings,
    RemoteCloudSettings,
)
from phantom_gateway.credentials import Credentials

CloudsOf = Callable[[Config, str, Callable[[], datetime]], Mapping[str, Cloud]]
"""Makes the operator's clouds of a configuration, by name, for the gateway with this id, with this clock."""

OwnCloudOf = Callable[[Config, str, Callable[[], datetime], str, Credentials], Cloud]
"""Makes the cloud of this name in the configuration, reached with a user's own credentials."""


def build_clouds(config: Config, gateway_id: str, clock: Callable[[], datetime]) -> dict[str, Cloud]:
    """
    The operator's clouds by name, in the order of the configuration. Nothing is contacted yet.

    Left out are those for which the operator has no credentials: only users with their own can use them.
    """
    directory = config.state_directory / "clouds"
    clouds: dict[str, Cloud] = {}
    for name, settings in config.clouds.items():
        match settings:
            case LocalCloudSettings():
                clouds[name] = _local(name, settings, directory, gateway_id, clock)
            case LibvirtCloudSettings():
                clouds[name] = libvirt_clouds.libvirt(name, settings, directory, gateway_id, clock)
            case Ec2CloudSettings() | OpenStackCloudSettings() | LibcloudCloudSettings():
                credentials = operators_credentials(settings)
                if credentials is not None:
                    clouds[name] = _remote(name, settings, credentials, gateway_id, clock)
            case _ as never:
                assert_never(never)
    return clouds


def build_own_cloud(
    config: Config, gateway_id: str, clock: Callable[[], datetime], name: str, credentials: Credentials
) -> Cloud:
    """
    The cloud *name*, reached with a user's own *credentials*. Nothing is contacted yet.

    Raises KeyError: it is not configured. Raises ValueError: clouds of its kind know no credentials.
    """
    settings = config.clouds[name]
    if not isinstance(settings, RemoteCloudSettings):
        raise ValueError(f"{name} is of the kind {settings.kind}, which knows no credentials")  # noqa: TRY004 - a value
    return _remote(name, settings, credentials, gateway_id, clock)


def operators_credentials(settings: RemoteCloudSettings) -> Credentials | None:
    """The operator's credentials in the configuration, or None. Raises InstallationError: clouds.yaml is wrong."""
    if not isinstance(settings, Ec2CloudSettings):
        return remote_clouds.operators_credentials(settings)
    if settings.access_key_id is None or settings.secret_access_key is None:
        return None
    return Credentials(settings.access_key_id, settings.secret_access_key)


def traits_of(settings: RemoteCloudSettings) -> CloudTraits:
    """What is known of the cloud without asking it."""
    return CloudTraits(
        token_is_idempotent=isinstance(settings, Ec2CloudSettings) and settings.token_is_idempotent,
        launch_batch_max=settings.launch_batch_max,
        visible_after_s=settings.visible_after_s,
    )


def _remote(
    name: str, settings: RemoteCloudSettings, credentials: Credentials, gateway_id: str, clock: Callable[[], datetime]
) -> Cloud:
    match settings:
        case Ec2CloudSettings():
            return _ec2(name, settings, credentials, gateway_id, clock)
        case OpenStackCloudSettings():
            return remote_clouds.openstack(name, settings, credentials, gateway_id, clock)
        case LibcloudCloudSettings():
            return remote_clouds.libcloud(name, settings, credentials, gateway_id, clock)
        case _ as never:
            assert_never(never)


def _local(
    name: str, settings: LocalCloudSettings, directory: Path, gateway_id: str, clock: Callable[[], datetime]
) -> Cloud:
    from backends.local import Image, LocalCloud, Sandbox

    images: Mapping[str, Image] = {
        image_id: Image(image.command, image.description) for image_id, image in settings.images.items()
    }
    return LocalCloud(
        name,
        directory,
        gateway_id,
        images,
        clock=clock,
        vms_max=settings.vms_max,
        sandbox=Sandbox(settings.sandbox),
        terminate_grace_s=settings.terminate_grace_s,
    )


def _ec2(
    name: str, settings: Ec2CloudSettings, credentials: Credentials, gateway_id: str, clock: Callable[[], datetime]
) -> Cloud:
    from backends.ec2.cloud import Ec2Cloud
    from backends.ec2.dialect import Ec2Credentials, Ec2Settings

    made = Ec2Settings(
        endpoint_url=settings.endpoint_url,
        region=settings.region,
        signature_version="v2" if settings.signature_version == "v2" else "v4",
        api_version=settings.api_version,
        verify_tls=settings.verify_tls if settings.ca_bundle is None else str(settings.ca_bundle),
        connect_timeout_s=settings.connect_timeout_s,
        read_timeout_s=settings.read_timeout_s,
        launch_batch_max=settings.launch_batch_max,
        partial_launches=settings.partial_launches,
        tags=_TAGGING[settings.tags],
        token_is_idempotent=settings.token_is_idempotent,
        filters_trusted=settings.filters_trusted,
        visible_after_s=settings.visible_after_s,
        user_data_bytes_max=settings.user_data_bytes_max,
        key_name=credentials.key_name or settings.key_name,
        security_groups=settings.security_groups,
        subnet_id=settings.subnet_id,
        zone=settings.zone,
        zones=settings.zones,
        calls_at_once=settings.calls_at_once,
        sweep_page_size=settings.sweep_page_size,
    )
    key = Ec2Credentials(credentials.access_key_id, credentials.secret_access_key.reveal())
    return Ec2Cloud(name, made, key, gateway_id, clock=clock)


_TAGGING: Mapping[str, Literal["launch", "after", "none"]] = {"launch": "launch", "after": "after", "none": "none"}
