"""Texts that are meant for another reader than a person: they are stored exactly, or refused, and never obeyed."""

import base64
import unicodedata
from typing import Any

import pytest

from protocol.errors import ApiError
from tests.phantom_gateway.office import Office

TEXTS = [
    pytest.param("\u202egpj.bew", id="right to left"),
    pytest.param("\N{GRINNING FACE}" * 255, id="255 emoji"),
    pytest.param("\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}", id="a family of joined emoji"),
    pytest.param("e\u0301te", id="decomposed"),
    pytest.param("\u212bngstro\u0308m", id="looks like another letter"),
    pytest.param("{0.__class__.__init__.__globals__}", id="a format of Python"),
    pytest.param("%(secret)s %s %n", id="a format of C"),
    pytest.param("${jndi:ldap://127.0.0.1/x} $(id) `id`", id="a look-up, a command"),
    pytest.param("{{7*7}} <%= 7*7 %> #{7*7}", id="templates"),
    pytest.param("<script>alert(1)</script>]]><!--", id="markup"),
    pytest.param("!!python/object/apply:os.system [id]", id="an object of YAML"),
    pytest.param("' or 1=1; drop table users; --", id="SQL"),
    pytest.param("../../../../etc/passwd", id="a path"),
    pytest.param("file:///etc/passwd", id="a file's address"),
    pytest.param("cos\nsystem\n(S'id'\ntR.", id="a pickle"),
    pytest.param("=1+1", id="a formula"),
]


def stored_or_refused(office: Office, operation: str, **params: Any) -> bool:
    """Whether the call was carried out; when not, it was refused as the client's mistake."""
    try:
        office.call(operation, **params)
    except ApiError as error:
        if error.status != 400:
            raise
        return False
    return True


@pytest.mark.parametrize("text", TEXTS)
def test_a_strange_text_is_given_back_or_refused(office: Office, text: str) -> None:
    """F83 F94 F95: as name, tag, image or user data, it is shown as it was written, and listings go on working."""
    office.create_launch_configuration()
    office.create_group()
    expected = {"web"}
    group = {"LaunchConfigurationName": "web@hotel", "MinSize": 0, "MaxSize": 1, "AvailabilityZones": ["hotel"]}
    if stored_or_refused(office, "CreateAutoScalingGroup", **group, AutoScalingGroupName=text):
        expected.add(text)
    tag = {"ResourceId": "web", "ResourceType": "auto-scaling-group", "Key": "k", "PropagateAtLaunch": False}
    has_tag = stored_or_refused(office, "CreateOrUpdateTags", Tags=[{**tag, "Value": text}])
    told = base64.b64encode(text.encode()).decode()
    launch = {"LaunchConfigurationName": "odd@hotel", "InstanceType": "any", "UserData": told}
    has_launch = stored_or_refused(office, "CreateLaunchConfiguration", **launch, ImageId=text)

    groups = office.call("DescribeAutoScalingGroups")["AutoScalingGroups"]
    launches = office.call("DescribeLaunchConfigurations")["LaunchConfigurations"]

    assert {group["AutoScalingGroupName"] for group in groups} == expected
    assert [tag["Value"] for tag in office.call("DescribeTags")["Tags"]] == [text] * has_tag
    assert [(each["ImageId"], each["UserData"]) for each in launches if each["ImageId"] != "hello"] == [
        (text, told)
    ] * has_launch


def test_names_that_look_alike_are_two(office: Office) -> None:
    """F83: composed and decomposed letters are different names, and each is found by its own bytes alone."""
    composed, decomposed = (unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD"))
    office.create_launch_configuration(f"{composed}@hotel", ImageId="one")
    office.create_launch_configuration(f"{decomposed}@hotel", ImageId="other")

    office.call("DeleteLaunchConfiguration", LaunchConfigurationName=f"{decomposed}@hotel")

    (left,) = office.call("DescribeLaunchConfigurations")["LaunchConfigurations"]
    assert (left["LaunchConfigurationName"], left["ImageId"]) == (f"{composed}@hotel", "one")
    names = [f"{decomposed}@hotel"]
    found = office.call("DescribeLaunchConfigurations", LaunchConfigurationNames=names)["LaunchConfigurations"]
    assert found == []
