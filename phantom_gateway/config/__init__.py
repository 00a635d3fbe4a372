"""
The configuration: one TOML file, read once, refused as a whole when anything in it is wrong.

Owns: what may be configured, within which limits and why, and what a wrong file is told. Does not own what the values
do. ``docs/configuration.md`` shows the same tables to people, and a test compares the two.
"""

from phantom_gateway.config.cloud_kinds import Ec2CloudSettings, LocalCloudSettings, LocalImageSettings
from phantom_gateway.config.clouds import CloudSettings, RemoteCloudSettings
from phantom_gateway.config.errors import ConfigError, Problem
from phantom_gateway.config.libvirt_kind import LibvirtCloudSettings, LibvirtImageSettings
from phantom_gateway.config.reader import CONFIG_VARIABLE, load
from phantom_gateway.config.remote_kinds import LibcloudCloudSettings, OpenStackCloudSettings
from phantom_gateway.config.schema import (
    Config,
    DatabaseSettings,
    Limits,
    ReconcilerSettings,
    ServerSettings,
    UserSettings,
)
from phantom_gateway.config.sensor_settings import MonitorSettings, SensorsSettings

__all__ = [
    "CONFIG_VARIABLE",
    "CloudSettings",
    "Config",
    "ConfigError",
    "DatabaseSettings",
    "Ec2CloudSettings",
    "LibcloudCloudSettings",
    "LibvirtCloudSettings",
    "LibvirtImageSettings",
    "Limits",
    "LocalCloudSettings",
    "LocalImageSettings",
    "MonitorSettings",
    "OpenStackCloudSettings",
    "Problem",
    "ReconcilerSettings",
    "RemoteCloudSettings",
    "SensorsSettings",
    "ServerSettings",
    "UserSettings",
    "load",
]
