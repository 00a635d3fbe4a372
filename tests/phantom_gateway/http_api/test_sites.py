"""Sites: what a cloud offers, and what is said when it cannot be asked; key pairs that are imported."""

import asyncio
import random
from functools import partial
from typing import Any

import pytest

from backends.cloud import CloudTraits, Probe
from backends.sim import Habits, SimCloud
from phantom_gateway.operations.http_api import sites
from phantom_gateway.probes import KEPT_S, Probes
from phantom_gateway.records.sensors import Rollup, SeriesName, add, minute_of
from tests.backends.ec2_endpoint import cloud_at
from tests.phantom_gateway.http_api.counter import Counter
from tests.phantom_gateway.office import NOW
from tests.support.moto import MotoServer, skip_without_moto

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJyrLiYZXX9Cb1M9pvtKjGYjCEdyFMLnmjDJ4zTGPhMv alice@example.org"


def sim(name: str, *images: str) -> SimCloud:
    """A cloud in memory with these images."""
    return SimCloud(name, clock=lambda: NOW, random=random.Random(1), habits=Habits(images=frozenset(images)))


class SilentCloud(SimCloud):
    """A cloud that is asked, and never says anything."""

    async def probe(self) -> Probe:
        """Never anything."""
        await asyncio.get_running_loop().create_future()
        raise AssertionError


async def test_details_are_asked_for(counter: Counter) -> None:
    """Without details no cloud is asked; with them each says what it has, or why it cannot."""
    counter.accounts.clouds = {"sierra": sim("sierra", "hello", "other")}

    plain = (await counter.call("GET", "/sites")).json
    hotel, sierra = (await counter.call("GET", "/sites?details=true")).json
    one = (await counter.call("GET", "/sites/sierra?details=True")).json

    assert "type" not in plain[0]
    assert (sierra["type"], sierra["public_images"], sierra["user_images"]) == ("local", ["hello", "other"], [])
    assert (sierra["instance_types"], sierra["image_generation"], sierra["error"]) == (["any"], False, None)
    assert one == sierra
    assert (hotel["user_images"], hotel["instance_types"]) == ([], [])
    assert hotel["error"] == "alice has no credentials on hotel, and neither has the operator."


async def test_a_cloud_that_is_down_is_told_to_whom_it_concerns(counter: Counter) -> None:
    """A user reads why his own account cannot be used; of the operator's he reads that it cannot."""
    counter.accounts.clouds = {"hotel": sim("hotel"), "sierra": sim("sierra")}
    counter.accounts.own = {"hotel"}
    for cloud in counter.accounts.clouds.values():
        assert isinstance(cloud, SimCloud)
        cloud.faults.outage = True

    hotel, sierra = (await counter.call("GET", "/sites?details=true")).json

    assert hotel["error"] == "cloud 'hotel' is down: end its outage"
    assert sierra["error"] == "sierra cannot be asked with the operator's credentials; the operator's check says why."


