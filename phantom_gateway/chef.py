"""
Chef, as a VM's user data: which run list it converges to, and at which server it registers.

Owns: the document that cloud-init reads, and the two values it is made of. Does not own: where they are stored, or
Chef itself: cloud-init installs the client, writes client.rb, validation.pem and firstboot.json, and runs it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phantom_gateway.secret import Secret

CREDENTIALS_DEFAULT = "chef"
"""Name of the Chef credentials of a group that names none; the original's."""

LICENSES = ("accept", "accept-silent", "accept-no-persist")
"""
The words by which a user accepts Chef's licence; Chef 15 and newer do not run without one of them.

Source: https://docs.chef.io/licensing/accept/
"""


_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""Characters that JSON leaves as they are, and YAML takes for line breaks or for nothing it may contain."""


@dataclass(frozen=True, slots=True)
class ChefRun:
    """What a launch configuration says to Chef. Attributes may hold secrets."""

    run_list: Sequence[str]
    attributes: Mapping[str, Any] = field(default_factory=dict, repr=False)
    license: str | None = None
    """How the user accepted Chef's licence, one of LICENSES; None: nothing is said."""

    def to_text(self) -> Secret:
        """All of it as one text, to be sealed."""
        return Secret(json.dumps({"run_list": self.run_list, "attributes": self.attributes, "license": self.license}))

    @classmethod
    def from_text(cls, text: Secret) -> "ChefRun":
        """What :meth:`to_text` made *text* of."""
        return cls(**json.loads(text.reveal()))


@dataclass(frozen=True, slots=True)
class ChefServer:
    """Where new clients register, and as whom."""

    server_url: str
    validation_client_name: str
    validator_key: Secret


def user_data(server: ChefServer, run: ChefRun) -> Secret:
    """
    The user data that makes a VM a client of *server* that converges to *run*: a cloud-config document.

    The client is named after the VM's own instance id, which is what cloud-init takes when it is told no name: so one
    document serves all VMs of a launch.

    Source: cloud-init's module cc_chef, https://cloudinit.readthedocs.io/en/latest/reference/modules.html#chef
    """
    chef: dict[str, Any] = {
        "install_type": "omnibus",  # distributions do not package Chef any more
        "force_install": False,
        "server_url": server.server_url,
        "validation_name": server.validation_client_name,
        "validation_cert": server.validator_key.reveal(),
        "environment": "_default",
        "ssl_verify_mode": ":verify_peer",  # cloud-init's own default trusts whoever answers
        "run_list": list(run.run_list),
        "exec": True,
    }
    if run.attributes:
        chef["initial_attributes"] = dict(run.attributes)
    if run.license is not None:
        chef["chef_license"] = run.license
    lines = [f"  {name}: {_yaml(value)}" for name, value in chef.items()]
    return Secret("\n".join(["#cloud-config", "chef:", *lines, ""]))


def _yaml(value: Any) -> str:
    """
    *value* as YAML 1.1 in the form of JSON.

    JSON's own text would do but for details that YAML 1.1 reads differently: halves of a surrogate pair as two
    characters, a number like 1e+22 as a text, and long keys not at all without a question mark.
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"? {_quoted(name)} : {_yaml(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_yaml(inner) for inner in value) + "]"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, float):
        mantissa, e, exponent = repr(value).partition("e")
        return mantissa + ("" if "." in mantissa else ".0") + e + exponent
    return json.dumps(value)


def _quoted(text: str) -> str:
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))
