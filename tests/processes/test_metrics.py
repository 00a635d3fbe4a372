"""
The figures of a gateway that runs: all that are documented, none that name anybody.

Owns: ``/metrics`` over a real socket. Does not own: dashboards and rules (``tests/deploy``).
"""

import http.client
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from phantom_gateway import metrics
from tests.processes.calls import Client, Refusal
from tests.processes.test_command_line import run
from tests.support.gateway import Gateway
from tests.support.waiting import wait_for

pytestmark = pytest.mark.processes

PROMTOOL = shutil.which("promtool")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, kept: str) -> Iterator[Gateway]:
    """A gateway with a group of two, a frozen cloud and a request that failed."""
    made = Gateway(tmp_path_factory.mktemp("metrics"), clouds=("hotel", "sierra"), database=kept)
    made.start()
    try:
        client = Client(made.port)
        client.make_launch_configuration("secretive@hotel", "sleeper")
        client.make_group("secretive@hotel", 2, ["hotel"], "secretive-group")
        wait_for(lambda: client.settled("secretive-group"), "two instances")
        run("freeze", "--cloud", "sierra", config=made.config)
        with pytest.raises(Refusal):
            client.call("DescribeEverything")
        client.resize(1, "secretive-group")
        wait_for(lambda: client.settled("secretive-group"), "one instance")
        yield made
    finally:
        made.stop()


def text(gateway: Gateway) -> str:
    """What ``/metrics`` says."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        assert (response.status, response.headers["Content-Type"]) == (200, metrics.CONTENT_TYPE)
        return response.read().decode()
    finally:
        connection.close()


def figures(gateway: Gateway) -> dict[str, float]:
    """Every figure by its name and labels."""
    found = {}
    for family in text_string_to_metric_families(text(gateway)):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def test_every_documented_metric_is_there_and_no_other(gateway: Gateway) -> None:
    """With the kind that the table says."""
    found = {family.name: family.type for family in text_string_to_metric_families(text(gateway))}
    documented = {each.name.removesuffix("_total"): each.kind for each in metrics.TABLE}

    assert {name: kind for name, kind in found.items() if not name.endswith("_created")} == documented


def test_the_figures_are_those_of_what_happened(gateway: Gateway) -> None:
    """Of requests, of groups, of clouds and of what is frozen."""
    wait_for(lambda: figures(gateway).get("phantom_freezes{scope=cloud}"), "the freeze to be read")
    found = figures(gateway)

    assert found["phantom_desired_instances{}"] == found["phantom_instances{cloud=hotel,state=InService}"] == 1
    assert found["phantom_groups{state=living}"] == 1
    assert found["phantom_launched_total{cloud=hotel}"] == 2
    assert found["phantom_terminated_total{cloud=hotel}"] == 1
    assert found["phantom_requests_total{door=aws,operation=SetDesiredCapacity,status=200}"] == 1
    assert found["phantom_requests_total{door=aws,operation=other,status=400}"] == 1
    assert found["phantom_accounts{cloud=hotel,state=seen}"] == 1
    assert found["phantom_breakers{cloud=hotel,state=closed}"] == 1
    assert found["phantom_records_up{}"] == 1


def test_nobody_is_named(gateway: Gateway) -> None:
    """Strangers may read it, and the number of figures must not grow with the number of groups."""
    said = text(gateway)

    assert "secretive" not in said
    assert "tester" not in said
    assert len(said.splitlines()) < 1_000


@pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian: prometheus) is not installed")
def test_prometheus_finds_nothing_to_mend(gateway: Gateway) -> None:
    """Its own checker of names, kinds and help texts."""
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=text(gateway), capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, "")
