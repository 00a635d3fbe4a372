"""
An office for tests of operations: real records in a temporary database, real encoding, no sockets and no clouds.

Owns: calling an operation as a user at a time, and playing the reconciler where a test needs machines.
"""

import asyncio
import functools
import itertools
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.model import ServiceModel
from botocore.parsers import create_parser
from botocore.session import get_session

from backends.cloud import Machine, MachineState
from phantom_gateway.config import Limits, UserSettings
from phantom_gateway.installation import add_user
from phantom_gateway.keyring import Keyring, new_key
from phantom_gateway.operations import all_operations
from phantom_gateway.operations.ceilings import Holdings
from phantom_gateway.operations.desk import Desk, House
from phantom_gateway.operations.fragments import FragmentCache
from phantom_gateway.operations.table import find_handler
from phantom_gateway.records import groups, instances
from phantom_gateway.records.ledger import SqlLedger
from phantom_gateway.records.session import Database, sqlite_url
from phantom_gateway.records.users import User
from phantom_gateway.secret import Secret
from protocol.encode import encode_result
from protocol.model import namespace_for, service
from protocol.paging import PageTokens
from protocol.validate import validate
from reconciler.model import GroupRecord
from tests.support.canary import planted

SECRET = planted("/of+an=office")
"""Of every user, unless the test says another."""

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
MODEL: ServiceModel = get_session().get_service_model("autoscaling")


@functools.cache
def empty_database() -> Path:
    """A database with the newest schema and nothing in it, made once per run: migrating takes a tenth of a second."""
    file = Path(tempfile.mkdtemp(prefix="phantom-test-")) / "empty.db"
    database = Database(sqlite_url(file))
    database.migrate()
    database.close()
    return file


class Office:
    """Calls operations the way the AWS door does, minus bytes and signatures."""

    def __init__(
        self, directory: Path, limits: Limits | None = None, default_cloud: str | None = None, url: str | None = None
    ) -> None:
        self.now = NOW
        if url is None:
            shutil.copy(empty_database(), directory / "office.db")
            url = sqlite_url(directory / "office.db")
        self.database = Database(url)
        key = new_key()
        self.key = key.reveal()
        self.keyring = Keyring([key], "the test")
        numbers = itertools.count(1)
        self.house = House(
            region="us-east-1",
            clouds=("hotel", "sierra"),
            default_cloud=default_cloud,
            limits=limits or Limits(),
            keyring=self.keyring,
            page_tokens=PageTokens(b"sealing wax"),
            fragments=FragmentCache(),
            holdings=Holdings(),
            new_id=lambda: f"00000000-0000-4000-8000-{next(numbers):012d}",
            cloud_kinds={"hotel": "ec2", "sierra": "local"},
        )
        self.ledger = SqlLedger(self.database, self.keyring, self.house.new_id)
        self.user = self.add_user("alice", "AKIAALICEALICEALICE1", "111111111111")
        self.woken: list[str] = []
        all_operations()

    def add_user(self, name: str, access_key_id: str, account_id: str) -> User:
        """A further user."""
        settings = UserSettings(
            name=name, access_key_id=access_key_id, secret_access_key=Secret(SECRET), account_id=account_id
        )
        return self.database.write_now(lambda connection: add_user(connection, self.keyring, settings, self.now))

    def call(self, operation: str, user: User | None = None, /, **params: Any) -> dict[str, Any]:
        """What a botocore client would read of the answer. Raises ApiError."""
        model = service().operations[operation]
        validate(model, params)
        handler = find_handler(operation)

        def job(connection: Any) -> str:
            desk = Desk(self.house, user or self.user, self.now, connection)
            result = handler.call(desk, params)
            if handler.writes:
                self.woken = desk.woken
            return encode_result(model, result, request_id="r", namespace=namespace_for(None))

        document = self.database.write_now(job) if handler.writes else self.database.read_now(job)
        response = {"body": document.encode(), "headers": {}, "status_code": 200}
        parsed = create_parser("query").parse(response, MODEL.operation_model(operation).output_shape)
        parsed.pop("ResponseMetadata")
        return dict(parsed)

    def create_launch_configuration(self, name: str = "web@hotel", /, **more: Any) -> None:
        """A launch configuration with what AWS requires."""
        self.call(
            "CreateLaunchConfiguration",
            **{"LaunchConfigurationName": name, "ImageId": "hello", "InstanceType": "m1.small", **more},
        )

    def create_group(self, name: str = "web", **more: Any) -> None:
        """A group of 1 to 4 instances that wants 2."""
        params: Mapping[str, Any] = {
            "AutoScalingGroupName": name,
            "LaunchConfigurationName": "web@hotel",
            "MinSize": 1,
            "MaxSize": 4,
            "DesiredCapacity": 2,
            "AvailabilityZones": ["us-east-1a"],
            **more,
        }
        self.call("CreateAutoScalingGroup", **params)

    def group(self, name: str = "web", user: User | None = None) -> dict[str, Any]:
        """The group as a client sees it."""
        found = self.call("DescribeAutoScalingGroups", user, AutoScalingGroupNames=[name])["AutoScalingGroups"]
        assert len(found) == 1
        return dict(found[0])

    def uid(self, name: str = "web") -> str:
        """The uid of the user's group."""
        row = self.database.read_now(lambda connection: groups.find(connection, self.user.id, name))
        assert row is not None
        return row.uid

    def record(self, name: str = "web") -> GroupRecord:
        """The group as the reconciler sees it."""
        found = asyncio.run(self.ledger.read(self.uid(name)))
        assert found is not None
        return found

    def fill(self, name: str = "web", cloud: str = "hotel", place: str | None = None) -> list[str]:
        """The ids of the instances launched until the group has what it wants, as the reconciler would have done."""
        return asyncio.run(self.fill_now(name, cloud, place))

    def bury_all(self, name: str = "web") -> None:
        """Nothing; the machines of every Terminating instance are gone."""

        async def bury() -> None:
            record = await self.ledger.read(self.uid(name))
            assert record is not None
            keys = [member.key for member in record.instances if not member.state.counts]
            await self.ledger.bury(keys, ["gone"] * len(keys), 0, self.now)

        asyncio.run(bury())

    def later(self, seconds: float) -> None:
        """Nothing; time has passed."""
        self.now += timedelta(seconds=seconds)

    def close(self) -> None:
        """Nothing; threads have ended."""
        self.database.close()

    async def fill_now(self, name: str = "web", cloud: str = "hotel", place: str | None = None) -> list[str]:
        """As ``fill``, for a test that has a loop."""
        uid = self.uid(name)
        record = await self.ledger.read(uid)
        assert record is not None
        missing = record.group.desired - sum(member.state.counts for member in record.instances)
        token = self.house.new_id()
        tokens = [(token, index) for index in range(missing)]
        claims = await self.ledger.claim(
            uid, record.group.generation, cloud, tokens, ["because"] * missing, 0, self.now, place
        )
        ids = []
        for claim in claims:
            instance_id = f"i-{claim.key:017x}"
            machine = Machine(instance_id, MachineState.RUNNING, None, self.now)
            assert await self.ledger.bind(claim.key, machine, instance_id, self.now)
            ids.append(instance_id)
        return ids

    def states(self, name: str = "web") -> list[str]:
        """The state of every instance of the group, claims included, oldest first."""
        row = self.database.read_now(lambda connection: groups.find(connection, self.user.id, name))
        assert row is not None
        members = self.database.read_now(lambda connection: instances.of_group(connection, row.id))
        return [member.state for member in members]
