"""Launch configurations of the JSON API: made, read, replaced, deleted, and refused."""

from typing import Any

import pytest

from phantom_gateway.config import Limits
from tests.phantom_gateway.http_api.counter import Counter
from tests.phantom_gateway.office import Office

PATH = "/launchconfigurations"


def params(rank: int = 1, **more: Any) -> dict[str, Any]:
    """What a cloud needs."""
    return {"image_id": "hello", "instance_type": "m1.small", "max_vms": -1, "common": True, "rank": rank, **more}


def given(name: str = "web", clouds: tuple[str, ...] = ("hotel", "sierra"), **more: Any) -> dict[str, Any]:
    """A launch configuration on *clouds*, best first."""
    return {"name": name, "cloud_params": {c: params(at) for at, c in enumerate(clouds, start=1)}, **more}


async def make(counter: Counter, **more: Any) -> dict[str, Any]:
    """The launch configuration made of ``given(**more)``."""
    reply = await counter.call("POST", PATH, given(**more))
    assert reply.status == 201, reply.text
    return dict(reply.json)


async def test_what_was_made_is_read(counter: Counter) -> None:
    """A POST answers 201 with the whole and its address; GET shows the same, alone and in the list."""
    body = given(appliance="hello", description="says hello")
    body["cloud_params"]["sierra"]["max_vms"] = "4"
    reply = await counter.call("POST", PATH, body)

    assert reply.status == 201
    uid = reply.json["id"]
    assert reply.json == {
        "id": uid,
        "name": "web",
        "owner": "alice",
        "uri": f"/api/dev/launchconfigurations/{uid}",
        "cloud_params": {"hotel": params(1), "sierra": params(2, max_vms=4)},
        "appliance": "hello",
        "public": False,
        "description": "says hello",
        "contextualization_method": "none",
    }
    assert reply.headers["Location"].endswith(reply.json["uri"])
    assert reply.headers["Location"].startswith("http://127.0.0.1:")
    assert (await counter.call("GET", f"{PATH}/{uid}")).json == reply.json
    assert (await counter.call("GET", PATH)).json == [reply.json]


async def test_a_second_of_the_same_name_is_a_redirect_to_the_first(counter: Counter) -> None:
    """302 with an absolute Location and no body, as the original's tests hold; nothing is changed."""
    first = await make(counter)

    reply = await counter.call("POST", PATH, given(clouds=("sierra",)))

    assert (reply.status, reply.text) == (302, "")
    assert reply.headers["Location"].startswith("http://")
    assert reply.headers["Location"].endswith(first["uri"])
    assert (await counter.call("GET", PATH)).json == [first]


async def test_gaps_in_ranks_are_closed(counter: Counter) -> None:
    """Ranks order the clouds; in the original a gap meant that nothing ever started."""
    body = given()
    body["cloud_params"]["hotel"]["rank"] = 9
    body["cloud_params"]["sierra"]["rank"] = "3"

    made = (await counter.call("POST", PATH, body)).json

    assert {cloud: share["rank"] for cloud, share in made["cloud_params"].items()} == {"sierra": 1, "hotel": 2}


def without(name: str, inside: str = "") -> dict[str, Any]:
    """A body that lacks a field."""
    body = given()
    target = body["cloud_params"][inside] if inside else body
    del target[name]
    return body


