"""
Signature Version 4: what the Authorization header or a presigned query claims, and whether a secret made it.

Owns: the form of a V4 claim, its canonical request, and the cache of derived keys. Does not own: which scheme a request
uses, the spellings of its host and parameters, or how far clocks may differ (:mod:`protocol.signature`).
Source: AWS General Reference, "Signature Version 4 signing process".
"""

import hmac
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from itertools import islice
from urllib.parse import quote, unquote

from protocol.errors import ApiError
from protocol.wire import Request

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"

EXPIRES_MAX_S = 7 * 24 * 3600
"""Longest life of a presigned query: AWS's week."""

AUTHORIZATION_CHARS_MAX = 4096
"""Longest Authorization header. The longest recorded (JS SDK v3) has 350; 64 header names of 40 letters need 2,700."""

CREDENTIAL_CHARS_MAX = 384
"""Longest Credential: a key id of AWS's 128, region and service of a DNS label (63) each, and room."""

SIGNED_HEADERS_MAX = 64
"""Header names in SignedHeaders. JS SDK v3 signs 8; aiohttp itself accepts few more headers than this."""

SIGNATURE_CHARS_MAX = 128
"""Longest signature that is compared; a true one has 64 digits. A malformed one up to this is simply a wrong one."""

SIGNING_KEYS_MAX = 4096
"""Derived keys kept, about 1.5 MB. One per secret, day and scope; euca2ools makes a new scope in every process."""

CANDIDATES_MAX = 64
"""Canonical forms tried. A dozen hosts times one odd spelling of path, query or headers; more is nobody's client."""

_PARTS = ("Credential", "Signature", "SignedHeaders")
_PRESIGNED = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
    "X-Amz-Date",
    "X-Amz-Expires",
)
_CONTENT_HASH = "X-Amz-Content-Sha256"

