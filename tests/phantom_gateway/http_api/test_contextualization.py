"""Contextualization, from the JSON API to what a cloud launches."""

import logging
from pathlib import Path
from typing import Any

import pytest
import yaml

from backends.cloud import LaunchSpec
from phantom_gateway.operations.http_api.errors import JsonError
from phantom_gateway.records.tables import metadata
from protocol.errors import ApiError
from tests.phantom_gateway.http_api.clerk import Clerk
from tests.phantom_gateway.http_api.test_domains import given
from tests.phantom_gateway.http_api.test_launch_configurations import given as launch
from tests.phantom_gateway.office import Office
from tests.support.canary import planted

KEY = f"-----BEGIN RSA PRIVATE KEY-----\n{planted('MIIF')}{{}}\n-----END RSA PRIVATE KEY-----\n"


@pytest.fixture
def clerk(office: Office) -> Clerk:
    """The endpoints, called by Alice."""
    return Clerk(office)


def server(name: str = "chef", secret: str = "MIIE", **more: Any) -> dict[str, Any]:
    """Chef credentials."""
    return {
        "id": name,
        "server_url": "https://chef.example.org",
        "client_name": "alice",
        "client_key": KEY.format("client"),
        "validator_key": KEY.format(secret),
        **more,
    }


async def launched(clerk: Clerk, domain: dict[str, Any], cloud: str = "hotel") -> LaunchSpec:
    """What a pass would launch now."""
    record = await clerk.office.ledger.read(domain["id"])
    assert record is not None
    return record.sources[cloud].spec


async def chef_of(clerk: Clerk, domain: dict[str, Any]) -> dict[str, Any]:
    """What cloud-init is told about Chef."""
    return dict(yaml.safe_load((await launched(clerk, domain)).user_data)["chef"])


