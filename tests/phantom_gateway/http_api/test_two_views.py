"""
One model, two views: whatever is done through one API shows in the other, and what the JSON API shows can be put back.

Owns: sequences of calls to both, made by hypothesis, and what has to hold after every one of them.
"""

import asyncio
import base64
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phantom_gateway.operations.http_api.errors import JsonError
from phantom_gateway.records import groups, launch_configurations
from protocol.errors import ApiError
from tests.phantom_gateway.http_api.clerk import Clerk
from tests.phantom_gateway.http_api.test_domains import SENSOR
from tests.phantom_gateway.office import Office

Step = Callable[["World"], object]

CLOUDS = ("hotel", "sierra")
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Nothing here has to survive a crash, and a thousand commits wait for a disk for a minute."""

bases = st.sampled_from(["a", "b", "c d"])
names = st.sampled_from(["g", "h", "i j"])
images = st.sampled_from(["hello", "sleeper"])
clouds = st.sampled_from(CLOUDS)
counts = st.integers(0, 6)
places = st.integers(0, 5)
datas = st.sampled_from([b"", b"x", b"#!/bin/sh\n", b"\xff\x00"])


class World:
    """Both APIs over one office."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.clerk = Clerk(office)

    def aws(self, operation: str, **params: Any) -> Any:
        """What an AWS client is answered."""
        return self.office.call(operation, **params)

    def json(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """What a JSON client is answered."""
        return self.clerk.call(method, path, body, **query)

    def pick(self, path: str, place: int) -> dict[str, Any] | None:
        """One of what is listed at *path*; None when nothing is."""
        found = self.json("GET", path)
        return dict(found[place % len(found)]) if found else None

    def put(self, path: str, place: int, changes: dict[str, Any]) -> None:
        """Nothing; one of what is listed at *path* was sent back with *changes*."""
        thing = self.pick(path, place)
        if thing is not None:
            self.json("PUT", thing["uri"], thing | changes)

    def delete(self, path: str, place: int) -> None:
        """Nothing; one of what is listed at *path* was deleted."""
        thing = self.pick(path, place)
        if thing is not None:
            self.json("DELETE", thing["uri"])


@st.composite
def shares(draw: st.DrawFn) -> dict[str, Any]:
    """The clouds of a launch configuration."""
    chosen = draw(st.lists(clouds, min_size=1, max_size=2, unique=True))
    return {
        cloud: {
            "image_id": draw(images),
            "instance_type": "m1.small",
            "max_vms": draw(st.sampled_from([-1, 0, 3])),
            "common": draw(st.booleans()),
            "rank": draw(st.integers(1, 4)),
            **draw(st.sampled_from([{}, {"key_name": "k"}])),
        }
        for cloud in chosen
    }


@st.composite
def contexts(draw: st.DrawFn) -> dict[str, Any]:
    """Contextualization in one of its forms, and nothing else of it."""
    blank = {"contextualization_method": None, "user_data": None, "user_data_base64": None}
    blank |= dict.fromkeys(("chef_runlist", "run_list", "chef_attributes", "attributes"))
    text = draw(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8))
    forms = [{}, {"user_data": text}, {"user_data": {"hotel": text}}, {"user_data_base64": "/wA="}]
    forms.append({"run_list": ["a"], "attributes": {"k": text}})
    return blank | draw(st.sampled_from(forms))


def aws_launch(base: str, cloud: str, image: str, data: bytes) -> Step:
    """CreateLaunchConfiguration."""
    more = {"UserData": base64.b64encode(data).decode()} if data else {}
    return lambda world: world.office.create_launch_configuration(f"{base}@{cloud}", ImageId=image, **more)


def aws_group(name: str, base: str, cloud: str, count: int, tags: dict[str, str]) -> Step:
    """CreateAutoScalingGroup."""
    return lambda world: world.aws(
        "CreateAutoScalingGroup",
        AutoScalingGroupName=name,
        LaunchConfigurationName=f"{base}@{cloud}",
        MinSize=count // 2,
        MaxSize=count + 1,
        DesiredCapacity=count,
        AvailabilityZones=["us-east-1", cloud],
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )


