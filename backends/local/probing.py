"""
What stands in the way of a local cloud, in sentences that name the remedy.

Owns: looking without touching: nothing is created or locked, so that it works beside a running gateway.
"""

import fcntl
import os
import sys
from pathlib import Path

from backends.local.directory import CloudDirectory
from backends.local.sandbox import Sandbox, missing


def nearest(path: Path) -> Path:
    """*path*, or the nearest of its parents that exists."""
    return next(candidate for candidate in (path, *path.parents) if candidate.exists())


def usable(directory: CloudDirectory) -> bool:
    """True when machines can be kept in *directory*."""
    there = nearest(directory.path)
    return sys.platform == "linux" and there.is_dir() and os.access(there, os.R_OK | os.W_OK | os.X_OK)


def holder(directory: CloudDirectory) -> str | None:
    """The pid of the process that has *directory* locked; None when nobody has."""
    try:
        descriptor = os.open(directory.path / ".lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.read(descriptor, 20).decode().strip() or "unknown"
    finally:
        os.close(descriptor)
    return None


def findings(directory: CloudDirectory, sandbox: Sandbox, opened: bool) -> list[str]:
    """Each a problem and its remedy. *opened*: the lock on the directory is our own."""
    found = []
    if sys.platform != "linux":
        found.append("local machines need Linux (/proc and the whole of 127.0.0.0/8): use another kind of cloud")
    elif not usable(directory):
        found.append(f"{nearest(directory.path)} cannot be written: make it writable, or choose another directory")
    elif not opened and (pid := holder(directory)) is not None:
        found.append(f"{directory.path} is in use by another gateway (process {pid}): only one of the two can run")
    lack = missing(sandbox)
    if lack is not None:
        found.append(lack)
    if not hasattr(os, "pidfd_open"):
        found.append("this Python has no pidfd, so deaths are seen late: use one built on Linux 5.3 or later")
    return found
