"""
``make test-openstack``: a real OpenStack control plane from Debian's packages on loopback, and the tests on it.

Owns: the order in which things come up and go. Everything is in a temporary directory, on ports that were free; every
process is ended by its id, whatever the tests did.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.real_openstack.configuration import DATABASES, PASSWORD, Plan, write
from tests.real_openstack.seeding import ADMIN, Admin
from tests.real_openstack.services import Services, free_ports

NEEDED = (
    "mariadbd", "mysql_install_db", "epmd", "keystone-manage", "glance-api", "placement-api", "nova-api",
    "nova-compute", "neutron-server", "neutron-linuxbridge-agent", "cinder-api", "uwsgi_python3",
)  # fmt: skip

EC2_API = Path(__file__).parents[2] / ".venv-ec2-api" / "bin"
"""The programs of an environment of its own, which sees Debian's packages: ec2-api shares their libraries."""

EC2_API_PROGRAM = Path(__file__).parent / "ec2_api.py"

UWSGI = (
    *("uwsgi_python3", "--plugins", "python3", "--master", "--lazy-apps", "--die-on-term", "--enable-threads"),
    *("--processes", "1", "--threads", "4", "--buffer-size", "65535"),
    # Its HTTP socket keeps no connection alive, and clients that hope so see resets.
    *("--add-header", "Connection: close"),
)


@contextlib.contextmanager
def control_plane(directory: Path) -> Iterator[Plan]:
    """Where the control plane is; afterwards none of its processes is left."""
    plan = Plan(directory, *free_ports(11))
    services = Services(directory)
    try:
        _bring_up(plan, services)
        yield plan
    finally:
        services.end()


def _bring_up(plan: Plan, services: Services) -> None:
    for name in ("images", "nova/instances", "neutron", "cinder", "ec2-api", "fernet", "credentials"):
        (plan.directory / name).mkdir(parents=True)
    write(plan)
    _start_rabbit(plan, services)
    _start_mariadb(plan, services)
    _make_schemas(plan, services)
    _start_wsgi(plan, services, "keystone", plan.keystone, "keystone-wsgi-public", "OS_KEYSTONE_CONFIG_FILES")
    services.await_port("keystone", plan.keystone)
    admin = Admin(plan)
    admin.add_services()
    services.say("services are in the catalogue")
    _start_wsgi(plan, services, "placement", plan.placement, "placement-api", "OS_PLACEMENT_CONFIG_DIR")
    services.start("glance", ["glance-api", "--config-file", str(plan.file("glance"))])
    services.await_port("rabbit", plan.rabbit)
    for name in ("nova-conductor", "nova-scheduler", "nova-api"):
        services.start(name, [name, "--config-file", str(plan.file("nova"))])
    services.start("neutron-server", ["neutron-server", "--config-file", str(plan.file("neutron"))])
    services.start("cinder-api", ["cinder-api", "--config-file", str(plan.file("cinder"))])
    services.await_port("nova-api", plan.nova)
    services.start("nova-compute", ["nova-compute", "--config-file", str(plan.file("nova"))])
    services.await_port("neutron-server", plan.neutron)
    agent = "neutron-linuxbridge-agent"
    services.start(agent, [agent, "--config-file", str(plan.file("neutron"))])
    services.await_port("glance", plan.glance)
    services.await_port("placement", plan.placement)
    services.await_port("cinder-api", plan.cinder)
    configured = ("--config-file", str(plan.file("ec2-api")))
    services.start("ec2-api", [str(EC2_API / "python"), str(EC2_API_PROGRAM), *configured])
    services.await_port("ec2-api", plan.ec2)
    admin.add_things()
    services.until("nova-compute", admin.has_hypervisor, "Nova to have a host")
    services.until(agent, admin.has_agent, "Neutron to have an agent")
    services.say("servers can be launched")


def _start_mariadb(plan: Plan, services: Services) -> None:
    data, socket = plan.directory / "mysql", plan.directory / "mysql.sock"
    install = ("mysql_install_db", "--user=root", f"--datadir={data}", "--skip-test-db")
    services.run("mysql-install", *install, "--auth-root-authentication-method=normal")
    services.start(
        "mariadb",
        [
            *("mariadbd", "--no-defaults", "--user=root", f"--datadir={data}", f"--socket={socket}"),
            *("--bind-address=127.0.0.1", f"--port={plan.mariadb}", f"--pid-file={plan.directory / 'mysql.pid'}"),
            # Nothing here has to survive anything.
            *("--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M", "--max-connections=400"),
        ],
    )
    services.await_port("mariadb", plan.mariadb)
    statements = "".join(
        f"create database {name}; grant all on {name}.* to 'openstack'@'%' identified by '{PASSWORD}';"
        f"grant all on {name}.* to 'openstack'@'localhost' identified by '{PASSWORD}';"
        for name in DATABASES
    )
    services.run("mysql", "mysql", "--no-defaults", "-uroot", "-S", str(socket), "-e", statements)


