"""
Who signed a request: chooses the scheme, reads the claim, and checks it against the secret.

Owns: the order of the checks, and the spellings of hosts and parameters that both schemes share. Does not own: the
look-up of keys (the caller's, between the two calls), canonical forms (:mod:`protocol.sigv4`, :mod:`protocol.sigv2`).
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from protocol import sigv2, sigv4
from protocol.errors import ApiError
from protocol.wire import Request

SKEW_MAX_S = 15 * 60
"""How far a client's clock may be off, either way. Less refuses machines without NTP, more helps those who replay."""

PAIRS_MAX = 2_500
"""Parameters of a query, and of a form: as many as :mod:`protocol.form` takes. 100,000 would need 0.2 s to spell."""

V2_FORM_OCTETS_MAX = 128 * 1024
"""
Form of a V2 request, which must be taken apart before anybody is known to have sent it: 100 ns per octet. The longest
sensible one is a launch configuration: 16 KB of user data are 22 KB of base64, and 66 KB if every character is escaped.
"""

HOSTS_MAX = 64
"""Host headers whose spellings are kept: a gateway has a few names. Strangers who send others cost us 2 us each."""

_DEFAULT_PORTS = (80, 443)
# Tried though we may not listen there: behind a proxy, old AWS command lines sign the scheme's port without sending it.

_NO_SECRET = "no key of ours has this secret"  # noqa: S105 - stands in for an unknown key; a match with it is refused
_V4_MARKS = frozenset({"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"})
_V2_MARKS = frozenset({"AWSAccessKeyId", "Signature"})
_MARK_CHARS_MAX = 3 * len("AWSAccessKeyId")  # every letter of it escaped
_TOKEN_NAMES = frozenset({"X-Amz-Security-Token", "SecurityToken"})

# Unreserved characters bare, everything else as upper-case %XX: such a token is its own canonical form (RFC 3986, 2.3).
_CANONICAL_TOKEN = re.compile(
    r"(?:[A-Za-z0-9_.~-]|%(?:[0189A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|[46]0|5[B-E]|7[B-DF]))*", re.ASCII
)
_ESCAPED_NAME = re.compile(rb"&[^=&%]*%")
_ESCAPED_FIRST_NAME = re.compile(rb"[^=&%]*%")
_HOST_AND_PORT = re.compile(r"(\[[^\]]*\]|[^:]*):[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says about itself and nobody has believed yet: whose key signed it, and the parts of the proof."""

    access_key_id: str
    parts: sigv4.Parts | sigv2.Parts


def read_claim(request: Request, now: datetime) -> Claim:
    """
    The claim that *request* makes, well-formed and fresh at *now* (aware), but unproved.

    Order: scheme, form, temporary credentials, what is signed (host, x-amz-* headers, body), time. Nothing here knows
    a key, so a stale or malformed request gets the same answer whether its key exists or not. The original looked at
    the time last, and so told strangers with old requests which keys exist.

    Raises:
        ApiError: MissingAuthenticationToken without any signature; InvalidParameterCombination with two;
            IncompleteSignature, MissingParameter, InvalidParameterValue, InvalidQueryParameter or MalformedQueryString
            when malformed; InvalidClientTokenId for temporary credentials; SignatureDoesNotMatch when something is
            left unsigned; SignatureDoesNotMatch (V4) or RequestExpired (V2) when stale.

    """
    pairs = _spell_pairs(request.query)
    parts = _read_parts(request, pairs)
    _check_time(parts, now)
    return Claim(parts.access_key_id, parts)


def check(claim: Claim, request: Request, secret: str | None, now: datetime, ports: Collection[int]) -> None:
    """
    Nothing, when the holder of *secret* signed *request* as *claim* says; *ports* are those that clients reach us by.

    A *secret* of None means that the key is unknown. The same work is done then with a stand-in, so that the time taken
    tells no more than the answer does. The time is checked again because the look-up may have waited.

    Raises:
        ApiError: InvalidClientTokenId for an unknown key; SignatureDoesNotMatch for a wrong signature; as
            :func:`read_claim` when the claim has become stale.

    """
    _check_time(claim.parts, now)
    hosts = host_spellings(request.header("host") or "", tuple(ports))
    try:
        matches = _verify(claim.parts, request, hosts, secret or _NO_SECRET)
    except UnicodeEncodeError:
        matches = False  # text that no wire carries, so no client signed it
    if not secret:
        raise _unknown_key()
    if not matches:
        raise ApiError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.",
        )


@lru_cache(maxsize=HOSTS_MAX)
def host_spellings(host: str, ports: tuple[int, ...]) -> tuple[str, ...]:
    """
    Every value of the Host header that a client may have signed when it sent *host*, the likeliest first.

    boto 2.9.2 sends the port and signs without it; boto 2.14 to 2.19 the other way round (measured). The host decides
    nothing here, so the variants give a forger nothing: the name itself must still be the one signed.
    """
    found = _HOST_AND_PORT.fullmatch(host)
    bare = found[1] if found else host
    spellings = [host, bare]
    spellings += [f"{bare}:{port}" for port in (*ports, *_DEFAULT_PORTS)]
    if not host.islower():
        spellings += [spelling.lower() for spelling in spellings]  # botocore signs the name in lower case
    return tuple(dict.fromkeys(spellings))


