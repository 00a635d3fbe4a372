"""
Signature Version 2: what the parameters of a query or form claim, and whether a secret made it.

Owns: the form of a V2 claim and its string to sign. Does not own: which scheme a request uses, the spellings of its
host and parameters, or how far clocks may differ (:mod:`protocol.signature`). Versions 0 and 1 are refused: their
string runs names and values together, so that one signature fits many requests.
Source: AWS General Reference, "Signature Version 2 signing process".
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import unquote, unquote_to_bytes

from protocol.errors import ApiError
from protocol.wire import Request

SIGNATURE_CHARS_MAX = 128
"""Longest signature that is compared; a true one has 28 (SHA-1) or 44 (SHA-256) characters."""

_METHODS: dict[str, Literal["sha256", "sha1"]] = {"HmacSHA256": "sha256", "HmacSHA1": "sha1"}
_REQUIRED = ("AWSAccessKeyId", "Signature", "SignatureVersion", "SignatureMethod")
_ACCESS_KEY_ID = re.compile(r"[!-~]{1,128}")  # printable ASCII; 128 is AWS's longest
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Parts:
    """A V2 claim, taken apart. One of *signed_at* and *expires_at* is set; *query* is the last line that was signed."""

    access_key_id: str
    digest: Literal["sha256", "sha1"]
    signature: str = field(repr=False)
    signed_at: datetime | None
    expires_at: datetime | None
    query: str = field(repr=False)


def read(request: Request, pairs: Sequence[tuple[str, str]]) -> Parts:
    """
    The claim in *pairs*: all parameters of the query and of the form, canonically encoded.

    Both places count together whatever the method is: what stood in the other one would be a parameter nobody signed.

    Raises:
        ApiError: InvalidQueryParameter when any parameter is given twice, because the string to sign is sorted and says
            nothing about which comes first; MissingParameter, InvalidParameterCombination or InvalidParameterValue for
            the claim's own; SignatureDoesNotMatch for x-amz-* headers, which this version cannot sign.

    """
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ApiError("InvalidQueryParameter", "A parameter was given more than once.")
    for name in _REQUIRED:
        if not fields.get(name):
            raise ApiError("MissingParameter", f"The request must contain the parameter {name}.")
    if fields["SignatureVersion"] != "2":
        raise ApiError("InvalidParameterValue", "SignatureVersion must be 2; newer clients sign with version 4.")
    digest = _METHODS.get(fields["SignatureMethod"])
    if digest is None:
        raise ApiError("InvalidParameterValue", "SignatureMethod must be HmacSHA256 or HmacSHA1.")
    access_key_id = unquote(fields["AWSAccessKeyId"])
    if not _ACCESS_KEY_ID.fullmatch(access_key_id):
        raise ApiError("InvalidClientTokenId", "The security token included in the request is invalid.")
    signature = unquote(fields.pop("Signature"))
    if len(signature) > SIGNATURE_CHARS_MAX:
        raise ApiError("IncompleteSignature", "The signature is too long.")
    if any(name.startswith("x-amz-") for name, _ in request.headers):
        raise ApiError("SignatureDoesNotMatch", "Every x-amz-* header of the request must be signed.")
    signed_at, expires_at = _read_times(fields)
    return Parts(access_key_id, digest, signature, signed_at, expires_at, _canonical_query(fields))


def check_time(parts: Parts, now: datetime, skew: timedelta) -> None:
    """
    Nothing, when *now* is within *skew* of the Timestamp, or before Expires by no more than *skew*.

    The limit on Expires is the original's: without it one captured URL would be good for years.

    Raises:
        ApiError: RequestExpired.

    """
    if parts.signed_at is not None and now - parts.signed_at > skew:
        raise ApiError(
            "RequestExpired", f"Request has expired. Timestamp date is {parts.signed_at:%Y-%m-%dT%H:%M:%SZ}."
        )
    if parts.signed_at is not None and parts.signed_at - now > skew:
        raise ApiError("RequestExpired", "The Timestamp of the request lies too far in the future.")
    if parts.expires_at is not None and now > parts.expires_at:
        raise ApiError("RequestExpired", f"Request has expired. Expires date is {parts.expires_at:%Y-%m-%dT%H:%M:%SZ}.")
    if parts.expires_at is not None and parts.expires_at - now > skew:
        raise ApiError("RequestExpired", "The Expires date of the request lies too far in the future.")


def verify(parts: Parts, request: Request, hosts: Sequence[str], secret: str) -> bool:
    """True when *secret* made the signature of *parts* over *request*, sent to one of *hosts*."""
    key = secret.encode("utf-8", "surrogateescape")
    given = parts.signature.encode("utf-8", "surrogateescape")
    path = request.path or "/"
    for host in hosts:
        text = f"{request.method}\n{host.lower()}\n{path}\n{parts.query}"
        expected = b64encode(hmac.digest(key, text.encode("utf-8", "surrogateescape"), parts.digest))
        if hmac.compare_digest(expected, given):
            return True
    return False


def _read_times(fields: dict[str, str]) -> tuple[datetime | None, datetime | None]:
    """Timestamp and Expires, of which exactly one is given."""
    timestamp, expires = fields.get("Timestamp"), fields.get("Expires")
    if timestamp and expires:
        raise ApiError("InvalidParameterCombination", "The request must contain Timestamp or Expires, not both.")
    if timestamp:
        return _read_date("Timestamp", timestamp), None
    if expires:
        return None, _read_date("Expires", expires)
    raise ApiError("MissingParameter", "The request must contain the parameter Timestamp or Expires.")


def _read_date(name: str, value: str) -> datetime:
    """The moment in *value*, the encoded parameter called *name*; UTC, said or unsaid."""
    text = unquote(value)
    try:
        if _ISO_DATE.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError as error:  # digits in the right places, but no such day or hour
        raise ApiError("InvalidParameterValue", f"{name} is no date.") from error
    raise ApiError("InvalidParameterValue", f"{name} must be a date of the form YYYY-MM-DDTHH:MM:SSZ.")


def _canonical_query(fields: dict[str, str]) -> str:
    """*fields*, canonically encoded, sorted by the bytes of their decoded names."""
    decoded_order = any("%" in name for name in fields)
    names = sorted(fields, key=unquote_to_bytes if decoded_order else None)
    return "&".join([f"{name}={fields[name]}" for name in names])
