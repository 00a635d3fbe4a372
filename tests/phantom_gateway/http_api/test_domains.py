"""Domains of the JSON API: made, read, replaced, deleted, and refused."""

from typing import Any

import pytest

from protocol.errors import ApiError
from tests.phantom_gateway.http_api.counter import Counter
from tests.phantom_gateway.http_api.test_launch_configurations import given as launch
from tests.phantom_gateway.http_api.test_launch_configurations import make as make_launch
from tests.phantom_gateway.office import Office

SENSOR = {
    "de_name": "sensor",
    "sensor_metric": "proc.loadavg.1min",
    "sensor_cooldown": 60,
    "sensor_minimum_vms": 1,
    "sensor_maximum_vms": 10,
    "sensor_scale_up_threshold": 2.5,
    "sensor_scale_up_vms": 2,
    "sensor_scale_down_threshold": 0.5,
    "sensor_scale_down_vms": 1,
}


def given(**more: Any) -> dict[str, Any]:
    """A domain of three VMs."""
    return {"name": "d", "de_name": "multicloud", "lc_name": "web", "vm_count": 3, **more}


def sensor(**more: Any) -> dict[str, Any]:
    """A domain driven by a sensor."""
    return {"name": "d", "lc_name": "web", **SENSOR, **more}


async def make(counter: Counter, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The domain made of *body*; its launch configuration, too, when there is none."""
    if not (await counter.call("GET", "/launchconfigurations")).json:
        await make_launch(counter)
    reply = await counter.call("POST", "/domains", body or given())
    assert reply.status == 201, reply.text
    return dict(reply.json)


async def put(counter: Counter, domain: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What *domain* is after a PUT of it with *more*."""
    reply = await counter.call("PUT", f"/domains/{domain['id']}", {**domain, **more})
    assert reply.status == 200, reply.text
    return dict(reply.json)


def bounds(office: Office, name: str = "d") -> tuple[int, int, int]:
    """Minimum, desired and maximum, as AWS clients see them."""
    group = office.group(name)
    return group["MinSize"], group["DesiredCapacity"], group["MaxSize"]


def tags(office: Office, name: str = "d") -> dict[str, str]:
    """The tags, as AWS clients see them."""
    return {tag["Key"]: tag["Value"] for tag in office.group(name)["Tags"]}


async def test_what_was_made_is_read(counter: Counter) -> None:
    """A POST answers 201 with the whole, in both spellings; GET shows the same, alone and in the list; it is awake."""
    domain = await make(counter)
    (base,) = (await counter.call("GET", "/launchconfigurations")).json

    assert domain == {
        "id": counter.office.uid("d"),
        "name": "d",
        "owner": "alice",
        "uri": f"/api/dev/domains/{domain['id']}",
        "de_name": "multicloud",
        "lc_name": "web",
        "launchconfiguration": base["uri"],
        "clouds": [{"site_name": "hotel", "rank": 1, "size": -1}, {"site_name": "sierra", "rank": 2, "size": -1}],
        "deleting": False,
        "sensor_data": {},
        "monitor_sensors": "",
        "monitor_domain_sensors": "",
        "vm_count": 3,
    }
    assert (await counter.call("GET", f"/domains/{domain['id']}")).json == domain
    assert (await counter.call("GET", "/domains")).json == [domain]
    assert set(counter.woken) == {domain["id"]}


async def test_a_domain_of_the_json_api_is_a_group_of_phantoms_dialect(counter: Counter) -> None:
    """AWS clients see the same tags that groups of the published scripts have, and all bounds at the number of VMs."""
    await make(counter)

    assert bounds(counter.office) == (3, 3, 3)
    assert tags(counter.office) == {
        "PHANTOM_DEFINITION": "error_overflow_n_preserving",
        "phantom_de_name": "multicloud",
    }
    assert counter.office.group("d")["LaunchConfigurationName"] == "web@hotel"
    assert counter.office.group("d")["AvailabilityZones"] == ["hotel", "sierra"]


async def test_a_sensor_domain_keeps_its_policy_as_tags(counter: Counter) -> None:
    """It begins with its minimum; its fields come back as numbers, whether they were sent as numbers or as texts."""
    numbers = {name: str(value) for name, value in SENSOR.items()}
    domain = await make(counter, sensor(**numbers, monitor_sensors="a,b", monitor_domain_sensors="queue"))

    assert {name: domain[name] for name in SENSOR} == SENSOR
    assert "vm_count" not in domain
    assert bounds(counter.office) == (1, 1, 10)
    assert tags(counter.office) == {
        "PHANTOM_DEFINITION": "error_overflow_n_preserving",
        "phantom_de_name": "sensor",
        "metric": "proc.loadavg.1min",
        "cooldown_period": "60",
        "scale_up_threshold": "2.5",
        "scale_up_n_vms": "2",
        "scale_down_threshold": "0.5",
        "scale_down_n_vms": "1",
        "monitor_sensors": "a,b",
        "monitor_domain_sensors": "queue",
    }


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param({"de_name": "multicloud", "lc_name": "web", "vm_count": 1}, "'name' is missing", id="no name"),
        pytest.param(given(lc_name=None), "'lc_name' is missing", id="no launch configuration"),
        pytest.param(given(lc_name="x"), "No launch configuration named x. Can't make domain", id="an unknown one"),
        pytest.param(given(de_name="magic"), "de_name", id="unknown engine"),
        pytest.param({"name": "d", "de_name": "multicloud", "lc_name": "web"}, "'vm_count' is missing", id="no count"),
        pytest.param(given(vm_count=-1), "vm_count must be at least 0", id="fewer than none"),
        pytest.param(given(vm_count="many"), "vm_count", id="a count in words"),
        pytest.param(given(vm_count=2.5), "vm_count", id="half a VM"),
        pytest.param(given(vm_count=101), "above 100, the operator's ceiling for one group", id="the ceiling"),
        pytest.param(given(name="a:b"), "no colons", id="a colon in the name"),
        pytest.param(given(name="ü"), "name 'ü' may hold printable ASCII", id="a name that is not ASCII"),
        pytest.param(given(name=" d"), "no blanks at its ends", id="a blank before"),
        pytest.param(sensor(sensor_minimum_vms=11), "must not be greater than sensor_maximum_vms, 10", id="bounds"),
        pytest.param(sensor(sensor_scale_up_threshold="high"), "sensor_scale_up_threshold", id="a threshold in words"),
        pytest.param(sensor(sensor_scale_up_threshold="1e999"), "a number that is not too large", id="infinity"),
        pytest.param(sensor(sensor_cooldown=-1), "sensor_cooldown must be at least 0", id="a negative cooldown"),
        pytest.param(sensor(monitor_sensors="x" * 257), "monitor_sensors must have at most 256", id="a long list"),
        *(
            pytest.param({k: v for k, v in sensor().items() if k != name}, f"'{name}' is missing", id=f"no {name}")
            for name in SENSOR
        ),
    ],
)
async def test_what_breaks_a_rule_is_refused(counter: Counter, body: dict[str, Any], words: str) -> None:
    """400, the field and the rule, and there is no domain afterwards."""
    await make_launch(counter)

    reply = await counter.call("POST", "/domains", body)

    assert reply.status == 400
    assert words in reply.json["message"]
    assert (await counter.call("GET", "/domains")).json == []
    assert counter.woken == []


