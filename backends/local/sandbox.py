"""
What stands between a machine and the host: nothing, or bubblewrap.

Owns: the words put before an image's command. Does not own: images, and starting them. Without a sandbox a launch
configuration is code that runs as the gateway's own user.
"""

import shutil
from enum import StrEnum
from pathlib import Path

from backends.errors import Refused
from backends.local.images import SEARCH_PATH

REMEDY = "install the package 'bubblewrap', or set sandbox = \"none\""
"""What to do when bwrap is not there; shown by the probe and in refusals."""


class Sandbox(StrEnum):
    """How machines are kept from the host."""

    NONE = "none"
    BUBBLEWRAP = "bubblewrap"


def missing(sandbox: Sandbox) -> str | None:
    """What keeps *sandbox* from working here, with the remedy; None when nothing does."""
    if sandbox is Sandbox.BUBBLEWRAP and shutil.which("bwrap", path=SEARCH_PATH) is None:
        return f"the sandbox is bubblewrap, but there is no bwrap in {SEARCH_PATH}: {REMEDY}"
    return None


def wrapped(command: tuple[str, ...], sandbox: Sandbox, *, state: Path, own: Path, home: Path) -> tuple[str, ...]:
    """
    *command* behind *sandbox*.

    The host is read-only, /tmp is private (but for what the command itself has there), *state* (where other machines
    keep their user data) is hidden except for *own*, and only *home* can be written. The network is shared: the
    machine's address is one of the host's loopback.
    No --die-with-parent: the parent is the gateway, and machines outlive it.

    Raises:
        Refused: the sandbox is not installed.

    """
    if sandbox is Sandbox.NONE:
        return command
    program = shutil.which("bwrap", path=SEARCH_PATH)
    if program is None:
        raise Refused(f"No machine can start: {missing(sandbox)}")
    walls = ("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp")  # noqa: S108 - a private one
    shown = [word for top in _under_tmp(command) for word in ("--ro-bind", top, top)]
    rooms = (*shown, "--tmpfs", str(state), "--ro-bind", str(own), str(own), "--bind", str(home), str(home))
    return (program, *walls, *rooms, "--unshare-pid", "--unshare-ipc", "--chdir", str(home), "--", *command)


def _under_tmp(command: tuple[str, ...]) -> list[str]:
    """What *command* names below /tmp, each by its topmost folder: a gateway installed there has its programs there."""
    named = [Path(word).parts for word in command if word.startswith("/tmp/") and Path(word).exists()]  # noqa: S108 - the host's
    return sorted({str(Path(*parts[:3])) for parts in named})
