"""What a VM of libvirt is made of: its archive, its XML, and the trial before KVM."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backends.errors import Refused
from tests.backends.contract import GROUP, TOKEN_A, mark

pytest.importorskip("libvirt", reason="libvirt-python is not installed (make setup-vms)")

from backends.libvirt import Image, boot, domains
from backends.libvirt.files import newc
from backends.libvirt.host import Host
from backends.libvirt.settings import size_of

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_an_archive_is_read_by_cpio(tmp_path):
    """Another program than ours unpacks what ours packed."""
    if subprocess.run(["sh", "-c", "command -v cpio"], capture_output=True, check=False).returncode:
        pytest.skip("there is no cpio")
    archive = newc({"phantom/user-data": b"told", "odd": b"12345"}, folders=("dev",))

    subprocess.run(["cpio", "-id", "--quiet"], input=archive, cwd=tmp_path, check=True)

    assert (tmp_path / "phantom/user-data").read_bytes() == b"told"
    assert (tmp_path / "odd").read_bytes() == b"12345"
    assert (tmp_path / "dev").is_dir()


def test_a_domain_says_what_it_was_told():
    """The claim in the metadata is read back; text of users and operators cannot leave its place in the XML."""
    claim = domains.Claim(mark(TOKEN_A), 3, NOW)
    order = domains.Order(
        "pg-x", claim, "qemu", 1, 128, console=Path("/a<b>/c"), kernel=Path("/k"), cmdline="a</cmdline><x/>"
    )
    xml = domains.xml_of(domains.id_of("spare", TOKEN_A, 3), order)

    assert domains.claim_in(xml) == claim
    assert "<x/>" not in xml
    assert domains.claim_in(xml.replace(GROUP, "").replace('index="3"', 'index="x"')) is None


@pytest.mark.parametrize(
    ("name", "size"), [("m1.small", (1, 512)), ("2x1536", (2, 1536)), ("1x63", None), ("huge", None), ("x", None)]
)
def test_an_instance_type_is_a_size(name, size):
    """A known name, or processors and memory; anything else is refused with the names there are."""
    if size is not None:
        assert size_of(name) == size
    else:
        with pytest.raises(Refused, match=r"use one of m1\.tiny"):
            size_of(name)


def test_without_the_device_there_is_no_trial(tmp_path, monkeypatch):
    """A machine without KVM is not made to wait."""
    monkeypatch.setattr(boot, "DEVICE", tmp_path / "kvm")

    assert not boot.boots_with_kvm(Host("test:///default"), Image(kernel=Path("/k")), tmp_path)


def test_a_trial_that_cannot_begin_is_no_kvm(tmp_path, monkeypatch):
    """Libvirt refuses the domain: the image is emulated, and nothing is left of the trial."""
    monkeypatch.setattr(boot, "DEVICE", tmp_path)

    assert not boot.boots_with_kvm(Host("test:///default"), Image(kernel=Path("/k")), tmp_path)
    assert list(tmp_path.iterdir()) == []
