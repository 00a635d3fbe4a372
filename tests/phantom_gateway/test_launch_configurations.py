"""Launch configurations, as AWS clients use them."""

import base64

import pytest

from phantom_gateway.config import Limits
from protocol.errors import ApiError
from tests.phantom_gateway.office import Office


def encoded(text: str) -> str:
    """*text* as clients send user data."""
    return base64.b64encode(text.encode()).decode()


def test_a_launch_configuration_is_described_as_it_was_given(office: Office) -> None:
    """Everything that was given comes back unchanged, AWS's defaults are filled in."""
    given = {
        "KeyName": "phantomkey",
        "SecurityGroups": ["default", "web"],
        "UserData": encoded("#!/bin/sh\necho <&> 😀"),
        "BlockDeviceMappings": [{"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}],
        "KernelId": "aki-1",
        "SpotPrice": "0.05",
    }
    office.create_launch_configuration(**given)

    (found,) = office.call("DescribeLaunchConfigurations")["LaunchConfigurations"]
    assert {member: found[member] for member in given} == given
    assert found["LaunchConfigurationName"] == "web@hotel"
    assert found["LaunchConfigurationARN"].startswith("arn:aws:autoscaling:us-east-1:111111111111:launchConfiguration:")
    assert found["CreatedTime"] == office.now
    assert found["InstanceMonitoring"] == {"Enabled": True}
    assert found["EbsOptimized"] is False
    assert found["RamdiskId"] == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"LaunchConfigurationName": "web"}, "names no cloud", id="no cloud"),
        pytest.param({"LaunchConfigurationName": "web@nowhere"}, "the clouds are: hotel, sierra", id="unknown cloud"),
        pytest.param({"LaunchConfigurationName": "@hotel"}, "NAME@CLOUD", id="no name"),
        pytest.param({"LaunchConfigurationName": "web@"}, "name of a cloud", id="empty cloud"),
        pytest.param({"ImageId": ""}, "'imageId'", id="no image"),
        pytest.param({"UserData": "not base64!"}, "base64", id="user data is not base64"),
        pytest.param({"UserData": encoded("x" * 16_384)}, "less than or equal to 21847", id="user data too long"),
    ],
)
def test_a_wrong_launch_configuration_is_refused(office: Office, change: dict[str, str], words: str) -> None:
    """Each refusal is a ValidationError that names the field and the rule, and leaves nothing behind."""
    with pytest.raises(ApiError) as caught:
        office.create_launch_configuration(change.get("LaunchConfigurationName", "web@hotel"), **change)

    assert caught.value.code == "ValidationError"
    assert words in caught.value.message
    assert office.call("DescribeLaunchConfigurations")["LaunchConfigurations"] == []


def test_a_parameter_that_is_not_built_is_refused_by_name(office: Office) -> None:
    """Its code is one that Terraform's provider does not repeat."""
    with pytest.raises(ApiError, match="InstanceId is not supported") as caught:
        office.create_launch_configuration(InstanceId="i-12345678")

    assert caught.value.code == "InvalidQueryParameter"
    assert office.call("DescribeLaunchConfigurations")["LaunchConfigurations"] == []


def test_a_name_is_taken_once_per_cloud(office: Office) -> None:
    """The same name on another cloud is another launch configuration; on the same cloud it is AlreadyExists."""
    office.create_launch_configuration("web@hotel")
    office.create_launch_configuration("web@sierra")

    with pytest.raises(ApiError) as caught:
        office.create_launch_configuration("web@hotel")

    assert caught.value.code == "AlreadyExists"
    assert caught.value.message == (
        "Launch Configuration by this name already exists - "
        "A launch configuration already exists with the name web@hotel"
    )


def test_user_data_of_a_base_name_is_shared_by_clouds_that_have_none(office: Office) -> None:
    """A spec without user data shows what its base name was given last; a spec with its own keeps its own."""
    office.create_launch_configuration("web@hotel", UserData=encoded("first"))
    office.create_launch_configuration("web@sierra")

    found = office.call("DescribeLaunchConfigurations")["LaunchConfigurations"]
    assert [each["UserData"] for each in found] == [encoded("first")] * 2


