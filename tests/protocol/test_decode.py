"""
How dotted names become typed parameters.

Owns: the spellings of lists, structures and scalars, good and bad. Does not own: botocore's, see test_codec_roundtrip.
"""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import decode as module
from protocol.decode import LIST_INDEX_MAX, LIST_MEMBERS_MAX, decode
from protocol.errors import ApiError
from protocol.form import find_operation


def read(action: str, form: dict[str, str]) -> dict[str, Any]:
    """Parameters of *action* in *form*."""
    return decode(find_operation(action, None), form)


def refusal(action: str, form: dict[str, str]) -> str:
    """Text of the MalformedInput with which *form* is refused."""
    with pytest.raises(ApiError) as caught:
        read(action, form)
    assert (caught.value.code, caught.value.status) == ("MalformedInput", 400)
    return caught.value.message


@pytest.mark.parametrize(
    ("form", "names"),
    [
        pytest.param({"AutoScalingGroupNames.member.1": "a"}, ["a"], id="one"),
        pytest.param(
            {f"AutoScalingGroupNames.member.{n}": str(n) for n in (10, 2, 1, 11)},
            ["1", "2", "10", "11"],
            id="10 after 2",
        ),
        pytest.param(
            {"AutoScalingGroupNames.member.7": "b", "AutoScalingGroupNames.member.3": "a"}, ["a", "b"], id="gaps"
        ),
        pytest.param({f"AutoScalingGroupNames.member.{LIST_INDEX_MAX}": "a"}, ["a"], id="highest number"),
        pytest.param({"AutoScalingGroupNames.1": "a", "AutoScalingGroupNames.2": "b"}, ["a", "b"], id="without member"),
        pytest.param({"AutoScalingGroupNames": "a"}, ["a"], id="single value of 2009"),
        pytest.param({"AutoScalingGroupNames": ""}, [], id="empty"),
        pytest.param({"AutoScalingGroupNames.member.1": ""}, [""], id="empty member"),
    ],
)
def test_lists_are_read_in_the_order_of_their_numbers(form: dict[str, str], names: list[str]) -> None:
    """Numbers order the members as numbers, whatever lies between them and however they arrive."""
    assert read("DescribeAutoScalingGroups", form) == {"AutoScalingGroupNames": names}


@pytest.mark.parametrize(
    "number",
    [
        "0",
        "-1",
        "+1",
        "01",
        "1e3",
        "1.5",
        "",
        " 1",
        "1_0",
        "x",
        "100000",
        "999999999",
        "9" * 400,
        "\u0661",
        "\u00b2",
        "\uff11",
    ],
    ids=ascii,
)
def test_positions_that_are_no_numbers_are_refused_by_name(number: str) -> None:
    """A position is a decimal number in range, spelt in one way, and nothing grows with it."""
    message = refusal("DescribeAutoScalingGroups", {f"AutoScalingGroupNames.member.{number}": "a"})

    assert message.startswith("The parameter 'AutoScalingGroupNames.member.")
    assert len(message) < 400


def test_structures_in_lists_keep_their_parts_together() -> None:
    """Parts of a member are gathered by its number, at any depth."""
    form = {
        "Filters.member.2.Name": "key",
        "Filters.member.1.Values.member.2": "b",
        "Filters.member.1.Name": "auto-scaling-group",
        "Filters.member.1.Values.member.1": "a",
        "Filters.member.2.Values": "",
    }

    assert read("DescribeTags", form) == {
        "Filters": [{"Name": "auto-scaling-group", "Values": ["a", "b"]}, {"Name": "key", "Values": []}]
    }


def test_the_one_list_with_an_item_name_is_read_by_it() -> None:
    """References travel as Reference.item.N, and under the general rule as well."""
    root = "MixedInstancesPolicy.LaunchTemplate.Overrides.member.1.InstanceRequirements.BaselinePerformanceFactors.Cpu"

    for spelling in ("item", "member"):
        params = read("CreateAutoScalingGroup", {f"{root}.Reference.{spelling}.1.InstanceFamily": "c6i"})
        override = params["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"][0]
        factors = override["InstanceRequirements"]["BaselinePerformanceFactors"]
        assert factors == {"Cpu": {"References": [{"InstanceFamily": "c6i"}]}}


@pytest.mark.parametrize(
    ("form", "params"),
    [
        pytest.param({"LaunchTemplate": ""}, {"LaunchTemplate": {}}, id="empty structure"),
        pytest.param({"Tags.member.1": ""}, {"Tags": [{}]}, id="empty structure in a list"),
        pytest.param(
            {"LaunchConfigurationName": "None"}, {"LaunchConfigurationName": "None"}, id="boto 2's None is a text"
        ),
        pytest.param({"Filter.1.Name": "x", "Version": "y", "minsize": "z"}, {}, id="unknown parameters"),
        pytest.param({"LaunchTemplate.Colour.1": "x"}, {"LaunchTemplate": {}}, id="unknown member of a structure"),
    ],
)
def test_what_has_no_value_is_read_as_nothing_more(form: dict[str, str], params: dict[str, Any]) -> None:
    """Emptiness is kept as it was sent, and what the operation does not know is ignored."""
    assert read("CreateAutoScalingGroup", form) == params


