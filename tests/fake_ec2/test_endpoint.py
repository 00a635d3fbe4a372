"""Every action of the fake endpoint does what EC2 does, as boto3 sees it: dialects, pages, filters, signatures."""

import asyncio
import base64
import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator

import pytest
from botocore.exceptions import ClientError

from tests.fake_ec2.driving import (
    GROUP,
    KEY,
    SECRET,
    TOKEN,
    TOKEN_2,
    Fake,
    HandClock,
    call_boto3,
    ids_of,
    launch,
    states_of,
)
from tests.fake_ec2.endpoint import Endpoint
from tests.fake_ec2.faults import Fault, Kind
from tests.fake_ec2.knobs import AWS, EC2_API, MOTO, Knobs
from tests.fake_ec2.serving import LoopThread
from tests.fake_ec2.world import Account, Order, World

TAGS = {"phantom-gateway": "0123456789ab", "phantom-group": GROUP}
SPECIFICATION = [{"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in TAGS.items()]}]


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    """An AWS-like endpoint."""
    async with Fake(AWS) as served:
        yield served


async def refusal(call) -> tuple[str, int]:
    """Code and HTTP status of the error that *call* ends in."""
    with pytest.raises(ClientError) as refused:
        await call
    response = refused.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


async def test_a_launch_shows_everything_that_was_asked(fake):
    """Token, tags, type, key, zone, index and user data come back as they were sent."""
    more = {"UserData": "#!/bin/sh\necho ü", "KeyName": "phantom", "Placement": {"AvailabilityZone": "us-east-1b"}}
    reservation = await fake.boto3("run_instances", **launch(3), TagSpecifications=SPECIFICATION, **more)
    machines = (await fake.boto3("describe_instances"))["Reservations"][0]["Instances"]
    attribute = {"InstanceId": ids_of(reservation)[0], "Attribute": "userData"}
    user_data = (await fake.boto3("describe_instance_attribute", **attribute))["UserData"]["Value"]

    assert [machine["State"]["Name"] for machine in reservation["Instances"]] == ["pending"] * 3
    assert [machine["AmiLaunchIndex"] for machine in machines] == [0, 1, 2]
    assert {machine["ClientToken"] for machine in machines} == {TOKEN}
    assert {tag["Key"]: tag["Value"] for tag in machines[0]["Tags"]} == TAGS
    assert {machine["Placement"]["AvailabilityZone"] for machine in machines} == {"us-east-1b"}
    assert {(machine["KeyName"], machine["InstanceType"]) for machine in machines} == {("phantom", "m1.small")}
    assert base64.b64decode(user_data).decode() == "#!/bin/sh\necho ü"
    assert fake.world.ledger.born_by_token(TOKEN) == tuple(ids_of(reservation))


async def test_the_same_token_again_is_the_same_launch(fake):
    """Repeating a call launches nothing; another type under the same token is refused."""
    first = await fake.run(2)
    again = await fake.run(2)
    mismatch = await refusal(fake.boto3("run_instances", **launch(3)))

    assert first == again
    assert mismatch == ("IdempotentParameterMismatch", 400)
    assert len(fake.world.ledger.alive()) == 2


async def test_the_token_of_the_dead_is_refused(fake):
    """A new attempt needs a new token."""
    ids = await fake.run()
    await fake.boto3("terminate_instances", InstanceIds=ids)

    assert await refusal(fake.run()) == ("IdempotentInstanceTerminated", 400)
    assert await fake.run(token=TOKEN_2) != ids


async def test_latency_is_a_base_and_a_part_for_each_machine():
    """0.3 s and 0.5 ms for each machine, in the seconds of the clock that was handed in."""
    async with Fake(AWS.changed({"launch_base_s": 0.3, "launch_each_s": 0.0005})) as fake:
        before = fake.clock.now
        await fake.run(100)

    assert fake.clock.now - before == pytest.approx(0.35)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"capacity": 0}, ("InsufficientInstanceCapacity", 500), id="full"),
        pytest.param({"quota": 0}, ("InstanceLimitExceeded", 400), id="quota"),
        pytest.param({"images_are_checked": True, "images": ["ami-x"]}, ("InvalidAMIID.NotFound", 400), id="image"),
        pytest.param(
            {"instance_types_are_checked": True, "instance_types": []}, ("InvalidParameterValue", 400), id="type"
        ),
        pytest.param({"tags_at_launch": "http_500"}, ("TypeError", 500), id="tags"),
        pytest.param({"user_data_bytes_max": 1}, ("InvalidParameterValue", 400), id="user data"),
        pytest.param({"rate_limits": True, "launch_bucket": [1, 0]}, ("RequestLimitExceeded", 503), id="machines"),
        pytest.param({"rate_limits": True, "request_bucket": [0, 0]}, ("RequestLimitExceeded", 503), id="calls"),
    ],
)
async def test_a_launch_that_cannot_be_is_refused_and_launches_nothing(changes, expected):
    """Each knob has its refusal."""
    async with Fake(AWS.changed(changes)) as fake:
        call = fake.boto3("run_instances", **launch(2), TagSpecifications=SPECIFICATION, UserData="xyz")

        assert await refusal(call) == expected
        assert fake.world.ledger.alive() == ()


