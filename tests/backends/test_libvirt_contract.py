"""What libvirt's VMs promise as every cloud does, over libvirt's own test driver: its API, with nothing behind it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from backends.cloud import LaunchSpec
from tests.backends.contract import (
    GATEWAY,
    CloudContract,
    PlainContract,
    RestartContract,
    RoomContract,
    Site,
    ToldContract,
)

libvirt = pytest.importorskip("libvirt", reason="libvirt-python is not installed (make setup-vms)")


class DriverSite(Site):
    """The test driver of this process. It lives as long as somebody is connected."""

    def __init__(self, directory: Path, vms_max: int = 20) -> None:
        self._directory = directory
        self._held = libvirt.open("test:///default")
        super().__init__(self._opened(vms_max))

    def _opened(self, vms_max: int):
        from backends.libvirt import Image, LibvirtCloud, LibvirtSettings

        settings = LibvirtSettings("test:///default", vms_max=vms_max)
        images = {"debian": Image(kernel=Path("/boot/vmlinuz"))}
        return LibvirtCloud("spare", settings, images, self._directory, GATEWAY, clock=lambda: datetime.now(UTC))

    async def reopen(self) -> None:
        """See the suite."""
        await self.cloud.close()
        self.cloud = self._opened(20)

    async def leave_room(self, count: int) -> None:
        """See the suite: by the operator's own limit."""
        await self.cloud.close()
        self.cloud = self._opened(count)

    async def user_data(self, machine_id: str) -> bytes:
        """What is on the disk for cloud-init."""
        import pycdlib

        iso = pycdlib.PyCdlib()
        iso.open(str(self._directory / machine_id / "seed.iso"))
        told = self._directory / "told"
        iso.get_file_from_iso(str(told), rr_path="/user-data")
        iso.close()
        return told.read_bytes()

    async def end(self) -> None:
        """Nothing; the driver has forgotten everything."""
        await self.cloud.close()
        for domain in self._held.listAllDomains():
            if domain.name() != "test":
                if domain.isActive():
                    domain.destroy()
                domain.undefine()
        self._held.close()


class TestLibvirtContract(CloudContract, RestartContract, RoomContract, ToldContract, PlainContract):
    """The promises. The test driver's domains have no network, and so no addresses."""

    spec = LaunchSpec("debian", "m1.tiny")
    bad_spec = LaunchSpec("no-such-image", "m1.tiny")
    test_machines_get_addresses_of_their_own = None  # type: ignore[assignment]

    @pytest.fixture
    async def site(self, tmp_path):
        """A cloud of VMs that are nothing."""
        site = DriverSite(tmp_path)
        yield site
        await site.end()