_BASIC_DATE = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_ISO_DATE = re.compile(r"\d{4}-?\d\d-?\d\dT\d\d:?\d\d:?\d\d(?:\.\d{1,9})?Z?", re.ASCII)
_RFC_1123_DATE = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d (?:GMT|UTC|[+-]0000)", re.ASCII)
_SCOPE = re.compile(r"[!-.0-~]+/\d{8}/[!-.0-~]+/[!-.0-~]+/[!-.0-~]+", re.ASCII)  # printable ASCII, "/" only between
_SIGNED_HEADERS = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+(?:;[!#$%&'*+.^_`|~0-9a-z-]+)*")  # RFC 9110 tokens, lower case
_SECONDS = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Parts:
    """
    A V4 claim, taken apart. *day*, *region* and *service* are the scope as given: boto 2 on 127.0.0.1 sends "0/127".

    *stamps* are the spellings of the date, *queries* those of the query, that may have been signed. *expires_s* is None
    for a signature in the header.
    """

    access_key_id: str
    day: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str = field(repr=False)
    signed_at: datetime
    stamps: tuple[str, ...]
    expires_s: int | None
    body_sha256: str
    queries: tuple[str, ...]


def read_header(request: Request, authorization: str, pairs: Sequence[tuple[str, str]]) -> Parts:
    """
    The claim in the header *authorization*; *pairs* are the query's, canonically encoded.

    Raises:
        ApiError: IncompleteSignature when a part is missing or malformed; SignatureDoesNotMatch when the scope does not
            fit the date, or host, an x-amz-* header or the body is not covered.

    """
    fields = _split_authorization(authorization)
    date = _header_date(request)
    missing = [f"Authorization header requires '{name}' parameter." for name in _PARTS if not fields.get(name)]
    if date is None:
        missing.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if date is None or missing:
        raise _incomplete(" ".join(missing))
    return _read_parts(request, fields, date, None, _query_spellings(request.query, pairs), [])


def read_query(request: Request, pairs: Sequence[tuple[str, str]]) -> Parts:
    """
    The claim in the presigned query whose canonically encoded parameters are *pairs*.

    Raises:
        ApiError: as :func:`read_header`; InvalidQueryParameter when a part is given twice; InvalidParameterValue when
            X-Amz-Expires is not 1 to 604800.

    """
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in _PRESIGNED or name == _CONTENT_HASH:
            if name in fields:
                raise ApiError("InvalidQueryParameter", f"The parameter {name} was given more than once.")
            fields[name] = unquote(value)
    missing = [f"AWS query-string parameters must include '{name}'." for name in _PRESIGNED if not fields.get(name)]
    if missing:
        raise _incomplete(" ".join(missing))
    if fields["X-Amz-Algorithm"] != ALGORITHM:
        raise _incomplete(f"Unsupported AWS 'algorithm'; use {ALGORITHM}.")
    expires_s = fields["X-Amz-Expires"]
    if not _SECONDS.fullmatch(expires_s) or not 1 <= int(expires_s) <= EXPIRES_MAX_S:
        raise ApiError(
            "InvalidParameterValue", f"X-Amz-Expires must be a number between 1 and {EXPIRES_MAX_S} seconds."
        )
    parts = {name: fields[f"X-Amz-{name}"] for name in _PARTS}
    hashes = [fields[_CONTENT_HASH]] if _CONTENT_HASH in fields else []
    queries = _query_spellings(request.query, pairs)
    return _read_parts(request, parts, fields["X-Amz-Date"], int(expires_s), queries, hashes)


def check_time(parts: Parts, now: datetime, skew: timedelta) -> None:
    """
    Nothing, when *now* lies in the life of *parts*: at most *skew* before signing, *skew* or the asked time after it.

    Raises:
        ApiError: SignatureDoesNotMatch, with AWS's words.

    """
    age = now - parts.signed_at  # a difference: sums near the year 9999 overflow
    life = skew if parts.expires_s is None else timedelta(seconds=parts.expires_s)
    if age > life:
        length = f"{skew // timedelta(minutes=1)} min." if parts.expires_s is None else f"{parts.expires_s} s."
        text = f"Signature expired: {_basic(parts.signed_at)} is now earlier than {_basic(now - life)}"
        raise ApiError("SignatureDoesNotMatch", f"{text} ({_basic(now)} - {length})")
    if age < -skew:
        text = f"Signature not yet current: {_basic(parts.signed_at)} is still later than {_basic(now + skew)}"
        raise ApiError("SignatureDoesNotMatch", f"{text} ({_basic(now)} + {skew // timedelta(minutes=1)} min.)")


def verify(parts: Parts, request: Request, hosts: Sequence[str], secret: str) -> bool:
    """
    True when *secret* made the signature of *parts* over *request*, sent to one of *hosts*.

    The derived key is kept only after a match, so that strangers cannot push out the keys of others. It is kept under
    a digest of the secret: after a rotation the old key is never found again (aws-sdk-go-v2 #3350).
    """
    secret_octets = secret.encode("utf-8", "surrogateescape")
    slot = (sha256(secret_octets).digest(), parts.day, parts.region, parts.service)
    key = _signing_keys.recall(slot) or _derive_key(secret_octets, parts)
    given = parts.signature.encode("utf-8", "surrogateescape")
    scope = f"{parts.day}/{parts.region}/{parts.service}/{TERMINATOR}"
    for canonical in islice(_canonical_requests(parts, request, hosts), CANDIDATES_MAX):
        digest = sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
        for stamp in parts.stamps:
            # hmac.digest() lets other threads in between, and in a busy server waits to be let in again: 130 us
            # instead of 4, measured. hmac.new() keeps short texts to itself.
            expected = hmac.new(key, f"{ALGORITHM}\n{stamp}\n{scope}\n{digest}".encode(), "sha256").hexdigest()
            if hmac.compare_digest(expected.encode(), given):
                _signing_keys.remember(slot, key)
                return True
    return False


class SigningKeys:
    """Derived keys by slot (digest of the secret, day, region, service); the least recently used goes first."""

    def __init__(self, keys_max: int) -> None:
        self._keys_max = keys_max
        self._keys: dict[tuple[bytes, str, str, str], bytes] = {}  # in order of use

    def recall(self, slot: tuple[bytes, str, str, str]) -> bytes | None:
        """The key kept under *slot*, or None."""
        return self._keys.get(slot)

    def remember(self, slot: tuple[bytes, str, str, str], key: bytes) -> None:
        """Keep *key* as the most recently used."""
        self._keys.pop(slot, None)
        self._keys[slot] = key
        if len(self._keys) > self._keys_max:
            del self._keys[next(iter(self._keys))]


_signing_keys = SigningKeys(SIGNING_KEYS_MAX)


def _read_parts(
    request: Request,
    fields: dict[str, str],
    date: str,
    expires_s: int | None,
    queries: tuple[str, ...],
    body_hashes: list[str],
) -> Parts:
    """Steps that header and query share: scope, signed headers, date, and that nothing of weight is left unsigned."""
    access_key_id, day, region, service = _split_credential(fields["Credential"])
    signed_headers = _split_signed_headers(fields["SignedHeaders"])
    if len(fields["Signature"]) > SIGNATURE_CHARS_MAX:
        raise _incomplete("The signature is too long.")
    signed_at, stamps = _read_date(date)
    if day != stamps[0][:8]:
        raise ApiError(
            "SignatureDoesNotMatch",
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{day}' != "
            f"'{stamps[0][:8]}'.",
        )
    body_sha256 = _check_covered(request, signed_headers, body_hashes)
    return Parts(
        access_key_id, day, region, service, signed_headers, fields["Signature"], signed_at, stamps, expires_s,
        body_sha256, queries,
    )  # fmt: skip


def _split_authorization(authorization: str) -> dict[str, str]:
    """Parts of the header by name. boto 2 separates them with ",", botocore with ", "."""
    if len(authorization) > AUTHORIZATION_CHARS_MAX:
        raise _incomplete("The Authorization header is too long.")
    algorithm, _, rest = authorization.strip().partition(" ")
    if algorithm != ALGORITHM:
        raise _incomplete(f"Unsupported AWS 'algorithm' in the Authorization header; use {ALGORITHM}.")
    fields: dict[str, str] = {}
    for part in rest.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals:
            raise _incomplete("A part of the Authorization header is not a valid key=value pair (missing equal-sign).")
        if name not in _PARTS:
            raise _incomplete("The Authorization header may hold 'Credential', 'SignedHeaders' and 'Signature' only.")
        if name in fields:
            raise _incomplete(f"The Authorization header holds '{name}' more than once.")
        fields[name] = value
    return fields


def _split_credential(credential: str) -> tuple[str, str, str, str]:
    """Key id, day, region and service. Region and service are whatever the client derived from our address."""
    if len(credential) > CREDENTIAL_CHARS_MAX:
        raise _incomplete("The Credential is too long.")
    if not _SCOPE.fullmatch(credential):
        raise _incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            "of printable ASCII, the date as YYYYMMDD."
        )
    access_key_id, day, region, service, terminator = credential.split("/")
    if terminator != TERMINATOR:
        raise ApiError("SignatureDoesNotMatch", f"Credential should be scoped with a valid terminator: '{TERMINATOR}'.")
    return access_key_id, day, region, service


def _split_signed_headers(text: str) -> tuple[str, ...]:
    """Names in SignedHeaders, in the order given: that is the order they were signed in."""
    names = tuple(text.split(";", SIGNED_HEADERS_MAX))
    if len(names) > SIGNED_HEADERS_MAX:
        raise _incomplete(f"SignedHeaders may name at most {SIGNED_HEADERS_MAX} headers.")
    if not _SIGNED_HEADERS.fullmatch(text) or len(set(names)) < len(names):
        raise _incomplete("SignedHeaders must be different header names in lower case, separated by ';'.")
    return names


def _header_date(request: Request) -> str | None:
    """X-Amz-Date, else Date, else None."""
    for name in ("x-amz-date", "date"):
        found = request.header_values(name)
        if len(found) > 1:
            raise _incomplete(f"The header {name} was sent more than once.")
        if found:
            return found[0].strip()
    return None


def _read_date(text: str) -> tuple[datetime, tuple[str, ...]]:
    """
    The moment that *text* names, and its spellings in the string to sign: the basic ISO form first, then as sent.

    botocore with a Date header sends RFC 1123 and signs the basic form; the specification can be read either way.
    """
    moment = None
    try:
        if _BASIC_DATE.fullmatch(text):
            return datetime.fromisoformat(text), (text,)
        if _ISO_DATE.fullmatch(text):
            moment = datetime.fromisoformat(text)
        elif _RFC_1123_DATE.fullmatch(text):
            moment = parsedate_to_datetime(text)
    except ValueError:
        moment = None  # digits in the right places, but no such day or hour
    if moment is None:
        raise _incomplete("Date must be in ISO-8601 'basic format', YYYYMMDD'T'HHMMSS'Z', or in RFC 1123 format.")
    moment = moment.replace(tzinfo=UTC)  # every form accepted above is UTC, said or unsaid
    return moment, (_basic(moment), text)


def _check_covered(request: Request, signed_headers: tuple[str, ...], body_hashes: list[str]) -> str:
    """Hash of the body, when host, every x-amz-* header and the body itself are signed."""
    if "host" not in signed_headers:
        raise ApiError("SignatureDoesNotMatch", "'Host' must be a 'SignedHeader' in the AWS Authorization.")
    claimed = list(body_hashes)
    for name, value in request.headers:
        if name.startswith("x-amz-"):
            if name not in signed_headers:  # else anyone on the way could add one: CVE-2026-54330 in Ceph
                raise ApiError("SignatureDoesNotMatch", "Every x-amz-* header of the request must be signed.")
            if name == "x-amz-content-sha256":
                claimed.append(value.strip())
    actual = sha256(request.body).hexdigest()
    for text in claimed:
        if text.startswith(("UNSIGNED-", "STREAMING-")):
            raise _incomplete("The body must be signed whole: x-amz-content-sha256 must be its SHA-256.")
        if text != actual:
            raise ApiError("SignatureDoesNotMatch", "x-amz-content-sha256 does not match the SHA-256 of the body.")
    return actual


def _query_spellings(raw: str, pairs: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """
    Canonical queries that may have been signed: re-encoded and sorted, and sorted as sent.

    The second is for clients that sign their own spelling ("+" for a blank, lower-case %2b); botocore does so when the
    parameters stand in the URL it is given. It covers the bytes as they are, so nothing can be changed under it.
    """
    if not raw:
        return ("",)
    encoded = "&".join([f"{name}={value}" for name, value in sorted(pairs) if name != "X-Amz-Signature"])
    sent = [(name, value) for name, _, value in (pair.partition("=") for pair in raw.split("&"))]
    as_sent = "&".join([f"{name}={value}" for name, value in sorted(sent) if name != "X-Amz-Signature"])
    return (encoded,) if encoded == as_sent else (encoded, as_sent)


def _canonical_requests(parts: Parts, request: Request, hosts: Sequence[str]) -> Iterator[str]:
    """Canonical requests that the client may have signed, the likeliest first; almost always the first is the one."""
    names = parts.signed_headers
    tail = f"\n{';'.join(names)}\n{parts.body_sha256}"
    for sent in _header_spellings(request, names):
        for path in _path_spellings(request.path):
            for query in parts.queries:
                head = f"{request.method}\n{path}\n{query}\n"
                for host in hosts:
                    sent["host"] = host
                    # A header that is named but was not sent counts as empty: proxies take some away.
                    lines = "".join([f"{name}:{sent.get(name, '')}\n" for name in names])
                    yield head + lines + tail


def _header_spellings(request: Request, names: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """Values of the headers called *names*, with inner blanks collapsed (AWS, botocore), then trimmed only (boto 2)."""
    yield _header_lines(request, names, _collapse)
    if any(_collapse(value) != value.strip() for name, value in request.headers if name in names):
        yield _header_lines(request, names, str.strip)


def _header_lines(request: Request, names: tuple[str, ...], clean: Callable[[str], str]) -> dict[str, str]:
    """Cleaned values of the headers called *names*; several of one name are joined by commas in order of arrival."""
    lines: dict[str, str] = {}
    for name, value in request.headers:
        if name in names:
            lines[name] = f"{lines[name]},{clean(value)}" if name in lines else clean(value)
    return lines


def _collapse(value: str) -> str:
    return " ".join(value.split())


def _path_spellings(path: str) -> Iterator[str]:
    """
    *path* as sent, then without dot and empty segments and encoded once more, as the specification and botocore say.

    An encoded percent sign is taken the second way only: else "/a%20b", signed as "/a%2520b", could be turned into a
    request for "/a%2520b".
    """
    path = path or "/"
    if "%25" not in path:
        yield path
    if path == "/":
        return
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in {"", "."}:
            segments.append(segment)
    normal = "/" + "/".join(segments) + ("/" if segments and path.endswith("/") else "")
    encoded = quote(normal, safe="/~", errors="surrogateescape")
    if encoded != path:
        yield encoded


def _derive_key(secret: bytes, parts: Parts) -> bytes:
    """The signing key of *secret* for the scope of *parts*."""
    key = b"AWS4" + secret
    for step in (parts.day, parts.region, parts.service, TERMINATOR):
        key = hmac.digest(key, step.encode(), "sha256")
    return key


def _basic(moment: datetime) -> str:
    """*moment* in ISO 8601's basic format, whole seconds."""
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _incomplete(text: str) -> ApiError:
    return ApiError("IncompleteSignature", text)