async def test_partial_fulfilment_is_told_as_it_is():
    """20 asked, room for 7: the answer has the 7."""
    async with Fake(AWS.changed({"capacity": 7})) as fake:
        assert len(await fake.run(20)) == 7


async def test_pages_have_every_machine_once(fake):
    """Seven at a time over reservations of five: 50 machines, none twice, the last page without a token."""
    planted = [fake.world.plant(fake.account_id, Order(), count=5) for _ in range(10)]
    expected = [machine.machine_id for reservation in planted for machine in reservation]
    found: list[str] = []
    sizes = []
    token: dict[str, str] = {}
    while True:
        page = await fake.boto3("describe_instances", MaxResults=7, **token)
        found += states_of(page)
        sizes.append(len(states_of(page)))
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}

    assert found == expected
    assert sizes == [7] * 7 + [1]


async def test_a_page_that_is_just_full_is_the_last(fake):
    """No token leads to an empty page."""
    fake.world.plant(fake.account_id, Order(), count=5)

    assert "NextToken" not in await fake.boto3("describe_instances", MaxResults=5)


async def test_moto_counts_reservations_on_a_page():
    """MaxResults=2 shows two reservations of five."""
    async with Fake(MOTO) as fake:
        for _ in range(3):
            fake.world.plant(fake.account_id, Order(), count=5)
        page = await fake.boto3("describe_instances", MaxResults=2)

    assert len(states_of(page)) == 10
    assert "NextToken" in page


async def test_an_endpoint_may_cut_pages_unasked():
    """Without MaxResults the page size of the knob holds."""
    async with Fake(AWS.changed({"page_size": 10})) as fake:
        fake.world.plant(fake.account_id, Order(), count=15)
        page = await fake.boto3("describe_instances")

    assert len(states_of(page)) == 10
    assert "NextToken" in page


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        pytest.param({"MaxResults": 4}, "InvalidParameterValue", id="too small a page"),
        pytest.param({"MaxResults": 1001}, "InvalidParameterValue", id="too large a page"),
        pytest.param({"NextToken": "AAAA"}, "InvalidNextToken", id="bad token"),
        pytest.param({"InstanceIds": ["i-00000000000000000"]}, "InvalidInstanceID.NotFound", id="unknown id"),
        pytest.param({"InstanceIds": ["x"]}, "InvalidInstanceID.Malformed", id="malformed id"),
        pytest.param({"Filters": [{"Name": "x", "Values": ["y"]}]}, "InvalidParameterValue", id="unknown filter"),
    ],
)
async def test_a_listing_that_cannot_be_is_refused(parameters, expected):
    """In EC2's words."""
    async with Fake(AWS) as fake:
        assert (await refusal(fake.boto3("describe_instances", **parameters)))[0] == expected


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({"NextToken": "AAAA"}, id="bad token"),
        pytest.param({"Filter.1.Name": "client-token", "Filter.1.Value.1": "x"}, id="filter it does not know"),
    ],
)
async def test_moto_answers_with_a_page_of_html(parameters):
    """HTTP 500, and nothing that an XML parser could read."""
    async with Fake(MOTO.changed({"sigv2_goes_to_s3": False})) as fake:
        status, body = await fake.raw("DescribeInstances", parameters)

    assert status == 500
    assert body.startswith(b"<!doctype html>")


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        pytest.param("tag:role", ["a"], [0], id="tag"),
        pytest.param("tag:role", ["a", "b"], [0, 1], id="one of two values"),
        pytest.param("tag:role", ["*"], [0, 1], id="wildcard"),
        pytest.param("tag-key", ["role"], [0, 1], id="tag key"),
        pytest.param("client-token", [TOKEN], [2], id="token"),
        pytest.param("instance-state-name", ["terminated"], [1], id="state"),
        pytest.param("availability-zone", ["us-east-1c"], [2], id="zone"),
    ],
)
async def test_filters_are_honoured(fake, name, values, expected):
    """Only what fits is listed."""
    account_id = fake.account_id
    orders = [Order(tags={"role": "a"}), Order(tags={"role": "b"}), Order(token=TOKEN, zone="us-east-1c")]
    ids = [fake.world.plant(account_id, order)[0].machine_id for order in orders]
    fake.world.kill(ids[1])
    found = await fake.listed(Filters=[{"Name": name, "Values": values}])
    by_id = await fake.listed(Filters=[{"Name": "instance-id", "Values": ids[:1]}])

    assert list(found) == [ids[index] for index in expected]
    assert list(by_id) == ids[:1]