def make(clerk: Clerk, context: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A domain of a launch configuration with *context*."""
    clerk.call("POST", "/launchconfigurations", launch(**context))
    return dict(clerk.call("POST", "/domains", given(**more)))


async def test_each_cloud_gets_its_own_user_data(clerk: Clerk) -> None:
    """An object has a text per cloud, and those it does not name get none."""
    domain = make(clerk, {"user_data": {"sierra": "#!/bin/sh\nécho"}})

    assert (await launched(clerk, domain, "sierra")).user_data == "#!/bin/sh\nécho".encode()
    assert (await launched(clerk, domain, "hotel")).user_data == b""


async def test_chef_is_rendered_at_launch(clerk: Clerk) -> None:
    """With the credentials called chef, unless the domain names others; changed ones reach the next VM."""
    clerk.call("POST", "/credentials/chef", server())
    clerk.call("POST", "/credentials/chef", server("lab", "OTHER", validation_client_name="lab-validator"))
    domain = make(clerk, {"run_list": ["role[web]"], "attributes": {"a": 1}})

    first = await chef_of(clerk, domain)
    assert (first["validation_cert"], first["run_list"]) == (KEY.format("MIIE"), ["role[web]"])
    assert first["initial_attributes"] == {"a": 1}
    clerk.call("PUT", "/credentials/chef/chef", server(secret="NEW"))
    assert (await chef_of(clerk, domain))["validation_cert"] == KEY.format("NEW")
    clerk.call("PUT", domain["uri"], domain | {"chef_credential": "lab"})
    last = await chef_of(clerk, domain)
    assert (last["validation_name"], last["validation_cert"]) == ("lab-validator", KEY.format("OTHER"))


async def test_a_changed_run_list_makes_other_launch_specs(clerk: Clerk) -> None:
    """OldestLaunchConfiguration tells VMs by the age of their launch configuration, and so it is a new one."""
    clerk.call("POST", "/credentials/chef", server())
    domain = make(clerk, {"run_list": ["a"]})
    (base,) = clerk.call("GET", "/launchconfigurations")
    clerk.office.later(60)

    clerk.call("PUT", base["uri"], base | {"run_list": ["b"]})

    record = await clerk.office.ledger.read(domain["id"])
    assert record is not None
    assert (await chef_of(clerk, domain))["run_list"] == ["b"]
    assert {source.created_at for source in record.sources.values()} == {clerk.office.now}


async def test_without_its_credentials_nothing_is_launched_and_it_says_why(clerk: Clerk) -> None:
    """They were deleted under a domain: its VMs would register nowhere."""
    clerk.call("POST", "/credentials/chef", server())
    domain = make(clerk, {"run_list": ["a"]})
    clerk.call("DELETE", "/credentials/chef/chef")

    record = await clerk.office.ledger.read(domain["id"])

    assert record is not None
    assert record.sources == {}
    assert record.obstacles == dict.fromkeys(("hotel", "sierra"), "there are no Chef credentials called chef")
    assert clerk.call("PUT", domain["uri"], domain) == domain


@pytest.mark.parametrize(
    ("stored", "more", "words"),
    [
        pytest.param([], {}, "There are no Chef credentials called chef, which web needs", id="none"),
        pytest.param([server()], {"chef_credential": "lab"}, "no Chef credentials called lab", id="others"),
        pytest.param([server(secret="A" * 16_260)], {}, "bytes of user data, and may have 16384", id="a long key"),
    ],
)
def test_a_domain_that_could_not_launch_is_refused(
    clerk: Clerk, stored: list[dict[str, Any]], more: dict[str, Any], words: str
) -> None:
    """Before anything is made."""
    for credentials in stored:
        clerk.call("POST", "/credentials/chef", credentials)

    with pytest.raises(JsonError) as caught:
        make(clerk, {"run_list": ["a"]}, **more)

    assert (caught.value.status, words in caught.value.message) == (400, True)
    assert clerk.call("GET", "/domains") == []


def test_aws_clients_cannot_give_user_data_beside_chef(clerk: Clerk) -> None:
    """A launch configuration has one contextualization, whichever API it came from; and AWS clients see no key."""
    clerk.call("POST", "/credentials/chef", server())
    make(clerk, {"run_list": ["a"], "clouds": ("hotel",)})

    with pytest.raises(ApiError) as caught:
        clerk.office.create_launch_configuration("web@sierra", UserData="eA==")

    assert caught.value.message == "UserData: web is contextualized by Chef on all its clouds; leave UserData out."
    (shown,) = clerk.office.call("DescribeLaunchConfigurations")["LaunchConfigurations"]
    assert shown["UserData"] == ""


async def test_a_cloud_that_aws_clients_add_has_chef_too(clerk: Clerk) -> None:
    """It belongs to the whole."""
    clerk.call("POST", "/credentials/chef", server())
    domain = make(clerk, {"run_list": ["a"], "clouds": ("hotel",)})

    clerk.office.create_launch_configuration("web@sierra")

    assert b"run_list" in (await launched(clerk, domain, "sierra")).user_data
    assert [cloud["site_name"] for cloud in clerk.call("GET", domain["uri"])["clouds"]] == ["hotel", "sierra"]


async def test_nothing_of_it_is_logged_or_kept_in_clear(
    clerk: Clerk, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """User data, attributes and keys are in the database under seal alone, and in no log at any level."""
    caplog.set_level(logging.DEBUG)
    clerk.call("POST", "/credentials/chef", server(secret="KEYSECRET"))
    domain = make(clerk, {"run_list": ["a"], "attributes": {"k": "ATTRIBUTESECRET"}})
    clerk.call("POST", "/launchconfigurations", launch("data", user_data="DATASECRET"))
    assert b"KEYSECRET" in (await launched(clerk, domain)).user_data

    rows = clerk.office.database.read_now(
        lambda connection: [repr(row) for table in metadata.sorted_tables for row in connection.execute(table.select())]
    )
    files = [tmp_path / name for name in ("office.db", "office.db-wal") if (tmp_path / name).exists()]
    stored = "\n".join(rows).encode() + b"".join(file.read_bytes() for file in files)  # pages that were freed, too

    for secret in ("KEYSECRET", "ATTRIBUTESECRET", "DATASECRET"):
        assert secret not in caplog.text
        assert secret.encode() not in stored
