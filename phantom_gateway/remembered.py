"""
What ``check`` found out of clouds, put into the configuration where the file says nothing.

Owns: which facts are believed, and when they are forgotten: with another endpoint_url, or when nobody knows what they
mean any more. Does not own: finding them out (``backends``), nor when they are written (``checking``).
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from backends.cloud import Probe
from phantom_gateway.config import Config, Ec2CloudSettings
from phantom_gateway.config.cloud_kinds import DIALECTS, FOUND
from phantom_gateway.records.probes import StoredProbe


def informed(config: Config, known: Mapping[str, StoredProbe]) -> Config:
    """*config* with what is *known* of its clouds; a key in the file comes before it."""
    clouds = dict(config.clouds)
    for name, settings in clouds.items():
        if isinstance(settings, Ec2CloudSettings):
            clouds[name] = settings.informed(_believed(settings, known.get(name)))
    return replace(config, clouds=clouds)


def outdated(config: Config, known: Mapping[str, StoredProbe]) -> list[str]:
    """Clouds of *config* whose endpoint is another than the one that was probed."""
    return [
        name
        for name, settings in config.clouds.items()
        if name in known and not (isinstance(settings, Ec2CloudSettings) and _is_of(settings, known[name]))
    ]


def after(
    name: str, settings: Ec2CloudSettings, probe: Probe, before: StoredProbe | None, now: datetime
) -> StoredProbe:
    """
    What is known of the cloud after *probe*, which it answered.

    What this one could not find out is kept from the one *before*: filters cannot be judged while no machine is there.
    """
    facts: dict[str, Any] = {each.name: each.value for each in probe.learned}
    if probe.zones:
        facts["zones"] = list(probe.zones)
    return StoredProbe(name, settings.endpoint_url, {**_believed(settings, before), **facts}, now)


def _believed(settings: Ec2CloudSettings, probe: StoredProbe | None) -> dict[str, Any]:
    if probe is None or not _is_of(settings, probe):
        return {}
    return {name: value for name, value in probe.facts.items() if _is_understood(name, value)}


def _is_of(settings: Ec2CloudSettings, probe: StoredProbe) -> bool:
    return probe.endpoint_url == settings.endpoint_url


def _is_understood(name: str, value: object) -> bool:
    """False for what another version of the gateway wrote and this one does not know."""
    return isinstance(value, FOUND.get(name, ())) and (name != "dialect" or value in DIALECTS)
