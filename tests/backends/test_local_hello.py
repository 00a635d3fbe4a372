"""The built-in image: a page that says which machine it is."""

import asyncio
import os
import shutil

import pytest

from backends.cloud import LaunchSpec, MachineState
from backends.errors import Refused
from backends.local import Image, Sandbox, hello
from tests.backends.contract import all_in, sweep_until
from tests.backends.local_world import local_world, until

HELLO = LaunchSpec("hello-phantom.gz", "m1.small", user_data=b"top secret")

needs_bwrap = pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bwrap: install the package 'bubblewrap'")


@pytest.fixture
async def world(tmp_path):
    """A state directory whose processes end with the test."""
    async with local_world(tmp_path) as world:
        yield world


async def fetched(address: str, path: str = "/") -> str:
    """The response to a GET of *path* from the machine at *address*, head and body."""
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(address, 8080)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
        response = await reader.read()
        writer.close()
        await writer.wait_closed()
    return response.decode()


async def greeted(world, machine) -> None:
    """Nothing, once the machine said on its console that it listens."""
    await until(lambda: b"hello from" in (world.folder(machine.machine_id) / "console.log").read_bytes())


@pytest.mark.parametrize(
    "sandbox",
    [pytest.param(Sandbox.NONE, id="bare"), pytest.param(Sandbox.BUBBLEWRAP, id="bubblewrap", marks=needs_bwrap)],
)
async def test_each_machine_answers_at_its_own_address(world, sandbox):
    """Three machines on one host serve one port, each with a page about itself, and end in good order."""
    cloud = world.open(sandbox=sandbox)
    launched = await cloud.launch(HELLO, 3, "token", world.mark())
    await asyncio.gather(*(greeted(world, machine) for machine in launched))

    pages = [await fetched(machine.private_ip) for machine in launched]
    await cloud.terminate([machine.machine_id for machine in launched])
    await sweep_until(cloud, all_in(MachineState.TERMINATED))

    for machine, page in zip(launched, pages, strict=True):
        assert page.startswith("HTTP/1.1 200 OK\r\n")
        assert f"Hello from {machine.machine_id}" in page
        assert "hotel" in page
        assert "m1.small" in page
    ends = [world.folder(machine.machine_id) / "end.json" for machine in launched]
    assert all('"status": 0' in end.read_text() for end in ends)
    assert world.processes() == []


async def test_user_data_is_not_served(world):
    """There is one page, and it does not show the user data."""
    cloud = world.open()
    [machine] = await cloud.launch(HELLO, 1, "token", world.mark())
    await greeted(world, machine)

    responses = [await fetched(machine.private_ip, path) for path in ("/", "/user-data", "/../user-data")]

    assert not [response for response in responses if "secret" in response]
    assert responses[1].startswith("HTTP/1.1 404 Not Found\r\n")


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", b"200", id="the page"),
        pytest.param(b"GET /?a=b HTTP/1.1\r\n\r\n", b"200", id="with a query"),
        pytest.param(b"HEAD / HTTP/1.1\r\n\r\n", b"200", id="HEAD"),
        pytest.param(b"GET /other HTTP/1.1\r\n\r\n", b"404", id="another page"),
        pytest.param(b"POST / HTTP/1.1\r\n\r\n", b"405", id="POST"),
        pytest.param(b"\x16\x03\x01\r\n\r\n", b"405", id="TLS"),
    ],
)
def test_requests_get_a_status(request_head, status):
    """Only GET and HEAD of / get the page."""
    assert hello.answer(request_head, 1.0).startswith(b"HTTP/1.1 " + status)


def test_page_escapes_what_it_shows(monkeypatch):
    """A group or type with markup in its name is shown, not obeyed."""
    monkeypatch.setenv("PHANTOM_INSTANCE_TYPE", "<script>")

    assert b"<script>" not in hello.page(1.0)
    assert b"&lt;script&gt;" in hello.page(1.0)


@needs_bwrap
async def test_sandbox_hides_other_machines_and_keeps_the_host_read_only(world):
    """A machine behind bubblewrap sees no other machine's files and writes only into its own home."""
    cloud = world.open(sandbox=Sandbox.BUBBLEWRAP)
    [other] = await cloud.launch(HELLO, 1, "other", world.mark("other"))
    script = (
        f"ls {world.folder(other.machine_id)} 2>&1 | head -1; touch {world.directory}/../written 2>&1; "
        "touch ../record.json 2>&1; touch mine && echo home; cat ../user-data; touch ready; exec sleep 1000"
    )
    cloud._images["prober"] = Image(("sh", "-c", script))
    spec = LaunchSpec("prober", "m1.small", user_data=b"mine\n")
    [machine] = await cloud.launch(spec, 1, "token", world.mark())
    folder = world.folder(machine.machine_id)
    await until((folder / "home" / "ready").exists)

    said = (folder / "console.log").read_text().splitlines()
    assert "No such file" in said[0]
    assert said[-2:] == ["home", "mine"]
    assert (folder / "home" / "mine").exists()
    assert "Read-only file system" in "".join(said)


@needs_bwrap
async def test_sandboxed_machine_killed_from_outside_leaves_nothing(world):
    """KILL of bubblewrap's first process takes everything behind it along."""
    cloud = world.open(sandbox=Sandbox.BUBBLEWRAP)
    [machine] = await world.launch(cloud, "tree")
    await until((world.folder(machine.machine_id) / "home" / "ready").exists)

    os.kill(world.first_process(machine.machine_id), 9)
    await sweep_until(cloud, all_in(MachineState.TERMINATED))

    assert world.processes() == []


async def test_missing_sandbox_is_refused_with_its_remedy(world, monkeypatch):
    """Without bwrap nothing starts, and both the refusal and the probe name the package."""
    monkeypatch.setattr("backends.local.sandbox.SEARCH_PATH", str(world.directory))
    cloud = world.open(sandbox=Sandbox.BUBBLEWRAP)

    with pytest.raises(Refused, match="install the package 'bubblewrap'"):
        await cloud.launch(HELLO, 1, "token", world.mark())
    assert any("install the package 'bubblewrap'" in finding for finding in (await cloud.probe()).findings)
