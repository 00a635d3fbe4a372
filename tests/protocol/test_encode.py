"""
The documents that clients receive, to the letter.

Owns: the envelope, emptiness, order, escaping, moments, fragments and what boto 2 gets. Does not own: that botocore
reads them back, see test_codec_roundtrip.
"""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from lxml import etree

from protocol import model
from protocol.encode import (
    BOTO2_LISTS,
    BOTO2_RECORDS,
    Fragment,
    encode_error,
    encode_member,
    encode_result,
    escape,
    withheld_for,
)
from protocol.errors import ApiError
from protocol.form import find_operation

NAMESPACE = "http://autoscaling.amazonaws.com/doc/2011-01-01/"
TAIL = "<ResponseMetadata><RequestId>id</RequestId></ResponseMetadata>"
BOTO2 = withheld_for("Boto/2.49.0 Python/3.8.0 Linux/5.4")


def document(action: str, result: dict[str, Any] | None, withhold: frozenset[str] = frozenset()) -> str:
    """Document that answers *action*."""
    return encode_result(find_operation(action, None), result, request_id="id", namespace=NAMESPACE, withhold=withhold)


def content(action: str, result: dict[str, Any], withhold: frozenset[str] = frozenset()) -> str:
    """What stands between the Result tags of the answer to *action*."""
    return document(action, result, withhold).partition("Result>")[2].rpartition(f"</{action}Result>")[0]


def group(**members: Any) -> str:
    """Encoded group of *members*."""
    text = content("DescribeAutoScalingGroups", {"AutoScalingGroups": [members]})
    return text.removeprefix("<AutoScalingGroups><member>").removesuffix("</member></AutoScalingGroups>")


@pytest.mark.parametrize(
    ("action", "result", "expected"),
    [
        pytest.param("SetDesiredCapacity", None, "", id="no Result element"),
        pytest.param("SetDesiredCapacity", {}, "", id="no Result element for an empty result"),
        pytest.param("PutLifecycleHook", None, "<PutLifecycleHookResult/>", id="empty Result element"),
        pytest.param("DescribeTags", {}, "<DescribeTagsResult/>", id="nothing in the result"),
        pytest.param("DescribeTags", {"Tags": []}, "<DescribeTagsResult><Tags/></DescribeTagsResult>", id="empty list"),
        pytest.param(
            "DescribeTags",
            {"Tags": [{"Key": "a", "Value": None}], "NextToken": None},
            "<DescribeTagsResult><Tags><member><Key>a</Key></member></Tags></DescribeTagsResult>",
            id="None is not there",
        ),
        pytest.param(
            "DescribeTags", {"Tags": None, "Colour": "red"}, "<DescribeTagsResult/>", id="name unknown to the model"
        ),
        pytest.param(
            "DescribeAccountLimits",
            {"MaxNumberOfAutoScalingGroups": 0},
            "<DescribeAccountLimitsResult><MaxNumberOfAutoScalingGroups>0</MaxNumberOfAutoScalingGroups>"
            "</DescribeAccountLimitsResult>",
            id="zero is there",
        ),
    ],
)
def test_an_answer_has_the_envelope_of_its_operation(action: str, result: dict[str, Any] | None, expected: str) -> None:
    """The Result element is there exactly when the model has an output."""
    assert document(action, result) == f'<{action}Response xmlns="{NAMESPACE}">{expected}{TAIL}</{action}Response>'