def test_user_data_from_ruby_clients_loses_its_line_ends(office: Office) -> None:
    """Both Ruby clients break base64 into lines; what is stored and described has none."""
    office.create_launch_configuration(UserData="aGVs\nbG8=\n")

    (found,) = office.call("DescribeLaunchConfigurations")["LaunchConfigurations"]
    assert found["UserData"] == "aGVsbG8="


def test_pages_follow_one_another_without_gap(office: Office) -> None:
    """Names come in order, each once, and the last page has no token."""
    names = [f"lc{number:02d}@hotel" for number in range(7)]
    for name in reversed(names):
        office.create_launch_configuration(name)

    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = office.call("DescribeLaunchConfigurations", MaxRecords=3, **token)
        seen += [each["LaunchConfigurationName"] for each in page["LaunchConfigurations"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert seen == names


def test_a_token_is_good_for_its_own_list_only(office: Office) -> None:
    """A token made up, of another filter or of another user is InvalidNextToken."""
    for number in range(3):
        office.create_launch_configuration(f"lc{number}@hotel")
    token = office.call("DescribeLaunchConfigurations", MaxRecords=1)["NextToken"]
    stranger = office.add_user("bob", "AKIABOBBOBBOBBOBBOB1", "222222222222")

    for user, params in (
        (None, {"NextToken": "made up"}),
        (None, {"NextToken": token, "LaunchConfigurationNames": ["lc1@hotel"]}),
        (stranger, {"NextToken": token}),
    ):
        with pytest.raises(ApiError) as caught:
            office.call("DescribeLaunchConfigurations", user, **params)
        assert caught.value.code == "InvalidNextToken"


def test_deleting_leaves_the_other_clouds(office: Office) -> None:
    """Only the named spec goes; an unknown name is told in AWS's words."""
    office.create_launch_configuration("web@hotel")
    office.create_launch_configuration("web@sierra")
    office.call("DeleteLaunchConfiguration", LaunchConfigurationName="web@hotel")

    (left,) = office.call("DescribeLaunchConfigurations")["LaunchConfigurations"]
    assert left["LaunchConfigurationName"] == "web@sierra"
    with pytest.raises(ApiError, match="Launch configuration name not found - Launch configuration web@hotel"):
        office.call("DeleteLaunchConfiguration", LaunchConfigurationName="web@hotel")
    office.call("DeleteLaunchConfiguration", LaunchConfigurationName="web@sierra")
    office.create_launch_configuration("web@hotel")


@pytest.mark.parametrize("name", [pytest.param("web@hotel", id="named"), pytest.param("web@sierra", id="by its zone")])
def test_a_launch_configuration_in_use_stays(office: Office, name: str) -> None:
    """What a group launches from, on any of its clouds, cannot be deleted."""
    office.create_launch_configuration("web@hotel")
    office.create_launch_configuration("web@sierra")
    office.create_group(AvailabilityZones=["sierra"])

    with pytest.raises(ApiError) as caught:
        office.call("DeleteLaunchConfiguration", LaunchConfigurationName=name)

    assert caught.value.code == "ResourceInUse"
    assert caught.value.message == (
        f"Cannot delete launch configuration {name} because it is attached to AutoScalingGroup web"
    )


def test_the_ceiling_of_launch_configurations_holds(tmp_path_factory: pytest.TempPathFactory) -> None:
    """F100: one more than the operator allows is LimitExceeded."""
    office = Office(tmp_path_factory.mktemp("office"), Limits(launch_configurations_max=2))
    office.create_launch_configuration("a@hotel")
    office.create_launch_configuration("b@hotel")

    with pytest.raises(ApiError) as caught:
        office.create_launch_configuration("c@hotel")

    assert caught.value.code == "LimitExceeded"
    office.close()


def test_a_default_cloud_completes_names(tmp_path_factory: pytest.TempPathFactory) -> None:
    """With a default cloud, a plain name is kept as it was given, and is the same as the full one."""
    office = Office(tmp_path_factory.mktemp("office"), default_cloud="hotel")
    office.create_launch_configuration("web")

    (found,) = office.call("DescribeLaunchConfigurations")["LaunchConfigurations"]
    assert found["LaunchConfigurationName"] == "web"
    with pytest.raises(ApiError) as caught:
        office.create_launch_configuration("web@hotel")
    assert caught.value.code == "AlreadyExists"
    office.close()
