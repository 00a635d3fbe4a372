"""
The event stream of a real gateway, by a client over a socket: over kills, at its end, and beside a changing world.

Owns: what a process's life does to streams. Does not own: what they tell (the gateway's own tests).
"""

import base64
import http.client
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway import Gateway
from tests.support.waiting import wait_for

pytestmark = pytest.mark.processes

STOP_S_MAX = 8.0
"""A gateway that waited for its streams would take five seconds more than the two or three of a busy machine."""


class Client:
    """The JSON API over plain HTTP."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._open: list[http.client.HTTPResponse | http.client.HTTPConnection] = []
        command = [sys.executable, "-m", "phantom_gateway", "env", "--config", str(gateway.config)]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        exports = dict(shlex.split(line)[1].split("=", 1) for line in lines if line.startswith("export "))
        pair = f"{exports['USER_ID']}:{exports['TOKEN']}".encode()
        self.headers = {"Authorization": "Basic " + base64.b64encode(pair).decode()}

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The document that is answered."""
        connection = http.client.HTTPConnection("127.0.0.1", self._gateway.port, timeout=10)
        connection.request(method, f"/api/dev{path}", None if body is None else json.dumps(body), self.headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        assert answer.status < 300, text
        return json.loads(text) if text else None

    def stream(self, after: str | None = None) -> "Stream":
        """A stream of events, after the one with the id *after*."""
        connection = http.client.HTTPConnection("127.0.0.1", self._gateway.port, timeout=20)
        headers = self.headers if after is None else {**self.headers, "Last-Event-ID": after}
        connection.request("GET", "/api/dev/events", headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        self._open += [answer, connection]
        return Stream(answer)

    def close(self) -> None:
        """Nothing; all streams are closed."""
        for each in self._open:
            each.close()


class Stream:
    """One stream: its events, as (id, kind, data), and where it is."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self._answer = answer
        self.last_id = ""
        while not self.last_id:
            self._line()

    def __iter__(self) -> Iterator[tuple[str, str, Any]]:
        kind = ""
        while line := self._line():
            field, _, value = line.strip().partition(": ")
            kind = value if field == "event" else kind
            if field == "data":
                yield self.last_id, kind, json.loads(value)

    def _line(self) -> str:
        line = self._answer.readline().decode()
        if line.startswith("id: "):
            self.last_id = line[4:].strip()
        return line


@pytest.fixture
def gateway(tmp_path: Path, kept: str) -> Iterator[Gateway]:
    """A gateway of its own: it is killed."""
    gateway = Gateway(tmp_path, clouds=("hotel",), database=kept)
    gateway.start()
    yield gateway
    gateway.stop()


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    """Its client."""
    client = Client(gateway)
    yield client
    client.close()


def make_domain(client: Client) -> dict[str, Any]:
    """A domain of no VMs."""
    share = {"image_id": "sleeper", "instance_type": "m1.small", "max_vms": -1, "common": True, "rank": 1}
    client.call("POST", "/launchconfigurations", {"name": "web", "cloud_params": {"hotel": share}})
    domain = {"name": "web", "de_name": "multicloud", "lc_name": "web", "vm_count": 0}
    return dict(client.call("POST", "/domains", domain))


def test_a_kill_loses_no_event_and_repeats_none(gateway: Gateway, client: Client) -> None:
    """While VMs are launched the gateway is killed thrice; the pieces together are the whole, read later in one go."""
    domain = make_domain(client)
    stream = client.stream()
    start = stream.last_id
    client.call("PUT", f"/domains/{domain['id']}", {**domain, "vm_count": 8})
    pieces = []
    for _ in range(3):
        for event in stream:
            pieces.append(event)
            if len(pieces) % 5 == 0:
                break
        gateway.kill()
        gateway.start()
        stream = client.stream(pieces[-1][0])

    wait_for(lambda: len(gateway.vm_pids()) == 8, "eight VMs")
    states = f"/domains/{domain['id']}/instances"
    wait_for(lambda: [vm["lifecycle_state"] for vm in client.call("GET", states)] == ["600-RUNNING"] * 8, "all to run")
    client.call("PUT", f"/domains/{domain['id']}", {**domain, "vm_count": 0})
    for event in stream:
        pieces.append(event)
        if sum(kind == "instance" and data["lifecycle_state"] == "800-TERMINATED" for _, kind, data in pieces) == 8:
            break
    whole = []
    for event in client.stream(start):
        whole.append(event)
        if event[0] == pieces[-1][0]:
            break

    told = [(event_id, kind, data) for event_id, kind, data in pieces if kind != "domain"]
    assert told == [(event_id, kind, data) for event_id, kind, data in whole if kind != "domain"]
    assert {kind for _, kind, _ in pieces} == {"instance", "activity", "domain"}


def test_a_stop_waits_for_no_stream(gateway: Gateway, client: Client) -> None:
    """SIGTERM ends a silent stream in good order, and the gateway within seconds."""
    streams = [client.stream() for _ in range(3)]
    began_s = time.monotonic()

    assert gateway.terminate() == 0

    assert time.monotonic() - began_s < STOP_S_MAX
    assert [list(stream) for stream in streams] == [[], [], []]


def test_a_revoked_token_hears_no_more(gateway: Gateway, client: Client) -> None:
    """Revoked on the command line, by another process: the stream ends."""
    stream = client.stream()
    command = [sys.executable, "-m", "phantom_gateway", "tokens", "revoke", "env", "--config", str(gateway.config)]
    subprocess.run(command, check=True, capture_output=True)
    began_s = time.monotonic()

    assert list(stream) == []

    assert time.monotonic() - began_s < 3
