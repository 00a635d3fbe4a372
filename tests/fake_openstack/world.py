"""
A small OpenStack's memory: servers, images, flavors, networks, quota, and what is to go wrong.

Owns: what is true there. Does not own: HTTP (``endpoint``). It behaves as a real Nova 26 with its fake driver did:
servers build for a while, fail to find a host after the order was taken, and are gone as soon as they are deleted.
"""

import itertools
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

IMAGE = "11111111-aaaa-4aaa-8aaa-111111111111"
FLAVOR = "22222222-bbbb-4bbb-8bbb-222222222222"
NETWORK = "33333333-cccc-4ccc-8ccc-333333333333"
LAUNCHED_AT = "2026-01-02T03:04:05Z"


@dataclass
class Fault:
    """
    What is to happen to the next request whose method and path match.

    *status* is answered with *message*. *after*: only once the request was carried out, so that the answer lies.
    *hangs*: no answer at all.
    """

    method: str
    path: str
    status: int = 500
    message: str = "the cloud's own words"
    after: bool = False
    hangs: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1


class World:
    """One project. *looks_to_build*: how often a server is looked at before it is ACTIVE."""

    def __init__(self, *, looks_to_build: int = 0, instances_max: int = 100, hosts_max: int = 100) -> None:
        self.looks_to_build = looks_to_build
        self.instances_max = instances_max
        self.hosts_max = hosts_max
        self.page_size = 1000
        self.token_expires = "2036-01-01T00:00:00.000000Z"
        self.servers: dict[str, dict[str, Any]] = {}
        self.made: list[dict[str, Any]] = []
        """Every server that was ever ordered, with its user data."""
        self.images = [{"id": IMAGE, "name": "tiny"}]
        self.flavors = [{"id": FLAVOR, "name": "m1.tiny"}]
        self.networks = [{"id": NETWORK, "name": "net1"}]
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []
        self._numbers = itertools.count(3)

    def fault_for(self, method: str, path: str) -> Fault | None:
        """The fault that strikes this request, used up."""
        for fault in self.faults:
            if fault.times > 0 and fault.method == method and fault.path in path:
                fault.times -= 1
                return fault
        return None

    def order(self, server: dict[str, Any]) -> dict[str, Any]:
        """The new server's record."""
        identity = str(uuid.uuid4())
        full = len(self.alive()) >= self.hosts_max
        record = {
            "id": identity,
            "name": server["name"],
            "status": "BUILD",
            "metadata": server.get("metadata", {}),
            "created": LAUNCHED_AT,
            "addresses": {},
            "OS-EXT-AZ:availability_zone": "",
            "OS-EXT-STS:task_state": "scheduling",
            "_looks": self.looks_to_build,
            "_full": full,
            "_zone": server.get("availability_zone", "nova"),
            "_address": f"10.99.0.{next(self._numbers)}",
        }
        self.servers[identity] = record
        self.made.append(server)
        return record

    def look(self, record: dict[str, Any]) -> dict[str, Any]:
        """*record* as Nova shows it now: every look brings a server that is being built further."""
        if record["status"] == "BUILD":
            if record["_looks"] > 0:
                record["_looks"] -= 1
            elif record["_full"]:
                record["status"], record["OS-EXT-STS:task_state"] = "ERROR", None
                record["fault"] = {"code": 500, "message": "No valid host was found. "}
            else:
                address = {"addr": record["_address"], "version": 4, "OS-EXT-IPS:type": "fixed"}
                record["status"], record["OS-EXT-STS:task_state"] = "ACTIVE", None
                record["addresses"] = {"net1": [address]}
                record["OS-EXT-AZ:availability_zone"] = record["_zone"]
        return {key: value for key, value in record.items() if not key.startswith("_")}

    def alive(self) -> list[dict[str, Any]]:
        """Servers that hold a place."""
        return [each for each in self.servers.values() if each["status"] != "ERROR"]

    def kill(self, identities: Iterable[str]) -> None:
        """Nothing; an operator deleted these servers."""
        for identity in identities:
            del self.servers[identity]
