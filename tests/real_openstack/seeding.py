"""
What a new OpenStack needs before servers can be launched: service users, endpoints, an image, flavors, a network.

Owns: asking for those, over HTTP, and what tests ask past the gateway. Does not own: the services.
"""

from typing import Any

import requests

from tests.real_openstack.configuration import PASSWORD, Plan

ADMIN = "admin"
TIMEOUT_S = 60.0


class LoggedIn:
    """The administrator, logged in to Keystone at *keystone_url*."""

    def __init__(self, keystone_url: str) -> None:
        self._keystone_url = keystone_url
        user: dict[str, Any] = {"name": ADMIN, "domain": {"id": "default"}, "password": ADMIN}
        scope: dict[str, Any] = {"project": {"name": ADMIN, "domain": {"id": "default"}}}
        identity: dict[str, Any] = {"methods": ["password"], "password": {"user": user}}
        answer = requests.post(
            f"{keystone_url}/auth/tokens", json={"auth": {"identity": identity, "scope": scope}}, timeout=TIMEOUT_S
        )
        answer.raise_for_status()
        self.token = answer.json()["token"]
        self.project_id: str = self.token["project"]["id"]
        self._headers = {"X-Auth-Token": answer.headers["X-Subject-Token"]}

    def ask(self, method: str, url: str, **more: Any) -> Any:
        """What is answered; None when it is nothing. Raises AssertionError with the answer when it is an error."""
        headers = {**self._headers, **more.pop("headers", {})}
        answer = requests.request(method, url, headers=headers, timeout=TIMEOUT_S, **more)
        assert answer.status_code < 400, f"{method} {url}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.text else None

    def keystone(self, method: str, path: str, **body: Any) -> Any:
        """What Keystone answers."""
        return self.ask(method, f"{self._keystone_url}/{path}", **({"json": body} if body else {}))

    def nova(self, method: str, path: str, **body: Any) -> Any:
        """What Nova answers, where the catalogue says it is."""
        (service,) = (each for each in self.token["catalog"] if each["type"] == "compute")
        return self.ask(method, f"{service['endpoints'][0]['url']}/{path}", **({"json": body} if body else {}))

    def servers(self) -> dict[str, dict[str, str]]:
        """The metadata of each server that is not being deleted, by the server's id."""
        listed = self.nova("GET", "servers/detail")["servers"]
        return {each["id"]: each["metadata"] for each in listed if each["OS-EXT-STS:task_state"] != "deleting"}

    def delete(self, server_id: str) -> None:
        """Nothing; the server is on its way out."""
        self.nova("DELETE", f"servers/{server_id}")

    def allow(self, servers: int) -> None:
        """Nothing; the project may have as many servers."""
        self.nova("PUT", f"os-quota-sets/{self.project_id}", quota_set={"instances": servers})


class Admin(LoggedIn):
    """The administrator of a control plane that is being brought up."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.keystone_url)
        self._plan = plan

    def add_services(self) -> None:
        """Nothing; each service has a user, and is in the catalogue."""
        made = self.keystone("POST", "projects", project={"name": "service", "domain_id": "default"})
        project = made["project"]["id"]
        (role,) = self.keystone("GET", "roles?name=admin")["roles"]
        for name, (kind, url) in self._plan.endpoints.items():
            facts = {"name": name, "password": PASSWORD, "domain_id": "default"}
            user = self.keystone("POST", "users", user=facts)["user"]["id"]
            self.keystone("PUT", f"projects/{project}/users/{user}/roles/{role['id']}")
            service = self.keystone("POST", "services", service={"name": name, "type": kind})["service"]["id"]
            for interface in ("public", "internal", "admin"):
                endpoint = {"service_id": service, "interface": interface, "url": url, "region_id": "RegionOne"}
                self.keystone("POST", "endpoints", endpoint=endpoint)

    def add_things(self) -> None:
        """Nothing; there is an image "tiny", a flavor that fits, one that fits nowhere, and a network."""
        urls = {name: url for name, (_, url) in self._plan.endpoints.items()}
        facts = {"name": "tiny", "disk_format": "raw", "container_format": "bare", "visibility": "public"}
        image = self.ask("POST", f"{urls['glance']}/v2/images", json=facts)["id"]
        octets = {"Content-Type": "application/octet-stream"}
        self.ask("PUT", f"{urls['glance']}/v2/images/{image}/file", data=bytes(1_000_000), headers=octets)
        for name, processors, memory_mib in (("m1.tiny", 1, 64), ("m1.giant", 4096, 2**26)):
            flavor = {"name": name, "vcpus": processors, "ram": memory_mib, "disk": 1}
            self.ask("POST", f"{urls['nova']}/flavors", json={"flavor": flavor})
        network = {"name": "net1", "provider:network_type": "local", "shared": True}
        made = self.ask("POST", f"{urls['neutron']}/v2.0/networks", json={"network": network})["network"]["id"]
        subnet = {"network_id": made, "ip_version": 4, "cidr": "10.99.0.0/16"}
        self.ask("POST", f"{urls['neutron']}/v2.0/subnets", json={"subnet": subnet})

    def ec2_key(self) -> tuple[str, str]:
        """A key of the administrator's for EC2: the access key id, and the secret."""
        path = f"users/{self.token['user']['id']}/credentials/OS-EC2"
        made = self.keystone("POST", path, tenant_id=self.project_id)["credential"]
        return made["access"], made["secret"]

    def has_hypervisor(self) -> bool:
        """True once Nova has a host that servers can be placed on."""
        url = self._plan.endpoints["nova"][1]
        return bool(self.ask("GET", f"{url}/os-hypervisors")["hypervisors"])

    def has_agent(self) -> bool:
        """True once Neutron has an agent that binds ports."""
        url = self._plan.endpoints["neutron"][1]
        return any(each["alive"] for each in self.ask("GET", f"{url}/v2.0/agents")["agents"])
