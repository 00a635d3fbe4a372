"""
What is refused, and in which words: every way to be unsigned, malformed, doubled, stale or wrong.

Does not own: what is accepted (test_sigv4, test_sigv2), requests made at random (test_signature_properties).
"""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest

from protocol import signature
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
    signed_v2,
    signed_v4,
    verify,
    with_header,
    without_header,
)

MIN = timedelta(minutes=1)
SCOPE = f"{KEY}/20130819/us-east-1/autoscaling/aws4_request"
ENCODED_SCOPE = SCOPE.replace("/", "%2F")
SIGNED = "content-type;host;x-amz-date"
HASH = sha256(b"").hexdigest()
V4, PRE, V2 = signed_v4(), presigned_v4(), signed_v2(method="GET")
V2_POST = signed_v2()
V2_QUERY = f"AWSAccessKeyId={KEY}&Signature=x"
HEX = (V4.header("authorization") or "")[-64:]
PRE_HEX = PRE.query[-64:]


def unsigned(method: str = "POST", *, query: str = "", body: bytes = b"Action=DescribeTags") -> Request:
    """A request without any signature."""
    return Request(method, "/", query, (("host", HOST),), body)


def with_authorization(value: str) -> Request:
    """The usual request with this Authorization header instead of its own."""
    return with_header(V4, "authorization", value)


def with_credential(value: str) -> Request:
    """The usual request with this Credential."""
    return edit_authorization(V4, SCOPE, value)


def with_signed(value: str) -> Request:
    """The usual request with this SignedHeaders."""
    return edit_authorization(V4, SIGNED, value)


def with_signature(value: str) -> Request:
    """The usual request with this Signature."""
    return edit_authorization(V4, HEX, value)


def dated(value: str) -> Request:
    """The usual request with this X-Amz-Date."""
    return with_header(V4, "x-amz-date", value)


def hashed(value: str) -> Request:
    """The usual request, properly signed together with this x-amz-content-sha256."""
    return signed_v4(headers={"X-Amz-Content-SHA256": value})


def without_v4_parameter(name: str) -> Request:
    """The presigned query without the parameter X-Amz-*name*."""
    return replace(PRE, query="&".join(pair for pair in PRE.query.split("&") if not pair.startswith(f"X-Amz-{name}=")))


def expiring(value: str) -> Request:
    """The presigned query with this X-Amz-Expires."""
    return edit_query(PRE, "X-Amz-Expires=3600", f"X-Amz-Expires={value}")


def v2(**changes: str | None) -> Request:
    """The V2 query with these parameters, raw, changed, added or (None) left out."""
    pairs = dict(pair.partition("=")[::2] for pair in V2.query.split("&")) | changes
    return replace(V2, query="&".join(f"{name}={value}" for name, value in pairs.items() if value is not None))


UNSIGNED = "MissingAuthenticationToken"
INCOMPLETE = "IncompleteSignature"
WRONG = "SignatureDoesNotMatch"
UNKNOWN = "InvalidClientTokenId"
MISSING = "MissingParameter"
VALUE = "InvalidParameterValue"
BOTH = "InvalidParameterCombination"
TWICE = "InvalidQueryParameter"
EXPIRED = "RequestExpired"

NO_SIGNATURE = [
    pytest.param(unsigned(), UNSIGNED, 403, id="POST without a signature"),
    pytest.param(unsigned("GET", query="Action=DescribeTags", body=b""), UNSIGNED, 403, id="GET without a signature"),
    pytest.param(unsigned("GET", query="", body=b""), UNSIGNED, 403, id="nothing at all"),
    pytest.param(unsigned("GET", query="SignatureVersion=2", body=b""), UNSIGNED, 403, id="only a version"),
    pytest.param(unsigned("GET", query="X-Amz-Date=20130819T205329Z"), UNSIGNED, 403, id="only a date"),
    pytest.param(without_header(V4, "authorization"), UNSIGNED, 403, id="Authorization taken away"),
    pytest.param(edit_query(PRE, "X-Amz-", "x-amz-"), INCOMPLETE, 400, id="presigned names are case-sensitive"),
]

