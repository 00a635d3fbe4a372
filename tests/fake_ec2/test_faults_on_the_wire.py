"""Every kind of fault arrives at a client as it says, and has, or has not, had its effect before."""

import asyncio
import contextlib
import http.client
from collections.abc import AsyncIterator

import pytest
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError, HTTPClientError, ReadTimeoutError
from botocore.parsers import ResponseParserError
from lxml import etree

from tests.fake_ec2.driving import TOKEN, Fake, call_boto3, launch, states_of
from tests.fake_ec2.faults import REFUSALS, Fault, Kind, When
from tests.fake_ec2.knobs import AWS
from tests.fake_ec2.world import Order
from tests.support.waiting import wait_for

BOTH = pytest.mark.parametrize("when", [When.BEFORE, When.AFTER])

SILENT = [Kind.RESET, Kind.RESET_MIDWAY, Kind.CLOSE, Kind.TIMEOUT]

SPOILED = [
    Kind.HTTP_ERROR,
    Kind.EMPTY_BODY,
    Kind.HTML_IN_200,
    Kind.ERROR_IN_200,
    Kind.TRUNCATED,
    Kind.WRONG_ROOT,
    Kind.WRONG_NAMESPACE,
    Kind.WRONG_CHARSET,
    Kind.LIST_ALL_MY_BUCKETS,
    Kind.OVERSIZED,
    Kind.ENTITIES,
    Kind.DUPLICATED_BODY,
    Kind.DUPLICATED_REPLY,
    Kind.REFUSED,
    *REFUSALS,
]


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    """An AWS-like endpoint with three machines."""
    async with Fake(AWS) as served:
        served.world.plant(served.account_id, Order(), count=3)
        yield served


def born(fake: Fake) -> int:
    """Machines that the token launched."""
    return len(fake.world.ledger.born_by_token(TOKEN))


@BOTH
@pytest.mark.parametrize("kind", SILENT)
async def test_a_broken_connection_breaks_the_call(fake, kind, when):
    """boto3 has no answer; whether the machines exist is what before and after say."""
    fake.plan.add(Fault(kind, "RunInstances", when))
    with pytest.raises((BotoCoreError, ConnectionClosedError, HTTPClientError)):
        await fake.run(2)

    assert born(fake) == (2 if when is When.AFTER else 0)


@BOTH
@pytest.mark.parametrize("kind", SPOILED)
async def test_a_spoiled_answer_is_no_sign_of_the_effect(fake, kind, when):
    """Whatever boto3 makes of it, the effect was there before the answer, or never."""
    fake.plan.add(Fault(kind, "RunInstances", when, size_bytes=200_000))
    with contextlib.suppress(ClientError, BotoCoreError, ResponseParserError, KeyError):
        await fake.run(2)  # what it makes of which answer is another test's business

    assert born(fake) == (2 if when is When.AFTER else 0)


@BOTH
async def test_a_hanging_call_ends_by_the_clients_own_patience(fake, when):
    """Neither answer nor close comes until the faults are released."""
    fake.plan.add(Fault(Kind.HANG, "RunInstances", when, times=None))
    with pytest.raises(ReadTimeoutError):
        await asyncio.to_thread(call_boto3, fake.served.url, "run_instances", wait_s=0.2, **launch(2))
    waiting = asyncio.create_task(fake.run(2))
    await asyncio.to_thread(wait_for, lambda: len(fake.world.ledger.calls_of("RunInstances")) == 2, "the second call")
    fake.endpoint.mischief.release()
    with pytest.raises(BotoCoreError):
        await waiting

    assert born(fake) == (2 if when is When.AFTER else 0)


@BOTH
async def test_a_slow_call_takes_its_time_and_ends_well(fake, when):
    """The clock has moved on, and the machines were born after or before it did."""
    start = fake.clock.now
    fake.plan.add(Fault(Kind.SLOW, "RunInstances", when, slow_s=60))
    ids = await fake.run(2)
    born_at = {fake.world.machines[machine_id].born_at for machine_id in ids}

    assert fake.clock.now == start + 60
    assert born_at == {start if when is When.AFTER else start + 60}