def _start_rabbit(plan: Plan, services: Services) -> None:
    environ = {
        "HOME": str(plan.directory),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(plan.epmd),
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_NODENAME": f"phantom{plan.rabbit}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(plan.rabbit),
        "RABBITMQ_DIST_PORT": str(plan.rabbit_nodes),
        "RABBITMQ_MNESIA_BASE": str(plan.directory / "rabbit"),
        "RABBITMQ_LOG_BASE": str(plan.directory / "log"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }
    # The port mapper would detach itself from every session, and outlive us.
    services.start("epmd", ["epmd", "-address", "127.0.0.1", "-port", str(plan.epmd)])
    services.await_port("epmd", plan.epmd)
    services.start("rabbit", ["/usr/lib/rabbitmq/bin/rabbitmq-server"], environ)


def _make_schemas(plan: Plan, services: Services) -> None:
    keystone, nova = str(plan.file("keystone")), str(plan.file("nova"))
    manage = ("keystone-manage", "--config-file", keystone)
    users = ("--keystone-user", "root", "--keystone-group", "root")
    urls = [f"--bootstrap-{kind}-url={plan.keystone_url}/" for kind in ("admin", "internal", "public")]
    region = ("--bootstrap-region-id", "RegionOne")
    commands = (
        (*manage, "db_sync"),
        (*manage, "fernet_setup", *users),
        (*manage, "credential_setup", *users),
        (*manage, "bootstrap", "--bootstrap-password", ADMIN, *urls, *region),
        ("glance-manage", "--config-file", str(plan.file("glance")), "db_sync"),
        ("placement-manage", "--config-file", str(plan.file("placement")), "db", "sync"),
        ("nova-manage", "--config-file", nova, "api_db", "sync"),
        ("nova-manage", "--config-file", nova, "cell_v2", "map_cell0"),
        ("nova-manage", "--config-file", nova, "db", "sync"),
        ("nova-manage", "--config-file", nova, "cell_v2", "create_cell", "--name", "one"),
        ("neutron-db-manage", "--config-file", str(plan.file("neutron")), "upgrade", "heads"),
        ("cinder-manage", "--config-file", str(plan.file("cinder")), "db", "sync"),
        (str(EC2_API / "ec2-api-manage"), "--config-file", str(plan.file("ec2-api")), "db_sync"),
    )
    for command in commands:
        services.run("schemas", *command)
    services.say("databases are made")


def _start_wsgi(plan: Plan, services: Services, name: str, port: int, program: str, variable: str) -> None:
    """Nothing; an API that is a WSGI program is being served."""
    program_file = shutil.which(program)
    assert program_file is not None
    # Keystone takes files; placement takes a directory, in which its file has the name that is sought there.
    place = plan.file(name) if variable.endswith("FILES") else plan.file(name).parent
    environ = {variable: str(place), "OS_KEYSTONE_CONFIG_DIR": str(plan.directory / "etc")}
    services.start(name, [*UWSGI, "--http-socket", f"127.0.0.1:{port}", "--wsgi-file", program_file], environ)


def main() -> int:
    """The exit code of the tests; 0 and a reason when the packages are not there."""
    parser = argparse.ArgumentParser(description="Run tests on a real OpenStack control plane.")
    parser.add_argument("tests", nargs="*", default=["tests/real_openstack", "tests/clients/test_four_clouds.py"])
    arguments = parser.parse_args()
    os.environ["PATH"] = os.pathsep.join((os.environ["PATH"], "/usr/sbin"))
    missing = [name for name in (*NEEDED, str(EC2_API / "ec2-api")) if shutil.which(name) is None]
    if missing:
        print(f"skipped: {', '.join(missing)} not installed; as root: make setup-openstack")
        return 0
    command = [sys.executable, "-m", "pytest", "-q", "--durations=8", *arguments.tests]
    with (
        tempfile.TemporaryDirectory(prefix="phantom-openstack-", ignore_cleanup_errors=True) as name,
        control_plane(Path(name)) as plan,
    ):
        access_key_id, secret = Admin(plan).ec2_key()
        environ = {
            **os.environ,
            "PHANTOM_TEST_OPENSTACK": plan.keystone_url,
            "PHANTOM_TEST_EC2_API": plan.ec2_url,
            "PHANTOM_TEST_EC2_API_KEY": access_key_id,
            "PHANTOM_TEST_EC2_API_SECRET": secret,
        }
        return subprocess.run(command, env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