@pytest.mark.parametrize(
    ("knobs", "key", "expected"),
    [
        pytest.param(AWS.changed({"filters": "ignored"}), "role", 2, id="ignored"),
        pytest.param(AWS.changed({"filters": "empty"}), "role", 0, id="empty"),
        pytest.param(EC2_API, "phantom:role", 0, id="a colon at ec2-api"),
        pytest.param(EC2_API, "role", 1, id="no colon at ec2-api"),
    ],
)
async def test_filters_can_lie(knobs: Knobs, key, expected):
    """Two machines, one with the tag: all, none, or the right one."""
    async with Fake(knobs) as fake:
        fake.world.plant(fake.account_id, Order(tags={key: "a"}))
        fake.world.plant(fake.account_id, Order())

        assert len(await fake.listed(Filters=[{"Name": f"tag:{key}", "Values": ["a"]}])) == expected


async def test_a_termination_takes_its_time(fake):
    """Shutting-down first, terminated after the delay; repeating it changes nothing."""
    ids = await fake.run()
    fake.clock.advance(10)
    answer = await fake.boto3("terminate_instances", InstanceIds=ids)
    states = (answer["TerminatingInstances"][0]["PreviousState"], answer["TerminatingInstances"][0]["CurrentState"])
    fake.clock.advance(10)
    await fake.boto3("terminate_instances", InstanceIds=ids)

    assert [state["Name"] for state in states] == ["running", "shutting-down"]
    assert await fake.listed() == {ids[0]: "terminated"}
    assert len(fake.world.ledger.entries) == 2


async def test_ec2_api_says_running_of_what_it_ended():
    """The answer says running, and the machine is gone."""
    async with Fake(EC2_API) as fake:
        ids = await fake.run()
        answer = await fake.boto3("terminate_instances", InstanceIds=ids)

        assert answer["TerminatingInstances"][0]["CurrentState"]["Name"] == "running"
        assert await refusal(fake.listed(InstanceIds=ids)) == ("InvalidInstanceID.NotFound", 400)


async def test_ec2_api_has_error_with_the_code_of_pending():
    """Only the name tells them apart."""
    async with Fake(EC2_API.changed({"capacity": 0, "pending_s": 1})) as fake:
        await fake.run()
        fake.clock.advance(2)
        listing = await fake.boto3("describe_instances")

    assert listing["Reservations"][0]["Instances"][0]["State"] == {"Code": 0, "Name": "error"}


@pytest.mark.parametrize(
    ("mode", "is_refused", "alive"),
    [
        pytest.param("refused", True, 1, id="whole"),
        pytest.param("known_only", False, 0, id="known only"),
        pytest.param("known_then_refused", True, 0, id="done and refused"),
    ],
)
async def test_a_mixed_termination_fails_in_three_ways(mode, is_refused, alive):
    """One known and one unknown id: refused whole, done for the known, or done and refused all the same."""
    async with Fake(AWS.changed({"terminate_mixed": mode})) as fake:
        call = fake.boto3("terminate_instances", InstanceIds=[*await fake.run(), "i-00000000000000000"])
        if is_refused:
            assert (await refusal(call))[0] == "InvalidInstanceID.NotFound"
        else:
            await call

        assert len(fake.world.ledger.alive()) == alive


async def test_tags_are_made_and_described(fake):
    """CreateTags adds and overwrites; DescribeTags filters; reserved keys are refused."""
    ids = await fake.run(2)
    await fake.boto3("create_tags", Resources=ids, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "<&>"}])
    await fake.boto3("create_tags", Resources=ids[:1], Tags=[{"Key": "a", "Value": "2"}])
    wanted = [{"Name": "key", "Values": ["a"]}, {"Name": "resource-id", "Values": ids[:1]}]
    tags = (await fake.boto3("describe_tags", Filters=wanted))["Tags"]
    reserved = await refusal(fake.boto3("create_tags", Resources=ids, Tags=[{"Key": "aws:x", "Value": "1"}]))
    missing = await refusal(fake.boto3("create_tags", Resources=["i-0000"], Tags=[{"Key": "a", "Value": "1"}]))

    assert [(tag["ResourceId"], tag["Value"]) for tag in tags] == [(ids[0], "2")]
    assert fake.world.machines[ids[1]].tags == {"a": "1", "b": "<&>"}
    assert (reserved[0], missing[0]) == ("InvalidParameterValue", "InvalidInstanceID.NotFound")