async def test_a_reset_is_a_reset_and_a_close_is_a_close(fake):
    """The kernel tells them apart."""
    fake.plan.add(Fault(Kind.RESET), Fault(Kind.CLOSE, first=2))
    with pytest.raises(ConnectionResetError) as reset:
        await fake.raw("DescribeInstances")
    with pytest.raises(http.client.RemoteDisconnected):
        await fake.raw("DescribeInstances")

    assert not isinstance(reset.value, http.client.RemoteDisconnected)


async def test_a_reset_midway_comes_after_the_head(fake):
    """The status has arrived, the body has not."""
    fake.plan.add(Fault(Kind.RESET_MIDWAY))
    connection = http.client.HTTPConnection("127.0.0.1", fake.served.port, timeout=5)

    def ask() -> int:
        connection.request("GET", "/?Action=DescribeInstances&AWSAccessKeyId=A")
        answer = connection.getresponse()
        with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
            answer.read()
        return answer.status

    try:
        assert await asyncio.to_thread(ask) == 200
    finally:
        connection.close()


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize(
    ("body", "beginning"),
    [
        pytest.param("xml", b"<?xml", id="xml"),
        pytest.param("html", b"<!doctype html>", id="html"),
        pytest.param("empty", b"", id="empty"),
    ],
)
async def test_an_http_error_has_the_body_it_was_given(fake, status, body, beginning):
    """XML, a page of HTML, or nothing."""
    fake.plan.add(Fault(Kind.HTTP_ERROR, status=status, body=body))
    answered, text = await fake.raw("DescribeInstances")

    assert answered == status
    assert text[: len(beginning)] == beginning
    assert bool(text) == bool(beginning)


@pytest.mark.parametrize(("kind", "expected"), [(kind, entry[:2]) for kind, entry in REFUSALS.items()])
async def test_a_refusal_has_ec2s_code_and_status(fake, kind, expected):
    """As boto3 reads it."""
    fake.plan.add(Fault(kind))
    with pytest.raises(ClientError) as refused:
        await fake.boto3("describe_instances")
    response = refused.value.response

    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == expected


async def test_any_refusal_can_be_made_up(fake):
    """With a code, a status and a message of one's own."""
    fake.plan.add(Fault(Kind.REFUSED, code="RequestExpired", status=400, message="Too late."))
    with pytest.raises(ClientError, match=r"RequestExpired.*Too late\."):
        await fake.boto3("describe_instances")


