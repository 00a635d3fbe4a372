"""
The decision engine of the tutorial, in the Python of today: one VM more at a time, a rest, and all of them gone.

    eval "$(phantom-gateway env)"
    python examples/decision_engine.py --clouds hotel sierra

It goes on as soon as the VMs of a step run, instead of sleeping for a guess.
"""

import argparse
import time

from phantom import Phantom, on_clouds


def main() -> None:
    """Nothing; the domain has grown, rested, and shrunk."""
    options = argparse.ArgumentParser(description="Grow a domain step by step, let it rest, and shrink it to nothing.")
    options.add_argument("--domain", default="my_domain")
    options.add_argument("--launch-configuration", default="my_launch_config")
    options.add_argument("--image", default="hello-phantom.gz")
    options.add_argument("--clouds", nargs="+", default=["hotel", "sierra"], help="best first")
    options.add_argument("--vms-per-cloud", type=int, default=2)
    options.add_argument("--steps", type=int, default=4, help="the most VMs")
    options.add_argument("--rest-s", type=float, default=60.0)
    options.add_argument("--wait-s-max", type=float, default=600.0, help="how long the VMs of a step may take to run")
    given = options.parse_args()

    phantom = Phantom()
    launch = on_clouds(given.launch_configuration, given.image, given.clouds, given.vms_per_cloud)
    phantom.put("/launchconfigurations", launch)
    domain = {"name": given.domain, "de_name": "multicloud", "lc_name": launch["name"], "vm_count": 0}
    for count in [*range(1, given.steps + 1), 0]:
        if count == 0:
            print(f"let {given.domain} rest for {given.rest_s:g} s", flush=True)
            time.sleep(given.rest_s)
        print(f"set {given.domain} vm_count to {count}", flush=True)
        domain = phantom.put("/domains", domain | {"vm_count": count})
        phantom.settle(domain, given.wait_s_max)
    print("done", flush=True)


if __name__ == "__main__":
    main()