async def test_a_silent_cloud_is_waited_for_within_a_limit(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the limit there are empty lists, and the answer says who did not answer."""
    monkeypatch.setattr(sites, "DETAILS_S_MAX", 0.05)
    counter.accounts.clouds = {"sierra": SilentCloud("sierra", clock=lambda: NOW, random=random.Random(1))}

    reply = await counter.call("GET", "/sites/sierra?details=true")

    assert reply.status == 200
    assert (reply.json["public_images"], reply.json["error"]) == ([], "sierra did not answer within 0 s.")


async def test_a_cloud_is_not_asked_again_and_again() -> None:
    """Ten people who ask at once are one question to the cloud; it is asked again when the answer is old."""
    asked = 0

    class Counted(SimCloud):
        async def probe(self) -> Probe:
            nonlocal asked
            asked += 1
            await asyncio.sleep(0)
            return Probe(reachable=True)

    cloud = Counted("hotel", clock=lambda: NOW, random=random.Random(1))
    probes = Probes()

    await asyncio.gather(*(probes.of(cloud, 10.0) for _ in range(10)))
    probes._asked[cloud].at_s -= KEPT_S
    await probes.of(cloud, 10.0)

    assert asked == 2


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A real EC2 endpoint that we did not write."""
    skip_without_moto()
    with MotoServer(tmp_path_factory.mktemp("moto")) as server:
        yield server


async def test_a_key_is_imported_into_the_users_own_account(counter: Counter, moto: MotoServer) -> None:
    """201 with what was sent, the endpoint has the key pair, and a second one is refused with its own words."""
    ec2 = moto.client()
    for left in ec2.describe_key_pairs()["KeyPairs"]:
        ec2.delete_key_pair(KeyName=left["KeyName"])
    ec2.import_key_pair(KeyName="before", PublicKeyMaterial=KEY.encode())  # its first one takes seconds, busy machines
    async with cloud_at(moto.url, read_timeout_s=30.0) as cloud:
        counter.accounts.clouds, counter.accounts.own = {"hotel": cloud}, {"hotel"}
        body = {"name": "phantomkey", "key": KEY + "\n"}

        made = await counter.call("POST", "/sites/hotel/sshkeys", body)
        again = await counter.call("POST", "/sites/hotel/sshkeys", body)

        assert (made.status, made.json) == (201, body)
        assert {pair["KeyName"] for pair in ec2.describe_key_pairs()["KeyPairs"]} == {"before", "phantomkey"}
        assert (again.status, again.json["error"]) == (400, "BadRequest")
        assert "InvalidKeyPair.Duplicate" in again.json["message"]
        assert set(await cloud.key_pairs()) == {"before", "phantomkey"}


@pytest.mark.parametrize("site", ["hotel", "sierra"])
async def test_nobody_imports_keys_into_the_operators_account(counter: Counter, site: str) -> None:
    """There a key would be used by everybody's VMs: clear 400, and nothing is sent."""
    counter.accounts.clouds = {"hotel": sim("hotel"), "sierra": sim("sierra")}

    reply = await counter.call("POST", f"/sites/{site}/sshkeys", {"name": "phantomkey", "key": KEY})

    assert reply.status == 400
    assert "your own account" in reply.json["message"]


async def test_an_endpoint_that_is_away_is_not_the_clients_fault(counter: Counter) -> None:
    """Nobody listens there: 502 says that it is the cloud."""
    async with cloud_at("http://127.0.0.1:1") as cloud:
        counter.accounts.clouds, counter.accounts.own = {"hotel": cloud}, {"hotel"}

        reply = await counter.call("POST", "/sites/hotel/sshkeys", {"name": "phantomkey", "key": KEY})

    assert (reply.status, reply.json["error"]) == (502, "BadGateway")
    assert isinstance(cloud.traits, CloudTraits)


async def test_sensors_are_listed_by_name(counter: Counter) -> None:
    """The known metrics, each with its address; an unknown one is a 404 in the original's words."""
    every = (await counter.call("GET", "/sensors")).json
    one = await counter.call("GET", "/sensors/proc.loadavg.1min")
    none = await counter.call("GET", "/sensors/nothing")

    assert [sensor["id"] for sensor in every] == sorted(sensor["id"] for sensor in every)
    assert one.json == {"id": "proc.loadavg.1min", "uri": "/api/dev/sensors/proc.loadavg.1min"}
    assert one.json in every
    assert (none.status, none.json["message"]) == (404, "Sensor 'nothing' does not exist")


async def test_what_was_received_is_a_sensor_of_ones_own(counter: Counter) -> None:
    """A metric that somebody's instances send can be chosen by him, and another user does not see it."""
    office = counter.office
    bob = office.add_user("bob", "AKIABOBBOBBOBBOBBOB1", "222222222222")

    def rollup(user_id: int, metric: str) -> Rollup:
        return Rollup(user_id, SeriesName("uid", 1, metric), minute_of(NOW), 1, 1.0, 1.0, 1.0, 1.0, NOW)

    rollups = [rollup(office.user.id, name) for name in ("queue.depth", "queue/depth")] + [rollup(bob.id, "bobs")]
    office.database.write_now(partial(add, rollups=rollups, series_per_user_max=10, now=NOW))

    every = {sensor["id"] for sensor in (await counter.call("GET", "/sensors")).json}
    one = await counter.call("GET", "/sensors/queue.depth")

    assert "queue.depth" in every
    assert not every & {"bobs", "queue/depth"}  # another user's, and one whose name cannot be an address
    assert one.json == {"id": "queue.depth", "uri": "/api/dev/sensors/queue.depth"}
