"""
``phantom-gateway check``: what each configured cloud answers, and what to do where it does not.

Owns: asking all clouds at once, each within a deadline. Does not own: printing.
"""

import asyncio
from dataclasses import dataclass

from backends.cloud import Cloud, Probe
from phantom_gateway import clock
from phantom_gateway.clouds import build_clouds
from phantom_gateway.installation import Installation

PROBE_S_MAX = 30.0
"""A cloud that needs longer to say what it has would not be fit to launch in time either."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one cloud answered."""

    cloud: str
    kind: str
    probe: Probe

    @property
    def is_wrong(self) -> bool:
        """True when somebody has to do something."""
        return not self.probe.reachable or bool(self.probe.findings)

    def rows(self) -> list[tuple[str, ...]]:
        """A line per finding for people; one line when all is well."""
        images = ", ".join(self.probe.images)
        answers = "yes" if self.probe.reachable else "no"
        findings = self.probe.findings or ("all well",)
        first = (self.cloud, self.kind, answers, images, findings[0])
        return [first, *(("", "", "", "", finding) for finding in findings[1:])]

    def as_json(self) -> dict[str, object]:
        """The report for programs."""
        return {
            "cloud": self.cloud,
            "kind": self.kind,
            "reachable": self.probe.reachable,
            "images": list(self.probe.images),
            "instance_types": list(self.probe.instance_types),
            "zones": list(self.probe.zones),
            "findings": list(self.probe.findings),
        }


async def check_clouds(installation: Installation) -> list[Report]:
    """A report per cloud, in the order of the configuration."""
    config = installation.config
    clouds = build_clouds(config, installation.gateway_id, clock.now)
    probes = await asyncio.gather(*(_probe(cloud) for cloud in clouds.values()))
    return [Report(name, config.clouds[name].kind, probe) for name, probe in zip(clouds, probes, strict=True)]


async def _probe(cloud: Cloud) -> Probe:
    try:
        async with asyncio.timeout(PROBE_S_MAX):
            return await cloud.probe()
    except TimeoutError:
        return Probe(reachable=False, findings=(f"no answer within {PROBE_S_MAX:.0f} s",))
    finally:
        await cloud.close()
