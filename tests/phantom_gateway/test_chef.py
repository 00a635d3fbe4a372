"""Chef's cloud-config: what cloud-init reads is what was meant, whatever the attributes hold."""

import json
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from phantom_gateway.chef import ChefRun, ChefServer, user_data
from phantom_gateway.secret import Secret

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n"
SERVER = ChefServer("https://chef.example.org/organizations/lab", "lab-validator", Secret(KEY))

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.sampled_from(["1e3", "yes", "0o7", "12:30", "null", "~", "2001-01-01", " # no comment"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | st.just("k" * 2000), inner, max_size=3),
    max_leaves=10,
)


def read(run: ChefRun) -> Any:
    """What cloud-init's parser of YAML makes of it."""
    text = user_data(SERVER, run).reveal()
    assert text.startswith("#cloud-config\n")
    return yaml.safe_load(text.encode())


def test_a_vm_is_told_to_become_a_client() -> None:
    """Server, validator, run list and attributes; the name is left to cloud-init, which takes the VM's own id."""
    run = ChefRun(("role[web]", "recipe[ntp]"), {"ntp": {"servers": ["a", "b"]}}, "accept")

    assert read(run) == {
        "chef": {
            "install_type": "omnibus",
            "force_install": False,
            "server_url": "https://chef.example.org/organizations/lab",
            "validation_name": "lab-validator",
            "validation_cert": KEY,
            "environment": "_default",
            "ssl_verify_mode": ":verify_peer",
            "run_list": ["role[web]", "recipe[ntp]"],
            "exec": True,
            "initial_attributes": {"ntp": {"servers": ["a", "b"]}},
            "chef_license": "accept",
        }
    }


@settings(deadline=None)
@given(st.dictionaries(texts, values, max_size=3))
def test_attributes_arrive_as_they_are(attributes: dict[str, Any]) -> None:
    """YAML has traps that JSON has not: numbers, line breaks and words that it reads its own way."""
    found = read(ChefRun(("a",), attributes))["chef"].get("initial_attributes", {})

    assert json.dumps(found) == json.dumps(attributes)


@given(st.dictionaries(texts, values, max_size=3), st.lists(st.sampled_from(["a", "role[b]"]), max_size=3))
def test_what_was_sealed_is_what_is_opened(attributes: dict[str, Any], run_list: list[str]) -> None:
    """Run list and attributes go through the records as one text."""
    run = ChefRun(tuple(run_list), attributes)

    opened = ChefRun.from_text(run.to_text())

    assert (list(opened.run_list), json.dumps(opened.attributes)) == (run_list, json.dumps(attributes))


def test_nothing_shows_a_key_by_accident() -> None:
    """Neither the server nor the document prints what is in it."""
    run = ChefRun(("a",), {"password": "hidden"})

    assert KEY not in repr(SERVER)
    assert "hidden" not in repr(run)
    assert "MIIE" not in repr(user_data(SERVER, run))
