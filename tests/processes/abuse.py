"""
Requests that are wrong on purpose, and a few that only look so: each made for a signer, as bytes.

Owns: the making. Does not own: what they are answered with (``test_malformed_requests``).
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from tests.processes.raw_http import rendered
from tests.processes.signing import GOOD, Signer
from tests.protocol.signing import signed_v2, signed_v4
from tests.support.gateway import ACCESS_KEY_ID

Build = Callable[[Signer], bytes]
"""Makes one request."""


def post(body: str | bytes, *extra: tuple[str, str]) -> Build:
    """A signed POST of *body*."""
    return lambda signer: signer.post(body, *extra)


def get(query: str, method: str = "GET") -> Build:
    """A signed request with *query* in its target."""
    return lambda signer: signer.get(query, method)


def action(name: str, **params: str) -> Build:
    """A signed POST of one action."""
    return post(urlencode({"Action": name, "Version": "2011-01-01", **params}))


def describe(rest: str) -> Build:
    """A signed POST that describes groups; *rest* is the raw remainder of the form."""
    return post(f"{GOOD}&{rest}")


def resize(capacity: str) -> Build:
    """A signed SetDesiredCapacity with that text as its number."""
    return action("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=capacity)


def plain(method: str, target: str = "/", *extra: tuple[str, str], host: bool = True, body: bytes = b"") -> Build:
    """A request without a signature."""

    def build(signer: Signer) -> bytes:
        headers = [("Host", signer.host)] if host else []
        return rendered(method, target, [*headers, *extra], body)

    return build


def raw(octets: bytes) -> Build:
    """These bytes; HOST stands for the host."""
    return lambda signer: octets.replace(b"HOST", signer.host.encode())


def altered(build: Build, old: str, new: str) -> Build:
    """What *build* makes, with the pattern *old* replaced once: the signature no longer fits, or is no longer one."""

    def edited(signer: Signer) -> bytes:
        octets, count = re.subn(old.encode(), new.encode(), build(signer), count=1)
        assert count == 1
        length = len(octets.partition(b"\r\n\r\n")[2])
        return re.sub(rb"(?i)Content-Length: \d+", b"Content-Length: %d" % length, octets)

    return edited


def v2(name: str = "DescribeAutoScalingGroups", **params: str) -> Build:
    """A POST signed with version 2."""
    return lambda signer: signer.post_v2({"Action": name, "Version": "2011-01-01", **params})


def stale_v4(signer: Signer) -> bytes:
    """Signed with version 4 an hour ago."""
    at = datetime.now(UTC) - timedelta(hours=1)
    request = signed_v4(host=signer.host, at=at, key=signer.key, secret=signer.secret)
    return rendered("POST", "/", request.headers, request.body)


def stale_v2(signer: Signer) -> bytes:
    """Signed with version 2 an hour ago."""
    request = signed_v2(host=signer.host, at=datetime.now(UTC) - timedelta(hours=1))
    return rendered("POST", "/", request.headers, request.body)


def signed_by(key: str, secret: str) -> Build:
    """A good request of somebody else."""
    return lambda signer: Signer(signer.host, key, secret).post(GOOD)


def two_schemes(signer: Signer) -> bytes:
    """A version 4 header over a form that holds a version 2 signature."""
    return signer.post(f"{GOOD}&AWSAccessKeyId={ACCESS_KEY_ID}&SignatureVersion=2&Signature=abcdefghijklmnopqrstuvwx")


def many_fields(count: int) -> str:
    """*count* fields more, each with a name of its own."""
    return "&".join(f"f{n}=1" for n in range(count))


def members(count: int) -> str:
    """A list of *count* names."""
    return "&".join(f"AutoScalingGroupNames.member.{n}=g" for n in range(1, count + 1))


def names_member(index: str) -> Build:
    """A list whose one member has *index* for its number."""
    return describe(f"AutoScalingGroupNames.member.{index}=web")


GOOD_CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD.encode())


def chunked(signer: Signer) -> bytes:
    """A good request whose body comes in a chunk."""
    headers = [header for header in signer.headers("POST", "/", GOOD.encode()) if header[0] != "Content-Length"]
    return rendered("POST", "/", [*headers, ("Transfer-Encoding", "chunked")], GOOD_CHUNKS)


def half(build: Build, minus: int) -> Build:
    """What *build* makes, without its last *minus* bytes."""
    return lambda signer: build(signer)[:-minus]
