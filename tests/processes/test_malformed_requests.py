"""
The front door abused: whatever bytes arrive, the answer is AWS XML or a closed connection, and the gateway goes on.

One gateway takes all of it, case after case; the last test looks at what that did to its memory and its log.
"""

import asyncio
import json
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from lxml import etree

from phantom_gateway.front.reading import BODY_S_MAX
from phantom_gateway.front.server import IDLE_S_MAX, LINGERING_S
from tests.processes.abuse import (
    Build,
    action,
    altered,
    chunked,
    describe,
    get,
    half,
    many_fields,
    members,
    names_member,
    plain,
    post,
    raw,
    resize,
    signed_by,
    stale_v2,
    stale_v4,
    two_schemes,
    v2,
)
from tests.processes.raw_http import ANSWER_S_MAX, Answer, connected, exchanged, rendered, sent
from tests.processes.signing import GOOD, Signer
from tests.support.gateway import ACCESS_KEY_ID, SECRET_ACCESS_KEY, Gateway

pytestmark = pytest.mark.processes

MIB = 1 << 20
BODY_BYTES_MAX = MIB
"""The documented default of ``request_bytes_max``."""

RSS_GROWTH_MIB_MAX = 30
SLACK_S = 2.0
"""On top of a documented limit: a busy machine closes a little later."""

