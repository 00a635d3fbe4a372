"""
Accounts: whose credentials a user's groups launch with, and that nothing is forgotten when they change.

Owns: the book over real records, with clouds in memory. Does not own: the commands (``test_cli_accounts``).
"""

import asyncio
import dataclasses
import logging
import random
from datetime import datetime
from pathlib import Path

import boto3
import pytest
import sqlalchemy as sa
from botocore.config import Config as ClientConfig

from backends.cloud import Cloud
from backends.errors import CloudError, Unreachable
from backends.sim import SimCloud
from phantom_gateway import clock
from phantom_gateway.accounts import RETIRED_KEPT_S, GatewayAccounts, seal, unseal
from phantom_gateway.app import serving
from phantom_gateway.config import Config, load
from phantom_gateway.credentials import Credentials
from phantom_gateway.installation import Installation, open_installation
from phantom_gateway.keyring import Keyring, new_key
from phantom_gateway.records import accounts, users
from phantom_gateway.records.accounts import AccountState, StoredAccount
from phantom_gateway.records.tables import instances, metadata
from phantom_gateway.records.users import User
from phantom_gateway.secret import Secret
from tests.phantom_gateway.office import NOW, SECRET, Office
from tests.support.waiting import wait_for

CONFIG = """\
[clouds.hotel]
kind = "ec2"
endpoint_url = "http://127.0.0.1:1"
access_key_id = "AKIAOPERATOR"
secret_access_key = "operators secret"
vms_per_cloud_max = 7
launches_per_minute_max = 30

[clouds.sierra]
kind = "ec2"
endpoint_url = "http://127.0.0.1:1"

[clouds.alamo]
kind = "local"
"""


class TestCloud(SimCloud):
    """A cloud in memory that knows with which credentials it was made, and whether it was closed."""

    __test__ = False

    def __init__(self, name: str, access_key_id: str, seed: int = 1) -> None:
        super().__init__(name, clock=lambda: NOW, random=random.Random(seed))
        self.access_key_id = access_key_id
        self.closed = False

    async def close(self) -> None:
        """Nothing; that it happened is kept."""
        self.closed = True


def own_cloud(_config: Config, _id: str, _clock: object, name: str, credentials: Credentials) -> TestCloud:
    """What a user's credentials reach."""
    return TestCloud(name, credentials.access_key_id)


class Books:
    """An office with an account book: *alice* has groups, *bob* is another user."""

    def __init__(self, office: Office, directory: Path) -> None:
        path = directory / "phantom.toml"
        path.write_text(CONFIG)
        self.office = office
        self.alice, self.bob = office.user, office.add_user("bob", "AKIABOBBOBBOBBOBBOB1", "222222222222")
        self.installation = Installation(
            load(path, {"HOME": str(directory)}), office.database, office.keyring, "0" * 12, b""
        )
        self.hotel = TestCloud("hotel", "AKIAOPERATOR")
        self.book = self.opened()

    def opened(self) -> GatewayAccounts:
        """A book as a gateway makes it at its start."""
        return GatewayAccounts(self.installation, {"hotel": self.hotel}, lambda: self.office.now, own_cloud)

    def set(self, user: User, key_id: str, cloud: str = "hotel", keyring: Keyring | None = None) -> StoredAccount:
        """Nothing; the user has these credentials."""
        text = seal(keyring or self.office.keyring, Credentials(key_id, Secret("users secret")))
        return self.office.database.write_now(
            lambda c: accounts.put(c, user.id, cloud, credentials_sealed=text, key_name=None, now=self.office.now)
        )

    def remove(self, user: User, cloud: str = "hotel") -> None:
        """Nothing; the user's credentials are gone."""
        row = self.row(user, cloud)
        assert row is not None
        self.office.database.write_now(lambda c: accounts.remove(c, row, self.office.now))

    def row(self, user: User, cloud: str = "hotel") -> StoredAccount | None:
        """What the records say."""
        return self.office.database.read_now(lambda c: accounts.find(c, user.id, cloud))

    def state(self, user: User, cloud: str = "hotel") -> AccountState | None:
        """The state of the user's account."""
        row = self.row(user, cloud)
        return None if row is None else row.state

    async def launch(self) -> None:
        """Nothing; alice has two VMs on hotel."""
        self.office.create_launch_configuration()
        self.office.create_group()
        await self.office.fill_now("web", "hotel")

    def bury(self) -> None:
        """Nothing; no VM is left."""
        self.office.database.write_now(lambda c: c.execute(instances.delete()))

    def used(self, user: User, cloud: str = "hotel") -> str | None:
        """The key with which the user launches there; "closed" when nobody does, None when there is no account."""
        account = self.book.account(user.id, cloud)
        if account is None:
            return None
        return account.cloud.access_key_id if isinstance(account.cloud, TestCloud) else "closed"

    def watched(self) -> list[str]:
        """Every account that is watched."""
        return [account.key for account in self.book.accounts()]


