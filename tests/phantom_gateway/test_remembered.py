"""What ``check`` finds out of clouds is kept, used where the file says nothing, and forgotten with the endpoint."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backends.cloud import Learned, Probe
from phantom_gateway import remembered
from phantom_gateway.app import serving
from phantom_gateway.checking import Report, check_clouds
from phantom_gateway.clouds import build_clouds
from phantom_gateway.config import Ec2CloudSettings, load
from phantom_gateway.config.cloud_kinds import DIALECTS
from phantom_gateway.installation import Installation, open_installation
from phantom_gateway.records import probes
from phantom_gateway.records.probes import StoredProbe
from tests.fake_ec2.endpoint import Endpoint
from tests.fake_ec2.knobs import AWS, Filters
from tests.fake_ec2.serving import LoopThread
from tests.fake_ec2.world import Order, World
from tests.phantom_gateway.office import NOW

URL = "http://127.0.0.1:5000"
ZONES = list(AWS.zones)


def opened(tmp_path: Path, url: str = URL, keys: str = "") -> Installation:
    """The installation of a configuration with one cloud."""
    path = tmp_path / "phantom.toml"
    path.write_text(
        f'state_directory = "{tmp_path / "state"}"\n[clouds.sierra]\nkind = "ec2"\nendpoint_url = "{url}"\n'
        f'access_key_id = "testing"\nsecret_access_key = "testing"\n{keys}\n'
    )
    return open_installation(load(path, {"HOME": str(tmp_path)}), {}, NOW)


def sierra(installation: Installation) -> Ec2CloudSettings:
    """The cloud as the gateway would use it."""
    settings = installation.config.clouds["sierra"]
    assert isinstance(settings, Ec2CloudSettings)
    return settings


def keep(tmp_path: Path, facts: Mapping[str, Any], url: str = URL) -> None:
    """Nothing; an earlier check found *facts*."""
    installation = opened(tmp_path, url)
    installation.database.write_now(lambda c: probes.put(c, StoredProbe("sierra", url, facts, NOW)))
    installation.close()


def test_what_was_found_stands_where_the_file_says_nothing(tmp_path: Path) -> None:
    """A family found presets its keys; a fact found comes before the family; zones go to the cloud itself."""
    keep(tmp_path, {"dialect": "aws", "filters_trusted": False, "zones": ZONES})

    installation = opened(tmp_path)

    used = sierra(installation)
    assert {name: getattr(used, name) for name in DIALECTS["aws"]} == {**DIALECTS["aws"], "filters_trusted": False}
    assert (used.dialect, used.zones) == ("aws", AWS.zones)
    traits = build_clouds(installation.config, "0" * 12, lambda: NOW)["sierra"].traits
    assert (traits.token_is_idempotent, traits.launch_batch_max) == (True, DIALECTS["aws"]["launch_batch_max"])
    installation.close()


async def test_a_gateway_that_serves_uses_what_was_found(tmp_path: Path) -> None:
    """Clouds and accounts are built from it."""
    keep(tmp_path, {"dialect": "aws"}, "http://127.0.0.1:9")
    config = load(tmp_path / "phantom.toml", {"HOME": str(tmp_path)})

    async with serving(replace(config, server=replace(config.server, port=0)), {}) as running:
        (account,) = running.accounts.accounts()

        assert account.traits.launch_batch_max == DIALECTS["aws"]["launch_batch_max"]
        assert running.clouds["sierra"].traits.token_is_idempotent


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        pytest.param('dialect = "generic"', ("generic", True, 5), id="the family"),
        pytest.param("filters_trusted = false", ("aws", False, 250), id="a fact"),
        pytest.param("launch_batch_max = 7", ("aws", True, 7), id="what the family found presets"),
    ],
)
def test_a_key_in_the_file_comes_before_what_was_found(tmp_path: Path, keys: str, expected: tuple[Any, ...]) -> None:
    """What the operator wrote down is what happens."""
    keep(tmp_path, {"dialect": "aws", "filters_trusted": True})

    installation = opened(tmp_path, keys=keys)

    used = sierra(installation)
    assert (used.dialect, used.filters_trusted, used.launch_batch_max) == expected
    installation.close()


def test_another_endpoint_makes_it_forget(tmp_path: Path) -> None:
    """What was found of one endpoint says nothing of another, nor of the first when it comes back years later."""
    keep(tmp_path, {"dialect": "aws"})

    for url in ("http://127.0.0.1:5001", URL):
        installation = opened(tmp_path, url)
        assert sierra(installation).dialect == "generic"
        assert installation.known == {}
        installation.close()


def test_facts_that_nobody_understands_are_left_out(tmp_path: Path) -> None:
    """Another version of the gateway may have known more: the rest is used."""
    facts = {"dialect": "eucalyptus", "filters_trusted": "yes", "zones": ZONES, "colour": "red"}
    keep(tmp_path, facts)

    installation = opened(tmp_path)

    assert sierra(installation).found == {"zones": ZONES}
    assert sierra(installation).dialect == "generic"
    installation.close()


def test_a_probe_that_cannot_tell_keeps_what_an_earlier_one_could(tmp_path: Path) -> None:
    """While no machine is there, nothing can be said of filters; what was said before still holds."""
    installation = opened(tmp_path)
    before = StoredProbe("sierra", URL, {"filters_trusted": False, "zones": ["old"]}, NOW)
    probe = Probe(reachable=True, zones=("new",), learned=(Learned("dialect", "moto", "because"),))
    later = NOW + timedelta(days=1)

    after = remembered.after("sierra", sierra(installation), probe, before, later)

    assert after == StoredProbe("sierra", URL, {"filters_trusted": False, "zones": ["new"], "dialect": "moto"}, later)
    installation.close()


@pytest.fixture
def endpoint() -> Iterator[tuple[str, World]]:
    """A cloud that ignores filters, with one machine on it."""
    world = World(AWS.changed({"filters": Filters.IGNORED}))
    world.plant(world.account_of("testing").account_id, Order())
    with LoopThread() as thread:
        served = thread.serve(Endpoint(world).application())
        yield served.url, world
        thread.run(served.stop())


def checked(tmp_path: Path, url: str, keys: str = "") -> Report:
    """What ``check`` reports."""
    installation = opened(tmp_path, url, keys)
    try:
        (report,) = asyncio.run(check_clouds(installation))
    finally:
        installation.close()
    return report


def test_a_check_remembers_what_it_found(tmp_path: Path, endpoint: tuple[str, World]) -> None:
    """It is told at once, to people and to programs, and the next start uses it."""
    url, _ = endpoint
    facts = {"filters_trusted": False, "zones": ZONES}

    report = checked(tmp_path, url, 'tags = "launch"')

    assert not report.is_wrong
    told = report.as_json()["remembered"]
    assert isinstance(told, dict)
    assert (told["endpoint_url"], told["facts"], told["overruled"]) == (url, facts, [])
    assert told["probed_at"].endswith("Z")
    assert 'filters_trusted = false, zones = ["us-east-1a"' in report.rows()[-1][-1]
    installation = opened(tmp_path, url)
    assert sierra(installation).found == facts
    installation.close()


def test_a_file_that_promises_too_much_is_corrected(tmp_path: Path, endpoint: tuple[str, World]) -> None:
    """A key in the file that the endpoint does not keep is a finding; the key is used all the same."""
    url, _ = endpoint

    report = checked(tmp_path, url, "filters_trusted = true")

    assert report.is_wrong
    assert report.findings == ("sierra ignores filters on tags: set filters_trusted = false",)
    assert report.as_json()["remembered"]["overruled"] == ["filters_trusted"]  # type: ignore[index]
    assert "filters_trusted" not in report.rows()[-1][-1]
    assert checked(tmp_path, url, 'dialect = "aws"').findings == ()  # nobody wrote the promise: it is not used


def test_a_cloud_that_is_down_takes_nothing_from_memory(tmp_path: Path) -> None:
    """What was known is known, and still told."""
    url = "http://127.0.0.1:9"
    keep(tmp_path, {"zones": ZONES}, url)

    report = checked(tmp_path, url)

    assert report.is_wrong
    assert report.known == StoredProbe("sierra", url, {"zones": ZONES}, NOW)
