"""Phantom's dialect: groups driven by tags, as the scripts of the original drive them, without its defects."""

import asyncio
from typing import Any

import pytest

from phantom_gateway import phantom_tags
from phantom_gateway.group_clouds import clouds_of
from phantom_gateway.phantom_tags import TagRule
from protocol.errors import ApiError
from reconciler.model import FailBack, GroupRecord, RankedCloud, SensorPolicy, SensorSource, Statistic
from tests.phantom_gateway.office import Office

OVERFLOW = {"PHANTOM_DEFINITION": "error_overflow_n_preserving"}


def tagged(tags: dict[str, str], group: str = "web") -> list[dict[str, Any]]:
    """The tags as boto 2 sends them: with the resource, and not propagated."""
    return [
        {
            "ResourceId": group,
            "ResourceType": "auto-scaling-group",
            "Key": key,
            "Value": value,
            "PropagateAtLaunch": False,
        }
        for key, value in tags.items()
    ]


def record(office: Office) -> GroupRecord:
    """The group as the reconciler reads it."""
    found = asyncio.run(office.ledger.read(office.uid()))
    assert found is not None
    return found


def bounds(office: Office) -> tuple[int, int, int]:
    """(minimum, desired, maximum) of the group."""
    group = office.group()
    return group["MinSize"], group["DesiredCapacity"], group["MaxSize"]


@pytest.fixture
def phantom(office: Office) -> Office:
    """A group as asg_create.py makes it: two of both clouds, minimum and maximum alike, no desired capacity."""
    office.create_launch_configuration("web@hotel")
    office.create_launch_configuration("web@sierra")
    office.call(
        "CreateAutoScalingGroup",
        AutoScalingGroupName="web",
        LaunchConfigurationName="web",
        MinSize=2,
        MaxSize=2,
        AvailabilityZones=["us-east-1"],
        Tags=tagged({**OVERFLOW, "clouds": "hotel:1,sierra:-1", "minimum_vms": "2"}),
    )
    return office


@pytest.mark.parametrize(
    ("text", "clouds"),
    [
        pytest.param("hotel:2,sierra:-1", (RankedCloud("hotel", 2), RankedCloud("sierra")), id="cap and none"),
        pytest.param("sierra:0", (RankedCloud("sierra", 0),), id="nothing may be there"),
        pytest.param(" hotel:1 , sierra ", (RankedCloud("hotel", 1), RankedCloud("sierra")), id="blanks, no number"),
    ],
)
def test_a_clouds_tag_ranks_and_caps(text: str, clouds: tuple[RankedCloud, ...]) -> None:
    """The order is the rank; -1, or no number, is no cap."""
    assert phantom_tags.ranked_clouds(text) == clouds


@pytest.mark.parametrize(
    "text", ["", "hotel:x", "hotel:-2", "hotel:1,hotel:2", ":1", "a b:1", "hotel:99999", "h:\u0661"]
)
def test_a_clouds_tag_that_cannot_be_read_is_told(text: str) -> None:
    """The text names the tag and its value, as the original did, and the rule."""
    with pytest.raises(TagRule, match=r"The tag clouds has a value .* that could not be understood"):
        phantom_tags.ranked_clouds(text)


@pytest.mark.parametrize(
    ("tag", "definition", "zones", "clouds"),
    [
        pytest.param("sierra:1", None, ["hotel"], [("sierra", 1)], id="the tag goes before zones"),
        pytest.param("sierra:1", phantom_tags.OVERFLOW, [], [("sierra", 1)], id="the tag goes before ranks"),
        pytest.param(None, phantom_tags.OVERFLOW, ["hotel"], [("sierra", 3), ("hotel", None)], id="by rank, capped"),
        pytest.param(None, phantom_tags.SENSOR, [], [("hotel", None)], id="a sensor engine has one cloud"),
        pytest.param(None, None, ["sierra", "hotel"], [("sierra", None), ("hotel", None)], id="zones that are clouds"),
        pytest.param(None, None, ["us-east-1", "sierra"], [("sierra", None)], id="zones, one of them a cloud"),
        pytest.param(None, None, ["us-east-1"], [("hotel", None)], id="no zone is a cloud"),
        pytest.param(None, None, [], [("hotel", None)], id="no zones"),
    ],
)
def test_the_clouds_of_a_group(
    tag: str | None, definition: str | None, zones: list[str], clouds: list[tuple[str, int | None]]
) -> None:
    """The tag, else the ranks of the launch configuration, else zones with a spec, else the cloud of its name."""
    found = clouds_of(tag, definition, zones, "hotel", [RankedCloud("sierra", 3), RankedCloud("hotel")])

    assert [(cloud.name, cloud.cap) for cloud in found] == clouds