@pytest.fixture
def books(office: Office, tmp_path: Path) -> Books:
    """Books with nothing in them."""
    return Books(office, tmp_path)


async def test_users_launch_with_their_own_credentials_else_with_the_operators(books: Books) -> None:
    """A user's own come first, on that cloud alone; others notice nothing."""
    books.set(books.alice, "AKIAALICE")
    books.set(books.bob, "AKIABOB", "sierra")
    await books.book.refresh()

    assert (books.used(books.alice), books.used(books.bob)) == ("AKIAALICE", "AKIAOPERATOR")
    assert (books.used(books.alice, "sierra"), books.used(books.bob, "sierra")) == (None, "AKIABOB")
    assert books.used(books.alice, "nowhere") is None
    assert books.watched() == ["hotel", "hotel/alice", "sierra/bob"]


async def test_an_account_keeps_its_clouds_name(books: Books) -> None:
    """Activities and explanations name the cloud, whoever's account it is."""
    books.set(books.alice, "AKIAALICE")
    await books.book.refresh()

    assert {account.cloud.name for account in books.book.accounts()} == {"hotel"}


async def test_every_account_has_the_budget_of_its_cloud(books: Books) -> None:
    """The ceilings of the configuration hold for each account alone."""
    books.set(books.alice, "AKIAALICE")
    books.set(books.bob, "AKIABOB", "sierra")
    await books.book.refresh()

    assert {a.key: (a.vms_max, a.launches_per_minute_max) for a in books.book.accounts()} == {
        "hotel": (7, 30.0),
        "hotel/alice": (7, 30.0),
        "sierra/bob": (1000, 120.0),
    }


async def test_new_credentials_are_used_after_a_round_without_any(books: Books) -> None:
    """A pass under way may still claim VMs in the operator's account, so the cloud is closed for one round."""
    await books.book.refresh()
    books.set(books.alice, "AKIAALICE")
    before = books.used(books.alice)
    await books.book.refresh()
    between = books.used(books.alice)
    await books.book.refresh()

    assert (before, between, books.used(books.alice)) == ("AKIAOPERATOR", "closed", "AKIAALICE")
    assert books.state(books.alice) is AccountState.USED


async def test_a_vm_claimed_in_that_round_keeps_the_operators_account(books: Books) -> None:
    """What was launched there meanwhile must be found there."""
    await books.book.refresh()
    books.set(books.alice, "AKIAALICE")
    await books.book.refresh()
    await books.launch()
    await books.book.refresh()

    assert books.used(books.alice) == "AKIAOPERATOR"
    assert books.state(books.alice) is AccountState.WAITING


@pytest.mark.parametrize("restarted", [pytest.param(False, id="running"), pytest.param(True, id="restarted")])
async def test_credentials_wait_for_the_last_vm_in_the_operators_account(books: Books, restarted: bool) -> None:
    """In the new account the VMs would be missing, which is taken for death: so the old one is used to their end."""
    await books.launch()
    await books.book.refresh()
    books.set(books.alice, "AKIAALICE")
    await books.book.refresh()
    if restarted:
        books.book = books.opened()
        await books.book.refresh()
    waiting = books.used(books.alice)
    books.bury()
    await books.book.refresh()
    await books.book.refresh()

    assert (waiting, books.used(books.alice)) == ("AKIAOPERATOR", "AKIAALICE")


async def test_changed_credentials_make_another_cloud_under_the_same_key(books: Books) -> None:
    """VMs keep their ids; the former cloud is closed when its last call must have ended."""
    books.set(books.alice, "AKIAALICE")
    await books.book.refresh()
    await books.launch()
    former = books.book.account(books.alice.id, "hotel")
    books.set(books.alice, "AKIANEWER")
    groups = await books.book.refresh()
    latter = books.book.account(books.alice.id, "hotel")
    assert former is not None
    assert latter is not None
    assert isinstance(former.cloud, TestCloud)
    open_still = not former.cloud.closed
    books.office.later(RETIRED_KEPT_S + 1)
    await books.book.refresh()

    assert groups == [books.office.uid()]
    assert (books.used(books.alice), latter.key) == ("AKIANEWER", former.key)
    assert open_still
    assert former.cloud.closed


