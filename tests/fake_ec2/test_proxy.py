"""The proxy in front of a real moto server: calls pass unharmed, and are struck by the plan like those of the fake."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from tests.fake_ec2.driving import TOKEN, a_client, ids_of, launch, states_of
from tests.fake_ec2.faults import Fault, FaultPlan, Kind, When
from tests.fake_ec2.proxy import Proxy
from tests.fake_ec2.serving import Served
from tests.support.moto import MotoServer, skip_without_moto
from tests.support.waiting import wait_for

BOTH = pytest.mark.parametrize("when", [When.BEFORE, When.AFTER])


@dataclass
class Way:
    """A proxy, where it is served, and what is behind it."""

    proxy: Proxy
    served: Served
    moto: MotoServer
    client: Any
    known: int

    async def call(self, action: str, **parameters: Any) -> Any:
        """What boto3 makes of one call through the proxy."""
        return await asyncio.to_thread(getattr(self.client, action), **parameters)

    async def born(self) -> int:
        """Machines that moto has by now and did not have before, asked past the proxy."""
        return len(await asyncio.to_thread(self.moto.instances)) - self.known


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoServer]:
    """One real server for all tests here: it needs seconds to start."""
    skip_without_moto()
    with MotoServer(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture
async def way(moto: MotoServer) -> AsyncIterator[Way]:
    """The way through a proxy without faults."""
    proxy = Proxy(moto.url)
    async with Served(proxy.application()) as served:
        client = a_client(served.url, wait_s=20)
        yield Way(proxy, served, moto, client, len(await asyncio.to_thread(moto.instances)))
        client.close()


async def test_calls_pass_unharmed(way):
    """A machine is launched, listed with its token and ended through the proxy, and every call is told of."""
    ids = ids_of(await way.call("run_instances", **launch(2)))
    listing = await way.call("describe_instances", InstanceIds=ids)
    await way.call("terminate_instances", InstanceIds=ids)

    assert set(states_of(listing)) == set(ids)
    assert listing["Reservations"][0]["Instances"][0]["ClientToken"] == TOKEN
    assert await way.born() == 0
    assert [(call.action, call.status) for call in way.proxy.passed] == [
        ("RunInstances", 200),
        ("DescribeInstances", 200),
        ("TerminateInstances", 200),
    ]


async def test_the_endpoints_own_errors_pass(way):
    """Code and status are moto's."""
    with pytest.raises(ClientError) as refused:
        await way.call("terminate_instances", InstanceIds=["i-00000000000000000"])

    assert refused.value.response["Error"]["Code"] == "InvalidInstanceID.NotFound"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@BOTH
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(Kind.RESET), id="reset"),
        pytest.param(Fault(Kind.RESET_MIDWAY), id="reset midway"),
        pytest.param(Fault(Kind.CLOSE), id="cut"),
        pytest.param(Fault(Kind.TIMEOUT, slow_s=0.01), id="silence, then cut"),
        pytest.param(Fault(Kind.HTTP_ERROR, status=502, body="html"), id="502"),
        pytest.param(Fault(Kind.HTTP_ERROR, status=503), id="503"),
        pytest.param(Fault(Kind.NO_CAPACITY), id="no capacity"),
        pytest.param(Fault(Kind.REQUEST_LIMIT), id="throttled"),
        pytest.param(Fault(Kind.TRUNCATED), id="truncated"),
    ],
)
async def test_a_launch_is_struck_before_or_after_moto_has_it(way, fault, when):
    """The client cannot tell; moto can."""
    values = {**{name: getattr(fault, name) for name in ("status", "body", "slow_s")}, "action": "RunInstances"}
    way.proxy.plan.add(Fault(fault.kind, when=when, **values))
    with pytest.raises((BotoCoreError, ClientError, ResponseParserError)):
        await way.call("run_instances", **launch())

    assert await way.born() == (1 if when is When.AFTER else 0)
    assert [call.fault for call in way.proxy.passed] == [fault.kind]


@BOTH
async def test_an_answer_is_dropped_and_the_client_waits(way, when):
    """It gives up by its own deadline, and moto has or has not launched."""
    way.proxy.plan.add(Fault(Kind.HANG, "RunInstances", when))
    impatient = a_client(way.served.url, wait_s=1)
    with pytest.raises(ReadTimeoutError):
        await asyncio.to_thread(impatient.run_instances, **launch())
    impatient.close()

    if when is When.AFTER:
        await asyncio.to_thread(wait_for, lambda: len(way.moto.instances()) > way.known, "moto to have launched")
    assert await way.born() == (1 if when is When.AFTER else 0)


@BOTH
async def test_a_call_is_delayed(moto, when):
    """By exactly the seconds of the plan."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    proxy = Proxy(moto.url, FaultPlan(Fault(Kind.SLOW, "DescribeRegions", when, slow_s=60)), sleep=sleep)
    async with Served(proxy.application()) as served:
        client = a_client(served.url)
        regions = await asyncio.to_thread(client.describe_regions)
        client.close()

    assert slept == [60]
    assert regions["Regions"]


async def test_a_listing_may_be_emptied(way):
    """One of few faults of content that need no knowledge of the world."""
    await way.call("run_instances", **launch())
    way.proxy.plan.add(Fault(Kind.EMPTY, "DescribeInstances"))

    assert (await way.call("describe_instances"))["Reservations"] == []
    assert (await way.call("describe_instances"))["Reservations"] != []


async def test_other_actions_are_left_alone(way):
    """The plan names one action, and the form says which it is."""
    way.proxy.plan.add(Fault(Kind.RESET, "RunInstances"))

    assert (await way.call("describe_regions"))["Regions"]


async def test_a_dark_cloud_refuses_connections_and_comes_back(way):
    """On the same port, with all its machines."""
    ids = ids_of(await way.call("run_instances", **launch()))
    await way.served.go_dark()
    with pytest.raises((EndpointConnectionError, ConnectionClosedError)):  # the latter on a connection it had kept
        await way.call("describe_instances")
    await way.served.come_back()

    assert set(states_of(await way.call("describe_instances", InstanceIds=ids))) == set(ids)


async def test_a_silent_server_answers_when_it_is_resumed(way):
    """Stopped, it takes connections and no calls; then it goes on."""
    way.moto.silence()
    try:
        impatient = a_client(way.served.url, wait_s=0.3)
        with pytest.raises(ReadTimeoutError):
            await asyncio.to_thread(impatient.describe_regions)
        impatient.close()
    finally:
        way.moto.resume()

    assert (await way.call("describe_regions"))["Regions"]


async def test_behind_the_proxy_may_be_nobody(way):
    """A dead endpoint is a 502, as from any load balancer."""
    way.proxy.upstream = "http://127.0.0.1:9"
    with pytest.raises((ClientError, ResponseParserError)):
        await way.call("describe_regions")

    assert [call.status for call in way.proxy.passed] == [502]
