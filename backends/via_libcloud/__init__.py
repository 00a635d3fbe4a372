"""
The kind ``libcloud``: any provider that Apache Libcloud has a driver for; also what ``openstack`` is built on.

Owns: everything that imports Libcloud. A machine here is a node whose name says whose it is.
"""

from backends.via_libcloud.cloud import LibcloudCloud
from backends.via_libcloud.habits import FIRST_CLASS
from backends.via_libcloud.provider import DriverProvider
from backends.via_libcloud.settings import Account, Limits, Wants

__all__ = ["FIRST_CLASS", "Account", "DriverProvider", "LibcloudCloud", "Limits", "Wants"]
