"""
What a driver's exception means, by the caller's next move.

Owns: the words and codes of providers. Does not own: noticing what was sent (``wire``). Libcloud types few errors:
codes are attributes of several names, or stand in the text alone; some drivers raise bare ``Exception``.
"""

import re
from enum import StrEnum

from libcloud.common.types import InvalidCredsError

from backends.errors import Ambiguous, CloudError, Gone, NoCapacity, Refused, Throttled, Unreachable
from backends.via_libcloud.wire import Lost, NotSent, Traffic

TEXT_CHARS_MAX = 500
"""Of a provider's own words in an activity. Some send pages of HTML."""

SECRET_CHARS_MIN = 4
"""Of a secret, or a line of one. Shorter ones are in every text, and no secrets."""

RETRY_AFTER_S = 5.0
"""When a throttling provider names no time."""

RETRY_AFTER_S_MAX = 600.0
"""More than a provider may ask for: our own longest back-off."""

_UNAUTHORIZED = 401
_NOT_FOUND = 404
_CONFLICT = 409
_TOO_LARGE = 413
_TOO_MANY = 429
_CLIENTS_FAULT = range(400, 500)

_FULL = re.compile(
    r"no valid host|quota|limit (has been |was )?(reached|exceeded)|exceed(s|ed|ing)? .*(limit|quota)|maximum number of"
    r"|insufficient.?(capacity|resources|instance)|not enough (resources|capacity|hosts)|out of (stock|capacity)"
    r"|resource_pool_exhausted|does not have enough resources|allocation ?failed|overconstrained|skunotavailable"
    r"|no (hosts?|servers?) (are |is )?available|unable to (allocate|create a deployment)|capacity",
    re.IGNORECASE,
)
_EXISTS = re.compile(r"already.?exists?|already in use|must be unique|already used|name .*in use", re.IGNORECASE)
_RATE = re.compile(r"rate.?limit|too many requests|throttl|retry.?later", re.IGNORECASE)
_AUTHENTICATION = re.compile(
    r"invalid (provider )?credential|unauthori[sz]ed|authentication (failed|required)|invalid.?(api.?)?(key|token)"
    r"|unable to verify user credentials|invalid_grant|invalid_client",
    re.IGNORECASE,
)
_CODE_IN_TEXT = re.compile(r"^\W*([45]\d\d)\b")
_UNPRINTABLE = re.compile(r"[^\u0020-\u007e\u00a0-\ud7ff\ue000-\ufffd]+")
_DRIVER = re.compile(r"<\w*Error in (<[^>]*>|[\w.]+) (?P<text>.*)>$", re.DOTALL)


class Verb(StrEnum):
    """What a call was for: the same answer means another thing to each."""

    LOOK = "look"
    LAUNCH = "launch"
    END = "end"


def is_full(text: str) -> bool:
    """True when a provider's *text* says that there is no place, or that a quota is used up."""
    # "Rate limit exceeded" is another limit: believed as this one, a launch that was taken would be forgotten.
    return _FULL.search(text) is not None and _RATE.search(text) is None


def clean(text: str, secrets: tuple[str, ...] = ()) -> str:
    """*text* on one line, without *secrets* and what XML cannot carry, cut to TEXT_CHARS_MAX."""
    text = text[: 16 * TEXT_CHARS_MAX]
    # Line by line: a private key of many lines is quoted with its line ends escaped, or on one line.
    for part in (part for secret in secrets for part in (secret, *secret.splitlines())):
        text = text.replace(part, "***") if len(part) >= SECRET_CHARS_MIN else text
    text = " ".join(_UNPRINTABLE.sub(" ", text).split())
    return text if len(text) <= TEXT_CHARS_MAX else f"{text[: TEXT_CHARS_MAX - 3]}..."


def means(error: Exception, traffic: Traffic, verb: Verb, cloud: str, secrets: tuple[str, ...] = ()) -> CloudError:
    """
    What *error* means to a caller of *verb*, with text for people. *traffic* is what the call had sent by then.

    A launch with a write that was taken, or whose fate is unknown, is Ambiguous whatever the driver says: except when
    it says that the cloud is full, which providers that work asynchronously find out after they took the order.
    """
    if isinstance(error, CloudError):
        return error
    said = said_by(error)
    text = clean(f"{cloud} {said}" if isinstance(error, NotSent | Lost) else f"{cloud} answered: {said}", secrets)
    status = status_of(error, said) or traffic.refused_status
    if verb is Verb.LAUNCH:
        return _of_launch(error, traffic, status, said, text)
    if isinstance(error, NotSent | Lost):
        return Unreachable(text)
    if status == _TOO_MANY or _RATE.search(said):
        return _throttled(error, traffic, text)
    if verb is Verb.END and status == _NOT_FOUND:
        return Gone(text)
    if _is_about_credentials(error, status, said):
        return Unreachable(text) if verb is Verb.LOOK else Refused(text)
    return Refused(text) if status in _CLIENTS_FAULT else Unreachable(text)


def _of_launch(error: Exception, traffic: Traffic, status: int, said: str, text: str) -> CloudError:
    if traffic.doubtful or isinstance(error, Lost):
        # A request for something to read that was lost before anything was written is no launch.
        return Ambiguous(text) if traffic.may_have_happened else Unreachable(text)
    if isinstance(error, NotSent) and not traffic.taken:
        return Unreachable(text)
    if not traffic.taken and (status == _TOO_MANY or _RATE.search(said)):
        return _throttled(error, traffic, text)
    if status == _TOO_LARGE or is_full(said):
        return NoCapacity(text)
    if traffic.taken or (status == _CONFLICT and _EXISTS.search(said)) or _EXISTS.search(said):
        # Names are never given twice: what exists already is this very launch, made earlier.
        return Ambiguous(text)
    if status in _CLIENTS_FAULT or _is_about_credentials(error, status, said):
        return Refused(text)
    # Nothing was written, and the provider is not to blame: a driver found the order wrong. 5xx to a question is none.
    return Unreachable(text) if status else Refused(text)


def _is_about_credentials(error: Exception, status: int, said: str) -> bool:
    return status == _UNAUTHORIZED or isinstance(error, InvalidCredsError) or _AUTHENTICATION.search(said) is not None


def _throttled(error: Exception, traffic: Traffic, text: str) -> Throttled:
    asked = max(traffic.retry_after_s, float(getattr(error, "retry_after", 0) or 0))
    return Throttled(text, min(asked, RETRY_AFTER_S_MAX) if asked else RETRY_AFTER_S)


def status_of(error: Exception, said: str) -> int:
    """The HTTP status that *error* carries, by whichever of Libcloud's ways; 0 when it carries none."""
    for name in ("http_code", "code", "status"):
        value = getattr(error, name, None)
        if isinstance(value, int) and not isinstance(value, bool):
            return int(value)
        if isinstance(value, str) and value.isdecimal():
            return int(value)
    found = _CODE_IN_TEXT.search(said)
    return int(found[1]) if found else 0


def said_by(error: Exception) -> str:
    """The provider's own words, without the wrapping that Libcloud prints around them."""
    for name in ("message", "value"):
        value = getattr(error, name, None)
        if isinstance(value, dict) and value.get("message"):
            return f"{value.get('code', '')} {value['message']}".strip()
        if isinstance(value, str) and value:
            return value
    text = str(error)
    found = _DRIVER.search(text)
    return found["text"] if found else text or type(error).__name__
