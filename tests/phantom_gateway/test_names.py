"""Names: where they are split, what they may be, and how they stand in ARNs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phantom_gateway.names import (
    LaunchName,
    NameRule,
    group_arn,
    is_cloud_name,
    launch_configuration_arn,
    name_in_arn,
)

CLOUD_NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", fullmatch=True)
BASES = st.text(min_size=1).filter(lambda text: "@" not in text)
UID = "8b6a5c1e-9a7f-4d55-a5c1-7d3e4b0b8a11"


@pytest.mark.parametrize(
    ("text", "default_cloud", "expected"),
    [
        pytest.param("web@hotel", None, ("web", "hotel"), id="base and cloud"),
        pytest.param("web@hotel", "sierra", ("web", "hotel"), id="its own cloud before the default"),
        pytest.param("web", "sierra", ("web", "sierra"), id="default cloud"),
        pytest.param("my web 2", "hotel", ("my web 2", "hotel"), id="blanks in the base"),
        pytest.param("a/b:c@h-1.x_y", None, ("a/b:c", "h-1.x_y"), id="punctuation"),
        pytest.param("x@" + "h" * 63, None, ("x", "h" * 63), id="longest cloud"),
    ],
)
def test_a_launch_name_is_its_base_and_its_cloud(
    text: str, default_cloud: str | None, expected: tuple[str, str]
) -> None:
    """The part before the first "@" is the base; the cloud follows it, or is the default."""
    name = LaunchName.parse(text, default_cloud)

    assert expected == (name.base, name.cloud)


@pytest.mark.parametrize(
    ("text", "default_cloud", "rule"),
    [
        pytest.param("web", None, "use NAME@CLOUD, for example 'web@hotel'", id="no cloud"),
        pytest.param("", "hotel", "no name before its '@'", id="empty"),
        pytest.param("@hotel", None, "no name before its '@'", id="no base"),
        pytest.param("web@", None, "'' in 'web@' cannot name a cloud", id="empty cloud"),
        pytest.param("web@", "hotel", "cannot name a cloud", id="empty cloud despite a default"),
        pytest.param("web@hotel@sierra", None, "after the first '@' comes the name of a cloud", id="second at"),
        pytest.param("web@-h", None, "beginning with a letter or a digit", id="begins with a dash"),
        pytest.param("web@hotel\n", None, "cannot name a cloud", id="line break at the end"),
        pytest.param("web@" + "h" * 64, None, "1 to 63", id="cloud too long"),
        pytest.param("web@h\N{LATIN SMALL LETTER O WITH DIAERESIS}tel", None, "cannot name a cloud", id="not ASCII"),
    ],
)
def test_a_name_that_breaks_the_rule_is_told_the_rule(text: str, default_cloud: str | None, rule: str) -> None:
    """The error states the rule in words, for the user who wrote the name."""
    with pytest.raises(NameRule) as refusal:
        LaunchName.parse(text, default_cloud)

    assert rule in str(refusal.value)


def test_an_error_repeats_little_of_a_long_name_and_no_control_characters() -> None:
    """A hostile name neither fills an answer nor moves a cursor."""
    with pytest.raises(NameRule) as refusal:
        LaunchName.parse("\x1b[2J" + "x" * 100_000)

    assert len(str(refusal.value)) < 400
    assert str(refusal.value).isprintable()


def test_a_launch_name_cannot_be_made_wrong() -> None:
    """The rules hold for names put together from parts as well."""
    with pytest.raises(NameRule):
        LaunchName("a@b", "hotel")


@given(BASES, CLOUD_NAMES)
def test_a_launch_name_reads_back_as_it_was_written(base: str, cloud: str) -> None:
    """str() gives the text that parse() took."""
    assert str(LaunchName.parse(f"{base}@{cloud}")) == f"{base}@{cloud}"
    assert is_cloud_name(cloud)


@given(st.text(), st.none() | CLOUD_NAMES)
def test_any_text_is_a_name_or_is_told_the_rule(text: str, default_cloud: str | None) -> None:
    """No text raises anything but NameRule."""
    try:
        name = LaunchName.parse(text, default_cloud)
    except NameRule:
        return

    assert str(name) in {text, f"{text}@{default_cloud}"}


def test_arns_are_those_of_aws() -> None:
    """Region, account, uid and name stand where AWS puts them."""
    assert (
        group_arn("us-east-1", "123456789012", UID, "web")
        == f"arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:{UID}:autoScalingGroupName/web"
    )
    assert (
        launch_configuration_arn("us-east-1", "123456789012", UID, "web@hotel")
        == f"arn:aws:autoscaling:us-east-1:123456789012:launchConfiguration:{UID}:launchConfigurationName/web@hotel"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("web", "web", id="a name"),
        pytest.param("", "", id="empty"),
        pytest.param(group_arn("us-east-1", "123456789012", UID, "web"), "web", id="an ARN"),
        pytest.param(group_arn("eu-west-1", "123456789012", UID, "a/b c"), "a/b c", id="slash and blank"),
        pytest.param(
            "arn:aws-cn:autoscaling:::autoScalingGroup:u:autoScalingGroupName/web", "web", id="other partition"
        ),
        pytest.param(
            "arn:aws:autoscaling:r:a:autoScalingGroup:u:autoScalingGroupName/",
            "arn:aws:autoscaling:r:a:autoScalingGroup:u:autoScalingGroupName/",
            id="no name in it",
        ),
        pytest.param(
            "arn:aws:autoscaling:r:a:scalingPolicy:u:autoScalingGroupName/g:policyName/p",
            "arn:aws:autoscaling:r:a:scalingPolicy:u:autoScalingGroupName/g:policyName/p",
            id="a policy's ARN",
        ),
        pytest.param("autoScalingGroupName/web", "autoScalingGroupName/web", id="only the end of an ARN"),
    ],
)
def test_a_groups_arn_stands_for_its_name(text: str, expected: str) -> None:
    """An ARN of a group gives the group's name; everything else is a name already."""
    assert name_in_arn(text) == expected


@given(st.text(min_size=1))
def test_the_name_in_an_arn_is_the_name_it_was_made_of(name: str) -> None:
    """Making an ARN and taking it apart loses nothing."""
    assert name_in_arn(group_arn("us-east-1", "123456789012", UID, name)) == name
