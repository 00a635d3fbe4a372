"""
``phantom-gateway check``: what each configured cloud answers, and what to do where it does not.

Owns: asking the operator's accounts, and one user's, all at once, each within a deadline; and writing down what they
found out. Does not own: printing, nor what becomes of it (``remembered``).
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

from backends.cloud import Cloud, Probe
from phantom_gateway import clock, remembered
from phantom_gateway.accounts import unseal
from phantom_gateway.clouds import build_clouds, build_own_cloud
from phantom_gateway.config import (
    CloudSettings,
    Ec2CloudSettings,
    LibcloudCloudSettings,
    LibvirtCloudSettings,
    RemoteCloudSettings,
)
from phantom_gateway.installation import Installation
from phantom_gateway.keyring import KeyringError
from phantom_gateway.records import accounts as records
from phantom_gateway.records import probes as records_of_probes
from phantom_gateway.records.accounts import StoredAccount
from phantom_gateway.records.probes import StoredProbe
from phantom_gateway.records.session import Connection
from phantom_gateway.records.users import User

PROBE_S_MAX = 30.0
"""A cloud that needs longer to say what it has would not be fit to launch in time either."""

SHOWN_MAX = 12
"""Names of one sort in the table. Clouds have hundreds of sizes; ``--json`` has them all."""

NO_ACCOUNT = "the operator has no key here: only users with their own can use it (check --user NAME probes theirs)"


@dataclass(frozen=True, slots=True)
class Report:
    """What one account answered; *probe* is None where the operator has none. *user* is None for the operator's."""

    cloud: str
    settings: CloudSettings
    user: str | None
    probe: Probe | None
    known: StoredProbe | None = None
    """What is remembered of the endpoint, this probe's news included."""

    @property
    def findings(self) -> tuple[str, ...]:
        """What somebody has to do something about: what the probe found, and where the file contradicts it."""
        if self.probe is None:
            return (NO_ACCOUNT,)
        return self.probe.findings + tuple(
            f"{each.because}: set {each.name} = false"
            for each in self.probe.learned
            # A promise that the endpoint does not keep is dangerous; that it could do more is not.
            if each.value is False and getattr(self.settings, each.name) and each.name not in self._silent
        )

    @property
    def _silent(self) -> frozenset[str]:
        return self.settings.silent if isinstance(self.settings, Ec2CloudSettings) else frozenset()

    @property
    def is_wrong(self) -> bool:
        """True when somebody has to do something."""
        return self.probe is not None and (not self.probe.reachable or bool(self.findings))

    @property
    def dialect(self) -> str | None:
        """Which of its kind it is: EC2's family, the driver, the hypervisor's URI; None where there is one only."""
        match self.settings:
            case Ec2CloudSettings():
                return self.settings.dialect
            case LibcloudCloudSettings():
                return self.settings.driver
            case LibvirtCloudSettings():
                return self.settings.uri
            case _:
                return None

    @property
    def title(self) -> str:
        """The account, its kind and its dialect, in a line."""
        account = self.cloud if self.user is None else f"{self.cloud}/{self.user}"
        return f"{account}: {self.settings.kind}" + (f" ({self.dialect})" if self.dialect else "")

    def rows(self) -> list[tuple[str, str]]:
        """What people want to know of it, line by line; a list that is long is cut, and says so."""
        if self.probe is None:
            return [("answers", "not asked"), ("finding", NO_ACCOUNT)]
        offers = (
            ("images", self.probe.images),
            ("sizes", self.probe.instance_types),
            ("zones", self.probe.zones),
            ("used", self.probe.limits),
        )
        rows = [("answers", "yes" if self.probe.reachable else "no")]
        rows += [(name, _shortened(values)) for name, values in offers if values]
        rows.append(("limits", ", ".join(self.limits)))
        rows += [("finding", finding) for finding in self.findings or ("all well",)]
        return rows + [("memory", text) for text in self._remembered()]

    @property
    def limits(self) -> tuple[str, ...]:
        """What the configuration lets be launched there."""
        settings = self.settings
        vms = settings.vms_per_cloud_max if isinstance(settings, RemoteCloudSettings) else settings.vms_max
        return f"{vms} VMs", f"{settings.launches_per_minute_max:g} launches a minute"

    def _remembered(self) -> list[str]:
        """What is remembered, in a line for people."""
        if self.known is None:
            return []
        used = {name: value for name, value in self.known.facts.items() if name == "zones" or name in self._silent}
        told = ", ".join(f"{name} = {json.dumps(value)}" for name, value in used.items())
        return (
            [f"found at {self.known.probed_at:%Y-%m-%dT%H:%M:%SZ}, and used from the next start: {told}"]
            if told
            else []
        )

    def as_json(self) -> dict[str, object]:
        """The report for programs."""
        probe = self.probe or Probe(reachable=False)
        return {
            "cloud": self.cloud,
            "kind": self.settings.kind,
            "dialect": self.dialect,
            "user": self.user,
            "has_credentials": self.probe is not None,
            "reachable": probe.reachable,
            "images": list(probe.images),
            "instance_types": list(probe.instance_types),
            "zones": list(probe.zones),
            "used": list(probe.limits),
            "limits": list(self.limits),
            "findings": list(self.findings),
            "remembered": None
            if self.known is None
            else {
                "endpoint_url": self.known.endpoint_url,
                "probed_at": f"{self.known.probed_at:%Y-%m-%dT%H:%M:%SZ}",
                "facts": dict(self.known.facts),
                "overruled": sorted(set(self.known.facts) - self._silent - {"zones"}),
            },
        }