def with_share(**more: Any) -> dict[str, Any]:
    """A body whose first cloud has these, too."""
    body = given()
    body["cloud_params"]["hotel"] |= more
    return body


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(without("name"), "Mandatory parameter 'name' is missing", id="no name"),
        pytest.param(without("cloud_params"), "'cloud_params' is missing", id="no clouds"),
        pytest.param(without("rank", "hotel"), "'rank' is missing in cloud_params.hotel", id="no rank"),
        pytest.param(given(clouds=()), "cloud_params must have at least 1", id="not one cloud"),
        pytest.param(given(clouds=("nowhere",)), "there is no cloud called nowhere", id="unknown cloud"),
        pytest.param(given("a@b"), "name isn't acceptable", id="a name with an at sign"),
        pytest.param(given(" web"), "blanks, none of them at its ends", id="a blank before"),
        pytest.param(given("w" * 250), "name is too long", id="a name too long for AWS clients"),
        pytest.param(with_share(rank="first"), "cloud_params.hotel.rank", id="a rank in words"),
        pytest.param(with_share(rank=True), "cloud_params.hotel.rank", id="a rank that is true"),
        pytest.param(with_share(max_vms=-2), "cloud_params.hotel.max_vms must be at least -1", id="max_vms below -1"),
        pytest.param(with_share(max_vms="99999"), "max_vms must be from -1 to 32000", id="max_vms too large"),
        pytest.param(with_share(image_id=""), "cloud_params.hotel.image_id", id="no image"),
        pytest.param(with_share(image_id="a\x01b"), "cloud_params.hotel.image_id", id="what XML cannot hold"),
        pytest.param(with_share(common="yes"), "cloud_params.hotel.common", id="common in words"),
        pytest.param(given(contextualization_method="magic"), "contextualization_method", id="unknown method"),
        pytest.param(given(contextualization_method="user_data"), "user_data is missing", id="no user data"),
        pytest.param(given(contextualization_method="chef"), "chef_runlist is missing", id="no run list"),
        pytest.param(
            given(contextualization_method="none", user_data="x"),
            "is 'none', but you have provided user_data",
            id="none",
        ),
        pytest.param(given(user_data="x", run_list=["a"]), "but you have provided user_data", id="both"),
        pytest.param(given(user_data="x" * 16_385), "user_data has 16385 bytes and may have 16384", id="too much"),
        pytest.param(given(user_data={"alamo": "x"}), "user_data names alamo", id="user data of another cloud"),
        pytest.param(given(user_data_base64="!"), "user_data_base64 is not base64", id="not base64"),
        pytest.param(given(run_list='["a"'), "run_list is a text that is no JSON", id="broken run list"),
        pytest.param(given(run_list='["a b"]'), "run_list.0 must be recipe[NAME]", id="a run list with a blank"),
        pytest.param(given(run_list=["$(reboot)"]), "run_list.0 isn't acceptable", id="a run list with a command"),
        pytest.param(given(run_list=["a"], attributes="[1]"), "attributes must be an object", id="attributes, a list"),
        pytest.param(given(run_list=["a"], chef_runlist=["b"]), "do not agree", id="two run lists"),
        pytest.param(given(run_list=["a"], attributes={"k": "x" * 13_000}), "may have 12288", id="large attributes"),
    ],
)
async def test_what_breaks_a_rule_is_refused(counter: Counter, body: dict[str, Any], words: str) -> None:
    """400, the field and the rule, and nothing is stored; the original kept half of it after a 500."""
    reply = await counter.call("POST", PATH, body)

    assert reply.status == 400
    assert words in reply.json["message"]
    assert (await counter.call("GET", PATH)).json == []


async def test_what_scripts_send_besides_is_ignored(counter: Counter) -> None:
    """The published scripts put user data into a cloud's entry, where the original never looked."""
    body = given()
    body["cloud_params"]["hotel"]["user_data"] = None
    body["extra"] = 1

    assert (await counter.call("POST", PATH, body)).status == 201


@pytest.mark.parametrize(
    ("context", "shown"),
    [
        pytest.param({}, {"contextualization_method": "none"}, id="nothing"),
        pytest.param({"contextualization_method": None}, {"contextualization_method": "none"}, id="null"),
        pytest.param({"contextualization_method": "None"}, {"contextualization_method": "none"}, id="the original's"),
        pytest.param(
            {"user_data": "#!/bin/sh\necho ü"},
            {"contextualization_method": "user_data", "user_data": "#!/bin/sh\necho ü"},
            id="text without a method",
        ),
        pytest.param(
            {"contextualization_method": "user_data", "user_data": {"sierra": "s", "hotel": None}},
            {"contextualization_method": "user_data", "user_data": {"sierra": "s"}},
            id="one cloud's",
        ),
        pytest.param(
            {"user_data": {"sierra": "x", "hotel": "x"}},
            {"contextualization_method": "user_data", "user_data": "x"},
            id="the same for each",
        ),
        pytest.param(
            {"user_data_base64": "/wA="},
            {"contextualization_method": "user_data", "user_data_base64": "/wA="},
            id="bytes",
        ),
        pytest.param(
            {"contextualization_method": "chef", "chef_runlist": '["base_image"]', "chef_attributes": "{}"},
            {
                "contextualization_method": "chef",
                "chef_runlist": ["base_image"],
                "run_list": ["base_image"],
                "chef_attributes": {},
                "attributes": {},
            },
            id="chef, as scripts send it",
        ),
        pytest.param(
            {"run_list": ["role[web]", "recipe[a::b@1.0]"], "attributes": {"a": 1.5}, "chef_license": "accept"},
            {
                "contextualization_method": "chef",
                "chef_runlist": ["role[web]", "recipe[a::b@1.0]"],
                "run_list": ["role[web]", "recipe[a::b@1.0]"],
                "chef_attributes": {"a": 1.5},
                "attributes": {"a": 1.5},
                "chef_license": "accept",
            },
            id="chef, as the documents say",
        ),
    ],
)
async def test_contextualization_in_every_spelling(
    counter: Counter, context: dict[str, Any], shown: dict[str, Any]
) -> None:
    """Both spellings, as text or as JSON, are taken; GET answers both, decoded."""
    made = await make(counter, **context)

    fields = ("contextualization_method", "user_data", "user_data_base64", "chef_license")
    spellings = ("chef_runlist", "run_list", "chef_attributes", "attributes")
    assert {name: made[name] for name in (*fields, *spellings) if name in made} == shown
    assert (await counter.call("GET", f"{PATH}/{made['id']}")).json == made


