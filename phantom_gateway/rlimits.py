"""
What the process may take of its machine, set at its start.

Owns: room for all connections that are allowed, and that a crash leaves no picture of the memory, which holds secrets.
Does not own: the limits of connections themselves (``front.server``, ``sensors.receiver``).
"""

import logging
import resource

from phantom_gateway.front import server
from phantom_gateway.sensors import receiver

log = logging.getLogger(__name__)

FILES = server.CONNECTIONS_MAX + receiver.CONNECTIONS_MAX + 1_096
"""
Open files, of which a connection is one: the rest is for the database, clouds and VMs. Many systems give 1,024, which
strangers could use up by connecting, so that nothing of ours could be opened any more.
"""


def settle() -> None:
    """Nothing; the limits are in force, and whatever the operator does not allow is told."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < FILES:
        log.warning("files.too_few", extra={"allowed": allowed, "wanted": FILES})