def test_an_answer_is_in_the_namespace_it_is_given() -> None:
    """A client of 2010 is answered in the namespace of 2010."""
    text = encode_result(
        find_operation("DeleteTags", None), None, request_id="id", namespace=model.namespace_for("2010-08-01")
    )

    assert etree.fromstring(text).tag == "{http://autoscaling.amazonaws.com/doc/2010-08-01/}DeleteTagsResponse"


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param({"MinSize": 3}, "<MinSize>3</MinSize>", id="number"),
        pytest.param({"CapacityRebalance": True}, "<CapacityRebalance>true</CapacityRebalance>", id="true"),
        pytest.param({"CapacityRebalance": False}, "<CapacityRebalance>false</CapacityRebalance>", id="false"),
        pytest.param({"Status": ""}, "<Status></Status>", id="empty text"),
        pytest.param({"LaunchTemplate": {}}, "<LaunchTemplate/>", id="empty structure"),
        pytest.param({"Tags": []}, "<Tags/>", id="empty list"),
        pytest.param(
            {"AvailabilityZones": ["a", "b"]},
            "<AvailabilityZones><member>a</member><member>b</member></AvailabilityZones>",
            id="list of texts",
        ),
        pytest.param(
            {"LaunchTemplate": {"Version": "1"}},
            "<LaunchTemplate><Version>1</Version></LaunchTemplate>",
            id="structure",
        ),
    ],
)
def test_values_are_written_as_aws_writes_them(members: dict[str, Any], expected: str) -> None:
    """Each kind of value has one spelling."""
    assert group(**members) == expected


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        pytest.param(datetime(2013, 8, 19, 20, 53, 29, 930_999, tzinfo=UTC), "2013-08-19T20:53:29.930Z", id="fraction"),
        pytest.param(datetime(2013, 8, 19, 20, 53, 29, tzinfo=UTC), "2013-08-19T20:53:29.000Z", id="whole second"),
        pytest.param(
            datetime(2013, 8, 19, 22, 53, 29, tzinfo=timezone(timedelta(hours=2))),
            "2013-08-19T20:53:29.000Z",
            id="other zone",
        ),
        pytest.param(datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000Z", id="four digits of a year"),
    ],
)
def test_moments_have_milliseconds(moment: datetime, expected: str) -> None:
    """Moments are in UTC with three digits after the second."""
    assert group(CreatedTime=moment) == f"<CreatedTime>{expected}</CreatedTime>"


def test_the_end_of_an_activity_has_whole_seconds() -> None:
    """AWS writes the start of an activity with milliseconds and its end without."""
    moment = datetime(2013, 8, 19, 20, 54, 2, 500_000, tzinfo=UTC)

    text = content("DescribeScalingActivities", {"Activities": [{"StartTime": moment, "EndTime": moment}]})

    assert "<StartTime>2013-08-19T20:54:02.500Z</StartTime><EndTime>2013-08-19T20:54:02Z</EndTime>" in text


def test_a_moment_without_zone_is_a_mistake_of_ours() -> None:
    """A naive moment would be an hour or ten wrong; it never leaves."""
    with pytest.raises(ValueError, match="no time zone"):
        group(CreatedTime=datetime(2013, 8, 19))  # noqa: DTZ001 - the naive moment is the point


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a<b>&c", "a&lt;b&gt;&amp;c", id="markup"),
        pytest.param("&amp;", "&amp;amp;", id="escaped once more"),
        pytest.param("]]>", "]]&gt;", id="end of a section"),
        pytest.param("\"quoted\" 'too'", "\"quoted\" 'too'", id="quotation marks"),
        pytest.param("a\tb\nc", "a\tb\nc", id="blanks"),
        pytest.param("a\rb", "a&#13;b", id="carriage return"),
        pytest.param("a\x00b\x1bc\ufffe\ud800", "a\ufffdb\ufffdc\ufffd\ufffd", id="not for XML"),
        pytest.param("caf\u00e9 \U0001f680 \x7f", "caf\u00e9 \U0001f680 \x7f", id="all else"),
    ],
)
def test_texts_are_escaped_everywhere(text: str, expected: str) -> None:
    """F91: a text in a structure, in a list and in an error is written so that it comes back, or is made harmless."""
    assert escape(text) == expected
    assert group(Status=text) == f"<Status>{expected}</Status>"
    assert group(AvailabilityZones=[text]) == f"<AvailabilityZones><member>{expected}</member></AvailabilityZones>"
    error = encode_error(ApiError("ValidationError", text), request_id="id", namespace=NAMESPACE)
    assert f"<Message>{expected}</Message>" in error
    etree.fromstring(error.encode())


def test_lists_unknown_to_boto_2_stand_last() -> None:
    """Even a boto 2 that hides its name reads all that stands before the first list it does not know."""
    text = group(
        TargetGroupARNs=["arn"],
        MixedInstancesPolicy={"LaunchTemplate": {"Overrides": [{"InstanceType": "a"}]}},
        Tags=[{"Key": "k"}],
        Instances=[{"InstanceId": "i-1"}],
        MinSize=1,
    )

    tags = [element.tag for element in etree.fromstring(f"<group>{text}</group>")]
    assert tags == ["Tags", "Instances", "MinSize", "TargetGroupARNs", "MixedInstancesPolicy"]