async def test_a_second_of_the_same_name_is_a_redirect_to_the_first(counter: Counter) -> None:
    """302 with an absolute Location; the first stays as it is."""
    domain = await make(counter)

    reply = await counter.call("POST", "/domains", given(vm_count=9))

    assert (reply.status, reply.text) == (302, "")
    assert reply.headers["Location"].endswith(domain["uri"])
    assert reply.headers["Location"].startswith("http://")
    assert bounds(counter.office) == (3, 3, 3)


async def test_put_sets_the_number_of_vms(counter: Counter) -> None:
    """All three bounds follow, and the group is looked after at once."""
    domain = await make(counter)
    counter.woken.clear()

    assert (await put(counter, domain, vm_count="4"))["vm_count"] == 4
    assert bounds(counter.office) == (4, 4, 4)
    assert counter.woken == [domain["id"]]


async def test_put_switches_the_engine_there_and_back(counter: Counter) -> None:
    """The tags of a sensor come and go; the number of VMs moves into the bounds of the sensor and stays there."""
    domain = await make(counter)

    driven = await put(counter, domain, **SENSOR | {"sensor_maximum_vms": 2})
    assert (driven["de_name"], "vm_count" in driven) == ("sensor", False)
    assert bounds(counter.office) == (1, 2, 2)
    assert tags(counter.office)["metric"] == "proc.loadavg.1min"

    kept = await put(counter, driven, de_name="multicloud", vm_count=2)
    assert (kept["vm_count"], "sensor_metric" in kept) == (2, False)
    assert bounds(counter.office) == (2, 2, 2)
    assert tags(counter.office) == {
        "PHANTOM_DEFINITION": "error_overflow_n_preserving",
        "phantom_de_name": "multicloud",
    }


