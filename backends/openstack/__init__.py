"""
The kind ``openstack``: Nova, Glance and Neutron behind Keystone, reached through Libcloud.

Owns: what is particular to OpenStack. A machine here is a server whose metadata holds our mark.
"""

from backends.openstack.cloud import OpenStackCloud
from backends.openstack.credentials import Login, LoginError, from_clouds_yaml
from backends.openstack.provider import OpenStackProvider, ServerWants

__all__ = ["Login", "LoginError", "OpenStackCloud", "OpenStackProvider", "ServerWants", "from_clouds_yaml"]
