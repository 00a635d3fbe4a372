"""
OpenStack as a provider: Keystone's log-in and Nova's servers through Libcloud's connections.

Owns: the requests, and finding images, flavors and networks by name or id. Does not own: servers as machines
(``servers``), the verbs (``backends.via_libcloud.cloud``). Libcloud's own ``create_node`` is not used: it asks for the
server once more after making it, and an error of that question would look like one of the order.
"""

import base64
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from backends.cloud import LaunchSpec, Machine, Mark
from backends.errors import Refused, Unreachable
from backends.openstack import servers
from backends.openstack.credentials import Login
from backends.refusals import of_ec2_alone, refuse
from backends.via_libcloud.drivers import openstack_driver
from backends.via_libcloud.provider import NAMES_MAX, Looked, Offers

PAGES_MAX = 1000
"""Pages of one list: a million servers at Nova's 1000 a page. A cloud that gives more is going round in circles."""

FOUND_KEPT = timedelta(minutes=5)
"""For which the id behind a name is remembered. Longer: a new image of the same name is used later."""


@dataclass(frozen=True, slots=True)
class ServerWants:
    """What servers get where their launch says nothing."""

    key_name: str | None = None
    security_groups: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    """By name or id; with none, Nova chooses when there is only one."""
    zone: str | None = None
    config_drive: bool = False
    """User data is also on a disk of its own, for clouds without a metadata service."""


