"""
A gateway in bad company: crowds, bombs, guessers and floods, and honest clients who notice little of them.

One gateway takes it all, at the log level that tells most, started with the open files that most systems give; the last
tests look at what it told, and at how it ends.
"""

import base64
import gzip
import json
import re
import resource
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from phantom_gateway.operations.http_api.call import PREFIX
from protocol.model import service
from tests.processes.abuse import altered, post, signed_by
from tests.processes.calls import Client
from tests.processes.raw_http import Answer, connected, exchanged, rendered, sent
from tests.processes.signing import GOOD, Signer
from tests.processes.test_sensor_groups import sensor_port
from tests.support.canary import CANARY, planted
from tests.support.gateway import ACCESS_KEY_ID, Gateway
from tests.support.waiting import wait_for

pytestmark = pytest.mark.processes

CROWD = 1_100
"""Slow connections: more than the files that a process may open on most systems, and fewer than are allowed."""

CONNECTION_KIB_MAX = 60
HONEST_S_MAX = 5.0
"""For one answer on a busy machine; how much slower it gets is measured by ``python -m bench.crowd``."""

MIB = 1 << 20
GUESS = planted("-guessed")
"""What an attacker tries is nobody's secret, and stays out of the log all the same: it may be one letter off."""

OPEN = {
    ("get", "/openapi.json"),
    ("post", "/token"),
    ("get", "/token/{token}/{user_id}.json"),
}
"""What the JSON API answers without a token: the document, logging in, and asking whether a token is good."""


@contextmanager
def few_files() -> Iterator[None]:
    """Processes that are started meanwhile may open 1,024 files, as on most systems, unless they ask for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1_024, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with a receiver, a group of one, and a client that has warmed it up."""
    made = Gateway(
        tmp_path_factory.mktemp("attacked"),
        clouds=("hotel",),
        sections="[sensors]\nport = 0\nanonymous = true\n",
        arguments=("--log-level", "debug"),
    )
    with few_files():
        made.start()
    try:
        client = Client(made.port)
        client.make_launch_configuration("web@hotel", "sleeper")
        client.make_group("web@hotel", 1, ["hotel"])
        wait_for(client.settled, "the group")
        yield made
    finally:
        made.stop()


def honest_answers(gateway: Gateway, count: int) -> list[tuple[int | None, float]]:
    """Status and seconds of *count* ordinary requests, one after the other, each on a connection of its own."""
    payload = Signer(f"127.0.0.1:{gateway.port}").post(GOOD)
    found = []
    for _ in range(count):
        began_s = time.monotonic()
        answer = exchanged(gateway.port, payload)
        found.append((None if answer is None else answer.status, time.monotonic() - began_s))
    return found


def assert_honest_are_served(gateway: Gateway, count: int = 20) -> None:
    """Nothing. Raises AssertionError unless all of *count* requests are answered, and soon."""
    answers = honest_answers(gateway, count)

    assert [status for status, _ in answers] == [200] * count
    assert max(seconds for _, seconds in answers) < HONEST_S_MAX


@pytest.fixture(scope="module")
def environ(gateway: Gateway) -> dict[str, str]:
    """What the tester's programs know: a user id, and a token."""
    return gateway.phantom_environ


@pytest.fixture(scope="module")
def login(environ: dict[str, str]) -> tuple[str, str]:
    """The header that lets the tester in."""
    pair = f"{environ['USER_ID']}:{environ['TOKEN']}".encode()
    return "Authorization", f"Basic {base64.b64encode(pair).decode()}"


def json_call(gateway: Gateway, method: str, path: str, *headers: tuple[str, str], body: bytes = b"") -> Answer:
    """The answer of the JSON door."""
    named = {name.lower() for name, _ in headers}
    host = [] if "host" in named else [("Host", f"127.0.0.1:{gateway.port}")]
    answer = exchanged(
        gateway.port,
        rendered(method.upper(), path, [*host, ("Content-Length", str(len(body))), *headers], body),
        method.upper(),
    )
    assert answer is not None
    return answer


def test_a_thousand_slow_connections_keep_nobody_out(gateway: Gateway) -> None:
    """F78: honest clients are answered meanwhile, what needs a file works, and a connection costs some kilobytes."""
    beginnings = (
        b"",
        b"GET /?Act",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\nAction=",
    )
    before_mib = gateway.rss_mib()
    client = Client(gateway.port)

    with ExitStack() as crowd:
        for number in range(CROWD):
            connection = crowd.enter_context(connected(gateway.port))
            connection.sendall(beginnings[number % len(beginnings)])
        began_s = time.monotonic()
        client.resize(3)
        first_s = time.monotonic() - began_s
        assert_honest_are_served(gateway)
        wait_for(client.settled, "three VMs while the crowd stands at the door")
        grown_mib = gateway.rss_mib() - before_mib

    assert first_s < HONEST_S_MAX
    assert grown_mib < CROWD * CONNECTION_KIB_MAX / 1024
    client.resize(1)