@pytest.mark.parametrize(
    ("form", "part"),
    [
        pytest.param({"Tags": "", "Tags.member.1.Key": "k"}, "'Tags", id="list both empty and not"),
        pytest.param({"Tags.member.1.Key": "k", "Tags": "x"}, "'Tags'", id="list after its members"),
        pytest.param(
            {"LaunchTemplate": "x", "LaunchTemplate.Version": "1"}, "'LaunchTemplate.Version'", id="structure"
        ),
        pytest.param({"Tags.member.1": "x", "Tags.member.1.Key": "k"}, "'Tags.member.1.Key'", id="member"),
        pytest.param({"Tags.member.1.Key": "k", "Tags.1.Key": "k"}, "'Tags'", id="two spellings of a list"),
        pytest.param({"MinSize.member.1": "1"}, "'MinSize'", id="members of a number"),
        pytest.param({"LaunchTemplate": "x"}, "'LaunchTemplate'", id="text for a structure"),
        pytest.param({"Tags": "x"}, "'Tags'", id="text for a list of structures"),
        pytest.param({"Tags.member.1": "x"}, "'Tags.member.1'", id="text for a member"),
        pytest.param({"AvailabilityZones.member": "x"}, "'AvailabilityZones.member'", id="no number"),
        pytest.param({"AvailabilityZones.member.1.Name": "x"}, "'AvailabilityZones.member.1'", id="member of a text"),
        pytest.param({"AvailabilityZones.x.1": "x"}, "'AvailabilityZones.x'", id="word for a number"),
    ],
)
def test_names_that_contradict_each_other_are_refused(form: dict[str, str], part: str) -> None:
    """Where two readings are possible the client is told which parameter is unclear."""
    assert part in refusal("CreateAutoScalingGroup", form)


def test_a_list_has_a_longest_length() -> None:
    """F81: as many members as the limit are read, one more is refused."""
    form = {f"AutoScalingGroupNames.member.{n}": "x" for n in range(1, LIST_MEMBERS_MAX + 2)}

    assert str(LIST_MEMBERS_MAX) in refusal("DescribeAutoScalingGroups", form)
    del form["AutoScalingGroupNames.member.1"]
    assert len(read("DescribeAutoScalingGroups", form)["AutoScalingGroupNames"]) == LIST_MEMBERS_MAX


def test_reading_takes_time_in_proportion_to_the_form() -> None:
    """F81 F82: deep and wide names cost as much as their characters: 2,500 of them are read within a blink."""
    deep = ".".join(["Tags"] + ["member"] * 30)
    form = {f"{deep}.{n}": "x" for n in range(2_500)}
    began = time.process_time()

    refusal("CreateAutoScalingGroup", form)

    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("true", True, id="true"),
        pytest.param("false", False, id="false"),
        pytest.param("True", True, id="python"),
        pytest.param("FALSE", False, id="shouting"),
        pytest.param('"True"', True, id="quoted by boto 2.6"),
        pytest.param('"false"', False, id="quoted false"),
    ],
)
def test_truth_is_read_in_every_spelling_of_clients(text: str, value: bool) -> None:
    """Case and boto 2.6's quotation marks do not matter."""
    assert read("SetDesiredCapacity", {"HonorCooldown": text}) == {"HonorCooldown": value}


@pytest.mark.parametrize(
    "text", ["", "1", "0", "yes", '"', '""', '"true', " true", "'true'", "None", "\uff54rue"], ids=ascii
)
def test_other_words_are_no_truth(text: str) -> None:
    """A word that is neither true nor false is refused instead of being taken for false."""
    assert "'HonorCooldown' must be true or false" in refusal("SetDesiredCapacity", {"HonorCooldown": text})


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("007", 7), ("-1", -1), ("+5", 5), ("2147483647", 2**31 - 1), ("-2147483648", -(2**31))],
)
def test_whole_numbers_are_decimal(text: str, value: int) -> None:
    """Digits with an optional sign, within 32 bits."""
    assert read("SetDesiredCapacity", {"DesiredCapacity": text}) == {"DesiredCapacity": value}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "1.0",
        "1e3",
        "0x10",
        "1_000",
        " 1",
        "1\n",
        "--1",
        "+",
        "None",
        "2147483648",
        "-2147483649",
        "9" * 5000,
        "\u0663",
        "\u00b2",
        "\uff11",
        "NaN",
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_other_texts_are_no_whole_numbers(text: str) -> None:
    """F82: whatever else int() might accept or choke on is refused by name, with its text cut short."""
    message = refusal("SetDesiredCapacity", {"DesiredCapacity": text})

    assert message.startswith("The parameter 'DesiredCapacity' must be a whole number of 32 bits, not '")
    assert len(message) < 200


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1.0), ("-0.5", -0.5), (".5", 0.5), ("5.", 5.0), ("1e308", 1e308), ("5e-324", 5e-324), ("1E+2", 100.0)],
)
def test_numbers_with_fractions_are_read(text: str, value: float) -> None:
    """Every spelling that clients print for a finite double."""
    assert read("ExecutePolicy", {"MetricValue": text}) == {"MetricValue": value}


