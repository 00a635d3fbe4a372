"""
A client in a few lines: signed calls, their XML, and what a group looks like.

Owns: telling an answer from a connection that broke before one came. Does not own: retries; a test decides those.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from lxml import etree

from phantom_gateway.front.repeats import INVOCATION_ID
from tests.processes.raw_http import exchanged
from tests.processes.signing import Signer

GROUP = "web"
NAMESPACES = {"a": "http://autoscaling.amazonaws.com/doc/2011-01-01/"}


class Lost(Exception):  # noqa: N818 - a condition, which a test expects
    """No answer came: the call may have been carried out or not."""


class Refusal(Exception):  # noqa: N818 - as Lost
    """The call was answered with an error; its text is the body."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group as described: its desired capacity, and (instance id, cloud, lifecycle state) of its instances."""

    desired: int
    instances: tuple[tuple[str, str, str], ...]

    @property
    def in_service(self) -> int:
        """How many are in service."""
        return sum(state == "InService" for _, _, state in self.instances)

    @property
    def settled(self) -> bool:
        """Whether it has exactly what it wants."""
        return self.in_service == len(self.instances) == self.desired


@dataclass(frozen=True, slots=True)
class Activity:
    """A scaling activity as described."""

    description: str
    cause: str
    status: str
    message: str


@dataclass(frozen=True, slots=True)
class Client:
    """Calls the gateway on *port*. With *call_id*, requests say as an SDK's that they are attempts of that call."""

    port: int
    call_id: str = ""

    def call(self, action: str, **params: str | int) -> etree._Element:
        """The answer's document. Raises Lost or Refusal."""
        form = {"Action": action, "Version": "2011-01-01"} | {name: str(value) for name, value in params.items()}
        attempt = [(INVOCATION_ID, self.call_id)] if self.call_id else []
        try:
            answer = exchanged(self.port, Signer(f"127.0.0.1:{self.port}").post(urlencode(form), *attempt))
        except (ConnectionRefusedError, ConnectionResetError, BrokenPipeError) as error:
            raise Lost from error
        if answer is None or b"Response>" not in answer.body:
            raise Lost
        if answer.status != 200:
            raise Refusal(answer.body.decode())
        return etree.fromstring(answer.body)

    def make_launch_configuration(self, name: str, image: str, user_data: str = "") -> None:
        """Nothing; the launch configuration exists. *user_data* is in base64."""
        extra = {"UserData": user_data} if user_data else {}
        self.call(
            "CreateLaunchConfiguration",
            LaunchConfigurationName=name,
            ImageId=image,
            InstanceType="any",
            **extra,
        )

    def make_group(self, launch_configuration: str, size: int, zones: Sequence[str], name: str = GROUP) -> None:
        """Nothing; the group exists and wants *size*, of at most 6."""
        self.call(
            "CreateAutoScalingGroup",
            AutoScalingGroupName=name,
            LaunchConfigurationName=launch_configuration,
            MinSize=0,
            MaxSize=6,
            DesiredCapacity=size,
            **{f"AvailabilityZones.member.{number}": zone for number, zone in enumerate(zones, 1)},
        )

    def resize(self, desired: int, name: str = GROUP) -> None:
        """Nothing; the group wants *desired*."""
        self.call("SetDesiredCapacity", AutoScalingGroupName=name, DesiredCapacity=desired)

    def delete(self, name: str = GROUP) -> None:
        """Nothing; the group is on its way out with its instances."""
        self.call("DeleteAutoScalingGroup", AutoScalingGroupName=name, ForceDelete="true")

    def group(self, name: str = GROUP) -> Group | None:
        """The group as it is now; None when there is none."""
        root = self.call("DescribeAutoScalingGroups", **{"AutoScalingGroupNames.member.1": name})
        for found in root.iterfind(".//a:AutoScalingGroups/a:member", NAMESPACES):
            instances = tuple(
                (_text(each, "InstanceId"), _text(each, "AvailabilityZone"), _text(each, "LifecycleState"))
                for each in found.iterfind("a:Instances/a:member", NAMESPACES)
            )
            return Group(int(_text(found, "DesiredCapacity")), instances)
        return None

    def activities(self, name: str = GROUP) -> list[Activity]:
        """The latest activities of the group, newest first."""
        root = self.call("DescribeScalingActivities", AutoScalingGroupName=name)
        return [
            Activity(
                _text(each, "Description"),
                _text(each, "Cause"),
                _text(each, "StatusCode"),
                _text(each, "StatusMessage"),
            )
            for each in root.iterfind(".//a:Activities/a:member", NAMESPACES)
        ]

    def settled(self, name: str = GROUP) -> Group | None:
        """The group when it has exactly what it wants, else None: a condition to wait for."""
        group = self.group(name)
        return group if group is not None and group.settled else None


def _text(element: etree._Element, name: str) -> str:
    return str(element.findtext(f"a:{name}", default="", namespaces=NAMESPACES))