async def test_put_renames(counter: Counter) -> None:
    """AWS clients see the new name, with what happened before; a name that is taken is 409; without one it stays."""
    domain = await make(counter)
    await make(counter, given(name="other"))
    await counter.office.fill_now("d")

    taken = await counter.call("PUT", f"/domains/{domain['id']}", domain | {"name": "other"})
    renamed = await put(counter, domain, name="my domain")
    nameless = {name: value for name, value in renamed.items() if name != "name"}

    assert taken.status == 409
    assert renamed == domain | {"name": "my domain"}
    assert (await put(counter, nameless))["name"] == "my domain"
    office = counter.office
    assert office.group("my domain")["AutoScalingGroupARN"].endswith("autoScalingGroupName/my domain")
    assert len(office.call("DescribeScalingActivities", AutoScalingGroupName="my domain")["Activities"]) == 3
    assert office.call("DescribeAutoScalingGroups", AutoScalingGroupNames=["d"])["AutoScalingGroups"] == []


@pytest.mark.parametrize("spelling", ["lc_name", "launchconfiguration"])
async def test_put_takes_another_launch_configuration(counter: Counter, spelling: str) -> None:
    """In either spelling, while the other one says what it said before; new VMs come from it at once."""
    domain = await make(counter)
    other = await make_launch(counter, name="other", clouds=("sierra",))
    named = {"lc_name": "other", "launchconfiguration": f"https://gateway{other['uri']}"}[spelling]

    changed = await put(counter, domain, **{spelling: named})

    assert (changed["lc_name"], changed["launchconfiguration"]) == ("other", other["uri"])
    assert changed["clouds"] == [{"site_name": "sierra", "rank": 1, "size": -1}]
    record = await counter.office.ledger.read(domain["id"])
    assert record is not None
    assert [cloud.name for cloud in record.group.clouds] == ["sierra"]
    assert counter.office.group("d")["AvailabilityZones"] == ["sierra"]


async def test_two_spellings_that_do_not_agree_are_refused(counter: Counter) -> None:
    """A domain has one launch configuration."""
    other = await make_launch(counter, name="other")
    await make_launch(counter)

    reply = await counter.call("POST", "/domains", given(launchconfiguration=other["uri"]))

    assert reply.status == 400
    assert "lc_name and launchconfiguration mean the same and do not agree" in reply.json["message"]


async def test_a_refused_put_changes_nothing(counter: Counter) -> None:
    """The name was changed before the number was refused: neither is."""
    domain = await make(counter)

    reply = await counter.call("PUT", f"/domains/{domain['id']}", domain | {"name": "new", "vm_count": 1000})

    assert reply.status == 400
    assert (await counter.call("GET", "/domains")).json == [domain]


async def test_a_deleted_domain_ends_and_its_name_is_free(counter: Counter) -> None:
    """204; it is listed no more, its VMs can be watched by its id, and nothing changes it any more."""
    domain = await make(counter)
    await counter.office.fill_now("d")

    assert (await counter.call("DELETE", domain["uri"].removeprefix("/api/dev"))).status == 204
    assert (await counter.call("GET", "/domains")).json == []
    assert (await counter.call("GET", f"/domains/{domain['id']}")).json["deleting"] is True
    assert len((await counter.call("GET", f"/domains/{domain['id']}/instances")).json) == 3
    assert (await counter.call("PUT", f"/domains/{domain['id']}", domain)).status == 409
    assert (await counter.call("DELETE", f"/domains/{domain['id']}")).status == 204
    assert (await make(counter))["id"] != domain["id"]


async def test_an_empty_domain_is_gone_at_once(counter: Counter) -> None:
    """Without VMs there is nothing to wait for."""
    domain = await make(counter)

    await counter.call("DELETE", f"/domains/{domain['id']}")

    assert (await counter.call("GET", f"/domains/{domain['id']}")).status == 404


async def test_another_users_is_not_there(counter: Counter) -> None:
    """Everything about it is 404 and leaves it alone; his launch configuration cannot be used either."""
    domain = await make(counter)
    bob = counter.office.add_user("bob", "AKIABOBBOBBOBBOBBOB1", "222222222222")

    for method, path, body in (
        ("GET", "", None),
        ("PUT", "", domain),
        ("DELETE", "", None),
        ("GET", "/instances", None),
        ("GET", "/instances/x", None),
        ("DELETE", "/instances/x", None),
    ):
        assert (await counter.call(method, f"/domains/{domain['id']}{path}", body, user=bob)).status == 404
    assert (await counter.call("GET", "/domains", user=bob)).json == []
    assert (await counter.call("POST", "/domains", given(), user=bob)).status == 400
    stolen = given(lc_name=None, launchconfiguration=domain["launchconfiguration"])
    assert (await counter.call("POST", "/domains", stolen, user=bob)).status == 400
    assert (await counter.call("GET", "/domains")).json == [domain]


