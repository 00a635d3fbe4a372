"""
A group in a test's hands: asked for by one client, and looked for among the processes that really run.

Owns: making one, watching it settle, ending it. Its machines are told by what stands in their environment, not by any
record of the gateway's.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.clients.driving import Client, Refusal
from tests.support.gateway import Gateway
from tests.support.waiting import wait_for

USER_DATA = "#!/bin/sh\necho 'grüß dich & <hello>'\n"
"""With what XML, base64 and ASCII-only clients stumble over."""


class Fleet:
    """One launch configuration and one group, both called *name*, seen through *client*."""

    def __init__(self, client: Client, gateway: Gateway, name: str) -> None:
        self.client = client
        self.gateway = gateway
        self.name = name
        self.launch_configuration = f"{name}@hotel"

    def make_launch_configuration(self, image: str = "sleeper") -> None:
        """Nothing; the launch configuration exists."""
        self.client.call(
            "CreateLaunchConfiguration",
            LaunchConfigurationName=self.launch_configuration,
            ImageId=image,
            InstanceType="m1.small",
            KeyName="phantomkey",
            SecurityGroups=["default"],
            UserData=USER_DATA,
        )

    def make(self, minimum: int, maximum: int, **more: Any) -> None:
        """Nothing; launch configuration and group exist. The zone is the one that scripts of Phantom's days send."""
        self.make_launch_configuration(more.pop("image", "sleeper"))
        self.client.call(
            "CreateAutoScalingGroup",
            AutoScalingGroupName=self.name,
            LaunchConfigurationName=self.launch_configuration,
            MinSize=minimum,
            MaxSize=maximum,
            AvailabilityZones=["us-east-1"],
            **more,
        )

    def find(self) -> list[dict[str, Any]]:
        """The groups of that name, as the client shows them: one or none."""
        answer = self.client.call("DescribeAutoScalingGroups", AutoScalingGroupNames=[self.name])
        found: list[dict[str, Any]] = answer["AutoScalingGroups"]
        return found

    def see(self) -> dict[str, Any]:
        """The group, as the client shows it."""
        [group] = self.find()
        return group

    def sizes(self) -> tuple[int, int, int]:
        """Its minimum, desired capacity and maximum, as the client shows them."""
        group = self.see()
        return group["MinSize"], group["DesiredCapacity"], group["MaxSize"]

    def set_desired(self, desired: int) -> None:
        """Nothing; the group wants that many."""
        self.client.call("SetDesiredCapacity", AutoScalingGroupName=self.name, DesiredCapacity=desired)

    def terminate(self, instance_id: str, *, shrink: bool) -> dict[str, Any]:
        """The activity that the client was told of."""
        answer = self.client.call(
            "TerminateInstanceInAutoScalingGroup", InstanceId=instance_id, ShouldDecrementDesiredCapacity=shrink
        )
        activity: dict[str, Any] = answer["Activity"]
        return activity

    def delete(self, **more: bool) -> None:
        """Nothing; the group was told to go."""
        self.client.call("DeleteAutoScalingGroup", AutoScalingGroupName=self.name, **more)

    def delete_launch_configuration(self) -> None:
        """Nothing; the launch configuration is gone."""
        self.client.call("DeleteLaunchConfiguration", LaunchConfigurationName=self.launch_configuration)

    def settle(self, count: int) -> set[str]:
        """The ids of its *count* instances: all in service for the client, and all of them, and no other, running."""

        def settled() -> set[str]:
            group = self.see()
            ids = {member["InstanceId"] for member in group["Instances"] if member["LifecycleState"] == "InService"}
            is_settled = count == len(ids) == len(group["Instances"]) and ids == set(self.machines(group))
            return ids if is_settled else set()

        return wait_for(settled, f"{self.name} to have {count} instances in service and as many machines")

    def vanish(self) -> None:
        """Nothing; once the client does not see the group any more, and none of its machines runs."""
        arn = self.see()["AutoScalingGroupARN"]
        self.delete(ForceDelete=True)
        wait_for(lambda: not self.find(), f"{self.name} to be gone")
        assert machines_of(self.gateway, arn) == {}

    def machines(self, group: dict[str, Any] | None = None) -> dict[str, dict[str, str]]:
        """The environment of each of its running machines, by instance id."""
        return machines_of(self.gateway, (group or self.see())["AutoScalingGroupARN"])

    def refused(self, code: str, operation: str, **given: Any) -> str:
        """The text of the refusal *code*, which the client's users can catch as such."""
        return refused(self.client, code, operation, **given)


def refused(client: Client, code: str, operation: str, **given: Any) -> str:
    """The text of the refusal *code*, which the client's users can catch as such."""
    with pytest.raises(Refusal) as caught:
        client.call(operation, **given)
    assert (caught.value.code, caught.value.kind) == (code, client.kind_of(code))
    return caught.value.message


def machines_of(gateway: Gateway, group_arn: str) -> dict[str, dict[str, str]]:
    """The environment of each running machine of the group, by instance id."""
    uid = group_arn.split(":")[6]
    environs = [_environ(pid) for pid in gateway.vm_pids()]
    return {environ["PHANTOM_INSTANCE_ID"]: environ for environ in environs if environ.get("PHANTOM_GROUP_UID") == uid}


def _environ(pid: int) -> dict[str, str]:
    """What stands in the environment of the process; empty when it has just ended."""
    try:
        text = Path(f"/proc/{pid}/environ").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    return dict(entry.split("=", 1) for entry in text.split("\0") if "=" in entry)