def _shortened(values: tuple[str, ...]) -> str:
    more = len(values) - SHOWN_MAX
    return ", ".join(values[:SHOWN_MAX]) + (f", and {more} more" if more > 0 else "")


async def check_clouds(installation: Installation, user: User | None = None) -> list[Report]:
    """A report per cloud, in the order of the configuration, on the operator's account and then on the user's own."""
    operators = build_clouds(installation.config, installation.gateway_id, clock.now)
    own = {} if user is None else _accounts_of(installation, user)
    asked: list[tuple[str, str | None, Cloud | None, str]] = []
    for name in installation.config.clouds:
        asked.append((name, None, operators.get(name), ""))
        if user is not None and name in own:
            cloud, why_not = _built(installation, own[name])
            asked.append((name, user.name, cloud, why_not))
    probes = await asyncio.gather(*(_probe(cloud, why_not) for _, _, cloud, why_not in asked))
    answers = [(name, user_name, probe) for (name, user_name, _, _), probe in zip(asked, probes, strict=True)]
    known = _remember(installation, answers)
    settings = installation.config.clouds
    return [Report(name, settings[name], user_name, probe, known.get(name)) for name, user_name, probe in answers]


def _remember(
    installation: Installation, answers: Sequence[tuple[str, str | None, Probe | None]]
) -> dict[str, StoredProbe]:
    """What is known of each cloud now, by its name, and in the records. The operator's probe comes before a user's."""
    known, now = dict(installation.known), clock.now()
    found: dict[str, StoredProbe] = {}
    for name, _, probe in answers:
        settings = installation.config.clouds[name]
        if probe is not None and probe.reachable and isinstance(settings, Ec2CloudSettings) and name not in found:
            found[name] = remembered.after(name, settings, probe, known.get(name), now)

    def job(connection: Connection) -> None:
        for each in found.values():
            records_of_probes.put(connection, each)

    installation.database.write_now(job)
    return known | found


def _accounts_of(installation: Installation, user: User) -> dict[str, StoredAccount]:
    """The user's own accounts on clouds that can have any, by cloud."""
    rows = installation.database.read_now(lambda connection: records.of_user(connection, user.id))
    clouds = installation.config.clouds
    return {row.cloud: row for row in rows if isinstance(clouds.get(row.cloud), RemoteCloudSettings)}


def _built(installation: Installation, account: StoredAccount) -> tuple[Cloud | None, str]:
    """The cloud of *account*; None, and why, when there are no credentials that can be used."""
    try:
        credentials = unseal(installation.keyring, account)
    except KeyringError as error:
        return None, str(error)
    if credentials is None:
        return None, f"the credentials were removed, and {account.vms} VMs are there; set them again to reach them"
    return build_own_cloud(installation.config, installation.gateway_id, clock.now, account.cloud, credentials), ""


async def _probe(cloud: Cloud | None, why_not: str) -> Probe | None:
    if cloud is None:
        return Probe(reachable=False, findings=(why_not,)) if why_not else None
    try:
        async with asyncio.timeout(PROBE_S_MAX):
            return await cloud.probe()
    except TimeoutError:
        return Probe(reachable=False, findings=(f"no answer within {PROBE_S_MAX:.0f} s",))
    finally:
        await cloud.close()
