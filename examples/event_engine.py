"""
A decision engine that listens instead of polling: one domain has as many VMs as another one has running.

    eval "$(phantom-gateway env)"
    python examples/event_engine.py leader follower

Both domains have to be there already. It says nothing and asks nothing while nothing changes.
"""

import sys

from phantom import Phantom


def main(leader: str, follower: str) -> None:
    """Nothing, once *leader* is gone; until then, *follower* has as many VMs as it has running."""
    phantom = Phantom()
    for kind, data in phantom.events():
        if kind in ("begun", "gap") or data["domain_name"] == leader:
            followed, domain = phantom.find("/domains", leader), phantom.find("/domains", follower)
            if followed is None or domain is None:
                return
            running = phantom.states(followed)["600-RUNNING"]
            if domain["vm_count"] != running:
                print(f"{follower} goes from {domain['vm_count']} to {running} VMs", flush=True)
                phantom.call("PUT", f"/domains/{domain['id']}", domain | {"vm_count": running})


if __name__ == "__main__":
    main(*sys.argv[1:])