@pytest.mark.parametrize(
    "encoding", ["gzip", "GZIP", "x-gzip", "deflate", "br", "zstd", "gzip, gzip", "identity, gzip"]
)
@pytest.mark.parametrize("path", ["/", "/api/dev/token"])
def test_a_bomb_is_not_opened(gateway: Gateway, path: str, encoding: str) -> None:
    """F80: a body that unpacks to 100 MiB is refused as it is, whatever it is called and at whichever door."""
    bomb = BOMB if "," not in encoding else gzip.compress(BOMB)
    before_mib = gateway.rss_mib()

    answer = json_call(gateway, "POST", path, ("Content-Encoding", encoding), body=bomb)

    assert answer.status == 400
    assert gateway.rss_mib() - before_mib < 20


BOMB = gzip.compress(bytes(100 * MIB), compresslevel=1)


def test_a_changed_host_is_not_what_was_signed(gateway: Gateway) -> None:
    """F85: a request that is sent on to another host than it was signed for is refused."""
    signer = Signer(f"127.0.0.1:{gateway.port}")

    answer = exchanged(gateway.port, altered(post(GOOD), r"Host: [^\r]+", "Host: evil.example")(signer))

    assert answer is not None
    assert (answer.status, b"SignatureDoesNotMatch" in answer.body) == (403, True)


def test_a_host_that_somebody_made_up_stays_with_him(gateway: Gateway, login: tuple[str, str]) -> None:
    """F85: only the Location that answers his own request has it; it is stored nowhere, and no cache keeps it."""
    path = f"{PREFIX}/launchconfigurations"
    cloud = {"image_id": "sleeper", "instance_type": "m1.small", "max_vms": -1, "common": True, "rank": 1}
    launch = {"name": "spoofed", "contextualization_method": "none", "cloud_params": {"hotel": cloud}}

    made = json_call(gateway, "POST", path, login, ("Host", "evil.example"), body=json.dumps(launch).encode())
    listed = json_call(gateway, "GET", path, login)

    assert made.status == 201, made.body
    assert made.headers["location"].startswith("http://evil.example/")
    assert made.headers["cache-control"] == "no-store"
    assert b"spoofed" in listed.body
    assert b"evil.example" not in made.body + listed.body


def test_no_operation_is_open(gateway: Gateway) -> None:
    """F86: every operation of the service, unsigned and with a forged signature, is refused before it is looked at."""
    signer = Signer(f"127.0.0.1:{gateway.port}")
    forged = Signer(signer.host, ACCESS_KEY_ID, GUESS)
    bodies = [f"Action={name}&Version=2011-01-01" for name in sorted(service().operations)]
    plain = [
        rendered("POST", "/", [("Host", signer.host), ("Content-Length", str(len(b)))], b.encode()) for b in bodies
    ]

    with connected(gateway.port) as connection:
        unsigned = [sent(connection, payload, ["POST"])[0] for payload in plain]
        wrong = [sent(connection, forged.post(body), ["POST"])[0] for body in bodies]

    assert {(answer.status, _code(answer)) for answer in unsigned} == {(403, "MissingAuthenticationToken")}
    assert {(answer.status, _code(answer)) for answer in wrong} == {(403, "SignatureDoesNotMatch")}


def test_no_endpoint_is_open_but_those_that_are_meant_to_be(gateway: Gateway) -> None:
    """F86: every path and method that the JSON API publishes asks for a token, except logging in and the document."""
    document = json.loads(json_call(gateway, "GET", "/api/dev/openapi.json").body)
    there = {
        (method, path)
        for path, item in document["paths"].items()
        for method in item
        if method in {"get", "put", "post", "delete", "patch"}
    }

    answered = {
        (method, path): json_call(gateway, method, PREFIX + re.sub(r"\{\w+\}", "x", path), body=b"{}").status
        for method, path in there
    }

    assert len(there) > 30
    assert {endpoint for endpoint, status in answered.items() if status != 403} == OPEN


