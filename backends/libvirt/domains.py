"""
Domains in libvirt's XML: how one is ordered, and what of one is read.

Owns: the elements, and our mark in ``<metadata>``. Does not own: calls to libvirt. Source: libvirt's "Domain XML
format"; a domain's metadata survives everything that a domain does.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lxml import etree

from backends.cloud import Mark

NAMESPACE = "urn:phantom-gateway:machine:1"
"""Of the element that holds our mark. Any URI will do, as long as it is ours."""

_IDS = uuid.UUID("6f2c7c1e-8f43-5c55-9d2b-0a4f0f7f6f10")
"""Under which ids of domains are made of tokens: libvirt refuses an id that it has, and so no launch happens twice."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a domain's metadata says: whose it is, its position in its launch, and since when it exists."""

    mark: Mark
    index: int
    launched_at: datetime


@dataclass(frozen=True, slots=True)
class Order:
    """A domain to be defined."""

    name: str
    claim: Claim
    kind: str
    """"kvm", "qemu" or "test"."""
    processors: int
    memory_mib: int
    console: Path | None
    kernel: Path | None = None
    initrd: Path | None = None
    cmdline: str = ""
    disks: Sequence[tuple[Path, str, bool]] = ()
    """File, format, and whether it is read only."""
    network: str | None = None


def id_of(cloud: str, token: str, index: int) -> str:
    """The id of the domain at that position of the launch *token*: always the same."""
    return str(uuid.uuid5(_IDS, f"{cloud}/{token}/{index}"))


def xml_of(machine_id: str, order: Order) -> str:
    """The domain as libvirt takes it."""
    domain = etree.Element("domain", type=order.kind)
    _text(domain, "name", order.name)
    _text(domain, "uuid", machine_id)
    domain.append(_metadata(order.claim))
    _text(domain, "memory", str(order.memory_mib), unit="MiB")
    _text(domain, "vcpu", str(order.processors))
    system = etree.SubElement(domain, "os")
    # The test driver has no machine types, and one architecture.
    _text(system, "type", "hvm", **({} if order.kind == "test" else {"arch": "x86_64"}))
    for name, file in (("kernel", order.kernel), ("initrd", order.initrd)):
        if file is not None:
            _text(system, name, str(file))
    if order.kernel is not None:
        _text(system, "cmdline", order.cmdline)
    for event, action in (("on_poweroff", "destroy"), ("on_reboot", "restart"), ("on_crash", "destroy")):
        _text(domain, event, action)
    devices = etree.SubElement(domain, "devices")
    for letter, (file, form, read_only) in zip("abcd", order.disks, strict=False):
        devices.append(_disk(f"vd{letter}", file, form, read_only=read_only))
    if order.console is not None:
        serial = etree.SubElement(devices, "serial", type="file")
        etree.SubElement(serial, "source", path=str(order.console), append="on")
        etree.SubElement(serial, "target", port="0")
    if order.kind != "test":
        devices.append(_interface(order.network))
        # Nobody looks at a screen, and its memory is the VM's.
        video = etree.SubElement(devices, "video")
        etree.SubElement(video, "model", type="none")
        etree.SubElement(devices, "memballoon", model="none")
    return str(etree.tostring(domain, encoding="unicode", pretty_print=True))


def claim_in(domain_xml: str) -> Claim | None:
    """What our element in *domain_xml* says; None when there is none, or it is not whole."""
    root = etree.fromstring(domain_xml.encode(), etree.XMLParser(resolve_entities=False, no_network=True))
    found = root.find(f"metadata/{{{NAMESPACE}}}machine")
    if found is None:
        return None
    said = dict(found.attrib)
    try:
        launched_at = datetime.fromisoformat(said["launched-at"])
        return Claim(Mark(said["gateway"], said["group"], said["token"]), int(said["index"]), launched_at)
    except (KeyError, ValueError):
        return None


def macs_in(domain_xml: str) -> list[str]:
    """The addresses of its network cards."""
    root = etree.fromstring(domain_xml.encode(), etree.XMLParser(resolve_entities=False, no_network=True))
    return [str(mac.get("address")) for mac in root.iterfind("devices/interface/mac")]


def _text(parent: Any, name: str, text: str, **attributes: str) -> None:
    element = etree.SubElement(parent, name, attributes)
    element.text = text


def _metadata(claim: Claim) -> Any:
    metadata = etree.Element("metadata")
    attributes = {
        "gateway": claim.mark.gateway_id,
        "group": claim.mark.group_uid,
        "token": claim.mark.token,
        "index": str(claim.index),
        "launched-at": claim.launched_at.astimezone(UTC).isoformat(),
    }
    etree.SubElement(metadata, f"{{{NAMESPACE}}}machine", attributes, nsmap={"phantom": NAMESPACE})
    return metadata


def _disk(target: str, file: Path, form: str, *, read_only: bool) -> Any:
    disk = etree.Element("disk", type="file", device="disk")
    etree.SubElement(disk, "driver", name="qemu", type=form)
    etree.SubElement(disk, "source", file=str(file))
    etree.SubElement(disk, "target", dev=target, bus="virtio")
    if read_only:
        etree.SubElement(disk, "readonly")
    return disk


def _interface(network: str | None) -> Any:
    interface = etree.Element("interface", type="user" if network is None else "network")
    if network is not None:
        etree.SubElement(interface, "source", network=network)
    etree.SubElement(interface, "model", type="virtio")
    return interface