async def test_statuses_are_those_of_running_machines_unless_all_are_asked(fake):
    """A terminated machine has a status only with IncludeAllInstances."""
    ids = await fake.run(2)
    fake.clock.advance(10)
    fake.world.kill(ids[0])
    some = (await fake.boto3("describe_instance_status"))["InstanceStatuses"]
    every = (await fake.boto3("describe_instance_status", IncludeAllInstances=True))["InstanceStatuses"]

    assert [(status["InstanceId"], status["InstanceStatus"]["Status"]) for status in some] == [(ids[1], "ok")]
    assert len(every) == 2


@pytest.mark.parametrize(
    ("action", "parameters", "member", "count"),
    [
        pytest.param("describe_images", {}, "Images", 2, id="images"),
        pytest.param("describe_images", {"ImageIds": ["ami-00000000000000002"]}, "Images", 1, id="one image"),
        pytest.param("describe_instance_types", {}, "InstanceTypes", 3, id="types"),
        pytest.param("describe_availability_zones", {}, "AvailabilityZones", 3, id="zones"),
        pytest.param("describe_regions", {}, "Regions", 1, id="regions"),
        pytest.param("describe_security_groups", {"GroupNames": ["default"]}, "SecurityGroups", 1, id="groups"),
        pytest.param("describe_key_pairs", {"KeyNames": ["phantom"]}, "KeyPairs", 1, id="key pairs"),
        pytest.param("describe_vpcs", {}, "Vpcs", 1, id="networks"),
        pytest.param("describe_subnets", {}, "Subnets", 1, id="subnets"),
        pytest.param("describe_account_attributes", {}, "AccountAttributes", 1, id="account"),
    ],
)
async def test_the_catalogue_is_described(fake, action, parameters, member, count):
    """boto3 finds as many as there are."""
    assert len((await fake.boto3(action, **parameters))[member]) == count


@pytest.mark.parametrize(
    ("action", "parameters", "code"),
    [
        pytest.param("describe_images", {"ImageIds": ["ami-0"]}, "InvalidAMIID.NotFound", id="image"),
        pytest.param("describe_key_pairs", {"KeyNames": ["x"]}, "InvalidKeyPair.NotFound", id="key pair"),
        pytest.param("describe_security_groups", {"GroupNames": ["x"]}, "InvalidGroup.NotFound", id="security group"),
        pytest.param("delete_volume", {"VolumeId": "vol-0"}, "InvalidAction", id="unknown action"),
    ],
)
async def test_what_is_not_offered_is_refused(fake, action, parameters, code):
    """With EC2's code."""
    assert (await refusal(fake.boto3(action, **parameters)))[0] == code


async def test_a_console_says_that_its_machine_has_booted(fake):
    """The output names the machine."""
    ids = await fake.run()

    assert ids[0] in (await fake.boto3("get_console_output", InstanceId=ids[0]))["Output"]


async def test_accounts_see_nothing_of_each_other(fake):
    """Another key's machines are neither listed nor ended."""
    ids = await fake.run()
    other = {"key": "AKIAOTHER"}

    assert (await fake.boto3("describe_instances", **other))["Reservations"] == []
    assert (await refusal(fake.boto3("terminate_instances", InstanceIds=ids, **other)))[
        0
    ] == "InvalidInstanceID.NotFound"
    assert len(fake.world.ledger.alive()) == 1


@pytest.mark.parametrize("signature", ["v4", "v2"])
@pytest.mark.parametrize(
    ("key", "secret", "skew_s", "code"),
    [
        pytest.param(KEY, SECRET, 0, None, id="right"),
        pytest.param(KEY, "wrong", 0, "AuthFailure", id="wrong secret"),
        pytest.param("AKIAUNKNOWN", SECRET, 0, "AuthFailure", id="unknown key"),
        pytest.param(KEY, SECRET, 3600, "RequestExpired", id="wrong clock"),
    ],
)
async def test_signatures_are_checked_when_told_so(signature, key, secret, skew_s, code):
    """Both versions, right and wrong."""
    async with Fake(AWS.changed({"signatures_are_checked": True, "clock_skew_s": skew_s})) as fake:
        fake.world.set_accounts(Account(KEY, SECRET, "000000000001"))
        arguments = {"key": key, "secret": secret, "signature": signature}
        call = asyncio.to_thread(call_boto3, fake.served.url, "describe_instances", **arguments)
        if code is None:
            assert (await call)["Reservations"] == []
        else:
            assert (await refusal(call))[0] == code


