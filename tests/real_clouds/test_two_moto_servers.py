"""
One group over two clouds that we did not write: two real moto servers, a real gateway process, the unmodified AWS CLI.

The story of a group that overflows, sits out a silence, believes a death, and comes home as its fail-back setting says.
What a user does and sees goes through the program ``aws``; what really runs is asked of moto, past everything of ours.
"""

import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.clients import driving
from tests.fake_ec2.faults import FOR_EVER, Fault, Kind
from tests.fake_ec2.proxy import Proxy
from tests.fake_ec2.serving import LoopThread, Served
from tests.support.gateway import SECRET_ACCESS_KEY, Gateway
from tests.support.moto import MotoServer, skip_without_moto
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.clients, pytest.mark.timeout(240)]

GROUP = "web"

CLOUD = """
[clouds.{name}]
kind = "ec2"
endpoint_url = "{url}"
dialect = "moto"
access_key_id = "AKIATESTTESTTESTTEST"
secret_access_key = "{secret}"
read_timeout_s = 2
"""

SWEEP_INTERVAL_S = 1.0
"""As tests.support.gateway configures it."""

PROCESSES_S = 2.0
"""What five processes on two processors may take for three calls, beyond two sweep intervals."""

WAIT_S_MAX = 60.0

SILENCE_S = 6.0
"""Longer than an answer is waited for, and then two sweeps."""

CLI_S_MAX = 60


@dataclass(frozen=True)
class Place:
    """One cloud: moto, and the proxy that the gateway reaches it by."""

    moto: MotoServer
    proxy: Proxy
    way: Served

    def machines(self) -> list[dict[str, Any]]:
        """The gateway's machines there that run, asked past the proxy."""
        return [machine for machine in self.moto.instances(frozenset({"pending", "running"})) if _is_ours(machine)]

    def alive(self) -> set[str]:
        """Ids of its machines that are the gateway's."""
        return {machine["InstanceId"] for machine in self.machines()}

    def end(self, *machine_ids: str) -> None:
        """Nothing; an operator terminates them at the cloud."""
        self.moto.client().terminate_instances(InstanceIds=list(machine_ids))


def _is_ours(machine: dict[str, Any]) -> bool:
    return any(tag["Key"] == "phantom-gateway" for tag in machine.get("Tags", ()))


@dataclass(frozen=True)
class Aws:
    """The program ``aws``, as somebody uses it who has followed ``phantom-gateway env``."""

    program: str
    environ: Mapping[str, str]

    def __call__(self, command: str, *words: str) -> Any:
        """What ``aws autoscaling`` printed for *command*; an empty mapping when it prints nothing."""
        done = subprocess.run(
            [self.program, "autoscaling", command, *words],
            env=dict(self.environ),
            capture_output=True,
            text=True,
            check=False,
            timeout=CLI_S_MAX,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout or "{}")


@dataclass(frozen=True)
class Land:
    """Both clouds, the thread that serves the ways to them, the gateway over them, and a user of it."""

    hotel: Place
    sierra: Place
    thread: LoopThread
    gateway: Gateway
    aws: Aws

    def alive(self) -> tuple[int, int]:
        """Machines on hotel and on sierra."""
        return len(self.hotel.alive()), len(self.sierra.alive())

    def instances(self, group: str = GROUP) -> list[dict[str, Any]]:
        """The group's instances in service, as the user is told."""
        [found] = self.aws("describe-auto-scaling-groups", "--auto-scaling-group-names", group)["AutoScalingGroups"]
        return [each for each in found["Instances"] if each["LifecycleState"] == "InService"]

    def members(self) -> tuple[int, int]:
        """Instances in service on hotel and on sierra, as the user is told."""
        zones = [each["AvailabilityZone"] for each in self.instances()]
        return zones.count("hotel"), zones.count("sierra")

    def tag(self, key: str, value: str) -> None:
        """Nothing; the group has this tag."""
        self.aws("create-or-update-tags", "--tags", _tag(key, value))

    def become(self, hotel: int, sierra: int) -> None:
        """Nothing, as soon as so many machines are on each, and the user is told so."""
        what = f"{hotel} on hotel, {sierra} on sierra"
        wait_for(lambda: self.alive() == (hotel, sierra), what, WAIT_S_MAX)
        wait_for(lambda: self.members() == (hotel, sierra), f"the user to be told of {what}", WAIT_S_MAX)
        assert self.alive() == (hotel, sierra)

    @contextmanager
    def out_of_sight(self, place: Place) -> Iterator[None]:
        """Nothing; within the block *place* is lost from sight, and at its end the gateway has seen it again."""

        def seen_again() -> int:
            lines = map(json.loads, self.gateway.log.read_text(encoding="utf-8").splitlines())
            events = ((line["event"], line.get("account")) for line in lines)
            return Counter(events)["sweep.sighted", place.moto.name]

        before = seen_again()
        yield
        wait_for(lambda: seen_again() > before, f"{place.moto.name} to be seen again", WAIT_S_MAX)

    def go_dark(self, place: Place) -> None:
        """Nothing; connections to *place* are refused."""
        self.thread.run(place.way.go_dark())

    def come_back(self, place: Place) -> None:
        """Nothing; *place* is reached again."""
        self.thread.run(place.way.come_back())

    def stay(self, seconds: float, condition: Callable[[], bool]) -> None:
        """Nothing, after *seconds* in which *condition* always held."""
        ends_at = time.monotonic() + seconds
        wait_for(lambda: not condition() or time.monotonic() > ends_at, "time to pass", seconds + WAIT_S_MAX)
        assert condition()


