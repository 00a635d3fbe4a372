"""
The flows of the original's scripts for its JSON API, with ``requests`` as they used it, against a whole gateway.

Owns: what such a script sends and expects, step by step. What runs is told by the processes. Does not own: the
tutorial (``test_tutorial``).
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.clients.recipes import environ_of, running
from tests.clients.test_tutorial import Caller
from tests.support.gateway import PASSWORD, Gateway
from tests.support.waiting import wait_for

pytestmark = pytest.mark.clients

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEwhole\n-----END RSA PRIVATE KEY-----\n"


@pytest.fixture
def caller(gateway: Gateway, environ: dict[str, str]) -> Iterator[Caller]:
    """A user whose domains and launch configurations are gone afterwards, and so are the VMs."""
    caller = Caller(environ)
    yield caller
    for domain in caller.call("GET", "/domains").json():
        caller.call("DELETE", f"/domains/{domain['id']}")
    wait_for(lambda: not gateway.vm_pids(), "every VM to be gone")
    for base in caller.call("GET", "/launchconfigurations").json():
        caller.call("DELETE", f"/launchconfigurations/{base['id']}")


def share(image: str = "sleeper", **more: Any) -> dict[str, Any]:
    """What scripts say of a cloud, the user data that the original ignored there included."""
    return {
        "image_id": image,
        "instance_type": "m1.small",
        "max_vms": -1,
        "common": True,
        "rank": 1,
        "user_data": None,
        **more,
    }


def make_launch(caller: Caller, name: str, **more: Any) -> dict[str, Any]:
    """As lc_create.py: a launch configuration on hotel; it wants a 201."""
    body = {"name": name, "cloud_params": {"hotel": share()}, "contextualization_method": None, **more}
    answer = caller.call("POST", "/launchconfigurations", body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def make_domain(caller: Caller, name: str, base: str, count: int) -> dict[str, Any]:
    """As domain_create.py."""
    body = {"name": name, "de_name": "multicloud", "lc_name": base, "vm_count": count}
    answer = caller.call("POST", "/domains", body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def states(caller: Caller, domain: dict[str, Any]) -> list[tuple[str, str]]:
    """As domain_list.py: cloud and state of each VM."""
    found = caller.call("GET", f"/domains/{domain['id']}/instances").json()
    return [(vm["cloud"].rpartition("/")[2], vm["lifecycle_state"]) for vm in found]


def test_a_launch_configuration_comes_and_goes(caller: Caller) -> None:
    """lc_create, lc_create_chef, lc_list and lc_delete."""
    make_launch(caller, "plain")
    make_launch(caller, "cooked", contextualization_method="chef", chef_runlist='["base_image"]', chef_attributes="{}")
    assert [base["name"] for base in caller.call("GET", "/launchconfigurations").json()] == ["plain", "cooked"]

    for name in ("plain", "cooked"):
        found = caller.find("/launchconfigurations", name)
        assert caller.call("DELETE", f"/launchconfigurations/{found['id']}").status_code == 204
    assert caller.call("GET", "/launchconfigurations").json() == []


def test_a_domain_lives_and_dies(gateway: Gateway, caller: Caller) -> None:
    """domain_create, domain_list, domain_alter (which puts back what it got) and domain_delete, at real processes."""
    make_launch(caller, "lc")
    domain = make_domain(caller, "grows", "lc", 2)
    wait_for(lambda: states(caller, domain) == [("hotel", "600-RUNNING")] * 2, "two VMs to be listed as running")
    assert running(gateway) == {"hotel": 2}

    found = caller.find("/domains", "grows")
    found["vm_count"] = 3
    answer = requests.put(f"{caller.url}/domains/{found['id']}", data=json.dumps(found), auth=caller.auth, timeout=30)
    assert answer.status_code == 200
    wait_for(lambda: states(caller, domain) == [("hotel", "600-RUNNING")] * 3, "three VMs to be listed as running")

    assert caller.call("DELETE", f"/domains/{found['id']}").status_code == 204
    assert caller.find("/domains", "grows") is None
    wait_for(lambda: not gateway.vm_pids(), "its VMs to end")
    wait_for(lambda: caller.call("GET", f"/domains/{found['id']}").status_code == 404, "it to be gone")


def test_a_sensor_domain_is_made(gateway: Gateway, caller: Caller) -> None:
    """sensor_domain_create: it begins with its minimum. (The published script took the 201 for a failure.)"""
    make_launch(caller, "lc")
    body = {
        "name": "driven",
        "de_name": "sensor",
        "lc_name": "lc",
        "monitor_sensors": "proc.loadavg.1min",
        "sensor_metric": "proc.loadavg.1min",
        "sensor_cooldown": 60,
        "sensor_minimum_vms": "1",
        "sensor_maximum_vms": "3",
        "sensor_scale_up_threshold": 2.0,
        "sensor_scale_up_vms": 1,
        "sensor_scale_down_threshold": 0.5,
        "sensor_scale_down_vms": 1,
    }

    assert caller.call("POST", "/domains", body).status_code == 201
    wait_for(lambda: running(gateway) == {"hotel": 1}, "one VM to run")
    assert caller.find("/domains", "driven")["sensor_maximum_vms"] == 3


def test_from_the_password_to_the_vm_and_back(gateway: Gateway, caller: Caller) -> None:
    """The original's own test: log in, a launch configuration with user data, a domain of one, and all of it gone."""
    answer = requests.post(f"{caller.url}/token", data={"username": "tester", "password": PASSWORD}, timeout=30)
    assert answer.json()["success"] is True
    caller.auth = (str(answer.json()["user"]), answer.json()["token"])
    make_launch(caller, "told", user_data="#!/bin/sh\necho hällo\n")
    domain = make_domain(caller, "told", "told", 1)

    (pid,) = wait_for(gateway.vm_pids, "its VM to run")
    wait_for(lambda: states(caller, domain) == [("hotel", "600-RUNNING")], "one VM to be listed as running")

    assert Path(environ_of(pid)["PHANTOM_USER_DATA_FILE"]).read_text(encoding="utf-8") == "#!/bin/sh\necho hällo\n"
    (vm,) = caller.call("GET", f"/domains/{domain['id']}/instances").json()
    assert vm["hostname"] == vm["public_ip"] == environ_of(pid)["PHANTOM_ADDRESS"]