def aws_tag(name: str, tags: dict[str, str]) -> Step:
    """CreateOrUpdateTags."""
    given = [{"ResourceId": name, "ResourceType": "auto-scaling-group", "Key": k, "Value": v} for k, v in tags.items()]
    return lambda world: world.aws("CreateOrUpdateTags", Tags=given)


def aws_untag(name: str, key: str) -> Step:
    """DeleteTags."""
    tag = {"ResourceId": name, "ResourceType": "auto-scaling-group", "Key": key}
    return lambda world: world.aws("DeleteTags", Tags=[tag])


def aws_update(name: str, base: str, cloud: str, low: int, more: int) -> Step:
    """UpdateAutoScalingGroup."""
    return lambda world: world.aws(
        "UpdateAutoScalingGroup",
        AutoScalingGroupName=name,
        LaunchConfigurationName=f"{base}@{cloud}",
        MinSize=low,
        MaxSize=low + more,
    )


OVERFLOW = {"PHANTOM_DEFINITION": "error_overflow_n_preserving"}
DRIVEN = OVERFLOW | {"metric": "load", "scale_up_threshold": "2.0", "scale_down_n_vms": "-2", "sample_function": "Sum"}
group_tags = st.sampled_from(
    [
        {},
        OVERFLOW,
        OVERFLOW | {"clouds": "sierra:2,hotel:-1"},
        DRIVEN,
        {"PHANTOM_DEFINITION": "sensor_engine", "metric": "load", "cooldown_period": "5"},
        {"clouds": "hotel:1"},
    ]
)
later_tags = st.sampled_from(
    [{"clouds": "sierra:1"}, {"metric": "queue"}, {"minimum_vms": "2"}, {"own": "x"}, OVERFLOW]
)

STEPS: list[st.SearchStrategy[Step]] = [
    st.builds(aws_launch, bases, clouds, images, datas),
    st.builds(
        lambda base, cloud: (
            lambda world: world.aws("DeleteLaunchConfiguration", LaunchConfigurationName=f"{base}@{cloud}")
        ),
        bases,
        clouds,
    ),
    st.builds(aws_group, names, bases, clouds, counts, group_tags),
    st.builds(aws_update, names, bases, clouds, counts, counts),
    st.builds(aws_tag, names, later_tags),
    st.builds(aws_untag, names, st.sampled_from(["clouds", "PHANTOM_DEFINITION", "metric", "phantom_de_name"])),
    st.builds(
        lambda name, count: (
            lambda world: world.aws("SetDesiredCapacity", AutoScalingGroupName=name, DesiredCapacity=count)
        ),
        names,
        counts,
    ),
    st.builds(
        lambda name: lambda world: world.aws("DeleteAutoScalingGroup", AutoScalingGroupName=name, ForceDelete=True),
        names,
    ),
    st.builds(
        lambda base, share, context: (
            lambda world: world.json("POST", "/launchconfigurations", {"name": base, "cloud_params": share, **context})
        ),
        bases,
        shares(),
        contexts(),
    ),
    st.builds(
        lambda place, base, share, context: (
            lambda world: world.put("/launchconfigurations", place, {"name": base, "cloud_params": share, **context})
        ),
        places,
        bases,
        shares(),
        contexts(),
    ),
    st.builds(lambda place: lambda world: world.delete("/launchconfigurations", place), places),
    st.builds(
        lambda name, base, count: (
            lambda world: world.json(
                "POST", "/domains", {"name": name, "de_name": "multicloud", "lc_name": base, "vm_count": count}
            )
        ),
        names,
        bases,
        counts,
    ),
    st.builds(
        lambda place, changes: lambda world: world.put("/domains", place, changes),
        places,
        st.one_of(
            st.builds(lambda count: {"de_name": "multicloud", "vm_count": count}, counts),
            st.builds(lambda most: SENSOR | {"sensor_maximum_vms": most}, st.integers(1, 5)),
            st.builds(lambda name: {"name": name}, names),
            st.builds(lambda base: {"lc_name": base}, bases),
            st.just({"monitor_sensors": "load", "monitor_domain_sensors": "queue"}),
        ),
    ),
    st.builds(lambda place: lambda world: world.delete("/domains", place), places),
]


def aws_launches(world: World) -> dict[str, dict[str, Any]]:
    """Every launch configuration of the AWS API by name."""
    found = world.aws("DescribeLaunchConfigurations")["LaunchConfigurations"]
    return {each["LaunchConfigurationName"]: each for each in found}