NAMESPACE = "{http://autoscaling.amazonaws.com/doc/2011-01-01/}"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@dataclass(slots=True)
class Target:
    """The gateway that takes it all, and what has to stay out of its log."""

    gateway: Gateway
    signer: Signer
    rss_mib_before: float = 0.0
    signatures: set[str] = field(default_factory=set)

    def send(self, payload: bytes, method: str = "POST") -> Answer | None:
        """The answer to *payload*, whose signature is remembered."""
        self.remember(payload)
        return exchanged(self.gateway.port, payload, method)

    def remember(self, payload: bytes) -> None:
        """Nothing; the signatures in *payload* are not allowed in the log."""
        found = re.findall(rb"Signature=([^&\s,]{20,})", payload[: 2 * MIB])
        self.signatures.update(match.decode("latin-1") for match in found)

    def assert_well(self) -> None:
        """Nothing. Raises AssertionError unless an ordinary request is answered as ever."""
        answer = self.send(self.signer.post(GOOD))
        assert answer is not None
        assert answer.status == 200
        assert etree.fromstring(answer.body).tag == f"{NAMESPACE}DescribeAutoScalingGroupsResponse"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A gateway with one cloud, warmed up."""
    gateway = Gateway(tmp_path_factory.mktemp("malformed"), clouds=("hotel",))
    gateway.start()
    try:
        made = Target(gateway, Signer(f"127.0.0.1:{gateway.port}"))
        for _ in range(50):
            made.assert_well()
        made.rss_mib_before = gateway.rss_mib()
        yield made
    finally:
        gateway.stop()


DIGITS = "9" * 5000
FORM = post(GOOD)
MALFORMED = "MalformedQueryString"
UNSIGNED = "MissingAuthenticationToken"

REFUSED = [
    # What is asked for.
    pytest.param(post("Version=2011-01-01"), "MissingAction", id="no action"),
    pytest.param(post("Action=&Version=2011-01-01"), "MissingAction", id="empty action"),
    pytest.param(post(b""), "MissingAction", id="empty form"),
    pytest.param(post("&&&&"), "MissingAction", id="form of ampersands"),
    pytest.param(post("%3D=%26"), "MissingAction", id="form of escapes"),
    pytest.param(action("LaunchRockets"), "InvalidAction", id="unknown action"),
    pytest.param(action("describeAutoScalingGroups"), "InvalidAction", id="action in the wrong case"),
    pytest.param(action("__class__"), "InvalidAction", id="action named like an attribute"),
    pytest.param(action("A" * 10_000), "InvalidAction", id="action of 10,000 letters"),
    pytest.param(post(f"{GOOD}&Action=SetDesiredCapacity"), "InvalidQueryParameter", id="action twice"),
    pytest.param(
        lambda signer: signer.post(GOOD, target="/?Action=SetDesiredCapacity"),
        "InvalidQueryParameter",
        id="action in query and form",
    ),
    # Values of the wrong type.
    pytest.param(resize("many"), "MalformedInput", id="number in words"),
    pytest.param(resize(""), "MalformedInput", id="empty number"),
    pytest.param(resize("1.5"), "MalformedInput", id="number with a fraction"),
    pytest.param(resize("1e3"), "MalformedInput", id="number with an exponent"),
    pytest.param(resize("0x10"), "MalformedInput", id="number in hexadecimal"),
    pytest.param(resize(" 1"), "MalformedInput", id="number with a blank"),
    pytest.param(resize("1_000"), "MalformedInput", id="number with an underscore"),
    pytest.param(resize("٣"), "MalformedInput", id="number in Arabic digits"),
    pytest.param(resize("NaN"), "MalformedInput", id="not a number"),
    pytest.param(resize("Infinity"), "MalformedInput", id="infinity"),
    pytest.param(resize(DIGITS), "MalformedInput", id="number of 5,000 digits"),
    pytest.param(resize("2147483648"), "MalformedInput", id="number of 33 bits"),
    pytest.param(resize("-1"), "ValidationError", id="number below zero"),
    pytest.param(describe("IncludeInstances=maybe"), "MalformedInput", id="boolean in words"),
    pytest.param(describe("IncludeInstances="), "MalformedInput", id="empty boolean"),
    pytest.param(describe("MaxRecords.member.1=5"), "MalformedInput", id="list for a number"),
    pytest.param(describe("MaxRecords=1&MaxRecords.x=2"), "MalformedInput", id="number and structure at once"),
    pytest.param(action("SetDesiredCapacity"), "ValidationError", id="required parameters missing"),
    pytest.param(describe("NextToken=garbage"), "InvalidNextToken", id="page token of garbage"),
    pytest.param(action("CreateOrUpdateTags", Tags="x"), "MalformedInput", id="text for a list of structures"),
    pytest.param(action("CreateOrUpdateTags", **{"Tags.member.1": "x"}), "MalformedInput", id="text for a structure"),
    # Lists and names.
    pytest.param(names_member("0"), "MalformedInput", id="list index 0"),
    pytest.param(names_member("-1"), "MalformedInput", id="list index below 0"),
    pytest.param(names_member("01"), "MalformedInput", id="list index 01"),
    pytest.param(names_member("999999999"), "MalformedInput", id="list index 999999999"),
    pytest.param(names_member("1e3"), "MalformedInput", id="list index 1e3"),
    pytest.param(names_member("%D9%A3"), "MalformedInput", id="list index in Arabic digits"),
    pytest.param(names_member(DIGITS[:400]), "MalformedInput", id="list index of 400 digits"),
    pytest.param(names_member(""), "MalformedInput", id="list index empty"),
    pytest.param(names_member("1.2.3"), "MalformedInput", id="members of a text"),
    pytest.param(describe(members(1_001)), "MalformedInput", id="1,001 members"),
    pytest.param(describe(members(10_000)), "InvalidQueryParameter", id="10,000 members"),
    pytest.param(describe(many_fields(100_000)), "InvalidQueryParameter", id="100,000 fields"),
    pytest.param(get(many_fields(8_000)), "InvalidQueryParameter", id="8,000 fields in the target"),
    pytest.param(describe("A" + ".a" * 500 + "=1"), "InvalidQueryParameter", id="name of 500 dots"),
    pytest.param(describe("AutoScalingGroupNames" + ".1" * 33 + "=1"), "InvalidQueryParameter", id="name of 33 dots"),
    pytest.param(describe("N" * 100_000 + "=1"), "InvalidQueryParameter", id="name of 100,000 letters"),
    # Text that is none.
    pytest.param(post(b"Action=%ff%fe"), MALFORMED, id="escaped bytes that are not UTF-8"),
    pytest.param(post(b"Action=\xff\xfe"), MALFORMED, id="bytes that are not UTF-8"),
    pytest.param(post(b"Ac%fftion=x"), MALFORMED, id="name that is not UTF-8"),
    pytest.param(post(b"Action=%ed%a0%80"), MALFORMED, id="half a surrogate pair"),
    pytest.param(describe("x=%00"), "ValidationError", id="NUL in a value"),
    pytest.param(describe("x%00y=1"), "ValidationError", id="NUL in a name"),
    pytest.param(describe("x=\x00"), "ValidationError", id="bare NUL in the body"),
    pytest.param(describe("x=%1b%5b2J"), "ValidationError", id="terminal control in a value"),
    pytest.param(describe("x=%ef%bf%be"), "ValidationError", id="character that XML cannot carry"),
    pytest.param(get("Action=%00"), "ValidationError", id="NUL in the target"),
    pytest.param(raw(bytes(range(32, 256)) * 4), MALFORMED, id="every byte there is"),
    # Who asks.
    pytest.param(plain("GET"), UNSIGNED, id="unsigned GET"),
    pytest.param(plain("GET", f"/?{GOOD}"), UNSIGNED, id="unsigned GET of an action"),
    pytest.param(plain("POST", "/", ("Content-Length", "4"), body=b"a=bc"), UNSIGNED, id="unsigned POST"),
    pytest.param(altered(FORM, r"Signature=\w{4}", "Signature=0000"), "SignatureDoesNotMatch", id="V4: forged"),
    pytest.param(altered(FORM, r"Signature=\w+", "Signature="), "IncompleteSignature", id="V4: empty signature"),
    pytest.param(altered(FORM, r"AWS4-HMAC-SHA256", "Basic"), "IncompleteSignature", id="V4: other scheme"),
    pytest.param(altered(FORM, r"Credential=[^,]+", "Credential=x"), "IncompleteSignature", id="V4: no scope"),
    pytest.param(altered(FORM, r"2011-01-01", "2011-01-02"), "SignatureDoesNotMatch", id="V4: body changed"),
    pytest.param(stale_v4, "SignatureDoesNotMatch", id="V4: an hour old"),
    pytest.param(signed_by(ACCESS_KEY_ID, "wrong"), "SignatureDoesNotMatch", id="V4: wrong secret"),
    pytest.param(signed_by("AKIANOBODYNOBODYNOBO", "wrong"), "InvalidClientTokenId", id="V4: unknown key"),
    pytest.param(post(GOOD, ("X-Amz-Security-Token", "t")), "InvalidClientTokenId", id="V4: session token"),
    pytest.param(post(GOOD, ("Authorization", "Basic eDp5")), "IncompleteSignature", id="authorization twice"),
    pytest.param(altered(v2(), r"Signature=[^&]{4}", "Signature=0000"), "SignatureDoesNotMatch", id="V2: forged"),
    pytest.param(altered(v2(), r"&Signature=[^&]+", ""), "MissingParameter", id="V2: no signature"),
    pytest.param(altered(v2(), r"SignatureVersion=2", "SignatureVersion=1"), "InvalidParameterValue", id="V2: V1"),
    pytest.param(altered(v2(), r"&Timestamp=[^&]+", ""), "MissingParameter", id="V2: no time"),
    pytest.param(stale_v2, "RequestExpired", id="V2: an hour old"),
    pytest.param(
        lambda signer: Signer(signer.host, "AKIANOBODYNOBODYNOBO").post_v2({"Action": "x"}),
        "InvalidClientTokenId",
        id="V2: unknown key",
    ),
    pytest.param(v2("SetDesiredCapacity", DesiredCapacity="x"), "MalformedInput", id="V2: good, of a bad request"),
    pytest.param(two_schemes, "InvalidParameterCombination", id="V2 and V4 at once"),
    # Methods and targets.
    pytest.param(get(GOOD, "PUT"), "InvalidAction", id="PUT"),
    pytest.param(get(GOOD, "DELETE"), "InvalidAction", id="DELETE"),
    pytest.param(get(GOOD, "PATCH"), "InvalidAction", id="PATCH"),
    pytest.param(get(GOOD, "OPTIONS"), "InvalidAction", id="OPTIONS"),
    pytest.param(get(GOOD, "HEAD"), "InvalidAction", id="HEAD"),
    pytest.param(plain("TRACE"), "InvalidAction", id="TRACE"),
    pytest.param(plain("OPTIONS", "*"), MALFORMED, id="OPTIONS of the star"),
    pytest.param(plain("CONNECT", "10.0.0.1:443"), MALFORMED, id="CONNECT"),
    pytest.param(plain("BREW"), "InvalidAction|MalformedQueryString", id="unknown method"),
    pytest.param(plain("get"), "InvalidAction|MalformedQueryString", id="method in lower case"),
    pytest.param(plain("POST", "/healthz"), UNSIGNED, id="POST to the health check"),
    pytest.param(plain("GET", "//"), UNSIGNED, id="two slashes"),
    pytest.param(plain("GET", "/../../etc/passwd"), UNSIGNED, id="path that climbs"),
    pytest.param(plain("GET", "/%2e%2e/%00"), UNSIGNED, id="escaped path that climbs"),
    pytest.param(plain("GET", "/%zz%"), UNSIGNED, id="path of bad escapes"),
    pytest.param(plain("GET", "/\udcff"), f"{UNSIGNED}|{MALFORMED}", id="path of bad bytes"),
    pytest.param(plain("GET", "?" + GOOD), f"{UNSIGNED}|{MALFORMED}", id="target without a path"),
    pytest.param(plain("GET", "http://elsewhere/?x=y"), UNSIGNED, id="target with a host"),
    pytest.param(plain("GET", "http://["), f"{UNSIGNED}|{MALFORMED}", id="target with half a host"),
    pytest.param(plain("GET", "/?" + "x" * 70_000), MALFORMED, id="target of 70,000 characters"),
    pytest.param(plain("GET", "/?" + "x" * 3_000_000), MALFORMED, id="target of 3 MB"),
    # Heads.
    pytest.param(plain("GET", host=False), f"IncompleteSignature|{MALFORMED}", id="no Host"),
    pytest.param(post(GOOD, ("Host", "elsewhere")), f"IncompleteSignature|{MALFORMED}", id="two Hosts"),
    pytest.param(plain("GET", "/", ("X-Long", "x" * 65_536)), MALFORMED, id="header of 64 kB"),
    pytest.param(plain("GET", "/", ("X" * 65_536, "x")), MALFORMED, id="header name of 64 kB"),
    pytest.param(plain("GET", "/", *[(f"X-{n}", "x") for n in range(1000)]), MALFORMED, id="1,000 headers"),
    pytest.param(plain("GET", "/", ("X-Nul", "a\x00b")), MALFORMED, id="NUL in a header"),
    pytest.param(plain("GET", "/", ("Bad Name", "x")), MALFORMED, id="blank in a header's name"),
    pytest.param(plain("GET", "/", ("", "x")), MALFORMED, id="header without a name"),
    pytest.param(raw(b"GET / HTTP/1.1\r\nHost: HOST\r\n folded\r\n\r\n"), MALFORMED, id="folded header"),
    pytest.param(raw(b"GET / HTTP/1.1\nHost: HOST\n\n"), MALFORMED, id="bare line feeds"),
    pytest.param(raw(b"GET / HTTP/1.1\r\nHost: HOST\r\nX: a\rb\r\n\r\n"), MALFORMED, id="bare carriage return"),
    pytest.param(
        raw(b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        MALFORMED,
        id="length and chunks at once",
    ),
    pytest.param(
        raw(b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde"),
        MALFORMED,
        id="two lengths",
    ),
    pytest.param(plain("POST", "/", ("Content-Length", "-1")), MALFORMED, id="length below zero"),
    pytest.param(plain("POST", "/", ("Content-Length", "4x")), MALFORMED, id="length that is no number"),
    pytest.param(plain("POST", "/", ("Content-Length", "+4"), body=b"a=bc"), MALFORMED, id="length with a sign"),
    pytest.param(plain("POST", "/", ("Content-Length", DIGITS)), MALFORMED, id="length of 5,000 digits"),
    pytest.param(plain("POST", "/", ("Content-Length", "9" * 18)), "RequestTooLarge", id="length of an exabyte"),
    pytest.param(plain("POST", "/", ("Transfer-Encoding", "gzip")), MALFORMED, id="unknown transfer encoding"),
    pytest.param(
        plain("POST", "/", ("Transfer-Encoding", "chunked"), body=b"zz\r\nab\r\n0\r\n\r\n"),
        MALFORMED,
        id="chunk of no length",
    ),
    pytest.param(
        plain("POST", "/", ("Transfer-Encoding", "chunked"), body=b"f" * 40 + b"\r\n"), MALFORMED, id="endless chunk"
    ),
    pytest.param(post(GOOD, ("Content-Encoding", "gzip")), "InvalidParameterValue", id="compressed body"),
    pytest.param(plain("GET", "/", ("Expect", "miracles")), MALFORMED, id="unknown expectation"),
    pytest.param(
        plain("GET", "/", ("Connection", "Upgrade"), ("Upgrade", "websocket")), UNSIGNED, id="upgrade to websocket"
    ),
    # Not HTTP.
    pytest.param(raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"r" * 500), MALFORMED, id="TLS hello"),
    pytest.param(raw(random.Random(1).randbytes(4096) + b"\r\n\r\n"), MALFORMED, id="random bytes"),
    pytest.param(raw(b"GET / HTTP/9.9\r\nHost: HOST\r\n\r\n"), f"{MALFORMED}|{UNSIGNED}", id="HTTP 9.9"),
    pytest.param(raw(b"GET / HTTP/1.1 extra\r\nHost: HOST\r\n\r\n"), MALFORMED, id="four words"),
    pytest.param(raw(b"GET /\r\n\r\n"), f"IncompleteSignature|{MALFORMED}", id="two words"),
    pytest.param(raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), f"{MALFORMED}|InvalidAction", id="HTTP 2"),
    pytest.param(raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), MALFORMED, id="secure shell"),
    pytest.param(raw(b"\x00" * 1000 + b"\r\n\r\n"), MALFORMED, id="a thousand NULs"),
]


@pytest.mark.parametrize(("build", "codes"), REFUSED)
def test_what_is_wrong_is_refused_in_aws_xml(target: Target, build: Build, codes: str) -> None:
    """F80 to F86: every abuse is answered with a 4xx in well-formed AWS XML and the right code; all goes on."""
    payload = build(target.signer)
    method = "HEAD" if payload.startswith(b"HEAD") else "POST"

    answer = target.send(payload, method)

    assert_refusal(answer, codes, has_body=method != "HEAD")
    target.assert_well()


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(FORM, id="form"),
        pytest.param(get(GOOD), id="query"),
        pytest.param(v2(), id="version 2"),
        pytest.param(lambda signer: signer.post(GOOD, target=f"http://{signer.host}/"), id="target with our host"),
        pytest.param(post(GOOD, ("Expect", "100-continue")), id="expect a continue"),
        pytest.param(post(GOOD, ("Content-Encoding", "identity")), id="encoding identity"),
        pytest.param(chunked, id="chunked"),
        pytest.param(describe("Unknown.member.1=x&&=y&%2B=z"), id="unknown parameters"),
        pytest.param(describe("AutoScalingGroupNames.member.99999=none"), id="highest list index"),
        pytest.param(describe(members(1_000)), id="1,000 members"),
        pytest.param(describe("AutoScalingGroupNames="), id="empty list"),
        pytest.param(get(GOOD + "&x=" + "y" * 60_000), id="target of 60,000 characters"),
        pytest.param(lambda signer: b"\r\n\r\n" + signer.post(GOOD), id="empty lines first"),
    ],
)
def test_what_is_odd_but_right_is_answered(target: Target, build: Build) -> None:
    """Spellings that HTTP and real clients allow are served like any other."""
    answer = target.send(build(target.signer))

    assert answer is not None
    assert (answer.status, etree.fromstring(answer.body).tag) == (200, f"{NAMESPACE}DescribeAutoScalingGroupsResponse")


def test_a_huge_body_is_refused_at_once(target: Target) -> None:
    """F79: a Content-Length of 100 MB is answered before the body is sent."""
    headers = [("Host", target.signer.host), ("Content-Length", str(100 * MIB))]

    answer = target.send(rendered("POST", "/", headers))

    assert_refusal(answer, "RequestTooLarge", status=413)
    target.assert_well()


def test_a_huge_body_that_is_sent_all_the_same_is_cut_off(target: Target) -> None:
    """F79: a client that goes on sending is read for the lingering time and no longer, into nobody's memory."""
    headers = [("Host", target.signer.host), ("Content-Length", str(1 << 50))]

    took_s = poured(target.gateway.port, rendered("POST", "/", headers), bytes(MIB))

    assert took_s < LINGERING_S + SLACK_S
    target.assert_well()


