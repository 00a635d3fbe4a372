"""
A decision engine that follows the length of a queue: so many VMs for so many jobs, between a least and a most.

    eval "$(phantom-gateway env)"
    python examples/queue_engine.py my_domain --jobs-per-vm 10 --most 8 -- redis-cli llen jobs

Whatever prints the length of your queue stands after the two dashes. The domain has to be there already. It grows at
once, and shrinks when the queue has been shorter for several looks in a row: a VM that has just started to work should
not end because of a lull. When the length cannot be read, nothing changes: no news is no empty queue.
"""

import argparse
import math
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence

from phantom import Phantom

COMMAND_S_MAX = 30
"""How long the command that prints the length may take."""


def wanted(lengths: Sequence[int], jobs_per_vm: int, least: int, most: int) -> int:
    """How many VMs the queue needs, of the last *lengths* that were read: as many as the longest of them does."""
    return max(least, min(most, math.ceil(max(lengths) / jobs_per_vm)))


def read_length(command: Sequence[str]) -> int | None:
    """The number that *command* prints; None, with the reason on standard error, when it prints none."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=COMMAND_S_MAX)
        return max(0, int(done.stdout))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        print(f"the length of the queue is unknown: {error}", file=sys.stderr, flush=True)
        return None


def main() -> None:
    """Never returns, unless --looks says how often to look."""
    options = argparse.ArgumentParser(description="Keep as many VMs as a queue needs.")
    options.add_argument("domain")
    options.add_argument("command", nargs="+", help="after --: what prints the length of the queue")
    options.add_argument("--jobs-per-vm", type=int, default=10)
    options.add_argument("--least", type=int, default=0)
    options.add_argument("--most", type=int, default=4)
    options.add_argument("--every-s", type=float, default=10.0)
    options.add_argument("--patience", type=int, default=3, help="looks in a row before the domain shrinks")
    options.add_argument("--looks", type=int, default=0, help="0: for ever")
    given = options.parse_args()

    phantom = Phantom()
    lengths: deque[int] = deque(maxlen=given.patience)
    looks = 0
    while not given.looks or looks < given.looks:
        if looks:
            time.sleep(given.every_s)
        looks += 1
        length = read_length(given.command)
        if length is None:
            continue
        lengths.append(length)
        domain = phantom.find("/domains", given.domain)
        if domain is None:
            sys.exit(f"there is no domain {given.domain}")
        count = wanted(lengths, given.jobs_per_vm, given.least, given.most)
        if count != domain["vm_count"]:
            print(f"{length} jobs: {given.domain} goes from {domain['vm_count']} to {count} VMs", flush=True)
            phantom.call("PUT", f"/domains/{domain['id']}", domain | {"vm_count": count})


if __name__ == "__main__":
    main()
