"""
Signatures of requests that are made here: version 4 in a header, version 2 in the form.

Owns: both, as pure functions of request, credentials and time. Does not own: checking signatures of others, which
``protocol`` does with its own code; the tests hold the two against each other, and both against botocore.
Sources: AWS General Reference, "Signature Version 4 signing process" and "Signature Version 2 signing process".
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from phantom_gateway.as_tools.credentials import Credentials
from phantom_gateway.as_tools.endpoint import Endpoint

CONTENT_TYPE = "application/x-www-form-urlencoded; charset=utf-8"
SERVICE = "autoscaling"


def signed(
    endpoint: Endpoint, parameters: Mapping[str, str], credentials: Credentials, now: datetime
) -> tuple[dict[str, str], bytes]:
    """The headers and the body of a POST of *parameters*, signed at *now* (UTC) as the endpoint wants it."""
    if endpoint.signature_version == 2:  # noqa: PLR2004 - the version's name
        return _version_2(endpoint, parameters, credentials, now)
    return _version_4(endpoint, parameters, credentials, now)


def form(parameters: Mapping[str, str]) -> str:
    """*parameters* as they stand in a body: percent-encoded as signatures want it, a blank as ``%20``."""
    return "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in parameters.items())


def _version_4(
    endpoint: Endpoint, parameters: Mapping[str, str], credentials: Credentials, now: datetime
) -> tuple[dict[str, str], bytes]:
    body = form(parameters).encode("ascii")
    stamp = f"{now:%Y%m%dT%H%M%SZ}"
    covered = {"content-type": CONTENT_TYPE, "host": endpoint.host, "x-amz-date": stamp}
    if credentials.session_token is not None:
        covered["x-amz-security-token"] = credentials.session_token.reveal()
    lines = "".join(f"{name}:{value}\n" for name, value in covered.items())
    names = ";".join(covered)
    path = quote(endpoint.path, safe="/-_.~")  # a path that is percent-encoded already is encoded again: the rule
    canonical = f"POST\n{path}\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{stamp[:8]}/{endpoint.region}/{SERVICE}/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4" + _octets(credentials)
    for step in scope.split("/"):
        key = hmac.digest(key, step.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    claim = f"Credential={credentials.access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**covered, "authorization": f"AWS4-HMAC-SHA256 {claim}"}, body


def _version_2(
    endpoint: Endpoint, parameters: Mapping[str, str], credentials: Credentials, now: datetime
) -> tuple[dict[str, str], bytes]:
    claim = {
        "AWSAccessKeyId": credentials.access_key_id,
        "SignatureMethod": "HmacSHA256",
        "SignatureVersion": "2",
        "Timestamp": f"{now:%Y-%m-%dT%H:%M:%SZ}",
    }
    if credentials.session_token is not None:
        claim["SecurityToken"] = credentials.session_token.reveal()
    query = form(dict(sorted({**parameters, **claim}.items(), key=lambda pair: pair[0].encode())))
    to_sign = f"POST\n{endpoint.host.lower()}\n{endpoint.path}\n{query}"
    digest = hmac.digest(_octets(credentials), to_sign.encode(), "sha256")
    body = f"{query}&Signature={_encoded(base64.b64encode(digest).decode())}"
    return {"content-type": CONTENT_TYPE, "host": endpoint.host}, body.encode("ascii")


def _octets(credentials: Credentials) -> bytes:
    return credentials.secret.reveal().encode("utf-8", "surrogateescape")


def _encoded(text: str) -> str:
    return quote(text.encode("utf-8", "surrogateescape"), safe="-_.~")
