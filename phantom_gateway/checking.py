"""
``phantom-gateway check``: what each configured cloud answers, and what to do where it does not.

Owns: asking the operator's accounts, and one user's, all at once, each within a deadline. Does not own: printing.
"""

import asyncio
from dataclasses import dataclass

from backends.cloud import Cloud, Probe
from phantom_gateway import clock
from phantom_gateway.accounts import unseal
from phantom_gateway.clouds import build_clouds, build_own_cloud
from phantom_gateway.config import CloudSettings, Ec2CloudSettings
from phantom_gateway.installation import Installation
from phantom_gateway.keyring import KeyringError
from phantom_gateway.records import accounts as records
from phantom_gateway.records.accounts import StoredAccount
from phantom_gateway.records.users import User

PROBE_S_MAX = 30.0
"""A cloud that needs longer to say what it has would not be fit to launch in time either."""

NO_ACCOUNT = "the operator has no key here: only users with their own can use it (check --user NAME probes theirs)"


@dataclass(frozen=True, slots=True)
class Report:
    """What one account answered; *probe* is None where the operator has none. *user* is None for the operator's."""

    cloud: str
    settings: CloudSettings
    user: str | None
    probe: Probe | None

    @property
    def is_wrong(self) -> bool:
        """True when somebody has to do something."""
        return self.probe is not None and (not self.probe.reachable or bool(self.probe.findings))

    @property
    def dialect(self) -> str | None:
        """The family of the endpoint; None for clouds that have none."""
        return self.settings.dialect if isinstance(self.settings, Ec2CloudSettings) else None

    def rows(self) -> list[tuple[str, ...]]:
        """A line per finding for people; one line when all is well."""
        kind = self.settings.kind if self.dialect is None else f"{self.settings.kind} ({self.dialect})"
        account = self.cloud if self.user is None else f"{self.cloud}/{self.user}"
        if self.probe is None:
            return [(account, kind, "-", "", NO_ACCOUNT)]
        images = ", ".join(self.probe.images)
        answers = "yes" if self.probe.reachable else "no"
        findings = self.probe.findings or ("all well",)
        first = (account, kind, answers, images, findings[0])
        return [first, *(("", "", "", "", finding) for finding in findings[1:])]

    def as_json(self) -> dict[str, object]:
        """The report for programs."""
        probe = self.probe or Probe(reachable=False, findings=(NO_ACCOUNT,))
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
            "findings": list(probe.findings),
        }


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
    settings = installation.config.clouds
    return [
        Report(name, settings[name], user_name, probe)
        for (name, user_name, _, _), probe in zip(asked, probes, strict=True)
    ]


def _accounts_of(installation: Installation, user: User) -> dict[str, StoredAccount]:
    """The user's own accounts on clouds that can have any, by cloud."""
    rows = installation.database.read_now(lambda connection: records.of_user(connection, user.id))
    clouds = installation.config.clouds
    return {row.cloud: row for row in rows if isinstance(clouds.get(row.cloud), Ec2CloudSettings)}


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