def test_guessers_are_slowed_and_nobody_else_is(gateway: Gateway, login: tuple[str, str]) -> None:
    """F88: ten passwords are tried and no more, and keys in vain; who has a key or a token gets in meanwhile."""
    wrong_key = signed_by(ACCESS_KEY_ID, GUESS)(Signer(f"127.0.0.1:{gateway.port}"))
    guess = json.dumps({"username": "tester", "password": GUESS}).encode()

    with ThreadPoolExecutor(20) as pool:
        keys = [pool.submit(exchanged, gateway.port, wrong_key) for _ in range(300)]
        guesses = [pool.submit(json_call, gateway, "POST", "/api/dev/token", body=guess) for _ in range(20)]
        assert_honest_are_served(gateway)
        sites = json_call(gateway, "GET", "/api/dev/sites", login)

    assert sites.status == 200
    assert {None if (answer := key.result()) is None else answer.status for key in keys} == {403}
    assert sorted(answer.result().status for answer in guesses) == [401] * 10 + [429] * 10


def test_a_flood_of_samples_delays_no_group(gateway: Gateway) -> None:
    """F101: while four senders send as fast as they can, a group grows and shrinks, and memory stays bounded."""
    client = Client(gateway.port)
    group = wait_for(client.settled, "the VM")
    assert group is not None
    known, stop = group.instances[0][0], threading.Event()
    port, before_mib = sensor_port(gateway), gateway.rss_mib()
    senders = [threading.Thread(target=pour, args=(port, known, stop)) for _ in range(4)]

    for sender in senders:
        sender.start()
    try:
        for size in (3, 1):
            client.resize(size)
            wait_for(partial(has_settled, client, size), f"{size} VMs")
        assert_honest_are_served(gateway)
        grown_mib = gateway.rss_mib() - before_mib
    finally:
        stop.set()
        for sender in senders:
            sender.join()

    assert grown_mib < 60


def has_settled(client: Client, size: int) -> bool:
    """Whether the group wants *size* and has it."""
    group = client.settled()
    return group is not None and group.desired == size


def pour(port: int, host: str, stop: threading.Event) -> None:
    """Nothing, once *stop* is set: known hosts, unknown ones, and metrics nobody has heard of, at full speed."""
    number = 0
    while not stop.is_set():
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                while not stop.is_set():
                    now = int(time.time())
                    lines = [
                        f"put m{number + n}.load {now} {n} host={host if n % 2 else 'stranger'}\n" for n in range(80)
                    ]
                    connection.sendall("".join(lines).encode())
                    number += 80
        except OSError:  # it was sent away, or kept waiting: it comes again
            continue


def test_it_told_nothing_of_secrets_at_the_level_that_tells_most(gateway: Gateway, environ: dict[str, str]) -> None:
    """F96: neither log, nor figures, nor the published document has a secret or a guess; nothing failed inside."""
    lines = [json.loads(line) for line in gateway.log.read_text().splitlines()]
    shown = [json_call(gateway, "GET", path).body for path in ("/metrics", "/api/dev/openapi.json", "/readyz")]

    assert {line["level"] for line in lines} >= {"debug", "info"}
    assert CANARY not in gateway.log.read_text()
    assert environ["TOKEN"] not in gateway.log.read_text()
    assert [body for body in shown if CANARY.encode() in body] == []
    assert [line for line in lines if line["level"] == "error" or "exception" in line] == []


def test_a_crash_would_leave_no_picture_of_its_memory(gateway: Gateway) -> None:
    """F96: the process may write no core, whatever the machine is set to; and it may open what its limits promise."""
    limits = dict(
        re.findall(
            r"^Max (core file size|open files) +(\d+)", Path(f"/proc/{gateway.pid}/limits").read_text(), re.MULTILINE
        )
    )

    assert limits == {"core file size": "0", "open files": "4096"}


def test_sigterm_ends_it_in_time_whoever_holds_on(gateway: Gateway) -> None:
    """With a crowd at its doors and a change just made, it ends within 10 s, and what was asked for is done later."""
    client = Client(gateway.port)
    with ExitStack() as crowd:
        for number in range(200):
            connection = crowd.enter_context(connected(gateway.port))
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\nA" if number % 2 else b"GET")
        client.resize(4)
        began_s = time.monotonic()
        code = gateway.terminate()
        took_s = time.monotonic() - began_s
    gateway.start()

    assert code == 0
    assert took_s < 10
    wait_for(partial(has_settled, client, 4), "the four VMs that were asked for")


def _code(answer: Answer) -> str:
    found = re.search(rb"<Code>(\w+)</Code>", answer.body)
    return "" if found is None else found[1].decode()