def test_a_group_made_by_the_published_script(phantom: Office) -> None:
    """The bare base name is enough, the bounds are MinSize and MaxSize, and the clouds those of the tag."""
    assert bounds(phantom) == (2, 2, 2)
    assert record(phantom).group.clouds == (RankedCloud("hotel", 1), RankedCloud("sierra"))
    assert phantom.group()["LaunchConfigurationName"] == "web@hotel"
    assert {tag["Key"] for tag in phantom.group()["Tags"]} == {"PHANTOM_DEFINITION", "clouds", "minimum_vms"}


@pytest.mark.parametrize(("wanted", "expected"), [(5, (2, 5, 5)), (0, (0, 0, 2)), (2, (2, 2, 2))])
def test_any_capacity_moves_the_bounds_along(phantom: Office, wanted: int, expected: tuple[int, int, int]) -> None:
    """Published scripts raise the capacity of groups made with one number; the other bound is not lost."""
    phantom.call("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=wanted)

    assert bounds(phantom) == expected


def test_a_phantom_group_is_always_deleted_by_force(phantom: Office) -> None:
    """The original ignored ForceDelete, and its scripts never send it."""
    phantom.fill()

    phantom.call("DeleteAutoScalingGroup", AutoScalingGroupName="web")

    assert phantom.group()["Status"] == "Delete in progress"


def test_ending_an_instance_may_go_below_the_minimum(phantom: Office) -> None:
    """As in the original: the minimum goes along, down to nothing."""
    for instance_id in phantom.fill():
        phantom.call("TerminateInstanceInAutoScalingGroup", InstanceId=instance_id, ShouldDecrementDesiredCapacity=True)

    assert bounds(phantom) == (0, 0, 2)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        pytest.param({"minimum_vms": "3", "maximum_vms": "6"}, (3, 3, 6), id="both"),
        pytest.param({"minimum_vms": "4"}, (4, 4, 4), id="the minimum pushes the maximum"),
        pytest.param({"maximum_vms": "1"}, (1, 1, 1), id="the maximum pushes the minimum"),
        pytest.param({"n_preserve": "5"}, (5, 5, 5), id="the old alias is both"),
    ],
)
def test_bounds_can_be_changed_by_tags(phantom: Office, tags: dict[str, str], expected: tuple[int, int, int]) -> None:
    """Live, without repeating the definition, which the original insisted on."""
    phantom.call("CreateOrUpdateTags", Tags=tagged(tags))

    assert bounds(phantom) == expected
    assert phantom.woken == [phantom.uid()]


def test_bounds_move_when_they_are_written_and_only_then(phantom: Office) -> None:
    """A later SetDesiredCapacity is not undone by writing another tag."""
    phantom.call("CreateOrUpdateTags", Tags=tagged({"minimum_vms": "1", "maximum_vms": "3"}))
    phantom.call("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=5)
    phantom.call("CreateOrUpdateTags", Tags=tagged({"clouds": "sierra:-1"}))

    assert bounds(phantom) == (1, 5, 5)


def test_clouds_can_be_changed_and_dropped(phantom: Office) -> None:
    """A cloud left out of the tag is emptied; in the original that froze the group for good."""
    phantom.fill()
    before = record(phantom).group.generation
    phantom.call("CreateOrUpdateTags", Tags=tagged({"clouds": "sierra:3"}))

    group = record(phantom).group
    assert group.clouds == (RankedCloud("sierra", 3), RankedCloud("hotel", 0))
    assert group.generation > before
    assert phantom.woken == [phantom.uid()]


def test_fail_back_is_a_tag(phantom: Office) -> None:
    """Any group may say when it comes home; without the tag it does on replacement."""
    assert record(phantom).group.fail_back is FailBack.ON_REPLACEMENT

    phantom.call("CreateOrUpdateTags", Tags=tagged({"fail_back": "eager"}))

    assert record(phantom).group.fail_back is FailBack.EAGER


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        pytest.param({"clouds": "hotel:many"}, "The tag clouds has a value hotel:many", id="clouds"),
        pytest.param({"clouds": "nowhere:1"}, "the clouds are: hotel, sierra", id="unknown cloud"),
        pytest.param({"minimum_vms": "two"}, "The tag minimum_vms has a value two", id="integer"),
        pytest.param({"scale_up_threshold": "nan"}, "The tag scale_up_threshold", id="float"),
        pytest.param({"sample_function": "Median"}, "Average, Sum, SampleCount", id="statistic"),
        pytest.param({"colour": "red"}, "does not take a parameter of colour", id="unknown key"),
        pytest.param({"iaas_allocation": "m1.small"}, "does not take a parameter of iaas_allocation", id="not its own"),
        pytest.param({"fail_back": "sometimes"}, "off, on-replacement, eager", id="fail_back"),
        pytest.param({"PHANTOM_DEFINITION": "sensor_engine"}, "cannot be changed|does not take", id="definition"),
        pytest.param({"PHANTOM_DEFINITION": "made_up"}, "error_overflow_n_preserving, sensor_engine", id="no such"),
    ],
)
def test_tags_against_the_rules_change_nothing(phantom: Office, tags: dict[str, str], words: str) -> None:
    """The original's code and text, and nothing of the call is kept: one bad update must not freeze a group."""
    before = phantom.group()

    with pytest.raises(ApiError, match=words) as caught:
        phantom.call("CreateOrUpdateTags", Tags=tagged(tags))

    assert (caught.value.code, caught.value.status) == ("InvalidParameterValue", 400)
    assert phantom.group() == before


