"""
What the tests of the fake EC2 share: a clock to turn by hand, boto3 clients, and raw calls that see every byte.

Owns: nothing of the fake itself.
"""

import asyncio
import http.client
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urlencode

import boto3
from botocore.config import Config

from tests.fake_ec2.endpoint import Endpoint
from tests.fake_ec2.faults import FaultPlan
from tests.fake_ec2.knobs import AWS, Knobs
from tests.fake_ec2.serving import Served
from tests.fake_ec2.world import World
from tests.support.canary import planted

KEY = "AKIATESTTESTTESTTEST"
SECRET = planted("/of+the=test")
GROUP = "00112233445566778899aabbccddeeff"
TOKEN = f"pg-0123456789ab-{GROUP}-00000000000a"
TOKEN_2 = f"pg-0123456789ab-{GROUP}-00000000000b"


class HandClock:
    """Seconds since 1970 that pass only when told to."""

    def __init__(self, now: float = 1_376_942_400.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """The time now."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Nothing; it is so much later."""
        self.now += seconds

    async def sleep(self, seconds: float) -> None:
        """Nothing; the one who waits is who makes time pass."""
        self.now += seconds


class Fake:
    """A served endpoint with all its handles. An async context."""

    def __init__(self, knobs: Knobs = AWS, *, clock: HandClock | None = None) -> None:
        self.clock = clock or HandClock()
        self.world = World(knobs, clock=self.clock)
        self.plan = FaultPlan(clock=self.clock)
        self.endpoint = Endpoint(self.world, self.plan, sleep=self.clock.sleep)
        self.served = Served(self.endpoint.application())
        self._clients: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        await self.served.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()
        await self.served.stop()

    @property
    def account_id(self) -> str:
        """The account of the clients below."""
        return self.world.account_of(KEY).account_id

    async def boto3(self, action: str, *, key: str = KEY, **parameters: Any) -> Any:
        """What boto3 makes of one call, tried once. Raises what boto3 raises."""
        if key not in self._clients:
            self._clients[key] = a_client(self.served.url, key=key)
        return await asyncio.to_thread(getattr(self._clients[key], action), **parameters)

    async def raw(self, action: str, parameters: Mapping[str, str] | None = None, **more: Any) -> tuple[int, bytes]:
        """Status and body of one unsigned call by GET."""
        return await asyncio.to_thread(call_raw, self.served.port, action, parameters or {}, **more)

    async def run(self, count: int = 1, *, token: str = TOKEN, **parameters: Any) -> list[str]:
        """Ids of the machines that one RunInstances tells of."""
        return ids_of(await self.boto3("run_instances", **launch(count, token=token), **parameters))

    async def listed(self, **parameters: Any) -> dict[str, str]:
        """Id -> state of every machine that one DescribeInstances shows."""
        return states_of(await self.boto3("describe_instances", **parameters))


def launch(count: int = 1, *, token: str = TOKEN) -> dict[str, Any]:
    """Parameters of a plain launch of up to *count* machines."""
    image_id = "ami-00000000000000001"
    return {"ImageId": image_id, "MinCount": 1, "MaxCount": count, "ClientToken": token, "InstanceType": "m1.small"}


def ids_of(reservation: Mapping[str, Any]) -> list[str]:
    """Ids of the machines in *reservation*."""
    return [machine["InstanceId"] for machine in reservation["Instances"]]


def states_of(listing: Mapping[str, Any]) -> dict[str, str]:
    """Id -> state of the machines in *listing*."""
    return {
        machine["InstanceId"]: machine["State"]["Name"]
        for reservation in listing["Reservations"]
        for machine in reservation["Instances"]
    }


def a_client(url: str, *, key: str = KEY, secret: str = SECRET, signature: str = "v4", wait_s: float = 5.0) -> Any:
    """A boto3 client that tries once and waits *wait_s* for an answer."""
    return _session().client(
        "ec2",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(
            retries={"total_max_attempts": 1},
            read_timeout=wait_s,
            connect_timeout=5,
            signature_version="v2" if signature == "v2" else "v4",
        ),
    )


def call_boto3(
    url: str,
    action: str,
    *,
    key: str = KEY,
    secret: str = SECRET,
    signature: str = "v4",
    wait_s: float = 5.0,
    **parameters: Any,
) -> Any:
    """What boto3 makes of one call with a client of its own, tried once."""
    client = a_client(url, key=key, secret=secret, signature=signature, wait_s=wait_s)
    try:
        return getattr(client, action)(**parameters)
    finally:
        client.close()


def call_raw(
    port: int, action: str, parameters: Mapping[str, str], *, wait_s: float = 5.0, method: str = "GET"
) -> tuple[int, bytes]:
    """Status and body of one unsigned call. Raises what the connection suffers."""
    query = urlencode({"Action": action, "AWSAccessKeyId": KEY, "Version": "2016-11-15", **parameters})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=wait_s)
    try:
        connection.request(method, f"/?{query}")
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


_sessions: list[Any] = []


def _session() -> Any:
    """One session: a new one each time would read the service model anew, which takes 0.15 s."""
    if not _sessions:
        _sessions.append(boto3.Session())
    return _sessions[0]