class OpenStackProvider:
    """One project of an OpenStack."""

    dialect = "nova"
    names_are_unique = False
    decides_later = True

    def __init__(self, login: Login, wants: ServerWants, clock: Callable[[], datetime]) -> None:
        self._login = login
        self._wants = wants
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[str, datetime]] = {}
        self._finding = threading.Lock()

    # The port.

    def check(self, spec: LaunchSpec) -> None:
        """See the port."""
        refuse(of_ec2_alone(spec), "an openstack cloud")

    def connect(self) -> Any:
        """See the port."""
        login = self._login
        return openstack_driver(
            login.user,
            login.secret,
            # Libcloud adds the version by itself.
            auth_url=login.auth_url.rstrip("/").removesuffix("/v3"),
            is_application=login.is_application,
            project=login.project,
            user_domain=login.user_domain,
            project_domain_id=login.project_domain_id,
            region=login.region,
        )

    def look(self, driver: Any, is_ours: Callable[[Mark], bool]) -> Looked:
        """
        See the port. All servers of the project are asked for: users rename theirs, and plain users of Nova cannot
        filter by metadata.
        """
        machines = []
        for server in self._pages(driver.connection, "/servers/detail", "servers"):
            mark = servers.mark_of(server)
            if mark is not None and is_ours(mark):
                machines.append(servers.machine_of(server, mark, self._clock()))
        return Looked(tuple(machines))

    def one(self, driver: Any, machine_id: str, is_ours: Callable[[Mark], bool]) -> Machine | None:
        """See the port."""
        server = driver.connection.request(f"/servers/{machine_id}").object["server"]
        mark = servers.mark_of(server)
        return servers.machine_of(server, mark, self._clock()) if mark is not None and is_ours(mark) else None

    def zones(self, driver: Any) -> tuple[str, ...]:
        """The availability zones that servers may be launched in."""
        zones = driver.connection.request("/os-availability-zone").object.get("availabilityZoneInfo", [])
        return tuple(str(zone["zoneName"]) for zone in zones if zone.get("zoneState", {}).get("available", True))

    def create(self, driver: Any, spec: LaunchSpec, name: str, mark: Mark) -> Machine:
        """See the port."""
        wants = self._wants
        networks = (spec.subnet_id,) if spec.subnet_id else wants.networks
        groups = spec.security_groups or wants.security_groups
        order = {
            "name": name,
            "imageRef": self._found(driver, "image", spec.image_id),
            "flavorRef": self._found(driver, "flavor", spec.instance_type),
            "metadata": servers.metadata_of(mark),
            "key_name": spec.key_name or wants.key_name,
            "availability_zone": spec.zone or wants.zone,
            "user_data": base64.b64encode(spec.user_data).decode() or None,
            "networks": [{"uuid": self._found(driver, "network", each)} for each in networks],
            "security_groups": [{"name": group} for group in groups],
            "config_drive": wants.config_drive or None,
        }
        data = {"server": {key: value for key, value in order.items() if value not in (None, [])}}
        made = driver.connection.request("/servers", method="POST", data=data).object["server"]
        return servers.machine_of({**made, "name": name, "status": "BUILD"}, mark, self._clock())

    def decided(self, driver: Any, machine: Machine) -> Machine | None:
        """See the port."""
        server = driver.connection.request(f"/servers/{machine.machine_id}").object["server"]
        if not servers.is_decided(server):
            return None
        assert machine.mark is not None, "it was made with one"
        return servers.machine_of(server, machine.mark, machine.launched_at)

    def handles(self, driver: Any, machine_ids: Sequence[str], is_ours: Callable[[Mark], bool]) -> Sequence[str]:  # noqa: ARG002 - the port's
        """The ids themselves: Nova's are never given again."""
        return machine_ids

    def destroy(self, driver: Any, handle: Any) -> None:
        """See the port."""
        driver.connection.request(f"/servers/{handle}", method="DELETE")

    def offers(self, driver: Any) -> Offers:
        """See the port."""
        images = self._list(driver, "image")
        flavors = self._list(driver, "flavor")
        absolute = driver.connection.request("/limits").object.get("limits", {}).get("absolute", {})
        return Offers(
            tuple(str(each["name"]) for each in images)[:NAMES_MAX],
            tuple(str(each["name"]) for each in flavors)[:NAMES_MAX],
            self.zones(driver),
            tuple(_limit(absolute, *names) for names in _LIMITS),
            tuple(self._missing(driver)),
        )

    # Finding.

    def _missing(self, driver: Any) -> list[str]:
        """Sentences about what is configured and not there."""
        findings = []
        for network in self._wants.networks:
            try:
                self._found(driver, "network", network)
            except Refused as error:
                findings.append(f"{error}: correct networks")
        return findings

    def _found(self, driver: Any, what: str, wanted: str) -> str:
        """The id of the *what* whose id or name is *wanted*. Raises Refused when there is not exactly one."""
        now = self._clock()
        with self._finding:
            known, at = self._known.get((what, wanted), ("", now))
        if known and now - at < FOUND_KEPT:
            return known
        things = self._list(driver, what)
        ids = [str(each["id"]) for each in things if str(each["id"]) == wanted]
        ids = ids or [str(each["id"]) for each in things if each.get("name") == wanted]
        if not ids:
            raise Refused(f"there is no {what} {wanted!r} in this project")
        if len(ids) > 1:
            raise Refused(f"{len(ids)} {what}s are called {wanted!r}: name it by its id")
        with self._finding:
            self._known[what, wanted] = (ids[0], now)
        return ids[0]

    def _list(self, driver: Any, what: str) -> list[dict[str, Any]]:
        match what:
            case "image":
                return self._pages(driver.image_connection, "/v2/images", "images")
            case "flavor":
                return self._pages(driver.connection, "/flavors/detail", "flavors")
            case _:
                return self._pages(driver.network_connection, "/v2.0/networks", "networks")

    def _pages(self, connection: Any, path: str, key: str) -> list[dict[str, Any]]:
        """
        All of a list, following its links: Nova's and Neutron's under "…_links", Glance's under "next".

        A page without the list is an error, never an empty list. Raises Unreachable for one without end.
        """
        found: list[dict[str, Any]] = []
        query: dict[str, Any] = {}
        seen: set[str] = set()
        for _ in range(PAGES_MAX):
            page = connection.request(path, params=query).object
            found += page[key]
            links = [link["href"] for link in page.get(f"{key}_links", []) if link.get("rel") == "next"]
            following = links[0] if links else page.get("next")
            if not following:
                return found
            if following in seen:
                break
            seen.add(following)
            query = parse_qs(urlsplit(following).query)
        raise Unreachable(f"it lists its {key} without end")


_LIMITS = (
    ("servers", "totalInstancesUsed", "maxTotalInstances"),
    ("cores", "totalCoresUsed", "maxTotalCores"),
    ("MB of RAM", "totalRAMUsed", "maxTotalRAMSize"),
)


def _limit(absolute: dict[str, Any], what: str, used: str, most: str) -> str:
    """How much of a quota is used; -1 is Nova's word for none."""
    limit = absolute.get(most, -1)
    return f"{what} {absolute.get(used, '?')} of {'any number' if limit == -1 else limit}"
