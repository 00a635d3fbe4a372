"""
The decision engine, step by step: ``phantom_tutorial.py LAUNCH_CONFIGURATION DOMAIN IMAGE``.

Owns: a domain over hotel and sierra, at most four VMs on each, taken to 1, 2, 3, 4 and back to 0. After each step it
waits for a line on its input, so that there is time to look. It can be run again at any time.
"""

import sys

from boto.ec2.autoscale import LaunchConfiguration
from boto.exception import BotoServerError
from phantom_cloud import connect, explain, say
from phantom_domain import make

CLOUDS = ("hotel", "sierra")
STEPS = (1, 2, 3, 4, 0)


def run(base: str, name: str, image: str) -> None:
    """Nothing, when the last step was taken."""
    phantom = connect()
    known = {found.name for found in phantom.get_all_launch_configurations()}
    for cloud in CLOUDS:
        if f"{base}@{cloud}" in known:
            say(f"{base}@{cloud} is there already")
        else:
            say(f"creating {base}@{cloud}")
            phantom.create_launch_configuration(
                LaunchConfiguration(name=f"{base}@{cloud}", image_id=image, instance_type="m1.small")
            )
    for domain in phantom.get_all_groups(names=[name]):
        say(f"removing the {name} of before")
        domain.delete()
    make(phantom, name, f"{base}@{CLOUDS[0]}", 0, ",".join(f"{cloud}:4" for cloud in CLOUDS))
    for count in STEPS:
        phantom.set_desired_capacity(name, count)
        say(f"{name} wants {count}")
        sys.stdin.readline()


if __name__ == "__main__":
    try:
        run(*sys.argv[1:])
    except BotoServerError as error:
        sys.exit(explain(error))