def test_fragments_are_written_as_they_are() -> None:
    """Kept members and fresh ones make the same document."""
    operation = find_operation("DescribeAutoScalingGroups", None)
    groups = [{"AutoScalingGroupName": f"a&{n}", "TargetGroupARNs": ["arn"], "Tags": []} for n in range(3)]
    for withhold in (frozenset[str](), BOTO2):
        kept = [encode_member(operation, "AutoScalingGroups", value, withhold) for value in groups]
        mixed = [kept[0], groups[1], kept[2]]

        assert all(isinstance(fragment, Fragment) for fragment in kept)
        expected = document("DescribeAutoScalingGroups", {"AutoScalingGroups": groups}, withhold)
        assert document("DescribeAutoScalingGroups", {"AutoScalingGroups": mixed}, withhold) == expected


def test_only_structures_in_lists_are_fragments() -> None:
    """A fragment of anything else is a mistake of ours."""
    with pytest.raises(TypeError, match="NextToken"):
        encode_member(find_operation("DescribeAutoScalingGroups", None), "NextToken", {})


@pytest.mark.parametrize(
    ("user_agent", "is_old"),
    [
        pytest.param("Boto/2.49.0 Python/3.8.0 Linux/5.4", True, id="boto 2.49"),
        pytest.param("Boto/2.0 (linux2)", True, id="boto 2.0"),
        pytest.param("Boto/1.9b (linux2)", True, id="boto 1.9"),
        pytest.param("Boto3/1.44.5 md/Botocore#1.44.5", False, id="boto3"),
        pytest.param("Botocore/1.44.5", False, id="botocore"),
        pytest.param("aws-cli/2.9", False, id="command line"),
        pytest.param("", False, id="empty"),
        pytest.param(None, False, id="none"),
    ],
)
def test_only_boto_2_is_spared_lists(user_agent: str | None, is_old: bool) -> None:
    """Clients that read every list get every list."""
    assert withheld_for(user_agent) == (BOTO2 if is_old else frozenset())


def test_boto_2_gets_a_group_without_what_breaks_it() -> None:
    """Boto 2 takes the first </member> in an unknown list for the end of the group, measured with 2.49."""
    result = {
        "AutoScalingGroups": [
            {
                "AutoScalingGroupName": "web",
                "TargetGroupARNs": ["arn", "arn"],
                "TrafficSources": [],
                "AvailabilityZoneIds": ["use1-az1"],
                "Tags": [{"Key": "k"}],
            }
        ]
    }

    assert content("DescribeAutoScalingGroups", result, BOTO2) == (
        "<AutoScalingGroups><member><AutoScalingGroupName>web</AutoScalingGroupName>"
        "<Tags><member><Key>k</Key></member></Tags></member></AutoScalingGroups>"
    )


@pytest.mark.parametrize(
    "name", ["TargetGroupARNs", "TrafficSources", "AvailabilityZoneIds", "StepAdjustments", "Overrides"]
)
def test_lists_that_were_seen_to_break_boto_2_are_withheld(name: str) -> None:
    """What is derived from the model contains what was measured."""
    assert name in BOTO2


def test_nothing_that_boto_2_reads_is_withheld() -> None:
    """Lists that boto 2 knows, and the lists of results whatever they are called, reach it."""
    assert not BOTO2 & BOTO2_LISTS
    assert not BOTO2 & {list_name for _, list_name in BOTO2_RECORDS}
    # "Metrics" is withheld inside policies, and is a result of this operation.
    text = content("DescribeMetricCollectionTypes", {"Metrics": [{"Metric": "GroupMinSize"}]}, BOTO2)
    assert text == "<Metrics><member><Metric>GroupMinSize</Metric></member></Metrics>"


def test_an_error_has_its_parts_in_the_order_that_old_clients_need() -> None:
    """Fog needs Code before Message; Perl's VM::EC2 looks for <ErrorResponse xmlns="http:// literally."""
    error = ApiError("ResourceContention", "busy & <so>")

    assert encode_error(error, request_id="id", namespace=NAMESPACE) == (
        f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type><Code>ResourceContention</Code>'
        "<Message>busy &amp; &lt;so&gt;</Message></Error><RequestId>id</RequestId></ErrorResponse>"
    )


def test_a_failure_of_ours_is_the_receivers() -> None:
    """Type tells whose turn it is."""
    text = encode_error(ApiError("InternalFailure", "sorry"), request_id="id", namespace=NAMESPACE)

    assert "<Type>Receiver</Type><Code>InternalFailure</Code>" in text
