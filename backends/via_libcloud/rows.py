"""
The rows of the table of habits: one per provider that is tested.

Owns: what is particular about each. Sources: the drivers of Libcloud 3.9.1, read line by line, and the providers' API
references; what a row works around is said beside it.
"""

import contextlib
import functools
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from libcloud.common.exceptions import BaseHTTPError
from libcloud.compute.base import NodeAuthPassword, NodeAuthSSHKey
from libcloud.compute.types import NodeState

from backends.errors import Refused
from backends.via_libcloud.habits import (
    DUMMY,
    Arguments,
    Habits,
    Order,
    _token,
    found,
    image,
    place,
    size,
)
from backends.via_libcloud.settings import Account, Wants

AZURE_POLL_S = 5
"""Between two looks whether a VM is gone, so that its network card can follow. Ten at most."""

AZURE_VERSION = "2018-06-01"

CLOUDSTACK_PAGE = 500
"""CloudStack lists no more at once (its default.page.size), and Libcloud's driver asks once."""


# DigitalOcean


def _create_digitalocean(driver: Any, order: Order) -> Any:
    attributes: dict[str, Any] = {"tags": [order.label]}
    if order.key_name:
        attributes["ssh_keys"] = [int(order.key_name) if order.key_name.isdecimal() else order.key_name]
    return driver.create_node(
        order.name,
        size(order.spec.instance_type),
        image(order.spec.image_id),
        place(order.location),
        ex_create_attr=attributes,
        ex_user_data=order.text,
    )


# Vultr


def _create_vultr(driver: Any, order: Order) -> Any:
    return driver.create_node(
        order.name,
        size(order.spec.instance_type),
        place(order.location),
        image(order.spec.image_id),
        ex_ssh_key_ids=[order.key_name] if order.key_name else None,
        ex_userdata=order.text,
        ex_tag=order.label,
        ex_hostname=order.name,
    )


def _list_vultr(driver: Any, _wants: Wants) -> Sequence[Any]:
    # Bare metal is never ours: the row orders none, and the second list doubles the calls.
    return list(driver.list_nodes(ex_list_bare_metals=False))


def _listing_vultr(driver: Any, ask: str, _wants: Wants) -> Sequence[Any]:
    return list(driver.list_sizes(ex_list_bare_metals=False) if ask == "list_sizes" else getattr(driver, ask)())


# Linode


def _create_linode(driver: Any, order: Order) -> Any:
    return driver.create_node(
        place(order.location),
        order.name,
        size(order.spec.instance_type),
        image(order.spec.image_id),
        # Linode wants one with every image. Nobody is told it: who wants in names a user with keys.
        root_pass=secrets.token_urlsafe(32),
        ex_authorized_users=[order.key_name] if order.key_name else None,
        ex_tags=[order.label],
        ex_userdata=order.text,
    )


# Scaleway

_SCALEWAY_ROOT_GB = 50


def _create_scaleway(driver: Any, order: Order) -> Any:
    # The driver adds local volumes until a size's disk is full; with both at the same figure it adds none, and
    # Scaleway chooses the volume itself.
    return driver.create_node(
        order.name,
        size(order.spec.instance_type, disk=_SCALEWAY_ROOT_GB, extra={"max_disk": _SCALEWAY_ROOT_GB}),
        image(order.spec.image_id, size=_SCALEWAY_ROOT_GB),
        ex_tags=[order.label],
        region=order.location,
    )


def _list_scaleway(driver: Any, wants: Wants) -> Sequence[Any]:
    return list(driver.list_nodes(region=wants.location))


def _listing_scaleway(driver: Any, ask: str, wants: Wants) -> Sequence[Any]:
    return list(driver.list_locations() if ask == "list_locations" else getattr(driver, ask)(region=wants.location))


def _destroy_scaleway(driver: Any, node: Any) -> None:
    if node.state == NodeState.STOPPED:
        # "terminate" is an action of running servers.
        driver.connection.request(f"/servers/{node.id}", method="DELETE")
    else:
        driver.destroy_node(node)


# Google Compute Engine


def _gce(account: Account, wants: Wants) -> Arguments:
    named: dict[str, Any] = {
        "datacenter": wants.location,
        "auth_type": "SA",
        # The driver keeps its access token in the operator's home directory, readable, unless there is no such file.
        "credential_file": os.devnull,
        **wants.options,
    }
    return (account.key, account.secret), named


def _create_gce(driver: Any, order: Order) -> Any:
    items = [{"key": "user-data", "value": order.text}] if order.text else []
    return driver.create_node(
        order.name,
        order.spec.instance_type,
        order.spec.image_id,
        ex_network=order.wants.network or "default",
        ex_tags=list(order.security_groups) or None,
        ex_metadata={"items": items} if items else None,
        ex_labels={"phantom-gateway": order.mark.gateway_id, "phantom-group": order.mark.group_uid},
    )


def _list_gce(driver: Any, wants: Wants) -> Sequence[Any]:
    # One zone alone: a list over all leaves out zones that do not answer, without a word, and their machines would
    # look dead.
    if wants.location is None:
        raise Refused("gce works in one zone: set location for the cloud")
    return list(driver.list_nodes(ex_zone=wants.location))


def _destroy_gce(driver: Any, node: Any) -> None:
    driver.destroy_node(node, ex_sync=False)


# Azure


def _azure(account: Account, wants: Wants) -> Arguments:
    needed = ("tenant_id", "subscription_id")
    missing = [name for name in (*needed, "resource_group", "network") if not _azure_option(wants, name)]
    if missing:
        raise Refused(f"azure_arm needs {', '.join(missing)}: set them for the cloud, in options")
    named = {name: wants.options[name] for name in needed}
    return (), {**named, "key": account.key, "secret": account.secret, "region": wants.location}