async def test_editing_a_launch_configuration_reaches_its_domains_at_once(counter: Counter) -> None:
    """Ranks, caps, clouds and images are those of now; a cloud that was dropped is drained. The original froze them."""
    domain = await make(counter)
    await counter.office.fill_now("d", "hotel")
    (base,) = (await counter.call("GET", "/launchconfigurations")).json
    counter.woken.clear()
    body = launch(clouds=("sierra",))
    body["cloud_params"]["sierra"] |= {"max_vms": 2, "image_id": "new"}

    assert (await counter.call("PUT", f"/launchconfigurations/{base['id']}", body)).status == 200

    record = await counter.office.ledger.read(domain["id"])
    assert record is not None
    assert [(cloud.name, cloud.cap) for cloud in record.group.clouds] == [("sierra", 2), ("hotel", 0)]
    assert record.sources["sierra"].spec.image_id == "new"
    assert counter.woken == [domain["id"]]
    assert (await counter.call("GET", f"/domains/{domain['id']}")).json["clouds"] == [
        {"site_name": "sierra", "rank": 1, "size": 2}
    ]


async def test_a_launch_configuration_in_use_stays(counter: Counter) -> None:
    """409 that names the domain; the original let the domain fail from then on. AWS clients are told the same."""
    await make(counter)
    (base,) = (await counter.call("GET", "/launchconfigurations")).json

    reply = await counter.call("DELETE", f"/launchconfigurations/{base['id']}")

    assert (reply.status, reply.json["error"]) == (409, "ResourceInUse")
    assert "AutoScalingGroup d" in reply.json["message"]
    assert (await counter.call("GET", "/launchconfigurations")).json == [base]


async def test_a_launch_configuration_is_renamed_under_its_domains(counter: Counter) -> None:
    """Domains and their VMs go on with the new name, in both views."""
    domain = await make(counter)
    await counter.office.fill_now("d")
    (base,) = (await counter.call("GET", "/launchconfigurations")).json

    reply = await counter.call("PUT", f"/launchconfigurations/{base['id']}", base | {"name": "site"})

    assert reply.json == base | {"name": "site"}
    assert (await counter.call("GET", f"/domains/{domain['id']}")).json == domain | {"lc_name": "site"}
    group = counter.office.group("d")
    assert group["LaunchConfigurationName"] == "site@hotel"
    assert {member["LaunchConfigurationName"] for member in group["Instances"]} == {"site@hotel"}


@pytest.mark.parametrize(
    ("tags", "status"),
    [
        pytest.param({"PHANTOM_DEFINITION": "error_overflow_n_preserving"}, 200, id="one that follows it"),
        pytest.param({}, 409, id="one of AWS's rules, which is made for that cloud"),
        pytest.param({"clouds": "hotel:1"}, 409, id="one whose tag names that cloud"),
        pytest.param({"PHANTOM_DEFINITION": "sensor_engine"}, 409, id="one of a single cloud"),
    ],
)
async def test_a_cloud_that_another_group_needs_stays(counter: Counter, tags: dict[str, str], status: int) -> None:
    """What follows its launch configuration goes where that goes; others need what they name."""
    base = await make_launch(counter, clouds=("hotel",))
    given_tags = [{"Key": key, "Value": value} for key, value in tags.items()]
    counter.office.create_group("g", Tags=given_tags)

    reply = await counter.call("PUT", f"/launchconfigurations/{base['id']}", launch(clouds=("sierra",)))

    assert reply.status == status
    assert counter.office.group("g")["LaunchConfigurationName"] == ("web@sierra" if status == 200 else "web@hotel")


async def test_a_cloud_that_aws_clients_add_is_used_at_once(counter: Counter) -> None:
    """It comes last in rank, and AWS clients cannot take it away again while the domain uses it."""
    await make_launch(counter, clouds=("hotel",))
    domain = await make(counter)

    counter.office.create_launch_configuration("web@sierra")

    assert counter.office.woken == [domain["id"]]
    assert [cloud["site_name"] for cloud in (await counter.call("GET", "/domains")).json[0]["clouds"]] == [
        "hotel",
        "sierra",
    ]
    with pytest.raises(ApiError) as caught:
        counter.office.call("DeleteLaunchConfiguration", LaunchConfigurationName="web@sierra")
    assert caught.value.code == "ResourceInUse"