def _read_parts(request: Request, pairs: list[tuple[str, str]]) -> sigv4.Parts | sigv2.Parts:
    """Parts of the one signature that *request* carries; *pairs* are those of its query."""
    authorization = _authorization(request)
    names = {name for name, _ in pairs}
    in_query = not _V4_MARKS.isdisjoint(names)
    is_v2 = not _V2_MARKS.isdisjoint(names) or _claims_v2(request.body)
    # Two proofs of identity are one too many: a check that reads one while another reads the other is how
    # CVE-2026-41145 worked.
    if (authorization is not None) + in_query + is_v2 > 1:
        raise ApiError("InvalidParameterCombination", "A request may carry one signature only.")
    if is_v2 and len(request.body) > V2_FORM_OCTETS_MAX:
        raise ApiError("RequestTooLarge", f"A form signed with version 2 may have {V2_FORM_OCTETS_MAX} octets at most.")
    form = _spell_pairs(request.body.decode("utf-8", "surrogateescape")) if is_v2 else []
    _refuse_temporary_credentials(request, names.union(name for name, _ in form))
    if authorization is not None:
        return sigv4.read_header(request, authorization, pairs)
    if in_query:
        return sigv4.read_query(request, pairs)
    if is_v2:
        return sigv2.read(request, [*pairs, *form])
    raise ApiError("MissingAuthenticationToken", "Request is missing Authentication Token")


def _authorization(request: Request) -> str | None:
    """The Authorization header, or None; the request has one Host, and no signature of a kind we do not know."""
    found = None
    hosts = 0
    for name, value in request.headers:
        if name == "host":
            hosts += 1
        elif name == "authorization":
            if found is not None:
                raise ApiError("IncompleteSignature", "The Authorization header was sent more than once.")
            found = value
        elif name == "x-amzn-authorization":
            raise ApiError("IncompleteSignature", "Signature version 3 is not supported; use version 4.")
    if hosts != 1:
        raise ApiError("IncompleteSignature", "A signed request must have exactly one Host header.")
    return found


def _refuse_temporary_credentials(request: Request, names: set[str]) -> None:
    """Refuse session tokens: we issue none, and to ignore one would honour a key that its owner has let expire."""
    if not _TOKEN_NAMES.isdisjoint(names) or request.header("x-amz-security-token") is not None:
        raise _unknown_key()


def _check_time(parts: sigv4.Parts | sigv2.Parts, now: datetime) -> None:
    """Refuse *parts* that are stale, or not yet valid, at *now*."""
    skew = timedelta(seconds=SKEW_MAX_S)
    if isinstance(parts, sigv4.Parts):
        sigv4.check_time(parts, now, skew)
    else:
        sigv2.check_time(parts, now, skew)


def _verify(parts: sigv4.Parts | sigv2.Parts, request: Request, hosts: tuple[str, ...], secret: str) -> bool:
    """True when *secret* signed *request* for one of *hosts*."""
    if isinstance(parts, sigv4.Parts):
        return sigv4.verify(parts, request, hosts, secret)
    return sigv2.verify(parts, request, hosts, secret)


def _unknown_key() -> ApiError:
    return ApiError("InvalidClientTokenId", "The security token included in the request is invalid.")


def _claims_v2(body: bytes) -> bool:
    """True when a field of the form *body* is a SigV2 credential, however its name is escaped."""
    is_possible = b"AWSAccessKeyId" in body or b"Signature" in body
    if not is_possible and b"%" in body:
        is_possible = (_ESCAPED_FIRST_NAME.match(body) or _ESCAPED_NAME.search(body)) is not None
    if not is_possible:
        return False  # the usual request: its fields need not be looked at
    if body.count(b"&") >= PAIRS_MAX:
        raise _too_many_pairs()
    names = (field.partition(b"=")[0] for field in body.split(b"&"))
    return any(unquote_to_bytes(name).decode("latin-1") in _V2_MARKS for name in names if len(name) <= _MARK_CHARS_MAX)


def _too_many_pairs() -> ApiError:
    return ApiError("MalformedQueryString", f"A request may have at most {PAIRS_MAX} parameters.")


def _spell_pairs(text: str) -> list[tuple[str, str]]:
    """Names and values of the query or form *text*, each canonically percent-encoded, in the order sent."""
    if not text:
        return []
    if text.count("&") >= PAIRS_MAX:
        raise _too_many_pairs()
    try:
        return [
            (_spell(name), _spell(value))
            for name, _, value in (pair.partition("=") for pair in text.split("&") if pair)
        ]
    except UnicodeEncodeError as error:
        raise ApiError("MalformedQueryString", "The query string contains characters that are not encoded.") from error


def _spell(token: str) -> str:
    """
    The canonical percent-encoding of *token*.

    A bare "+" counts as a blank, as it does for whoever decodes the form afterwards; botocore's GET sends "+" and signs
    "%20". It never counts as "%2B", though some client may have meant that: else anyone on the way could turn a signed
    "%2B" into "+", that is, into a blank.
    """
    if _CANONICAL_TOKEN.fullmatch(token):
        return token
    return quote(unquote_to_bytes(token.replace("+", " ").encode("utf-8", "surrogateescape")), safe="")
