"""What an OpenStack says, by the caller's next move; and what it is believed to have done."""

import dataclasses
from typing import Any

import pytest

from backends.cloud import LaunchSpec, MachineState
from backends.errors import Ambiguous, CloudError, NoCapacity, Refused, Throttled, Unreachable
from backends.openstack import ServerWants
from tests.backends.contract import TOKEN_A, mark
from tests.backends.openstack_project import QUICK, project
from tests.fake_openstack.endpoint import APPLICATION_ID, APPLICATION_SECRET, PASSWORD
from tests.fake_openstack.world import FLAVOR, IMAGE, NETWORK, Fault, World

SPEC = LaunchSpec("tiny", "m1.tiny")
SERVERS = "/servers"


async def launch(cloud, count: int = 1, spec: LaunchSpec = SPEC):
    """The machines that *cloud* launches for the first token."""
    return await cloud.launch(spec, count, TOKEN_A, mark(TOKEN_A))


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        pytest.param(Fault("POST", SERVERS, 403, "Quota exceeded for cores"), NoCapacity, "Quota exceeded", id="quota"),
        pytest.param(Fault("POST", SERVERS, 403, "Policy doesn't allow it"), Refused, "Policy doesn't", id="forbidden"),
        pytest.param(Fault("POST", SERVERS, 400, "Flavor's disk is too small"), Refused, "too small", id="bad flavor"),
        pytest.param(Fault("POST", SERVERS, 404, "no such thing"), Refused, "no such thing", id="not found"),
        pytest.param(
            Fault("POST", SERVERS, 409, "Multiple possible networks found"), Refused, "Multiple", id="networks"
        ),
        pytest.param(
            Fault("POST", SERVERS, 429, "slow down", headers={"Retry-After": "7"}), Throttled, "429", id="throttled"
        ),
        pytest.param(Fault("POST", SERVERS, 413, "OverLimit"), NoCapacity, "OverLimit", id="over limit"),
        pytest.param(Fault("POST", SERVERS, 500), Ambiguous, "own words", id="server error before"),
        pytest.param(Fault("POST", SERVERS, 503, after=True), Ambiguous, "own words", id="server error after"),
        pytest.param(Fault("POST", SERVERS, hangs=True), Ambiguous, "gave no answer", id="silence"),
        pytest.param(Fault("GET", "/servers/detail", 500), Unreachable, "own words", id="the look before fails"),
        pytest.param(Fault("GET", "/servers/detail", hangs=True), Unreachable, "gave no answer", id="the look hangs"),
        pytest.param(Fault("GET", "/images", 500), Unreachable, "own words", id="glance is down"),
        pytest.param(Fault("POST", "/auth/tokens", 500), Unreachable, "", id="keystone is down"),
        pytest.param(Fault("POST", "/auth/tokens", hangs=True), Unreachable, "gave no answer", id="keystone hangs"),
    ],
)
async def test_a_launch_fails_by_its_next_move(fault, error, words):
    """Each answer of OpenStack is the move that it asks for, in the cloud's own words."""
    world = World()
    world.faults.append(fault)
    async with project(world) as cloud:
        with pytest.raises(CloudError) as raised:
            await launch(cloud)

    assert type(raised.value) is error
    assert words in str(raised.value)
    assert PASSWORD not in str(raised.value)
    if isinstance(raised.value, Throttled):
        assert raised.value.retry_after_s == 7.0
    assert len(world.servers) == (1 if fault.after else 0)


@pytest.mark.parametrize("fault", [Fault("POST", SERVERS, 503, after=True), Fault("POST", SERVERS, 500)])
async def test_a_repeated_launch_makes_nothing_twice(fault):
    """A launch without an answer is repeated with its token: what is there is found, what is missing is made."""
    world = World()
    world.faults.append(fault)
    async with project(world) as cloud:
        with pytest.raises(Ambiguous):
            await launch(cloud, 2)
        machines = await launch(cloud, 2)

        assert [machine.index for machine in machines] == [0, 1]
        assert len(world.servers) == 2


@pytest.mark.parametrize("status", [404, 500])
async def test_an_error_after_the_order_is_no_refusal(status):
    """Libcloud's own launch asks for a new server once more, and its 404 would read as "nothing was launched"."""
    world = World()
    world.faults.append(Fault("GET", "/servers/", status, "Instance could not be found."))
    async with project(world) as cloud:
        world.fault_for = _only_single_servers(world.fault_for)  # type: ignore[method-assign]
        (machine,) = await launch(cloud)

        assert machine.machine_id in world.servers


def _only_single_servers(fault_for):
    """*fault_for*, but never for lists."""
    return lambda method, path: None if path.endswith("/detail") else fault_for(method, path)


async def test_no_valid_host_is_no_capacity_and_leaves_nothing():
    """Nova takes the order and fails to find a host seconds later: that is a full cloud, and the wreck is removed."""
    world = World(hosts_max=0, looks_to_build=1)
    async with project(world) as cloud:
        with pytest.raises(NoCapacity, match="No valid host"):
            await launch(cloud)

    assert world.servers == {}


async def test_some_hosts_left_are_a_partial_launch():
    """Two of three found a host: two it is, and the third is removed."""
    world = World(hosts_max=2)
    async with project(world) as cloud:
        machines = await launch(cloud, 3)

        assert len(machines) == 2
        assert set(world.servers) == {machine.machine_id for machine in machines}


async def test_a_server_in_error_is_shown_with_its_fault():
    """An ERROR that is not about capacity is the planner's to judge, with the reason."""
    world = World()
    async with project(world) as cloud:
        (machine,) = await launch(cloud)
        world.servers[machine.machine_id] |= {"status": "ERROR", "fault": {"message": "the disk broke"}}

        (shown,) = (await cloud.sweep()).machines
        assert (shown.state, shown.state_reason) == (MachineState.ERROR, "the disk broke")