async def test_at_moto_a_v2_signature_goes_to_s3():
    """The answer is 200 and a list of buckets, which boto3 takes for an empty listing."""
    async with Fake(MOTO) as fake:
        fake.world.plant(fake.account_id, Order())
        status, body = await fake.raw("DescribeInstances")

    assert status == 200
    assert b"ListAllMyBucketsResult" in body


async def test_dialects_spell_their_namespace(fake):
    """Moto has no slash at its end."""
    _, aws = await fake.raw("DescribeInstances")
    fake.world.knobs = MOTO.changed({"sigv2_goes_to_s3": False})
    _, moto = await fake.raw("DescribeInstances")

    assert b'xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"' in aws
    assert b'xmlns="http://ec2.amazonaws.com/doc/2016-11-15"' in moto


async def test_calls_are_written_down_as_they_arrive(fake):
    """With their time, size, token and the fault that struck."""
    fake.plan.add(Fault(Kind.NO_CAPACITY, "RunInstances"))
    await refusal(fake.run(20))
    heard = fake.world.ledger.calls_of("RunInstances")

    assert [(call.asked, call.token, call.fault) for call in heard] == [(20, TOKEN, "no_capacity")]


async def test_touching_a_foreign_machine_is_written_down(fake):
    """Tagging and terminating are attempts; listing is none."""
    foreign = fake.world.plant(fake.account_id, Order(tags=TAGS))[0].machine_id
    await fake.listed()
    quiet = fake.world.ledger.foreign_touched()
    await fake.boto3("create_tags", Resources=[foreign], Tags=[{"Key": "a", "Value": "1"}])
    await fake.boto3("terminate_instances", InstanceIds=[foreign])

    assert quiet == []
    assert [entry.cause for entry in fake.world.ledger.foreign_touched()] == ["CreateTags", "TerminateInstances"]


async def test_going_dark_refuses_and_coming_back_remembers(fake):
    """A cloud that was away has lost nothing, and is where it was."""
    ids = await fake.run()
    port = fake.served.port
    await fake.served.go_dark()
    with pytest.raises(OSError, match="refused"):
        await fake.raw("DescribeInstances")
    await fake.served.come_back()

    assert fake.served.port == port
    assert list(await fake.listed()) == ids


def test_a_thread_serves_tests_that_block():
    """boto3 in the test's own thread, the endpoint in another."""
    with LoopThread() as thread:
        served = thread.serve(Endpoint(World(clock=HandClock())).application())
        listing = call_boto3(served.url, "describe_instances")
        thread.run(served.stop())

    assert listing["Reservations"] == []


def test_the_endpoint_is_a_process_with_a_control_surface():
    """Started from the command line, steered and judged over HTTP, ended by SIGTERM."""
    command = [sys.executable, "-m", "tests.fake_ec2.server", "--dialect", "ec2-api", "--knobs", '{"pending_s": 0}']
    process = subprocess.Popen(
        [*command, "--account", f"{KEY}:{SECRET}:000000000001"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().split()[-1]
        ids = ids_of(call_boto3(url, "run_instances", **launch(2)))
        _ask(url, "PUT", "/_knobs", {"capacity": 2})
        _ask(url, "PUT", "/_faults", [{"kind": "http_error", "action": "DescribeInstances", "status": 503}])
        with pytest.raises(ClientError, match="ServiceUnavailable"):
            call_boto3(url, "describe_instances")
        _ask(url, "POST", f"/_kill/{ids[0]}", {})
        planted = _ask(url, "POST", "/_plant", {"access_key_id": KEY, "tags": TAGS})["planted"]
        ledger = _ask(url, "GET", "/_ledger", None)
        faults = _ask(url, "GET", "/_faults", None)
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=30)
        process.stdout.close()

    assert code == 0
    assert sorted(ledger["alive"]) == sorted([ids[1], *planted])
    assert ledger["groups"][GROUP] == {"alive": [ids[1]], "unreleased": [ids[1]], "max_alive": 2}
    assert (ledger["births_by_token"][TOKEN], ledger["foreign_touched"]) == (2, [])
    assert [fault["struck"] for fault in faults] == [1]


def _ask(url, method, path, body):
    """What the control surface answers."""
    sent = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data=sent, method=method, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)
