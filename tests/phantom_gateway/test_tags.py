"""Tags of groups."""

from typing import Any

import pytest

from protocol.errors import ApiError
from tests.phantom_gateway.office import Office


def tag(key: str, value: str = "v", group: str = "web", **more: Any) -> dict[str, Any]:
    """A tag as clients send it."""
    return {"ResourceId": group, "ResourceType": "auto-scaling-group", "Key": key, "Value": value, **more}


@pytest.fixture
def tagged(office: Office) -> Office:
    """Two groups: "web" with tags a=1 and b=2 (propagated), "db" with a=3."""
    office.create_launch_configuration()
    office.create_group("web", Tags=[{"Key": "b", "Value": "2", "PropagateAtLaunch": True}])
    office.create_group("db")
    office.call("CreateOrUpdateTags", Tags=[tag("a", "1"), tag("a", "3", "db")])
    return office


def keys(office: Office, **params: Any) -> list[tuple[str, str]]:
    """(group, key) of the tags described."""
    return [(each["ResourceId"], each["Key"]) for each in office.call("DescribeTags", **params)["Tags"]]


def test_tags_are_listed_by_group_and_key(tagged: Office) -> None:
    """All tags of all groups, in order, page by page."""
    everything = [("db", "a"), ("web", "a"), ("web", "b")]
    first = tagged.call("DescribeTags", MaxRecords=2)

    assert keys(tagged) == everything
    assert [(each["ResourceId"], each["Key"]) for each in first["Tags"]] == everything[:2]
    assert keys(tagged, MaxRecords=2, NextToken=first["NextToken"]) == everything[2:]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        pytest.param([("auto-scaling-group", ["web"])], [("web", "a"), ("web", "b")], id="group"),
        pytest.param([("key", ["a"])], [("db", "a"), ("web", "a")], id="key"),
        pytest.param([("key", ["a", "b"]), ("value", ["2"])], [("web", "b")], id="key and value"),
        pytest.param([("propagate-at-launch", ["TRUE"])], [("web", "b")], id="propagated, any case"),
        pytest.param([("auto-scaling-group", ["nope"])], [], id="nothing"),
    ],
)
def test_filters_narrow(tagged: Office, filters: list[tuple[str, list[str]]], found: list[tuple[str, str]]) -> None:
    """Values of one filter are alternatives, filters narrow one another."""
    assert keys(tagged, Filters=[{"Name": name, "Values": values} for name, values in filters]) == found


def test_an_unknown_filter_is_refused(tagged: Office) -> None:
    """The error lists the filters there are."""
    with pytest.raises(ApiError, match="auto-scaling-group key value propagate-at-launch"):
        tagged.call("DescribeTags", Filters=[{"Name": "colour", "Values": ["red"]}])


def test_a_tag_is_replaced_by_one_with_the_same_key(tagged: Office) -> None:
    """Value and propagation are the new ones."""
    tagged.call("CreateOrUpdateTags", Tags=[tag("b", "9", PropagateAtLaunch=False)])

    assert [(each["Key"], each["Value"], each["PropagateAtLaunch"]) for each in tagged.group()["Tags"]] == [
        ("a", "1", False),
        ("b", "9", False),
    ]


def test_a_tag_is_deleted_only_with_its_own_value(tagged: Office) -> None:
    """Without a value the key is enough; with another value the tag stays; unknown keys are no error."""
    tagged.call("DeleteTags", Tags=[tag("b", "not 2"), tag("unknown")])
    assert keys(tagged, Filters=[{"Name": "key", "Values": ["b"]}]) == [("web", "b")]

    tagged.call("DeleteTags", Tags=[{"ResourceId": "web", "ResourceType": "auto-scaling-group", "Key": "b"}])
    assert keys(tagged) == [("db", "a"), ("web", "a")]


@pytest.mark.parametrize(
    ("tags", "code", "words"),
    [
        pytest.param([tag("a", group="nope")], "ValidationError", "AutoScalingGroup 'nope' not found", id="no group"),
        pytest.param([tag("AWS:x")], "ValidationError", "reserved", id="reserved"),
        pytest.param([tag("c"), tag("c")], "ValidationError", "twice", id="twice"),
        pytest.param([tag("c", ResourceType="instance")], "ValidationError", "auto-scaling-group", id="type"),
        pytest.param([{"Key": "c"}], "ValidationError", "names the group", id="no resource"),
        pytest.param([tag(f"k{n}") for n in range(49)], "LimitExceeded", "50 tags", id="too many"),
    ],
)
def test_wrong_tags_are_refused_as_a_whole(tagged: Office, tags: list[dict[str, Any]], code: str, words: str) -> None:
    """Nothing of a refused call is kept."""
    before = keys(tagged)

    with pytest.raises(ApiError) as caught:
        tagged.call("CreateOrUpdateTags", Tags=tags)

    assert caught.value.code == code
    assert words in caught.value.message
    assert keys(tagged) == before