def data_of(base: dict[str, Any], cloud: str) -> bytes:
    """The user data of one cloud, out of what the JSON API shows."""
    for name, read in (("user_data", str.encode), ("user_data_base64", base64.b64decode)):
        if name in base:
            given = base[name]
            return bytes(read(given.get(cloud, "") if isinstance(given, dict) else given))
    return b""


def check_launches(world: World) -> None:
    """Each cloud of each JSON launch configuration is an AWS one with the same content, and there are no others."""
    shown = {}
    for base in world.json("GET", "/launchconfigurations"):
        assert sorted(share["rank"] for share in base["cloud_params"].values()) == [
            *range(1, len(base["cloud_params"]) + 1)
        ]
        for cloud, share in base["cloud_params"].items():
            data = data_of(base, cloud)
            shown[f"{base['name']}@{cloud}"] = (share["image_id"], share.get("key_name", ""), data)
    aws = {
        name: (each["ImageId"], each["KeyName"], base64.b64decode(each["UserData"]))
        for name, each in aws_launches(world).items()
    }
    assert shown == aws


def check_groups(world: World) -> None:
    """Each domain is a living group with the same numbers, source and clouds, and there are no others."""
    launches = {base["name"]: base for base in world.json("GET", "/launchconfigurations")}
    described = world.aws("DescribeAutoScalingGroups")["AutoScalingGroups"]
    living = {group["AutoScalingGroupName"]: group for group in described if "Status" not in group}
    domains = {domain["name"]: domain for domain in world.json("GET", "/domains")}
    assert set(domains) == set(living)
    for name, domain in domains.items():
        group = living[name]
        assert group["LaunchConfigurationName"].partition("@")[0] == domain["lc_name"]
        assert launches[domain["lc_name"]]["uri"] == domain["launchconfiguration"]
        assert group["LaunchConfigurationName"] in aws_launches(world)
        if domain["de_name"] == "multicloud":
            assert domain["vm_count"] == group["DesiredCapacity"]
        else:
            assert (domain["sensor_minimum_vms"], domain["sensor_maximum_vms"]) == (group["MinSize"], group["MaxSize"])
        record = asyncio.run(world.office.ledger.read(domain["id"]))
        assert record is not None
        used = [(cloud.name, -1 if cloud.cap is None else cloud.cap) for cloud in record.group.clouds]
        assert used == [(cloud["site_name"], cloud["size"]) for cloud in domain["clouds"]]
        shares = launches[domain["lc_name"]]["cloud_params"]
        assert {c: source.spec.image_id for c, source in record.sources.items()} == (
            {} if "run_list" in launches[domain["lc_name"]] else {c: share["image_id"] for c, share in shares.items()}
        )


def rows(world: World) -> tuple[object, ...]:
    """Everything that a PUT could change, as it is stored, versions and generations included."""

    def job(connection: Any) -> tuple[object, ...]:
        user_id = world.office.user.id
        found = launch_configurations.page(connection, user_id, None, "", 1000)
        specs = launch_configurations.by_ids(connection, [spec_id for _, spec_id, _ in found])
        return groups.of_user(connection, user_id), sorted(specs, key=lambda spec: spec.id)

    return world.office.database.read_now(job)


def check_round_trip(world: World) -> None:
    """What GET shows, PUT takes, answers the same, changes no row, and wakes nobody."""
    for path in ("/launchconfigurations", "/domains"):
        for thing in world.json("GET", path):
            before = rows(world)
            assert world.json("PUT", thing["uri"], thing) == thing
            assert (rows(world), world.clerk.woken) == (before, [])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(STEPS), min_size=1, max_size=14))
def test_both_apis_show_one_world(steps: list[Step]) -> None:
    """After any calls to either, taken or refused, both show the same, and what one shows can be put back."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as directory:
        office = Office(Path(directory))
        world = World(office)
        try:
            for step in steps:
                try:
                    step(world)
                except JsonError as refused:
                    assert 400 <= refused.status < 500  # noqa: PT017 - refusals are as welcome as successes
                except ApiError as refused:
                    assert 400 <= refused.status < 500  # noqa: PT017 - as above
            check_launches(world)
            check_groups(world)
            check_round_trip(world)
        finally:
            office.close()
