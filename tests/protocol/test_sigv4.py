"""
Signature Version 4: the published examples, the spellings real clients sign, the dates, the life, and the kept keys.

Does not own: refusals (test_signature), requests made at random (test_signature_properties).
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from protocol import signature, sigv4
from protocol.errors import ApiError
from protocol.wire import Request
from tests.protocol.signing import (
    HOST,
    KEY,
    NOW,
    PARAMS,
    SECRET,
    add_header,
    authorized,
    edit_authorization,
    edit_query,
    presigned_v4,
    sign_canonical,
    signed_v4,
    verify,
    with_header,
)

PUBLISHED_AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
EMPTY_SHA256 = sha256(b"").hexdigest()


def published(
    signature_hex: str,
    *,
    method: str = "GET",
    path: str = "/",
    query: str = "",
    headers: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
    service: str = "service",
    host: str = "example.amazonaws.com",
) -> Request:
    """One of the requests that AWS published together with their signatures."""
    sent = (("host", host), ("x-amz-date", "20150830T123600Z"), *headers)
    names = ";".join(sorted({name for name, _ in sent}))
    authorization = (
        f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request, "
        f"SignedHeaders={names}, Signature={signature_hex}"
    )
    return Request(method, path, query, (*sent, ("authorization", authorization)), body)


FORM = ("content-type", "application/x-www-form-urlencoded; charset=utf-8")
VANILLA = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(
            published(
                "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
                query="Action=ListUsers&Version=2010-05-08",
                headers=(FORM,),
                service="iam",
                host="iam.amazonaws.com",
            ),
            id="IAM ListUsers",
        ),
        pytest.param(published(VANILLA), id="get-vanilla"),
        pytest.param(published(VANILLA, path="//"), id="get-slash"),
        pytest.param(published(VANILLA, path="/./"), id="get-slash-dot-slash"),
        pytest.param(published(VANILLA, path="/foo/bar/../.."), id="get-relative-relative"),
        pytest.param(
            published("8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85", path="/ሴ"), id="get-utf8"
        ),
        pytest.param(
            published(
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500", query="Param2=value2&Param1=value1"
            ),
            id="get-vanilla-query-order-key-case",
        ),
        pytest.param(
            published(
                "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
                headers=(("my-header1", " value1"), ("my-header2", ' "a   b   c"')),
            ),
            id="get-header-value-trim",
        ),
        pytest.param(
            published("5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b", method="POST"),
            id="post-vanilla",
        ),
        pytest.param(
            published(
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
                method="POST",
                headers=(("content-type", "application/x-www-form-urlencoded"),),
                body=b"Param1=value1",
            ),
            id="post-x-www-form-urlencoded",
        ),
    ],
)
def test_a_published_example_is_accepted(request_: Request) -> None:
    """Every example of AWS's signing test suite that is kept here verifies with the published secret."""
    secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

    assert verify(request_, keys={"AKIDEXAMPLE": secret}, now=PUBLISHED_AT) == "AKIDEXAMPLE"


def test_the_published_example_with_a_date_header_is_accepted() -> None:
    """The oldest test suite signs a Date header of RFC 1123 and no X-Amz-Date."""
    authorization = (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20110909/us-east-1/host/aws4_request, SignedHeaders=date;host, "
        "Signature=b27ccfbfa7df52a200ff74193ca6e32d4b48b8856fab7ebf1c595d0670a7e470"
    )
    headers = (
        ("date", "Mon, 09 Sep 2011 23:36:00 GMT"),
        ("host", "host.foo.com"),
        ("authorization", authorization),
    )

    assert verify(Request("GET", "/", "", headers), now=datetime(2011, 9, 9, 23, 36, tzinfo=UTC)) == KEY