def test_sensor_tags_are_kept_and_shown(phantom: Office) -> None:
    """Nothing of what a user wrote is lost, and the group is moved by it from then on."""
    sensors = {
        "monitor_sensors": "load,df.bytes",
        "metric": "load",
        "sensor_type": "opentsdb",
        "sample_function": "Average",
        "cooldown_period": "60",
        "scale_up_threshold": "2.0",
        "scale_up_n_vms": "1",
        "scale_down_threshold": "0.5",
        "scale_down_n_vms": "-1",
        "phantom_de_name": "sensor",
    }
    phantom.call("CreateOrUpdateTags", Tags=tagged(sensors))

    shown = {tag["Key"]: tag["Value"] for tag in phantom.group()["Tags"]}
    assert sensors.items() <= shown.items()
    assert record(phantom).group.policy == SensorPolicy(
        "load", scale_up_threshold=2.0, scale_down_threshold=0.5, scale_up_by=1, scale_down_by=1, cooldown_s=60
    )
    assert phantom.woken == [phantom.uid()]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        pytest.param({}, None, id="no metric, no policy"),
        pytest.param({"metric": ""}, None, id="an empty one is none"),
        pytest.param({"metric": "load"}, SensorPolicy("load"), id="defaults"),
        pytest.param(
            {"metric": "queue", "monitor_domain_sensors": "errors, domain:queue"},
            SensorPolicy("queue", of_group=True),
            id="a sensor of the domain",
        ),
        pytest.param({"metric": "domain:queue"}, SensorPolicy("queue", of_group=True), id="as the web form wrote it"),
        pytest.param(
            {"metric": "domain:queue", "domain_sensor_value": "per_vm"},
            SensorPolicy("queue", of_group=True, per_instance=True),
            id="a share of it",
        ),
        pytest.param(
            {
                "metric": "load",
                "sensor_type": "prometheus",
                "sample_function": "Maximum",
                "sample_period": "30",
                "stale_period": "600",
                "scale_down_n_vms": "-2",
            },
            SensorPolicy(
                "load",
                source=SensorSource.PROMETHEUS,
                statistic=Statistic.MAXIMUM,
                sample_period_s=30,
                stale_s=600,
                scale_down_by=2,
            ),
            id="everything else",
        ),
    ],
)
def test_sensor_tags_make_a_policy(tags: dict[str, str], expected: SensorPolicy | None) -> None:
    """The same keys mean the same for every definition; without a definition they are a user's own."""
    assert phantom_tags.sensor_policy({"PHANTOM_DEFINITION": "error_overflow_n_preserving", **tags}) == expected
    assert phantom_tags.sensor_policy({"PHANTOM_DEFINITION": "sensor_engine", **tags}) == expected
    assert phantom_tags.sensor_policy(tags) is None


def test_a_sensor_does_not_go_beyond_the_operators_ceilings(phantom: Office) -> None:
    """What no request goes beyond, no policy goes beyond: the group knows, and the ledger refuses."""
    phantom.call("CreateOrUpdateTags", Tags=tagged({"metric": "load", "maximum_vms": "500"}))
    before = record(phantom).group
    scale = phantom.ledger.scale

    assert before.ceiling == 100
    assert not asyncio.run(scale(before.uid, before.generation, 101, "more", phantom.now))
    assert asyncio.run(scale(before.uid, before.generation, 100, "more", phantom.now))


def test_an_ordinary_group_may_name_its_clouds(office: Office) -> None:
    """Without a definition the tags clouds and fail_back work, any other tag is free, and AWS's rules stay."""
    office.create_launch_configuration("web@hotel")
    office.create_launch_configuration("web@sierra")
    office.create_group(Tags=[{"Key": "clouds", "Value": "sierra:1,hotel:-1"}, {"Key": "colour", "Value": "red"}])

    assert record(office).group.clouds == (RankedCloud("sierra", 1), RankedCloud("hotel"))
    with pytest.raises(ApiError, match="is above max value 4"):
        office.call("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=5)
    office.call("DeleteTags", Tags=[{"ResourceId": "web", "ResourceType": "auto-scaling-group", "Key": "clouds"}])
    assert record(office).group.clouds == (RankedCloud("hotel"),)
    assert office.woken == [office.uid()]