@pytest.mark.parametrize(
    ("status", "task", "state"),
    [
        ("ACTIVE", None, MachineState.RUNNING),
        ("ACTIVE", "deleting", MachineState.SHUTTING_DOWN),
        ("HARD_REBOOT", None, MachineState.RUNNING),
        ("SHUTOFF", None, MachineState.STOPPED),
        ("SHELVED_OFFLOADED", None, MachineState.STOPPED),
        ("SOFT_DELETED", None, MachineState.TERMINATED),
        ("UNKNOWN", None, MachineState.UNKNOWN),
        ("SOMETHING_NEW", None, MachineState.UNKNOWN),
    ],
)
async def test_states_are_read_by_name(status, task, state):
    """A status that is not known is unknown, and never death."""
    world = World()
    async with project(world) as cloud:
        (machine,) = await launch(cloud)
        world.servers[machine.machine_id] |= {"status": status, "OS-EXT-STS:task_state": task}

        (shown,) = (await cloud.sweep()).machines
        assert shown.state is state


async def test_all_pages_are_read():
    """A list in pages is one list; what is on the second page is not dead."""
    world = World()
    world.page_size = 2
    async with project(world) as cloud:
        await launch(cloud, 5)

        assert len((await cloud.sweep()).machines) == 5


@pytest.mark.parametrize("page", [2, 3])
async def test_a_failed_page_fails_the_sweep(page):
    """Half a list is no picture."""
    world = World()
    world.page_size = 2
    async with project(world) as cloud:
        await launch(cloud, 5)
        passes = Fault("GET", "/servers/detail", 500)
        seen = 0

        def strike(method: str, path: str) -> Fault | None:
            nonlocal seen
            seen += (method, path) == ("GET", "/compute/v2.1/servers/detail")
            return passes if seen == page else None

        world.fault_for = strike  # type: ignore[method-assign]
        with pytest.raises(Unreachable):
            await cloud.sweep()


async def test_a_renamed_server_is_still_ours_and_a_copy_of_our_metadata_is_not():
    """Users rename their servers; consoles copy metadata to new ones."""
    world = World()
    async with project(world) as cloud:
        first, second = await launch(cloud, 2)
        world.servers[first.machine_id]["name"] = "my web server"
        world.servers[second.machine_id]["metadata"] = {"phantom-gateway": "of somebody else"}

        swept = (await cloud.sweep()).machines
        assert [machine.machine_id for machine in swept] == [first.machine_id]


async def test_names_and_ids_are_found_and_settings_reach_the_order():
    """Image, flavor and network by name or id; groups, key pair, zone and config drive as configured or as asked."""
    world = World()
    wants = ServerWants("key", ("web",), ("net1",), "north-1", config_drive=True)
    async with project(world, wants) as cloud:
        await launch(cloud)
        spec = dataclasses.replace(
            SPEC,
            image_id=IMAGE,
            instance_type=FLAVOR,
            key_name="other",
            security_groups=("db",),
            zone="south-1",
            subnet_id=NETWORK,
        )
        await launch(cloud, 2, spec)

    for ordered in world.made:
        assert (ordered["imageRef"], ordered["flavorRef"]) == (IMAGE, FLAVOR)
        assert ordered["networks"] == [{"uuid": NETWORK}]
        assert ordered["config_drive"] is True
    asked = [(each["key_name"], each["security_groups"], each["availability_zone"]) for each in world.made]
    assert asked == [("key", [{"name": "web"}], "north-1"), ("other", [{"name": "db"}], "south-1")]


async def test_two_things_of_one_name_are_refused_by_name():
    """A guess could launch an old image."""
    world = World()
    world.images.append({"id": "other", "name": "tiny"})
    async with project(world) as cloud:
        with pytest.raises(Refused, match=r"2 images are called 'tiny': name it by its id"):
            await launch(cloud)


async def test_an_expired_token_is_renewed():
    """Keystone forgot us: the next look logs in again, after one that says so."""
    world = World()
    async with project(world) as cloud:
        await cloud.sweep()
        world.faults.append(Fault("GET", "/servers/detail", 401, "The request you have made requires authentication."))
        with pytest.raises(Unreachable):
            await cloud.sweep()

        assert (await cloud.sweep()).complete


async def test_an_application_credential_logs_in():
    """Its id and secret are enough: it knows its project."""
    login: dict[str, Any] = {"user": APPLICATION_ID, "secret": APPLICATION_SECRET, "is_application": True}
    async with project(World(), None, QUICK, project=None, **login) as cloud:
        assert len(await launch(cloud)) == 1


async def test_a_wrong_password_blinds_and_is_told():
    """Nothing can be seen with it, and check says what to look at; the password is not shown."""
    async with project(World(), secret="sesame-street") as cloud:
        with pytest.raises(Unreachable):
            await cloud.sweep()
        with pytest.raises(CloudError) as raised:
            await launch(cloud)
        probe = await cloud.probe()

    assert not probe.reachable
    assert "check the credentials" in probe.findings[0]
    assert "sesame" not in f"{raised.value} {probe}"


async def test_probe_shows_what_there_is_and_how_much_is_used():
    """Images, flavors, zones, quotas; a configured network that does not exist is a finding."""
    async with project(World(instances_max=10), ServerWants(networks=("net2",))) as cloud:
        probe = await cloud.probe()

    assert (probe.images, probe.instance_types, probe.zones) == (("tiny",), ("m1.tiny",), ("nova",))
    assert probe.limits == ("servers 0 of 10", "cores 0 of any number", "MB of RAM 0 of 51200")
    assert probe.findings == ("there is no network 'net2' in this project: correct networks",)
