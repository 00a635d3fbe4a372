"""
Signs raw requests with botocore, as of now, with the key of the gateway under test.

Owns: whole signed requests as bytes. Does not own: what is in them, or the sending.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.processes.raw_http import rendered
from tests.support.gateway import ACCESS_KEY_ID, SECRET_ACCESS_KEY

FORM_TYPE = "application/x-www-form-urlencoded; charset=utf-8"
Header = tuple[str, str]

GOOD = "Action=DescribeAutoScalingGroups&Version=2011-01-01"
"""A request that always succeeds, as a form or a query."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs for *host*, with the tester's key unless told otherwise."""

    host: str
    key: str = ACCESS_KEY_ID
    secret: str = SECRET_ACCESS_KEY

    @property
    def v4(self) -> botocore.auth.SigV4Auth:
        """Botocore's signer, version 4."""
        return botocore.auth.SigV4Auth(Credentials(self.key, self.secret), "autoscaling", "us-east-1")

    def headers(self, method: str, path: str, body: bytes, extra: tuple[Header, ...] = ()) -> list[Header]:
        """All headers of a request with *body*, signed; *extra* are sent unsigned, after the others."""
        request = AWSRequest(method, f"http://{self.host}{path}", {"Content-Type": FORM_TYPE}, data=body)
        self.v4.add_auth(request)
        signed = [(name, str(value)) for name, value in request.headers.items()]
        return [("Host", self.host), *signed, ("Content-Length", str(len(body))), *extra]

    def post(self, body: str | bytes, *extra: Header, method: str = "POST", target: str = "/") -> bytes:
        """A request of *method* with *body*, signed for the path "/" whatever *target* says."""
        octets = body.encode() if isinstance(body, str) else body
        return rendered(method, target, self.headers(method, "/", octets, extra), octets)

    def get(self, query: str, method: str = "GET") -> bytes:
        """A request with everything in its *query*, which is sent as it is."""
        request = AWSRequest(method, f"http://{self.host}/?{query}")
        self.v4.add_auth(request)
        return rendered(method, f"/?{query}", [("Host", self.host), *request.headers.items()])

    def post_v2(self, params: dict[str, str]) -> bytes:
        """*params* as a form, signed with version 2."""
        request = AWSRequest("POST", f"http://{self.host}/", {"Content-Type": FORM_TYPE}, data=dict(params))
        botocore.auth.SigV2Auth(Credentials(self.key, self.secret)).add_auth(request)
        body = urlencode(request.data).encode()
        return rendered(
            "POST",
            "/",
            [("Host", self.host), ("Content-Type", FORM_TYPE), ("Content-Length", str(len(body)))],
            body,
        )
