"""
Signature Version 2: the published example, the spellings real clients sign, and the life of a request.

Does not own: refusals (test_signature), requests made at random (test_signature_properties).
"""

import hmac
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from protocol.errors import ApiError
from protocol.wire import Request
from tests.protocol.signing import HOST, KEY, NOW, PARAMS, SECRET, edit_query, signed_v2, verify, with_header

CLAIM = {"AWSAccessKeyId": KEY, "SignatureVersion": "2", "SignatureMethod": "HmacSHA256"}
TIMESTAMP = {"Timestamp": "2013-08-19T20:53:29Z"}


def signed_by_hand(
    params: dict[str, str], *, host: str = HOST, path: str = "/", digest: str = "sha256", method: str = "GET"
) -> Request:
    """A query signed word by word as the specification says, for what botocore cannot be made to send."""
    text = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(params.items()))
    string = f"{method}\n{host.lower()}\n{path or '/'}\n{text}"
    proof = b64encode(hmac.digest(SECRET.encode(), string.encode(), digest)).decode()
    return Request(method, path, f"{text}&Signature={quote(proof, safe='')}", (("host", host),))


def test_the_published_example_is_accepted() -> None:
    """The Elastic MapReduce request of AWS's documentation verifies with the published secret."""
    query = (
        "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Action=DescribeJobFlows&SignatureMethod=HmacSHA256&SignatureVersion=2"
        "&Timestamp=2011-10-03T15%3A19%3A30&Version=2009-03-31"
        "&Signature=i91nKc4PWAt0JJIdXwz9HxZCJDdiy6cf%2FMj6vPxyYIs%3D"
    )
    request = Request("GET", "/", query, (("host", "elasticmapreduce.amazonaws.com"),))
    keys = {"AKIAIOSFODNN7EXAMPLE": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}

    assert verify(request, keys=keys, now=datetime(2011, 10, 3, 15, 19, 30, tzinfo=UTC)) == "AKIAIOSFODNN7EXAMPLE"


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(signed_v2(method="GET"), id="boto up to 2.5.2: sends and signs the port"),
        pytest.param(signed_v2(method="GET", host="127.0.0.1"), id="boto 2.49 forced to v2: no port"),
        pytest.param(signed_v2(), id="botocore with signature_version v2: POST"),
        pytest.param(signed_v2(host="127.0.0.1"), id="Ruby, aws-lib: POST, no port"),
        pytest.param(with_header(signed_v2(host="127.0.0.1"), "host", HOST), id="sends the port, signs without"),
        pytest.param(with_header(signed_v2(), "host", "127.0.0.1"), id="signs the port, sends none"),
        pytest.param(
            with_header(signed_v2(host="gw.example"), "host", "GW.EXAMPLE"), id="name in capitals, signed in lower case"
        ),
        pytest.param(signed_v2({**PARAMS, "UserData": "a+b/c==\n"}), id="base64 with a line end"),
        pytest.param(signed_v2({**PARAMS, "k": "a b+ü~*'"}, method="GET"), id="a plus for a blank on the wire"),
        pytest.param(
            signed_by_hand({**PARAMS, **CLAIM, **TIMESTAMP, "SignatureMethod": "HmacSHA1"}, digest="sha1"),
            id="HmacSHA1",
        ),
        pytest.param(signed_by_hand({**PARAMS, **CLAIM, **TIMESTAMP}, path=""), id="empty path"),
        pytest.param(signed_by_hand({**PARAMS, **CLAIM, **TIMESTAMP}, path="/a//b"), id="path as sent"),
        pytest.param(
            signed_by_hand({"a:b": "1", "a.b": "2", "aéb": "3", **CLAIM, **TIMESTAMP}),
            id="names sorted before they are encoded",
        ),
    ],
)
def test_what_a_real_client_sends_is_accepted(request_: Request) -> None:
    """Hosts, methods and spellings of recorded clients verify."""
    assert verify(request_) == KEY


@pytest.mark.parametrize(
    "times",
    [
        pytest.param({"Timestamp": "2013-08-19T20:53:29"}, id="no zone"),
        pytest.param({"Timestamp": "2013-08-19T20:53:29.930Z"}, id="fraction of a second"),
        pytest.param({"Timestamp": "2013-08-19T20:39:29Z"}, id="14 minutes old"),
        pytest.param({"Timestamp": "2013-08-19T21:07:29Z"}, id="14 minutes ahead"),
        pytest.param({"Expires": "2013-08-19T20:53:29Z"}, id="expires now"),
        pytest.param({"Expires": "2013-08-19T21:07:29Z"}, id="expires in 14 minutes"),
    ],
)
def test_a_fresh_request_is_accepted(times: dict[str, str]) -> None:
    """Timestamp within a quarter of an hour either way, or Expires within the next."""
    assert verify(signed_by_hand({**PARAMS, **CLAIM, **times})) == KEY


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(replace(signed_v2(), query="Action=DeleteAutoScalingGroup"), id="in the query of a POST"),
        pytest.param(replace(signed_v2(), query="ForceDelete=true"), id="another in the query of a POST"),
        pytest.param(replace(signed_v2(method="GET"), body=b"ForceDelete=true"), id="in the body of a GET"),
        pytest.param(edit_query(signed_v2(method="GET"), "Action=", "ForceDelete=true&Action="), id="in the query"),
    ],
)
def test_no_parameter_is_left_unsigned(request_: Request) -> None:
    """F86: a parameter added anywhere after signing spoils the request, wherever the signed ones stood."""
    with pytest.raises(ApiError) as caught:
        verify(request_)

    assert caught.value.code in {"SignatureDoesNotMatch", "InvalidQueryParameter"}


def test_a_stale_request_is_told_its_timestamp() -> None:
    """The Timestamp is repeated as a date, never as the text that was sent."""
    with pytest.raises(ApiError) as caught:
        verify(signed_v2(at=NOW - timedelta(minutes=16)))

    assert caught.value.message == "Request has expired. Timestamp date is 2013-08-19T20:37:29Z."