def _azure_option(wants: Wants, name: str) -> Any:
    return wants.network if name == "network" else wants.options.get(name)


def _create_azure(driver: Any, order: Order) -> Any:
    options = order.wants.options
    group, key = str(options["resource_group"]), options.get("ssh_public_key")
    # The driver leaves user data as octets, which its own encoder then refuses.
    driver.connection.encode_data = functools.partial(json.dumps, default=bytes.decode)
    try:
        return driver.create_node(
            order.name,
            size(order.spec.instance_type),
            _azure_image(order.spec.image_id),
            NodeAuthSSHKey(str(key)) if key else NodeAuthPassword(f"Pg1-{secrets.token_urlsafe(32)}"),
            group,
            location=place(order.location),
            ex_user_name=str(options.get("user_name", "azureuser")),
            ex_network=order.wants.network,
            ex_subnet=str(options.get("subnet", "default")),
            ex_tags={"phantom-gateway": order.mark.gateway_id, "phantom-group": order.mark.group_uid},
            ex_customdata=order.spec.user_data,
            ex_use_managed_disks=True,
            ex_os_disk_delete=True,
        )
    except BaseHTTPError as error:
        if 400 <= error.code < 500:  # noqa: PLR2004 - HTTP: the order was refused, and its network card is left over
            nic = f"/subscriptions/{driver.subscription_id}/resourceGroups/{group}/providers/Microsoft.Network"
            with contextlib.suppress(BaseHTTPError):
                path = f"{nic}/networkInterfaces/{order.name}-nic"
                driver.connection.request(path, params={"api-version": AZURE_VERSION}, method="DELETE")
        raise


def _azure_image(identity: str) -> Any:
    from libcloud.compute.drivers.azure_arm import AzureImage

    parts = identity.split(":")
    if len(parts) != 4:  # noqa: PLR2004 - the four parts of a URN
        raise Refused(f"the image of an azure_arm cloud is publisher:offer:sku:version, not {identity!r}")
    publisher, offer, sku, version = parts
    return AzureImage(version, sku, offer, publisher, "", None)


def _list_azure(driver: Any, wants: Wants) -> Sequence[Any]:
    # Addresses would cost two more calls for each machine; the power state costs one, and tells who is stopped.
    return list(driver.list_nodes(str(wants.options["resource_group"]), ex_fetch_nic=False))


def _destroy_azure(driver: Any, node: Any) -> None:
    driver.destroy_node(node, ex_poll_wait=AZURE_POLL_S, ex_destroy_vhd=False, ex_destroy_os_disk=False)


def _listing_azure(driver: Any, ask: str, wants: Wants) -> Sequence[Any]:
    if ask == "list_images" or (ask == "list_sizes" and wants.location is None):
        return ()  # thousands, by a call for each of them
    return list(driver.list_sizes(place(wants.location or "")) if ask == "list_sizes" else driver.list_locations())


# CloudStack


def _cloudstack(account: Account, wants: Wants) -> Arguments:
    if wants.endpoint_url is None:
        raise Refused("cloudstack has to be told where it is: set endpoint_url for the cloud")
    secure = wants.endpoint_url.startswith("https://")
    return (account.key, account.secret), {"url": wants.endpoint_url, "secure": secure}


def _create_cloudstack(driver: Any, order: Order) -> Any:
    networks = [found(driver, "ex_list_networks", order.wants.network, "network")] if order.wants.network else None
    zone = found(driver, "list_locations", order.location, "zone") if order.spec.zone or order.wants.location else None
    return driver.create_node(
        order.name,
        found(driver, "list_sizes", order.spec.instance_type, "size"),
        found(driver, "list_images", order.spec.image_id, "image"),
        location=zone,
        networks=networks,
        ex_keyname=order.key_name,
        ex_userdata=order.spec.user_data or None,
        ex_security_groups=list(order.security_groups) or None,
        ex_displayname=order.name,
        ex_start_vm=True,
    )


ROWS: Mapping[str, Habits] = {
    "digitalocean": Habits(
        _create_digitalocean,
        _token,
        path_of_one=("/v2/droplets/{}", {}),
        needs_location=True,
        takes_key_name=True,
    ),
    "vultr": Habits(
        _create_vultr,
        _token,
        _list_vultr,
        listing=_listing_vultr,
        path_of_one=("/v2/instances/{}", {}),
        needs_location=True,
        takes_key_name=True,
    ),
    "linode": Habits(
        _create_linode,
        _token,
        path_of_one=("/v4/linode/instances/{}", {}),
        names_are_unique=True,
        needs_location=True,
        takes_key_name=True,
    ),
    "scaleway": Habits(
        _create_scaleway,
        list_nodes=_list_scaleway,
        destroy=_destroy_scaleway,
        listing=_listing_scaleway,
        path_of_one=("/servers/{}", {}),
        needs_location=True,
        takes_user_data=False,
    ),
    "gce": Habits(
        _create_gce,
        _gce,
        _list_gce,
        _destroy_gce,
        names_are_unique=True,
        needs_location=True,
        takes_security_groups=True,
    ),
    "azure_arm": Habits(
        _create_azure,
        _azure,
        _list_azure,
        _destroy_azure,
        _listing_azure,
        path_of_one=("{}", {"api-version": AZURE_VERSION}),
        needs_location=True,
        user_data_is_text=False,
    ),
    "cloudstack": Habits(
        _create_cloudstack,
        _cloudstack,
        listed_max=CLOUDSTACK_PAGE,
        takes_key_name=True,
        takes_security_groups=True,
        user_data_is_text=False,
    ),
    "dummy": DUMMY,
}
"""By Libcloud's name of the driver."""
