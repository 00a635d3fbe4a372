"""
What answers give away of an endpoint: which family it is of, whether its filters and launch tokens can be relied on.

Owns: the conclusions, as pure functions, and what is too little for one. Does not own: asking (``probing``), nor what
becomes of it. Nothing is concluded that launches could suffer from if it were wrong: that filters work is believed
only when they found exactly what a whole listing shows.
"""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from backends.cloud import Learned
from backends.ec2.errors import Failed
from backends.ec2.inventory import GATEWAY_TAG, TOKEN_TAG
from backends.ec2.replies import text_of

AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")

_OPENSTACK_ID = re.compile(r"req-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
"""How OpenStack's services number requests (oslo.context); ec2-api shows it in every answer."""

_REFUSES_A_FILTER = frozenset(
    {"InvalidFilter", "InvalidParameterValue", "UnsupportedOperation", "FilterNotImplemented"}
)
"""Codes that say so; anything else may be about the moment or the key."""

_ITEMS = "{*}reservationSet/{*}item/{*}instancesSet/{*}item"


@dataclass(frozen=True, slots=True)
class Listing:
    """One page: the ids of all machines, those with our tag, and those of them that do not show their launch token."""

    all_ids: frozenset[str]
    ours: frozenset[str]
    tokenless: frozenset[str]
    is_whole: bool
    """No further page."""


def filter_on(value: str) -> dict[str, Any]:
    """The filter for machines whose gateway tag is *value*."""
    return {"Name": f"tag:{GATEWAY_TAG}", "Values": [value]}


def listing(root: Any, gateway_id: str) -> Listing:
    """What the answer *root* of DescribeInstances shows."""
    all_ids, ours, tokenless = set(), set(), set()
    for item in root.iterfind(_ITEMS):
        machine_id = text_of(item, "instanceId")
        all_ids.add(machine_id)
        tags = {text_of(tag, "key"): text_of(tag, "value") for tag in item.iterfind("{*}tagSet/{*}item")}
        if tags.get(GATEWAY_TAG) == gateway_id:
            ours.add(machine_id)
            if tags.get(TOKEN_TAG) and not text_of(item, "clientToken"):
                tokenless.add(machine_id)
    return Listing(frozenset(all_ids), frozenset(ours), frozenset(tokenless), not text_of(root, "nextToken"))


def family(name: str, endpoint_url: str, server: str, request_id: str) -> Learned | None:
    """The dialect of an endpoint that answers with this Server header and this request id; None: it says too little."""
    host = urlsplit(endpoint_url).hostname or ""
    if host.endswith(AWS_HOSTS):
        return Learned("dialect", "aws", f"{name} is one of AWS's own hosts")
    if _OPENSTACK_ID.fullmatch(request_id):
        return Learned("dialect", "ec2-api", f"{name} numbers requests as OpenStack does")
    if "Werkzeug" in server and "amazon.com" in server:
        return Learned("dialect", "moto", f"{name} names itself as moto does")
    return None


def of_listings(name: str, whole: Listing, unlikely: Listing, ours: Listing) -> list[Learned]:
    """What follows from all machines, and from those that filters for nothing and for ours show."""
    found = []
    if unlikely.all_ids:
        found.append(Learned("filters_trusted", False, f"{name} ignores filters on tags"))
    elif whole.ours - ours.all_ids:
        found.append(Learned("filters_trusted", False, f"filters on tags do not find all machines on {name}"))
    elif whole.is_whole and ours.is_whole and whole.ours and ours.all_ids == whole.ours:
        found.append(Learned("filters_trusted", True, f"filters on tags find exactly our machines on {name}"))
    if whole.tokenless:
        found.append(Learned("token_is_idempotent", False, f"machines on {name} do not show their launch token"))
    return found


def of_refusal(name: str, problem: Failed) -> list[Learned]:
    """What follows from an error in EC2's form to one of these questions."""
    if problem.code not in _REFUSES_A_FILTER:
        return []
    return [Learned("filters_trusted", False, f"{name} refuses filters on tags")]