def root_of(body: bytes) -> str:
    """The qualified name of the root, as a careful parser reads it."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    return str(etree.fromstring(body, parser).tag)


@pytest.mark.parametrize(
    ("kind", "root"),
    [
        pytest.param(Kind.WRONG_ROOT, "{http://ec2.amazonaws.com/doc/2016-11-15/}OtherResponse", id="root"),
        pytest.param(
            Kind.WRONG_NAMESPACE, "{http://other.example.org/doc/1999-01-01/}DescribeInstancesResponse", id="namespace"
        ),
        pytest.param(
            Kind.LIST_ALL_MY_BUCKETS, "{http://s3.amazonaws.com/doc/2006-03-01}ListAllMyBucketsResult", id="buckets"
        ),
        pytest.param(Kind.ERROR_IN_200, "Response", id="error"),
    ],
)
async def test_a_wrong_document_is_well_formed(fake, kind, root):
    """200, good XML, and not what was asked for."""
    fake.plan.add(Fault(kind))
    status, body = await fake.raw("DescribeInstances")

    assert (status, root_of(body)) == (200, root)


@pytest.mark.parametrize(
    "kind", [Kind.EMPTY_BODY, Kind.HTML_IN_200, Kind.TRUNCATED, Kind.WRONG_CHARSET, Kind.DUPLICATED_BODY]
)
async def test_a_broken_document_does_not_parse(fake, kind):
    """200, and no XML."""
    fake.plan.add(Fault(kind))
    status, body = await fake.raw("DescribeInstances")

    assert status == 200
    with pytest.raises(etree.XMLSyntaxError):
        root_of(body)


async def test_an_oversized_answer_is_as_large_as_it_says(fake):
    """It is streamed, well-formed, and the machines are in it."""
    fake.plan.add(Fault(Kind.OVERSIZED, size_bytes=3_000_000))
    status, body = await fake.raw("DescribeInstances")

    assert status == 200
    assert len(body) > 3_000_000
    assert root_of(body).endswith("}DescribeInstancesResponse")


async def test_a_flood_ends_when_the_client_leaves(fake):
    """Whoever has had enough closes the connection, and the endpoint lives on."""
    fake.plan.add(Fault(Kind.OVERSIZED))
    connection = http.client.HTTPConnection("127.0.0.1", fake.served.port, timeout=5)

    def ask() -> int:
        connection.request("GET", "/?Action=DescribeInstances&AWSAccessKeyId=A")
        return len(connection.getresponse().read(100_000))

    try:
        assert await asyncio.to_thread(ask) == 100_000
    finally:
        connection.close()
    assert len(await fake.listed()) == 3


async def test_entities_unfold_to_more_than_was_sent(fake):
    """200 KB of entities in less than 10 KB."""
    fake.plan.add(Fault(Kind.ENTITIES, size_bytes=200_000))
    _, body = await fake.raw("DescribeKeyPairs")
    text = etree.fromstring(body, etree.XMLParser(resolve_entities=True)).xpath("string()")

    assert len(body) < 10_000
    assert len(text) > 190_000


async def test_a_reply_can_come_twice_on_its_connection(fake):
    """The second copy lies in wait for the next call."""
    fake.plan.add(Fault(Kind.DUPLICATED_REPLY))
    reader, writer = await asyncio.open_connection("127.0.0.1", fake.served.port)
    writer.write(b"GET /?Action=DescribeRegions&AWSAccessKeyId=A HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()

    assert answer.count(b"HTTP/1.1 200") == 2
    assert answer.count(b"<regionName>") == 2


@pytest.mark.parametrize(
    ("when", "launched", "told"),
    [
        pytest.param(When.BEFORE, 5, 5, id="told"),
        pytest.param(When.AFTER, 5, 3, id="concealed"),
    ],
)
async def test_an_endpoint_may_launch_more_than_asked(fake, when, launched, told):
    """Three asked, five born."""
    fake.plan.add(Fault(Kind.MORE, "RunInstances", when, count=2))

    assert len(await fake.run(3)) == told
    assert born(fake) == launched


@pytest.mark.parametrize(
    ("when", "launched"),
    [
        pytest.param(When.BEFORE, 1, id="launched"),
        pytest.param(When.AFTER, 3, id="told"),
    ],
)
async def test_an_endpoint_may_tell_of_fewer_than_asked(fake, when, launched):
    """Three asked for at least, one in the answer."""
    fake.plan.add(Fault(Kind.FEWER, "RunInstances", when, count=2))

    assert len(await fake.run(3)) == 1
    assert born(fake) == launched


async def test_a_launch_may_be_told_and_not_be(fake):
    """Ids that no listing ever shows."""
    fake.plan.add(Fault(Kind.NO_EFFECT, "RunInstances"))
    ids = await fake.run(2)

    assert born(fake) == 0
    assert set(ids).isdisjoint(await fake.listed())


async def test_a_termination_may_be_accepted_and_not_be(fake):
    """The machine lives on, whatever the answer says."""
    ids = await fake.run()
    fake.plan.add(Fault(Kind.NO_EFFECT, "TerminateInstances"))
    answer = await fake.boto3("terminate_instances", InstanceIds=ids)
    fake.clock.advance(60)

    assert answer["TerminatingInstances"][0]["CurrentState"]["Name"] == "shutting-down"
    assert (await fake.listed())[ids[0]] == "running"


async def test_tags_may_be_accepted_and_lost(fake):
    """The answer is true, and the machine has none."""
    ids = await fake.run()
    fake.plan.add(Fault(Kind.NO_EFFECT, "CreateTags"))
    await fake.boto3("create_tags", Resources=ids, Tags=[{"Key": "a", "Value": "1"}])

    assert fake.world.machines[ids[0]].tags == {}


@pytest.mark.parametrize(
    ("fault", "count"),
    [
        pytest.param(Fault(Kind.EMPTY), 0, id="empty"),
        pytest.param(Fault(Kind.FEWER, count=2), 1, id="two left out"),
        pytest.param(Fault(Kind.FEWER, count=9), 0, id="more left out than there are"),
    ],
)
async def test_a_listing_may_conceal_machines(fake, fault, count):
    """With 200 and good XML."""
    fake.plan.add(fault)

    assert len(await fake.listed()) == count
    assert len(await fake.listed()) == 3


async def test_a_listing_may_have_everything_twice(fake):
    """Each id twice in one page."""
    fake.plan.add(Fault(Kind.DUPLICATED_ENTRIES))
    listing = await fake.boto3("describe_instances")

    assert sum(len(reservation["Instances"]) for reservation in listing["Reservations"]) == 6
    assert len(states_of(listing)) == 3


async def test_all_machines_may_seem_stopped_or_impaired(fake):
    """States in the listing, health in the statuses."""
    fake.plan.add(
        Fault(Kind.STATES, "DescribeInstances", state="stopped"),
        Fault(Kind.STATES, "DescribeInstanceStatus", state="impaired"),
    )
    states = await fake.listed()
    statuses = (await fake.boto3("describe_instance_status"))["InstanceStatuses"]

    assert set(states.values()) == {"stopped"}
    assert {status["InstanceStatus"]["Status"] for status in statuses} == {"impaired"}


async def pages(fake: Fake) -> list[int]:
    """The sizes of all pages of a listing by five."""
    sizes = []
    token: dict[str, str] = {}
    while True:
        page = await fake.boto3("describe_instances", MaxResults=5, **token)
        sizes.append(len(states_of(page)))
        if "NextToken" not in page:
            return sizes
        token = {"NextToken": page["NextToken"]}


async def test_a_page_may_be_missing(fake):
    """18 machines in pages of five; without the second page it looks like a good listing of 13."""
    fake.world.plant(fake.account_id, Order(), count=15)
    whole = await pages(fake)
    fake.plan.add(Fault(Kind.PAGE_MISSING, "DescribeInstances", page=2))

    assert whole == [5, 5, 5, 3]
    assert await pages(fake) == [5, 5, 3]


async def test_the_second_page_may_fail(fake):
    """The first page was good."""
    fake.world.plant(fake.account_id, Order(), count=15)
    fake.plan.add(Fault(Kind.HTTP_ERROR, "DescribeInstances", page=2, status=503))
    with pytest.raises(ClientError, match="ServiceUnavailable"):
        await pages(fake)

    assert len(fake.world.ledger.calls_of("DescribeInstances")) == 2


async def test_every_kind_of_fault_is_tried_here():
    """A new kind without a test is none."""
    elsewhere = {
        Kind.HANG, Kind.SLOW, Kind.MORE, Kind.FEWER, Kind.EMPTY, Kind.PAGE_MISSING, Kind.STATES, Kind.NO_EFFECT,
        Kind.DUPLICATED_ENTRIES,
    }  # fmt: skip

    assert set(Kind) == {*SILENT, *SPOILED, *elsewhere}
