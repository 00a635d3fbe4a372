"""VMs of domains in the JSON API: what is shown of them, and ending one."""

import asyncio
from typing import Any

import pytest

from tests.phantom_gateway.http_api.counter import Counter
from tests.phantom_gateway.http_api.test_domains import bounds, make, sensor


async def listed(counter: Counter, domain: dict[str, Any]) -> list[dict[str, Any]]:
    """The VMs of *domain*."""
    return list((await counter.call("GET", f"/domains/{domain['id']}/instances")).json)


async def claim(counter: Counter, domain: dict[str, Any]) -> None:
    """Nothing; one VM is intended, and has no machine yet."""
    record = await counter.office.ledger.read(domain["id"])
    assert record is not None
    await counter.office.ledger.claim(
        domain["id"], record.group.generation, "sierra", [("token", 0)], ["because"], 0, counter.office.now
    )


async def test_a_vm_is_shown_with_the_originals_numbered_states(counter: Counter) -> None:
    """Alone and in the list: ids, addresses, cloud, image, type, key, and the state with its number."""
    domain = await make(counter)
    (_, _, last) = await counter.office.fill_now("d")

    shown = (await listed(counter, domain))[2]

    assert shown == {
        "id": shown["id"],
        "iaas_instance_id": last,
        "instance_id": last,
        "lifecycle_state": "600-RUNNING",
        "hostname": None,
        "public_ip": None,
        "private_ip": None,
        "cloud": "/api/dev/sites/hotel",
        "image_id": "hello",
        "instance_type": "m1.small",
        "keyname": None,
        "sensor_data": {},
        "owner": "alice",
        "uri": f"{domain['uri']}/instances/{shown['id']}",
    }
    for name in (shown["id"], last):
        assert (await counter.call("GET", f"/domains/{domain['id']}/instances/{name}")).json == shown


async def test_a_vm_keeps_its_id_from_claim_to_end(counter: Counter) -> None:
    """It is requesting before any cloud has given it an id, and the one it has here stays the same."""
    domain = await make(counter)
    await claim(counter, domain)

    (shown,) = await listed(counter, domain)

    assert (shown["lifecycle_state"], shown["iaas_instance_id"]) == ("100-REQUESTING", None)
    assert [shown] == await listed(counter, domain)
    reply = await counter.call("DELETE", f"/domains/{domain['id']}/instances/{shown['id']}")
    assert reply.status == 409
    assert "400-PENDING" in reply.json["message"]


async def test_ending_one_replaces_it(counter: Counter) -> None:
    """The domain wants as many as before, and the one that was named is on its way out; saying it twice ends one."""
    domain = await make(counter)
    await counter.office.fill_now("d")
    victim = (await listed(counter, domain))[1]
    path = f"/domains/{domain['id']}/instances/{victim['id']}"
    counter.woken.clear()

    assert (await counter.call("DELETE", path)).status == 204
    assert (await counter.call("DELETE", path)).status == 204

    states = [member["lifecycle_state"] for member in await listed(counter, domain)]
    assert states == ["600-RUNNING", "700-TERMINATING", "600-RUNNING"]
    assert bounds(counter.office) == (3, 3, 3)
    assert domain["id"] in counter.woken


async def test_ending_one_may_shrink_the_domain(counter: Counter) -> None:
    """With ``adjust_policy=true`` domain and VM change in one transaction: no replacement can start between the two."""
    domain = await make(counter)
    await counter.office.fill_now("d")

    for victim in await listed(counter, domain):
        path = f"/domains/{domain['id']}/instances/{victim['id']}?adjust_policy=True"
        assert (await counter.call("DELETE", path)).status == 204

    assert bounds(counter.office) == (0, 0, 0)
    assert {member["lifecycle_state"] for member in await listed(counter, domain)} == {"700-TERMINATING"}


@pytest.mark.parametrize(("wanted", "after"), [(2, (1, 1, 10)), (1, (0, 0, 10))])
async def test_a_sensor_domain_keeps_its_maximum(counter: Counter, wanted: int, after: tuple[int, int, int]) -> None:
    """It shrinks by one, below its minimum where it has to. In the original it lost its maximum for ever."""
    domain = await make(counter, sensor())
    counter.office.call("SetDesiredCapacity", AutoScalingGroupName="d", DesiredCapacity=wanted)
    await counter.office.fill_now("d")
    victim = (await listed(counter, domain))[0]

    await counter.call("DELETE", f"/domains/{domain['id']}/instances/{victim['id']}?adjust_policy=true")

    assert bounds(counter.office) == after


async def test_the_dead_are_not_listed(counter: Counter) -> None:
    """In the original they were, for two hours."""
    domain = await make(counter)
    await counter.office.fill_now("d")
    victim = (await listed(counter, domain))[0]
    await counter.call("DELETE", f"/domains/{domain['id']}/instances/{victim['id']}")

    await asyncio.to_thread(counter.office.bury_all, "d")

    assert victim["id"] not in [member["id"] for member in await listed(counter, domain)]
    assert (await counter.call("GET", f"/domains/{domain['id']}/instances/{victim['id']}")).status == 404
