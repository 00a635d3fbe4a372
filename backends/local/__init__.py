"""
The kind ``local``: a cloud whose machines are process trees on this host.

Owns: everything peculiar to it; ``LocalCloud`` implements :class:`backends.cloud.Cloud`. There is no isolation without
a sandbox: whoever may write a launch configuration runs code as the gateway's user.
"""

from backends.local.cloud import LocalCloud
from backends.local.images import BUILT_IN, Image
from backends.local.sandbox import Sandbox

__all__ = ["BUILT_IN", "Image", "LocalCloud", "Sandbox"]
