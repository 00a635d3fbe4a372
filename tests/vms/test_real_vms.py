"""
Real VMs through a real libvirt: two booted, one killed, one replaced, by a whole gateway. ``make test-vms`` runs it.

Owns: a first file system of a few lines, and the story. Does not own: the libvirt (``own_libvirt``). The kernel is
Debian's, from the package.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import boto3
import pytest

from phantom_gateway.app import serving
from phantom_gateway.config import load
from tests.support.gateway import ACCESS_KEY_ID, SECRET_ACCESS_KEY

libvirt = pytest.importorskip("libvirt", reason="libvirt-python is not installed (make setup-vms)")

KERNEL = Path(__file__).parents[2] / ".vms" / "vmlinuz"
BUSYBOX = Path("/bin/busybox")
TOLD = b"what this VM was told\n"
BOOT_S_MAX = 120.0
"""Emulated, on a busy machine. An idle one takes 4 s."""

INIT = b"""\
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
exec >/dev/console 2>&1
/bin/busybox echo PHANTOM-VM-IS-UP
/bin/busybox cat /phantom/user-data
exec /bin/busybox sleep 86400
"""

CONFIG = """\
state_directory = "{directory}/state"

[server]
port = 0

[reconciler]
sweep_interval_s = 1

[[users]]
name = "alice"
access_key_id = "{key}"
secret_access_key = "{secret}"

[clouds.spare]
kind = "libvirt"
uri = "{uri}"

[clouds.spare.images.tiny]
kernel = "{kernel}"
initrd = "{directory}/initrd"
"""

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed (make setup-vms)"),
    pytest.mark.skipif(shutil.which("libvirtd") is None, reason="libvirtd is not installed (make setup-vms)"),
    pytest.mark.skipif(not KERNEL.exists(), reason="there is no kernel to boot (make setup-vms)"),
]


@pytest.fixture
def uri(monkeypatch: pytest.MonkeyPatch):
    """A libvirt that nobody else uses; no VM is left in it."""
    from tests.vms.own_libvirt import own_libvirt

    with own_libvirt(monkeypatch) as uri:
        yield uri
        connection = libvirt.open(uri)
        for domain in connection.listAllDomains():
            if domain.isActive():
                domain.destroy()
        connection.close()


def first_file_system(file: Path) -> None:
    """Nothing; *file* has an archive with busybox and a program that says that it is up."""
    from backends.libvirt.files import newc

    file.write_bytes(newc({"bin/busybox": BUSYBOX.read_bytes(), "init": INIT}, mode=0o100755, folders=("dev",)))


async def until(condition: Any, what: str) -> Any:
    """What *condition* returns, once it is true. Raises AssertionError that names *what* did not happen."""
    deadline = time.monotonic() + BOOT_S_MAX
    while not (result := await asyncio.to_thread(condition)):
        assert time.monotonic() < deadline, f"waited {BOOT_S_MAX:g} s for {what}"
        await asyncio.sleep(0.1)
    return result


class House:
    """The group seen from both sides: by libvirt, and by the API."""

    def __init__(self, connection: Any, directory: Path, port: int) -> None:
        self._connection = connection
        self._directory = directory / "state/clouds/spare"
        self.api = boto3.client(
            "autoscaling",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=SECRET_ACCESS_KEY,
        )

    def running(self) -> set[str]:
        """The VMs that run."""
        domains = self._connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
        return {each.UUIDString() for each in domains if each.name().startswith("pg-")}

    def said(self, machine_id: str) -> bytes:
        """What a VM wrote to its console."""
        return (self._directory / machine_id / "console.log").read_bytes().replace(b"\r", b"")

    def booted(self, without: str = "") -> set[str]:
        """The VMs, when there are two, *without* one, both of them up and in service."""
        running = self.running()
        if len(running) != 2 or without in running:
            return set()
        up = all(b"PHANTOM-VM-IS-UP" in self.said(each) and TOLD in self.said(each) for each in running)
        groups = self.api.describe_auto_scaling_groups()["AutoScalingGroups"]
        states = [each["LifecycleState"] for each in groups[0]["Instances"]]
        return running if up and states == ["InService"] * 2 else set()

    def pid(self, machine_id: str) -> int:
        """The QEMU process of a VM."""
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
                if command.startswith(b"/usr/bin/qemu-system-x86_64") and machine_id.encode() in command:
                    return int(entry.name)
        raise AssertionError(f"no process runs {machine_id}")


async def test_two_boot_one_is_killed_one_takes_its_place(uri, tmp_path):
    """VMs boot and read what they were told; the death of a QEMU process is noticed, and nothing is left at the end."""
    first_file_system(tmp_path / "initrd")
    config = tmp_path / "phantom.toml"
    config.write_text(
        CONFIG.format(uri=uri, directory=tmp_path, kernel=KERNEL, key=ACCESS_KEY_ID, secret=SECRET_ACCESS_KEY)
    )
    began = time.monotonic()
    async with serving(load(config, os.environ), os.environ) as running:
        connection = libvirt.open(uri)
        house = House(connection, tmp_path, running.port)
        api = house.api
        await asyncio.to_thread(
            api.create_launch_configuration,
            LaunchConfigurationName="web@spare",
            ImageId="tiny",
            InstanceType="1x96",
            UserData=TOLD.decode(),
        )
        await asyncio.to_thread(
            api.create_auto_scaling_group,
            AutoScalingGroupName="web",
            LaunchConfigurationName="web@spare",
            AvailabilityZones=["spare"],
            MinSize=0,
            MaxSize=4,
            DesiredCapacity=2,
        )
        first = await until(house.booted, "two VMs to be up and in service")
        print(f"two VMs up after {time.monotonic() - began:.1f} s")  # noqa: T201 - figures for who runs it by hand
        kinds = {connection.lookupByUUIDString(each).XMLDesc().split("type='")[1].split("'")[0] for each in first}
        print(f"run with {kinds}")  # noqa: T201
        victim = min(first)
        killed = time.monotonic()
        os.kill(house.pid(victim), signal.SIGKILL)
        second = await until(lambda: house.booted(without=victim), "another VM in its place")
        print(f"replaced after {time.monotonic() - killed:.1f} s")  # noqa: T201
        assert len(first & second) == 1
        await asyncio.to_thread(api.delete_auto_scaling_group, AutoScalingGroupName="web", ForceDelete=True)
        await until(lambda: not house.running(), "all VMs to be gone")
        await until(lambda: not api.describe_auto_scaling_groups()["AutoScalingGroups"], "the group to be gone")
        connection.close()
