"""What a probe concludes about an endpoint, and what it leaves open."""

from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

import pytest

from backends.cloud import Learned
from backends.ec2 import Ec2Cloud, learning
from tests.backends.ec2_endpoint import GATEWAY, MARK, SPEC, TOKEN, cloud_at, endpoint, error, reply
from tests.backends.moto_cloud import moto
from tests.fake_ec2.endpoint import Endpoint
from tests.fake_ec2.knobs import AWS, EC2_API, Filters, Knobs
from tests.fake_ec2.serving import Served
from tests.fake_ec2.world import Order, World

REQ = "req-0b1c2d3e-0001-4002-8003-0123456789ab"


@pytest.mark.parametrize(
    ("url", "server", "request_id", "expected"),
    [
        pytest.param("https://ec2.eu-west-1.amazonaws.com", "AmazonEC2", "59dbff89", "aws", id="AWS"),
        pytest.param("https://ec2.eu-west-1.amazonaws.com.evil.example", "", "59dbff89", None, id="not AWS"),
        pytest.param("http://10.0.0.7:8773/", "", REQ, "ec2-api", id="OpenStack"),
        pytest.param("http://127.0.0.1:5000", "Werkzeug/3.1 Python/3.11, amazon.com", "request-id", "moto", id="moto"),
        pytest.param("http://127.0.0.1:5000", "Werkzeug/3.1 Python/3.11", "request-id", None, id="some Flask"),
        pytest.param("http://euca.example.org", "nginx", "", None, id="unknown"),
    ],
)
def test_a_family_is_recognised_by_what_only_it_says(
    url: str, server: str, request_id: str, expected: str | None
) -> None:
    """The wrong family would be believed in what it promises: nothing is guessed."""
    learned = learning.family("hotel", url, server, request_id)

    assert (None if learned is None else learned.value) == expected


def _now(url: str) -> AbstractAsyncContextManager[Ec2Cloud]:
    """The cloud, with the clock of the endpoint."""
    return cloud_at(url, clock=lambda: datetime.now(UTC))


async def probed(world: World) -> dict[str, Any]:
    """What is learned of the fake endpoint over *world*."""
    async with Served(Endpoint(world).application()) as served, _now(served.url) as cloud:
        probe = await cloud.probe()
    assert probe.reachable
    assert probe.findings == ()
    return {each.name: each.value for each in probe.learned}


def with_machine_of_ours(knobs: Knobs, token: str = TOKEN) -> World:
    """A world with one machine of ours and one of somebody else."""
    world = World(knobs)
    tags = {"phantom-gateway": GATEWAY, "phantom-group": MARK.group_uid, "phantom-token": TOKEN}
    world.plant(world.account_of("AKIDEXAMPLE").account_id, Order(token=token, tags=tags), foreign=False)
    world.plant(world.account_of("AKIDEXAMPLE").account_id, Order())
    return world


@pytest.mark.parametrize(
    ("world", "expected"),
    [
        pytest.param(World(AWS), {}, id="nothing there to judge by"),
        pytest.param(with_machine_of_ours(AWS), {"filters_trusted": True}, id="filters find what is there"),
        pytest.param(
            with_machine_of_ours(AWS.changed({"filters": Filters.IGNORED})), {"filters_trusted": False}, id="ignored"
        ),
        pytest.param(
            with_machine_of_ours(AWS.changed({"filters": Filters.EMPTY})), {"filters_trusted": False}, id="empty"
        ),
        pytest.param(
            with_machine_of_ours(AWS.changed({"token_is_echoed": False})),
            {"filters_trusted": True, "token_is_idempotent": False},
            id="tokens are not shown",
        ),
        pytest.param(with_machine_of_ours(EC2_API), {"filters_trusted": True}, id="tags without a colon"),
    ],
)
async def test_filters_and_tokens_are_judged_by_what_is_there(world: World, expected: dict[str, Any]) -> None:
    """Filters are trusted when they find exactly what a whole listing shows; with no machine there nothing is said."""
    assert await probed(world) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(error(400, "InvalidParameterValue"), False, id="refused"),
        pytest.param(error(503, "RequestLimitExceeded"), None, id="throttled"),
        pytest.param(error(403, "UnauthorizedOperation"), None, id="not allowed"),
    ],
)
async def test_a_refused_filter_is_told_from_a_bad_moment(answer: bytes, expected: bool | None) -> None:
    """Only an error about the filter says something of filters."""
    async with endpoint() as there, cloud_at(there.url) as cloud:
        there.answers = lambda asked, _writer: (
            answer if asked.form["Action"] == "DescribeInstances" else reply(asked.form["Action"], "<regionInfo/>")
        )
        probe = await cloud.probe()

    assert {each.name: each.value for each in probe.learned} == (
        {} if expected is None else {"filters_trusted": expected}
    )


async def test_moto_is_recognised_and_judged() -> None:
    """A real moto server says who it is; its filters work, and its machines show their tokens."""
    with moto() as url:
        async with cloud_at(url, tags="launch") as cloud:
            await cloud.launch(SPEC, 1, TOKEN, MARK)
            probe = await cloud.probe()

    assert probe.learned == (
        Learned("dialect", "moto", "hotel names itself as moto does"),
        Learned("filters_trusted", True, "filters on tags find exactly our machines on hotel"),
    )
