"""The receiver of a gateway as users start it: where it listens, what it does without its port, and what it leaves."""

import http.client
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.processes.calls import Client
from tests.processes.test_sensor_groups import sensor_port
from tests.support.gateway import Gateway
from tests.support.waiting import wait_for

pytestmark = pytest.mark.processes

COMMAND = (sys.executable, "-m", "phantom_gateway", "serve")


def test_a_configured_port_that_is_taken_is_told_with_the_remedy(tmp_path: Path) -> None:
    """Whoever asked for a receiver and does not get it wants to know."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        config = tmp_path / "phantom.toml"
        config.write_text(
            f'state_directory = "state"\n[server]\nport = 0\n[sensors]\nport = {port}\n[clouds.hotel]\nkind = "local"\n'
        )
        ended = subprocess.run(
            [*COMMAND, "--config", str(config)], capture_output=True, text=True, timeout=60, check=False
        )

    assert ended.returncode != 0
    assert f"Cannot listen on port {port} of 127.0.0.1" in ended.stderr
    assert "set port in [sensors]" in ended.stderr


def test_what_came_in_outlives_an_orderly_end(tmp_path: Path) -> None:
    """Samples of the last seconds are written on the way out, and served by the next process."""
    gateway = Gateway(tmp_path, clouds=("hotel",), sections="[sensors]\nport = 0\nanonymous = true\n")
    gateway.start()
    try:
        client = Client(gateway.port)
        client.make_launch_configuration("web@hotel", "sleeper")
        client.make_group("web@hotel", 1, ["hotel"])
        group = wait_for(client.settled, "the VM")
        assert group is not None
        host = group.instances[0][0]
        with socket.create_connection(("127.0.0.1", sensor_port(gateway))) as sender:
            sender.sendall(f"put load {int(_now())} 7 host={host}\nexit\n".encode())
            assert sender.recv(100) == b""
        assert gateway.terminate() == 0
        gateway.log.unlink()
        gateway.start()

        told = _query(sensor_port(gateway), f"/api/query?start=1h-ago&m=avg:load%7Bhost={host}%7D")

        assert [list(each["dps"].values()) for each in told] == [[7.0]]
    finally:
        gateway.stop()


def _now() -> float:
    return time.time()


def _query(port: int, path: str) -> list[dict[str, dict[str, float]]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        found: list[dict[str, dict[str, float]]] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return found
