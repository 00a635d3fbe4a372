"""
What stands in the way of a local cloud, in sentences that name the remedy.

Owns: looking without touching: nothing is created or locked, so that it works beside a running gateway.
"""

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


def findings(directory: CloudDirectory, sandbox: Sandbox) -> list[str]:
    """Each a problem and its remedy. A gateway that has the directory locked is none: it is looked at beside it."""
    found = []
    if sys.platform != "linux":
        found.append("local machines need Linux (/proc and the whole of 127.0.0.0/8): use another kind of cloud")
    elif not usable(directory):
        found.append(f"{nearest(directory.path)} cannot be written: make it writable, or choose another directory")
    lack = missing(sandbox)
    if lack is not None:
        found.append(lack)
    if not hasattr(os, "pidfd_open"):
        found.append("this Python has no pidfd, so deaths are seen late: use one built on Linux 5.3 or later")
    return found