async def test_nothing_changes_while_the_records_do_not(books: Books) -> None:
    """Sealing with another key is no change of credentials: sweeps go on undisturbed, and no group is waked."""
    row = books.set(books.alice, "AKIAALICE")
    await books.book.refresh()
    before = books.book.account(books.alice.id, "hotel")
    assert row.credentials_sealed is not None
    again = books.office.keyring.rotate(row.credentials_sealed)
    books.office.database.write_now(
        lambda c: c.execute(metadata.tables["accounts"].update().values(credentials_sealed=again))
    )

    assert await books.book.refresh() == []
    assert books.book.account(books.alice.id, "hotel") is before


async def test_removed_credentials_give_way_to_the_operators(books: Books) -> None:
    """Without VMs there, one round is waited for claims of a pass under way, then no trace is left."""
    books.set(books.alice, "AKIAALICE")
    await books.book.refresh()
    books.remove(books.alice)
    await books.book.refresh()
    between = books.used(books.alice)
    await books.book.refresh()

    assert (between, books.used(books.alice)) == ("closed", "AKIAOPERATOR")
    assert books.row(books.alice) is None
    assert books.watched() == ["hotel"]


@pytest.mark.parametrize("restarted", [pytest.param(False, id="running"), pytest.param(True, id="restarted")])
async def test_vms_of_removed_credentials_are_unreachable_and_not_forgotten(
    books: Books, restarted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The account stays watched and blind, nothing is launched elsewhere in its stead, and it is said why."""
    caplog.set_level(logging.WARNING)
    books.set(books.alice, "AKIAALICE")
    await books.book.refresh()
    await books.launch()
    books.remove(books.alice)
    for _ in range(3):
        await books.book.refresh()
    if restarted:
        books.book = books.opened()
        await books.book.refresh()
    account = books.book.account(books.alice.id, "hotel")
    assert account is not None

    assert account.key in books.watched()
    with pytest.raises(Unreachable, match="credentials of alice were removed"):
        await account.cloud.sweep()
    assert "account.unreachable" in caplog.messages
    row = books.row(books.alice)
    assert row is not None
    assert row.credentials_sealed is None


async def test_credentials_set_again_reach_the_vms_that_were_left(books: Books) -> None:
    """Nothing stands in the way: the VMs are in that account."""
    books.set(books.alice, "AKIAALICE")
    await books.book.refresh()
    await books.launch()
    books.remove(books.alice)
    await books.book.refresh()
    books.set(books.alice, "AKIAALICE")
    await books.book.refresh()

    assert books.used(books.alice) == "AKIAALICE"


async def test_credentials_that_no_key_opens_close_that_account_alone(books: Books) -> None:
    """The user's VMs are not looked for elsewhere; when they can be opened, all goes on without a restart."""
    lost = Keyring([new_key()], "a lost one")
    row = books.set(books.alice, "AKIAALICE", keyring=lost)
    books.set(books.bob, "AKIABOB")
    await books.book.refresh()
    before = books.used(books.alice), books.used(books.bob)
    credentials = unseal(lost, row)
    assert credentials is not None
    text = seal(books.office.keyring, credentials)
    books.office.database.write_now(
        lambda c: c.execute(
            metadata.tables["accounts"].update().where(sa.column("id") == row.id).values(credentials_sealed=text)
        )
    )
    await books.book.refresh()

    assert before == ("closed", "AKIABOB")
    assert books.used(books.alice) == "AKIAALICE"


async def test_an_account_on_a_cloud_of_no_credentials_is_left_alone(books: Books) -> None:
    """A cloud whose kind was changed in the configuration, or that is gone from it, has no users' accounts."""
    books.set(books.alice, "AKIAALICE", "alamo")
    books.set(books.alice, "AKIAALICE", "gone")
    await books.book.refresh()

    assert books.watched() == ["hotel"]


async def test_a_user_who_is_removed_leaves_no_account(books: Books) -> None:
    """Credentials go with their user."""
    books.set(books.bob, "AKIABOB")
    await books.book.refresh()
    books.office.database.write_now(lambda c: users.remove(c, books.bob.id))
    await books.book.refresh()

    assert books.watched() == ["hotel"]
    assert books.row(books.bob) is None


async def test_closing_the_book_closes_users_clouds_and_not_the_operators(books: Books) -> None:
    """Who made a cloud closes it."""
    books.set(books.alice, "AKIAALICE")
    await books.book.refresh()
    own = books.book.account(books.alice.id, "hotel")
    assert own is not None
    await books.book.close()

    assert isinstance(own.cloud, TestCloud)
    assert (own.cloud.closed, books.hotel.closed) == (True, False)


async def test_a_closed_cloud_answers_no_verb(books: Books) -> None:
    """Nothing is concluded and nothing done where nobody can look; a check says why."""
    books.set(books.alice, "AKIAALICE", keyring=Keyring([new_key()], "a lost one"))
    await books.book.refresh()
    account = books.book.account(books.alice.id, "hotel")
    assert account is not None
    cloud = account.cloud

    for verb in (cloud.sweep(), cloud.terminate(["i-1"])):
        with pytest.raises(CloudError):
            await verb
    assert (await cloud.probe()).findings == ("the credentials of alice cannot be opened",)
    await cloud.close()


async def test_no_secret_is_in_the_database_as_text(books: Books) -> None:
    """Whoever reads the file without the keys learns neither half of a key."""
    books.set(books.alice, "AKIAALICE")
    everything = books.office.database.read_now(
        lambda c: repr([list(c.execute(sa.select(table))) for table in metadata.tables.values()])
    )

    assert "users secret" not in everything
    assert "AKIAALICE" not in everything.replace(books.alice.access_key_id, "")


def test_stored_credentials_are_not_shown(books: Books) -> None:
    """Neither half is in any text about them."""
    row = books.set(books.alice, "AKIAALICE")
    credentials = unseal(books.office.keyring, row)

    assert "AKIAALICE" not in f"{row} {credentials}"
    assert "users secret" not in f"{row} {credentials}"
    assert credentials == Credentials("AKIAALICE", Secret("users secret"))


# --- A whole gateway --------------------------------------------------------------------------------------------------

SERVED = """\
state_directory = "state"

[server]
port = 0

[reconciler]
sweep_interval_s = 0.5

[clouds.hotel]
kind = "ec2"
endpoint_url = "http://127.0.0.1:1"
"""


def grow(port: int, access_key_id: str, size: int) -> list[str]:
    """The ids of the *size* instances that a user's group *web* gets."""
    client = boto3.client(
        "autoscaling",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id=access_key_id,
        aws_secret_access_key=SECRET,
        config=ClientConfig(retries={"total_max_attempts": 1}),
    )
    client.create_launch_configuration(LaunchConfigurationName="web@hotel", ImageId="x", InstanceType="m1.small")
    client.create_auto_scaling_group(
        AutoScalingGroupName="web",
        LaunchConfigurationName="web@hotel",
        MinSize=0,
        MaxSize=9,
        DesiredCapacity=size,
        AvailabilityZones=["hotel"],
    )

    def in_service() -> list[str]:
        (group,) = client.describe_auto_scaling_groups(AutoScalingGroupNames=["web"])["AutoScalingGroups"]
        return [each["InstanceId"] for each in group["Instances"] if each["LifecycleState"] == "InService"]

    return wait_for(lambda: found if len(found := in_service()) == size else [], f"{size} instances")


async def test_users_of_one_cloud_with_accounts_of_their_own_share_nothing(tmp_path: Path) -> None:
    """Each one's VMs are in the account of that user, and none is in the other's."""
    path = tmp_path / "phantom.toml"
    keys = {"alice": "AKIAALICEALICEALICE1", "bob": "AKIABOBBOBBOBBOBBOB1"}
    tables = (
        f'[[users]]\nname = "{name}"\naccess_key_id = "{key}"\nsecret_access_key = "{SECRET}"\n'
        for name, key in keys.items()
    )
    path.write_text(SERVED + "\n".join(tables))
    config = load(path, {})
    reached: dict[str, SimCloud] = {}

    def own(_config: Config, _id: str, now: object, name: str, credentials: Credentials) -> Cloud:
        assert callable(now)
        seed = len(reached)
        reached[credentials.access_key_id] = SimCloud(name, clock=now, random=random.Random(seed))
        return reached[credentials.access_key_id]

    installation = open_installation(config, {}, clock.now())

    def job(connection: sa.Connection, at: datetime) -> None:
        for user in users.everyone(connection):
            text = seal(installation.keyring, Credentials(f"own-{user.name}", Secret("x")))
            accounts.put(connection, user.id, "hotel", credentials_sealed=text, key_name=None, now=at)

    installation.database.write_now(lambda c: job(c, clock.now()))
    installation.close()

    async with serving(config, {}, own_cloud_of=own) as running:
        ids = {
            name: await asyncio.to_thread(grow, running.port, key, size)
            for (name, key), size in zip(keys.items(), (2, 3), strict=True)
        }

    assert {name: sorted(life.machine_id for life in cloud.ledger) for name, cloud in reached.items()} == {
        f"own-{name}": sorted(found) for name, found in ids.items()
    }
    assert running.clouds == {}


def test_credentials_are_values() -> None:
    """What one part was handed, no other part changes."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Credentials("a", Secret("b")).key_name = "c"  # type: ignore[misc]  # that it is refused is the test