AUTHORIZATION = [
    pytest.param(with_authorization(""), INCOMPLETE, 400, id="empty"),
    pytest.param(with_authorization("Basic QUtJRDpzZWNyZXQ="), INCOMPLETE, 400, id="Basic"),
    pytest.param(with_authorization(f"AWS {KEY}:c2lnbmF0dXJl"), INCOMPLETE, 400, id="the S3 scheme of version 2"),
    pytest.param(edit_authorization(V4, "SHA256", "SHA1"), INCOMPLETE, 400, id="SHA1"),
    pytest.param(edit_authorization(V4, "HMAC", "ECDSA-P256"), INCOMPLETE, 400, id="version 4A"),
    pytest.param(edit_authorization(V4, "AWS4-HMAC", "aws4-hmac"), INCOMPLETE, 400, id="lower-case algorithm"),
    pytest.param(with_authorization("AWS4-HMAC-SHA256"), INCOMPLETE, 400, id="algorithm only"),
    pytest.param(edit_authorization(V4, "Credential=", "Other="), INCOMPLETE, 400, id="unknown part"),
    pytest.param(edit_authorization(V4, f"Credential={SCOPE}, ", ""), INCOMPLETE, 400, id="no Credential"),
    pytest.param(edit_authorization(V4, f"SignedHeaders={SIGNED}, ", ""), INCOMPLETE, 400, id="no SignedHeaders"),
    pytest.param(edit_authorization(V4, f", Signature={HEX}", ""), INCOMPLETE, 400, id="no Signature"),
    pytest.param(with_credential(""), INCOMPLETE, 400, id="empty Credential"),
    pytest.param(with_signed(""), INCOMPLETE, 400, id="empty SignedHeaders"),
    pytest.param(with_signature(""), INCOMPLETE, 400, id="empty Signature"),
    pytest.param(edit_authorization(V4, "Signature=", "Signature"), INCOMPLETE, 400, id="no equal-sign"),
    pytest.param(with_signature(f"{HEX},"), INCOMPLETE, 400, id="comma at the end"),
    pytest.param(with_signature(f"{HEX}, Signature={HEX}"), INCOMPLETE, 400, id="Signature twice"),
    pytest.param(with_signature(f"{HEX}, Credential={SCOPE}"), INCOMPLETE, 400, id="Credential twice"),
    pytest.param(add_header(V4, "authorization", "x"), INCOMPLETE, 400, id="header twice"),
    pytest.param(with_signature("a" * 5000), INCOMPLETE, 400, id="very long"),
    pytest.param(add_header(unsigned(), "x-amzn-authorization", "AWS3 x"), INCOMPLETE, 400, id="version 3"),
    pytest.param(without_header(V4, "host"), INCOMPLETE, 400, id="no Host"),
    pytest.param(add_header(V4, "host", "other"), INCOMPLETE, 400, id="Host twice"),
]

CREDENTIAL = [
    pytest.param(with_credential(f"{KEY}/20130819/us-east-1/aws4_request"), INCOMPLETE, 400, id="four parts"),
    pytest.param(with_credential(f"a/{SCOPE}"), INCOMPLETE, 400, id="six parts"),
    pytest.param(with_credential(SCOPE.replace(KEY, "")), INCOMPLETE, 400, id="empty key id"),
    pytest.param(with_credential(SCOPE.replace("us-east-1", "")), INCOMPLETE, 400, id="empty region"),
    pytest.param(with_credential(SCOPE.replace("autoscaling", "")), INCOMPLETE, 400, id="empty service"),
    pytest.param(with_credential(SCOPE.replace(KEY, "schlüssel")), INCOMPLETE, 400, id="key id not ASCII"),
    pytest.param(with_credential(SCOPE.replace("us-east-1", "us east")), INCOMPLETE, 400, id="blank in the region"),
    pytest.param(with_credential(SCOPE.replace("20130819", "2013081")), INCOMPLETE, 400, id="date too short"),
    pytest.param(with_credential(SCOPE.replace("20130819", "2013081\uff19")), INCOMPLETE, 400, id="wide digit"),
    pytest.param(with_credential(SCOPE.replace("us-east-1", "r" * 400)), INCOMPLETE, 400, id="very long"),
    pytest.param(with_credential(SCOPE.replace("aws4_request", "aws3_request")), WRONG, 403, id="wrong terminator"),
    pytest.param(with_credential(SCOPE.replace("20130819", "20130818")), WRONG, 403, id="scope of the day before"),
    pytest.param(with_credential(SCOPE.replace("us-east-1", "us-west-2")), WRONG, 403, id="region changed"),
    pytest.param(with_credential(SCOPE.replace("autoscaling", "ec2")), WRONG, 403, id="service changed"),
]

