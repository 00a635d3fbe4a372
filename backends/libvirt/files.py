"""
The files of one VM: its layer over the image's disk, what its first boot is told, its console log.

Owns: the directory of a VM and what is in it. Does not own: domains. User data reaches a VM in both ways that guests
look for: on a disk labelled "cidata" (cloud-init's NoCloud), and, where a kernel is booted directly, as the file
``phantom/user-data`` in its first file system, for guests that are no more than that.
"""

import contextlib
import io
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pycdlib

from backends.errors import NoCapacity, Refused
from backends.libvirt.settings import Image

QEMU_IMG_S_MAX = 30.0
"""Making an empty layer takes milliseconds; a network file system may take longer."""

DISK_FULL = 28

READABLE_BY_ROOT = 0o100400
"""User data holds secrets."""


@dataclass(frozen=True, slots=True)
class Files:
    """Where the files of one VM are."""

    directory: Path

    @property
    def console(self) -> Path:
        """What the VM wrote to its first serial line."""
        return self.directory / "console.log"

    @property
    def started(self) -> Path:
        """There once the VM was told to start: from then on a VM that does not run is dead."""
        return self.directory / "started"

    @property
    def user_data(self) -> Path:
        """What it was told."""
        return self.directory / "user-data"

    @property
    def disk(self) -> Path:
        """Its own layer."""
        return self.directory / "disk.qcow2"

    @property
    def seed(self) -> Path:
        """The disk for cloud-init."""
        return self.directory / "seed.iso"

    @property
    def initrd(self) -> Path:
        """The image's first file system, with the user data behind it."""
        return self.directory / "initrd"

    def fill(self, image: Image, name: str, user_data: bytes) -> None:
        """Nothing; all files are there. Raises NoCapacity or Refused."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self.user_data.write_bytes(user_data)
            self.console.touch()
            self.seed.write_bytes(seed_iso(name, user_data))
            if image.initrd is not None:
                archive = image.initrd.read_bytes()
                # A kernel unpacks archives one after another, each beginning at a multiple of four.
                padding = b"\0" * (-len(archive) % 4)
                self.initrd.write_bytes(archive + padding + newc({"phantom/user-data": user_data}))
            if image.disk is not None:
                _layer(image.disk, self.disk)
        except OSError as error:
            text = f"cannot write the files of a VM: {error}"
            raise (NoCapacity(text) if error.errno == DISK_FULL else Refused(text)) from error

    def remove(self) -> None:
        """Nothing; nothing of them is left."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.directory)


def seed_iso(name: str, user_data: bytes) -> bytes:
    """A disk that cloud-init's NoCloud reads. Source: cloud-init's documentation, "NoCloud"."""
    meta_data = f"instance-id: {name}\nlocal-hostname: {name}\n".encode()
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident="cidata")
    for place, (file, octets) in enumerate({"user-data": user_data, "meta-data": meta_data}.items()):
        short = f"/FILE{place}.;1"
        iso.add_fp(
            io.BytesIO(octets), len(octets), short, rr_name=file, joliet_path=f"/{file}", file_mode=READABLE_BY_ROOT
        )
    written = io.BytesIO()
    iso.write_fp(written)
    iso.close()
    return written.getvalue()


def newc(files: Mapping[str, bytes], *, mode: int = READABLE_BY_ROOT, folders: Sequence[str] = ()) -> bytes:
    """
    An archive in the form that Linux unpacks as its first file system: *files* with *mode*, and empty *folders*.

    Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.
    """
    parents = {str(parent) for name in files for parent in Path(name).parents if str(parent) != "."}
    entries = [(name, 0o040755, b"") for name in sorted(parents | set(folders))]
    entries += [(name, mode, octets) for name, octets in files.items()]
    archive = b"".join(_entry(number, *entry) for number, entry in enumerate(entries, start=1))
    return archive + _entry(0, "TRAILER!!!", 0, b"")


def _entry(number: int, name: str, mode: int, octets: bytes) -> bytes:
    fields = (number, mode, 0, 0, 1, 0, len(octets), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + octets + b"\0" * (-len(octets) % 4)


def _layer(base: Path, layer: Path) -> None:
    """Nothing; *layer* is an empty one over *base*. Raises Refused."""
    told = json.loads(_qemu_img("info", "--output=json", "--force-share", str(base)))
    _qemu_img("create", "-q", "-f", "qcow2", "-F", str(told["format"]), "-b", str(base), str(layer))


def _qemu_img(*words: str) -> str:
    """What the command printed. Raises Refused."""
    try:
        done = subprocess.run(  # noqa: S603 - the words are the operator's own, and no shell reads them
            ["qemu-img", *words],  # noqa: S607 - found where the operator's system keeps it
            capture_output=True,
            text=True,
            timeout=QEMU_IMG_S_MAX,
            check=True,
        )
    except FileNotFoundError as error:
        raise Refused("images with a disk need qemu-img; install qemu-utils") from error
    except subprocess.SubprocessError as error:
        said = getattr(error, "stderr", "") or str(error)
        raise Refused(f"qemu-img: {' '.join(str(said).split())[:300]}") from error
    return done.stdout
