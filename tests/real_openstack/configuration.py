"""
The configuration of a control plane on loopback, all of it below one directory, on ports that were free.

Owns: the files of keystone, glance, placement, nova, neutron and cinder (Debian 12: "Zed"), and of ec2-api in front of
them. Does not own: starting anything. Nova has its fake driver: servers are records, and everything above them is real.
Cinder has its API alone, which has no volumes to show: ec2-api asks for them at each look.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PASSWORD = "loopback-only"

Sections = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Plan:
    """Where everything is."""

    directory: Path
    mariadb: int
    rabbit: int
    rabbit_nodes: int
    epmd: int
    keystone: int
    glance: int
    placement: int
    nova: int
    neutron: int
    cinder: int
    ec2: int

    @property
    def keystone_url(self) -> str:
        """Where to log in."""
        return f"http://127.0.0.1:{self.keystone}/v3"

    @property
    def endpoints(self) -> dict[str, tuple[str, str]]:
        """Each service's type and URL, by name."""
        return {
            "glance": ("image", f"http://127.0.0.1:{self.glance}"),
            "placement": ("placement", f"http://127.0.0.1:{self.placement}"),
            "nova": ("compute", f"http://127.0.0.1:{self.nova}/v2.1"),
            "neutron": ("network", f"http://127.0.0.1:{self.neutron}"),
            "cinder": ("volumev3", f"http://127.0.0.1:{self.cinder}/v3/%(project_id)s"),
            "ec2-api": ("ec2", self.ec2_url),
        }

    @property
    def ec2_url(self) -> str:
        """Where EC2 is spoken."""
        return f"http://127.0.0.1:{self.ec2}/"

    def file(self, name: str) -> Path:
        """The configuration of one service."""
        return self.directory / "etc" / f"{name}.conf"

    def database(self, name: str) -> str:
        """SQLAlchemy's URL of one database."""
        return f"mysql+pymysql://openstack:{PASSWORD}@127.0.0.1:{self.mariadb}/{name}"

    @property
    def transport(self) -> str:
        """Where messages go."""
        return f"rabbit://guest:guest@127.0.0.1:{self.rabbit}//"


SERVERS_MAX = 50
"""In one project, by Nova's default quota here."""

DATABASES = ("keystone", "glance", "placement", "nova", "nova_api", "nova_cell0", "neutron", "cinder", "ec2api")


def write(plan: Plan) -> None:
    """Nothing; all files are there."""
    plan.file("x").parent.mkdir(parents=True, exist_ok=True)
    for name, sections in _files(plan).items():
        text = ""
        for section, values in sections.items():
            lines = "".join(f"{key} = {value}\n" for key, value in values.items())
            text += f"[{section}]\n{lines}\n"
        plan.file(name).write_text(text)


def _files(plan: Plan) -> dict[str, Sections]:
    return {
        "keystone": {
            "database": {"connection": plan.database("keystone")},
            "token": {"provider": "fernet"},
            "fernet_tokens": {"key_repository": plan.directory / "fernet"},
            "credential": {"key_repository": plan.directory / "credentials"},
        },
        "glance": {
            "DEFAULT": {"bind_host": "127.0.0.1", "bind_port": plan.glance, "workers": 0, "enabled_backends": ""},
            "database": {"connection": plan.database("glance")},
            "glance_store": {
                "stores": "file",
                "default_store": "file",
                "filesystem_store_datadir": plan.directory / "images",
            },
            "keystone_authtoken": _checks_tokens(plan, "glance"),
            "paste_deploy": {"flavor": "keystone", "config_file": "/etc/glance/glance-api-paste.ini"},
        },
        "placement": {
            "api": {"auth_strategy": "keystone"},
            "placement_database": {"connection": plan.database("placement")},
            "keystone_authtoken": _checks_tokens(plan, "placement"),
        },
        "nova": _nova(plan),
        "neutron": _neutron(plan),
        "cinder": {
            "DEFAULT": {
                "osapi_volume_listen": "127.0.0.1",
                "osapi_volume_listen_port": plan.cinder,
                "osapi_volume_workers": 1,
                "auth_strategy": "keystone",
                "api_paste_config": "/etc/cinder/api-paste.ini",
                "transport_url": plan.transport,
                "state_path": plan.directory / "cinder",
            },
            "database": {"connection": plan.database("cinder")},
            "oslo_concurrency": {"lock_path": plan.directory / "cinder"},
            "keystone_authtoken": _checks_tokens(plan, "cinder"),
        },
        "ec2-api": {
            "DEFAULT": {
                "ec2api_listen": "127.0.0.1",
                "ec2api_listen_port": plan.ec2,
                "ec2api_workers": 1,
                "api_paste_config": plan.file("ec2-pipeline"),
                "keystone_ec2_tokens_url": f"{plan.keystone_url}/ec2tokens",
                # The image's default network will do: no VPC is made for anybody.
                "disable_ec2_classic": "false",
                "state_path": plan.directory / "ec2-api",
            },
            "database": {"connection": plan.database("ec2api")},
            "oslo_concurrency": {"lock_path": plan.directory / "ec2-api"},
            "keystone_authtoken": _checks_tokens(plan, "ec2-api"),
        },
        "ec2-pipeline": _ec2_pipeline(),
    }