def sent_to(request: Request, host: str) -> Request:
    """*request* with another Host than the one it was signed for."""
    return with_header(request, "host", host)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(
            sent_to(signed_v4(method="GET", host="127.0.0.1", region="0", service="127"), HOST),
            id="boto 2.6 to 2.9.2: sends the port, signs without",
        ),
        pytest.param(
            signed_v4(method="GET", region="0", service="127"), id="boto 2.9.3 to 2.13.3: sends and signs the port"
        ),
        pytest.param(
            sent_to(signed_v4(method="GET", region="0", service="127"), "127.0.0.1"),
            id="boto 2.14 to 2.19: sends no port, signs with",
        ),
        pytest.param(
            signed_v4(method="GET", host="localhost:8445", region="localhost", service="localhost"),
            id="boto 2.20 to 2.49 on localhost",
        ),
        pytest.param(
            edit_authorization(edit_authorization(signed_v4(method="GET"), ", ", ","), ", ", ","),
            id="boto 2: commas without blanks",
        ),
        pytest.param(signed_v4(), id="botocore POST"),
        pytest.param(signed_v4(host="127.0.0.1", service="s3"), id="VM::EC2: no port, service s3"),
        pytest.param(signed_v4(region="undefined-31337"), id="euca2ools: a region per process"),
        pytest.param(sent_to(signed_v4(host="gw.example:443"), "gw.example"), id="behind a proxy, signs 443"),
        pytest.param(sent_to(signed_v4(host="gw.example:80"), "gw.example"), id="behind a proxy, signs 80"),
        pytest.param(sent_to(signed_v4(host="gw.example"), "gw.example:443"), id="behind a proxy, sends 443"),
        pytest.param(sent_to(signed_v4(host="gw.example"), "GW.Example:8445"), id="name in other letters"),
        pytest.param(signed_v4(host="[::1]:8445"), id="IPv6 with a port"),
        pytest.param(sent_to(signed_v4(host="[::1]"), "[::1]:8445"), id="IPv6, signs no port"),
        pytest.param(
            signed_v4(
                headers={
                    "amz-sdk-invocation-id": "1f0c",
                    "amz-sdk-request": "attempt=1; max=3",
                    "Content-Length": "132",
                    "x-amz-user-agent": "aws-sdk-js/3.600.0",
                    "accept": "*/*",
                    "content-md5": "1B2M2Y8AsgTpgAmY7PhCfg==",
                }
            ),
            id="JS SDK v3: signs many headers",
        ),
        pytest.param(
            signed_v4(method="GET", headers={"X-Amz-Content-SHA256": EMPTY_SHA256}), id="JS SDK v2: hash of the body"
        ),
        pytest.param(signed_v4(path="/services/AutoScaling/"), id="a path in the endpoint"),
        pytest.param(signed_v4(path="/a%20b"), id="an escaped path, which botocore escapes once more"),
        pytest.param(signed_v4(headers={"Date": "to be replaced"}), id="Date instead of X-Amz-Date"),
        pytest.param(with_header(signed_v4(headers={"x-a": "b c"}), "x-a", "  b \t  c "), id="blanks in a header"),
        pytest.param(edit_query(presigned_v4({"k": "a b"}), "a%20b", "a+b"), id="a plus for a blank in a query"),
        pytest.param(presigned_v4(), id="a presigned query"),
        pytest.param(signed_v4({"k": "a b+c"}, method="GET"), id="a plus for a blank, as botocore sends it"),
    ],
)
def test_what_a_real_client_sends_is_accepted(request_: Request) -> None:
    """Hosts, scopes and spellings of recorded clients verify, whichever of them the client signed."""
    assert verify(request_) == KEY


@pytest.mark.parametrize(
    ("headers", "path", "query", "names", "canonical"),
    [
        pytest.param(
            (("x-amz-date", "20130819T205329Z"),),
            "/",
            "a=1+2&b=%2b",
            "host;x-amz-date",
            f"GET\n/\na=1+2&b=%2b\nhost:{HOST}\nx-amz-date:20130819T205329Z\n\nhost;x-amz-date\n{EMPTY_SHA256}",
            id="query as sent",
        ),
        pytest.param(
            (("x-amz-date", "20130819T205329Z"), ("x-note", '"a   b"')),
            "/",
            "",
            "host;x-amz-date;x-note",
            f'GET\n/\n\nhost:{HOST}\nx-amz-date:20130819T205329Z\nx-note:"a   b"\n\nhost;x-amz-date;x-note\n'
            f"{EMPTY_SHA256}",
            id="header only trimmed, as boto 2 does for quotes",
        ),
        pytest.param(
            (("x-amz-date", "20130819T205329Z"),),
            "/",
            "",
            "action;host;x-amz-date",
            f"GET\n/\n\naction:\nhost:{HOST}\nx-amz-date:20130819T205329Z\n\naction;host;x-amz-date\n{EMPTY_SHA256}",
            id="signed header that was not sent",
        ),
        pytest.param(
            (("x-amz-date", "20130819T205329Z"), ("x-b", "2"), ("x-b", "1")),
            "/",
            "",
            "host;x-amz-date;x-b",
            f"GET\n/\n\nhost:{HOST}\nx-amz-date:20130819T205329Z\nx-b:2,1\n\nhost;x-amz-date;x-b\n{EMPTY_SHA256}",
            id="header sent twice",
        ),
        pytest.param(
            (("x-amz-date", "20130819T205329Z"),),
            "",
            "",
            "host;x-amz-date",
            f"GET\n/\n\nhost:{HOST}\nx-amz-date:20130819T205329Z\n\nhost;x-amz-date\n{EMPTY_SHA256}",
            id="empty path",
        ),
        pytest.param(
            (("x-amz-date", "20130819T205329Z"),),
            "/a%2Fb//c",
            "",
            "host;x-amz-date",
            f"GET\n/a%2Fb//c\n\nhost:{HOST}\nx-amz-date:20130819T205329Z\n\nhost;x-amz-date\n{EMPTY_SHA256}",
            id="path as sent",
        ),
        pytest.param(
            (("x-amz-date", "20130819T205329Z"),),
            "/",
            "b=2&&a&c=x=y",
            "host;x-amz-date",
            f"GET\n/\na=&b=2&c=x%3Dy\nhost:{HOST}\nx-amz-date:20130819T205329Z\n\nhost;x-amz-date\n{EMPTY_SHA256}",
            id="parameters without a value, with two equal-signs, with none between",
        ),
    ],
)
def test_a_rare_spelling_is_accepted(
    headers: tuple[tuple[str, str], ...], path: str, query: str, names: str, canonical: str
) -> None:
    """Each spelling that botocore never uses, but the documents or an old client allow, verifies."""
    request = Request("GET", path, query, (("host", HOST), *headers))

    assert verify(authorized(request, names, sign_canonical(canonical))) == KEY


