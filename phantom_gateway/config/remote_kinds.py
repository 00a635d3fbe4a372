"""
What may be configured of clouds that Libcloud reaches: ``openstack``, and ``libcloud`` for every other driver.

Owns: their keys, with defaults, limits, meaning and reason. Does not own: logging in, nor what drivers do with options.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from phantom_gateway.config import kinds, places, shared_keys
from phantom_gateway.config.keys import about
from phantom_gateway.secret import Secret

NETWORKS_MAX = 16
"""Network cards of one VM. More than any flavor is made for."""

OPTIONS_MAX = 32
"""Of one driver's constructor: the longest takes a dozen."""

_NAME = kinds.Text(r"[!-~]{1,255}", "1 to 255 printable ASCII characters without spaces", is_shown=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettings:
    """How such a cloud is called, and what is launched there at most."""

    kind: str = field(metadata=shared_keys.KIND)
    key_name: str | None = field(default=None, metadata=shared_keys.KEY_NAME)
    security_groups: tuple[str, ...] = field(default=(), metadata=shared_keys.SECURITY_GROUPS)
    verify_tls: bool = field(default=True, metadata=shared_keys.VERIFY_TLS)
    ca_bundle: Path | None = field(default=None, metadata=shared_keys.CA_BUNDLE)
    connect_timeout_s: float = field(default=10.0, metadata=shared_keys.CONNECT_TIMEOUT_S)
    read_timeout_s: float = field(
        default=60.0,
        metadata=about(
            kinds.Number(1, 3600),
            "Seconds of silence until an answer is given up.",
            reason="What a launch did is unknown then, and takes a look to find out: rather wait.",
        ),
    )
    launch_batch_max: int = field(
        default=5,
        metadata=about(
            kinds.Whole(1, 10),
            "VMs in one launch, each by a call of its own.",
            reason="The place in its launch is the last digit of a VM's name.",
        ),
    )
    visible_after_s: float = field(
        default=60.0,
        metadata=about(
            kinds.Number(0, 3600),
            "Seconds for which a new VM may be missing from what the cloud shows.",
            reason="Too few: VMs that are merely late are replaced. Too many: a lost VM is noticed later.",
        ),
    )
    user_data_bytes_max: int = field(default=16_384, metadata=shared_keys.USER_DATA_BYTES_MAX)
    calls_at_once: int = field(default=4, metadata=shared_keys.CALLS_AT_ONCE)
    vms_per_cloud_max: int = field(default=1000, metadata=shared_keys.VMS_PER_CLOUD_MAX)
    launches_per_minute_max: float = field(default=120.0, metadata=shared_keys.LAUNCHES_PER_MINUTE_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenStackCloudSettings(CallSettings):
    """A project of an OpenStack: logged in to as clouds.yaml says, or as the keys here do."""

    cloud: str | None = field(
        default=None,
        metadata=about(
            shared_keys.NAME_THERE,
            "Name of the cloud in OpenStack's own `clouds.yaml`, with its `secure.yaml` beside it.",
            reason="Whoever uses OpenStack has the file already; it is read at every start.",
        ),
    )
    clouds_file: Path | None = field(
        default=None,
        metadata=about(
            places.PathTo(must_exist=True),
            "The `clouds.yaml`. Without it, where OpenStack's tools look: `$OS_CLIENT_CONFIG_FILE`, the working "
            "directory, `~/.config/openstack`, `/etc/openstack`.",
            reason="A server started by another user finds another home; name the file then.",
        ),
    )
    auth_url: str | None = field(
        default=None,
        metadata=about(
            places.EndpointUrl(),
            "Where Keystone is, instead of `cloud`.",
            reason="Version 3 of its API; every other service is found in its catalogue.",
        ),
    )
    username: str | None = field(
        default=None,
        metadata=about(
            _NAME,
            "The operator's user. Goes with `password` and `project_name`.",
            reason="Without it and without an application credential, only users with their own use this cloud.",
        ),
    )
    password: Secret | None = field(
        default=None,
        metadata=about(
            places.SecretText(),
            "The operator's password. Goes with `username`.",
            reason="An empty one lets nobody in.",
        ),
    )
    project_name: str | None = field(
        default=None,
        metadata=about(
            shared_keys.NAME_THERE,
            "Project in which VMs are launched.",
            reason="Servers, quotas and networks belong to one.",
        ),
    )
    project_domain_id: str = field(
        default="default",
        metadata=about(
            shared_keys.NAME_THERE,
            "Domain of the project, by its id.",
            reason="A project's name is unique within its domain alone.",
        ),
    )
    user_domain_name: str = field(
        default="Default",
        metadata=about(
            shared_keys.NAME_THERE,
            "Domain of the user, by its name.",
            reason="A user's name is unique within its domain alone.",
        ),
    )
    application_credential_id: str | None = field(
        default=None,
        metadata=about(
            _NAME,
            "An application credential, instead of user and password. Goes with `application_credential_secret`.",
            reason="It can be revoked by itself, and knows its project.",
        ),
    )
    application_credential_secret: Secret | None = field(
        default=None,
        metadata=about(
            places.SecretText(),
            "Its secret. Goes with `application_credential_id`.",
            reason="Keystone shows it once, when the credential is made.",
        ),
    )
    region: str | None = field(
        default=None,
        metadata=about(
            shared_keys.NAME_THERE,
            "Region of the services. Without it, that of clouds.yaml, else the only one.",
            reason="A catalogue with several regions has every service several times.",
        ),
    )
    networks: tuple[str, ...] = field(
        default=(),
        metadata=about(
            kinds.Texts(shared_keys.NAME_THERE, NETWORKS_MAX),
            "Networks of VMs for which no group names one, by name or id.",
            reason="Nova chooses when there is one, and refuses when there are several.",
        ),
    )
    zone: str | None = field(
        default=None,
        metadata=about(
            shared_keys.NAME_THERE,
            "Availability zone of VMs for which no group names one.",
            reason="Left to Nova, VMs are spread over zones.",
        ),
    )
    config_drive: bool = field(
        default=False,
        metadata=about(
            kinds.Flag(),
            "User data is also on a disk of its own.",
            reason="Clouds without a metadata service have no other way.",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LibcloudCloudSettings(CallSettings):
    """An account at a provider that Apache Libcloud has a driver for."""

    driver: str = field(
        metadata=about(
            kinds.Text(r"[a-z][a-z0-9_]{1,63}", "the name of one of Libcloud's compute drivers"),
            "Libcloud's name of the provider.",
            reason="Tested are digitalocean, vultr, linode, scaleway, gce, azure_arm and cloudstack; others work as "
            "far as their drivers are alike.",
        ),
    )
    key: str | None = field(
        default=None,
        metadata=about(
            kinds.Text(r"[!-~]{1,1024}", "1 to 1024 printable ASCII characters without spaces", is_shown=False),
            "Public half of the operator's credentials, where the provider has one.",
            reason="A key id, a client id, a project, a service account's address: each provider has its own word.",
        ),
    )
    secret: Secret | None = field(
        default=None,
        metadata=about(
            places.SecretText(),
            "Secret half of the operator's credentials, or the token.",
            reason="Without it, only users with credentials of their own (`accounts set`) can use this cloud.",
        ),
    )
    location: str | None = field(
        default=None,
        metadata=about(
            shared_keys.NAME_THERE,
            "Region, zone or data centre of the VMs.",
            reason="Most providers have no default, and an image or a size belongs to one place.",
        ),
    )
    network: str | None = field(
        default=None,
        metadata=about(
            shared_keys.NAME_THERE,
            "Network of the VMs, where the provider wants one.",
            reason="Azure does; GCE and CloudStack have a default.",
        ),
    )
    endpoint_url: str | None = field(
        default=None,
        metadata=about(
            places.EndpointUrl(),
            "Where the provider is, for software that anybody may run (CloudStack).",
            reason="The others are where their driver says.",
        ),
    )
    options: Mapping[str, str | int | bool] = field(
        default_factory=dict,
        metadata=about(
            kinds.Options(OPTIONS_MAX),
            "What else the driver needs: GCE's `project`; Azure's `tenant_id`, `subscription_id`, `resource_group`, "
            "`subnet`, `user_name`, `ssh_public_key`; for other drivers, arguments of their constructor.",
            reason="Each provider has its own; a secret does not belong here.",
            default_words="{}",
        ),
    )
