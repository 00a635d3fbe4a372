"""
Images of a local cloud: named commands.

Owns: what an image is, the built-in one, and whether a command can be found. Does not own: starting it.
"""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from backends.errors import Refused

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH of every machine. The gateway's own is not handed on: an image works for each operator or for none."""


@dataclass(frozen=True, slots=True)
class Image:
    """A named command: what runs as a machine's first process. Its first word is a path or found in SEARCH_PATH."""

    command: tuple[str, ...]
    description: str = ""


BUILT_IN: Mapping[str, Image] = MappingProxyType(
    {
        "hello-phantom.gz": Image(
            command=(sys.executable, "-I", "-S", str(Path(__file__).with_name("hello.py"))),
            description="A tiny web server on port 8080 that says which machine it is",
        ),
    },
)
"""Images of every local cloud; the operator's own come on top and win."""


def command_of(image_id: str, images: Mapping[str, Image], cloud: str) -> tuple[str, ...]:
    """
    The command of image *image_id*, its first word replaced by the path it stands for.

    Raises:
        Refused: there is no such image on *cloud*, or its command is not there or not executable.

    """
    image = images.get(image_id)
    if image is None:
        there = ", ".join(sorted(images)) or "none"
        raise Refused(f"Image {image_id!r} does not exist on cloud {cloud!r}. Images there: {there}")
    if not image.command:
        raise Refused(f"Image {image_id!r} of cloud {cloud!r} has an empty command")
    program = shutil.which(image.command[0], path=SEARCH_PATH)
    if program is None:
        raise Refused(
            f"Image {image_id!r} of cloud {cloud!r} cannot start: {image.command[0]!r} is not an executable file",
        )
    return (str(Path(program).absolute()), *image.command[1:])


def broken(images: Mapping[str, Image], cloud: str) -> list[str]:
    """What a launch of each image that cannot start would be refused with, by name of the image."""
    found = []
    for image_id in sorted(images):
        try:
            command_of(image_id, images, cloud)
        except Refused as refused:
            found.append(str(refused))
    return found
