"""
``phantom-gateway check`` over a cloud of every kind at once, and over one that is not there.

Owns: that each kind's images, sizes, zones, quotas and limits reach the table and the JSON. Does not own: what an
adapter asks its cloud (``tests/backends``).
"""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from phantom_gateway.config.shared_keys import KIND
from tests.fake_ec2.endpoint import Endpoint as Ec2Endpoint
from tests.fake_ec2.serving import LoopThread
from tests.fake_ec2.world import World as Ec2World
from tests.fake_openstack.endpoint import PASSWORD, PROJECT, USER
from tests.fake_openstack.endpoint import Endpoint as OpenStackEndpoint
from tests.fake_openstack.world import World as OpenStackWorld
from tests.processes.test_command_line import run, too_wide

pytest.importorskip("libvirt", reason="libvirt-python is not installed (make setup-vms)")

CONFIG = """\
state_directory = "state"

[clouds.hotel]
kind = "local"

[clouds.sierra]
kind = "ec2"
endpoint_url = "{ec2}"
access_key_id = "operator"
secret_access_key = "operator"

[clouds.alamo]
kind = "openstack"
auth_url = "{openstack}/identity/v3"
username = "{user}"
password = "{password}"
project_name = "{project}"
region = "north"

[clouds.ocean]
kind = "libcloud"
driver = "dummy"
key = "any"
secret = "any"

[clouds.spare]
kind = "libvirt"
uri = "test:///default"

[clouds.spare.images."debian-12"]
kernel = "vmlinuz"

[clouds.nowhere]
kind = "ec2"
endpoint_url = "http://127.0.0.1:{nobody}"
access_key_id = "operator"
secret_access_key = "operator"
"""

EXPECTED = {
    "hotel": ("local", None, "hello-phantom.gz", "any", "50 VMs"),
    "sierra": ("ec2", "generic", "ami-00000000000000001", "m1.small", "1000 VMs"),
    "alamo": ("openstack", None, "tiny", "m1.tiny", "1000 VMs"),
    "ocean": ("libcloud", "dummy", "1 (Ubuntu 9.10)", "1 (Small)", "1000 VMs"),
    "spare": ("libvirt", "test:///default", "debian-12", "m1.tiny", "20 VMs"),
}
"""Kind, dialect, an image, a size, and a limit of the configuration."""


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    """The configuration; its far clouds are being served."""
    openstack = OpenStackEndpoint(OpenStackWorld())
    with LoopThread() as servers, socket.create_server(("127.0.0.1", 0)) as unheard:
        served = [servers.serve(Ec2Endpoint(Ec2World()).application()), servers.serve(openstack.application())]
        openstack.url = served[1].url
        facts = {"user": USER, "password": PASSWORD, "project": PROJECT, "nobody": unheard.getsockname()[1]}
        unheard.close()
        (tmp_path / "vmlinuz").touch()
        file = tmp_path / "phantom.toml"
        file.write_text(CONFIG.format(ec2=served[0].url, openstack=served[1].url, **facts))
        yield file
        for each in served:
            servers.run(each.stop())


def test_every_kind_says_what_it_has(config: Path) -> None:
    """Kind, dialect, images, sizes and limits stand under each name; the one that is away is a finding, and exit 1."""
    told = run("check", "--json", config=config)
    reports = {report["cloud"]: report for report in json.loads(told.out)}

    assert told.code == 1
    assert {kind for kind, *_ in EXPECTED.values()} == set(KIND["key"].kind.limits.split(", "))
    for name, (kind, dialect, image, size, limit) in EXPECTED.items():
        report = reports[name]
        assert (report["kind"], report["dialect"], report["reachable"]) == (kind, dialect, True), report
        assert image in report["images"], report
        assert size in report["instance_types"], report
        assert limit in report["limits"], report
    assert reports["alamo"]["used"][0] == "servers 0 of 100"
    assert reports["sierra"]["zones"] != []
    assert (reports["nowhere"]["reachable"], len(reports["nowhere"]["findings"])) == (False, 1)


def test_the_table_fits_a_terminal_and_names_every_cloud(config: Path) -> None:
    """The same for people: a sheet for each cloud, with its rows, in 80 columns."""
    told = run("check", config=config)

    assert too_wide(told.out) == []
    for name, (kind, dialect, image, size, limit) in EXPECTED.items():
        sheet = told.out.partition(f"{name}: {kind}{f' ({dialect})' if dialect else ''}\n")[2].partition("\n\n")[0]
        assert all(word in sheet for word in ("answers", "images", image, "sizes", size, "limits", limit)), told.out
    assert "finding" in told.out.partition("nowhere: ec2")[2]
