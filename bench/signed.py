"""
Requests as botocore sends them: signed with Signature Version 4, by hand, because botocore takes 40 us for each.

Owns: the bytes of a request, and a plain call for the few answers that the bench reads. Does not own: load.
"""

import hashlib
import hmac
import http.client
import urllib.parse
from collections.abc import Mapping
from datetime import UTC, datetime

ACCESS_KEY_ID = "AKIABENCHBENCHBENCHB"
SECRET_ACCESS_KEY = "secret/of+the=bench"
REGION = "us-east-1"

INVOCATION_ID = "00000000-0000-4000-8000-000000000000"
"""Of a request that was never sent; :func:`as_another_call` gives it one."""

API_VERSION = "2011-01-01"
CONTENT_TYPE = "application/x-www-form-urlencoded; charset=utf-8"
USER_AGENT = "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux lang/python#3.11 md/pyimpl#CPython cfg/retry-mode#legacy"


def form(action: str, **params: object) -> str:
    """The body of a call of *action*. In *params*, ``__`` stands for the dots of a member's path."""
    fields = {"Action": action, "Version": API_VERSION}
    fields |= {name.replace("__", "."): str(value) for name, value in params.items()}
    return urllib.parse.urlencode(fields)


def headers(body: str, port: int, now: datetime) -> dict[str, str]:
    """The headers of a POST of *body*, signed at *now*."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    host = f"127.0.0.1:{port}"
    scope = f"{stamp[:8]}/{REGION}/autoscaling/aws4_request"
    names = "content-type;host;x-amz-date"
    digest = hashlib.sha256(body.encode()).hexdigest()
    canonical = f"POST\n/\n\ncontent-type:{CONTENT_TYPE}\nhost:{host}\nx-amz-date:{stamp}\n\n{names}\n{digest}"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{SECRET_ACCESS_KEY}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    return {
        "Host": host,
        "Accept-Encoding": "identity",
        "Content-Type": CONTENT_TYPE,
        "User-Agent": USER_AGENT,
        "X-Amz-Date": stamp,
        "amz-sdk-invocation-id": INVOCATION_ID,
        "amz-sdk-request": "attempt=1",
        "Authorization": (
            f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/{scope}, SignedHeaders={names}, Signature={signature}"
        ),
        "Content-Length": str(len(body)),
    }


def request(body: str, port: int, now: datetime) -> bytes:
    """The whole request on the wire."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers(body, port, now).items())
    return f"POST / HTTP/1.1\r\n{lines}\r\n{body}".encode()


def as_another_call(request: bytes, number: int) -> bytes:
    """*request* as the call of this number: botocore does not sign the id by which servers know a repeated call."""
    return request.replace(INVOCATION_ID.encode(), b"%08x" % number + INVOCATION_ID.encode()[8:], 1)


def call(port: int, body: str) -> str:
    """The text of the answer. Raises AssertionError, with the answer, when its status is not 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("POST", "/", body, _sent(body, port))
        response = connection.getresponse()
        text = response.read().decode()
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise AssertionError(f"{body}\nwas answered with {response.status}: {text}")
    return text


def _sent(body: str, port: int) -> Mapping[str, str]:
    return headers(body, port, datetime.now(UTC))