@pytest.mark.parametrize(
    ("name", "sent", "stamp"),
    [
        pytest.param("x-amz-date", "2013-08-19T20:53:29Z", None, id="extended form, signed in the basic one"),
        pytest.param("x-amz-date", "2013-08-19T20:53:29Z", "2013-08-19T20:53:29Z", id="extended form, signed as sent"),
        pytest.param("x-amz-date", "20130819T205329.930Z", None, id="fraction of a second"),
        pytest.param("x-amz-date", "20130819T205329", None, id="no zone"),
        pytest.param("date", "20130819T205329Z", None, id="Date in basic form"),
        pytest.param("date", "2013-08-19T20:53:29.930Z", None, id="Date in extended form"),
        pytest.param("date", "Mon, 19 Aug 2013 20:53:29 GMT", None, id="Date of RFC 1123"),
        pytest.param("date", "Mon, 19 Aug 2013 20:53:29 +0000", None, id="Date with a numeric zone"),
    ],
)
def test_a_date_is_accepted_in_every_usual_form(name: str, sent: str, stamp: str | None) -> None:
    """X-Amz-Date or Date, basic, extended or RFC 1123, with or without a fraction."""
    request = Request("GET", "/", "", (("host", HOST), (name, sent)))
    names = ";".join(sorted(("host", name)))
    lines = "".join(sorted((f"host:{HOST}\n", f"{name}:{sent}\n")))
    canonical = f"GET\n/\n\n{lines}\n{names}\n{EMPTY_SHA256}"

    assert verify(authorized(request, names, sign_canonical(canonical, stamp=stamp))) == KEY


@pytest.mark.parametrize("off_min", [-15, -14, 0, 14, 15])
def test_a_clock_may_be_off_by_a_quarter_of_an_hour(off_min: int) -> None:
    """F86: a request signed up to fifteen minutes ago, or ahead, is fresh."""
    assert verify(signed_v4(at=NOW + timedelta(minutes=off_min))) == KEY


def test_an_expired_signature_is_told_when_it_expired() -> None:
    """The words of AWS, which clients search for in order to correct their clocks."""
    with pytest.raises(ApiError) as caught:
        verify(signed_v4(at=NOW - timedelta(minutes=16)))

    assert caught.value.message == (
        "Signature expired: 20130819T203729Z is now earlier than 20130819T203829Z (20130819T205329Z - 15 min.)"
    )


def test_an_early_signature_is_told_when_it_would_be_valid() -> None:
    """The words of AWS for a clock that is ahead."""
    with pytest.raises(ApiError) as caught:
        verify(signed_v4(at=NOW + timedelta(minutes=16)))

    assert caught.value.message == (
        "Signature not yet current: 20130819T210929Z is still later than 20130819T210829Z (20130819T205329Z + 15 min.)"
    )


