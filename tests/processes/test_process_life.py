"""
The gateway as a process on somebody's machine: what it makes there, what it keeps to itself, and the VMs it runs.

Owns: files, modes, environments and real addresses. Does not own: what happens when it is killed (``test_crashes``).
"""

import base64
import contextlib
import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.processes.calls import Client
from tests.support.canary import planted
from tests.support.gateway import ACCESS_KEY_ID, SECRET_ACCESS_KEY, Gateway
from tests.support.waiting import wait_for

pytestmark = pytest.mark.processes

COMMAND = (sys.executable, "-m", "phantom_gateway")
DEFAULT_PORT = 8445
USER_DATA = planted(" is this user data")
ENVIRON = "environment-canary-19c2"
REPLACED_S_MAX = 5.0
"""A VM whose death is noticed at once is replaced in well under a second on an idle machine."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with a group of two web servers, each with user data, and a canary in its own environment."""
    made = Gateway(tmp_path_factory.mktemp("life"), clouds=("hotel",))
    made.start({"CANARY": ENVIRON})
    try:
        client = Client(made.port)
        client.make_launch_configuration("web@hotel", "hello-phantom.gz", base64.b64encode(USER_DATA.encode()).decode())
        client.make_group("web@hotel", 2, ["hotel"])
        wait_for(client.settled, "two web servers")
        yield made
    finally:
        made.stop()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment in which nothing is configured but the state directory, which does not exist yet."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PHANTOM_", "XDG_", "AWS_"))}
    return kept | {"HOME": str(tmp_path), "PHANTOM_GATEWAY_STATE": str(tmp_path / "state")}


def mode_of(path: Path) -> int:
    """The permission bits of *path*."""
    return stat.S_IMODE(path.stat().st_mode)


def open_to_others(directory: Path) -> list[str]:
    """Names under *directory* that somebody else could reach."""
    doors = [path for path in (directory, *directory.iterdir()) if not path.is_symlink()]
    return [path.name for path in doors if mode_of(path) & 0o077]


def told(*arguments: str, environ: Mapping[str, str]) -> str:
    """What the command prints. Raises CalledProcessError when it fails."""
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=True, env=environ).stdout


