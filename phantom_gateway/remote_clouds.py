"""
Clouds that Libcloud reaches, built of their settings.

Owns: how the keys of ``openstack`` and ``libcloud`` become adapters, and reading the operator's clouds.yaml. Adapters
are imported only here, when one is configured. Does not own: who has which credentials.
"""

import os
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from backends.cloud import Cloud
from phantom_gateway.config import LibcloudCloudSettings, OpenStackCloudSettings
from phantom_gateway.config.remote_kinds import CallSettings
from phantom_gateway.credentials import Credentials
from phantom_gateway.installation import InstallationError
from phantom_gateway.secret import Secret

if TYPE_CHECKING:
    from backends.openstack import Login
    from backends.via_libcloud import Limits


def operators_credentials(settings: OpenStackCloudSettings | LibcloudCloudSettings) -> Credentials | None:
    """The operator's credentials, or None. Raises InstallationError: clouds.yaml does not say them."""
    if isinstance(settings, LibcloudCloudSettings):
        return None if settings.secret is None else Credentials(settings.key or "", settings.secret)
    if settings.cloud is not None:
        login = _from_clouds_yaml(settings)
        return Credentials(login.user, Secret(login.secret), is_user=not login.is_application)
    if settings.username is not None and settings.password is not None:
        return Credentials(settings.username, settings.password, is_user=True)
    if settings.application_credential_id is not None and settings.application_credential_secret is not None:
        return Credentials(settings.application_credential_id, settings.application_credential_secret)
    return None


def openstack(
    name: str,
    settings: OpenStackCloudSettings,
    credentials: Credentials,
    gateway_id: str,
    clock: Callable[[], datetime],
) -> Cloud:
    """The project of *credentials*. Nothing is contacted yet. Raises InstallationError."""
    from backends.openstack import Login, OpenStackCloud, OpenStackProvider, ServerWants
    from backends.via_libcloud import Account

    secret = credentials.secret_access_key.reveal()
    said = None if settings.cloud is None else _from_clouds_yaml(settings)
    login = Login(
        auth_url=said.auth_url if said else settings.auth_url or "",
        user=credentials.access_key_id,
        secret=secret,
        is_application=not credentials.is_user,
        project=said.project if said else settings.project_name,
        user_domain=said.user_domain if said else settings.user_domain_name,
        project_domain_id=said.project_domain_id if said else settings.project_domain_id,
        region=settings.region or (said.region if said else None),
    )
    wants = ServerWants(
        key_name=credentials.key_name or settings.key_name,
        security_groups=settings.security_groups,
        networks=settings.networks,
        zone=settings.zone,
        config_drive=settings.config_drive,
    )
    verify = said.verify_tls if said and settings.verify_tls and settings.ca_bundle is None else None
    provider = OpenStackProvider(login, wants, clock)
    account = Account(credentials.access_key_id, secret)
    return OpenStackCloud(name, provider, account, _limits(settings, verify), gateway_id, clock=clock)


def libcloud(
    name: str,
    settings: LibcloudCloudSettings,
    credentials: Credentials,
    gateway_id: str,
    clock: Callable[[], datetime],
) -> Cloud:
    """The account of *credentials*. Nothing is contacted yet. Raises InstallationError: there is no such driver."""
    from backends.via_libcloud import Account, DriverProvider, LibcloudCloud, Wants

    wants = Wants(
        location=settings.location,
        endpoint_url=settings.endpoint_url,
        key_name=credentials.key_name or settings.key_name,
        security_groups=settings.security_groups,
        network=settings.network,
        options=settings.options,
    )
    account = Account(credentials.access_key_id, credentials.secret_access_key.reveal())
    try:
        provider = DriverProvider(settings.driver, account, wants, clock)
    except ValueError as error:
        raise InstallationError(f"[clouds.{name}] driver: {error}; see docs/clouds/libcloud.md") from error
    return LibcloudCloud(name, provider, account, _limits(settings), gateway_id, clock=clock)


def _limits(settings: CallSettings, verify: bool | str | None = None) -> "Limits":
    from backends.via_libcloud import Limits

    own = settings.verify_tls if settings.ca_bundle is None else str(settings.ca_bundle)
    return Limits(
        calls_at_once=settings.calls_at_once,
        connect_timeout_s=settings.connect_timeout_s,
        read_timeout_s=settings.read_timeout_s,
        launch_batch_max=settings.launch_batch_max,
        visible_after_s=settings.visible_after_s,
        user_data_bytes_max=settings.user_data_bytes_max,
        verify_tls=own if verify is None else verify,
    )


def _from_clouds_yaml(settings: OpenStackCloudSettings) -> "Login":
    """What OpenStack's own files say. Raises InstallationError."""
    from backends.openstack import LoginError, from_clouds_yaml
    from backends.openstack.credentials import search_path

    assert settings.cloud is not None, "asked for only when it is named"
    files = [settings.clouds_file] if settings.clouds_file is not None else search_path(os.environ)
    try:
        return from_clouds_yaml(settings.cloud, files)
    except LoginError as error:
        raise InstallationError(str(error)) from error
