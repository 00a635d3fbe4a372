"""
What an endpoint is like, found out by reading alone: nothing is launched, changed or tagged.

Owns: the questions, and the sentences about what stands in the way. Does not own: what ``check`` does with them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from lxml import etree

from backends.cloud import Learned, Probe
from backends.ec2 import learning
from backends.ec2.client import Ec2Client
from backends.ec2.dialect import Ec2Settings
from backends.ec2.errors import AUTHENTICATION, CLOCK, Failed, NotSent, Problem, Unexpected, Verb, clean, means
from backends.ec2.replies import answer, text_of
from backends.ec2.wire import Reply
from backends.errors import Unreachable

T = TypeVar("T")

NAMES_MAX = 200
"""Images, types or zones that are shown. AWS has 800 types, a user may own thousands of images."""

SKEW_S_MAX = 240.0
"""Difference of the clocks that is worth a word: at 300 s EC2 refuses signatures."""

PROBE_DEADLINE_S = 30.0
"""For each question: someone waits at a terminal."""

UNLIKELY_VALUE = "no machine has this value"
"""A filter for it finds nothing, unless filters are ignored."""

_VERSION = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class _Heard:
    """An answer's root, and what came with it."""

    root: Any
    date: str
    server: str
    version: str
    """In the name space; "" when there is none."""
    request_id: str


async def probe(
    name: str,
    client: Ec2Client,
    settings: Ec2Settings,
    secrets: Sequence[str],
    gateway_id: str,
    clock: Callable[[], datetime],
) -> Probe:
    """What there is, what the endpoint is like, and findings. *secrets* are never shown."""
    asking = _Asking(name, client, secrets)
    try:
        first = await asking.ask("DescribeRegions")
    except Failed as problem:
        # Many compatible endpoints know no regions; one that says so in EC2's words is there.
        if means(problem, Verb.LOOK, name).__class__ is Unreachable:
            return Probe(reachable=False, findings=(_obstacle(problem, name, settings, secrets),))
        first = None
    except Problem as problem:
        return Probe(reachable=False, findings=(_obstacle(problem, name, settings, secrets),))
    zones = await asking.names("DescribeAvailabilityZones", {}, "availabilityZoneInfo/item", "zoneName", needed=True)
    images = await asking.names("DescribeImages", {"Owners": ["self"]}, "imagesSet/item", "imageId", needed=True)
    types = await asking.names(
        "DescribeInstanceTypes", {"MaxResults": 100}, "instanceTypeSet/item", "instanceType", needed=False
    )
    findings = list(asking.findings)
    if first is not None:
        findings += _about_answer(first, name, settings, clock())
    found = learning.family(name, settings.endpoint_url, first.server, first.request_id) if first is not None else None
    learned = [found] if found is not None else []
    learned += await _about_machines(asking, name, gateway_id)
    return Probe(True, images, types, zones, tuple(findings), tuple(learned))


class _Asking:
    """Questions to one endpoint, and the findings from those that went unanswered."""

    def __init__(self, name: str, client: Ec2Client, secrets: Sequence[str]) -> None:
        self.findings: list[str] = []
        self._name = name
        self._client = client
        self._secrets = secrets

    async def ask(self, operation: str, parameters: Mapping[str, Any] | None = None) -> _Heard:
        """The answer. Raises Problem."""

        def read(reply: Reply) -> _Heard:
            root = answer(reply, operation)
            found = _VERSION.search(etree.QName(root).namespace or "")
            headers, version = reply.headers, found[0] if found else ""
            request_id = text_of(root, "requestId")
            return _Heard(root, headers.get("date", ""), headers.get("server", ""), version, request_id)

        return await self._client.call(operation, parameters or {}, read, deadline_s=PROBE_DEADLINE_S)

    async def machines(self, gateway_id: str, filters: Mapping[str, Any] | None) -> learning.Listing:
        """The first page of machines, filtered or not. Raises Problem."""
        parameters = {} if filters is None else {"Filters": [filters]}
        return await self._client.call(
            "DescribeInstances",
            parameters,
            lambda reply: learning.listing(answer(reply, "DescribeInstances"), gateway_id),
            deadline_s=PROBE_DEADLINE_S,
        )

    async def names(
        self, operation: str, parameters: Mapping[str, Any], items: str, text: str, *, needed: bool
    ) -> tuple[str, ...]:
        """The *text* of each of *items*, NAMES_MAX at most; none, and a finding if *needed*, without an answer."""
        try:
            heard = await self.ask(operation, parameters)
        except Problem as problem:
            if needed:
                error = means(problem, Verb.LOOK, self._name, self._secrets)
                self.findings.append(f"{operation} does not work: {error}: check what the key may do")
            return ()
        path = "/".join(f"{{*}}{step}" for step in items.split("/"))
        found = (text_of(item, text) for item in heard.root.iterfind(path))
        return tuple(name for _, name in zip(range(NAMES_MAX), filter(None, found), strict=False))


def _obstacle(problem: Problem, name: str, settings: Ec2Settings, secrets: Sequence[str]) -> str:
    """Why the endpoint cannot be used, and the remedy."""
    text = str(means(problem, Verb.LOOK, name, secrets))
    match problem:
        case NotSent() if "CERTIFICATE" in text.upper() or "SSL" in text.upper():
            return f"{text}: set verify_tls to the bundle of authorities that signed its certificate"
        case Unexpected() if "ListAllMyBucketsResult" in text and settings.signature_version == "v2":
            return f'{text}, which is S3\'s answer: set signature_version = "v4"'
        case Unexpected():
            return f"{text}, which is not EC2's answer: check endpoint_url and its path"
        case Failed(code=code) if code in CLOCK:
            return f"{text}: set the clock of this machine, or of the cloud"
        case Failed(code=code) if code in AUTHENTICATION:
            return f"{text}: check the key, its secret, and signature_version ({settings.signature_version} is used)"
        case Failed():
            return f"{text}: ask the cloud's operator"
        case _:
            return f"{text}: check endpoint_url ({clean(settings.endpoint_url)}), and that the endpoint is up"


def _about_answer(heard: _Heard, name: str, settings: Ec2Settings, now: datetime) -> list[str]:
    findings = []
    try:
        skew_s = abs((parsedate_to_datetime(heard.date) - now).total_seconds())
    except (ValueError, TypeError):
        skew_s = 0.0  # no date, or none in HTTP's form: nothing is known, and nothing is wrong
    if skew_s > SKEW_S_MAX:
        findings.append(
            f"the clock of {name} differs from ours by {skew_s:.0f} s: set one of them, "
            "for signatures are refused beyond 300 s"
        )
    if settings.api_version is not None and heard.version not in {"", settings.api_version}:
        findings.append(
            f"{name} was asked in version {settings.api_version} and answers in {heard.version}: "
            f'set api_version = "{heard.version}"'
        )
    return findings


async def _about_machines(asking: _Asking, name: str, gateway_id: str) -> list[Learned]:
    """
    What the endpoint's listings give away of filters on tags and of launch tokens.

    Nothing is concluded from an answer that did not come: a filter may be refused, but it may be throttled as well.
    """
    try:
        found = [
            await asking.machines(gateway_id, filters)
            for filters in (None, learning.filter_on(UNLIKELY_VALUE), learning.filter_on(gateway_id))
        ]
    except Failed as problem:
        return learning.of_refusal(name, problem)
    except Problem:
        return []
    return learning.of_listings(name, *found)