def test_a_vm_is_ended_and_replaced_or_not(gateway: Gateway, caller: Caller) -> None:
    """Terminate with adjust_policy shrinks the domain; without, another VM takes its place."""
    make_launch(caller, "lc")
    domain = make_domain(caller, "tended", "lc", 2)
    wait_for(lambda: states(caller, domain) == [("hotel", "600-RUNNING")] * 2, "two VMs to run")
    first, second = caller.call("GET", f"/domains/{domain['id']}/instances").json()

    assert caller.call("DELETE", f"/domains/{domain['id']}/instances/{first['id']}").status_code == 204
    wait_for(lambda: states(caller, domain) == [("hotel", "600-RUNNING")] * 2, "another to take its place")
    ids = [vm["id"] for vm in caller.call("GET", f"/domains/{domain['id']}/instances").json()]
    assert (first["id"] in ids, second["id"] in ids) == (False, True)

    path = f"/domains/{domain['id']}/instances/{second['id']}?adjust_policy=true"
    assert caller.call("DELETE", path).status_code == 204
    assert caller.find("/domains", "tended")["vm_count"] == 1
    wait_for(lambda: states(caller, domain) == [("hotel", "600-RUNNING")], "one VM to be left")
    assert running(gateway) == {"hotel": 1}


def test_vms_move_when_their_launch_configuration_does(gateway: Gateway, caller: Caller) -> None:
    """A cloud that is dropped is drained, and what ran there runs on the one that is left."""
    base = make_launch(caller, "moves")
    make_domain(caller, "moves", "moves", 2)
    wait_for(lambda: running(gateway) == {"hotel": 2}, "two VMs to run on hotel")

    answer = caller.call("PUT", base["uri"].removeprefix("/api/dev"), base | {"cloud_params": {"sierra": share()}})

    assert answer.status_code == 200
    wait_for(lambda: running(gateway) == {"sierra": 2}, "both to run on sierra")


def test_a_vm_is_told_how_to_become_a_client_of_chef(gateway: Gateway, caller: Caller) -> None:
    """The key that was stored is in the VM's user data, and in no log."""
    credentials = {
        "id": "chef",
        "server_url": "https://chef.example.org",
        "client_name": "alice",
        "client_key": KEY,
        "validator_key": KEY,
    }
    assert caller.call("POST", "/credentials/chef", credentials).status_code == 201
    make_launch(caller, "cooked", chef_runlist='["role[web]"]', chef_attributes='{"port": 80}')
    make_domain(caller, "cooked", "cooked", 1)

    (pid,) = wait_for(gateway.vm_pids, "its VM to run")

    text = Path(environ_of(pid)["PHANTOM_USER_DATA_FILE"]).read_text(encoding="utf-8")
    told = yaml.safe_load(text)["chef"]
    assert (told["validation_cert"], told["run_list"]) == (KEY, ["role[web]"])
    assert told["initial_attributes"] == {"port": 80}
    assert "MIIEwhole" not in gateway.log.read_text(encoding="utf-8")
