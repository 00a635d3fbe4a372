"""
Domains, as Phantom called groups that span clouds:

    phantom_domain.py create NAME LAUNCH_CONFIGURATION COUNT CLOUD:MAX [CLOUD:MAX ...]
    phantom_domain.py list | alter NAME COUNT | delete NAME | again NAME

Owns: these five. ``again`` deletes a domain and makes it once more at once. A MAX of -1 is no limit.
"""

import sys

from boto.ec2.autoscale import AutoScaleConnection, AutoScalingGroup, Tag
from boto.exception import BotoServerError
from phantom_cloud import connect, explain, find_domain, say

ZONES = ["us-east-1"]
"""boto insists on one. Where VMs run is said by the tag ``clouds``."""


def make(phantom: AutoScaleConnection, name: str, launch_configuration: str, count: int, clouds: str) -> None:
    """Nothing; the domain exists, and wants *count* VMs."""
    wanted = {"PHANTOM_DEFINITION": "error_overflow_n_preserving", "clouds": clouds, "minimum_vms": count}
    phantom.create_auto_scaling_group(
        AutoScalingGroup(
            name=name,
            launch_config=launch_configuration,
            availability_zones=ZONES,
            min_size=count,
            max_size=count,
            tags=[Tag(connection=phantom, key=key, value=value, resource_id=name) for key, value in wanted.items()],
        )
    )


def create(name: str, launch_configuration: str, count: str, *clouds: str) -> None:
    """Nothing; the domain exists."""
    make(connect(), name, launch_configuration, int(count), ",".join(clouds))


def show() -> None:
    """Nothing; each domain is printed, with where each VM is and how it does."""
    for domain in connect().get_all_groups():
        say(domain.name)
        say(f"\t{domain.launch_config_name} : {domain.desired_capacity}")
        for instance in domain.instances:
            say(f"\t\t{instance.availability_zone} : {instance.health_status}")


def alter(name: str, count: str) -> None:
    """Nothing; the domain wants *count* VMs, whatever its bounds were."""
    find_domain(connect(), name).set_capacity(int(count))


def delete(name: str) -> None:
    """Nothing; the domain is told to go, with all its VMs."""
    say(f"deleting {name}")
    find_domain(connect(), name).delete()


def again(name: str) -> None:
    """Nothing; the domain was deleted, and made once more before its VMs were gone."""
    phantom = connect()
    domain = find_domain(phantom, name)
    clouds = next(tag.value for tag in domain.tags if tag.key == "clouds")
    domain.delete()
    make(phantom, name, domain.launch_config_name, int(domain.desired_capacity), clouds)


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    try:
        {"create": create, "list": show, "alter": alter, "delete": delete, "again": again}[command](*arguments)
    except BotoServerError as error:
        sys.exit(explain(error))
