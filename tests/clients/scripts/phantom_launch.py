"""
Launch configurations: ``phantom_launch.py create NAME@CLOUD IMAGE | list | delete NAME@CLOUD``.

Owns: these three. Image and size are what the cloud after the "@" calls them.
"""

import sys

from boto.ec2.autoscale import LaunchConfiguration
from boto.exception import BotoServerError
from phantom_cloud import connect, explain, say


def create(name: str, image: str) -> None:
    """Nothing; *name* exists."""
    connect().create_launch_configuration(
        LaunchConfiguration(
            name=name, image_id=image, instance_type="m1.small", key_name="phantomkey", security_groups=["default"]
        )
    )


def show() -> None:
    """Nothing; one name per line is printed."""
    for found in connect().get_all_launch_configurations():
        say(found.name)


def delete(name: str) -> None:
    """Nothing; *name* is gone."""
    connect().delete_launch_configuration(name)


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    try:
        {"create": create, "list": show, "delete": delete}[command](*arguments)
    except BotoServerError as error:
        sys.exit(explain(error))