@pytest.mark.parametrize(
    "text",
    ["", ".", "NaN", "inf", "-Infinity", "1e999", "1_0", "0x1p3", " 1", "1" * 65, "\u0661", "1e99999"],
    ids=ascii,
)
def test_other_texts_are_no_numbers(text: str) -> None:
    """F82: neither infinity nor NaN gets in, in no spelling: every later comparison would lie."""
    assert "'MetricValue' must be a finite decimal number" in refusal("ExecutePolicy", {"MetricValue": text})


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        pytest.param("2013-08-19T20:53:29Z", datetime(2013, 8, 19, 20, 53, 29, tzinfo=UTC), id="seconds"),
        pytest.param(
            "2013-08-19T20:53:29.930Z", datetime(2013, 8, 19, 20, 53, 29, 930_000, tzinfo=UTC), id="milliseconds"
        ),
        pytest.param(
            "2013-08-19T20:53:29.1234567Z", datetime(2013, 8, 19, 20, 53, 29, 123_456, tzinfo=UTC), id="finer"
        ),
        pytest.param("2013-08-19T20:53:29", datetime(2013, 8, 19, 20, 53, 29, tzinfo=UTC), id="boto 2 names no zone"),
        pytest.param("2013-08-19T22:53:29+02:00", datetime(2013, 8, 19, 20, 53, 29, tzinfo=UTC), id="offset"),
        pytest.param("2013-08-19T22:53+0200", datetime(2013, 8, 19, 20, 53, tzinfo=UTC), id="minutes"),
        pytest.param("2013-08-19", datetime(2013, 8, 19, tzinfo=UTC), id="day"),
        pytest.param("2013-08-19 20:53:29", datetime(2013, 8, 19, 20, 53, 29, tzinfo=UTC), id="blank"),
        pytest.param("1376945609", datetime(2013, 8, 19, 20, 53, 29, tzinfo=UTC), id="epoch"),
        pytest.param("1376945609.25", datetime(2013, 8, 19, 20, 53, 29, 250_000, tzinfo=UTC), id="epoch with fraction"),
        pytest.param("0", datetime(1970, 1, 1, tzinfo=UTC), id="zero"),
    ],
)
def test_moments_are_read_in_utc(text: str, moment: datetime) -> None:
    """ISO 8601 and seconds since 1970 give the same aware moment."""
    params = read("PutScheduledUpdateGroupAction", {"StartTime": text})

    assert params == {"StartTime": moment}
    assert params["StartTime"].utcoffset().total_seconds() == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2013-02-30T00:00:00Z",
        "2013-08-19T25:00:00Z",
        "2013-W34-1",
        "2013-08-19T20:53:29 UTC",
        "1e300",
        "inf",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2013-08-19T20:53:29." + "0" * 99 + "Z",
        "\u0662013-08-19",
    ],
    ids=ascii,
)
def test_other_texts_are_no_moments(text: str) -> None:
    """Days that do not exist, other calendars and moments beyond the calendar are refused by name."""
    assert "'StartTime' must be a time" in refusal("PutScheduledUpdateGroupAction", {"StartTime": text})


def test_the_refused_parameter_is_named_as_the_client_wrote_it() -> None:
    """The message leads to the parameter, deep in a list without the word member as well."""
    form = {"Tags.3.Key": "k", "Tags.3.PropagateAtLaunch": "maybe"}

    assert refusal("CreateOrUpdateTags", form).startswith(
        "The parameter 'Tags.3.PropagateAtLaunch' must be true or false"
    )


def test_an_operation_without_parameters_reads_none() -> None:
    """Nothing is read for an operation that takes nothing."""
    assert read("DescribeAccountLimits", {"Action": "DescribeAccountLimits", "Tags.member.1.Key": "k"}) == {}


def test_the_longest_integer_of_64_bits_is_read() -> None:
    """The model has no 64-bit numbers today; the reader for them has their full range."""
    assert module._integer(str(2**63 - 1), 2**63) == 2**63 - 1
    assert module._integer(str(-(2**63)), 2**63) == -(2**63)
    assert module._integer(str(2**63), 2**63) is None


@given(
    st.dictionaries(
        st.lists(st.sampled_from(["Tags", "member", "1", "2", "0", "Key", "", "MinSize", "x"]), max_size=5).map(
            ".".join
        ),
        st.sampled_from(["", "x", "1"]),
    )
)
def test_no_form_makes_the_reader_fail(form: dict[str, str]) -> None:
    """Whatever the names are, they are read or refused with an error for the client."""
    try:
        params = read("CreateAutoScalingGroup", form)
    except ApiError:
        return
    assert set(params) <= {"Tags", "MinSize"}
