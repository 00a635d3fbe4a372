"""
The gateway where the kernel gives little more memory than there is: ``little_memory MIB WORDS``.

From SIGUSR1 on it may have so much more than it has at that moment.
"""

import resource
import signal
import sys
from pathlib import Path

from phantom_gateway.cli import main


def address_space_bytes() -> int:
    """What this process has taken of its addresses."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()


def limit(more_bytes: int) -> None:
    """Nothing; whoever asks for more than *more_bytes* beyond what there is gets nothing."""
    resource.setrlimit(resource.RLIMIT_AS, (address_space_bytes() + more_bytes, resource.RLIM_INFINITY))


if __name__ == "__main__":
    more_bytes = int(sys.argv.pop(1)) << 20
    signal.signal(signal.SIGUSR1, lambda *_: limit(more_bytes))
    main()