@pytest.fixture(scope="module")
def land(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Land]:
    """Two moto servers, each behind a proxy of its own, and a gateway that knows the proxies."""
    skip_without_moto()
    program = driving.installed("cli/bin/aws", "the AWS CLI")
    directory = tmp_path_factory.mktemp("land")
    with MotoServer(directory, "hotel") as hotel, MotoServer(directory, "sierra") as sierra, LoopThread() as thread:
        proxies = [Proxy(moto.url) for moto in (hotel, sierra)]
        served = [thread.serve(proxy.application()) for proxy in proxies]
        places = [Place(moto, proxy, way) for moto, proxy, way in zip((hotel, sierra), proxies, served, strict=True)]
        gateway = _gateway(directory, *places)
        try:
            yield Land(places[0], places[1], thread, gateway, Aws(program, gateway.client_environ))
        finally:
            gateway.stop()
            for way in served:
                thread.run(way.stop())


def _gateway(directory: Path, hotel: Place, sierra: Place) -> Gateway:
    urls = {"hotel": hotel.way.url, "sierra": sierra.way.url}
    clouds = "".join(CLOUD.format(name=name, url=url, secret=SECRET_ACCESS_KEY) for name, url in urls.items())
    gateway = Gateway(directory / "gateway", top=clouds, clouds=())
    gateway.start()
    return gateway


def _tag(key: str, value: str, group: str = GROUP) -> str:
    """A tag of the group, as it is typed; JSON, because the CLI's short form parts values at commas."""
    return json.dumps(
        {
            "ResourceId": group,
            "ResourceType": "auto-scaling-group",
            "Key": key,
            "Value": value,
            "PropagateAtLaunch": False,
        }
    )


def _foreign(place: Place) -> str:
    """Id of a machine that somebody else runs there, with our group's name."""
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": GROUP}]}]
    made = place.moto.client().run_instances(ImageId=_image(place), MinCount=1, MaxCount=1, TagSpecifications=tags)
    return str(made["Instances"][0]["InstanceId"])


def _image(place: Place) -> str:
    return str(place.moto.client().describe_images(Owners=["amazon"])["Images"][0]["ImageId"])


def _make_launch_configuration(land: Land, name: str, cloud: str, *words: str) -> None:
    what = ("--image-id", _image(land.hotel), "--instance-type", "m1.small")
    land.aws("create-launch-configuration", "--launch-configuration-name", f"{name}@{cloud}", *what, *words)


def _make_group(land: Land) -> None:
    for cloud in ("hotel", "sierra"):
        _make_launch_configuration(land, GROUP, cloud)
    land.aws(
        "create-auto-scaling-group",
        *("--auto-scaling-group-name", GROUP, "--launch-configuration-name", f"{GROUP}@hotel"),
        *("--min-size", "0", "--max-size", "10", "--desired-capacity", "5"),
        *("--availability-zones", "hotel", "sierra"),
        *("--tags", _tag("clouds", "hotel:2,sierra:-1"), _tag("fail_back", "off")),
    )