def test_an_endless_body_is_cut_off_at_the_limit(target: Target) -> None:
    """F79: a chunked body is refused as soon as it is longer than the limit, however long it would go on."""
    head = rendered("POST", "/", [("Host", target.signer.host), ("Transfer-Encoding", "chunked")])
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"

    just_over = exchanged(target.gateway.port, head + chunk * (BODY_BYTES_MAX // 65_536 + 1))
    took_s = poured(target.gateway.port, head, chunk)

    assert_refusal(just_over, "RequestTooLarge", status=413)
    assert took_s < LINGERING_S + SLACK_S
    target.assert_well()


def test_pipelined_requests_are_answered_in_their_order(target: Target) -> None:
    """F84: good and bad requests in one packet get one answer each, in the order they were sent."""
    payloads = [target.signer.post(GOOD), target.signer.post("Action="), target.signer.get(GOOD)] * 3

    with connected(target.gateway.port) as connection:
        answers = sent(connection, b"".join(payloads), ["POST"] * len(payloads))

    assert [answer.status for answer in answers] == [200, 400, 200] * 3


def test_a_request_behind_a_refused_body_is_not_read_as_one(target: Target) -> None:
    """F84: what follows a head with two lengths is never taken for a request of its own."""
    smuggled = target.signer.post(GOOD)
    headers = [("Host", target.signer.host), ("Content-Length", "0"), ("Content-Length", str(len(smuggled)))]

    with connected(target.gateway.port) as connection:
        answers = sent(connection, rendered("POST", "/", headers) + smuggled, ["POST", "POST"])

    assert [answer.status for answer in answers] == [400]


@dataclass(frozen=True, slots=True)
class Slow:
    """A client that sends *start* at once, then *drip* every second; *code* of the answer, "" for a close without."""

    name: str
    start: Build
    drip: bytes
    limit_s: float
    code: str


SLOW = [
    Slow("silent", raw(b""), b"", IDLE_S_MAX, ""),
    Slow("idle after an answer", FORM, b"", IDLE_S_MAX, ""),
    Slow("half a request line", raw(b"GET /?Act"), b"", IDLE_S_MAX, ""),
    Slow("half a head", raw(b"GET / HTTP/1.1\r\nHost: HOST\r\n"), b"", IDLE_S_MAX, ""),
    Slow("dripping head", raw(b"GET / HTTP/1.1\r\nHost: HOST\r\n"), b"X: y\r\n", IDLE_S_MAX, ""),
    Slow("dripping request line", raw(b"GET /?"), b"x", IDLE_S_MAX, ""),
    Slow("dripping second head", FORM, b"G", IDLE_S_MAX, ""),
    Slow("half a body", half(FORM, 5), b"", BODY_S_MAX, "RequestTimeout"),
    Slow(
        "dripping body",
        plain("POST", "/", ("Content-Length", "500")),
        b"x",
        BODY_S_MAX,
        "RequestTimeout",
    ),
    Slow(
        "dripping chunks",
        plain("POST", "/", ("Transfer-Encoding", "chunked")),
        b"1\r\nx\r\n",
        BODY_S_MAX,
        "RequestTimeout",
    ),
    Slow("half a TLS hello", raw(b"\x16"), b"\x03", IDLE_S_MAX, ""),
]


async def test_slow_clients_are_shown_the_door(target: Target) -> None:
    """F78: half-sent and dripping requests are closed within the documented limits, and others are served meanwhile."""
    port = target.gateway.port

    async with asyncio.TaskGroup() as tasks:
        running = {slow.name: tasks.create_task(closed_after(slow, target.signer, port)) for slow in SLOW}
        tasks.create_task(asyncio.to_thread(target.assert_well))

    results = {name: task.result() for name, task in running.items()}
    late = {slow.name: results[slow.name] for slow in SLOW if results[slow.name][0] > slow.limit_s + SLACK_S}
    assert late == {}
    for slow in SLOW:
        octets = results[slow.name][1]
        if slow.code:
            assert f"<Code>{slow.code}</Code>".encode() in octets, slow.name
        elif slow.start is FORM:
            assert octets.startswith(b"HTTP/1.1 200 OK"), slow.name
        else:
            assert octets == b"" or octets.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), slow.name


def test_a_client_that_leaves_in_the_middle_does_no_harm(target: Target) -> None:
    """Connections dropped with half a head, half a body or an unread answer cost the gateway nothing lasting."""
    for build in (half(FORM, 5), raw(b"GET / HT"), describe(members(1_000)), raw(b"")):
        for _ in range(20):
            with connected(target.gateway.port) as connection:
                connection.sendall(build(target.signer))

    target.assert_well()


def test_after_all_that_the_gateway_is_as_it_was(target: Target) -> None:
    """Memory stayed within bounds, nothing failed inside, and the log holds neither secrets nor signatures."""
    lines = target.gateway.log.read_text().splitlines()
    events = [json.loads(line) for line in lines]
    text = "\n".join(lines)

    assert {
        event.get("exception", event["event"])[-1500:]
        for event in events
        if event["level"] == "error" or "exception" in event
    } == set()
    assert SECRET_ACCESS_KEY not in text
    assert [signature for signature in target.signatures if signature in text] == []
    assert target.gateway.rss_mib() - target.rss_mib_before < RSS_GROWTH_MIB_MAX
    target.assert_well()


def assert_refusal(answer: Answer | None, codes: str, *, status: int | None = None, has_body: bool = True) -> None:
    """Nothing. Raises AssertionError unless *answer* is a client error in AWS XML; *codes* are separated by "|"."""
    assert answer is not None, "the connection was closed without an answer"
    assert answer.headers["content-type"] == "text/xml", answer.body[:300]
    assert 400 <= answer.status < 500
    assert UUID.fullmatch(answer.headers["x-amzn-requestid"])
    if status is not None:
        assert answer.status == status
    if not has_body:
        return
    root = etree.fromstring(answer.body)
    assert root.tag == f"{NAMESPACE}ErrorResponse"
    assert [child.tag.removeprefix(NAMESPACE) for child in root] == ["Error", "RequestId"]
    fields = {child.tag.removeprefix(NAMESPACE): child.text for child in root[0]}
    assert fields["Type"] == "Sender"
    assert fields["Message"]
    assert len(fields["Message"]) < 2_000
    assert root[1].text == answer.headers["x-amzn-requestid"]
    assert fields["Code"] in codes.split("|"), fields["Message"]


def poured(port: int, head: bytes, piece: bytes) -> float:
    """Seconds for which *piece* could be sent again and again after *head*."""
    with connected(port) as connection:
        connection.sendall(head)
        began = time.monotonic()
        try:
            while time.monotonic() - began < ANSWER_S_MAX:
                connection.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return time.monotonic() - began


async def closed_after(slow: Slow, signer: Signer, port: int) -> tuple[float, bytes]:
    """Seconds until the gateway closed the connection of *slow*, and all it said before."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = b""
    try:
        writer.write(slow.start(signer))
        while loop.time() - began < slow.limit_s + 2 * SLACK_S:
            try:
                octets = await asyncio.wait_for(reader.read(65_536), timeout=1.0)
            except TimeoutError:
                writer.write(slow.drip)
                continue
            if not octets:
                break
            said += octets
    except (ConnectionResetError, BrokenPipeError):
        pass
    finally:
        writer.close()
    return loop.time() - began, said
