"""
What is measured: for each row of the table, which requests go to which server.

Owns: the requests, and how many over how many connections. Does not own: sending or counting them.
"""

import base64
import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench import signed
from bench.servers import FULL_CLOUD, ZONE, Server
from bench.signed import form

IMAGE = "ami-12c6146b"
"""moto knows it; clouds in memory take any."""

INSTANCE_TYPE = "m1.small"
LAUNCH_CONFIGURATION = "web"
FULL_LAUNCH_CONFIGURATION = f"none@{FULL_CLOUD}"
"""Of another base than the other one: with the same base, the groups would find room where their zone says."""

USER_DATA = base64.b64encode(b"#!/bin/sh\nexec /usr/local/bin/worker --queue jobs --region us-east-1\n" * 2).decode()
"""A boot script of 140 bytes: the gateway encrypts it, moto keeps it as it is."""

FULL_GROUPS = 100
"""Groups on the cloud that is full."""

WAVE_GROUPS = 300
"""Groups that are changed and changed back in one round: their requests take us half a second of processor time."""

NEW_NAMES_MAX = 1_500
"""Launch configurations made in one round; they are removed after it."""


@dataclass(frozen=True, slots=True)
class Wave:
    """Requests sent in turn: again and again until the time is over, or each of them once."""

    bodies: Sequence[str]
    again: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """One row. *waves* are made anew for every server and round; the server comes to rest after each."""

    title: str
    waves: Callable[[Server, int], list[Wave]]
    seconds: float
    connections: int = 8
    moto_connections: int = 8
    moto_seconds: float | None = None
    moto_can: bool = True
    """Whether moto has anything like it."""
    cleanup: Callable[[Server, int, int], list[str]] | None = None


def group_name(number: int) -> str:
    """The name of the group *number*."""
    return f"web-{number:05}"


def full_group_name(number: int) -> str:
    """The name of the group *number* on the full cloud; after all others, so that it is on no page that is read."""
    return f"zz-full-{number:05}"


def seed_bodies(groups: int, instances: int) -> list[str]:
    """What makes the world: a launch configuration, and groups of *instances* with two tags each."""
    return [_create_launch_configuration(LAUNCH_CONFIGURATION)] + [
        _create_group(group_name(number), LAUNCH_CONFIGURATION, instances, instances + 5) for number in range(groups)
    ]


def seed_full_bodies() -> list[str]:
    """Groups of which no instance can be launched; for the gateway only."""
    return [_create_launch_configuration(FULL_LAUNCH_CONFIGURATION)] + [
        _create_group(full_group_name(number), FULL_LAUNCH_CONFIGURATION, 1, 10) for number in range(FULL_GROUPS)
    ]


def rows(groups: int, instances: int, moto_groups: int, seconds: float, page_seconds: float) -> list[Row]:
    """All rows. *page_seconds* is for moto's pages, of which it answers a dozen a second."""

    def count(server: Server) -> int:
        return moto_groups if server.name == "moto" else groups

    def same(server: Server, _turn: int) -> list[Wave]:
        return [Wave([_set_desired(group_name(number), instances) for number in range(count(server))])]

    def full(_server: Server, _turn: int) -> list[Wave]:
        names = [full_group_name(number) for number in range(FULL_GROUPS)]
        return [Wave([_set_desired(name, wanted) for wanted in (2, 1) for name in names])]

    def changed(server: Server, _turn: int) -> list[Wave]:
        names = [group_name(number) for number in range(min(WAVE_GROUPS, count(server)))]
        return [
            Wave([_set_desired(name, wanted) for name in names], again=False) for wanted in (instances + 1, instances)
        ]

    def created(server: Server, turn: int) -> list[Wave]:
        names = (_new_name(server, turn, number) for number in range(NEW_NAMES_MAX))
        return [Wave([_create_launch_configuration(name) for name in names], again=False)]

    def removed(server: Server, turn: int, sent: int) -> list[str]:
        names = (_new_name(server, turn, number) for number in range(sent))
        return [form("DeleteLaunchConfiguration", LaunchConfigurationName=name) for name in names]

    def one(server: Server, _turn: int) -> list[Wave]:
        names = (group_name(number) for number in range(count(server)))
        return [Wave([form("DescribeAutoScalingGroups", AutoScalingGroupNames__member__1=name) for name in names])]

    def pages(size: int) -> Callable[[Server, int], list[Wave]]:
        return lambda server, _turn: [Wave(_pages(server, size, count(server)))]

    return [
        Row("SetDesired, same value", same, seconds),
        Row("SetDesired, changed (1)", changed, 60.0),
        Row("SetDesired, full cloud (2)", full, seconds, moto_can=False),
        Row("CreateLaunchConfig", created, seconds, cleanup=removed),
        Row("DescribeASG, 1 by name", one, seconds),
        Row("DescribeASG, page of 50", pages(50), seconds, moto_connections=1, moto_seconds=page_seconds),
        Row("DescribeASG, page of 100", pages(100), seconds, moto_connections=1, moto_seconds=page_seconds),
    ]


def _pages(server: Server, size: int, groups: int) -> list[str]:
    """A request for every page of *size* groups in turn; the bare handler has no pages and gets the first again."""
    bodies = [form("DescribeAutoScalingGroups", MaxRecords=size)]
    while server.name != "hello" and len(bodies) < groups // size:
        found = re.search("<NextToken>(.*?)</NextToken>", signed.call(server.port, bodies[-1]))
        if found is None:
            break
        bodies.append(form("DescribeAutoScalingGroups", MaxRecords=size, NextToken=found[1]))
    return bodies


def _set_desired(name: str, wanted: int) -> str:
    return form("SetDesiredCapacity", AutoScalingGroupName=name, DesiredCapacity=wanted)


def _new_name(server: Server, turn: int, number: int) -> str:
    return f"new-{server.name}-{turn}-{number:05}"


def _create_launch_configuration(name: str) -> str:
    return form(
        "CreateLaunchConfiguration",
        LaunchConfigurationName=name,
        ImageId=IMAGE,
        InstanceType=INSTANCE_TYPE,
        KeyName="operator",
        SecurityGroups__member__1="default",
        UserData=USER_DATA,
    )


def _create_group(name: str, launch_configuration: str, desired: int, maximum: int) -> str:
    tags: dict[str, object] = {}
    for position, (key, value) in enumerate({"team": "blue", "purpose": "bench"}.items(), 1):
        prefix = f"Tags__member__{position}"
        tags |= {f"{prefix}__Key": key, f"{prefix}__Value": value, f"{prefix}__PropagateAtLaunch": "true"}
        tags |= {f"{prefix}__ResourceId": name, f"{prefix}__ResourceType": "auto-scaling-group"}
    return form(
        "CreateAutoScalingGroup",
        AutoScalingGroupName=name,
        LaunchConfigurationName=launch_configuration,
        MinSize=0,
        MaxSize=maximum,
        DesiredCapacity=desired,
        AvailabilityZones__member__1=ZONE,
        **tags,
    )


def alone(bodies: Sequence[str], size: int) -> list[list[str]]:
    """*bodies* in parts of *size*, so that progress can be shown."""
    iterator = iter(bodies)
    return [list(part) for part in iter(lambda: list(itertools.islice(iterator, size)), [])]
