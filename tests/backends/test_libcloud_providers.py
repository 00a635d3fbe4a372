"""What each tested provider promises as every cloud does, over servers that answer as its documentation says."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from backends.cloud import LaunchSpec
from backends.errors import Ambiguous, CloudError, Refused
from backends.via_libcloud import FIRST_CLASS, Account, DriverProvider, LibcloudCloud, Limits, Wants, rows
from tests.backends.contract import (
    GATEWAY,
    TOKEN_A,
    CloudContract,
    FarContract,
    PlainContract,
    Promises,
    RestartContract,
    RoomContract,
    Site,
    ToldContract,
    mark,
)
from tests.fake_ec2.serving import Served
from tests.fake_providers import complex as jobs
from tests.fake_providers import simple
from tests.fake_providers.shelf import Shelf, reached

LIMITS = Limits(visible_after_s=0.0, read_timeout_s=10.0, connect_timeout_s=1.0)


def pem() -> str:
    """A private key, as a service account of Google's has one."""
    key = rsa.generate_private_key(65537, 2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


@dataclass(frozen=True)
class Case:
    """One provider: its server, what is configured of it, and what is launched there."""

    driver: str
    serves: Callable[[Shelf], web.Application]
    spec: LaunchSpec
    wants: dict[str, Any] = field(default_factory=dict)
    bad_image: str = simple.NO_IMAGE


CASES = (
    Case("digitalocean", simple.digitalocean, LaunchSpec("debian-12-x64", "s-1vcpu-1gb"), {"location": "fra1"}),
    Case("vultr", simple.vultr, LaunchSpec("477", "vc2-1c-1gb"), {"location": "fra"}),
    Case("linode", simple.linode, LaunchSpec("linode/debian12", "g6-nanode-1"), {"location": "eu-central"}),
    Case("scaleway", simple.scaleway, LaunchSpec("debian-image", "DEV1-S"), {"location": "par1"}),
    Case("gce", jobs.gce, LaunchSpec("debian-12", "small"), {"location": "north-a", "options": {"project": "demo"}}),
    Case(
        "azure_arm",
        jobs.azure,
        LaunchSpec("Debian:debian-12:12:latest", "Standard_B1s"),
        {
            "location": "north",
            "network": "net",
            "options": {"tenant_id": "t-1", "subscription_id": "s-1", "resource_group": "web"},
        },
        bad_image=f"Debian:{simple.NO_IMAGE}:12:latest",
    ),
    Case("cloudstack", jobs.cloudstack, LaunchSpec("tiny", "small"), {"location": "zone-one"}),
)

SIMPLE = tuple(case for case in CASES if case.driver not in {"gce", "azure_arm", "cloudstack"})


class ProviderSite(Site):
    """A provider's server in this loop."""

    def __init__(self, case: Case, shelf: Shelf, served: Served, secret: str) -> None:
        self.shelf, self.served = shelf, served
        self._case, self._secret = case, secret
        super().__init__(self.opened())

    def opened(self) -> LibcloudCloud:
        """A cloud over it."""
        case = self._case
        url: dict[str, Any] = {"endpoint_url": f"{self.served.url}/client/api"} if case.driver == "cloudstack" else {}
        secret = self._secret if case.driver == "gce" else "token-of-the-operator"
        account = Account("robot@demo.iam.gserviceaccount.com", secret)
        provider = DriverProvider(case.driver, account, Wants(**case.wants, **url), lambda: datetime.now(UTC))
        return LibcloudCloud("far", provider, account, LIMITS, GATEWAY, clock=lambda: datetime.now(UTC))

    async def reopen(self) -> None:
        """See the suite."""
        await self.cloud.close()
        self.cloud = self.opened()

    async def leave_room(self, count: int) -> None:
        """See the suite."""
        self.shelf.room = count

    async def user_data(self, machine_id: str) -> bytes:
        """What was ordered, decoded."""
        return self.shelf.machines[machine_id].user_data

    async def go_dark(self) -> None:
        """See the suite."""
        await self.served.go_dark()


@pytest.fixture(scope="module")
def secret() -> str:
    """A secret that serves for all."""
    return pem()


class OverProvider(Promises):
    """Promises of a provider: what its case says, and its server."""

    case: Case
    denies_by_id = True

    @pytest.fixture
    async def site(self, case, secret, monkeypatch):
        """A provider that has nothing yet."""
        monkeypatch.setattr(rows, "AZURE_POLL_S", 0)
        monkeypatch.setattr("libcloud.common.base.PollingConnection.poll_interval", 0.01)
        monkeypatch.setattr("libcloud.common.cloudstack.CloudStackConnection.poll_interval", 0.01)
        self.case = case
        # Google's are asked for by their names, and CloudStack's driver by lists.
        self.denies_by_id = case.driver not in {"gce", "cloudstack"}
        self.spec = case.spec
        self.bad_spec = LaunchSpec(case.bad_image, case.spec.instance_type)
        shelf = Shelf()
        async with reached(case.serves(shelf), shelf, monkeypatch) as served:
            site = ProviderSite(case, shelf, served, secret)
            yield site
            await site.cloud.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.driver)
