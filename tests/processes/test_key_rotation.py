"""
An access key is changed for another while real clients call without a pause (F97): no call of theirs fails.

Owns: a gateway, boto3, and the commands that an operator types. Clients do not retry: whatever failed would be seen.
"""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.processes.test_command_line import run
from tests.support.gateway import Gateway
from tests.support.waiting import wait_for

pytestmark = pytest.mark.processes

REFUSED_S_MAX = 2.0
"""From the end of the command until every gateway refuses a revoked key, which it may remember for a second."""

CALLS = 20
"""By each client, with each pair that it has in turn."""


def client_of(gateway: Gateway, pair: dict[str, str]) -> Any:
    """A boto3 client that signs with this pair."""
    return boto3.client(
        "autoscaling",
        endpoint_url=gateway.endpoint,
        region_name="us-east-1",
        aws_access_key_id=pair["access_key_id"],
        aws_secret_access_key=pair["secret_access_key"],
        config=Config(retries={"total_max_attempts": 1}, read_timeout=20),
    )


class User(threading.Thread):
    """Scales a group of its own and looks at it, with the pair that it was given last."""

    def __init__(self, gateway: Gateway, pair: dict[str, str], number: int) -> None:
        super().__init__(daemon=True)
        self.failures: list[str] = []
        self.ended = threading.Event()
        self.calls = 0
        self._gateway = gateway
        self._name = f"group-{number}"
        self._client = client_of(gateway, pair)

    def use(self, pair: dict[str, str]) -> None:
        """Nothing; from its next call on it signs with *pair*."""
        self._client = client_of(self._gateway, pair)
        self.calls = 0

    def run(self) -> None:
        """Nothing, once *ended* is set."""
        self._client.create_auto_scaling_group(
            AutoScalingGroupName=self._name,
            LaunchConfigurationName="web@hotel",
            MinSize=0,
            MaxSize=9,
            DesiredCapacity=0,
            AvailabilityZones=["hotel"],
        )
        while not self.ended.is_set():
            client = self._client
            try:
                client.describe_auto_scaling_groups(AutoScalingGroupNames=[self._name])
                client.set_desired_capacity(AutoScalingGroupName=self._name, DesiredCapacity=0)
            except (BotoCoreError, ClientError) as error:
                self.failures.append(repr(error))
            self.calls += 1


@pytest.fixture
def gateway(tmp_path: Path, kept: str) -> Iterator[Gateway]:
    """A gateway of its own."""
    made = Gateway(tmp_path, clouds=("hotel",), password="", database=kept)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def typed(gateway: Gateway, *arguments: str) -> Any:
    """What a command prints as JSON."""
    done = run(*arguments, "--json", config=gateway.config)
    assert done.code == 0, done.err
    return json.loads(done.out)


def is_refused(gateway: Gateway, pair: dict[str, str]) -> bool:
    """Whether the pair lets nobody in, in AWS's words."""
    try:
        client_of(gateway, pair).describe_account_limits()
    except ClientError as error:
        return bool(error.response["Error"]["Code"] == "InvalidClientTokenId")
    return False


def test_a_key_is_changed_under_load_and_no_call_fails(gateway: Gateway) -> None:
    """F97: add, change over, revoke, twice; the revoked key is refused within two seconds, the other ones never."""
    pair = typed(gateway, "users", "add", "bob")
    client_of(gateway, pair).create_launch_configuration(
        LaunchConfigurationName="web@hotel", ImageId="sleeper", InstanceType="m1.small"
    )
    users = [User(gateway, pair, number) for number in range(3)]
    for user in users:
        user.start()
    for _ in range(2):
        wait_for(lambda: all(user.calls >= CALLS for user in users), "calls with the old key")
        following = typed(gateway, "users", "key", "add", "bob")
        for user in users:
            user.use(following)
        wait_for(lambda: all(user.calls >= CALLS for user in users), "calls with the new key")
        run("users", "key", "revoke", pair["access_key_id"], config=gateway.config)
        wait_for(lambda old=pair: is_refused(gateway, old), "the revoked key to be refused", REFUSED_S_MAX)  # type: ignore[misc]
        pair = following
    before = [user.calls for user in users]
    wait_for(lambda: all(u.calls > b for u, b in zip(users, before, strict=True)), "calls after the last change")
    for user in users:
        user.ended.set()
        user.join()

    assert [user.failures for user in users] == [[], [], []]