COVERAGE = [
    pytest.param(with_signed("Host;x-amz-date"), INCOMPLETE, 400, id="name in capitals"),
    pytest.param(with_signed("host;host;x-amz-date"), INCOMPLETE, 400, id="name twice"),
    pytest.param(with_signed("host;;x-amz-date"), INCOMPLETE, 400, id="empty name"),
    pytest.param(with_signed("host;x amz date"), INCOMPLETE, 400, id="no header name"),
    pytest.param(with_signed(";".join(["host", *map("h{}".format, range(64))])), INCOMPLETE, 400, id="too many names"),
    pytest.param(with_signed("content-type;x-amz-date"), WRONG, 403, id="host unsigned"),
    pytest.param(with_signed("content-type;host"), WRONG, 403, id="x-amz-date unsigned"),
    pytest.param(with_signed("host;x-amz-date"), WRONG, 403, id="name left out"),
    pytest.param(with_signed("host;content-type;x-amz-date"), WRONG, 403, id="names in another order"),
    pytest.param(with_signed(f"accept;{SIGNED}"), WRONG, 403, id="name put in"),
    pytest.param(add_header(V4, "x-amz-meta", "1"), WRONG, 403, id="x-amz header unsigned"),
    pytest.param(add_header(V4, "content-type", "text/plain"), WRONG, 403, id="signed header sent again"),
    pytest.param(hashed("UNSIGNED-PAYLOAD"), INCOMPLETE, 400, id="UNSIGNED-PAYLOAD"),
    pytest.param(hashed("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), INCOMPLETE, 400, id="STREAMING"),
    pytest.param(hashed("STREAMING-UNSIGNED-PAYLOAD-TRAILER"), INCOMPLETE, 400, id="STREAMING with a trailer"),
    pytest.param(hashed(HASH), WRONG, 403, id="hash of another body"),
    pytest.param(hashed(sha256(V4.body).hexdigest().upper()), WRONG, 403, id="hash in capitals"),
    pytest.param(hashed("x"), WRONG, 403, id="no hash"),
]

SIGNATURE = [
    pytest.param(with_signature(HEX[:-1]), WRONG, 403, id="a digit short"),
    pytest.param(with_signature(HEX[:8]), WRONG, 403, id="truncated"),
    pytest.param(with_signature(f"{HEX}0"), WRONG, 403, id="a digit long"),
    pytest.param(with_signature(HEX.upper()), WRONG, 403, id="in capitals"),
    pytest.param(with_signature("0" * 64), WRONG, 403, id="zeros"),
    pytest.param(with_signature("é" * 64), WRONG, 403, id="not ASCII"),
    pytest.param(with_signature("\udc80" * 64), WRONG, 403, id="not UTF-8"),
    pytest.param(with_signature("\ud800"), WRONG, 403, id="what no wire carries"),
    pytest.param(with_signature("0" * 129), INCOMPLETE, 400, id="too long"),
    pytest.param(signed_v4(secret="other"), WRONG, 403, id="made with another secret"),
    pytest.param(replace(V4, body=V4.body + b"&"), WRONG, 403, id="body one byte longer"),
    pytest.param(replace(V4, query="Action=DeleteTags"), WRONG, 403, id="parameter added to the query"),
    pytest.param(with_header(V4, "host", "other:8445"), WRONG, 403, id="for another host"),
]

DATES = [
    pytest.param(without_header(V4, "x-amz-date"), INCOMPLETE, 400, id="none"),
    pytest.param(dated(""), INCOMPLETE, 400, id="empty"),
    pytest.param(dated("yesterday"), INCOMPLETE, 400, id="malformed"),
    pytest.param(dated("20130231T205329Z"), INCOMPLETE, 400, id="no such day"),
    pytest.param(dated("20131319T205329Z"), INCOMPLETE, 400, id="no such month"),
    pytest.param(dated("20130819T255329Z"), INCOMPLETE, 400, id="no such hour"),
    pytest.param(dated("00000819T205329Z"), INCOMPLETE, 400, id="no such year"),
    pytest.param(dated("2013-08-19T20:53:29+02:00"), INCOMPLETE, 400, id="another zone"),
    pytest.param(dated("Mon, 19 Aug 2013 20:53:29 CEST"), INCOMPLETE, 400, id="another zone, RFC 1123"),
    pytest.param(dated("Mon, 99 Aug 2013 20:53:29 GMT"), INCOMPLETE, 400, id="no such day, RFC 1123"),
    pytest.param(dated("Mon, 19 Foo 2013 20:53:29 GMT"), INCOMPLETE, 400, id="no such month, RFC 1123"),
    pytest.param(add_header(V4, "x-amz-date", "20130819T205329Z"), INCOMPLETE, 400, id="header twice"),
    pytest.param(dated("20130820T205329Z"), WRONG, 403, id="another day than the scope"),
    pytest.param(dated("20130819T205330Z"), WRONG, 403, id="a second later than signed"),
    pytest.param(signed_v4(at=NOW - 16 * MIN), WRONG, 403, id="16 minutes old"),
    pytest.param(signed_v4(at=NOW + 16 * MIN), WRONG, 403, id="16 minutes ahead"),
    pytest.param(signed_v4(at=NOW.replace(year=9999, month=12, day=31, hour=23)), WRONG, 403, id="end of time"),
    pytest.param(signed_v4(at=NOW.replace(year=1970)), WRONG, 403, id="1970"),
]

IDENTITY = [
    pytest.param(signed_v4(key="AKIDSTRANGER"), UNKNOWN, 403, id="unknown key, V4"),
    pytest.param(edit_query(PRE, KEY, "AKIDSTRANGER"), UNKNOWN, 403, id="unknown key, presigned"),
    pytest.param(v2(AWSAccessKeyId="AKIDSTRANGER"), UNKNOWN, 403, id="unknown key, V2"),
    pytest.param(signed_v4(headers={"X-Amz-Security-Token": "t"}), UNKNOWN, 403, id="signed session token"),
    pytest.param(add_header(V4, "x-amz-security-token", "t"), UNKNOWN, 403, id="unsigned session token"),
    pytest.param(add_header(V4, "x-amz-security-token", ""), UNKNOWN, 403, id="empty session token"),
    pytest.param(replace(V4, query="X-Amz-Security-Token=t"), UNKNOWN, 403, id="session token in the query"),
    pytest.param(
        edit_query(PRE, "X-Amz-Date", "X-Amz-Security-Token=t&X-Amz-Date"), UNKNOWN, 403, id="presigned token"
    ),
    pytest.param(add_header(PRE, "x-amz-security-token", "t"), UNKNOWN, 403, id="presigned, token in a header"),
    pytest.param(v2(SecurityToken="t"), UNKNOWN, 403, id="V2 session token"),
    pytest.param(add_header(V2, "x-amz-security-token", "t"), UNKNOWN, 403, id="V2, token in a header"),
]

PRESIGNED = [
    *(
        pytest.param(without_v4_parameter(name), INCOMPLETE, 400, id=f"no {name}")
        for name in ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")
    ),
    *(
        pytest.param(replace(PRE, query=f"{PRE.query}&X-Amz-{name}=x"), TWICE, 400, id=f"{name} twice")
        for name in ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")
    ),
    pytest.param(edit_query(PRE, "HMAC-SHA256", "HMAC-SHA1"), INCOMPLETE, 400, id="unknown algorithm"),
    pytest.param(expiring(""), INCOMPLETE, 400, id="empty Expires"),
    pytest.param(presigned_v4(expires_s=0), VALUE, 400, id="expires at once"),
    pytest.param(presigned_v4(expires_s=604_801), VALUE, 400, id="longer than a week"),
    pytest.param(presigned_v4(expires_s=-1), VALUE, 400, id="negative"),
    pytest.param(expiring("1e3"), VALUE, 400, id="Expires in scientific notation"),
    pytest.param(expiring("%D9%A3"), VALUE, 400, id="Expires in Arabic digits"),
    pytest.param(expiring("9" * 5000), VALUE, 400, id="Expires of 5,000 digits"),
    pytest.param(expiring("7200"), WRONG, 403, id="Expires raised"),
    pytest.param(presigned_v4(expires_s=60, at=NOW - timedelta(seconds=61)), WRONG, 403, id="expired"),
    pytest.param(presigned_v4(at=NOW + 16 * MIN), WRONG, 403, id="not yet current"),
    pytest.param(edit_query(PRE, "=host", "=accept"), WRONG, 403, id="presigned, host unsigned"),
    pytest.param(add_header(PRE, "x-amz-meta", "1"), WRONG, 403, id="presigned, x-amz header unsigned"),
    pytest.param(edit_query(PRE, ENCODED_SCOPE, "a%2Fb"), INCOMPLETE, 400, id="presigned, malformed Credential"),
    pytest.param(edit_query(PRE, "us-east-1", "us%0Aeast"), INCOMPLETE, 400, id="line end in the scope"),
    pytest.param(edit_query(PRE, "20130819T205329Z", "now"), INCOMPLETE, 400, id="presigned, malformed date"),
    pytest.param(
        edit_query(PRE, "X-Amz-Date", "X-Amz-Content-Sha256=UNSIGNED-PAYLOAD&X-Amz-Date"),
        INCOMPLETE,
        400,
        id="presigned, UNSIGNED-PAYLOAD",
    ),
    pytest.param(
        edit_query(PRE, "X-Amz-Date", "X-Amz-Content-Sha256=x&X-Amz-Date"), WRONG, 403, id="presigned, wrong hash"
    ),
    pytest.param(edit_query(PRE, PRE_HEX, PRE_HEX.upper()), WRONG, 403, id="presigned, signature in capitals"),
    pytest.param(edit_query(PRE, "=web", "=db"), WRONG, 403, id="presigned, parameter changed"),
]

TWO_SCHEMES = [
    pytest.param(with_header(PRE, "authorization", V4.header("authorization") or ""), BOTH, 400, id="V4 and presigned"),
    pytest.param(replace(V4, query="X-Amz-Credential=x"), BOTH, 400, id="V4 and a credential in the query"),
    pytest.param(replace(V4, query=V2_QUERY), BOTH, 400, id="V4 and V2"),
    pytest.param(replace(V4, body=V2_QUERY.encode()), BOTH, 400, id="V4 and V2 in the form"),
    pytest.param(replace(V4, body=b"a=1&AWSAccessKey%49d=x"), BOTH, 400, id="V4 and V2 in the form, escaped name"),
    pytest.param(
        replace(V4, body="".join(f"%{ord(char):x}" for char in "AWSAccessKeyId").encode() + b"=x"),
        BOTH,
        400,
        id="V4 and V2 in the form, every letter escaped",
    ),
    pytest.param(replace(V4, body=b"%53ignature=x"), BOTH, 400, id="V4 and V2 in the form, escaped first name"),
    pytest.param(replace(PRE, query=f"{PRE.query}&{V2_QUERY}"), BOTH, 400, id="presigned and V2"),
    pytest.param(replace(PRE, body=V2_QUERY.encode()), BOTH, 400, id="presigned and V2 in the form"),
    pytest.param(with_header(V2, "authorization", "Basic x"), BOTH, 400, id="V2 and Basic"),
]

VERSION_2 = [
    pytest.param(v2(SignatureVersion="0"), VALUE, 400, id="version 0"),
    pytest.param(v2(SignatureVersion="1"), VALUE, 400, id="version 1"),
    pytest.param(v2(SignatureVersion="3"), VALUE, 400, id="version 3, in parameters"),
    pytest.param(v2(SignatureVersion="4"), VALUE, 400, id="version 4, in parameters"),
    pytest.param(v2(SignatureVersion="02"), VALUE, 400, id="version 02"),
    pytest.param(v2(SignatureVersion="%D9%A2"), VALUE, 400, id="version in an Arabic digit"),
    pytest.param(v2(SignatureVersion=""), MISSING, 400, id="empty version"),
    pytest.param(v2(SignatureVersion=None), MISSING, 400, id="no version"),
    pytest.param(v2(SignatureMethod=None), MISSING, 400, id="no method"),
    pytest.param(v2(SignatureMethod="HmacMD5"), VALUE, 400, id="unknown method"),
    pytest.param(v2(SignatureMethod="hmacsha256"), VALUE, 400, id="method in small letters"),
    pytest.param(v2(SignatureMethod="HmacSHA1"), WRONG, 403, id="another method than used"),
    pytest.param(v2(AWSAccessKeyId=None), MISSING, 400, id="no key"),
    pytest.param(v2(AWSAccessKeyId=""), MISSING, 400, id="empty key"),
    pytest.param(v2(AWSAccessKeyId="schl%C3%BCssel"), UNKNOWN, 403, id="V2 key id not ASCII"),
    pytest.param(v2(AWSAccessKeyId="a%0Ab"), UNKNOWN, 403, id="line end in the key id"),
    pytest.param(v2(AWSAccessKeyId="A" * 129), UNKNOWN, 403, id="V2 key id too long"),
    pytest.param(v2(Signature=None), MISSING, 400, id="V2 no signature"),
    pytest.param(v2(Signature=""), MISSING, 400, id="V2 empty signature"),
    pytest.param(v2(Signature="AAAA"), WRONG, 403, id="V2 truncated signature"),
    pytest.param(v2(Signature="%FF"), WRONG, 403, id="V2 signature not UTF-8"),
    pytest.param(v2(Signature="A" * 129), INCOMPLETE, 400, id="V2 signature too long"),
    pytest.param(v2(Timestamp=None), MISSING, 400, id="neither Timestamp nor Expires"),
    pytest.param(v2(Expires="2013-08-19T20%3A55%3A00Z"), BOTH, 400, id="Timestamp and Expires"),
    pytest.param(v2(Timestamp="yesterday"), VALUE, 400, id="V2 malformed Timestamp"),
    pytest.param(v2(Timestamp="2013-02-31T20%3A53%3A29Z"), VALUE, 400, id="V2 no such day"),
    pytest.param(v2(Timestamp="2013-08-19T20%3A53%3A29%2B02%3A00"), VALUE, 400, id="V2 another zone"),
    pytest.param(v2(Timestamp="20130819T205329Z"), VALUE, 400, id="V2 basic form"),
    pytest.param(v2(Timestamp=None, Expires="soon"), VALUE, 400, id="V2 malformed Expires"),
    pytest.param(signed_v2(at=NOW - 16 * MIN), EXPIRED, 400, id="V2 16 minutes old"),
    pytest.param(signed_v2(at=NOW + 16 * MIN), EXPIRED, 400, id="V2 16 minutes ahead"),
    pytest.param(v2(Timestamp="9999-12-31T23%3A59%3A59Z"), EXPIRED, 400, id="V2 end of time"),
    pytest.param(v2(Timestamp=None, Expires="2013-08-19T20%3A53%3A28Z"), EXPIRED, 400, id="V2 Expires passed"),
    pytest.param(v2(Timestamp=None, Expires="2013-08-19T21%3A09%3A29Z"), EXPIRED, 400, id="V2 Expires too far ahead"),
    pytest.param(replace(V2, query=f"{V2.query}&Signature=x"), TWICE, 400, id="V2 Signature twice"),
    pytest.param(replace(V2, query=f"{V2.query}&Action=DeleteTags"), TWICE, 400, id="V2 Action twice"),
    pytest.param(replace(V2, query=f"{V2.query}&%41ction=DeleteTags"), TWICE, 400, id="V2 Action twice, once escaped"),
    pytest.param(replace(V2_POST, query="Action=DeleteTags"), TWICE, 400, id="V2 Action in query and form"),
    pytest.param(replace(V2_POST, query="ForceDelete=true"), WRONG, 403, id="V2 parameter added to the query"),
    pytest.param(replace(V2_POST, body=V2_POST.body + b"&a=1"), WRONG, 403, id="V2 parameter added to the form"),
    pytest.param(replace(V2, method="POST"), WRONG, 403, id="V2 another method"),
    pytest.param(replace(V2, path="/x"), WRONG, 403, id="V2 another path"),
    pytest.param(with_header(V2, "host", "other"), WRONG, 403, id="V2 for another host"),
    pytest.param(with_header(V2, "host", "\ud800"), WRONG, 403, id="V2 host that no wire carries"),
    pytest.param(add_header(V2, "x-amz-meta", "1"), WRONG, 403, id="V2 x-amz header"),
    pytest.param(signed_v2(secret="other"), WRONG, 403, id="V2 made with another secret"),
    pytest.param(without_header(V2, "host"), INCOMPLETE, 400, id="V2 no Host"),
]

FLOODS = [
    pytest.param(replace(V2, query="a&" * 2500 + V2.query), "MalformedQueryString", 400, id="parameters in the query"),
    pytest.param(replace(V2_POST, body=b"a&" * 100_000 + V2_POST.body), "MalformedQueryString", 400, id="in the form"),
    pytest.param(signed_v2({"k": "a" * 131_072}), "RequestTooLarge", 413, id="octets in a V2 form"),
    pytest.param(replace(V4, body=b"a%=&" * 2500), "MalformedQueryString", 400, id="escaped names in the form"),
    pytest.param(replace(V2, query=f"{V2.query}&a=\ud800"), "MalformedQueryString", 400, id="what no wire carries"),
]


@pytest.mark.parametrize(
    ("request_", "code", "status"),
    [
        *NO_SIGNATURE,
        *AUTHORIZATION,
        *CREDENTIAL,
        *COVERAGE,
        *SIGNATURE,
        *DATES,
        *IDENTITY,
        *PRESIGNED,
        *TWO_SCHEMES,
        *VERSION_2,
        *FLOODS,
    ],
)
def test_a_bad_signature_is_refused_by_its_own_code(request_: Request, code: str, status: int) -> None:
    """F86: every fault has the code and status of AWS's list, and a text without secrets or canonical strings."""
    with pytest.raises(ApiError) as caught:
        verify(request_)

    assert (caught.value.code, caught.value.status) == (code, status)
    assert SECRET not in caught.value.message
    assert "\n" not in caught.value.message


def test_all_missing_parts_are_named_at_once() -> None:
    """A client's author learns everything that is missing from one answer."""
    with pytest.raises(ApiError) as caught:
        verify(without_header(with_authorization("AWS4-HMAC-SHA256 SignedHeaders=host"), "x-amz-date"))

    assert caught.value.message == (
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. "
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
    )


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(signed_v4(secret="", key="AKIDNEW"), id="V4"),
        pytest.param(signed_v2({**PARAMS}, secret=""), id="V2"),
        pytest.param(signed_v4(secret=signature._NO_SECRET), id="V4, the stand-in"),
        pytest.param(signed_v2(secret=signature._NO_SECRET), id="V2, the stand-in"),
    ],
)
@pytest.mark.parametrize("secret", [pytest.param(None, id="unknown"), pytest.param("", id="empty")])
def test_no_key_verifies_without_a_secret(request_: Request, secret: str | None) -> None:
    """F86: an unknown key, or one of an empty secret, never verifies, though the stand-in secret itself had signed."""
    claim = signature.read_claim(request_, NOW)

    with pytest.raises(ApiError) as caught:
        signature.check(claim, request_, secret, NOW, ())

    assert caught.value.code == "InvalidClientTokenId"


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(signed_v4(at=NOW - 16 * MIN, secret="wrong"), id="V4"),
        pytest.param(presigned_v4(expires_s=1, at=NOW - MIN), id="presigned"),
        pytest.param(signed_v2(at=NOW - 16 * MIN, secret="wrong"), id="V2"),
        pytest.param(add_header(V4, "x-amz-meta", "1"), id="unsigned header"),
    ],
)
def test_a_stale_or_malformed_request_does_not_tell_whether_its_key_exists(request_: Request) -> None:
    """F87: the same answer, word for word, for a key of ours and for a stranger's."""
    answers = []
    for keys in ({KEY: SECRET}, {}):
        with pytest.raises(ApiError) as caught:
            verify(request_, keys=keys)
        answers.append((caught.value.code, caught.value.message))

    assert answers[0] == answers[1]