class TestProviderContract(
    OverProvider, CloudContract, RestartContract, RoomContract, ToldContract, PlainContract, FarContract
):
    """The promises. What is destroyed is not listed any more, and no probe lists an image of these small providers."""

    lists_the_dead = False
    test_token_of_a_dead_machine_launches_nothing = None  # type: ignore[assignment]
    test_probe_says_what_there_is = None  # type: ignore[assignment]

    async def test_user_data_reaches_the_machine(self, cloud, site):
        """Octet by octet; Scaleway's driver cannot tell a machine anything, and refuses to try."""
        if self.case.driver != "scaleway":
            await super().test_user_data_reaches_the_machine(cloud, site)
            return
        with pytest.raises(Refused, match="has no user data; leave them out"):
            await cloud.launch(dataclasses.replace(self.spec, user_data=b"x"), 1, TOKEN_A, mark(TOKEN_A))

    async def test_machines_get_addresses_of_their_own(self, cloud):
        """No two machines share an address; Azure's would cost two more calls for each machine of each look."""
        launched = await cloud.launch(self.spec, 3, TOKEN_A, mark(TOKEN_A))

        assert len({machine.private_ip for machine in launched} - {None}) == (
            0 if self.case.driver == "azure_arm" else 3
        )

    async def test_all_pages_are_read(self, cloud, site):
        """What is on a second page is not dead."""
        site.shelf.page_size = 2
        await cloud.launch(self.spec, 5, TOKEN_A, mark(TOKEN_A))

        assert len((await cloud.sweep()).machines) == 5

    async def test_probe_answers(self, cloud):
        """Places and sizes may be few, but the provider is there and nothing is wrong."""
        probe = await cloud.probe()

        assert (probe.reachable, probe.findings) == (True, ())


@pytest.mark.parametrize("case", SIMPLE, ids=lambda case: case.driver)
class TestOrdersOfOneRequest(OverProvider):
    """What can be shown where an order is one request; elsewhere it is several of one kind, the first about a disk."""

    async def test_an_order_whose_answer_is_lost_is_in_doubt(self, cloud, site):
        """The machine is there, the answer says 502: that is neither a refusal nor a machine; a repetition finds it."""
        site.shelf.fails = {"POST": 502}

        with pytest.raises(Ambiguous):
            await cloud.launch(self.spec, 1, TOKEN_A, mark(TOKEN_A))
        (machine,) = await cloud.launch(self.spec, 1, TOKEN_A, mark(TOKEN_A))

        assert list(site.shelf.machines) == [machine.machine_id]


async def test_a_secret_in_a_wrong_place_is_not_shown(secret, monkeypatch):
    """A private key given as a token was quoted, with its line ends escaped, in the error that reached activities."""
    shelf = Shelf()
    async with reached(simple.digitalocean(shelf), shelf, monkeypatch):
        account = Account("token", secret)
        provider = DriverProvider("digitalocean", account, Wants(location="fra1"), lambda: datetime.now(UTC))
        cloud = LibcloudCloud("far", provider, account, LIMITS, GATEWAY, clock=lambda: datetime.now(UTC))
        with pytest.raises(CloudError) as raised:
            await cloud.sweep()
        await cloud.close()

    assert not [line for line in secret.splitlines() if line in str(raised.value)]


def test_every_first_class_driver_is_tested():
    """A driver is called tested only when it is."""
    assert tuple(case.driver for case in CASES) == FIRST_CLASS