def _delete(land: Land, group: str) -> None:
    land.aws("delete-auto-scaling-group", "--auto-scaling-group-name", group, "--force-delete")
    wait_for(lambda: land.alive() == (0, 0), "the group's machines to be gone", WAIT_S_MAX)


def test_one_group_over_two_real_endpoints(land: Land) -> None:
    """A group overflows by cap, takes no silence for death, replaces the dead elsewhere, and comes home as told."""
    strangers = [_foreign(land.hotel), _foreign(land.sierra)]
    _make_group(land)
    land.become(2, 3)

    with land.out_of_sight(land.hotel):
        land.hotel.moto.silence()
        land.stay(SILENCE_S, lambda: len(land.sierra.alive()) == 3)
        assert land.members() == (2, 3)  # as the user is told while hotel is silent
        land.hotel.moto.resume()
    with land.out_of_sight(land.hotel):
        land.go_dark(land.hotel)
        land.stay(SILENCE_S, lambda: land.alive() == (2, 3))
        land.come_back(land.hotel)
    land.become(2, 3)

    land.hotel.proxy.plan.add(Fault(Kind.NO_CAPACITY, "RunInstances", times=FOR_EVER))
    land.hotel.end(*land.hotel.alive())
    ended_at = time.monotonic()
    wait_for(lambda: len(land.sierra.alive()) == 5, "replacements on sierra")
    assert time.monotonic() - ended_at < 2 * SWEEP_INTERVAL_S + PROCESSES_S
    land.become(0, 5)

    land.hotel.proxy.plan.clear()
    land.sierra.end(next(iter(land.sierra.alive())))
    land.become(0, 5)  # fail-back is off: replacements stay where the group is

    land.tag("fail_back", "on-replacement")
    land.stay(3.0, lambda: land.alive() == (0, 5))
    wait_for(lambda: _replaced_on_hotel(land), "a replacement on hotel", WAIT_S_MAX)

    land.tag("fail_back", "eager")
    land.become(2, 3)

    _delete(land, GROUP)
    for place, stranger in zip((land.hotel, land.sierra), strangers, strict=True):
        assert stranger in {machine["InstanceId"] for machine in place.moto.instances()}


def _replaced_on_hotel(land: Land) -> bool:
    """Whether a death on sierra was made good on hotel; hotel's back-off may still be in force for the first ones."""
    if land.hotel.alive():
        return True
    if land.alive() == land.members() == (0, 5):
        land.sierra.end(next(iter(land.sierra.alive())))
    return False


def test_what_a_launch_configuration_and_zones_say_is_honoured(land: Land) -> None:
    """Key pair, security group and disk come from the launch configuration, the zones and what is shown of them too."""
    client = land.hotel.moto.client()
    client.create_key_pair(KeyName="deploy")
    group_id = client.create_security_group(GroupName="web", Description="web")["GroupId"]
    _make_launch_configuration(
        land,
        "placed",
        "hotel",
        *("--key-name", "deploy", "--security-groups", group_id),
        *("--block-device-mappings", "DeviceName=/dev/sdf,Ebs={VolumeSize=7}"),
    )
    land.aws(
        "create-auto-scaling-group",
        *("--auto-scaling-group-name", "placed", "--launch-configuration-name", "placed@hotel"),
        *("--min-size", "0", "--max-size", "10", "--desired-capacity", "3"),
        *("--availability-zones", "us-east-1b", "us-east-1", "us-east-1c"),
    )

    expected = {"us-east-1b": 2, "us-east-1c": 1}
    wait_for(lambda: Counter(each["AvailabilityZone"] for each in land.instances("placed")) == expected, "the group")
    machines = land.hotel.machines()
    assert Counter(machine["Placement"]["AvailabilityZone"] for machine in machines) == expected
    for machine in machines:
        assert machine["KeyName"] == "deploy"
        assert [group["GroupId"] for group in machine["SecurityGroups"]] == [group_id]
        assert "/dev/sdf" in {disk["DeviceName"] for disk in machine["BlockDeviceMappings"]}

    _delete(land, "placed")