def _ec2_pipeline() -> Sections:
    """What a request to ec2-api passes through, in PasteDeploy's words; the wheel comes without this file."""
    stages = {"faults": "FaultWrapper", "log": "RequestLogging", "login": "EC2KeystoneAuth", "request": "Requestify"}
    filters = {
        f"filter:{name}": {"paste.filter_factory": f"ec2api.api:{stage}.factory"} for name, stage in stages.items()
    }
    return {
        "pipeline:ec2api": {"pipeline": " ".join([*stages, "run"])},
        **filters,
        "app:run": {"paste.app_factory": "ec2api.api:Executor.factory"},
    }


def _nova(plan: Plan) -> Sections:
    state = plan.directory / "nova"
    return {
        "DEFAULT": {
            "my_ip": "127.0.0.1",
            "state_path": state,
            "instances_path": state / "instances",
            "transport_url": plan.transport,
            "enabled_apis": "osapi_compute",
            "osapi_compute_listen": "127.0.0.1",
            "osapi_compute_listen_port": plan.nova,
            "osapi_compute_workers": 1,
            "compute_driver": "fake.MediumFakeDriver",
        },
        "api": {"auth_strategy": "keystone"},
        "api_database": {"connection": plan.database("nova_api")},
        "database": {"connection": plan.database("nova")},
        "conductor": {"workers": 1},
        "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": 3},
        "quota": {"instances": SERVERS_MAX, "cores": -1, "ram": -1},
        "vnc": {"enabled": "false"},
        "spice": {"enabled": "false"},
        "oslo_concurrency": {"lock_path": state},
        "glance": {"api_servers": plan.endpoints["glance"][1]},
        "placement": _logs_in(plan, "placement"),
        "neutron": _logs_in(plan, "neutron"),
        "service_user": {"send_service_user_token": "false"},
        "keystone_authtoken": _checks_tokens(plan, "nova"),
        "wsgi": {"api_paste_config": "/etc/nova/api-paste.ini"},
    }


def _neutron(plan: Plan) -> Sections:
    state = plan.directory / "neutron"
    return {
        "DEFAULT": {
            "bind_host": "127.0.0.1",
            "bind_port": plan.neutron,
            "core_plugin": "ml2",
            # ec2-api asks for routers and floating addresses, of which there are none.
            "service_plugins": "router",
            "api_workers": 1,
            "rpc_workers": 1,
            "rpc_state_report_workers": 0,
            "api_paste_config": "/etc/neutron/api-paste.ini",
            "transport_url": plan.transport,
            "state_path": state,
            "dhcp_agent_notification": "false",
        },
        "agent": {"root_helper": ""},
        "database": {"connection": plan.database("neutron")},
        "experimental": {"linuxbridge": "true"},
        "keystone_authtoken": _checks_tokens(plan, "neutron"),
        "linux_bridge": {},
        "ml2": {
            "type_drivers": "local",
            "tenant_network_types": "local",
            "mechanism_drivers": "linuxbridge",
            "extension_drivers": "",
        },
        "nova": _logs_in(plan, "nova"),
        "oslo_concurrency": {"lock_path": state},
        "securitygroup": {"enable_security_group": "true", "firewall_driver": "noop"},
        "vxlan": {"enable_vxlan": "false"},
    }


def _logs_in(plan: Plan, user: str) -> dict[str, object]:
    """How a service logs in to Keystone as *user*."""
    return {
        "auth_type": "password",
        "auth_url": plan.keystone_url,
        "username": user,
        "password": PASSWORD,
        "project_name": "service",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
        "region_name": "RegionOne",
    }


def _checks_tokens(plan: Plan, user: str) -> dict[str, object]:
    return {"www_authenticate_uri": plan.keystone_url, **_logs_in(plan, user)}