def page(address: str) -> str:
    """The page that the VM at *address* serves; "" while it does not."""
    connection = http.client.HTTPConnection(address, 8080, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    except ConnectionRefusedError:
        return ""
    finally:
        connection.close()


def addresses(gateway: Gateway) -> dict[str, str]:
    """Address of each VM by its id, as the local cloud recorded it."""
    records = [json.loads(path.read_text()) for path in gateway.state.glob("clouds/*/i-*/record.json")]
    return {record["machine_id"]: record["address"] for record in records}


def test_the_first_command_makes_an_installation_for_its_owner_alone(environ: dict[str, str]) -> None:
    """Without any configuration the first command makes state, keys and database, closed to everybody else."""
    state = Path(environ["PHANTOM_GATEWAY_STATE"])

    lenient = ["sh", "-c", 'umask 000; exec "$@"', "sh", *COMMAND, "users", "list", "--json"]
    users = json.loads(subprocess.run(lenient, capture_output=True, text=True, check=True, env=environ).stdout)

    assert [user["name"] for user in users] == ["phantom"]
    assert mode_of(state) == 0o700
    assert mode_of(state / "keys") == 0o600
    assert mode_of(state / "phantom.db") == 0o600
    assert open_to_others(state) == []


def test_env_prints_what_a_shell_can_eval(environ: dict[str, str]) -> None:
    """The printed lines, evaluated by a shell, set the endpoint, the keys and the region, and unset a stale session."""
    script = f'eval "$({" ".join(COMMAND)} env)" && env'

    printed = subprocess.run(
        ["sh", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=environ | {"AWS_SESSION_TOKEN": "stale", "AWS_PROFILE": "other"},
    ).stdout
    found = dict(line.split("=", 1) for line in printed.splitlines() if "=" in line)

    assert found["AWS_ENDPOINT_URL_AUTO_SCALING"] == f"http://127.0.0.1:{DEFAULT_PORT}"
    assert found["AWS_AUTO_SCALING_URL"] == found["AWS_ENDPOINT_URL_AUTO_SCALING"]
    assert found["AWS_ACCESS_KEY_ID"] == found["EC2_ACCESS_KEY"]
    assert found["AWS_SECRET_ACCESS_KEY"] == found["EC2_SECRET_KEY"]
    assert len(found["AWS_SECRET_ACCESS_KEY"]) == 40
    assert found["AWS_DEFAULT_REGION"] == "us-east-1"
    assert "AWS_SESSION_TOKEN" not in found
    assert "AWS_PROFILE" not in found


def test_the_embedded_default_serves(environ: dict[str, str]) -> None:
    """Without a configuration it serves four clouds on the port that clients expect, and ends on SIGTERM."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", DEFAULT_PORT))
        except OSError:
            pytest.skip(f"port {DEFAULT_PORT} is taken on this machine")
    with subprocess.Popen(
        [*COMMAND, "serve"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ
    ) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline(), process.stdout.readline()]
        finally:
            process.terminate()
        code = process.wait(timeout=10)

    assert lines[0] == f"Phantom Gateway serves on http://127.0.0.1:{DEFAULT_PORT}\n"
    assert "hotel, sierra, foxtrot, alamo" in lines[1]
    assert code == 0


def test_a_vm_answers_at_an_address_of_its_own(gateway: Gateway) -> None:
    """Each VM serves its page on its own loopback address and says which one it is."""
    where = addresses(gateway)

    pages = {machine_id: wait_for(partial(page, address), address) for machine_id, address in where.items()}

    assert len(set(where.values())) == 2
    assert all(address.startswith("127.") and address != "127.0.0.1" for address in where.values())
    assert [machine_id for machine_id, text in pages.items() if machine_id not in text] == []
    assert [text for text in pages.values() if USER_DATA in text] == []


def test_a_vm_gets_its_user_data_and_nothing_of_the_gateways_environment(gateway: Gateway) -> None:
    """The process of a VM finds the user data in its file, and no variable of the gateway's in its environment."""
    for pid in gateway.vm_pids():
        environ = Path(f"/proc/{pid}/environ").read_text().split("\0")
        variables = dict(entry.split("=", 1) for entry in environ if entry)
        user_data = Path(variables["PHANTOM_USER_DATA_FILE"])

        assert user_data.read_text() == USER_DATA
        assert mode_of(user_data) == 0o600
        assert "CANARY" not in variables
        assert ENVIRON not in Path(f"/proc/{pid}/environ").read_text()


def test_a_killed_vm_is_replaced_at_once(gateway: Gateway) -> None:
    """A VM killed with kill -9 is replaced by a new running one within seconds, and an activity says why."""
    client = Client(gateway.port)
    before = wait_for(client.settled, "two instances")
    assert before is not None
    victim = gateway.vm_pids()[0]

    os.killpg(victim, signal.SIGKILL)
    wait_for(
        lambda: (group := client.settled()) is not None and group.instances != before.instances,
        "a replacement",
        REPLACED_S_MAX,
    )

    assert victim not in gateway.vm_pids()
    assert len(gateway.vm_pids()) == 2
    launching, terminating = client.activities()[:2]
    assert launching.cause.endswith(
        "an instance was launched in response to an unhealthy instance needing to be replaced."
    )
    assert terminating.description.startswith("Terminating EC2 instance: i-")
    # What follows depends on how fast this machine is: a VM that dies within seconds is told to have died young.
    assert (
        "an instance was taken out of service in response to an EC2 health check indicating it has been terminated or "
        "stopped."
    ) in terminating.cause
    assert {launching.status, terminating.status} == {"Successful"}


def test_secrets_are_nowhere_to_be_read(gateway: Gateway) -> None:
    """Neither a user's secret key nor user data is readable in database, log or explanation, in no spelling of it."""
    canaries = [spelling for text in (SECRET_ACCESS_KEY, USER_DATA) for spelling in spellings(text)]
    story = told("explain", "web", "--config", str(gateway.config), environ=os.environ)

    found = [
        f"{canary} in {path}"
        for path in [gateway.log, *gateway.state.rglob("*")]
        if path.is_file() and path.name != "user-data"
        for canary in canaries
        if canary.encode() in path.read_bytes()
    ]

    assert found == []
    assert [canary for canary in canaries if canary in story] == []
    assert [canary for canary in canaries if canary.encode() in gateway.records.octets()] == []
    assert ACCESS_KEY_ID.encode() in gateway.records.octets(), "the search finds what is there to be found"


def test_readiness_is_told_without_a_signature(gateway: Gateway) -> None:
    """Supervisors learn whether it lives and can work, and nothing else."""
    assert gateway.is_ready()
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=5)
    with contextlib.closing(connection):
        connection.request("GET", "/healthz")
        assert json.loads(connection.getresponse().read()) == {"status": "ok"}


def spellings(text: str) -> list[str]:
    """*text* as it might be written down: plain, in base64, escaped for a URL, in hexadecimal."""
    octets = text.encode()
    return sorted({text, base64.b64encode(octets).decode().rstrip("="), quote(text, safe=""), octets.hex()})