async def test_put_replaces_the_whole(counter: Counter) -> None:
    """What is left out is gone: a cloud, the user data, the description. The original kept clouds."""
    made = await make(counter, user_data="x", description="old", appliance="a")

    reply = await counter.call("PUT", f"{PATH}/{made['id']}", given(clouds=("sierra",)))

    assert reply.status == 200
    assert reply.json["cloud_params"] == {"sierra": params(1)}
    assert (reply.json["description"], reply.json["appliance"]) == (None, None)
    assert reply.json["contextualization_method"] == "none"
    assert (await counter.call("GET", f"{PATH}/{made['id']}")).json == reply.json


@pytest.mark.parametrize("name", ["chef_runlist", "run_list"])
async def test_of_two_spellings_the_changed_one_counts(counter: Counter, name: str) -> None:
    """A client that sends back what it got, with one spelling changed, has changed it."""
    made = await make(counter, run_list=["a"], attributes={"k": 1})

    reply = await counter.call("PUT", f"{PATH}/{made['id']}", made | {name: ["a", "b"]})

    assert reply.json["chef_runlist"] == reply.json["run_list"] == ["a", "b"]
    assert reply.json["attributes"] == {"k": 1}


async def test_another_users_is_not_there(counter: Counter) -> None:
    """Reading, replacing and deleting it are all 404, and it stays as it is; the original let anybody overwrite it."""
    made = await make(counter)
    bob = counter.office.add_user("bob", "AKIABOBBOBBOBBOBBOB1", "222222222222")

    replies = [
        await counter.call(method, f"{PATH}/{made['id']}", body, user=bob)
        for method, body in (("GET", None), ("PUT", given("mine")), ("DELETE", None))
    ]

    assert [reply.status for reply in replies] == [404, 404, 404]
    assert (await counter.call("GET", PATH, user=bob)).json == []
    assert (await counter.call("GET", PATH)).json == [made]


async def test_a_shared_one_is_read_by_all_and_changed_by_its_owner(counter: Counter) -> None:
    """``?public=true`` lists what users share, with owner and description; only the owner replaces it."""
    made = await make(counter, name="shared", public=True, description="for all", user_data="x")
    await make(counter, name="own")
    bob = counter.office.add_user("bob", "AKIABOBBOBBOBBOBBOB1", "222222222222")

    assert (await counter.call("GET", f"{PATH}?public=TRUE", user=bob)).json == [made]
    assert (await counter.call("GET", f"{PATH}/{made['id']}", user=bob)).json == made
    assert (await counter.call("PUT", f"{PATH}/{made['id']}", made, user=bob)).status == 404
    imported = await counter.call("POST", PATH, made | {"name": "imported"}, user=bob)
    assert (imported.status, imported.json["owner"]) == (201, "bob")


async def test_a_name_may_change_and_is_taken_once(counter: Counter) -> None:
    """PUT renames; a name that another one has is 409, and nothing is changed."""
    made = await make(counter)
    await make(counter, name="other")

    taken = await counter.call("PUT", f"{PATH}/{made['id']}", made | {"name": "other"})
    renamed = await counter.call("PUT", f"{PATH}/{made['id']}", made | {"name": "site 2"})

    assert (taken.status, taken.json["error"]) == (409, "Conflict")
    assert renamed.json == made | {"name": "site 2"}


async def test_a_deleted_one_is_gone(counter: Counter) -> None:
    """204 without a body, then 404."""
    made = await make(counter)

    reply = await counter.call("DELETE", f"{PATH}/{made['id']}")

    assert (reply.status, reply.text) == (204, "")
    assert (await counter.call("GET", f"{PATH}/{made['id']}")).status == 404
    assert (await counter.call("DELETE", f"{PATH}/{made['id']}")).json["error"] == "NotFound"


async def test_the_operators_ceiling_counts_clouds(office: Office, counter: Counter) -> None:
    """As in the AWS API, each cloud's share is one launch configuration."""
    object.__setattr__(office.house, "limits", Limits(launch_configurations_max=3))
    made = await make(counter)

    assert (await counter.call("POST", PATH, given("two"))).json["error"] == "LimitExceeded"
    assert (await counter.call("POST", PATH, given("one", clouds=("hotel",)))).status == 201
    assert (await counter.call("PUT", f"{PATH}/{made['id']}", made)).status == 200
