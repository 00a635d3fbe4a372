"""
Signs requests with botocore, the oracle, as of a given moment; and verifies them as the front does.

Owns: one key, one moment and one address for all signature tests. Does not own: what is signed or expected.
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from unittest.mock import patch
from urllib.parse import urlencode, urlsplit

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from protocol import signature
from protocol.wire import Request

KEY = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW = datetime(2013, 8, 19, 20, 53, 29, tzinfo=UTC)
HOST = "127.0.0.1:8445"
PORTS = (8445,)
FORM_TYPE = "application/x-www-form-urlencoded; charset=utf-8"
PARAMS = {
    "Action": "SetDesiredCapacity",
    "AutoScalingGroupName": "web",
    "DesiredCapacity": "3",
    "Version": "2011-01-01",
}


def signed_v4(
    params: Mapping[str, str] = PARAMS,
    *,
    method: str = "POST",
    host: str = HOST,
    path: str = "/",
    headers: Mapping[str, str] | None = None,
    region: str = "us-east-1",
    service: str = "autoscaling",
    at: datetime = NOW,
    key: str = KEY,
    secret: str = SECRET,
) -> Request:
    """*params* signed in the Authorization header: as a form when POSTed, else in the query."""
    headers = dict(headers or {})
    if method == "POST":
        headers.setdefault("Content-Type", FORM_TYPE)
        request = AWSRequest("POST", f"http://{host}{path}", headers, data=urlencode(params))
    else:
        request = AWSRequest(method, f"http://{host}{path}", headers, params=dict(params))
    _sign(botocore.auth.SigV4Auth(Credentials(key, secret), service, region), request, at)
    return _to_wire(request, host)


def presigned_v4(
    params: Mapping[str, str] = PARAMS,
    *,
    host: str = HOST,
    expires_s: int = 3600,
    at: datetime = NOW,
    region: str = "us-east-1",
) -> Request:
    """*params* as a presigned GET that is good for *expires_s*."""
    request = AWSRequest("GET", f"http://{host}/", params=dict(params))
    signer = botocore.auth.SigV4QueryAuth(Credentials(KEY, SECRET), "autoscaling", region, expires_s)
    _sign(signer, request, at)
    return _to_wire(request, host)


def signed_v2(
    params: Mapping[str, str] = PARAMS,
    *,
    method: str = "POST",
    host: str = HOST,
    at: datetime = NOW,
    secret: str = SECRET,
) -> Request:
    """*params* signed with version 2: as a form when POSTed, else in the query."""
    place = {"data": dict(params)} if method == "POST" else {"params": dict(params)}
    request = AWSRequest(method, f"http://{host}/", {"Content-Type": FORM_TYPE} if method == "POST" else {}, **place)
    _sign(botocore.auth.SigV2Auth(Credentials(KEY, secret)), request, at)
    return _to_wire(request, host)


def sign_canonical(canonical: str, *, at: datetime = NOW, stamp: str | None = None) -> str:
    """V4 signature over a *canonical* request of the test's own making: for spellings that botocore never uses."""
    signer = botocore.auth.SigV4Auth(Credentials(KEY, SECRET), "autoscaling", "us-east-1")
    basic = f"{at:%Y%m%dT%H%M%SZ}"
    request = SimpleNamespace(context={"timestamp": basic})
    text = signer.string_to_sign(request, canonical)
    return str(signer.signature(text.replace(basic, stamp or basic, 1), request))


def authorized(request: Request, signed_headers: str, signature_hex: str) -> Request:
    """*request* with an Authorization header of these parts."""
    scope = f"{KEY}/20130819/us-east-1/autoscaling/aws4_request"
    value = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={signed_headers}, Signature={signature_hex}"
    return add_header(request, "authorization", value)


def verify(
    request: Request,
    *,
    keys: Mapping[str, str] | None = None,
    now: datetime = NOW,
    ports: Collection[int] = PORTS,
) -> str:
    """Id of the key that signed *request*, as the front finds it out; raises ApiError."""
    keys = {KEY: SECRET} if keys is None else keys
    claim = signature.read_claim(request, now)
    signature.check(claim, request, keys.get(claim.access_key_id), now, ports)
    return claim.access_key_id


def with_header(request: Request, name: str, value: str) -> Request:
    """*request* with the header *name* set to *value*, whatever it was before."""
    others = tuple(header for header in request.headers if header[0] != name)
    return replace(request, headers=(*others, (name, value)))


def without_header(request: Request, name: str) -> Request:
    """*request* as if the header *name* had not been sent."""
    return replace(request, headers=tuple(header for header in request.headers if header[0] != name))


def add_header(request: Request, name: str, value: str) -> Request:
    """*request* with one header more, after the others."""
    return replace(request, headers=(*request.headers, (name, value)))


def edit_authorization(request: Request, old: str, new: str) -> Request:
    """*request* with *old*, which must occur, replaced by *new* in its Authorization."""
    value = request.header("authorization") or ""
    assert old in value
    return with_header(request, "authorization", value.replace(old, new, 1))


def edit_query(request: Request, old: str, new: str) -> Request:
    """*request* with *old*, which must occur, replaced by *new* in its raw query."""
    assert old in request.query
    return replace(request, query=request.query.replace(old, new, 1))


def _sign(signer: botocore.auth.BaseSigner, request: AWSRequest, at: datetime) -> None:
    stopped = SimpleNamespace(strftime=time.strftime, gmtime=at.utctimetuple)
    with (
        patch("botocore.auth.get_current_datetime", lambda: at.replace(tzinfo=None)),
        patch("botocore.auth.time", stopped),
    ):
        signer.add_auth(request)


def _to_wire(request: AWSRequest, host: str) -> Request:
    prepared = request.prepare()
    split = urlsplit(prepared.url)
    sent = [(name.lower(), str(value)) for name, value in prepared.headers.items()]
    body = prepared.body or b""
    body = body.encode() if isinstance(body, str) else body
    return Request(prepared.method, split.path, split.query, (("host", host), *sent), body)