def test_a_wrong_signature_is_answered_in_the_words_of_aws() -> None:
    """The text that clients and people search for."""
    with pytest.raises(ApiError) as caught:
        verify(with_signature("0" * 64))

    assert caught.value.message == (
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        "Key and signing method. Consult the service documentation for details."
    )


def test_a_claim_does_not_show_its_signature() -> None:
    """Claims may end in logs; a signature there could be sent again while it is fresh."""
    claim = signature.read_claim(V4, NOW)

    assert claim.access_key_id == KEY
    assert HEX not in repr(claim)


@pytest.mark.parametrize(
    ("host", "ports", "expected"),
    [
        pytest.param("gw", (), ("gw", "gw:80", "gw:443"), id="no port"),
        pytest.param("gw:80", (), ("gw:80", "gw", "gw:443"), id="port 80"),
        pytest.param("gw:1", (8445,), ("gw:1", "gw", "gw:8445", "gw:80", "gw:443"), id="another port"),
        pytest.param("[::1]:1", (), ("[::1]:1", "[::1]", "[::1]:80", "[::1]:443"), id="IPv6"),
        pytest.param("[::1]", (), ("[::1]", "[::1]:80", "[::1]:443"), id="IPv6, no port"),
        pytest.param("Gw", (), ("Gw", "Gw:80", "Gw:443", "gw", "gw:80", "gw:443"), id="capitals"),
        pytest.param("", (), ("", ":80", ":443"), id="empty"),
    ],
)
def test_host_spellings_start_with_the_host_as_sent(
    host: str, ports: tuple[int, ...], expected: tuple[str, ...]
) -> None:
    """As sent, without port, with each port of ours, with the default ports; each once."""
    assert signature.host_spellings(host, ports) == expected


def test_names_of_parameters_may_appear_in_values() -> None:
    """A tag or a text that mentions a V2 parameter is no second signature."""
    request = signed_v4({**PARAMS, "Tags.member.1.Value": "AWSAccessKeyId", "UserData": "Signature=x&AWSAccessKeyId=y"})

    assert verify(request) == KEY


def test_the_canonical_form_of_a_credential_is_not_guessed() -> None:
    """Blanks around the parts of Authorization are allowed, inside them they are not."""
    request = authorized(without_header(V4, "authorization"), SIGNED, HEX)

    assert verify(edit_authorization(request, ", ", " ,  ")) == KEY
    with pytest.raises(ApiError):
        verify(edit_authorization(request, "Signature=", "Signature= "))
