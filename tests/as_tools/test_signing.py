"""Signatures made here are those that botocore makes, and those that the gateway accepts."""

from datetime import UTC, datetime
from urllib.parse import urlsplit

import botocore.auth
import botocore.credentials
import pytest
from botocore.awsrequest import AWSRequest
from hypothesis import given, settings
from hypothesis import strategies as st

from phantom_gateway.as_tools.credentials import Credentials
from phantom_gateway.as_tools.endpoint import Endpoint, find_endpoint
from phantom_gateway.as_tools.signing import CONTENT_TYPE, form, signed
from phantom_gateway.secret import Secret
from protocol import signature
from protocol.errors import ApiError
from protocol.form import read_form
from protocol.wire import Request
from tests.protocol.signing import KEY, NOW, SECRET

NAMES = st.text("abcXYZ.member123", min_size=1, max_size=12)
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=12
)
PARAMETERS = st.dictionaries(NAMES, TEXTS, max_size=6).map(
    lambda found: {"Action": "X", "Version": "2011-01-01", **found}
)
URLS = st.sampled_from(
    ["http://127.0.0.1:8445", "http://h:8773/services/AutoScaling", "http://Example.COM", "https://x/a/"]
)
CREDENTIALS = Credentials(KEY, Secret(SECRET))


def where(url: str, version: str) -> Endpoint:
    """The endpoint at *url*."""
    return find_endpoint({"--url": url, "--signature-version": version}, {})


def arrived(endpoint: Endpoint, headers: dict[str, str], body: bytes) -> Request:
    """The request as a server reads it."""
    return Request("POST", endpoint.path, "", tuple(headers.items()), body)


@settings(deadline=None)
@given(PARAMETERS, URLS, st.sampled_from(["2", "4"]))
def test_the_gateway_accepts_what_is_signed(parameters: dict[str, str], url: str, version: str) -> None:
    """Whatever the parameters: the claim is read, the secret verified, and the form is the one that was meant."""
    endpoint = where(url, version)
    request = arrived(endpoint, *signed(endpoint, parameters, CREDENTIALS, NOW))
    claim = signature.read_claim(request, NOW)
    signature.check(claim, request, SECRET, NOW, (endpoint.port,))
    form_read = read_form(request)

    assert claim.access_key_id == KEY
    assert parameters.items() <= form_read.items()


@settings(deadline=None)
@given(PARAMETERS, URLS, st.sampled_from(["2", "4"]))
def test_nobody_else_signs_so(parameters: dict[str, str], url: str, version: str) -> None:
    """Another secret makes another signature, and a changed parameter breaks it."""
    endpoint = where(url, version)
    headers, body = signed(endpoint, parameters, CREDENTIALS, NOW)
    other = arrived(endpoint, *signed(endpoint, parameters, Credentials(KEY, Secret("other")), NOW))
    changed = arrived(endpoint, headers, body.replace(b"Action=X", b"Action=Y"))

    for request in (other, changed):
        with pytest.raises(ApiError, match="signature"):
            signature.check(signature.read_claim(request, NOW), request, SECRET, NOW, (endpoint.port,))


@settings(deadline=None)
@given(PARAMETERS, URLS, st.none() | st.just("token"))
def test_version_4_is_botocores(parameters: dict[str, str], url: str, token: str | None) -> None:
    """The same headers and the same signature, with and without temporary credentials."""
    endpoint = where(url, "4")
    mine, body = signed(endpoint, parameters, Credentials(KEY, Secret(SECRET), Secret(token) if token else None), NOW)
    request = AWSRequest("POST", url, {"Content-Type": CONTENT_TYPE, "Host": endpoint.host}, data=body)
    request.context["timestamp"] = mine["x-amz-date"]
    if token:
        request.headers["X-Amz-Security-Token"] = token
    request.headers["X-Amz-Date"] = mine["x-amz-date"]
    signer = botocore.auth.SigV4Auth(botocore.credentials.Credentials(KEY, SECRET, token), "autoscaling", "us-east-1")
    to_sign = signer.string_to_sign(request, signer.canonical_request(request))

    assert mine["authorization"].endswith(f"Signature={signer.signature(to_sign, request)}")
    assert mine.get("x-amz-security-token") == token


@settings(deadline=None)
@given(PARAMETERS, URLS)
def test_version_2_is_botocores(parameters: dict[str, str], url: str) -> None:
    """The same signature over the same parameters; the host is signed in small letters, as AWS's description says."""
    endpoint = where(url, "2")
    _headers, body = signed(endpoint, parameters, CREDENTIALS, NOW)
    mine = read_form(Request("POST", "/", "", (), body))
    given_signature = mine.pop("Signature")
    request = AWSRequest("POST", f"{endpoint.scheme}://{endpoint.host.lower()}{urlsplit(endpoint.url).path}", data=mine)
    _query, expected = botocore.auth.SigV2Auth(botocore.credentials.Credentials(KEY, SECRET)).calc_signature(
        request, mine
    )

    assert given_signature == expected


def test_temporary_credentials_are_in_a_version_2_form() -> None:
    """Their token is a parameter, and signed."""
    _headers, body = signed(where("http://h", "2"), {"Action": "X"}, Credentials(KEY, Secret("s"), Secret("t")), NOW)

    assert b"&SecurityToken=t&" in body


def test_a_form_is_encoded_once_and_for_all() -> None:
    """Bytes that are no UTF-8, as a shell may hand them over, arrive as they are; blanks are %20, never +."""
    assert form({"a b": "\udcff+&=/~", "n": "ü"}) == "a%20b=%FF%2B%26%3D%2F~&n=%C3%BC"


def test_a_time_is_written_in_utc() -> None:
    """The stamp of version 4 and the Timestamp of version 2 are the moment that was given."""
    moment = datetime(2026, 3, 1, 2, 3, 4, tzinfo=UTC)
    headers, _ = signed(where("http://h", "4"), {}, CREDENTIALS, moment)
    _, body = signed(where("http://h", "2"), {}, CREDENTIALS, moment)

    assert headers["x-amz-date"] == "20260301T020304Z"
    assert b"Timestamp=2026-03-01T02%3A03%3A04Z" in body
