"""
What keys of one cloud need of each other.

Owns: those rules. Does not own: what each key takes by itself.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from phantom_gateway.config.cloud_kinds import Ec2CloudSettings
from phantom_gateway.config.libvirt_kind import LibvirtImageSettings
from phantom_gateway.config.remote_kinds import LibcloudCloudSettings, OpenStackCloudSettings

Keys = Mapping[str, Any]
Disagreement = tuple[str, str]
"""A key, and what is wrong with it."""


def disagreements(table: type, raw: Keys, values: Keys) -> Iterator[Disagreement]:
    """What is wrong between the keys of one cloud: as they stand in the file, and as far as they could be read."""
    yield from _CHECKS.get(table, _none)(raw, values)


def _none(_raw: Keys, _values: Keys) -> Iterator[Disagreement]:
    return iter(())


def _ec2(raw: Keys, values: Keys) -> Iterator[Disagreement]:
    yield from _both(
        raw,
        "access_key_id",
        "secret_access_key",
        "give both, or neither when every user has a key of his own there",
    )
    yield from _tls(raw, values, "endpoint_url")


def _openstack(raw: Keys, values: Keys) -> Iterator[Disagreement]:
    if "cloud" in raw:
        for key in ("auth_url", "username", "password", "project_name", *_APPLICATION):
            if key in raw:
                yield key, "is not used with cloud, whose clouds.yaml says it; leave out one of the two"
    elif "auth_url" not in raw:
        yield "cloud", "is missing; name a cloud of clouds.yaml, or give auth_url"
    elif "clouds_file" in raw:
        yield "clouds_file", "needs cloud as well, the name of one in it"
    yield from _both(raw, "username", "password", "give both, or an application credential")
    yield from _both(raw, *_APPLICATION, "give both, or a user and a password")
    if "username" in raw and "application_credential_id" in raw:
        yield "username", "is not used with an application credential; leave out one of the two"
    if "username" in raw and "project_name" not in raw:
        yield "username", "needs project_name as well, which says where VMs are launched"
    yield from _tls(raw, values, "auth_url")


_APPLICATION = ("application_credential_id", "application_credential_secret")


def _libcloud(raw: Keys, values: Keys) -> Iterator[Disagreement]:
    if "key" in raw and "secret" not in raw:
        yield "key", "needs secret as well; where the provider has a token alone, give that as secret"
    yield from _tls(raw, values, "endpoint_url")


def _libvirt_image(raw: Keys, _values: Keys) -> Iterator[Disagreement]:
    if "disk" not in raw and "kernel" not in raw:
        yield "disk", "is missing; give disk, or kernel with initrd"
    for key in ("initrd", "cmdline"):
        if key in raw and "kernel" not in raw:
            yield key, "needs kernel as well; a disk brings its own"


def _both(raw: Keys, one: str, other: str, remedy: str) -> Iterator[Disagreement]:
    for present, missing in ((one, other), (other, one)):
        if present in raw and missing not in raw:
            yield present, f"needs {missing} as well; {remedy}"


def _tls(raw: Keys, values: Keys, url: str) -> Iterator[Disagreement]:
    if "ca_bundle" in raw and values.get("verify_tls") is False:
        yield "ca_bundle", "is not used with verify_tls = false; leave out one of the two"
    if "ca_bundle" in raw and str(values.get(url, "")).startswith("http://"):
        yield "ca_bundle", "is not used with http://, which has no TLS; write https://, or leave it out"


_CHECKS: Mapping[type, Callable[[Keys, Keys], Iterator[Disagreement]]] = {
    Ec2CloudSettings: _ec2,
    OpenStackCloudSettings: _openstack,
    LibcloudCloudSettings: _libcloud,
    LibvirtImageSettings: _libvirt_image,
}
