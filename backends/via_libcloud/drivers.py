"""
Libcloud's drivers that are made in a way of their own.

Owns: making them. Does not own: using them.
"""

from typing import Any

from libcloud.compute.drivers.openstack import OpenStack_2_NodeDriver


def openstack_driver(
    user: str,
    secret: str,
    *,
    auth_url: str,
    is_application: bool,
    project: str | None,
    user_domain: str,
    project_domain_id: str,
    region: str | None,
) -> Any:
    """
    A driver for one OpenStack project, made without contact.

    Services are found in Keystone's catalogue by their types: what they are called is every operator's own choice, and
    Libcloud would look for "nova" in "RegionOne".
    """
    driver = OpenStack_2_NodeDriver(
        user,
        secret,
        ex_force_auth_url=auth_url,
        ex_force_auth_version="3.x_appcred" if is_application else "3.x_password",
        ex_tenant_name=project,
        ex_domain_name=user_domain,
        ex_tenant_domain_id=project_domain_id,
        ex_force_service_region=region,
        api_version="2.2",
    )
    for connection in (driver.connection, driver.image_connection, driver.network_connection):
        connection.service_name = None
        connection.service_region = region
    return driver
