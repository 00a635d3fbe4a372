"""
Whose a sample is: from the tags of a point to an instance or a group.

Owns: an index of the instances and groups there are, built from the records now and then. Does not own: who may send
in whose name.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from phantom_gateway.records.sensors import GROUP_ITSELF, Host

_DASHED = re.compile(r"(?:ip|ec2|host)-(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})(?:\.|$)")
"""How EC2 and its imitations make a host name of an address: ip-10-0-0-5.ec2.internal."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a sample is about: an instance of a group, or the group itself."""

    user_id: int
    group_uid: str
    instance_key: int = GROUP_ITSELF


class NoTarget(LookupError):  # noqa: N818 - it names why a sample counts for nobody
    """A sample is about nothing that is known; *reason* is one of a few words, to be counted by."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Instances by every name that a host may have, and groups by name and uid."""

    hosts: Mapping[str, Sequence[Target]] = field(default_factory=dict)
    domains: Mapping[tuple[int, str], Target] = field(default_factory=dict)
    """By (user id, name or uid)."""
    by_key: Mapping[int, Host] = field(default_factory=dict)
    """Instances by key."""
    group_names: Mapping[str, str] = field(default_factory=dict)
    """By uid."""

    def find(self, tags: Mapping[str, str], user_id: int | None) -> Target:
        """
        What a point with these *tags* is about, among what *user_id* has; None: among all there is.

        A host that is an instance comes first; what its sender calls its domain then only tells it from others of the
        same address. Otherwise the domain's own. Raises NoTarget.
        """
        domain = self._domain(tags.get("domain"), user_id)
        found = [target for target in self.named(tags) if user_id in {None, target.user_id}]
        if domain is not None and len(found) > 1:
            found = [target for target in found if target.group_uid == domain.group_uid]
        if len(found) == 1:
            return found[0]
        if found:
            raise NoTarget("ambiguous_host")
        if domain is not None:
            return domain
        raise NoTarget("unknown_domain" if "domain" in tags and "host" not in tags else "unknown_host")

    def named(self, tags: Mapping[str, str]) -> list[Target]:
        """The instances that ``host``, or else ``phantom_unique`` (image/instance/address), may mean."""
        for name in (tags.get("host", ""), *reversed(tags.get("phantom_unique", "").split("/"))):
            found = self.hosts.get(_host(name)) if name else None
            if found:
                return list(found)
        return []

    def _domain(self, name: str | None, user_id: int | None) -> Target | None:
        """The group that *name* is, by name or uid. Without a user, nobody's: names are not secret."""
        return None if name is None or user_id is None else self.domains.get((user_id, name))


def taken(found: Sequence[Host], groups: Sequence[tuple[int, str, str]]) -> Whereabouts:
    """The whereabouts of these instances and of these groups, (user id, uid, name) each."""
    hosts: dict[str, list[Target]] = {}
    for host in found:
        target = Target(host.user_id, host.group_uid, host.instance_key)
        for name in {name.lower() for name in host.names}:
            hosts.setdefault(name, []).append(target)
    domains = {}
    for user_id, uid, name in groups:
        domains[user_id, name] = domains[user_id, uid] = Target(user_id, uid)
    return Whereabouts(
        hosts, domains, {host.instance_key: host for host in found}, {uid: name for _, uid, name in groups}
    )


def _host(name: str) -> str:
    """The name to look for: lower case, and the address where it is one in words."""
    name = name.lower().rstrip(".")
    dashed = _DASHED.match(name)
    return ".".join(dashed.groups()) if dashed else name
