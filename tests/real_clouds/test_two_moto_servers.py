"""
One group over two clouds that we did not write: two real moto servers, a real gateway process, an unmodified client.

The story of a group that overflows, sits out a silence, believes a death, and comes home as its fail-back setting says.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.fake_ec2.faults import FOR_EVER, Fault, Kind
from tests.fake_ec2.proxy import Proxy
from tests.fake_ec2.serving import LoopThread
from tests.support.gateway import ACCESS_KEY_ID, SECRET_ACCESS_KEY, Gateway
from tests.support.moto import MotoServer, skip_without_moto
from tests.support.waiting import wait_for

GROUP = "web"

CLOUD = """
[clouds.{name}]
kind = "ec2"
endpoint_url = "{url}"
dialect = "moto"
access_key_id = "AKIATESTTESTTESTTEST"
secret_access_key = "secret/of+the=test"
read_timeout_s = 2
"""

SWEEP_INTERVAL_S = 1.0
"""As tests.support.gateway configures it."""

PROCESSES_S = 2.0
"""What five processes on two processors may take for three calls, beyond two sweep intervals."""

WAIT_S_MAX = 60.0


@dataclass(frozen=True)
class Place:
    """One cloud: moto, and the proxy that the gateway reaches it by."""

    moto: MotoServer
    proxy: Proxy
    url: str

    def alive(self) -> set[str]:
        """Ids of its machines that were not there before the gateway, asked past the proxy."""
        found = self.moto.instances(frozenset({"pending", "running"}))
        return {machine["InstanceId"] for machine in found if "ClientToken" in machine and _is_ours(machine)}

    def end(self, *machine_ids: str) -> None:
        """Nothing; an operator terminates them at the cloud."""
        self.moto.client().terminate_instances(InstanceIds=list(machine_ids))


def _is_ours(machine: dict[str, Any]) -> bool:
    return any(tag["Key"] == "phantom-gateway" for tag in machine.get("Tags", ()))


@dataclass(frozen=True)
class Land:
    """Both clouds, the gateway over them, and a client of it."""

    hotel: Place
    sierra: Place
    gateway: Gateway
    client: Any

    def alive(self) -> tuple[int, int]:
        """Machines on hotel and on sierra."""
        return len(self.hotel.alive()), len(self.sierra.alive())

    def members(self) -> tuple[int, int]:
        """Instances in service on hotel and on sierra, as the client is told."""
        [group] = self.client.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"]
        zones = [each["AvailabilityZone"] for each in group["Instances"] if each["LifecycleState"] == "InService"]
        return zones.count("hotel"), zones.count("sierra")

    def set_fail_back(self, setting: str) -> None:
        """Nothing; the group's tag says so."""
        self.client.create_or_update_tags(Tags=[_tag("fail_back", setting)])

    def become(self, hotel: int, sierra: int) -> None:
        """Nothing, as soon as so many machines are on each, and the client is told so."""
        wait_for(
            lambda: self.alive() == self.members() == (hotel, sierra),
            f"{hotel} on hotel, {sierra} on sierra",
            WAIT_S_MAX,
        )

    def stay(self, seconds: float, condition: Callable[[], bool]) -> None:
        """Nothing, after *seconds* in which *condition* always held."""
        ends_at = time.monotonic() + seconds
        wait_for(lambda: not condition() or time.monotonic() > ends_at, "time to pass", seconds + WAIT_S_MAX)
        assert condition()


@pytest.fixture(scope="module")
def land(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Land]:
    """Two moto servers, each behind a proxy of its own, and a gateway that knows the proxies."""
    skip_without_moto()
    directory = tmp_path_factory.mktemp("land")
    with MotoServer(directory, "hotel") as hotel, MotoServer(directory, "sierra") as sierra, LoopThread() as thread:
        proxies = [Proxy(moto.url) for moto in (hotel, sierra)]
        served = [thread.serve(proxy.application()) for proxy in proxies]
        places = [
            Place(moto, proxy, way.url) for moto, proxy, way in zip((hotel, sierra), proxies, served, strict=True)
        ]
        gateway = _gateway(directory, *places)
        try:
            yield Land(places[0], places[1], gateway, _client(gateway))
        finally:
            gateway.stop()
            for way in served:
                thread.run(way.stop())


def _gateway(directory: Path, hotel: Place, sierra: Place) -> Gateway:
    clouds = CLOUD.format(name="hotel", url=hotel.url) + CLOUD.format(name="sierra", url=sierra.url)
    gateway = Gateway(directory / "gateway", top=clouds, clouds=())
    gateway.start()
    return gateway


def _client(gateway: Gateway) -> Any:
    return boto3.client(
        "autoscaling",
        endpoint_url=gateway.endpoint,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
        config=Config(retries={"total_max_attempts": 1}),
    )


def _tag(key: str, value: str) -> dict[str, Any]:
    return {
        "ResourceId": GROUP,
        "ResourceType": "auto-scaling-group",
        "Key": key,
        "Value": value,
        "PropagateAtLaunch": False,
    }


def _foreign(place: Place) -> str:
    """Id of a machine that somebody else runs there, with our group's name."""
    image = place.moto.client().describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": GROUP}]}]
    made = place.moto.client().run_instances(ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=tags)
    return str(made["Instances"][0]["InstanceId"])


def _make_group(land: Land) -> None:
    image = land.hotel.moto.client().describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    for cloud in ("hotel", "sierra"):
        land.client.create_launch_configuration(
            LaunchConfigurationName=f"{GROUP}@{cloud}", ImageId=image, InstanceType="m1.small"
        )
    land.client.create_auto_scaling_group(
        AutoScalingGroupName=GROUP,
        LaunchConfigurationName=f"{GROUP}@hotel",
        MinSize=0,
        MaxSize=10,
        DesiredCapacity=5,
        AvailabilityZones=["hotel", "sierra"],
        Tags=[_tag("clouds", "hotel:2,sierra:-1"), _tag("fail_back", "off")],
    )


def test_one_group_over_two_real_endpoints(land: Land) -> None:
    """A group overflows by cap, takes no silence for death, replaces the dead elsewhere, and comes home as told."""
    strangers = [_foreign(land.hotel), _foreign(land.sierra)]
    _make_group(land)
    land.become(2, 3)

    land.hotel.moto.silence()
    land.stay(8.0, lambda: len(land.sierra.alive()) == 3)
    land.hotel.moto.resume()
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

    land.set_fail_back("on-replacement")
    land.stay(3.0, lambda: land.alive() == (0, 5))
    wait_for(lambda: _replaced_on_hotel(land), "a replacement on hotel", WAIT_S_MAX)

    land.set_fail_back("eager")
    land.become(2, 3)

    land.client.delete_auto_scaling_group(AutoScalingGroupName=GROUP, ForceDelete=True)
    wait_for(lambda: land.alive() == (0, 0), "the group's machines to be gone", WAIT_S_MAX)
    for place, stranger in zip((land.hotel, land.sierra), strangers, strict=True):
        assert stranger in {machine["InstanceId"] for machine in place.moto.instances()}


def _replaced_on_hotel(land: Land) -> bool:
    """Whether a death on sierra was made good on hotel; hotel's back-off may still be in force for the first ones."""
    if land.members()[0] > 0:
        return True
    if land.alive() == land.members() == (0, 5):
        land.sierra.end(next(iter(land.sierra.alive())))
    return False