@pytest.mark.parametrize(
    ("expires_s", "age_s"),
    [
        pytest.param(1, 0, id="shortest"),
        pytest.param(1, 1, id="shortest, last second"),
        pytest.param(3600, 3600, id="an hour, last second"),
        pytest.param(604_800, 604_800, id="longest, last second"),
        pytest.param(60, -14 * 60, id="signed by a fast clock"),
    ],
)
def test_a_presigned_query_is_good_until_it_expires(expires_s: int, age_s: int) -> None:
    """A presigned query lives for X-Amz-Expires seconds, however long the allowed skew is."""
    request = presigned_v4(expires_s=expires_s, at=NOW - timedelta(seconds=age_s))

    assert verify(request) == KEY


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_body_of_a_presigned_request_is_bound(method: str) -> None:
    """F86: a body that was not there when the query was presigned spoils the signature."""
    request = replace(presigned_v4(), method=method, body=b"Action=DeleteAutoScalingGroup")

    with pytest.raises(ApiError) as caught:
        verify(request)

    assert caught.value.code == "SignatureDoesNotMatch"


def test_a_plus_never_stands_for_an_encoded_plus() -> None:
    """
    A signed %2B that became + on the way is refused.

    Whoever decodes the form reads a blank there: were both meanings tried, a middleman could change the value.
    """
    request = edit_query(presigned_v4({"k": "a+b"}), "a%2Bb", "a+b")

    with pytest.raises(ApiError) as caught:
        verify(request)

    assert caught.value.code == "SignatureDoesNotMatch"


def test_an_encoded_percent_sign_in_a_path_has_one_meaning() -> None:
    """
    A path signed in its escaped spelling cannot be turned into a request for that spelling.

    Specification and botocore escape the path once more when they sign, other clients do not; both are accepted, but
    not for a path where that would make two requests out of one signature.
    """
    request = signed_v4(path="/a%20b")

    assert verify(request) == KEY
    assert verify(signed_v4(path="/a%2520b")) == KEY
    with pytest.raises(ApiError):
        verify(replace(request, path="/a%2520b"))


def test_a_rotated_secret_stops_verifying_at_once() -> None:
    """F86: the derived key of the old secret is kept, but is never found under the new one."""
    request = signed_v4()
    verify(request, keys={KEY: SECRET})

    with pytest.raises(ApiError) as caught:
        verify(request, keys={KEY: "rotated"})

    assert caught.value.code == "SignatureDoesNotMatch"
    assert verify(signed_v4(secret="rotated"), keys={KEY: "rotated"}) == KEY


def test_the_key_kept_longest_without_use_is_given_up_first() -> None:
    """The cache never holds more than its limit, and keeps what was used last."""
    keys = sigv4.SigningKeys(2)
    slots = [(b"digest", "20130819", region, "autoscaling") for region in ("a", "b", "c")]
    keys.remember(slots[0], b"A")
    keys.remember(slots[1], b"B")
    keys.remember(slots[0], b"A")
    keys.remember(slots[2], b"C")

    assert [keys.recall(slot) for slot in slots] == [b"A", None, b"C"]


def test_a_wrong_signature_leaves_no_key_behind() -> None:
    """Strangers with made-up scopes cannot push the keys of others out of the cache."""
    kept_before = dict(sigv4._signing_keys._keys)
    for pid in range(3):
        with pytest.raises(ApiError):
            verify(signed_v4(region=f"stranger-{pid}", secret="wrong"))

    assert sigv4._signing_keys._keys == kept_before


def test_a_claim_that_waited_too_long_is_refused() -> None:
    """The time is checked when the claim is read and again when it is proved."""
    request = signed_v4()
    claim = signature.read_claim(request, NOW)

    with pytest.raises(ApiError) as caught:
        signature.check(claim, request, SECRET, NOW + timedelta(minutes=16), ())

    assert caught.value.message.startswith("Signature expired")


def test_the_number_of_spellings_tried_is_bounded() -> None:
    """A request that is odd in every respect costs no more than the limit of canonical forms."""
    odd = add_header(signed_v4(PARAMS, method="GET", path="/a//b"), "x-odd", "a  b")
    odd = edit_authorization(odd, "SignedHeaders=host;x-amz-date", "SignedHeaders=host;x-amz-date;x-odd")
    claim = signature.read_claim(replace(odd, query=odd.query + "&z=1+1"), NOW)
    assert isinstance(claim.parts, sigv4.Parts)
    hosts = signature.host_spellings("Gw.example:1", tuple(range(2, 40)))

    assert len(list(sigv4._canonical_requests(claim.parts, odd, hosts))) > sigv4.CANDIDATES_MAX
    with pytest.raises(ApiError):
        verify(odd, ports=range(2, 40))


def test_the_date_is_taken_from_x_amz_date_before_date() -> None:
    """Proxies and HTTP libraries add a Date of their own; X-Amz-Date is the one that was signed."""
    request = add_header(signed_v4(), "date", "Tue, 01 Jan 2002 00:00:00 GMT")

    assert verify(request) == KEY
